//! Access control.

use crate::api::question::Refusal;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;
use hyper::{Request, Uri};
use rustix::rand::{GetRandomFlags, getrandom};
use std::fmt::{self, Write};
use std::io;
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// The secret of API requests. Each monitor has a new one.
#[derive(Clone)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Hidden, so that it does not get into a log by accident.
        f.write_str("Token(..)")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Token {
    /// A random token that cannot be guessed.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0u8; 24];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
        }
        let mut text = String::new();
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// Compares in constant time.
    fn is(&self, other: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(other).into()
    }
}

/// The rules for requests.
#[derive(Debug)]
pub(super) struct Access {
    /// Without one, everybody who can connect has access.
    pub(super) token: Option<Token>,
    /// The listening address, unless it is a Unix socket.
    pub(super) bound: Option<IpAddr>,
    /// The host names of this server.
    pub(super) names: Vec<String>,
}

fn forbidden(message: String) -> Refusal {
    Refusal {
        status: 403,
        message,
    }
}

impl Access {
    /// Whether the request is from one of our pages, or from no page: requests that a page of
    /// another origin makes in the browser are refused, whichever host name it uses.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        let headers = request.headers();
        let host = self.host(headers, request.uri())?;
        if let Some(origin) = headers.get(ORIGIN) {
            let ours = ["http://", "https://"]
                .iter()
                .any(|scheme| is(origin, scheme, host.as_str()));
            if !ours {
                return Err(forbidden(
                    "this request is from a page of another origin; open the address that the \
                     monitor has printed"
                        .to_owned(),
                ));
            }
        }
        let api = request.uri().path().starts_with("/api/");
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        if api && matches!(site, Some(b"cross-site" | b"same-site")) {
            return Err(forbidden(
                "this request is from a page of another site".to_owned(),
            ));
        }
        Ok(())
    }

    /// Whether the request has the token.
    pub(super) fn check_token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let told = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let told = told.and_then(|told| {
            let (scheme, rest) = told.split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then_some(rest)
        });
        match told {
            Some(told) if token.is(told) => Ok(()),
            Some(_) => Err(Refusal {
                status: 401,
                message: "the token is not that of this monitor; open the address that it has \
                          printed"
                    .to_owned(),
            }),
            None => Err(Refusal {
                status: 401,
                message: "the token is missing; open the address that the monitor has printed, or \
                          send `Authorization: Bearer TOKEN`"
                    .to_owned(),
            }),
        }
    }

    fn host(&self, headers: &HeaderMap, uri: &Uri) -> Result<Authority, Refusal> {
        if uri.authority().is_some() {
            return Err(Refusal::bad(
                "this server is not a proxy; request a path, not a URL",
            ));
        }
        let mut hosts = headers.get_all(HOST).iter();
        let (host, more) = (hosts.next(), hosts.next());
        let text = host
            .filter(|_| more.is_none())
            .and_then(|it| it.to_str().ok());
        let host: Option<Authority> = text.and_then(|text| text.parse().ok());
        let Some(host) = host else {
            return Err(Refusal::bad("a request must have exactly one Host header"));
        };
        if self.is_ours(host.host()) && !host.as_str().contains('@') {
            return Ok(host);
        }
        Err(forbidden(format!(
            "{} is not a host name of this monitor; open the address that it has printed",
            host.host()
        )))
    }

    /// Other host names may also resolve to our address (DNS rebinding); they are refused.
    fn is_ours(&self, host: &str) -> bool {
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return address.is_loopback()
                || self
                    .bound
                    .is_some_and(|bound| bound == address || bound.is_unspecified());
        }
        bare.eq_ignore_ascii_case("localhost")
            || self
                .names
                .iter()
                .any(|name| bare.eq_ignore_ascii_case(name))
    }
}

/// Whether an origin is this scheme and host.
fn is(origin: &HeaderValue, scheme: &str, host: &str) -> bool {
    let rest = origin.as_bytes().strip_prefix(scheme.as_bytes());
    rest.is_some_and(|rest| rest.eq_ignore_ascii_case(host.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(bound: Option<&str>, names: &[&str]) -> Access {
        Access {
            token: None,
            bound: bound.map(|it| it.parse().unwrap()),
            names: names.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    fn checked(access: &Access, path: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        access.check(&request).map_or_else(|no| no.status, |()| 200)
    }

    #[test]
    fn only_our_own_names_are_answered() {
        let local = access(Some("127.0.0.1"), &[]);
        let status = |host| checked(&local, "/", &[("host", host)]);
        for ours in [
            "127.0.0.1:80",
            "localhost:4",
            "LocalHost",
            "[::1]:5",
            "127.9.9.9",
        ] {
            assert_eq!(status(ours), 200, "{ours}");
        }
        for others in [
            "evil.example:80",
            "192.168.1.4",
            "localhost.evil.example",
            "0.0.0.0",
        ] {
            assert_eq!(status(others), 403, "{others}");
        }
        assert_eq!(status("a b"), 400);
        assert_eq!(checked(&local, "/", &[]), 400);
        let twice = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(checked(&local, "/", &twice), 400);
        assert_eq!(checked(&local, "http://localhost/", &twice[..1]), 400);
        let wide = access(Some("0.0.0.0"), &["box"]);
        for ours in ["192.168.1.4:80", "box", "BOX:1", "localhost"] {
            assert_eq!(checked(&wide, "/", &[("host", ours)]), 200, "{ours}");
        }
        assert_eq!(checked(&wide, "/", &[("host", "evil.example")]), 403);
    }

    #[test]
    fn pages_of_others_are_refused() {
        let local = access(Some("127.0.0.1"), &[]);
        let from = |origin| {
            let host = ("host", "127.0.0.1:4280");
            checked(&local, "/api/sessions", &[host, ("origin", origin)])
        };
        assert_eq!(from("http://127.0.0.1:4280"), 200);
        for other in [
            "http://127.0.0.1:9999",
            "http://localhost:4280",
            "http://evil.example",
            "null",
            "",
        ] {
            assert_eq!(from(other), 403, "{other}");
        }
        let site = |path, site| {
            let host = ("host", "localhost");
            checked(&local, path, &[host, ("sec-fetch-site", site)])
        };
        assert_eq!(site("/api/sessions", "same-origin"), 200);
        assert_eq!(site("/api/sessions", "cross-site"), 403);
        // A link on another site may lead here.
        assert_eq!(site("/", "cross-site"), 200);
    }

    #[test]
    fn tokens_differ_and_are_compared_whole() {
        let token = Token::random().unwrap();
        let other = Token::random().unwrap();
        assert_ne!(token.to_string(), other.to_string());
        assert_eq!(token.to_string().len(), 48);
        let access = Access {
            token: Some(token.clone()),
            ..access(None, &[])
        };
        let status = |value: Option<String>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(AUTHORIZATION, value.parse().unwrap());
            }
            let checked = access.check_token(&headers);
            checked.map_or_else(|no| no.status, |()| 200)
        };
        assert_eq!(status(Some(format!("Bearer {token}"))), 200);
        assert_eq!(status(Some(format!("bearer {token}"))), 200);
        for wrong in [
            format!("Bearer {other}"),
            format!("Bearer {}", &token.to_string()[..47]),
            format!("Bearer {token}0"),
            format!("Basic {token}"),
            "Bearer ".to_owned(),
            token.to_string(),
        ] {
            assert_eq!(status(Some(wrong)), 401);
        }
        assert_eq!(status(None), 401);
        assert!(!format!("{token:?}").contains(&token.to_string()));
    }
}
