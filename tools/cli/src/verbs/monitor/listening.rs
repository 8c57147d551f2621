//! Where pages are served.

use crate::errors;
use eventlog_monitor::{Address, Listen, Token};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

/// Reads `ADDRESS:PORT` or `unix:PATH`.
pub fn parse(text: &str) -> Result<Listen, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path {
            "" => Err("the path of the socket is missing: unix:PATH".to_owned()),
            _ => Ok(Listen::Unix(path.into())),
        };
    }
    let (host, port) = text
        .rsplit_once(':')
        .ok_or("say ADDRESS:PORT (127.0.0.1:4280; port 0 is any) or unix:PATH")?;
    if port.parse::<u16>().is_err() {
        return Err(format!("{port:?} is no port: use a number from 0 to 65535"));
    }
    let addresses: Vec<SocketAddr> = text
        .to_socket_addrs()
        .map_err(|error| format!("{host} has no address: {error}"))?
        .collect();
    match addresses.is_empty() {
        true => Err(format!("{host} has no address")),
        false => Ok(Listen::Tcp(host.to_owned(), addresses)),
    }
}

/// The first line of output: the address to open.
pub fn line(address: &Address, token: Option<&Token>) -> String {
    let token = token.map(|token| format!("#token={token}"));
    let token = token.unwrap_or_default();
    match address {
        Address::Tcp(address) => format!("http://{address}/{token}"),
        Address::Unix(path) => format!("unix:{}{token}", path.display()),
    }
}

/// Reports who can reach the address.
pub fn tell(address: &Address, token: Option<&Token>) {
    match address {
        Address::Unix(path) => {
            let token = token.map(|token| format!("#token={token}"));
            errors::hint(format_args!(
                "browsers do not open sockets; forward a port to it, from this machine or another: \
                 `ssh -L 8080:{} HOST`, and open http://localhost:8080/{}",
                path.display(),
                token.unwrap_or_default()
            ));
        }
        Address::Tcp(address) => {
            let local = address.ip().is_loopback();
            match (token, local) {
                (Some(_), true) => {}
                (Some(_), false) => errors::warn(
                    "what is sent over the network is not encrypted: everybody who can intercept it \
                     sees the token and the logs",
                ),
                (None, true) => errors::warn(format_args!(
                    "without a token, every user and every program of this machine can read the \
                     logs at {address}: names, arguments, labels and messages of the programs"
                )),
                (None, false) => errors::warn(format_args!(
                    "without a token, everybody who can reach {address} over the network can read \
                     the logs: names, arguments, labels and messages of the programs"
                )),
            }
        }
    }
}

/// Why it cannot listen at an address.
pub fn failed(at: &Listen, error: &io::Error) -> anyhow::Error {
    let reason = crate::source::reason(error);
    match at {
        Listen::Anywhere => errors::io(format_args!("cannot listen at 127.0.0.1: {reason}")),
        Listen::Unix(path) => errors::io_with(
            format_args!("cannot listen at unix:{}: {reason}", path.display()),
            directory_hint(path),
        ),
        Listen::Tcp(name, addresses) => {
            let port = addresses.first().map_or(0, SocketAddr::port);
            errors::io_with(
                format_args!("cannot listen at {name}:{port}: {reason}"),
                "name another port, 0 for any, or leave out --listen",
            )
        }
    }
}

fn directory_hint(path: &Path) -> String {
    crate::hints::missing_directory(path)
        .unwrap_or_else(|| "name another path, or end the process that listens there".to_owned())
}
