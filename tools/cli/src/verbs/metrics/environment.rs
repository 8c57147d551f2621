//! The environment variables that OpenTelemetry defines.

use crate::errors;
use anyhow::Result;
use eventlog_metrics::encode::otlp::{Histograms, Temporality};
use eventlog_metrics::push::{Endpoint, Identity};
use eventlog_metrics::{About, Signal, host_name};
use std::time::Duration;

/// The value of a variable; one that is empty is not set.
pub fn variable(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(errors::usage(format_args!("{name} is not UTF-8")))
        }
    }
}

/// What the variables say about the program.
pub fn about() -> Result<About> {
    let attributes = variable("OTEL_RESOURCE_ATTRIBUTES")?;
    let attributes = attributes.as_deref().map(pairs).transpose();
    let attributes =
        attributes.map_err(|why| errors::usage(format_args!("OTEL_RESOURCE_ATTRIBUTES: {why}")))?;
    Ok(About {
        service_name: variable("OTEL_SERVICE_NAME")?,
        attributes: attributes.unwrap_or_default(),
        host: Some(host_name()),
        ..About::default()
    })
}

/// The value of the variable for one signal, or of the one for all signals; with its name.
fn of_signal(signal: Signal, name: &str) -> Result<Option<(String, String)>> {
    let upper = signal.name().to_ascii_uppercase();
    let own = format!("OTEL_EXPORTER_OTLP_{upper}_{name}");
    if let Some(value) = variable(&own)? {
        return Ok(Some((own, value)));
    }
    let all = format!("OTEL_EXPORTER_OTLP_{name}");
    Ok(variable(&all)?.map(|value| (all, value)))
}

/// Whether something is on.
fn is_on(name: &str) -> Result<bool> {
    Ok(variable(name)?.is_some_and(|value| value.eq_ignore_ascii_case("true")))
}

/// Where each signal is pushed to. `url`: the base of all addresses, or `env` for what the
/// variables say.
pub fn endpoints(url: &str, signals: &[Signal]) -> Result<Vec<(Signal, Endpoint)>> {
    let mut endpoints = Vec::new();
    if is_on("OTEL_SDK_DISABLED")? {
        errors::note("OTEL_SDK_DISABLED is true: nothing is pushed");
        return Ok(endpoints);
    }
    for &signal in signals {
        let exporter = format!("OTEL_{}_EXPORTER", signal.name().to_ascii_uppercase());
        match variable(&exporter)?.as_deref() {
            None | Some("otlp") => {}
            Some("none") => continue,
            Some(other) => {
                return Err(errors::usage(format_args!(
                    "{exporter} is {other}: only otlp and none are known here"
                )));
            }
        }
        endpoints.push((signal, endpoint(signal, url)?));
    }
    Ok(endpoints)
}

