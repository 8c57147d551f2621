//! Shell completions and man pages, both generated from the command line's
//! own definition, so that they cannot fall behind it.

use crate::errors::Advise;
use crate::files::NewFile;
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
    /// The directory; it is created if it does not exist
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
    let man = clap_mangen::Man::new(command.clone());
    let whole = NewFile::create(&dir.join(man.get_filename()))?;
    whole.file().write_all(&page(&man, command)?)?;
    whole.complete(true)
}

/// A page. clap_mangen's synopsis has no values, and it fills the lines of examples.
fn page(man: &clap_mangen::Man, mut command: clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let usage = command.render_usage().to_string();
    let usage = usage.strip_prefix("Usage:").unwrap_or(&usage);
    section(&mut page, "synopsis", usage.lines());
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let rest = command.get_after_long_help().map(ToString::to_string);
    let rest: Vec<&str> = rest.iter().flat_map(|text| text.lines()).collect();
    for lines in rest.split(|line| line.is_empty()) {
        let Some((first, lines)) = lines.split_first() else {
            continue;
        };
        match first.split_once(':') {
            // A heading with the first of its lines behind it.
            Some((heading, line)) if is_heading(heading) => {
                let line = Some(line).filter(|line| !line.is_empty());
                section(
                    &mut page,
                    heading,
                    line.into_iter().chain(lines.iter().copied()),
                );
            }
            _ => section(
                &mut page,
                "notes",
                [*first].into_iter().chain(lines.iter().copied()),
            ),
        }
    }
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// Whether it is one in the help: `Examples`, `Exit codes`.
fn is_heading(text: &str) -> bool {
    text.starts_with(char::is_uppercase)
        && text.split(' ').count() < 3
        && text.chars().all(|c| c.is_alphabetic() || c == ' ')
}

/// A section whose lines stay as they are.
fn section<'a>(page: &mut Vec<u8>, heading: &str, lines: impl Iterator<Item = &'a str>) {
    let mut text = format!(".SH {}\n.nf\n", heading.to_uppercase());
    for line in lines {
        let line = line.strip_prefix("  ").unwrap_or(line.trim_start());
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        // A line that begins with one of these would be a command of roff.
        if line.starts_with(['.', '\'']) {
            text.push_str("\\&");
        }
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str(".fi\n");
    page.extend_from_slice(text.as_bytes());
}
