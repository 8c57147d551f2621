//! A monitor with a server, logs for it to read, and a client.

use eventlog_monitor::{Address, Input, Listen, Monitor, Options, Reads, Server, Token};
use eventlog_source::{Connecting, Reconnecting, Source};
use ghc_eventlog::{BlockBuilder, DATA_END, EventBody, Header};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Times of events are in nanoseconds.
pub const MS: u64 = 1_000_000;

/// A generous limit, for a busy machine.
pub const LONG: Duration = Duration::from_secs(120);

/// Waits until a condition holds.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < LONG, "{what}: it takes too long");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A temporary directory that is removed when this is dropped.
pub struct Dir(pub PathBuf);

impl Dir {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("eventlog-monitor-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let name = |it: std::io::Result<std::fs::DirEntry>| it.unwrap().file_name();
        entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A response of the server.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// Reads a response to the end of the connection.
    pub fn read(stream: &mut impl Read) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Self::of(&bytes)
    }

    pub fn of(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = bytes[end + 4..].to_vec();
        Self { status, head, body }
    }
}

/// A monitor with its server.
pub struct Site {
    pub monitor: Monitor,
    pub server: Server,
    pub token: Option<Token>,
    /// Where logs are kept.
    pub kept: Dir,
}

impl Site {
    pub fn new() -> Self {
        Self::keeping(1 << 30)
    }

    pub fn keeping(keep: u64) -> Self {
        let token = Token::random().unwrap();
        Self::with(keep, &Listen::Anywhere, Some(token))
    }

    pub fn with(keep: u64, at: &Listen, token: Option<Token>) -> Self {
        let kept = Dir::new();
        let monitor = Monitor::new(Options {
            keep,
            directory: kept.0.join("cache/eventlog"),
        });
        let server = monitor.serve(at, token.clone()).unwrap();
        Self {
            monitor,
            server,
            token,
            kept,
        }
    }

    /// A site that has read this log, and its session.
    pub fn of(log: &[u8]) -> (Self, String) {
        let site = Self::new();
        let path = site.kept.0.join("a.eventlog");
        std::fs::write(&path, log).unwrap();
        site.file(&path);
        let id = site.read_to("a", log.len() as u64);
        (site, id)
    }

    /// Reads a file.
    pub fn file(&self, path: &std::path::Path) -> Reads {
        let tick = Some(Duration::from_millis(20));
        let source = Source::File(path.to_owned());
        let input = Input::source(Reconnecting::new(source, Connecting::new().tick(tick)));
        let name = path.file_stem().unwrap().to_string_lossy();
        self.monitor
            .add(&name, &path.display().to_string(), false, input)
            .unwrap()
    }

    /// A connection that acts as a program.
    pub fn program(&self, name: &str) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        self.monitor
            .add(name, "a program", true, Input::read(theirs))
            .unwrap();
        ours
    }

    pub fn at(&self) -> SocketAddr {
        match self.server.address() {
            Address::Tcp(address) => *address,
            Address::Unix(path) => panic!("{}", path.display()),
        }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// The head of a request as our pages send it.
    pub fn head(&self, line: &str) -> String {
        let token = self.token.as_ref();
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        format!(
            "{line} HTTP/1.1\r\nHost: {}\r\n{}",
            self.at(),
            token.unwrap_or_default()
        )
    }

    pub fn ask(&self, line: &str, headers: &str, body: &[u8]) -> Reply {
        let mut stream = self.connect();
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let head = self.head(line);
        let head = format!("{head}Connection: close\r\n{headers}{length}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        Reply::read(&mut stream)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let reply = self.ask(&format!("GET /api/{path}"), "", b"");
        assert_eq!(reply.status, 200, "{path}: {}", reply.json());
        reply.json()
    }

    /// The error text of a refused request.
    #[track_caller]
    pub fn refused(&self, path: &str, status: u16) -> String {
        let reply = self.ask(&format!("GET /api/{path}"), "", b"");
        assert_eq!(reply.status, status, "{path}");
        reply.json()["error"].as_str().unwrap().to_owned()
    }

    /// The sessions of a name, the newest last.
    pub fn sessions(&self, name: &str) -> Vec<Value> {
        let all = self.get("sessions");
        let all = all.as_array().unwrap().iter();
        all.filter(|it| it["name"] == name).cloned().collect()
    }

    /// Waits until this many bytes of a log, with the header, are read; returns the session.
    #[track_caller]
    pub fn read_to(&self, name: &str, bytes: u64) -> String {
        let header = Header::standard().as_bytes().len() as u64;
        until("the log is read", || {
            let session = self.sessions(name).pop()?;
            let read = session["bytes"].as_u64().unwrap() + header >= bytes;
            (read || session["ended"] == true).then(|| session["id"].as_str().unwrap().to_owned())
        })
    }

    /// Tiles, each as its bytes.
    #[track_caller]
    pub fn tiles(&self, id: &str, z: u8, from: u64, to: u64, rows: &[&str]) -> Vec<Vec<u8>> {
        let wanted = serde_json::json!({ "z": z, "from": from, "to": to, "rows": rows });
        let wanted = wanted.to_string();
        let reply = self.ask(&format!("POST /api/s/{id}/tiles"), "", wanted.as_bytes());
        assert_eq!(reply.status, 200);
        let mut rest = &reply.body[..];
        let mut tiles = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk() {
            let (tile, after) = after.split_at(u32::from_le_bytes(*length) as usize);
            tiles.push(tile.to_vec());
            rest = after;
        }
        assert!(rest.is_empty());
        tiles
    }
}

/// A generated log, block by block.
pub struct Log {
    pub header: Header,
    pub bytes: Vec<u8>,
}

impl Log {
    pub fn new() -> Self {
        let header = Header::standard();
        let bytes = header.as_bytes().to_vec();
        Self { header, bytes }
    }

    pub fn block(mut self, cap: Option<u16>, events: &[(u64, EventBody<'_>)]) -> Self {
        self.bytes.extend(block(&self.header, cap, events));
        self
    }

    /// A message at each of these times.
    pub fn messages(self, cap: u16, messages: &[(u64, &str)]) -> Self {
        let events: Vec<_> = messages
            .iter()
            .map(|&(time, text)| (time, message(text)))
            .collect();
        self.block(Some(cap), &events)
    }

    pub fn end(mut self) -> Vec<u8> {
        self.bytes.extend(DATA_END.to_be_bytes());
        self.bytes
    }
}

pub fn block(header: &Header, cap: Option<u16>, events: &[(u64, EventBody<'_>)]) -> Vec<u8> {
    let mut block = BlockBuilder::new(cap);
    for (time, body) in events {
        block.push_body(header, *time, body).unwrap();
    }
    block.finish().to_vec()
}

pub fn message(text: &str) -> EventBody<'_> {
    EventBody::UserMsg {
        message: text.into(),
    }
}

/// A log of a real program.
pub fn real(name: &str) -> Vec<u8> {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../formats/events/corpus");
    std::fs::read(format!("{corpus}/{name}.eventlog")).unwrap()
}
