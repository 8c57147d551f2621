//! Chooses the format for a client.

/// The formats, the best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Format {
    Prometheus,
    OpenMetrics,
    Protobuf,
}

/// The format that the header `Accept` prefers; text if it names none. Of equally preferred
/// formats, the richest one.
pub(super) fn choose(accept: &str) -> Format {
    let liked = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next()?.to_ascii_lowercase();
        let (mut weight, mut version, mut proto, mut encoding) = (1.0, None, None, None);
        for part in parts {
            let (name, value) = part.split_once('=')?;
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => {
                    weight = value
                        .parse::<f32>()
                        .ok()
                        .filter(|q| (0.0..=1.0).contains(q))?
                }
                "version" => version = Some(value.to_owned()),
                "proto" => proto = Some(value.to_owned()),
                "encoding" => encoding = Some(value.to_owned()),
                _ => {}
            }
        }
        let format = match media.as_str() {
            "application/vnd.google.protobuf" => {
                let own = proto.as_deref() == Some("io.prometheus.client.MetricFamily");
                (own && encoding.as_deref() == Some("delimited")).then_some(Format::Protobuf)?
            }
            "application/openmetrics-text" => match version.as_deref() {
                None | Some("1.0.0" | "0.0.1") => Format::OpenMetrics,
                Some(_) => return None,
            },
            "text/plain" => match version.as_deref() {
                None | Some("0.0.4") => Format::Prometheus,
                Some(_) => return None,
            },
            "text/*" | "*/*" => Format::Prometheus,
            _ => return None,
        };
        (weight > 0.0).then_some((weight, format))
    });
    let best = liked.reduce(|best, next| {
        let better = next.0 > best.0 || (next.0 == best.0 && next.1 > best.1);
        if better { next } else { best }
    });
    best.map_or(Format::Prometheus, |(_, format)| format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_is_liked_most_is_chosen() {
        let protobuf = "application/vnd.google.protobuf;\
            proto=io.prometheus.client.MetricFamily;encoding=delimited";
        // What Prometheus 3.5 sends, with and without native histograms.
        let three = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,\
            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
            text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (accept, expected) in [
            ("*/*", Format::Prometheus),
            ("", Format::Prometheus),
            ("text/html", Format::Prometheus),
            ("text/plain;version=0.0.4", Format::Prometheus),
            (
                "application/openmetrics-text; version=1.0.0",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text; version=2.0.0",
                Format::Prometheus,
            ),
            (
                "text/plain, application/openmetrics-text",
                Format::OpenMetrics,
            ),
            (
                "text/plain;q=0.9, application/openmetrics-text;q=0.5",
                Format::Prometheus,
            ),
            ("application/openmetrics-text;q=0", Format::Prometheus),
            (three, Format::OpenMetrics),
            (protobuf, Format::Protobuf),
            (&format!("{protobuf};q=0.6,{three}"), Format::Protobuf),
            ("application/vnd.google.protobuf", Format::Prometheus),
        ] {
            assert_eq!(choose(accept), expected, "{accept}");
        }
    }
}
