//! The server: one thread, HTTP/1.1. API requests are answered on other threads: searches two at a
//! time, what reads a part of the log two at a time, and the rest beside them.

mod access;
mod news;
mod patient;

use crate::api::question::{Answer, Question, Refusal};
use crate::api::{self, Cost};
use crate::assets::asset;
use crate::registry::Registry;
use access::Access;
pub use access::Token;
use bytes::Bytes;
use eventlog_relay::listen::{self, SocketFile};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use news::{News, Stream};
use patient::Patient;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

/// How long a client may take to send a request, and how long it may go without reading.
const PATIENCE: Duration = Duration::from_secs(15);
/// The limits on the head and the body of a request.
const HEAD: usize = 16 << 10;
const BODY: usize = 256 << 10;
/// The most connections at a time, and how many more are told so; others wait.
const CONNECTIONS: usize = 600;
const TOO_MANY: usize = 64;
/// The most requests that are answered at a time; the most of these that search the log, and that
/// read parts of it. Those that do neither always have two threads to themselves.
const ANSWERING: usize = 6;
const SEARCHING: usize = 2;
const READING: usize = 2;
/// The first port to try, and how many to try after it.
const PORT: u16 = 4280;
const PORTS: u16 = 100;

/// Where to listen.
#[derive(Clone, Debug)]
pub enum Listen {
    /// On the loopback address, at a free port.
    Anywhere,
    /// At the first of these addresses that works; they are those of one host name.
    Tcp(String, Vec<SocketAddr>),
    /// On a Unix socket with this path.
    Unix(PathBuf),
}

/// The address of the server.
#[derive(Clone, Debug)]
pub enum Address {
    /// A TCP address.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// A running server; it stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: Address,
    _file: Option<SocketFile>,
    /// Dropping this ends the server.
    _ends: oneshot::Sender<()>,
}

