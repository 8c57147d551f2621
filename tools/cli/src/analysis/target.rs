//! Where a verb's result goes: a file, or standard output.

use crate::errors::{self, Advise};
use crate::files::{self, NewFile, Packed, Packer};
use crate::hints;
use crate::output;
use anyhow::Result;
use eventlog_source::Source;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
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
/// expected. FIFOs and devices are written to as they are. A name that ends in
/// `.gz` or `.zst` makes a packed file.
pub struct Target {
    out: Packer<Raw>,
    /// What is written, for messages.
    name: String,
    /// The file that is made, if one is.
    whole: Option<NewFile>,
    force: bool,
    /// Whether anything was written.
    begun: bool,
}

/// Where the bytes go.
enum Raw {
    Stdout(crate::output::Out),
    File(BufWriter<File>),
}

impl TargetArgs {
    /// Opens the target for binary data, which does not belong on a terminal.
    pub fn open(&self, inputs: &[&Source]) -> Result<Target> {
        if files::is_standard_output(&self.output) && io::stdout().is_terminal() {
            return Err(errors::usage(
                "an eventlog is not for the terminal; write it to a file with -o FILE",
            ));
        }
        Target::open(Some(&self.output), self.force, inputs)
    }
}

impl Target {
    /// Opens `path`, or standard output for none and for `-`.
    pub fn open(path: Option<&Path>, force: bool, inputs: &[&Source]) -> Result<Self> {
        let Some(path) = path.filter(|path| !files::is_standard_output(path)) else {
            let raw = Raw::Stdout(crate::output::out());
            return Self::new(raw, Packed::No, "standard output".to_owned());
        };
        let shown = path.display();
        if inputs.iter().any(|input| input.is_file(path)) {
            return Err(errors::input_is_output(path));
        }
        let as_it_is = files::is_taken_as_it_is(path);
        if !force && !as_it_is && path.exists() {
            return Err(errors::exists(path));
        }
        let advice = hints::cannot_write(path);
        let cannot = format!("cannot write {shown}");
        let (file, whole) = if as_it_is {
            let file = OpenOptions::new().write(true).open(path);
            (file.advise(&cannot, &advice)?, None)
        } else {
            let whole = NewFile::create(path).advise(&cannot, &advice)?;
            let file = whole.file().try_clone().advise(&cannot, &advice)?;
            (file, Some(whole))
        };
        let raw = Raw::File(BufWriter::with_capacity(1 << 18, file));
        let target = Self::new(raw, Packed::of(path), shown.to_string())?;
        Ok(Self {
            whole,
            force,
            ..target
        })
    }

    fn new(raw: Raw, packed: Packed, name: String) -> Result<Self> {
        let out = Packer::new(packed, raw).advise(format_args!("cannot write {name}"), "")?;
        Ok(Self {
            out,
            name,
            whole: None,
            force: false,
            begun: false,
        })
    }

    /// Adds the name of the output to the error. Errors of standard output contain it already.
    fn named(&self, error: io::Error) -> io::Error {
        match self.out.get_ref() {
            Raw::Stdout(_) => error,
            Raw::File(_) => output::named(&self.name, error),
        }
    }

    /// A directory for temporary files: where the result is written there has to be room anyway.
    pub fn directory(&self) -> PathBuf {
        match &self.whole {
            Some(whole) => whole.directory().to_owned(),
            None => std::env::temp_dir(),
        }
    }

    /// Completes the result if there is one. A file that would be empty is not made, and does not
    /// replace another.
    pub fn finish_if_begun(self) -> Result<()> {
        if self.begun { self.finish() } else { Ok(()) }
    }

    /// Completes the result.
    pub fn finish(self) -> Result<()> {
        let Self {
            out,
            name,
            whole,
            force,
            ..
        } = self;
        match out.finish() {
            Ok(_) => {}
            // Whether this one is reported (a reader that closed its end is not an error) is
            // decided where errors are printed.
            Err(error) if whole.is_none() && name == "standard output" => return Err(error.into()),
            other => _ = other.advise(format_args!("cannot write {name}"), "is the disk full?")?,
        }
        let Some(whole) = whole else { return Ok(()) };
        match whole.complete(force) {
            Err(error) if !force && error.kind() == io::ErrorKind::AlreadyExists => {
                Err(errors::exists(Path::new(&name)))
            }
            other => other.advise(format_args!("cannot write {name}"), ""),
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun = true;
        let result = self.out.write(bytes);
        result.map_err(|error| self.named(error))
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.begun = true;
        let result = self.out.write_all(bytes);
        result.map_err(|error| self.named(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.out.flush();
        result.map_err(|error| self.named(error))
    }
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File(out) => out.write(bytes),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.write_all(bytes),
            Self::File(out) => out.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(out) => out.flush(),
        }
    }
}
