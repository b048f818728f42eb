//! Layouts and plans as pictures: text for a terminal, or SVG.
//!
//! A picture is made in two steps. The first one counts: it divides the tensor into cells, and finds who
//! owns how much of each. The second one writes the cells as text or as SVG, so both say the same. Where a
//! tensor has few shards, cells end where shards end. Where it has many, a cell has the elements of several
//! shards, and a second panel shows in detail where the tensor begins.
//!
//! Time is about `n * log(n)` for `n` shards, and the size of a picture has a bound that does not depend on
//! the layout: [`MAX_PICTURE_SIZE`].

#![forbid(unsafe_code)]

mod areas;
mod canvas;
mod cells;
mod cuts;
mod kept;
mod label;
mod layout_picture;
mod legend;
mod matrix;
mod options;
mod owner_table;
mod page;
mod palette;
mod panel;
mod space;
mod svg;
mod svg_legend;
mod svg_matrix;
mod svg_page;
mod svg_panel;
mod text;
mod text_legend;
mod text_matrix;
mod text_places;

pub use options::{PictureFormat, PictureOptions, Theme};

use crate::error::{Error, Result};
use crate::memory::TryVec;
use crate::memory::text as message;
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::shards::Shards;
use crate::model::sizes::check_sizes;
use crate::plan::ReshardPlan;
use layout_picture::{LayoutPicture, TensorFacts};
use matrix::Matrix;
use panel::Layouts;
use space::DrawnShards;

/// No picture has more bytes.
pub const MAX_PICTURE_SIZE: usize = 256 << 10;

/// The picture of who owns what of a tensor.
///
/// ```
/// use shardspec::draw::{PictureOptions, draw_metadata};
/// use shardspec::model::{ChunkShardingSpec, Placement, ShardingSpec, TensorProperties, TensorShape};
///
/// let ranks = [Placement::on_rank(0)?, Placement::on_rank(1)?];
/// let metadata = ChunkShardingSpec::new(1.into(), ranks.into_iter())?
///     .build_metadata(TensorShape::new(&[4, 6]), TensorProperties::default())?;
/// let picture = draw_metadata(&metadata, &PictureOptions::default())?;
/// assert!(picture.contains("│   rank 0   │   rank 1   │"), "{picture}");
/// # Ok::<(), shardspec::model::Error>(())
/// ```
pub fn draw_metadata(
    metadata: &ShardedTensorMetadata, options: &PictureOptions<'_>,
) -> Result<String> {
    options.check()?;
    let facts = TensorFacts {
        dtype: metadata.properties().dtype,
        metadata: Some(metadata),
        source: None,
        has_replicas: metadata.has_replicas(),
        has_overlaps: false,
    };
    draw_layout(metadata.shards(), metadata.sizes(), &facts, options)
}

/// The picture of who owns what, of any list of shards of a tensor of these sizes. Gaps, overlaps and
/// elements outside of the tensor are marked, and not refused.
pub fn draw_shards(shards: &Shards, sizes: &[i64], options: &PictureOptions<'_>) -> Result<String> {
    options.check()?;
    check_sizes(sizes)?;
    // Shards that are too tangled for an answer are drawn without it.
    let has_overlaps = match shards.has_overlap() {
        Err(Error::Unsupported { .. }) => false,
        answer => answer?,
    };
    let facts = TensorFacts { has_overlaps, ..TensorFacts::default() };
    draw_layout(shards, sizes, &facts, options)
}

/// The picture of which elements change their owner, when a tensor gets another layout.
pub fn draw_diff(
    source: &ShardedTensorMetadata, destination: &ShardedTensorMetadata,
    options: &PictureOptions<'_>,
) -> Result<String> {
    options.check()?;
    crate::plan::check_same_tensor(source, destination)?;
    let mut lists = Vec::new();
    for metadata in [source, destination] {
        lists.try_push(DrawnShards::new(metadata.shards(), metadata.sizes())?)?;
    }
    if lists.iter().any(|list| list.drawn_flat.is_some()) {
        let what = message!(
            "the flattened dimensions of these layouts are cut into too many blocks to draw which of \
             them change their owner; draw each layout by itself"
        );
        return Err(Error::Unsupported { what });
    }
    let facts = TensorFacts {
        dtype: source.properties().dtype.or(destination.properties().dtype),
        metadata: Some(destination),
        source: Some(source),
        has_replicas: source.has_replicas() || destination.has_replicas(),
        has_overlaps: false,
    };
    write_layout(&Layouts::new(lists)?, &facts, options)
}

/// The picture of how much a plan moves from which owner to which.
pub fn draw_plan(plan: &ReshardPlan, options: &PictureOptions<'_>) -> Result<String> {
    options.check()?;
    match options.format {
        PictureFormat::Text => {
            let matrix = Matrix::new(plan, text_matrix::groups(options))?;
            Ok(text_matrix::write(&matrix, options)?)
        }
        PictureFormat::Svg => {
            Ok(svg_matrix::write(&Matrix::new(plan, svg_matrix::MAX_GROUPS)?, options)?)
        }
    }
}

fn draw_layout(
    shards: &Shards, sizes: &[i64], facts: &TensorFacts<'_>, options: &PictureOptions<'_>,
) -> Result<String> {
    let mut lists = Vec::new();
    lists.try_push(DrawnShards::new(shards, sizes)?)?;
    write_layout(&Layouts::new(lists)?, facts, options)
}

fn write_layout(
    layouts: &Layouts<'_>, facts: &TensorFacts<'_>, options: &PictureOptions<'_>,
) -> Result<String> {
    match options.format {
        PictureFormat::Text => {
            let limits = text::limits(options, layouts.owners.short_width()?);
            let picture = LayoutPicture::new(layouts, facts, options, limits, text::MAX_OWNERS)?;
            Ok(text::write(&picture, options)?)
        }
        PictureFormat::Svg => {
            let (limits, most) = (svg::LIMITS, svg::MAX_OWNERS);
            let picture = LayoutPicture::new(layouts, facts, options, limits, most)?;
            Ok(svg::write(&picture, options)?)
        }
    }
}
