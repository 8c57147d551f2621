//! The verbs, one file each: `Args`, what clap parses, and `run`.

// In full, not made by the macro below: rustfmt does not look into macros, and would not
// find the files of these modules.
pub mod control;
pub mod cut;
pub mod doctor;
pub mod export;
pub mod list;
pub mod merge;
pub mod metrics;
pub mod monitor;
pub mod record;
pub mod recover;
pub mod relay;
pub mod repair;
pub mod run;
pub mod sessions;
pub mod show;
pub mod snapshot;
pub mod sort;
pub mod spans;
pub mod stats;
pub mod types;
pub mod validate;

// Each line makes a variant of `Verb`, and its place in the help.
macro_rules! verbs {
    ($($Variant:ident = $module:ident,)*) => {
        /// What to do.
        #[derive(Debug, clap::Subcommand)]
        pub enum Verb {
            $($Variant($module::Args),)*
            Completions(crate::complete::CompletionsArgs),
            Man(crate::complete::ManArgs),
        }

        impl Verb {
            /// Does it. `whole` is the whole command line, for what describes it.
            pub fn run(self, whole: fn() -> clap::Command) -> anyhow::Result<std::process::ExitCode> {
                match self {
                    $(Self::$Variant(args) => $module::run(args),)*
                    Self::Completions(args) => crate::complete::completions(args, whole()),
                    Self::Man(args) => crate::complete::man(args, whole()),
                }
            }
        }
    };
}

verbs! {
    List = list,
    Show = show,
    Record = record,
    Run = run,
    Relay = relay,
    Sessions = sessions,
    Control = control,
    Stats = stats,
    Validate = validate,
    Doctor = doctor,
    Repair = repair,
    Recover = recover,
    Snapshot = snapshot,
    Cut = cut,
    Merge = merge,
    Sort = sort,
    Spans = spans,
    Export = export,
    Metrics = metrics,
    Monitor = monitor,
    Types = types,
}
