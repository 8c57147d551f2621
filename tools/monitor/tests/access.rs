//! Access control, and time limits for clients.

use crate::site::{Dir, LONG, Log, Reply, Site, until};
use eventlog_monitor::{Listen, Token};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Every request that returns data of a log.
const PATHS: [&str; 16] = [
    "sessions",
    "s/1/overview",
    "s/1/rows",
    "s/1/threads",
    "s/1/thread/1",
    "s/1/at?row=c0&time=5",
    "s/1/events",
    "s/1/arrows",
    "s/1/spans",
    "s/1/spans/summary",
    "s/1/series",
    "s/1/collections",
    "s/1/heap",
    "s/1/heap/diff?a=1&b=2",
    "s/1/stream",
    "stream",
];

fn log() -> Vec<u8> {
    Log::new()
        .messages(0, &[(10, "hello"), (20, "there")])
        .end()
}

/// A request with no added headers.
fn raw(site: &Site, request: &str) -> Reply {
    let mut stream = site.connect();
    stream.write_all(request.as_bytes()).unwrap();
    Reply::read(&mut stream)
}

#[test]
fn nothing_of_a_log_is_told_without_the_token() {
    let (site, _) = Site::of(&log());
    let host = site.at();
    let other = Token::random().unwrap();
    for path in PATHS {
        for token in [
            String::new(),
            format!("Authorization: Bearer {other}\r\n"),
            "Authorization: Bearer\r\n".to_owned(),
            format!("Authorization: Basic {}\r\n", site.token.as_ref().unwrap()),
        ] {
            let reply = raw(
                &site,
                &format!(
                    "GET /api/{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{token}\r\n"
                ),
            );
            assert_eq!(reply.status, 401, "{path} {token}");
            let error = reply.json()["error"].as_str().unwrap().to_owned();
            assert!(error.contains("token"), "{error}");
        }
    }
    let tiles = "POST /api/s/1/tiles HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n";
    assert_eq!(
        raw(&site, &format!("{tiles}Host: {host}\r\n\r\n")).status,
        401
    );
    // The pages themselves need no token.
    let pages = raw(
        &site,
        &format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
    );
    assert_eq!(pages.status, 200);
    assert!(pages.head.contains("content-type: text/html"));
}

#[test]
fn other_hosts_and_pages_of_others_are_refused() {
    let (site, _) = Site::of(&log());
    let port = site.at().port();
    let token = site.token.as_ref().unwrap();
    for path in ["/", "/api/sessions", "/api/stream"] {
        let status = |host: &str, more: &str| {
            raw(
                &site,
                &format!(
                    "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
                     Connection: close\r\n{more}\r\n"
                ),
            )
            .status
        };
        if path != "/api/stream" {
            assert_eq!(status(&format!("localhost:{port}"), ""), 200);
            let own = format!("Origin: http://127.0.0.1:{port}\r\n");
            assert_eq!(status(&format!("127.0.0.1:{port}"), &own), 200);
        }
        assert_eq!(status(&format!("evil.example:{port}"), ""), 403);
        assert_eq!(status("192.168.0.1", ""), 403);
        for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
            let origin = format!("Origin: {origin}\r\n");
            assert_eq!(
                status(&format!("127.0.0.1:{port}"), &origin),
                403,
                "{path} {origin}"
            );
        }
        let none = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n");
        assert_eq!(raw(&site, &none).status, 400);
    }
}

#[test]
fn every_answer_keeps_browsers_from_doing_harm() {
    let (site, _) = Site::of(&log());
    for line in [
        "GET /",
        "GET /api/sessions",
        "GET /nothing",
        "GET /api/s/99/rows",
        "DELETE /",
    ] {
        let reply = site.ask(line, "", b"");
        for header in [
            "content-security-policy: default-src 'self'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(reply.head.contains(header), "{line}: {}", reply.head);
        }
        assert!(!reply.head.contains("access-control-allow"), "{line}");
        assert!(!reply.head.contains("set-cookie"), "{line}");
    }
}

