//! Where clients connect, and which other users could.

use super::names::Target;
use super::news::News;
use super::teller::MessageSender;
use crate::errors::{self, Advise};
use crate::hints;
use crate::output;
use eventlog_relay::{Address, Error, Relay};
use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};

/// Where to listen.
pub fn addresses(targets: &[Target]) -> anyhow::Result<Vec<Address>> {
    let parse = |target: &Target| {
        let address = Address::try_from(target.address.as_os_str());
        address.map_err(|error| errors::usage(format_args!("--to: {error}")))
    };
    targets.iter().map(parse).collect()
}

/// Listens at all addresses, and prints them.
pub fn serve(
    relay: &Relay,
    targets: &[Target],
    addresses: &[Address],
    sessions: &[String],
    told: &MessageSender,
) -> anyhow::Result<()> {
    let mut out = output::out();
    for (target, address) in targets.iter().zip(addresses) {
        let of = target.of.as_ref().or(sessions.first());
        let served = relay.serve(address, of.map(String::as_str));
        let served = served.map_err(|error| cannot_listen(error, address))?;
        writeln!(out, "{served}")?;
        let address = served.to_string();
        if let Some(message) = exposure(&served) {
            let address = address.clone();
            told.tell(News::Exposed { address, message });
        }
        let source = of.cloned().unwrap_or_default();
        told.tell(News::Serving { address, source });
    }
    // The process that started us may wait for these lines. If nothing reads them, clients may have
    // the addresses from elsewhere.
    match out.flush() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn cannot_listen(error: Error, address: &Address) -> anyhow::Error {
    let Error::Serve { cause, .. } = error else {
        return error.into();
    };
    let missing = match address {
        Address::Unix(path) if cause.kind() == io::ErrorKind::NotFound => {
            hints::missing_directory(path)
        }
        _ => None,
    };
    let hint = missing.unwrap_or_else(|| {
        match cause.kind() {
            io::ErrorKind::AddrInUse => "another process listens there; choose another address",
            io::ErrorKind::PermissionDenied => "you may not listen there; choose another address",
            io::ErrorKind::AlreadyExists => "remove what is there, or choose another path",
            _ => "choose another address",
        }
        .to_owned()
    });
    let failed: Result<(), _> = Err(cause);
    match failed.advise(format_args!("cannot listen at {address}"), hint) {
        Err(error) => error,
        Ok(()) => anyhow::anyhow!("no error"),
    }
}

/// Which other users can read what is served at an address.
fn exposure(address: &Address) -> Option<&'static str> {
    let Address::Tcp(address) = address else {
        return None;
    };
    let mut addresses = address.to_socket_addrs().into_iter().flatten();
    match addresses.all(|address: SocketAddr| address.ip().is_loopback()) {
        true => Some("every user of this machine can read the log there"),
        false => Some("everybody who can reach this machine can read the log there"),
    }
}
