//! Pictures of layouts and plans, as the library draws them.

use shardspec::draw::{
    PictureFormat, PictureOptions, draw_diff, draw_metadata, draw_plan, draw_shards,
};
use shardspec::model::{Result as ModelResult, ShardedTensorMetadata, Shards};
use shardspec::plan::ReshardPlan;

use crate::arguments::PictureArguments;
use crate::failure::Failure;
use crate::output::Output;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    Layout(&'a ShardedTensorMetadata),
    /// Any shards of a tensor of these sizes.
    Shards(&'a Shards, &'a [i64]),
    Plan(&'a ReshardPlan),
    /// From one layout to another.
    Difference(&'a ShardedTensorMetadata, &'a ShardedTensorMetadata),
}

/// Draws, and prints a blank line behind it.
pub fn print(
    subject: Subject<'_>, arguments: &PictureArguments, output: &mut Output,
) -> Result<(), Failure> {
    if output.is_json() {
        return Ok(());
    }
    let options = options_of(arguments, output);
    let picture = draw(subject, &options).map_err(|error| Failure::of("", &error))?;
    picture.trim_end().lines().for_each(|line| output.line(line));
    output.line("");
    Ok(())
}

/// Writes the picture to the file of `--svg`, if there is one.
pub fn write(
    subject: Subject<'_>, arguments: &PictureArguments, output: &Output,
) -> Result<(), Failure> {
    let Some(path) = &arguments.svg else { return Ok(()) };
    let options = PictureOptions { format: PictureFormat::Svg, ..options_of(arguments, output) };
    let picture = draw(subject, &options).map_err(|error| Failure::of("--svg", &error))?;
    std::fs::write(path, picture)
        .map_err(|error| Failure::system(path.display(), "writing the picture", &error))
}

fn options_of<'a>(arguments: &'a PictureArguments, output: &Output) -> PictureOptions<'a> {
    PictureOptions {
        color: output.has_color(),
        ascii: arguments.ascii,
        width: arguments.width.map_or_else(|| width_of(output), usize::from),
        axes: &arguments.axes,
        window: arguments.window.as_ref().map(|own| (&*own.offsets, &*own.sizes)),
        ..PictureOptions::default()
    }
}

fn draw(subject: Subject<'_>, options: &PictureOptions<'_>) -> ModelResult<String> {
    match subject {
        Subject::Layout(metadata) => draw_metadata(metadata, options),
        Subject::Shards(shards, sizes) => draw_shards(shards, sizes, options),
        Subject::Plan(plan) => draw_plan(plan, options),
        Subject::Difference(source, destination) => draw_diff(source, destination, options),
    }
}

/// The columns of the terminal, or the usual number.
fn width_of(output: &Output) -> usize {
    let columns = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    let columns = columns.filter(|_| output.is_terminal());
    columns.map_or(PictureOptions::DEFAULT_WIDTH, |columns| {
        columns.clamp(PictureOptions::MIN_WIDTH, PictureOptions::MAX_WIDTH)
    })
}
