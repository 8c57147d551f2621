//! What to do about a fault, with the name of the file that it is in and the
//! cause that applies.

use crate::printable::shell_word;
use ghc_eventlog::{ErrorKind, LooksLike};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;

static VERB: OnceLock<String> = OnceLock::new();

/// Records the verb that the user ran, for the commands that hints suggest.
pub fn about(verb: &str) {
    let _ = VERB.set(verb.to_owned());
}

/// The verb that the user ran.
pub fn verb() -> &'static str {
    VERB.get().map_or("show", |verb| verb)
}

/// What to do about a fault in a log of that name.
pub fn fault(kind: ErrorKind, name: &str) -> String {
    let name = Name(name);
    match kind {
        ErrorKind::NotAnEventlog(looks_like) => not_a_log(looks_like, name),
        ErrorKind::BadHeader(_) | ErrorKind::HeaderTooLarge => converted(name.0)
            .unwrap_or_else(|| "the header cannot be repaired; record the log again".to_owned()),
        _ => {
            let file = name.typed();
            format!(
                "`eventlog repair {file} -o repaired.eventlog` keeps what can be read; \
                 `eventlog validate {file}` says what is wrong"
            )
        }
    }
}

fn not_a_log(looks_like: LooksLike, name: Name<'_>) -> String {
    let unpack = |tool: &str| name.unpack(tool);
    match looks_like {
        LooksLike::HeapProfile => {
            "this is the text form of a heap profile; make an eventlog with `+RTS -l -hT`"
                .to_owned()
        }
        // Logs that are packed once are unpacked when they are read.
        LooksLike::Gzip => format!("it was packed twice; {}", unpack("gzip")),
        LooksLike::Zstd => format!("it was packed twice; {}", unpack("zstd")),
        LooksLike::Xz => unpack("xz"),
        LooksLike::Bzip2 => unpack("bzip2"),
        LooksLike::Elf => {
            let mut program = name.typed();
            if !program.contains('/') {
                program.insert_str(0, "./");
            }
            format!("this is a program, not its log; `eventlog run -- {program}` records one")
        }
        LooksLike::GitLfsPointer => {
            let file = name.typed();
            format!("git keeps the real file elsewhere; fetch it: `git lfs pull --include {file}`")
        }
        LooksLike::Utf16 => {
            "let the program write its log by itself (`+RTS -l -ol FILE`): redirections of \
             PowerShell convert what they are given"
                .to_owned()
        }
        LooksLike::Zeros => {
            "its bytes were never written, as after a crash or on a full disk; copy it or record \
             it again"
                .to_owned()
        }
        _ => "GHC programs write eventlogs when run with `+RTS -l` (before GHC 9.4: linked with \
              -eventlog)"
            .to_owned(),
    }
}

/// What else a file without a complete header may be.
pub fn no_header(name: &str) -> Option<String> {
    let header = beginning(name)?;
    if header.is_empty() || header.starts_with(b"hdrb") {
        return converted(name);
    }
    match LooksLike::guess(&header[..header.len().min(24)]) {
        // Packed files are unpacked when they are read; it is their content that has no header.
        LooksLike::Gzip | LooksLike::Zstd => None,
        looks_like => Some(not_a_log(looks_like, Name(name))),
    }
}

/// The first bytes of a file; `None` for input that can be read only once.
fn beginning(name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let path = Path::new(name);
    let file = path.is_file().then(|| File::open(path).ok())??;
    file.take(1 << 16).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Every header declares event type 10 (`00 0a`) and types of variable size (`ff ff`). Converted
/// line ends change the first; replacing bytes that are not text changes the second.
pub fn converted(name: &str) -> Option<String> {
    let mut header = beginning(name)?;
    if !header.starts_with(b"hdrb") {
        return None;
    }
    // Only the header: anything may be in the data.
    let end = header.windows(4).position(|four| four == b"datb");
    header.truncate(end.unwrap_or(header.len()));
    let count = |what: &[u8]| header.windows(what.len()).filter(|it| *it == what).count();
    let line_ends = count(b"\r\n");
    if line_ends > 0 && line_ends == count(b"\n") {
        return Some(
            "its line ends were converted (LF to CR LF), as if it were text, and it cannot be \
             read any more; copy it again in binary mode (git: `*.eventlog binary` in \
             .gitattributes)"
                .to_owned(),
        );
    }
    let replaced = count("\u{fffd}".as_bytes());
    let high = header.iter().filter(|byte| **byte >= 0x80).count();
    (replaced > 0 && high == 3 * replaced).then(|| {
        "it was converted as if it were text in UTF-8, and cannot be read any more; copy or \
         record it again, in binary mode"
            .to_owned()
    })
}

/// Which directory on the path to a file does not exist.
pub fn missing_directory(path: &Path) -> Option<String> {
    let parents = path.ancestors().skip(1);
    let parents = parents.filter(|parent| !parent.as_os_str().is_empty());
    let missing = parents.take_while(|parent| !parent.exists()).last()?;
    let shown = missing.display().to_string();
    Some(format!("there is no directory {}", shell_word(&shown)))
}

/// What to do when a result cannot be written there.
pub fn cannot_write(path: &Path) -> String {
    missing_directory(path).unwrap_or_else(|| {
        "check the directory and its permissions, or choose another file with -o".to_owned()
    })
}

/// A source as messages call it.
#[derive(Clone, Copy)]
struct Name<'a>(&'a str);

impl Name<'_> {
    /// As it is typed on a command line.
    fn typed(self) -> String {
        match self.0 {
            "standard input" => "FILE".to_owned(),
            name => shell_word(name).into_owned(),
        }
    }

    fn unpack(self, tool: &str) -> String {
        let (file, verb) = (self.typed(), verb());
        // What else these need.
        let call = match verb {
            "cut" | "record" | "repair" | "sort" => format!("eventlog {verb} - -o OUTPUT"),
            "export" => "eventlog export FORMAT -".to_owned(),
            _ => format!("eventlog {verb} -"),
        };
        match verb {
            _ if !Path::new(self.0).is_file() => format!("unpack it: `... | {tool} -dc | {call}`"),
            // These take files only.
            "merge" | "recover" | "snapshot" => {
                format!("unpack it: `{tool} -dk {file}`")
            }
            _ => format!("unpack it: `{tool} -dc {file} | {call}`"),
        }
    }
}
