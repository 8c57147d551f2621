//! What the file of a program shows.
//!
//! GHC leaves a note in what it links (`.debug-ghc-link-info`): the libraries,
//! the default options, which options are allowed. `strip` takes it out; then
//! names in the data are left, and the compiler's own in `.comment`.

use super::ask::{self, Answer};
use super::report::{Check, Report};
use super::runtime::{self, Version, Way};
use crate::errors::{self, Advise};
use crate::printable::shell_word;
use anyhow::Result;
use object::{Object, ObjectSection, ObjectSymbol, ReadCache, ReadRef, SectionKind};
use regex::bytes::Regex;
use std::fs::File;
use std::io;
use std::path::Path;

/// Which options of the runtime system a program takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed {
    All,
    Some,
    Refused,
    /// Those on the command line are the program's own.
    Ignored,
    /// Those in GHCRTS are, too.
    AllIgnored,
}

/// What is known of a program.
#[derive(Debug, Default)]
struct Facts {
    way: Option<Way>,
    version: Option<Version>,
    version_text: Option<String>,
    dynamic: bool,
    /// GHC's note of how it was linked is there.
    note: bool,
    allowed: Option<Allowed>,
    /// It answered, so it takes some options at least.
    answered: bool,
    /// Given with `-with-rtsopts`.
    options: Option<String>,
    main_in_c: bool,
    streams: bool,
    hook: Hook,
}

/// Who is called when the runtime system exits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Hook {
    #[default]
    Unknown,
    Library,
    Program,
}

/// Examines the file, and asks the program if that is allowed and useful.
pub fn examine(path: &Path, may_ask: bool) -> Result<Report> {
    let shown = path.display().to_string();
    let bytes = contents(path).advise(
        format_args!("cannot read {shown}"),
        "name the file of a program, or the socket of one that runs: unix:PATH",
    )?;
    let mut facts = read(&bytes).map_err(|why| {
        errors::input(format_args!("{shown} is no program compiled by GHC: {why}"))
    })?;
    if may_ask {
        match facts.allowed {
            Some(Allowed::Ignored | Allowed::AllIgnored) => errors::warn(
                "not asked: it was linked to ignore options of the runtime system, \
                 and would just run",
            ),
            // The file has answered everything.
            Some(_) if facts.way.is_some() && facts.version.is_some() => {}
            _ => facts.learn(ask::ask(path)?),
        }
    }
    let checks = facts.checks(&shown);
    Ok(Report {
        target: shown,
        kind: "program",
        ghc: facts.version_text,
        way: facts.way.map(|way| way.name),
        checks,
    })
}

/// The version of the GHC that compiled a program, from its file. Only the sections that are needed
/// are read.
pub fn ghc_version(path: &Path) -> Option<String> {
    let cache = ReadCache::new(File::open(path).ok()?);
    let file = object::File::parse(&cache).ok()?;
    let mut facts = Facts::default();
    facts.read_libraries(section(&file, ".dynstr").unwrap_or_default());
    facts.read_comment(section(&file, ".comment").unwrap_or_default());
    facts.version_text
}

/// The bytes of a file, not of a device or pipe that never ends.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    match std::fs::metadata(path)?.is_file() {
        true => std::fs::read(path),
        false => Err(io::Error::other("it is not a file")),
    }
}

/// Reads what there is to read, or says why there is nothing.
fn read(bytes: &[u8]) -> Result<Facts, String> {
    if bytes.starts_with(b"#!") {
        return Err("it is a script; name the program that it runs".to_owned());
    }
    if bytes.starts_with(b"hdrb") {
        return Err("it is an eventlog; see `eventlog stats` and `eventlog validate`".to_owned());
    }
    if !bytes.starts_with(b"\x7fELF") {
        return Err("it is not an ELF file".to_owned());
    }
    let file = object::File::parse(bytes).map_err(|error| format!("{error}"))?;
    let mut facts = Facts::default();
    if let Some(note) = section(&file, ".debug-ghc-link-info") {
        facts.read_note(note);
    }
    facts.read_libraries(section(&file, ".dynstr").unwrap_or_default());
    facts.read_comment(section(&file, ".comment").unwrap_or_default());
    facts.read_symbols(&file);
    facts.read_data(&file);
    match facts.way.is_some() || facts.note {
        true => Ok(facts),
        false => Err("there is no trace of its runtime system in it".to_owned()),
    }
}

