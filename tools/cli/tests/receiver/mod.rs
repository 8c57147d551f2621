//! A receiver of OpenTelemetry's protocol that gives the answers that a test needs.

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A port at which nobody listens, and which no other test can get meanwhile.
pub struct SilentPort {
    pub address: SocketAddr,
    socket: OwnedFd,
}

impl SilentPort {
    pub fn new() -> Self {
        let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
        let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None);
        let socket = socket.expect("a socket");
        let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        rustix::net::bind(&socket, &any).expect("a port");
        let address = rustix::net::getsockname(&socket).expect("an address");
        let address = address.try_into().expect("of the family");
        Self { address, socket }
    }

    pub fn listen(self) -> TcpListener {
        rustix::net::listen(&self.socket, 128).expect("it is ours");
        self.socket.into()
    }
}

/// A request.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    /// Bytes of the body as it was sent.
    pub length: usize,
    /// The message, converted to its JSON form.
    pub message: Value,
    pub at: Instant,
    /// The status that was answered.
    pub status: u16,
}

impl Seen {
    /// The attribute of the program that has sent it.
    pub fn resource(&self, key: &str) -> Option<String> {
        let kinds = ["resourceMetrics", "resourceLogs", "resourceSpans"];
        let of = kinds
            .iter()
            .find_map(|kind| self.message[kind].as_array())?;
        let attributes = of.first()?["resource"]["attributes"].as_array()?;
        let found = attributes.iter().find(|pair| pair["key"] == key)?;
        found["value"]["stringValue"].as_str().map(str::to_owned)
    }

    /// Whether the exporter reports on itself.
    pub fn is_own(&self) -> bool {
        self.resource("service.name").as_deref() == Some("eventlog")
    }

    /// Whether it is from a program, and was accepted.
    pub fn is_taken(&self) -> bool {
        self.status == 200 && !self.is_own()
    }

    /// Each data point, with the name of its metric.
    pub fn points(&self) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        let of = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
        for resource in of(&self.message, "resourceMetrics") {
            for scope in of(&resource, "scopeMetrics") {
                for metric in of(&scope, "metrics") {
                    let name = metric["name"].as_str().expect("a name").to_owned();
                    for kind in ["sum", "gauge", "histogram", "exponentialHistogram"] {
                        let points = of(&metric[kind], "dataPoints");
                        all.extend(points.into_iter().map(|point| (name.clone(), point)));
                    }
                }
            }
        }
        all
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub delay: Duration,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            delay: Duration::ZERO,
        }
    }
}

type Answers = Box<dyn FnMut(&Seen) -> Reply + Send>;

/// Listens until the test program ends.
pub struct Receiver {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Receiver {
    pub fn new(answers: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        Self::on(listener, answers)
    }

    pub fn on(listener: TcpListener, answers: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        Self::over(listener, url, Some, answers)
    }

    /// Over another kind of connection than plain TCP, with that address. `wrap` makes the stream
    /// of a connection.
    pub fn over<S: Read + Write>(
        listener: TcpListener,
        url: String,
        wrap: impl Fn(TcpStream) -> Option<S> + Send + Sync + 'static,
        answers: impl FnMut(&Seen) -> Reply + Send + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let answers: Arc<Mutex<Answers>> = Arc::new(Mutex::new(Box::new(answers)));
        let wrap = Arc::new(wrap);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answers) = (Arc::clone(&log), Arc::clone(&answers));
                let wrap = Arc::clone(&wrap);
                // A connection that hangs does not hold up the others.
                std::thread::spawn(move || {
                    if let Some(stream) = wrap(stream) {
                        serve(stream, &log, &answers);
                    }
                });
            }
        });
        Self { url, seen }
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.look(<[Seen]>::to_vec)
    }

    /// Looks at all requests so far, without a copy of them.
    pub fn look<T>(&self, look: impl FnOnce(&[Seen]) -> T) -> T {
        look(&self.seen.lock().expect("the requests"))
    }

    /// The requests from programs that were accepted.
    pub fn taken(&self) -> Vec<Seen> {
        self.look(|seen| {
            seen.iter()
                .filter(|seen| seen.is_taken())
                .cloned()
                .collect()
        })
    }
}

fn serve(stream: impl Read + Write, log: &Mutex<Vec<Seen>>, answers: &Mutex<Answers>) {
    let mut reader = BufReader::new(stream);
    while let Some(seen) = request(&mut reader) {
        let reply = (answers.lock().expect("the answers"))(&seen);
        let status = reply.status;
        log.lock()
            .expect("the requests")
            .push(Seen { status, ..seen });
        std::thread::sleep(reply.delay);
        let mut head = format!(
            "HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n",
            reply.body.len()
        );
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let stream = reader.get_mut();
        let written = stream.write_all(head.as_bytes());
        if written
            .and_then(|()| stream.write_all(&reply.body))
            .is_err()
        {
            return;
        }
    }
}

fn request(reader: &mut BufReader<impl Read>) -> Option<Seen> {
    let mut line = String::new();
    reader
        .read_line(&mut line)
        .ok()
        .filter(|&count| count > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length: usize = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if headers
        .get("content-encoding")
        .is_some_and(|it| it == "gzip")
    {
        let mut plain = Vec::new();
        GzDecoder::new(&body[..])
            .read_to_end(&mut plain)
            .expect("gzip");
        body = plain;
    }
    let json = |value: serde_json::Result<Value>| value.expect("JSON");
    let message = match path.rsplit('/').next() {
        Some("logs") => json(serde_json::to_value(
            ExportLogsServiceRequest::decode(&body[..]).expect("logs"),
        )),
        Some("traces") => json(serde_json::to_value(
            ExportTraceServiceRequest::decode(&body[..]).expect("traces"),
        )),
        _ => json(serde_json::to_value(
            ExportMetricsServiceRequest::decode(&body[..]).expect("metrics"),
        )),
    };
    Some(Seen {
        path,
        headers,
        length,
        message,
        at: Instant::now(),
        status: 0,
    })
}
