use super::*;

fn fault(text: &str) -> String {
    Config::parse(text).expect_err(text).to_string()
}

#[test]
fn what_is_printed_is_what_was_read() {
    let mut all = Config::default();
    let text = all.to_string();
    assert_eq!(Config::parse(&text).expect(&text), all);
    all.tell_threads();
    let text = all.to_string();
    assert_eq!(Config::parse(&text).expect(&text), all);
    let odd = "processors:\n  metrics:\n    heap_live:\n      name: \"a \\\"b\\\": #c\"\n      \
               aggregate: 5x\n      export: 1.25s\n";
    let odd = Config::parse(odd).expect("a configuration");
    let setting = odd.told(Group::Metrics, "heap_live").expect("it is told");
    assert_eq!(setting.name, "a \"b\": #c");
    assert_eq!(
        (setting.aggregate, setting.export.to_string()),
        (Rate::Flushes(5), "1.25s".into())
    );
    assert_eq!(Config::parse(&odd.to_string()).expect("the same"), odd);
}

#[test]
fn only_what_is_named_is_told() {
    let text = "processors:\n  metrics:\n    heap_size:\n    heap_live:\n      export: 0s\n";
    let config = Config::parse(text).expect("a configuration");
    let told = config.settings().filter(|(_, it)| it.export != Rate::Never);
    let told: Vec<&str> = told.map(|(of, _)| of.key).collect();
    assert_eq!(told, ["heap_size"]);
    // What it does not say is what its documentation says.
    let size = config
        .told(Group::Metrics, "heap_size")
        .expect("it is told");
    assert_eq!(size.name, "ghc_eventlog_HeapSize");
    assert_eq!((size.aggregate, size.export), (AGGREGATE, EXPORT));
}

#[test]
fn the_shortest_interval_counts() {
    let text = "processors: {metrics: {heap_size: {aggregate: 3x, export: 30s}, heap_live: \
                {aggregate: false, export: 5s}, mem_needed: {aggregate: 0.5s, export: false}}}";
    let config = Config::parse(text).expect("a configuration");
    let interval = |flush| config.interval(Duration::from_secs(flush));
    assert_eq!(interval(1), Some(Duration::from_secs(3)));
    assert_eq!(interval(2), Some(Duration::from_secs(5)));
}

#[test]
fn anchors_and_merges_are_understood() {
    let text = "defaults: &usual\n  aggregate: 2s\n  export: 10s\nprocessors:\n  metrics:\n    \
                heap_size:\n      <<: *usual\n      export: 20s\n    heap_live: *usual\n";
    let config = Config::parse(text).expect("a configuration");
    let told = |key| {
        let it = config.told(Group::Metrics, key).expect("it is told");
        (it.aggregate.to_string(), it.export.to_string())
    };
    assert_eq!(told("heap_size"), ("2s".into(), "20s".into()));
    assert_eq!(told("heap_live"), ("2s".into(), "10s".into()));
}

#[test]
fn what_is_not_known_is_named_with_its_line() {
    let unknown = "processors:\n  metrics:\n    heap_sise:\n      export: 1s\n";
    let told = fault(unknown);
    assert!(
        told.starts_with(
            "line 3: processors.metrics.heap_sise: unknown key; there are blocks_size,"
        ),
        "{told}"
    );
    for (text, begins) in [
        (
            "processor: {}\n",
            "line 1: processor: unknown key; there are processors",
        ),
        (
            "processors:\n  metric: {}\n",
            "line 2: processors.metric: unknown key; there are logs",
        ),
        (
            "processors:\n  logs:\n    user_marker:\n      aggregate: 1s\n",
            "line 4: processors.logs.user_marker.aggregate: unknown key; there are name",
        ),
        (
            "processors:\n  metrics:\n    heap_size:\n      export: 30\n",
            "line 4: processors.metrics.heap_size.export: this should be true, false",
        ),
        (
            "processors: {metrics: {heap_size: {export: 1.s}}}",
            "line 1: processors.metrics.heap_size.export: this",
        ),
        (
            "processors: {metrics: {heap_size: {export: -1s}}}",
            "line 1: processors.metrics.heap_size.export: this",
        ),
        (
            "processors: {metrics: {heap_size: {export: 1e3s}}}",
            "line 1: processors.metrics.heap_size.export: this",
        ),
        (
            "processors: {metrics: {heap_size: {name: 5}}}",
            "line 1: processors.metrics.heap_size.name: this should be text",
        ),
        (
            "processors: {metrics: {heap_size: {name: ''}}}",
            "line 1: processors.metrics.heap_size.name: a name",
        ),
        (
            "processors: [1]\n",
            "line 1: processors: this should be a mapping",
        ),
        ("", "line 1: 0 YAML documents, and not one"),
        ("processors: {}\n---\na: 1\n", "line 1: 2 YAML documents"),
        (
            "processors:\n  logs: {}\n  logs: {}\n",
            "line 3: not valid YAML",
        ),
        ("processors: [\n", "line 2: not valid YAML"),
        ("a: &a [x]\nb: *c\n", "line 2: not valid YAML"),
    ] {
        let told = fault(text);
        assert!(told.starts_with(begins), "{text}: {told}");
    }
}
