//! A server for scrapers: one thread, HTTP/1.1.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics` | all programs; each value is labelled with `job` and `instance` |
//! | `/metrics/NAME` | one program, without these labels: the scraper adds them |
//! | `/sd` | the programs, in the format of Prometheus' `http_sd`: each at its `/metrics/NAME` |
//! | `/-/healthy` | 200: it runs |
//! | `/-/ready` | 200 as soon as the log of a program has arrived, else 503; 200 if programs are found automatically |

mod accept;

use crate::collected::{Attribute, Collected};
use crate::encode::text::{self, Text};
use crate::encode::{Target, protobuf};
use crate::eventlog_live::EventlogLive;
use crate::own::Own;
use crate::watched::Watched;
use accept::Format;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HOST, HeaderName, HeaderValue, VARY};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long a client may take to send its request.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at a time; others wait.
const CONNECTIONS: usize = 64;

/// What to serve.
#[derive(Debug)]
pub struct Exposition {
    /// The programs.
    pub programs: Arc<Watched>,
    /// Metrics of the exporter itself.
    pub own: Arc<Own>,
    /// Set to use the names of eventlog-live.
    pub eventlog_live: Option<Arc<EventlogLive>>,
}

/// Serves on a separate thread, for the life of the process.
///
/// # Errors
///
/// If the address cannot be listened on.
pub fn serve(at: &[SocketAddr], what: Exposition) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let what = Arc::new(what);
    let run = move || runtime.block_on(accept(listener, what));
    std::thread::Builder::new()
        .name("metrics-http".to_owned())
        .spawn(run)?;
    Ok(address)
}

async fn accept(listener: TcpListener, what: Arc<Exposition>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let local = tokio::task::LocalSet::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let serve = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = listener.accept().await else {
                // Too many files are open, for instance, which is temporary.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let what = Arc::clone(&what);
            tokio::task::spawn_local(async move {
                let service = service_fn(move |request| {
                    let what = Arc::clone(&what);
                    async move { Ok::<_, Infallible>(answer(&request, &what)) }
                });
                let mut http = hyper::server::conn::http1::Builder::new();
                http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
                // Errors of a connection concern only its client.
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
                drop(place);
            });
        }
    };
    local.run_until(serve).await;
}

type Answer = Response<Full<Bytes>>;

fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let sniff = HeaderName::from_static("x-content-type-options");
    headers.insert(sniff, HeaderValue::from_static("nosniff"));
    answer
}

const PLAIN: &str = "text/plain; charset=utf-8";

fn answer(request: &Request<Incoming>, what: &Exposition) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = reply(
            StatusCode::METHOD_NOT_ALLOWED,
            PLAIN,
            "only GET and HEAD are allowed\n",
        );
        answer
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    let path = request.uri().path();
    match path {
        "/-/healthy" => reply(StatusCode::OK, PLAIN, "healthy\n"),
        "/-/ready" => match what.programs.is_ready() {
            true => reply(StatusCode::OK, PLAIN, "ready\n"),
            false => reply(
                StatusCode::SERVICE_UNAVAILABLE,
                PLAIN,
                "no log of a program has arrived yet\n",
            ),
        },
        "/sd" => reply(StatusCode::OK, "application/json", discovery(request, what)),
        "/metrics" => {
            let mut all = what.programs.collect();
            what.own.scraped();
            what.own.programs(what.programs.running().len());
            all.push(what.own.collect());
            exposition(request, what, &all, true)
        }
        "/" => reply(
            StatusCode::OK,
            PLAIN,
            "/metrics  /metrics/NAME  /sd  /-/healthy  /-/ready\n",
        ),
        _ => {
            let name = path.strip_prefix("/metrics/").map(decoded);
            match name.and_then(|name| what.programs.named(&name)) {
                None => reply(
                    StatusCode::NOT_FOUND,
                    PLAIN,
                    "not found; / lists the paths\n",
                ),
                Some(program) => {
                    let one = program.collect();
                    exposition(request, what, one.as_slice(), false)
                }
            }
        }
    }
}

fn exposition(
    request: &Request<Incoming>,
    what: &Exposition,
    all: &[Collected],
    labelled: bool,
) -> Answer {
    let renamed: Vec<Collected>;
    let all = match &what.eventlog_live {
        None => all,
        Some(names) => {
            renamed = all.iter().map(|it| names.metrics(it)).collect();
            &renamed
        }
    };
    let targets: Vec<Target<'_>> = all
        .iter()
        .map(|collected| Target {
            collected,
            labelled,
        })
        .collect();
    let wanted = request
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok());
    let text = |text: Text| {
        reply(
            StatusCode::OK,
            text.content_type(),
            text::encode(&targets, text),
        )
    };
    let mut answer = match accept::choose(wanted.unwrap_or("*/*")) {
        Format::Prometheus => text(Text::Prometheus),
        Format::OpenMetrics => text(Text::OpenMetrics),
        Format::Protobuf => reply(
            StatusCode::OK,
            protobuf::CONTENT_TYPE,
            protobuf::encode(&targets),
        ),
    };
    answer
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("accept"));
    answer
}

/// The target of each program, with its labels.
fn discovery(request: &Request<Incoming>, what: &Exposition) -> String {
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.unwrap_or("localhost");
    let programs = what.programs.all();
    let groups = programs.iter().filter_map(|program| {
        let resource = program.resource()?;
        let mut labels = serde_json::Map::new();
        // Not encoded: Prometheus encodes characters that a path cannot have.
        let path = format!("/metrics/{}", program.name());
        labels.insert("__metrics_path__".to_owned(), path.into());
        labels.insert("job".to_owned(), resource.job().into());
        labels.insert("instance".to_owned(), resource.instance().into());
        if let Some(pid) = resource.get("process.pid").map(Attribute::to_string) {
            labels.insert("__meta_eventlog_pid".to_owned(), pid.into());
        }
        Some(serde_json::json!({ "targets": [host], "labels": labels }))
    });
    serde_json::Value::from(groups.collect::<Vec<_>>()).to_string()
}

/// Decodes a part of a path. Invalid escapes are kept as they are.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let [byte, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *byte == b'%');
        let digits = digits.and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(value) => {
                bytes.push(value);
                rest = &after[2..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_paths_as_clients_write_them() {
        for (path, name) in [
            (
                "unix:/run/user/1000/a%20b.sock",
                "unix:/run/user/1000/a b.sock",
            ),
            ("%2Fa%252Fb", "/a%2Fb"),
            ("%C3%A4", "\u{e4}"),
            ("100%", "100%"),
            ("%zz", "%zz"),
        ] {
            assert_eq!(decoded(path), name);
        }
    }
}
