//! Where a verb's result goes: a file, or standard output.

use crate::errors::{self, Advise};
use crate::source::SourceArg;
use anyhow::Result;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Options of a verb that writes a log.
#[derive(Clone, Debug, clap::Args)]
pub struct TargetArgs {
    /// Where to write the result; - for standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,

    /// Replace the output file if it exists
    #[arg(long)]
    pub force: bool,
}

/// An open target.
///
/// A file appears under its name only when it is complete, so that neither an
/// error nor an interruption leaves half a result where a whole one is
/// expected.
pub enum Target {
    Stdout(crate::output::Out),
    File {
        out: BufWriter<File>,
        path: PathBuf,
        part: Part,
    },
}

/// The file under its working name; gone when dropped, unless it was renamed.
pub struct Part(Option<PathBuf>);

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // There is nothing to be done about a failure.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl TargetArgs {
    /// Opens the target for binary data, which does not belong on a terminal.
    pub fn open(&self, inputs: &[&SourceArg]) -> Result<Target> {
        if self.output == Path::new("-") && io::stdout().is_terminal() {
            return Err(errors::usage(
                "an eventlog is not for the terminal; write it to a file with -o FILE",
            ));
        }
        Target::open(Some(&self.output), self.force, inputs)
    }
}

impl Target {
    /// Opens `path`, or standard output for none and for `-`.
    pub fn open(path: Option<&Path>, force: bool, inputs: &[&SourceArg]) -> Result<Self> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Stdout(crate::output::out()));
        };
        let shown = path.display();
        if inputs.iter().any(|input| is_same(input, path)) {
            return Err(errors::usage(format_args!(
                "{shown} is both input and output; write to another file and rename it"
            )));
        }
        // Devices and FIFOs are written to as they are.
        let special = std::fs::metadata(path).is_ok_and(|about| !about.is_file());
        if !force && !special && path.exists() {
            return Err(errors::usage(format_args!(
                "{shown} exists already; replace it with --force"
            )));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = if special {
            path.to_owned()
        } else {
            PathBuf::from(part)
        };
        let file = OpenOptions::new()
            .write(true)
            .create(!special)
            .truncate(!special)
            .open(&part);
        let file = file.advise(
            format_args!("cannot write {}", part.display()),
            "check the directory and its permissions, or choose another file with -o",
        )?;
        let out = BufWriter::with_capacity(1 << 18, file);
        let part = Part((!special).then_some(part));
        Ok(Self::File {
            out,
            path: path.to_owned(),
            part,
        })
    }

    /// Completes the result.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Stdout(mut out) => Ok(out.flush()?),
            Self::File {
                mut out,
                path,
                mut part,
            } => {
                let shown = path.display().to_string();
                let advice = "is the disk full?";
                out.flush()
                    .advise(format_args!("cannot write {shown}"), advice)?;
                if let Some(working) = &part.0 {
                    std::fs::rename(working, &path)
                        .advise(format_args!("cannot write {shown}"), "")?;
                    part.0 = None;
                }
                Ok(())
            }
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File { out, .. } => out.write(bytes),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.write_all(bytes),
            Self::File { out, .. } => out.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File { out, .. } => out.flush(),
        }
    }
}

/// Whether a source is the file of that name.
fn is_same(source: &SourceArg, path: &Path) -> bool {
    let SourceArg::File(input) = source else {
        return false;
    };
    match (std::fs::metadata(input), std::fs::metadata(path)) {
        (Ok(a), Ok(b)) => a.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}
