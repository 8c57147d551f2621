//! What a command does.

use std::sync::atomic::Ordering;

use eventlog_control::{BUILTIN_NAMESPACE, Builtin, Older, RTS_NAMESPACE, RtsCommand};
use ghc_eventlog::notes::Note;

use super::inbox::{Command, INBOX};
use super::namespaces::{self, Registered};
use crate::flush_thread;
use crate::format::note_block;
use crate::gate::GATE;
use crate::instance::Instance;
use crate::rts::Rts;

/// The outcome of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Run,
    Unknown,
    /// Not here: see [`crate::rts::Rts::command`].
    Refused,
    /// It is one of the program's own: make this call.
    Handler(Registered),
}

/// Runs commands, on the control thread.
#[derive(Debug)]
pub(crate) struct Commands {
    instance: &'static Instance,
    rts: Option<Rts>,
    /// A census was asked for; the next collection makes it.
    census: bool,
    syncs: u64,
    dumps: u64,
}

impl Commands {
    pub(crate) fn new(instance: &'static Instance, rts: Option<Rts>) -> Commands {
        Commands {
            instance,
            rts,
            census: false,
            syncs: 0,
            dumps: 0,
        }
    }

    pub(crate) fn run(&mut self, command: &Command) -> Outcome {
        let outcome = if command.older {
            match Older::try_from(command.id) {
                Ok(older) => self.builtin(older.into()),
                Err(_) => Outcome::Unknown,
            }
        } else {
            self.named(command.name(), command.id)
        };
        // One collection serves several of them in a row.
        if self.census && !INBOX.has_commands() {
            self.settle();
        }
        outcome
    }

    fn named(&mut self, name: &[u8], id: u8) -> Outcome {
        if name == BUILTIN_NAMESPACE.as_bytes() {
            match Builtin::try_from(id) {
                Ok(builtin) => self.builtin(builtin),
                Err(_) => Outcome::Unknown,
            }
        } else if name == RTS_NAMESPACE.as_bytes() {
            match RtsCommand::try_from(id) {
                Ok(command) => self.rts_command(command),
                Err(_) => Outcome::Unknown,
            }
        } else {
            // What was asked for before is visible to the handler.
            self.settle();
            registered(name, id)
        }
    }

    fn builtin(&mut self, builtin: Builtin) -> Outcome {
        if builtin != Builtin::RequestHeapCensus {
            self.settle();
            return self.ask(builtin.id());
        }
        let outcome = self.ask(builtin.id());
        self.census |= matches!(outcome, Outcome::Run);
        outcome
    }

    fn rts_command(&mut self, command: RtsCommand) -> Outcome {
        self.settle();
        match command {
            RtsCommand::Flush => self.flush(),
            RtsCommand::Sync => match self.flush() {
                Outcome::Run => {
                    self.mark();
                    Outcome::Run
                }
                refused => refused,
            },
            RtsCommand::Dump => self.dump(),
            class => {
                let outcome = self.ask(class.id());
                // Those that switch a class on are the even ones.
                if class.id() % 2 == 0 && matches!(outcome, Outcome::Run) {
                    // Relaxed: for the next client.
                    self.instance.logs_nothing.store(false, Ordering::Relaxed);
                }
                outcome
            }
        }
    }

    /// Have the RTS do it, if this one can.
    fn ask(&self, number: u8) -> Outcome {
        match self.rts {
            Some(rts) if rts.command(number) => Outcome::Run,
            _ => Outcome::Refused,
        }
    }

    /// Make the census that was asked for: in an idle program nothing else would.
    fn settle(&mut self) {
        if !std::mem::take(&mut self.census) {
            return;
        }
        let Some(make) = self.rts.and_then(Rts::make_census_from_any_thread) else {
            return;
        };
        GATE.enter(make);
        self.flush();
    }

    fn flush(&self) -> Outcome {
        let Some(flush) = self.rts.and_then(Rts::flush_from_any_thread) else {
            return Outcome::Refused;
        };
        if flush_thread::flush(self.instance, flush) {
            Outcome::Run
        } else {
            Outcome::Refused
        }
    }

    /// Have all that was logged in the file of the flight recorder. Refused if there is none.
    fn dump(&mut self) -> Outcome {
        let Some(recording) = self.instance.recording.filter(|file| !file.is_lost()) else {
            return Outcome::Refused;
        };
        let outcome = self.flush();
        if matches!(outcome, Outcome::Run) {
            self.dumps += 1;
            let now = self.instance.moment().reached;
            let block = note_block(now, now, Note::Dump(self.dumps));
            crate::writer::insert_into_file(self.instance, &block);
            recording.settle();
        }
        outcome
    }

    /// Put a mark into the stream, behind what was flushed: by the way of all
    /// chunks, the ring.
    fn mark(&mut self) {
        self.syncs += 1;
        // What was flushed ends with a global block.
        let now = self.instance.moment().reached;
        let block = note_block(now, now, Note::Sync(self.syncs));
        crate::writer::insert(self.instance, &block);
    }
}

fn registered(name: &[u8], id: u8) -> Outcome {
    let Some(command) = namespaces::lookup(name, id) else {
        return Outcome::Unknown;
    };
    if super::handlers_have_a_thread() {
        Outcome::Handler(command)
    } else {
        Outcome::Refused
    }
}
