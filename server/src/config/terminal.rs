//! How commands print: for whom, how wide, in colour or not.

/// Whether tables are coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// How a command that reads prints.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "How it is printed")]
pub struct PrintFlags {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Columns that tables may take [default: those of the terminal; no limit elsewhere]
    #[arg(long, env = "COLUMNS", hide_env = true, value_name = "N")]
    pub width: Option<usize>,
    /// Colours
    #[arg(long, visible_alias = "colour", value_enum, default_value_t)]
    pub color: Colour,
    /// Any value but an empty one: no colours
    #[arg(long, env = "NO_COLOR", hide = true, num_args = 0..=1, default_missing_value = "1")]
    pub no_color: Option<String>,
}
