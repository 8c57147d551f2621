//! Finds the source that is meant if it is not named in full.

use crate::errors;
use crate::printable::shell_word;
use eventlog_source::Source;
use eventlog_source::programs::{Directory, Holder, Place, Presence, Program, Trouble};
use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// The most names that a message lists.
const MOST: usize = 10;

/// The source that is named, or the one program that runs. A file wins over a program of that name.
pub fn source(given: Option<Source>) -> anyhow::Result<Source> {
    match given {
        None => Ok(only()?.source()),
        Some(Source::File(path)) => match program(&path)? {
            Some(program) => Ok(program.source()),
            None => Ok(Source::File(path)),
        },
        Some(other) => Ok(other),
    }
}

/// The program that is named: in full, or by a beginning that only its name has. `None` if a file
/// has that name, or no program has.
fn program(name: &Path) -> anyhow::Result<Option<Program>> {
    let bare = !name.as_os_str().as_bytes().contains(&b'/');
    if !bare || name.symlink_metadata().is_ok() {
        return Ok(None);
    }
    let name = name.as_os_str();
    let directory = match Place::own().find() {
        Ok(Some(directory)) => directory,
        Ok(None) => return Ok(None),
        Err(error) => {
            // Where no such directory can exist, no program is meant.
            if !matches!(error.trouble(), Trouble::Above(_)) {
                errors::warn(error);
            }
            return Ok(None);
        }
    };
    if let Some(program) = Program::named(&directory, name)? {
        tell(&program);
        return Ok(Some(program));
    }
    let begins = |it: &OsStr| it.as_bytes().starts_with(name.as_bytes());
    let mut alive = alive(&directory)?;
    alive.retain(|program| begins(program.name()));
    match &alive[..] {
        [] => Ok(None),
        [program] => {
            tell(program);
            Ok(Some(program.clone()))
        }
        several => Err(errors::usage_with(
            format_args!(
                "{} programs have names that begin with {}",
                several.len(),
                shell_word(&name.to_string_lossy())
            ),
            format_args!("name one of them: {}", names(several)),
        )),
    }
}

/// Which process reads a program for others, if it is not this one.
pub fn other_holder(source: &Source) -> Option<String> {
    let Source::Unix(path) = source else {
        return None;
    };
    let directory = Place::own().find().ok()??;
    let program = Program::at(&directory, path).ok()??;
    let holder = Holder::of(&program).ok()??;
    let pid = holder.pid.filter(|pid| *pid != std::process::id())?;
    let verb = holder.verb.as_deref().unwrap_or("?");
    Some(format!("`eventlog {verb}` (process {pid})"))
}

/// The program that is named, or the only one that runs.
pub fn found(given: Option<&Path>) -> anyhow::Result<Option<Program>> {
    match given {
        Some(name) => program(name),
        None => only().map(Some),
    }
}

/// The one program that runs.
fn only() -> anyhow::Result<Program> {
    // The directory is created here because programs may not be able to create it themselves.
    let directory = Place::own().make()?;
    one(&directory)?.ok_or_else(|| none(&directory))
}

/// The same; `None` if there is none, or nowhere to look for one.
pub fn perhaps() -> anyhow::Result<Option<Source>> {
    let Ok(Some(directory)) = Place::own().find() else {
        return Ok(None);
    };
    Ok(one(&directory)?.map(|program| program.source()))
}

fn one(directory: &Arc<Directory>) -> anyhow::Result<Option<Program>> {
    let alive = alive(directory)?;
    match &alive[..] {
        [] => Ok(None),
        [program] => {
            tell(program);
            Ok(Some(program.clone()))
        }
        several => Err(errors::usage_with(
            format_args!("{} programs run; say which is meant", several.len()),
            format_args!("name one of them: {}", names(several)),
        )),
    }
}

fn alive(directory: &Arc<Directory>) -> anyhow::Result<Vec<Program>> {
    let mut programs = Program::all(directory)?;
    programs.retain(|program| matches!(program.presence(), Presence::Alive | Presence::Unknown(_)));
    Ok(programs)
}

fn none(directory: &Directory) -> anyhow::Error {
    let path = directory.path().display();
    let shown = directory.path().join("%n-%p.sock");
    errors::io_with(
        format_args!("no program that can be watched runs here: none listens in {path}"),
        format_args!(
            "name a file or a socket, or start the program with GHC_EVENTLOG_UNIX_PATH={} (it needs \
             the library: `eventlog doctor PROGRAM`)",
            shell_word(&shown.to_string_lossy())
        ),
    )
}

/// The names of some programs, as they are typed.
fn names(programs: &[Program]) -> String {
    let mut names = String::new();
    for (at, program) in programs.iter().enumerate() {
        if at == MOST {
            let _ = write!(
                names,
                ", and {} more (`eventlog list`)",
                programs.len() - MOST
            );
            break;
        }
        let separator = if at == 0 { "" } else { ", " };
        let name = program.name().to_string_lossy();
        let _ = write!(names, "{separator}{}", shell_word(&name));
    }
    names
}

fn tell(program: &Program) {
    let name = program.name().to_string_lossy();
    errors::note(format_args!("{name} is {}", program.source()));
}
