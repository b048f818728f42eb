//! What a user may write.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::examples;
use crate::units;

/// Look into checkpoints and layouts of sharded tensors, check them, plan and convert
#[derive(Debug, Parser)]
#[command(name = "shardspec", version, after_help = examples::ALL, max_term_width = 100)]
#[command(propagate_version = true, disable_help_subcommand = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    /// Print one JSON value instead of text; docs/command.md lists the keys
    #[arg(long, global = true, display_order = 100)]
    pub json: bool,
    /// When to print colours; `auto`: on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, display_order = 101)]
    #[arg(value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Draw no progress bar, and print nothing about what was done
    #[arg(long, short, global = true, display_order = 102)]
    pub quiet: bool,
}

/// When colours are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the tensors of a checkpoint, or draw a layout
    #[command(after_help = examples::SHOW, long_about = examples::ABOUT_SHOW)]
    #[command(
        override_usage = "shardspec show <CHECKPOINT> [--layout <LAYOUT>] [OPTIONS]\n       shardspec show --sizes <SIZES> --layout <LAYOUT> [OPTIONS]\n       shardspec show <DOCUMENT> [--sizes <SIZES>] [OPTIONS]"
    )]
    Show(ShowArguments),
    /// Say what is wrong with a checkpoint, with a layout for it, or with degrees of parallelism
    #[command(after_help = examples::CHECK, long_about = examples::ABOUT_CHECK)]
    #[command(
        override_usage = "shardspec check <CHECKPOINT> [--layout <LAYOUT>] [OPTIONS]\n       shardspec check <CHECKPOINT> --layout <LAYOUT> --degrees <AXIS>\n       shardspec check --length <LENGTH>..."
    )]
    Check(CheckArguments),
    /// Say how many bytes and messages go from one layout to another
    #[command(after_help = examples::PLAN, long_about = examples::ABOUT_PLAN)]
    #[command(
        override_usage = "shardspec plan <CHECKPOINT> [--from <LAYOUT>] --to <LAYOUT> [OPTIONS]\n       shardspec plan --sizes <SIZES> --from <LAYOUT> --to <LAYOUT> [OPTIONS]\n       shardspec plan <DOCUMENT> <DOCUMENT> [--sizes <SIZES>] [OPTIONS]"
    )]
    Plan(PlanArguments),
    /// Write a checkpoint anew, in another layout
    #[command(after_help = examples::CONVERT, long_about = examples::ABOUT_CONVERT)]
    Convert(ConvertArguments),
    /// Print digests of tensors, or compare two checkpoints
    #[command(after_help = examples::DIGEST, long_about = examples::ABOUT_DIGEST)]
    #[command(
        override_usage = "shardspec digest <CHECKPOINT> [OTHER] [OPTIONS]\n       shardspec digest --sizes <SIZES> --layout <LAYOUT>"
    )]
    Digest(DigestArguments),
    /// Print completions for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell; several with --directory
        #[arg(required = true)]
        shells: Vec<clap_complete::Shell>,
        /// Write files, with the names that shells look for, into this directory
        #[arg(long, value_hint = ValueHint::DirPath)]
        directory: Option<PathBuf>,
    },
    /// Write the manual pages into a directory
    Man {
        /// The directory, which must be there
        #[arg(value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
}

/// Layouts, and the mesh that they are over.
#[derive(Debug, Args)]
pub struct LayoutArguments {
    /// The mesh: names and sizes of its axes, such as dp=2,tp=4, or sizes alone, such as 2x4
    #[arg(long, value_name = "MESH")]
    pub mesh: Option<String>,
    /// A layout; `PATTERN -> LAYOUT` is for some tensors, `@FILE` has one in each line. May be repeated
    #[arg(long = "layout", short, value_name = "LAYOUT")]
    pub layouts: Vec<String>,
}

/// A tensor that is in no file.
#[derive(Debug, Args)]
pub struct ShapeArguments {
    /// The sizes of a tensor, such as 4096,1024, where no checkpoint is given
    #[arg(long, value_name = "SIZES", value_parser = sizes)]
    pub sizes: Option<Sizes>,
    /// Its element type, such as bfloat16
    #[arg(long, value_name = "DTYPE", requires = "sizes")]
    pub dtype: Option<String>,
}

