//! Shell completions and man pages, both generated from the command line's
//! own definition, so that they cannot fall behind it.

use crate::errors::Advise;
use crate::files::Whole;
use crate::output;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  eventlog completions bash > ~/.local/share/bash-completion/completions/eventlog
  eventlog completions zsh > ~/.zfunc/_eventlog
  eventlog completions fish > ~/.config/fish/completions/eventlog.fish")]
pub struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

/// Write the man pages into a directory
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  eventlog man ~/.local/share/man/man1
  man eventlog-show")]
pub struct ManArgs {
    /// The directory; it is made if need be
    dir: PathBuf,
}

/// `eventlog completions`, of the whole command line.
pub fn completions(args: CompletionsArgs, mut whole: clap::Command) -> anyhow::Result<ExitCode> {
    // Into memory first: the generator panics when it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut whole, "eventlog", &mut script);
    let mut out = output::out();
    out.write_all(&script)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// `eventlog man`, of the whole command line.
pub fn man(args: ManArgs, whole: clap::Command) -> anyhow::Result<ExitCode> {
    let hint = "name a directory that you may write to";
    let dir = args.dir.display();
    std::fs::create_dir_all(&args.dir).advise(format_args!("cannot make {dir}"), hint)?;
    let mut root = whole.disable_help_subcommand(true);
    root.build();
    write_pages(root, &args.dir).advise(format_args!("cannot write man pages to {dir}"), hint)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the page of a command and those of its subcommands, each of them whole.
fn write_pages(command: clap::Command, dir: &Path) -> io::Result<()> {
    let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    for subcommand in shown.cloned() {
        write_pages(subcommand, dir)?;
    }
    let man = clap_mangen::Man::new(command);
    let mut page = Vec::new();
    man.render(&mut page)?;
    let whole = Whole::create(&dir.join(man.get_filename()))?;
    whole.file().write_all(&page)?;
    whole.complete(true)
}