fn endpoint(signal: Signal, url: &str) -> Result<Endpoint> {
    if let Some((name, protocol)) = of_signal(signal, "PROTOCOL")?
        && protocol != "http/protobuf"
    {
        return Err(errors::usage(format_args!(
            "{name} is {protocol}: only http/protobuf is known here"
        )));
    }
    let path = format!("v1/{}", signal.name());
    let below = |base: &str| format!("{}/{path}", base.trim_end_matches('/'));
    let own = format!(
        "OTEL_EXPORTER_OTLP_{}_ENDPOINT",
        signal.name().to_ascii_uppercase()
    );
    let url = match (url, variable(&own)?) {
        // Unchanged, as the specification requires for these.
        ("env", Some(whole)) => whole,
        ("env", None) => {
            let base = variable("OTEL_EXPORTER_OTLP_ENDPOINT")?;
            below(base.as_deref().unwrap_or("http://localhost:4318"))
        }
        (base, _) => below(base),
    };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(errors::usage(format_args!(
            "{url:?} is no address of a receiver: http://HOST:4318"
        )));
    }
    let headers = match of_signal(signal, "HEADERS")? {
        None => Vec::new(),
        Some((name, value)) => {
            pairs(&value).map_err(|why| errors::usage(format_args!("{name}: {why}")))?
        }
    };
    let gzip = match of_signal(signal, "COMPRESSION")? {
        None => true,
        Some((_, value)) if value == "gzip" => true,
        Some((_, value)) if value == "none" => false,
        Some((name, value)) => {
            return Err(errors::usage(format_args!(
                "{name} is {value}: use gzip or none"
            )));
        }
    };
    let timeout = match of_signal(signal, "TIMEOUT")? {
        None => Duration::from_secs(10),
        Some((name, value)) => milliseconds(&name, &value)?,
    };
    let file = |kind: &str| -> Result<Option<Vec<u8>>> {
        let Some((name, path)) = of_signal(signal, kind)? else {
            return Ok(None);
        };
        let read = std::fs::read(&path);
        let read = read.map_err(|why| errors::io(format_args!("{name}: {path}: {why}")))?;
        Ok(Some(read))
    };
    let identity = match (file("CLIENT_CERTIFICATE")?, file("CLIENT_KEY")?) {
        (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
        (None, None) => None,
        _ => {
            return Err(errors::usage(
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY \
                 belong together",
            ));
        }
    };
    Ok(Endpoint {
        url,
        headers,
        gzip,
        timeout: (!timeout.is_zero()).then_some(timeout),
        certificate: file("CERTIFICATE")?,
        identity,
    })
}

fn milliseconds(name: &str, value: &str) -> Result<Duration> {
    let number = value.trim().parse::<u64>();
    let number = number.map_err(|_| {
        errors::usage(format_args!(
            "{name} is {value:?}: it is a number of milliseconds"
        ))
    })?;
    Ok(Duration::from_millis(number))
}

/// How often metrics are reported.
pub fn interval() -> Result<Option<Duration>> {
    let name = "OTEL_METRIC_EXPORT_INTERVAL";
    let value = variable(name)?;
    let interval = value.map(|value| milliseconds(name, &value)).transpose()?;
    Ok(interval.filter(|interval| !interval.is_zero()))
}

/// Totals or changes.
pub fn temporality() -> Result<Temporality> {
    let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    let value = variable(name)?.unwrap_or_default().to_ascii_lowercase();
    match value.as_str() {
        "" | "cumulative" => Ok(Temporality::Cumulative),
        "delta" => Ok(Temporality::Delta),
        "lowmemory" => Ok(Temporality::LowMemory),
        other => Err(errors::usage(format_args!(
            "{name} is {other}: use cumulative, delta or lowmemory"
        ))),
    }
}

/// The form of histograms.
pub fn histograms() -> Result<Histograms> {
    let name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    match variable(name)?.unwrap_or_default().as_str() {
        "" | "base2_exponential_bucket_histogram" => Ok(Histograms::Exponential),
        "explicit_bucket_histogram" => Ok(Histograms::Explicit),
        other => Err(errors::usage(format_args!(
            "{name} is {other}: use base2_exponential_bucket_histogram or \
             explicit_bucket_histogram"
        ))),
    }
}

/// `key=value,key=value`, as W3C Baggage has it: with percent encoding.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    let pairs = parts.map(|part| {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| format!("{:?} is not KEY=VALUE", part.trim()))?;
        let key = key.trim();
        if key.is_empty() {
            return Err(format!("{:?} has no key", part.trim()));
        }
        Ok((decoded(key)?, decoded(value.trim())?))
    });
    pairs.collect()
}

fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let value = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        let value = value.ok_or_else(|| format!("{text:?}: behind a % there are two digits"))?;
        bytes.push(value);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| format!("{text:?} is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_baggage() {
        let told = pairs("a=1, b.c = x%20y%2C ,d=e=f,").expect("pairs");
        let expected = [("a", "1"), ("b.c", "x y,"), ("d", "e=f")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(told, expected);
        for wrong in ["a", "=b", "a=%", "a=%4", "a=%zz", "a=%ff"] {
            assert!(pairs(wrong).is_err(), "{wrong}");
        }
    }
}
