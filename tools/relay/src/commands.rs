//! Passes commands of clients on to the program.

use eventlog_control::{Frame, Item, Older, Parser};
use rustix::net::{SendFlags, send};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Send without SIGPIPE if the program is gone. On systems without this flag, Rust programs
/// ignore that signal.
#[cfg(not(target_vendor = "apple"))]
const AT_ONCE: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
#[cfg(target_vendor = "apple")]
const AT_ONCE: SendFlags = SendFlags::DONTWAIT;

/// The connection for commands to the program, while it is connected.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    to: Mutex<Option<OwnedFd>>,
    passed_on: AtomicU64,
    dropped: AtomicU64,
}

impl Commands {
    /// Sets where commands are sent from now on.
    pub(crate) fn connect(&self, to: Option<OwnedFd>) {
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// Sends one if that is possible at once: a program that does not read must not block the
    /// relay.
    fn send(&self, frame: &[u8]) {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = to.as_ref().map(|to| send(to, frame, AT_ONCE));
        match sent {
            Some(Ok(sent)) if sent == frame.len() => {
                self.passed_on.fetch_add(1, Ordering::Relaxed);
                return;
            }
            // Half a frame would corrupt all following ones.
            Some(Ok(1..)) => *to = None,
            _ => {}
        }
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were passed on, and how many were not.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let passed_on = self.passed_on.load(Ordering::Relaxed);
        (passed_on, self.dropped.load(Ordering::Relaxed))
    }
}

/// The input of one client.
#[derive(Debug, Default)]
pub(crate) struct FromClient(Parser);

impl FromClient {
    /// Takes bytes as they arrive, and passes on the commands in them. Everything else is
    /// ignored.
    pub(crate) fn take(&mut self, bytes: &[u8], commands: &Commands) {
        self.0.feed(bytes, |item| {
            let frame = match item {
                Item::Command { namespace, id } => Frame::command(namespace, id).ok(),
                Item::Older { id } => older(id),
                Item::OtherVersion { .. } => None,
            };
            if let Some(frame) = frame {
                commands.send(frame.as_bytes());
            }
        });
    }
}

fn older(id: u8) -> Option<Frame> {
    Older::ALL
        .iter()
        .find(|command| command.id() == id)
        .map(|&command| Frame::older(command))
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventlog_control::{Builtin, RTS_NAMESPACE, RtsCommand};
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    #[test]
    fn commands_are_passed_on_whole_and_garbage_is_not() {
        let (to, mut program) = UnixStream::pair().unwrap();
        let commands = Commands::default();
        commands.connect(Some(to.into()));
        let mut client = FromClient::default();
        let flush = Frame::rts(RtsCommand::Flush);
        let census = Frame::older(Older::RequestHeapCensus);
        let start = Frame::builtin(Builtin::StartProfiling);
        let sent = [
            b"GET / HTTP/1.0\r\n\r\n",
            flush.as_bytes(),
            b"garbage",
            census.as_bytes(),
            start.as_bytes(),
        ]
        .concat();
        for piece in sent.chunks(5) {
            client.take(piece, &commands);
        }
        assert_eq!(commands.counts(), (3, 0));
        commands.connect(None);
        client.take(flush.as_bytes(), &commands);
        assert_eq!(commands.counts(), (3, 1));
        let mut got = Vec::new();
        program.read_to_end(&mut got).unwrap();
        let whole = [flush.as_bytes(), census.as_bytes(), start.as_bytes()].concat();
        assert_eq!(got, whole);
        assert!(String::from_utf8_lossy(flush.as_bytes()).contains(RTS_NAMESPACE));
    }

    #[test]
    fn a_program_that_takes_nothing_holds_nobody_up() {
        let (to, _program) = UnixStream::pair().unwrap();
        let commands = Commands::default();
        commands.connect(Some(to.into()));
        let mut client = FromClient::default();
        let flush = Frame::rts(RtsCommand::Flush);
        for _ in 0..100_000 {
            client.take(flush.as_bytes(), &commands);
        }
        let (passed_on, dropped) = commands.counts();
        assert!(dropped > 0);
        assert_eq!(passed_on + dropped, 100_000);
    }
}
