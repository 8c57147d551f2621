//! The verbs, one file each: `Args`, what clap parses, and `run`.

// Each line makes a module, a variant of `Verb`, and its place in the help.
macro_rules! verbs {
    ($($Variant:ident = $module:ident,)*) => {
        $(pub mod $module;)*

        /// What to do.
        #[derive(Debug, clap::Subcommand)]
        pub enum Verb {
            $($Variant($module::Args),)*
            Completions(crate::complete::CompletionsArgs),
            Man(crate::complete::ManArgs),
        }

        impl Verb {
            /// Does it.
            pub fn run(self) -> anyhow::Result<std::process::ExitCode> {
                match self {
                    $(Self::$Variant(args) => $module::run(args),)*
                    Self::Completions(args) => crate::complete::completions(args),
                    Self::Man(args) => crate::complete::man(args),
                }
            }
        }
    };
}

verbs! {
    Show = show,
    Record = record,
    Run = run,
    Control = control,
    Stats = stats,
    Validate = validate,
    Repair = repair,
    Recover = recover,
    Snapshot = snapshot,
    Cut = cut,
    Merge = merge,
    Sort = sort,
    Spans = spans,
    Export = export,
    Types = types,
}
