//! Sends one request to a receiver, and reads the response.

use super::retry::retry_after;
use crate::own::Signal;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use std::borrow::Cow;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};
use ureq::tls::{ClientCert, PemItem, RootCerts, TlsConfig, parse_pem};

/// The most bytes of a response that are read.
const ANSWER: u64 = 1 << 20;

/// The receiver of a signal.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The address, with the path.
    pub url: String,
    /// Headers of each request.
    pub headers: Vec<(String, String)>,
    /// Whether requests are compressed.
    pub gzip: bool,
    /// How long a request may take; `None`: no limit.
    pub timeout: Option<Duration>,
    /// Trusted certificates, as PEM, instead of the system's.
    pub certificate: Option<Vec<u8>>,
    /// The client's certificate.
    pub identity: Option<Identity>,
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: Vec<u8>,
    /// The key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// The result of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The receiver has accepted it, except for this many items.
    Taken { rejected: u64, why: String },
    /// The receiver may accept it later.
    Again {
        after: Option<Duration>,
        why: String,
    },
    /// It is too large.
    TooLarge,
    /// The receiver has refused it.
    Refused(String),
}

pub(super) struct Client {
    agent: ureq::Agent,
    endpoint: Endpoint,
}

fn invalid(why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why.to_string())
}

impl Client {
    pub(super) fn new(endpoint: Endpoint) -> io::Result<Self> {
        let mut tls = TlsConfig::builder();
        if let Some(pem) = &endpoint.certificate {
            let mut certificates = Vec::new();
            for item in parse_pem(pem) {
                if let PemItem::Certificate(certificate) = item.map_err(invalid)? {
                    certificates.push(certificate);
                }
            }
            if certificates.is_empty() {
                return Err(invalid(
                    "the file of trusted certificates has no certificate",
                ));
            }
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
        }
        if let Some(identity) = &endpoint.identity {
            let (mut chain, mut key) = (Vec::new(), None);
            for item in parse_pem(&identity.certificate) {
                if let PemItem::Certificate(certificate) = item.map_err(invalid)? {
                    chain.push(certificate);
                }
            }
            for item in parse_pem(&identity.key) {
                if let PemItem::PrivateKey(own) = item.map_err(invalid)? {
                    key = Some(own);
                }
            }
            let key = key.ok_or_else(|| invalid("the file of the client's key has no key"))?;
            if chain.is_empty() {
                return Err(invalid(
                    "the file of the client's certificate has no certificate",
                ));
            }
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
        }
        let config = ureq::Agent::config_builder()
            .timeout_global(endpoint.timeout)
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("eventlog/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build())
            .build();
        let agent = config.into();
        Ok(Self { agent, endpoint })
    }

    pub(super) fn url(&self) -> &str {
        &self.endpoint.url
    }

    pub(super) fn send(&self, signal: Signal, body: &[u8]) -> Outcome {
        let again = |why: String| Outcome::Again { after: None, why };
        let mut request = self
            .agent
            .post(&self.endpoint.url)
            .header("Content-Type", "application/x-protobuf");
        for (name, value) in &self.endpoint.headers {
            request = request.header(name, value);
        }
        let mut body = Cow::Borrowed(body);
        if self.endpoint.gzip {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            // Writing to memory does not fail.
            if packed.write_all(&body).is_ok()
                && let Ok(packed) = packed.finish()
            {
                body = Cow::Owned(packed);
                request = request.header("Content-Encoding", "gzip");
            }
        }
        let mut response = match request.send(&body[..]) {
            Ok(response) => response,
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => {
                return Outcome::Refused(error.to_string());
            }
            // Unreachable, too slow, disconnected: all of these may be temporary.
            Err(error) => return again(error.to_string()),
        };
        let status = response.status().as_u16();
        let after = response.headers().get("retry-after");
        let after = after.and_then(|after| after.to_str().ok());
        let after = after.and_then(|after| retry_after(after, SystemTime::now()));
        let answer = response
            .body_mut()
            .with_config()
            .limit(ANSWER)
            .read_to_vec();
        let answer = match answer {
            Ok(answer) => answer,
            // The status already says that it was accepted.
            Err(_) if (200..300).contains(&status) => Vec::new(),
            Err(error) => error.to_string().into_bytes(),
        };
        match status {
            200..300 => {
                let (rejected, why) = partial(signal, &answer);
                Outcome::Taken { rejected, why }
            }
            413 => Outcome::TooLarge,
            429 | 502 | 503 | 504 => Outcome::Again {
                after,
                why: format!("status {status}"),
            },
            status => Outcome::Refused(format!("status {status}{}", said(&answer))),
        }
    }
}

/// The receiver's explanation of a refusal, if it is text: plain, or as the second field of a
/// message.
fn said(answer: &[u8]) -> String {
    #[derive(Clone, PartialEq, Message)]
    struct Status {
        #[prost(string, tag = "2")]
        message: String,
    }
    let text = match (std::str::from_utf8(answer), Status::decode(answer)) {
        (_, Ok(status)) if !status.message.is_empty() => status.message,
        (Ok(text), _) => text.trim().to_owned(),
        (Err(_), _) => return String::new(),
    };
    let text: String = text.chars().take(200).collect();
    match text.is_empty() {
        true => text,
        false => format!(": {text}"),
    }
}

/// How many items of a request were rejected, and why.
fn partial(signal: Signal, answer: &[u8]) -> (u64, String) {
    let told = match signal {
        Signal::Metrics => ExportMetricsServiceResponse::decode(answer)
            .ok()
            .and_then(|answer| answer.partial_success)
            .map(|part| (part.rejected_data_points, part.error_message)),
        Signal::Logs => ExportLogsServiceResponse::decode(answer)
            .ok()
            .and_then(|answer| answer.partial_success)
            .map(|part| (part.rejected_log_records, part.error_message)),
        Signal::Traces => ExportTraceServiceResponse::decode(answer)
            .ok()
            .and_then(|answer| answer.partial_success)
            .map(|part| (part.rejected_spans, part.error_message)),
    };
    let (rejected, why) = told.unwrap_or_default();
    (u64::try_from(rejected).unwrap_or(0), why)
}
