//! What is relayed, where it is served, and the names of the sessions.

use crate::errors;
use crate::printable::shell_word;
use crate::source;
use clap::builder::{OsStringValueParser, TypedValueParser};
use eventlog_source::Source;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// The longest name.
const LONGEST_NAME: usize = 64;

/// A source of the command line: `SOURCE`, or `NAME=SOURCE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    name: Option<String>,
    /// What is read.
    pub source: Source,
}

/// An address of the command line: `ADDRESS`, or `ADDRESS=NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where to listen.
    pub address: OsString,
    /// Which session is served there.
    pub of: Option<String>,
}

/// Reads a [`Named`].
pub fn named() -> impl TypedValueParser<Value = Named> {
    OsStringValueParser::new().try_map(|text| {
        let (name, source) = match split_front(&text) {
            Some((name, source)) => (Some(name), source),
            None => (None, text),
        };
        Source::try_from(source).map(|source| Named { name, source })
    })
}

/// Resolves programs that are named in short; if nothing is named, the one that runs.
pub fn found(sources: Vec<Named>) -> anyhow::Result<Vec<Named>> {
    if sources.is_empty() {
        let source = source::perhaps()?;
        let named = |source| Named { name: None, source };
        return Ok(source.map(named).into_iter().collect());
    }
    let find = |named: Named| {
        let source = source::source(Some(named.source))?;
        Ok(Named { source, ..named })
    };
    sources.into_iter().map(find).collect()
}

/// Reads a [`Target`].
pub fn target() -> impl TypedValueParser<Value = Target> {
    OsStringValueParser::new().map(|text| match split_back(&text) {
        Some((address, name)) => Target {
            address,
            of: Some(name),
        },
        None => Target {
            address: text,
            of: None,
        },
    })
}

/// `NAME=REST`. A path that contains a `=` does not count if there is a `/` before that, or a
/// scheme.
fn split_front(text: &OsStr) -> Option<(String, OsString)> {
    let bytes = text.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'=')?;
    let name = name(&bytes[..at])?;
    Some((name, OsString::from_vec(bytes[at + 1..].to_vec())))
}

/// `REST=NAME`.
fn split_back(text: &OsStr) -> Option<(OsString, String)> {
    let bytes = text.as_bytes();
    let at = bytes.iter().rposition(|byte| *byte == b'=')?;
    let name = name(&bytes[at + 1..])?;
    Some((OsString::from_vec(bytes[..at].to_vec()), name))
}

/// The name, if these bytes are one: letters, digits, `.`, `_`, `-`, and the first is a letter or
/// digit.
fn name(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_name = text.len() <= LONGEST_NAME
        && text.chars().all(inside)
        && text.starts_with(char::is_alphanumeric);
    is_name.then(|| text.to_owned())
}

/// The name of a session whose source was given none: that of the file, the socket, or the host.
pub fn usual_name(source: &Source) -> String {
    match source {
        Source::Stdin => "stdin".to_owned(),
        Source::File(path) | Source::Unix(path) => name_of_file(path),
        Source::Tcp(address) => cleaned(address),
    }
}

/// The name of a session after a file.
pub fn name_of_file(path: &Path) -> String {
    let file = path.file_name().unwrap_or(path.as_os_str());
    let mut text = file.to_string_lossy().into_owned();
    for extension in [".gz", ".zst", ".eventlog", ".sock", ".relay", ".fifo"] {
        if let Some(stem) = text.strip_suffix(extension) {
            text = stem.to_owned();
        }
    }
    cleaned(&text)
}

/// Makes a name out of any text.
fn cleaned(text: &str) -> String {
    let inside = |c: char| match c {
        '.' | '_' => c,
        c if c.is_alphanumeric() => c,
        _ => '-',
    };
    let text: String = text.chars().map(inside).collect();
    let mut text = text.trim_matches(['-', '.', '_']).to_owned();
    while text.len() > LONGEST_NAME {
        text.pop();
    }
    match text.is_empty() {
        true => "log".to_owned(),
        false => text,
    }
}

