//! The dashboard for Grafana.

use crate::grafana::{Dashboard, DataSource, Panel, Variable};
use crate::promql::{check, labels_of};
use crate::{read, repository};
use eventlog_metrics::OWN;
use eventlog_metrics::table::METRICS;
use std::collections::BTreeSet;
use std::process::Command;

/// Columns of the grid.
const COLUMNS: u32 = 24;

fn text() -> String {
    read("dashboards/haskell.json")
}

fn dashboard() -> Dashboard {
    serde_json::from_str(&text()).expect("Grafana's model of a dashboard")
}

/// What is wrong with a dashboard, apart from its expressions.
fn faults(text: &str) -> Vec<String> {
    let dashboard: Dashboard = match serde_json::from_str(text) {
        Ok(dashboard) => dashboard,
        Err(error) => return vec![error.to_string()],
    };
    let mut faults = Vec::new();
    let mut want = |is_so: bool, fault: String| {
        if !is_so {
            faults.push(fault);
        }
    };
    want(
        (8..=40).contains(&dashboard.uid.len()),
        "its uid".to_owned(),
    );
    want(dashboard.graph_tooltip <= 2, "its tooltip".to_owned());
    // Of Grafana 10.2 to 12.
    want(
        (38..=41).contains(&dashboard.schema_version),
        "its schema".to_owned(),
    );
    let mut variables = BTreeSet::new();
    let mut sources = Vec::new();
    let mut kinds = Vec::new();
    for variable in &dashboard.templating.list {
        let name = match variable {
            Variable::DataSource(of) => {
                kinds.push((of.name.clone(), of.query.clone()));
                &of.name
            }
            Variable::Query(of) => {
                want(
                    of.query.query == of.definition,
                    format!("{}: definition", of.name),
                );
                want(
                    of.refresh <= 2 && of.sort <= 8,
                    format!("{}: refresh, sort", of.name),
                );
                want(
                    of.current.text.len() == of.current.value.len(),
                    format!("{}: current", of.name),
                );
                sources.push((of.name.clone(), &of.datasource));
                &of.name
            }
        };
        want(
            variables.insert(name.clone()),
            format!("two variables {name}"),
        );
    }
    let mut ids = BTreeSet::new();
    let mut places = Vec::new();
    for panel in &dashboard.panels {
        let title = panel.title();
        want(!title.is_empty(), "no title".to_owned());
        want(ids.insert(panel.id()), format!("{title}: its id"));
        let place = panel.place();
        want(place.w > 0 && place.h > 0, format!("{title}: no room"));
        want(
            place.x + place.w <= COLUMNS,
            format!("{title}: beyond the grid"),
        );
        for (other, of) in &places {
            let of: &crate::grafana::GridPos = of;
            let apart = |a: u32, size: u32, b: u32, other: u32| a + size <= b || b + other <= a;
            want(
                apart(place.x, place.w, of.x, of.w) || apart(place.y, place.h, of.y, of.h),
                format!("{title} covers {other}"),
            );
        }
        places.push((title.to_owned(), place));
        sources.extend(panel.source().map(|source| (title.to_owned(), source)));
        let is_row = matches!(panel, Panel::Row(_));
        want(
            is_row || !panel.targets().is_empty(),
            format!("{title}: no query"),
        );
        let mut letters = BTreeSet::new();
        for target in panel.targets() {
            want(
                letters.insert(&target.ref_id),
                format!("{title}: two {}", target.ref_id),
            );
            sources.push((title.to_owned(), &target.datasource));
            for name in names(&target.expr) {
                let known = variables.contains(&name) || name == "__rate_interval";
                want(known, format!("{title}: no variable {name}"));
            }
        }
    }
    want(kinds.len() == 1, "one data source is chosen".to_owned());
    for (whose, DataSource { kind, uid }) in sources {
        let name = uid.strip_prefix("${").and_then(|it| it.strip_suffix('}'));
        let is_that = name.is_some_and(|name| kinds.contains(&(name.to_owned(), kind.clone())));
        want(is_that, format!("{whose}: the data source {kind} {uid}"));
    }
    faults
}

/// The variables in an expression.
fn names(expression: &str) -> Vec<String> {
    let parts = expression.split('$').skip(1);
    let name = |part: &str| -> String {
        let of_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        part.chars().take_while(of_name).collect()
    };
    parts.map(name).collect()
}

#[test]
fn the_dashboard_is_what_grafana_expects() {
    let text = text();
    assert_eq!(faults(&text), [""; 0]);
    // Each of these would be told.
    for (from, to, fault) in [
        ("\"editable\"", "\"editible\"", "unknown field"),
        ("\"binBps\"", "\"bytes per second\"", "unknown variant"),
        ("\"timeseries\"", "\"graphs\"", "unknown variant"),
        ("\"expr\": \"", "\"expression\": \"", "unknown field"),
        ("\"id\": 3,", "\"id\": 2,", "its id"),
        ("\"x\": 8,", "\"x\": 0,", "covers"),
        ("\"x\": 16,", "\"x\": 20,", "beyond the grid"),
        ("\"refId\": \"B\"", "\"refId\": \"A\"", "two A"),
        (
            "\"uid\": \"${datasource}\"",
            "\"uid\": \"${source}\"",
            "the data source",
        ),
        (
            "\"query\": \"prometheus\"",
            "\"query\": \"loki\"",
            "the data source",
        ),
        (
            "instance=~\\\"$instance\\\"",
            "instance=~\\\"$where\\\"",
            "no variable where",
        ),
        (
            "\"name\": \"instance\"",
            "\"name\": \"job\"",
            "two variables job",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let told = faults(&text.replacen(from, to, 1));
        assert!(
            told.iter().any(|it| it.contains(fault)),
            "{fault}: {told:?}"
        );
    }
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let dashboard = dashboard();
    let mut asked = BTreeSet::new();
    for panel in &dashboard.panels {
        for target in panel.targets() {
            asked.extend(check(&target.expr));
            // Each label of a legend is one that the result has.
            let has = labels_of(&target.expr);
            for label in target.legend_format.split("{{").skip(1) {
                let label = label.split("}}").next().expect("its end");
                let title = panel.title();
                assert!(
                    has.contains(label),
                    "{title}: {label} is not in {}",
                    target.expr
                );
            }
        }
    }
    for variable in &dashboard.templating.list {
        if let Variable::Query(of) = variable {
            let query = of.definition.strip_prefix("label_values(");
            let query = query.and_then(|it| it.strip_suffix(')'));
            let (metric, label) = query
                .and_then(|it| it.rsplit_once(", "))
                .expect("label_values(METRIC, LABEL)");
            check(metric);
            assert!(["job", "instance"].contains(&label));
        }
    }
    // Every metric is shown.
    for metric in METRICS.iter().chain(OWN) {
        let name = metric.prometheus_name();
        let shown = asked.iter().any(|it| it.starts_with(&name));
        assert!(shown, "no panel shows {name}");
    }
}

#[test]
fn the_dashboard_is_what_its_maker_makes() {
    let maker = repository().join("dashboards/make.py");
    let done = Command::new("python3").arg(maker).arg("--check").output();
    let done = done.expect("Python runs");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