fn section<'a, R>(file: &object::File<'a, R>, name: &str) -> Option<&'a [u8]>
where
    R: ReadRef<'a>,
{
    file.section_by_name(name)?.data().ok()
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of our own")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Facts {
    /// The note is a Haskell value: among other things the libraries, then
    /// `Just "-l -N2",RtsOptsSafeOnly,False` for default options, allowed ones,
    /// and whether main is not Haskell's.
    fn read_note(&mut self, note: &[u8]) {
        let rts = pattern(r#"(?-u)"-lHSrts(?:-[0-9.]+)?([_a-z]*)[-"]"#);
        if let Some(found) = rts.captures(note) {
            self.way = Some(Way::parse(&text(&found[1])));
        }
        let options = pattern(
            r#"(?-u),(?:Nothing|Just "((?:[^"\\]|\\.)*)"),RtsOpts([A-Za-z]+),(True|False),"#,
        );
        // The last one: what comes before could be an option of the linker.
        let Some(found) = options.captures_iter(note).last() else {
            return;
        };
        self.note = true;
        self.options = Some(found.get(1).map_or(String::new(), |of| text(of.as_bytes())));
        self.allowed = match &found[2] {
            b"All" => Some(Allowed::All),
            b"SafeOnly" => Some(Allowed::Some),
            b"None" => Some(Allowed::Refused),
            b"Ignore" => Some(Allowed::Ignored),
            b"IgnoreAll" => Some(Allowed::AllIgnored),
            _ => None,
        };
        self.main_in_c = &found[3] == b"True";
    }

    /// The libraries that it loads.
    fn read_libraries(&mut self, names: &[u8]) {
        let rts = pattern(r"(?-u)libHSrts(?:-[0-9.]+)?([_a-z]*)-ghc([0-9.]+)\.(?:so|dylib)");
        if let Some(found) = rts.captures(names) {
            self.dynamic = true;
            self.way = Some(Way::parse(&text(&found[1])));
            self.version_is(&text(&found[2]));
        }
        let library = pattern(r"(?-u)libeventlog_socket\.so|libHSeventlog-socket-[0-9]");
        self.streams |= library.is_match(names);
    }

    fn read_comment(&mut self, comment: &[u8]) {
        let compiler = pattern(r"(?-u)GHC ([0-9]+\.[0-9.]*[0-9])");
        if let Some(found) = compiler.captures(comment) {
            self.version_is(&text(&found[1]));
        }
    }

    fn version_is(&mut self, version: &str) {
        if self.version.is_none() {
            self.version = Version::parse(version);
            self.version_text = Some(version.to_owned());
        }
    }

    fn read_symbols(&mut self, file: &object::File<'_>) {
        let (mut hook, mut own) = (None, None);
        for symbol in file.symbols().filter(|symbol| symbol.is_definition()) {
            match symbol.name() {
                Ok("OnExitHook") => hook = Some(symbol.address()),
                Ok("on_exit_hook") => own = Some(symbol.address()),
                Ok("eventlog_socket_start" | "eventlog_socket_init") => self.streams = true,
                _ => {}
            }
        }
        self.hook = match (hook, own) {
            (Some(hook), Some(own)) if hook == own => Hook::Library,
            (Some(_), Some(_)) => Hook::Program,
            _ => Hook::Unknown,
        };
    }

    /// What the data of a program without symbols contains.
    fn read_data(&mut self, file: &object::File<'_>) {
        let way = pattern(r"(?-u)[\x00 ]rts((?:_(?:v|thr|debug|l|p|dyn))+)\x00");
        let library = pattern(r"(?-u)GHC_EVENTLOG_UNIX_PATH");
        for section in file.sections() {
            let kind = section.kind();
            if !matches!(
                kind,
                SectionKind::Data | SectionKind::ReadOnlyData | SectionKind::ReadOnlyString
            ) {
                continue;
            }
            let Ok(data) = section.data() else { continue };
            if self.way.is_none()
                && let Some(found) = way.captures(data)
            {
                self.way = Some(Way::parse(&text(&found[1])));
            }
            self.streams = self.streams || library.is_match(data);
        }
    }

    /// Fills the gaps with the answer of the program itself.
    fn learn(&mut self, answer: Answer) {
        self.answered = answer.way.is_some();
        self.way = self.way.take().or(answer.way);
        self.version = self.version.or(answer.version);
        self.version_text = self.version_text.take().or(answer.version_text);
        self.options = self.options.take().or(answer.options);
        if answer.refuses {
            self.allowed = self.allowed.or(Some(Allowed::Refused));
        }
    }

    fn checks(&self, shown: &str) -> Vec<Check> {
        let mut checks = Vec::new();
        if let Some(way) = &self.way {
            checks.push(runtime::eventlog(way, self.version));
            checks.push(runtime::threaded(way, self.streams));
        }
        checks.push(self.switch());
        checks.push(self.rtsopts());
        checks.push(self.library(shown));
        if self.streams {
            checks.push(self.exit_hook());
        }
        checks.push(self.flush());
        if let Some(way) = &self.way {
            checks.push(runtime::heap_profile(way, self.version));
        }
        checks.push(match self.dynamic {
            false => Check::ok("linking", "the runtime system is linked statically"),
            true => Check::advice("linking", "the runtime system is a shared library")
                .tell("the library can do more where it is linked statically, without -dynamic"),
        });
        checks
    }

    /// Whether an option is among the defaults.
    fn defaults_to(&self, option: &str) -> bool {
        let options = self.options.iter().flat_map(|of| of.split_whitespace());
        options.into_iter().any(|of| of.starts_with(option))
    }

    /// How the log is switched on.
    fn switch(&self) -> Check {
        let check = "log";
        let writes = self.way.as_ref().and_then(|way| way.logs(self.version));
        if writes == Some(false) {
            return Check::missing(check, "+RTS -l is refused by this runtime system");
        }
        if self.defaults_to("-l") {
            let options = self.options.as_deref().unwrap_or_default();
            return Check::ok(
                check,
                format!("on by default (-with-rtsopts={})", shell_word(options)),
            );
        }
        if self.main_in_c {
            return Check::unknown(
                check,
                "its main is not Haskell's: it depends on the options that main sets",
            )
            .tell(
                "set `rts_opts = \"-l\"` in its RtsConfig, or allow options with rts_opts_enabled",
            );
        }
        let from_outside = match self.allowed {
            Some(Allowed::All | Allowed::Some) => "run it with +RTS -l, or with GHCRTS=-l",
            Some(Allowed::Ignored) => "run it with GHCRTS=-l (linked with -rtsopts=ignore)",
            None if self.answered => "run it with +RTS -l, or with GHCRTS=-l",
            None => {
                return Check::unknown(check, "the file does not show whether it takes +RTS -l")
                    .tell("ask the program: --ask; on by default it is with")
                    .add("-with-rtsopts=-l");
            }
            Some(Allowed::Refused | Allowed::AllIgnored) => {
                let found = "off, and it takes no options that switch it on";
                return Check::missing(check, found).add("-with-rtsopts=-l");
            }
        };
        let check = Check::ok(check, format!("off by default: {from_outside}"));
        match self.streams {
            true => check.tell("the library also starts it where the program starts to stream"),
            false => check,
        }
    }

    fn rtsopts(&self) -> Check {
        let check = "rtsopts";
        match self.allowed {
            _ if self.main_in_c => Check::unknown(check, "decided by its main, in RtsConfig"),
            Some(Allowed::All) => Check::ok(check, "all options of the runtime system are allowed"),
            Some(Allowed::Some) => Check::advice(
                check,
                "only safe options are allowed: -l, -N, -s; not -h (heap profile), -A, -i",
            )
            .add("-rtsopts"),
            Some(Allowed::Refused) => {
                Check::advice(check, "options of the runtime system are refused").add("-rtsopts")
            }
            Some(Allowed::Ignored | Allowed::AllIgnored) => {
                Check::advice(check, "options of the runtime system are not looked at")
                    .add("-rtsopts")
            }
            None if self.answered => Check::ok(check, "it takes options; whether all is not known"),
            None => Check::unknown(check, "the file does not show it: it has been stripped"),
        }
    }

    fn library(&self, shown: &str) -> Check {
        match self.streams {
            true => Check::ok("library", "eventlog-socket is in it: it can stream"),
            false => Check::advice("library", "it cannot stream: eventlog-socket is not in it")
                .tell(format!(
                    "a log is recorded without it: eventlog run -- {} (stream: add the package \
                     eventlog-socket, or link libeventlog_socket.a)",
                    shell_word(shown)
                )),
        }
    }

    fn exit_hook(&self) -> Check {
        let check = "exit_hook";
        let call = "start it with wrap_hs_main or hs_main of the library";
        match self.hook {
            _ if self.main_in_c => {
                Check::unknown(check, "its main is not Haskell's").tell(format!("there, {call}"))
            }
            _ if self.dynamic => Check::missing(
                check,
                "with -dynamic, the exit of a program that starts from Haskell cannot be hooked",
            )
            .tell(format!("link it without -dynamic, or {call}")),
            Hook::Library => Check::ok(check, "the library is called when the program exits"),
            Hook::Program => Check::advice(check, "the program has an OnExitHook of its own")
                .tell("then nothing is flushed for clients: take it out, or set it in RtsConfig"),
            Hook::Unknown => Check::unknown(
                check,
                "the file does not show whether the library is called",
            ),
        }
    }

    fn flush(&self) -> Check {
        let check = "flush";
        let threaded = self.way.as_ref().map(|way| way.threaded);
        let by_itself = self.defaults_to("--eventlog-flush-interval");
        let fault = self
            .way
            .as_ref()
            .and_then(|way| runtime::flush_interval_fault(way, self.version));
        // The library's hook switches the interval off in time.
        let cured = self.streams && self.hook == Hook::Library && threaded == Some(true);
        if by_itself {
            let check = match fault.filter(|_| !cured) {
                None => Check::ok(check, "the runtime system flushes by itself"),
                Some(fault) => {
                    Check::advice(check, "the runtime system flushes by itself").tell(fault)
                }
            };
            return check;
        }
        let old = self
            .version
            .is_some_and(|version| version < Version([9, 2, 0]));
        let hookable = self.hook != Hook::Program && (!self.dynamic || (self.main_in_c && !old));
        if self.streams && threaded == Some(true) && hookable {
            if self.version.is_some() && !old {
                return Check::ok(
                    check,
                    "the library flushes when a client connects, and every second while it stays",
                );
            }
            return Check::ok(check, "the library flushes when a client connects")
                .tell("and while it stays, if that is set")
                .add("GHC_EVENTLOG_FLUSH_INTERVAL=1s");
        }
        let check = Check::advice(
            check,
            "events come when a buffer of 2 MiB is full, and at the end",
        );
        match fault {
            Some(fault) => check.tell(fault),
            None => check
                .tell("to see them sooner, run it with")
                .add("+RTS --eventlog-flush-interval=1"),
        }
    }
}