/// The names of all sessions, in the order of the sources, that of the program last.
///
/// # Errors
///
/// Two have the same name.
pub fn sessions(sources: &[Named], program: Option<&OsStr>) -> anyhow::Result<Vec<String>> {
    let names = sources.iter().map(|named| match &named.name {
        Some(name) => name.clone(),
        None => usual_name(&named.source),
    });
    let program = program.map(|program| name_of_file(Path::new(program)));
    let names: Vec<String> = names.chain(program).collect();
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(errors::usage(format_args!(
            "two sources are called {twice}; give them names: NAME=SOURCE"
        ))),
        None => Ok(names),
    }
}

/// Checks that each address serves one of these sessions.
///
/// # Errors
///
/// No session is named, there is none of that name, or an address occurs twice.
pub fn check_targets(targets: &[Target], sessions: &[String]) -> anyhow::Result<()> {
    let list = || sessions.join(", ");
    let mut seen = BTreeSet::new();
    for target in targets {
        let shown = target.address.to_string_lossy();
        let shown = shell_word(&shown);
        // With port 0 the system chooses a port each time.
        let repeated = !seen.insert(&target.address) && !shown.ends_with(":0");
        if repeated {
            return Err(errors::usage(format_args!(
                "--to {shown} is there twice: an address serves one session"
            )));
        }
        match &target.of {
            Some(name) if !sessions.contains(name) => {
                return Err(errors::usage(format_args!(
                    "--to {shown}={name}: there is no session {name}, there is {}",
                    list()
                )));
            }
            None if sessions.len() > 1 => {
                return Err(errors::usage(format_args!(
                    "--to {shown}: there are {} sessions ({}); say which one it serves, as {shown}={}",
                    sessions.len(),
                    list(),
                    sessions[0]
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks that no source is an address that is served here.
///
/// # Errors
///
/// One of them is.
pub fn check_circles(sources: &[Named], targets: &[Target]) -> anyhow::Result<()> {
    for named in sources {
        let address = named.source.to_string();
        let own = |target: &&Target| target.address.to_string_lossy() == address;
        if named.source.is_socket() && targets.iter().any(|target| own(&target)) {
            return Err(errors::usage(format_args!(
                "{address} is both a source and served here: a relay cannot read itself"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front(text: &str) -> Option<(String, String)> {
        let (name, rest) = split_front(OsStr::new(text))?;
        Some((name, rest.into_string().expect("UTF-8")))
    }

    fn back(text: &str) -> Option<(String, String)> {
        let (rest, name) = split_back(OsStr::new(text))?;
        Some((rest.into_string().expect("UTF-8"), name))
    }

    #[test]
    fn names_come_before_sources_and_behind_addresses() {
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(front("app=unix:/run/a=b"), pair("app", "unix:/run/a=b"));
        assert_eq!(front("app=-"), pair("app", "-"));
        for none in [
            "unix:/run/a=b",
            "./a=b",
            "/tmp/a=b",
            "a b=c",
            "=x",
            "-a=b",
            "x",
        ] {
            assert_eq!(front(none), None, "{none}");
        }
        assert_eq!(back("tcp:localhost:0=app"), pair("tcp:localhost:0", "app"));
        assert_eq!(back("unix:/run/a=b=app"), pair("unix:/run/a=b", "app"));
        for none in [
            "tcp:localhost:0",
            "unix:/run/a=b/c",
            "unix:/x=",
            "unix:/x=.y",
        ] {
            assert_eq!(back(none), None, "{none}");
        }
    }

    #[test]
    fn sources_without_a_name_have_one() {
        for (source, name) in [
            ("-", "stdin"),
            ("unix:/run/user/1000/my-app.sock", "my-app"),
            ("tcp:db1:4242", "db1-4242"),
            ("tcp:[::1]:4242", "1--4242"),
            ("/tmp/old logs/run 1.eventlog.zst", "run-1"),
            ("/tmp/.sock", "log"),
        ] {
            let source: Source = source.parse().expect("a source");
            assert_eq!(usual_name(&source), name);
            assert!(super::name(name.as_bytes()).is_some());
        }
    }
}