impl Server {
    /// The address of the server.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Serves the data of a monitor. Without a token, everybody who can connect has access.
///
/// # Errors
///
/// If the address cannot be listened on, or the thread cannot be started.
pub(crate) fn serve(
    registry: &Arc<Registry>,
    at: &Listen,
    token: Option<Token>,
) -> io::Result<Server> {
    let mut names = Vec::new();
    let (listener, address, file) = match at {
        Listen::Unix(path) => {
            let (listener, file) = listen::unix(path)?;
            (
                Listener::Unix(listener),
                Address::Unix(path.clone()),
                Some(file),
            )
        }
        Listen::Anywhere => tcp(anywhere()?)?,
        Listen::Tcp(name, addresses) => {
            names.push(name.clone());
            tcp(TcpListener::bind(&addresses[..])?)?
        }
    };
    let bound = match &address {
        Address::Tcp(address) => Some(address.ip()),
        Address::Unix(_) => None,
    };
    if bound.is_some_and(|bound| !bound.is_loopback()) {
        let system = rustix::system::uname();
        names.push(system.nodename().to_string_lossy().into_owned());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(ANSWERING)
        .build()?;
    let service = Service {
        access: Access {
            token,
            bound,
            names,
        },
        registry: Arc::clone(registry),
        news: Arc::new(News::new(Arc::clone(registry))),
        searching: Arc::new(Semaphore::new(SEARCHING)),
        reading: Arc::new(Semaphore::new(READING)),
    };
    let (ends, ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("monitor-http".to_owned())
        .spawn(move || {
            let local = tokio::task::LocalSet::new();
            let accepts = accept(listener, Arc::new(service));
            runtime.block_on(local.run_until(async {
                tokio::select! {
                    () = accepts => {}
                    _ = ended => {}
                }
            }));
            drop(local);
            // Does not wait for a slow answer.
            runtime.shutdown_background();
        })?;
    Ok(Server {
        address,
        _file: file,
        _ends: ends,
    })
}

fn tcp(listener: TcpListener) -> io::Result<(Listener, Address, Option<SocketFile>)> {
    listener.set_nonblocking(true)?;
    let address = Address::Tcp(listener.local_addr()?);
    Ok((Listener::Tcp(listener), address, None))
}

/// The first port that is free.
fn anywhere() -> io::Result<TcpListener> {
    let ports = (PORT..PORT + PORTS).chain([0]);
    let mut failed = io::ErrorKind::AddrInUse.into();
    for port in ports {
        match TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), port)) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

#[derive(Debug)]
struct Service {
    access: Access,
    registry: Arc<Registry>,
    news: Arc<News>,
    /// Limits the requests that search the log.
    searching: Arc<Semaphore>,
    /// Limits those that read parts of it.
    reading: Arc<Semaphore>,
}

async fn accept(listener: Listener, service: Arc<Service>) {
    tokio::task::spawn_local(Arc::clone(&service.news).watch());
    let places = Places {
        served: Arc::new(Semaphore::new(CONNECTIONS)),
        all: Arc::new(Semaphore::new(CONNECTIONS + TOO_MANY)),
    };
    // Too many files are open, for instance, which is temporary.
    let pause = || tokio::time::sleep(Duration::from_millis(100));
    match listener {
        Listener::Tcp(listener) => {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                return;
            };
            while let Some(place) = places.wait().await {
                let Ok((stream, _)) = listener.accept().await else {
                    pause().await;
                    continue;
                };
                let _ = stream.set_nodelay(true);
                connection(stream, places.enter(place), &service);
            }
        }
        Listener::Unix(listener) => {
            let Ok(listener) = tokio::net::UnixListener::from_std(listener) else {
                return;
            };
            while let Some(place) = places.wait().await {
                let Ok((stream, _)) = listener.accept().await else {
                    pause().await;
                    continue;
                };
                connection(stream, places.enter(place), &service);
            }
        }
    }
}

/// The places for connections.
struct Places {
    served: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

/// That of one connection.
struct Place {
    /// `None` if there are too many connections.
    served: Option<OwnedSemaphorePermit>,
    _any: OwnedSemaphorePermit,
}

impl Places {
    async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    fn enter(&self, any: OwnedSemaphorePermit) -> Place {
        Place {
            served: Arc::clone(&self.served).try_acquire_owned().ok(),
            _any: any,
        }
    }
}

fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    place: Place,
    service: &Arc<Service>,
) {
    let service = Arc::clone(service);
    tokio::task::spawn_local(async move {
        let is_served = place.served.is_some();
        let answers = service_fn(move |request| {
            let service = Arc::clone(&service);
            async move {
                Ok::<_, Infallible>(match is_served {
                    true => service.answer(request).await,
                    false => refused(&Refusal {
                        status: 503,
                        message: format!(
                            "there are {CONNECTIONS} connections to this monitor, which is the \
                             most; close some of its pages, and try again"
                        ),
                    }),
                })
            }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .keep_alive(is_served)
            .max_buf_size(HEAD);
        let stream = TokioIo::new(Patient::new(stream, PATIENCE));
        // Errors of a connection concern only its client.
        let _ = http.serve_connection(stream, answers).await;
        drop(place);
    });
}

type Body = Either<Full<Bytes>, Stream>;

const JSON: &str = "application/json";

/// Pages can load data from this server only, and cannot be embedded in other sites.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; object-src 'none'";

fn reply(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    let resource = HeaderName::from_static("cross-origin-resource-policy");
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (opener, "same-origin"),
        (resource, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Either::Left(Full::new(bytes.into()))
}

fn refused(refusal: &Refusal) -> Response<Body> {
    let status = StatusCode::from_u16(refusal.status);
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let message = serde_json::json!({ "error": refusal.message });
    reply(status, JSON, full(message.to_string()))
}

impl Service {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        match self.try_answer(request).await {
            Ok(answer) => answer,
            Err(refusal) => {
                let mut answer = refused(&refusal);
                if refusal.status == 405 {
                    let allowed = HeaderValue::from_static("GET, HEAD, POST");
                    answer.headers_mut().insert(ALLOW, allowed);
                }
                answer
            }
        }
    }

    async fn try_answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        self.access.check(&request)?;
        let posts = match *request.method() {
            Method::GET | Method::HEAD => false,
            Method::POST => true,
            _ => {
                return Err(Refusal {
                    status: 405,
                    message: "only GET, HEAD and POST are allowed".to_owned(),
                });
            }
        };
        let path = request.uri().path();
        let Some(asked) = path.strip_prefix("/api/") else {
            let found = asset(path).filter(|_| !posts);
            let found = found.ok_or_else(|| {
                Refusal::missing(format!("there is nothing at {path}; the pages are at /"))
            })?;
            return Ok(reply(
                StatusCode::OK,
                found.content_type,
                full(Bytes::from_static(found.bytes)),
            ));
        };
        self.access.check_token(request.headers())?;
        if asked == "stream" && !posts {
            let body = match *request.method() {
                Method::HEAD => full(Bytes::new()),
                _ => Either::Right(self.news.stream()?),
            };
            return Ok(reply(StatusCode::OK, "text/event-stream", body));
        }
        let query = request.uri().query().unwrap_or_default();
        let mut question = Question {
            posts,
            path: asked.to_owned(),
            parameters: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            body: Vec::new(),
            wanted: Arc::new(AtomicBool::new(true)),
        };
        question.body = body(request.into_body()).await?;
        // When the client disconnects this future is dropped: a request that still waits is never
        // started, and a running one ends early.
        let _wants = Wants(Arc::clone(&question.wanted));
        let turns = match api::cost(&question.path) {
            Cost::Nothing => None,
            Cost::Reads => Some(&self.reading),
            Cost::Searches => Some(&self.searching),
        };
        let turn = match turns {
            Some(turns) => Arc::clone(turns).acquire_owned().await.ok(),
            None => None,
        };
        let registry = Arc::clone(&self.registry);
        let clients = self.news.streams();
        let answers = move || {
            let answer = api::answer(&registry, &question, clients);
            drop(turn);
            answer
        };
        let answer = tokio::task::spawn_blocking(answers).await;
        let answer = answer.map_err(|_| Refusal {
            status: 500,
            message: "the monitor could not answer because of a bug; please report it".to_owned(),
        })?;
        Ok(match answer? {
            Answer::Json(text) => reply(StatusCode::OK, JSON, full(text)),
            Answer::Bytes(bytes) => reply(StatusCode::OK, "application/octet-stream", full(bytes)),
        })
    }
}

/// Marks that a client waits for an answer, until it is dropped.
struct Wants(Arc<AtomicBool>);

impl Drop for Wants {
    fn drop(&mut self) {
        // Relaxed: it guards no other data.
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The body of a request.
async fn body(body: Incoming) -> Result<Vec<u8>, Refusal> {
    let collected = timeout(PATIENCE, Limited::new(body, BODY).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes().to_vec()),
        Ok(Err(error)) => Err(Refusal {
            status: 413,
            message: format!("the body of a request can have at most {BODY} bytes ({error})"),
        }),
        Err(_) => Err(Refusal {
            status: 408,
            message: "the request was not complete in time".to_owned(),
        }),
    }
}
