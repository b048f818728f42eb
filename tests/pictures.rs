//! Pictures of layouts and plans: equal to the golden files of `tests/data/pictures`, of bounded size, and
//! counted as by brute force.
//!
//! `UPDATE_PICTURES=1 cargo test --profile checked --test pictures` writes the golden files. Look at each
//! file that changed.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a wrong picture should fail the test"
)]

mod common;

use std::path::{Path, PathBuf};

use shardspec::draw::{
    MAX_PICTURE_SIZE, PictureFormat, PictureOptions, Theme, draw_diff, draw_metadata, draw_plan,
    draw_shards,
};
use shardspec::model::{
    Cut, Mesh, MeshCut, MeshLayout, MeshShardingSpec, Pad, PadTo, PartialAxis, Placement,
    Reduction, RuleKind, ShardMetadata, ShardedTensorMetadata, ShardingSpec, Shards,
    TensorProperties, TensorShape,
};
use shardspec::plan::ReshardPlan;

/// A layout over a mesh: which dimension is cut over which axis, and how.
fn laid_out(
    axes: &[(&str, i64)], cuts: &[(i64, &str, RuleKind)], sizes: &[i64],
    change: impl FnOnce(&mut MeshLayout),
) -> ShardedTensorMetadata {
    let cuts = cuts.iter().map(|(dim, axis, kind)| MeshCut {
        dim: (*dim).into(),
        axis: (*axis).into(),
        cut: Cut::from(kind.clone()),
    });
    let mut layout = MeshLayout { cuts: cuts.collect(), ..MeshLayout::default() };
    change(&mut layout);
    let spec = MeshShardingSpec::new(Mesh::new(axes).unwrap(), layout).unwrap();
    spec.build_metadata(TensorShape::new(sizes), TensorProperties::TORCH_DEFAULT).unwrap()
}

fn chunked(axes: &[(&str, i64)], cuts: &[(i64, &str)], sizes: &[i64]) -> ShardedTensorMetadata {
    let cuts: Vec<_> = cuts.iter().map(|(dim, axis)| (*dim, *axis, RuleKind::Chunk)).collect();
    laid_out(axes, &cuts, sizes, |_| {})
}

fn cyclic(block: i64) -> RuleKind {
    RuleKind::Cyclic { block, first: 0 }
}

/// Shards of a list, each on a rank.
fn listed(shards: &[(&[i64], &[i64], &str)]) -> Shards {
    let shards: Vec<_> = shards
        .iter()
        .map(|(offsets, sizes, placement)| ShardMetadata {
            offsets: offsets.to_vec(),
            sizes: sizes.to_vec(),
            placement: if placement.is_empty() {
                Placement::NONE
            } else {
                Placement::parse(placement).unwrap()
            },
        })
        .collect();
    Shards::from_list(&shards).unwrap()
}

fn golden_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pictures").join(name)
}

/// Compares a picture with its golden file, or writes the file if it is asked for.
fn check_golden(name: &str, picture: &str) {
    let path = golden_path(name);
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        std::fs::write(&path, picture).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == picture,
        "{name} differs from its golden file. Is:\n{picture}\nWas:\n{golden}\nIf the new picture is \
         right, set UPDATE_PICTURES=1 and run the test again."
    );
}

/// Draws as text, as ASCII with colours, and as SVG on both backgrounds, and compares texts and SVGs.
fn check_all(name: &str, draw: impl Fn(&PictureOptions<'_>) -> String) {
    let text = PictureOptions::default();
    let picture = draw(&text);
    let longest = picture.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest <= text.width, "{name}: a line has {longest} signs\n{picture}");
    check_golden(&format!("{name}.txt"), &picture);
    let ascii = draw(&PictureOptions { ascii: true, color: true, ..text });
    assert!(ascii.is_ascii() && ascii.len() <= MAX_PICTURE_SIZE, "{name}:\n{ascii}");
    for (theme, suffix) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
        let picture = draw(&PictureOptions { format: PictureFormat::Svg, theme, ..text });
        assert!(picture.len() <= MAX_PICTURE_SIZE, "{name}: {} bytes", picture.len());
        check_golden(&format!("{name}.{suffix}.svg"), &picture);
    }
}

fn check_metadata(name: &str, metadata: &ShardedTensorMetadata) {
    check_all(name, |options| draw_metadata(metadata, options).unwrap());
}

#[test]
fn a_vector_is_one_row() {
    check_metadata("vector", &chunked(&[("dp", 4)], &[(0, "dp")], &[10]));
}