/// Sizes of a tensor. A type of its own, as a list would be a list of arguments.
#[derive(Debug, Clone)]
pub struct Sizes(pub Vec<i64>);

/// How pictures are drawn.
#[derive(Debug, Args)]
pub struct PictureArguments {
    /// Draw with ASCII characters only
    #[arg(long)]
    pub ascii: bool,
    /// How many columns a picture has; by default, those of the terminal
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=400))]
    pub width: Option<u16>,
    /// The dimensions to draw: rows and columns, such as 0,2, or columns alone
    #[arg(long, value_name = "DIMS", value_delimiter = ',')]
    pub axes: Vec<usize>,
    /// Write the picture to this file as well, as SVG
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub svg: Option<PathBuf>,
    /// The part of the tensor to draw: a range for each dimension, such as 0:64,0:128
    #[arg(long, value_name = "RANGES", value_parser = window)]
    pub window: Option<Window>,
}

/// A part of a tensor: where it starts, and how long it is.
#[derive(Debug, Clone)]
pub struct Window {
    pub offsets: Vec<i64>,
    pub sizes: Vec<i64>,
}

#[derive(Debug, Args)]
pub struct ShowArguments {
    /// A checkpoint: a file, or a directory. Or a document of a layout
    #[arg(value_name = "CHECKPOINT", value_hint = ValueHint::AnyPath, required_unless_present = "sizes")]
    pub path: Option<String>,
    /// Tensors of these names only; `*` stands for any characters. May be repeated
    #[arg(long = "tensor", short, value_name = "PATTERN", requires = "path")]
    pub tensors: Vec<String>,
    /// List the files as well, with what else they say
    #[arg(long, requires = "path")]
    pub files: bool,
    /// List every chunk of the tensors, and every shard of a layout
    #[arg(long)]
    pub all: bool,
    /// Draw each tensor: its layout, or the chunks in the files. Without a checkpoint, the layout is drawn
    #[arg(long, short)]
    pub picture: bool,
    #[command(flatten)]
    pub drawing: PictureArguments,
    #[command(flatten)]
    pub layout: LayoutArguments,
    #[command(flatten)]
    pub shape: ShapeArguments,
}

#[derive(Debug, Args)]
pub struct CheckArguments {
    /// A checkpoint: a file, or a directory
    #[arg(value_name = "CHECKPOINT", value_hint = ValueHint::AnyPath, required_unless_present_any = ["sizes", "lengths"])]
    pub path: Option<String>,
    #[command(flatten)]
    pub layout: LayoutArguments,
    #[command(flatten)]
    pub shape: ShapeArguments,
    /// Say which sizes of this axis of the mesh cut all tensors into equal pieces
    #[arg(long, value_name = "AXIS", requires = "layouts")]
    pub degrees: Option<String>,
    /// A length that a degree has to divide: heads=32, kv_heads=8:repeat, hidden=4096:granule=128
    #[arg(long = "length", value_name = "LENGTH", conflicts_with_all = ["path", "sizes", "degrees"])]
    pub lengths: Vec<String>,
    /// The largest degree to ask about
    #[arg(long, value_name = "DEGREE", default_value_t = 64, value_parser = clap::value_parser!(i64).range(1..=65536))]
    pub max_degree: i64,
    /// List at most so many problems
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    pub limit: usize,
}

#[derive(Debug, Args)]
pub struct PlanArguments {
    /// A checkpoint: its files are the source, unless --from says another layout. Or a document
    #[arg(value_name = "CHECKPOINT", value_hint = ValueHint::AnyPath, required_unless_present = "sizes")]
    pub path: Option<String>,
    /// A document of the destination layout
    #[arg(value_name = "DOCUMENT", value_hint = ValueHint::FilePath, conflicts_with = "to")]
    pub other: Option<String>,
    /// Tensors of these names only; `*` stands for any characters. May be repeated
    #[arg(long = "tensor", short, value_name = "PATTERN", requires = "path")]
    pub tensors: Vec<String>,
    /// The mesh of layouts that do not name one
    #[arg(long, value_name = "MESH")]
    pub mesh: Option<String>,
    /// The source layout, written as for `show`. May be repeated
    #[arg(long, value_name = "LAYOUT", required_unless_present = "path")]
    pub from: Vec<String>,
    /// The destination layout, written as for `show`. May be repeated
    #[arg(long, value_name = "LAYOUT", required_unless_present = "other")]
    pub to: Vec<String>,
    /// Draw which elements change their owner as well
    #[arg(long)]
    pub diff: bool,
    #[command(flatten)]
    pub drawing: PictureArguments,
    #[command(flatten)]
    pub shape: ShapeArguments,
}

