//! Pictures of the last results, from the CSV files; with the argument `full` they
//! go to `bench/plots`, and the tables to `bench/README.md`, between its markers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bench::build::repository;
use bench::report::bytes;
use bench::scale::Scale;
use plotters::prelude::*;

/// This program writes the README between these lines.
const BEGIN: &str = "<!-- results: begin -->\n";
const END: &str = "<!-- results: end -->\n";
const SIZE: (u32, u32) = (720, 420);
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 90, 180),
    RGBColor(200, 60, 30),
    RGBColor(120, 120, 120),
    RGBColor(20, 140, 60),
    RGBColor(150, 80, 170),
    RGBColor(200, 150, 0),
    RGBColor(0, 150, 160),
    RGBColor(90, 60, 30),
];

/// A CSV file: names of columns, and lines.
struct Sheet {
    head: Vec<String>,
    lines: Vec<Vec<String>>,
}

impl Sheet {
    /// `None` if there is no such file, because that was not measured.
    fn read(results: &Path, name: &str) -> Option<Sheet> {
        let text = fs::read_to_string(results.join(format!("{name}.csv"))).ok()?;
        let mut lines = text
            .lines()
            .map(|line| line.split(',').map(String::from).collect::<Vec<_>>());
        Some(Sheet {
            head: lines.next()?,
            lines: lines.collect(),
        })
    }

    fn get<'a>(&self, line: &'a [String], column: &str) -> &'a str {
        let found = self.head.iter().position(|name| name == column);
        found.and_then(|at| line.get(at)).map_or("", String::as_str)
    }

    /// Curves of `y` over `x`, one for each `series`, of the lines in which these columns
    /// have these values.
    fn curves(&self, wanted: &[(&str, &str)], series: &str, x: &str, y: &str) -> Curves {
        let mut curves = Curves::new();
        for line in &self.lines {
            if !wanted
                .iter()
                .all(|(name, value)| self.get(line, name) == *value)
            {
                continue;
            }
            if let (Some(x), Ok(y)) = (size(self.get(line, x)), self.get(line, y).parse::<f64>())
                && y.is_finite()
                && y > 0.0
            {
                let name = self.get(line, series).to_owned();
                curves.entry(name).or_default().push((x, y));
            }
        }
        curves
    }
}

type Curves = BTreeMap<String, Vec<(f64, f64)>>;

/// `64 KiB`, or a plain number.
fn size(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let factor = match unit {
        "" | "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

fn main() -> Result<(), String> {
    let scale = Scale::from_args()?;
    let (results, full) = (scale.results(), scale == Scale::Full);
    let plots = match full {
        true => repository().join("bench/plots"),
        false => results.join("plots"),
    };
    fs::create_dir_all(&plots).map_err(|error| format!("{}: {error}", plots.display()))?;
    let pictures = draw_all(&results, &plots)?;
    if full {
        publish(&results, &pictures)
    } else {
        Ok(())
    }
}

/// The names of the pictures, with what they show.
fn draw_all(results: &Path, plots: &Path) -> Result<Vec<(&'static str, String)>, String> {
    let mut pictures = Vec::new();
    let mut lines = |name: &'static str, title: &str, x: &str, y: &str, curves: Curves| {
        if curves.is_empty() {
            return Ok(());
        }
        pictures.push((name, title.to_owned()));
        let path = plots.join(format!("{name}.svg"));
        let drawn = draw_lines(&path, title, (x, y), &curves);
        drawn.map_err(|error| format!("{}: {error}", path.display()))
    };
    if let Some(sheet) = Sheet::read(results, "callback") {
        for (name, how, threads, title) in [
            (
                "callback-paced-1",
                "paced",
                "1",
                "p99.9 of a call, paced, fast client",
            ),
            (
                "callback-paced-2",
                "paced",
                "2",
                "p99.9 of a call, paced, fast client, 2 threads",
            ),
            (
                "callback-flat-1",
                "flat out",
                "1",
                "p99.9 of a call, flat out, fast client",
            ),
            (
                "callback-flat-2",
                "flat out",
                "2",
                "p99.9 of a call, flat out, fast client, 2 threads",
            ),
        ] {
            let wanted = [("how", how), ("threads", threads), ("client", "fast")];
            let curves = sheet.curves(&wanted, "lib", "chunk", "p99.9");
            lines(name, title, "bytes of a call", "ns", curves)?;
        }
    }
    if let Some(sheet) = Sheet::read(results, "stream") {
        for (name, socket, title) in [
            ("stream-unix", "unix", "End to end, Unix socket"),
            ("stream-tcp", "tcp", "End to end, TCP"),
        ] {
            let curves = sheet.curves(&[("socket", socket)], "lib", "chunk", "MB/s");
            lines(name, title, "bytes of a call", "MB/s", curves)?;
        }
    }
    if let Some(sheet) = Sheet::read(results, "producers") {
        let curves = sheet.curves(&[("chunk", "64 KiB")], "lib", "threads", "taken MB/s");
        let title = "Callers at once, 64 KiB, fast client: what was not lost";
        lines("producers", title, "threads", "MB/s", curves)?;
    }
    if let Some(sheet) = Sheet::read(results, "rings") {
        let curves = sheet.curves(&[], "chunk", "ring", "lost %");
        let title = "Calls that found no room, flat out, by the size of the ring";
        lines("rings", title, "bytes of the ring", "%", curves)?;
    }
    if let Some(sheet) = Sheet::read(results, "ring") {
        // Runs of several kinds; the first column names the kind.
        let mut kinds: Vec<&str> = sheet.lines.iter().map(|l| sheet.get(l, "bench")).collect();
        kinds.dedup();
        if let Some(kind) = kinds.first() {
            let curves = sheet.curves(&[("bench", kind)], "variant", "size", "ratio");
            let title = format!("A push into the ring, as a multiple of a copy ({kind})");
            lines("ring", &title, "bytes", "times memcpy", curves)?;
        }
    }
    for (name, title) in [
        (
            "fire",
            "Nothing but events, -N1: time, as a multiple of the null writer's",
        ),
        (
            "mixed",
            "A program at work, -N1: time, as a multiple of the null writer's",
        ),
    ] {
        let Some(sheet) = Sheet::read(results, name) else {
            continue;
        };
        let at = |line: &Vec<String>| sheet.get(line, "wall ms").parse::<f64>().ok();
        let single = sheet.lines.iter().filter(|l| sheet.get(l, "RTS") == "-N1");
        let bars: Vec<(String, f64)> = single
            .filter_map(|line| Some((sheet.get(line, "eventlog").to_owned(), at(line)?)))
            .filter(|(_, value)| value.is_finite())
            .collect();
        let Some((_, null)) = bars.iter().find(|(name, _)| name == "null").cloned() else {
            continue;
        };
        let bars: Vec<(String, f64)> = bars.into_iter().map(|(n, v)| (n, v / null)).collect();
        let path = plots.join(format!("{name}.svg"));
        draw_bars(&path, title, &bars).map_err(|error| format!("{}: {error}", path.display()))?;
        pictures.push((name, title.to_owned()));
    }
    Ok(pictures)
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// The colour of a library is the same in all pictures.
fn colour_of(name: &str, otherwise: usize) -> &'static RGBColor {
    let known = ["ours", "peer", "memcpy", "write(2)"];
    let found = known.iter().position(|known| *known == name);
    &COLOURS[found.unwrap_or(otherwise % COLOURS.len())]
}

/// Both axes are logarithmic, the lower one by powers of two.
fn draw_lines(path: &Path, title: &str, (x, y): (&str, &str), curves: &Curves) -> Drawn {
    let points = || curves.values().flatten();
    let ends = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::MAX, f64::MIN), |(low, high), v| {
            (low.min(v), high.max(v))
        })
    };
    let (left, right) = ends(&mut points().map(|point| point.0));
    let (low, high) = ends(&mut points().map(|point| point.1));
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 17))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(
            left.log2()..right.log2() + 0.1,
            (low * 0.8..high * 1.3).log_scale(),
        )?;
    let size_of = |value: &f64| match x.starts_with("bytes") {
        true => bytes(value.exp2().round() as u64),
        false => format!("{:.0}", value.exp2()),
    };
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .x_label_formatter(&size_of)
        .y_label_formatter(&|value| bench::report::human(*value))
        .x_labels((right / left).log2().ceil().min(8.0) as usize + 1)
        .light_line_style(RGBColor(240, 240, 240))
        .draw()?;
    for (index, (name, points)) in curves.iter().enumerate() {
        let colour = colour_of(name, index);
        let points = points.iter().map(|(x, y)| (x.log2(), *y));
        let line = LineSeries::new(points, colour.stroke_width(2)).point_size(3);
        chart
            .draw_series(line)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}