#[test]
fn a_matrix_has_its_areas_with_names_and_numbers() {
    check_metadata("matrix", &chunked(&[("dp", 2), ("tp", 3)], &[(0, "dp"), (1, "tp")], &[8, 9]));
}

#[test]
fn replicas_name_all_owners() {
    check_metadata("replicas", &chunked(&[("dp", 2), ("tp", 2)], &[(1, "tp")], &[4, 6]));
    check_metadata("many_replicas", &chunked(&[("dp", 8), ("tp", 2)], &[(1, "tp")], &[4, 6]));
}

#[test]
fn padding_and_empty_shards_are_in_the_legend() {
    let padded = laid_out(&[("tp", 4)], &[(0, "tp", RuleKind::Chunk)], &[5, 4], |layout| {
        layout.pads.push(Pad { dim: 0.into(), to: PadTo::Multiple(4) });
    });
    check_metadata("padding", &padded);
    check_metadata("empty_shards", &chunked(&[("tp", 4)], &[(0, "tp")], &[5, 4]));
}

#[test]
fn gaps_and_overlaps_are_marked() {
    let shards = listed(&[
        (&[0, 0], &[4, 6], "rank:0"),
        (&[3, 4], &[5, 4], "rank:1"),
        (&[6, 0], &[2, 2], "rank:2"),
    ]);
    check_all("faults", |options| draw_shards(&shards, &[8, 8], options).unwrap());
}

#[test]
fn strided_and_block_cyclic_layouts_are_drawn_block_by_block() {
    let two = [("p", 2), ("q", 2)];
    let cuts = [(0, "p", cyclic(2)), (1, "q", cyclic(3))];
    check_metadata("block_cyclic", &laid_out(&two, &cuts, &[8, 12], |_| {}));
    let strided = [(0, "p", RuleKind::Chunk), (0, "q", RuleKind::Chunk)];
    check_metadata("two_axes", &laid_out(&two, &strided, &[8], |_| {}));
    check_metadata("cyclic_vector", &laid_out(&[("p", 3)], &[(0, "p", cyclic(1))], &[12], |_| {}));
}

#[test]
fn flattened_dimensions_are_drawn_in_the_tensor() {
    let flat = laid_out(&[("fsdp", 3)], &[(0, "fsdp", RuleKind::Chunk)], &[4, 7], |layout| {
        layout.flatten = Some(0..2);
    });
    check_metadata("flattened", &flat);
}

#[test]
fn more_dimensions_are_slices() {
    let axes = [("pp", 2), ("tp", 2), ("dp", 2)];
    let cuts = [(0, "pp"), (1, "tp"), (2, "dp")];
    check_metadata("slices", &chunked(&axes, &cuts, &[4, 6, 8]));
    check_metadata("convolution", &chunked(&[("tp", 4)], &[(0, "tp")], &[64, 3, 7, 7]));
}

#[test]
fn large_layouts_are_a_summary_and_a_detail() {
    let axes = [("dp", 64), ("tp", 64)];
    check_metadata("large", &chunked(&axes, &[(0, "dp"), (1, "tp")], &[65536, 32768]));
    let cuts = [(0, "p", cyclic(64)), (1, "q", cyclic(64))];
    let axes = [("p", 2), ("q", 3)];
    check_metadata("large_block_cyclic", &laid_out(&axes, &cuts, &[100_000, 80_000], |_| {}));
}

#[test]
fn partial_values_and_names_are_said() {
    let layout =
        laid_out(&[("dp", 2), ("tp", 2)], &[(0, "dp", RuleKind::Chunk)], &[6, 4], |layout| {
            layout.partial.push(PartialAxis { axis: "tp".into(), reduction: Reduction::Sum });
        });
    check_metadata("partial", &layout.named(&["batch", "features"]).unwrap());
}

#[test]
fn what_changes_owner_is_marked() {
    let from = chunked(&[("dp", 2), ("tp", 2)], &[(0, "dp"), (1, "tp")], &[8, 12]);
    let to = chunked(&[("tp", 4)], &[(1, "tp")], &[8, 12]);
    check_all("diff", |options| draw_diff(&from, &to, options).unwrap());
    let plan = ReshardPlan::new(&from, &to).unwrap();
    check_all("traffic", |options| draw_plan(&plan, options).unwrap());
    let (from, to) = (
        chunked(&[("dp", 512)], &[(0, "dp")], &[65536, 4096]),
        chunked(&[("dp", 96)], &[(0, "dp")], &[65536, 4096]),
    );
    check_all("large_diff", |options| draw_diff(&from, &to, options).unwrap());
    let plan = ReshardPlan::new(&from, &to).unwrap();
    check_all("large_traffic", |options| draw_plan(&plan, options).unwrap());
}
