//! What the user is told about a source: that it is waited for, why nothing arrives, and what to do
//! when it cannot be opened.

use super::find;
use crate::errors::{self, Advise};
use crate::hints;
use crate::printable::shell_word;
use crate::units::Nanos;
use eventlog_source::{Connecting, Connection, Error, Heard, Notice, Silence, Silent, Source};
use std::io;
use std::time::Duration;

/// Shorter waits are not reported.
const SHORT: Duration = Duration::from_millis(700);

/// Opens a source, and reports when it has to be waited for.
pub fn connect(source: &Source, how: Connecting) -> anyhow::Result<Connection> {
    let how = how.notices(|notice| tell(notice, false));
    source.connect(&how).map_err(failed)
}

/// Reports a notice; why a source is silent, only if `silence_too`.
pub fn tell(notice: &Notice<'_>, silence_too: bool) {
    match notice {
        Notice::Silent { .. } => {
            if let Some(text) = notice_text(notice).filter(|_| silence_too) {
                errors::hint(text);
            }
        }
        _ => {
            if let Some(text) = notice_text(notice) {
                errors::note(text);
            }
        }
    }
}

/// A notice in words.
pub fn notice_text(notice: &Notice<'_>) -> Option<String> {
    match notice {
        Notice::Waiting { source, cause } => {
            Some(format!("waiting for {source} ({})", reason(cause)))
        }
        Notice::Silent { source, silence } => match find::other_holder(source) {
            Some(holder) => Some(format!(
                "nothing new from {source}, which {holder} reads for all others: that process is \
                 stopped (Ctrl-Z), or the program logs nothing, does not flush (--flush 1s asks it \
                 to), or has a client that does not share it"
            )),
            None => silence_text(&source.to_string(), *silence),
        },
        Notice::Rejoined { source } => Some(format!(
            "the process that read {source} has ended; reading goes on here, and what was sent in \
             between is missing"
        )),
        Notice::Restarted { source } => Some(format!("{source} was started again")),
        _ => None,
    }
}

/// The reason of an error without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// Why nothing arrives from a program that is connected, as far as that can be seen from outside.
fn silence_text(name: &str, silence: Silence) -> Option<String> {
    Some(match (silence.of, silence.heard) {
        (Silent::Socket, Heard::Nothing) => format!(
            "connected to {name}, but it sends nothing: another client is served first (a \
             program serves one at a time), or the program has no eventlog (it needs +RTS -l)"
        ),
        (Silent::Fifo, Heard::Nothing) => format!(
            "nothing is written to {name}: a program does that when run with +RTS -l -ol{name}"
        ),
        // It is asked to flush, but logs nothing.
        (_, Heard::More) if silence.asked => return None,
        (_, Heard::Header) if silence.asked => format!(
            "{name} has sent a header and no events, although it is asked to flush: does it \
             take commands? See `eventlog control --help`"
        ),
        (Silent::Socket, _) => format!(
            "nothing new from {name}: events come when a buffer of 2 MiB is full, or the \
             program flushes; --flush 1s asks it to"
        ),
        (Silent::Fifo, _) => format!(
            "nothing new in {name}: events come when a buffer of 2 MiB is full, or the program \
             flushes (+RTS --eventlog-flush-interval=1, since GHC 9.2)"
        ),
    })
}

/// The error of a source as it is reported to the user, with what to do about it.
pub fn failed(error: Error) -> anyhow::Error {
    let told = match error {
        Error::Open {
            from,
            waited,
            cause,
        } => {
            let verb = if from.is_socket() {
                "connect to"
            } else {
                "open"
            };
            let message = match waited {
                Some(time) if time > SHORT => {
                    format!(
                        "cannot {verb} {from}, after {}",
                        Nanos(time.as_nanos() as u64)
                    )
                }
                _ => format!("cannot {verb} {from}"),
            };
            let hint = hint(&from, &cause);
            Err::<(), _>(cause).advise(message, hint)
        }
        Error::Read { from, cause } => Err(cause).advise(format_args!("cannot read {from}"), ""),
        Error::Send { to, cause } => Err(cause).advise(
            format_args!("cannot send to {to}"),
            "the program closed the connection; is it still running?",
        ),
        Error::NotASocket { to } => Err(errors::usage(format_args!(
            "{to} is no socket: commands go to unix:PATH or tcp:HOST:PORT"
        ))),
        other => Err(other.into()),
    };
    match told {
        Ok(()) => anyhow::anyhow!("no error"),
        Err(error) => error,
    }
}

/// What to do when it cannot be opened, by the cause.
pub fn hint(source: &Source, error: &io::Error) -> String {
    use io::ErrorKind::*;
    let missing = |path| hints::missing_directory(path).filter(|_| error.kind() == NotFound);
    let hint = match (source, error.kind()) {
        (Source::Stdin, _) => "",
        (Source::File(path) | Source::Unix(path), NotFound) if missing(path).is_some() => {
            return missing(path).unwrap_or_default();
        }
        (Source::File(_) | Source::Unix(_), PermissionDenied) => {
            "you may not read it, or not enter a directory on the way to it"
        }
        (Source::File(path), IsADirectory) => {
            let shown = path.join("PROGRAM.eventlog");
            return format!(
                "name a log in it, as {}",
                shell_word(&shown.to_string_lossy())
            );
        }
        (Source::File(_), NotFound) => {
            "a GHC program writes PROGRAM.eventlog when run with `+RTS -l`; \
             `eventlog run -- PROGRAM` does the rest, and `eventlog list` shows programs that run"
        }
        (Source::File(_), _) => "",
        (Source::Unix(_), ConnectionRefused) => {
            "nobody listens there any more: the program has ended, or this is not its socket; \
             `--wait forever` keeps trying"
        }
        (Source::Unix(_), _) => {
            "is the program running, with GHC_EVENTLOG_UNIX_PATH set to this path? \
             `--wait forever` keeps trying"
        }
        (Source::Tcp(_), InvalidInput) => "is the name of the host right?",
        (Source::Tcp(_), _) => {
            "is the program running, with GHC_EVENTLOG_INET_HOST and _PORT set? \
             `--wait forever` keeps trying"
        }
    };
    hint.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(of: Silent, heard: Heard, asked: bool) -> String {
        silence_text("x", Silence { of, heard, asked }).unwrap_or_default()
    }

    #[test]
    fn each_silence_has_its_reason() {
        let nothing = text(Silent::Socket, Heard::Nothing, false);
        assert!(nothing.contains("another client") && nothing.contains("+RTS -l"));
        assert!(text(Silent::Fifo, Heard::Nothing, false).contains("-olx"));
        assert!(text(Silent::Socket, Heard::Header, false).contains("--flush"));
        assert!(text(Silent::Socket, Heard::Header, true).contains("take commands"));
        assert_eq!(text(Silent::Socket, Heard::More, true), "");
    }
}