#[test]
fn what_is_not_there_is_told_in_json() {
    let (site, id) = Site::of(&log());
    for (line, status) in [
        ("GET /nothing", 404),
        ("GET /app/../index.html", 404),
        ("GET /api/", 404),
        ("GET /api/nothing", 404),
        ("GET /api/s/", 404),
        ("GET /api/s/99/overview", 404),
        (&format!("GET /api/s/{id}/nothing"), 404),
        (&format!("GET /api/s/{id}/thread/77"), 404),
        (&format!("GET /api/s/{id}/thread/x"), 404),
        (&format!("GET /api/s/{id}/at?row=c0"), 400),
        (&format!("GET /api/s/{id}/at?row=x9&time=1"), 400),
        (&format!("GET /api/s/{id}/events?find=%5B"), 400),
        (&format!("GET /api/s/{id}/events?from=soon"), 400),
        (&format!("GET /api/s/{id}/series?names=none"), 404),
        (&format!("GET /api/s/{id}/threads?sort=size"), 400),
        (&format!("GET /api/s/{id}/heap/diff?a=1&b=2"), 404),
        (&format!("GET /api/s/{id}/tiles"), 405),
        (&format!("POST /api/s/{id}/tiles"), 400),
        (&format!("POST /api/s/{id}/rows"), 405),
        ("POST /api/stream", 404),
        ("PUT /api/sessions", 405),
    ] {
        let reply = site.ask(line, "", b"");
        assert_eq!(reply.status, status, "{line}");
        assert!(reply.head.contains("application/json"), "{line}");
        let error = reply.json()["error"].as_str().unwrap().to_owned();
        assert!(error.len() > 8, "{line}: {error}");
    }
    // A head without its body.
    let head = site.ask("HEAD /api/sessions", "", b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn without_a_token_everybody_is_answered_but_no_foreign_page() {
    let site = Site::with(1 << 20, &Listen::Anywhere, None);
    let host = site.at();
    let ask = |more: &str| {
        raw(
            &site,
            &format!(
                "GET /api/sessions HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n"
            ),
        )
        .status
    };
    assert_eq!(ask(""), 200);
    assert_eq!(ask("Authorization: Bearer anything\r\n"), 200);
    assert_eq!(ask("Origin: http://evil.example\r\n"), 403);
}

#[test]
fn requests_that_are_too_large_are_cut_off() {
    let (site, id) = Site::of(&log());
    let long = "x".repeat(100_000);
    let mut stream = site.connect();
    let head = site.head(&format!("GET /{long}"));
    // The connection may be closed before all is sent.
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    let mut told = Vec::new();
    let _ = stream.read_to_end(&mut told);
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 4"), "{told}");
    let body = vec![b' '; 1 << 20];
    let mut stream = site.connect();
    let head = site.head(&format!("POST /api/s/{id}/tiles"));
    let length = body.len();
    let head = format!("{head}Connection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(&body);
    let mut told = Vec::new();
    let _ = stream.read_to_end(&mut told);
    assert!(
        told.starts_with(b"HTTP/1.1 413"),
        "{}",
        String::from_utf8_lossy(&told)
    );
    // Too many tiles at a time are refused, too.
    for wanted in [
        r#"{"z":3,"from":0,"to":18446744073709551615,"rows":["c0"]}"#,
        r#"{"z":200,"from":0,"to":1,"rows":["c0"]}"#,
        r#"{"z":3,"from":0,"to":100,"rows":["c0""#,
    ] {
        let reply = site.ask(&format!("POST /api/s/{id}/tiles"), "", wanted.as_bytes());
        assert_eq!(reply.status, 400, "{wanted}");
    }
}

#[test]
fn who_is_slow_is_cut_off_and_keeps_nobody_waiting() {
    let (site, _) = Site::of(&log());
    let begun = Instant::now();
    let mut slow = Vec::new();
    // Half a head, half a body, and a client that never reads.
    for half in [
        "GET / HTTP/1.1\r\nHost: ".to_owned(),
        site.head("POST /api/s/1/tiles") + "Content-Length: 50\r\n\r\n{",
    ] {
        for _ in 0..20 {
            let mut stream = site.connect();
            stream.write_all(half.as_bytes()).unwrap();
            slow.push(stream);
        }
    }
    assert_eq!(site.sessions("a").len(), 1);
    for mut stream in slow {
        let mut told = Vec::new();
        // Closed, with or without a response.
        let _ = stream.read_to_end(&mut told);
        assert!(told.is_empty() || told.starts_with(b"HTTP/1.1 408"));
    }
    assert!(begun.elapsed() > Duration::from_secs(5) && begun.elapsed() < LONG);
    assert_eq!(site.sessions("a").len(), 1);
}

#[test]
fn a_port_that_is_taken() {
    let first = Site::new();
    let second = Site::new();
    assert_ne!(first.at(), second.at());
    assert!(first.at().ip().is_loopback() && second.at().ip().is_loopback());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    let named = Listen::Tcp("127.0.0.1".to_owned(), vec![at]);
    let error = first.monitor.serve(&named, None).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    // A server that was dropped frees its port.
    let port = second.at();
    drop(second);
    until("the port is free", || TcpListener::bind(port).ok());
}

#[test]
fn a_unix_socket_is_its_owners_alone() {
    let dir = Dir::new();
    let path = dir.0.join("monitor.sock");
    let site = Site::with(1 << 20, &Listen::Unix(path.clone()), None);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let ask = |host: &str| {
        let mut stream = UnixStream::connect(&path).unwrap();
        let request =
            format!("GET /api/sessions HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        Reply::read(&mut stream)
    };
    // Any port may be forwarded to it.
    assert_eq!(ask("localhost:8080").json(), serde_json::json!([]));
    assert_eq!(ask("evil.example").status, 403);
    drop(site);
    assert!(!path.exists());
}

/// Otherwise a browser learns of a module only when it has the one that imports it.
#[test]
fn the_page_names_all_its_modules() {
    let site = Site::new();
    let page = site.ask("GET /", "", b"");
    let page = String::from_utf8(page.body).unwrap();
    let web = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
    let mut folders = vec![format!("{web}/app")];
    let mut modules = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.display().to_string());
                continue;
            }
            let path = path.display().to_string();
            let at = path.strip_prefix(web).unwrap();
            if !at.ends_with(".js") {
                continue;
            }
            modules += 1;
            let link = format!("<link rel=\"modulepreload\" href=\"{at}\">");
            assert!(page.contains(&link), "{link}");
            assert_eq!(site.ask(&format!("GET {at}"), "", b"").status, 200, "{at}");
        }
    }
    assert!(modules > 40, "{modules}");
}