#[derive(Debug, Args)]
pub struct ConvertArguments {
    /// The checkpoint to read: a file, or a directory
    #[arg(value_hint = ValueHint::AnyPath)]
    pub source: String,
    /// The checkpoint to write: a directory, which must not be there
    #[arg(value_hint = ValueHint::DirPath)]
    pub destination: String,
    #[command(flatten)]
    pub layout: LayoutArguments,
    /// Write all tensors, whole, into one file
    #[arg(long)]
    pub one_file: bool,
    /// Replace the checkpoint that is there, in one step
    #[arg(long)]
    pub replace: bool,
    /// Do not continue an earlier run that was stopped
    #[arg(long)]
    pub restart: bool,
    /// How many bytes of tensors may be in memory at a time
    #[arg(long, value_name = "BYTES", default_value = "64MiB", value_parser = units::parse_bytes)]
    pub memory: usize,
}

#[derive(Debug, Args)]
pub struct DigestArguments {
    /// A checkpoint: a file, or a directory
    #[arg(value_name = "CHECKPOINT", value_hint = ValueHint::AnyPath, required_unless_present = "sizes")]
    pub path: Option<String>,
    /// A checkpoint to compare with: the exit code is 1 if a tensor differs or is missing
    #[arg(value_name = "OTHER", value_hint = ValueHint::AnyPath, requires = "path", conflicts_with = "sizes")]
    pub other: Option<String>,
    /// Tensors of these names only; `*` stands for any characters. May be repeated
    #[arg(long = "tensor", short, value_name = "PATTERN", requires = "path")]
    pub tensors: Vec<String>,
    #[command(flatten)]
    pub layout: LayoutArguments,
    #[command(flatten)]
    pub shape: ShapeArguments,
    /// How many bytes of tensors may be in memory at a time
    #[arg(long, value_name = "BYTES", default_value = "64MiB", value_parser = units::parse_bytes)]
    pub memory: usize,
}

/// A part of a tensor: `0:64,0:128`.
fn window(text: &str) -> Result<Window, String> {
    let range = |part: &str| {
        let (start, end) = part.split_once(':')?;
        let (start, end) = (start.trim().parse::<i64>().ok()?, end.trim().parse::<i64>().ok()?);
        Some((start, end.checked_sub(start)?))
    };
    let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
    let ranges: Option<Vec<(i64, i64)>> = inner.split(',').map(range).collect();
    let (offsets, sizes) =
        ranges.ok_or("write a range for each dimension, such as 0:64,0:128")?.into_iter().unzip();
    Ok(Window { offsets, sizes })
}

/// Sizes of a tensor: `4096,1024`, `[4096, 1024]`, `4096x1024`, or `[]` for a scalar.
fn sizes(text: &str) -> Result<Sizes, String> {
    let inner = text.trim().trim_start_matches(['[', '(']).trim_end_matches([']', ')']);
    let inner = inner.strip_suffix(',').unwrap_or(inner);
    let separator = if inner.contains(',') { ',' } else { 'x' };
    let parts = inner.split(separator).map(str::trim);
    let parts: Vec<&str> = if inner.is_empty() { Vec::new() } else { parts.collect() };
    let sizes: Result<Vec<i64>, _> = parts.iter().map(|part| part.parse()).collect();
    match sizes {
        Ok(sizes) if sizes.iter().all(|size| *size >= 0) => Ok(Sizes(sizes)),
        _ => Err("write the sizes of all dimensions, such as 4096,1024".to_owned()),
    }
}