/// Horizontal, the first at the top, with their values.
fn draw_bars(path: &Path, title: &str, bars: &[(String, f64)]) -> Drawn {
    let most = bars.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let rows = bars.len() as i32;
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let area = area.titled(title, ("sans-serif", 17))?;
    let (left, step) = (130, (SIZE.1 as i32 - 70) / rows.max(1));
    let width = f64::from(SIZE.0 as i32 - left - 90) / most;
    for (row, (name, value)) in bars.iter().enumerate() {
        let top = 20 + row as i32 * step;
        let right = left + (value * width) as i32;
        let colour = COLOURS[match name.split(' ').next() {
            Some("ours") => 0,
            Some("peer") => 1,
            _ => 2,
        }];
        let corners = [(left, top), (right.max(left + 1), top + step * 2 / 3)];
        area.draw(&Rectangle::new(corners, colour.filled()))?;
        let font = ("sans-serif", 14).into_font();
        area.draw(&Text::new(name.clone(), (10, top), font.clone()))?;
        area.draw(&Text::new(format!("{value:.2}"), (right + 8, top), font))?;
    }
    let one = left + width as i32;
    let line = [(one, 10), (one, 20 + rows * step)];
    area.draw(&PathElement::new(line, BLACK.mix(0.5)))?;
    area.present()?;
    Ok(())
}

/// Put the tables and the pictures into the README.
fn publish(directory: &Path, pictures: &[(&str, String)]) -> Result<(), String> {
    let path = repository().join("bench/README.md");
    let failed = |error| format!("{}: {error}", path.display());
    let text = fs::read_to_string(&path).map_err(failed)?;
    let parts = text.split_once(BEGIN);
    let (before, rest) = parts.ok_or("bench/README.md has no place for results")?;
    let (_, after) = rest.split_once(END).ok_or("bench/README.md: no end")?;
    let mut results = String::new();
    for name in [
        "machine",
        "callback",
        "recording",
        "program",
        "stream",
        "scaling",
        "relay",
        "series",
    ] {
        if let Ok(part) = fs::read_to_string(directory.join(format!("{name}.md"))) {
            results.push_str(&part);
        }
    }
    results.push_str("### Pictures\n\n");
    for (name, title) in pictures {
        results.push_str(&format!("![{title}](plots/{name}.svg)\n\n"));
    }
    fs::write(&path, format!("{before}{BEGIN}\n{results}{END}{after}")).map_err(failed)
}
