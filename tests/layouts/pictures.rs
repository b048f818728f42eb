//! Pictures of layouts and plans: equal to the golden files of `tests/data/pictures`, of bounded size, and
//! counted as by brute force.
//!
//! `UPDATE_PICTURES=1 cargo test --profile checked --test layouts pictures` writes the golden files. Look at each
//! file that changed.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a wrong picture should fail the test"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::common::Random;
use shardspec::draw::{
    MAX_PICTURE_SIZE, PictureFormat, PictureOptions, Theme, draw_diff, draw_metadata, draw_plan,
    draw_shards,
};
use shardspec::model::{
    Cut, Mesh, MeshCut, MeshLayout, MeshShardingSpec, Pad, PadTo, PartialAxis, Placement,
    Placements, Reduction, RuleKind, ShardMetadata, ShardedTensorMetadata, ShardingSpec, Shards,
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
    check_golden(&format!("{name}.color.txt"), &draw(&PictureOptions { color: true, ..text }));
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

#[test]
fn the_pictures_of_the_guide_are_those_of_the_library() {
    let build = |axes: &[(&str, i64)], cuts: &[(i64, &str)]| {
        let cuts = cuts.iter().map(|&(dim, axis)| MeshCut {
            dim: dim.into(),
            axis: axis.into(),
            cut: Cut::from(RuleKind::Chunk),
        });
        let layout = MeshLayout { cuts: cuts.collect(), ..MeshLayout::default() };
        let spec = MeshShardingSpec::new(Mesh::new(axes).unwrap(), layout).unwrap();
        spec.build_metadata(TensorShape::new(&[8, 9]), TensorProperties::default()).unwrap()
    };
    let from = build(&[("dp", 2), ("tp", 3)], &[(0, "dp"), (1, "tp")]);
    let to = build(&[("tp", 3)], &[(1, "tp")]);
    let options = PictureOptions { format: PictureFormat::Svg, ..PictureOptions::default() };
    let guide = "../../../docs/pictures";
    check_golden(&format!("{guide}/matrix.svg"), &draw_metadata(&from, &options).unwrap());
    let plan = ReshardPlan::new(&from, &to).unwrap();
    check_golden(&format!("{guide}/traffic.svg"), &draw_plan(&plan, &options).unwrap());
}

#[test]
fn an_owner_of_many_shards_is_compared_in_bounded_time() {
    // 14,400 and 8,100 shards of one owner: more than a hundred million pairs, of which few meet.
    let one_owner = |side: i64, count: i64| {
        let shards = grid_of_boxes(count, count, side);
        let ranks = (0..count * count).map(|_| Placement::on_rank(0).unwrap());
        let placements = Placements::new(ranks).unwrap();
        let (offsets, sizes) = (shards.offsets().to_vec(), shards.sizes().to_vec());
        let shards = Shards::new(2, offsets, sizes, placements).unwrap();
        let whole = [side * count; 2];
        ShardedTensorMetadata::new(shards, &whole, TensorProperties::default()).unwrap()
    };
    let (from, to) = (one_owner(3, 120), one_owner(4, 90));
    let picture = draw_diff(&from, &to, &PictureOptions::default()).unwrap();
    assert!(picture.contains("What changes owner: 0 % of the elements"), "{picture}");
}

/// Boxes of a matrix in a grid, each on a rank of its own.
fn grid_of_boxes(rows: i64, columns: i64, side: i64) -> Shards {
    let boxes = (0..rows * columns).map(|at| [at / columns * side, at % columns * side]);
    let offsets: Vec<i64> = boxes.flatten().collect();
    let sizes = vec![side; offsets.len()];
    let ranks = (0..rows * columns).map(|rank| Placement::on_rank(rank).unwrap());
    Shards::new(2, offsets, sizes, Placements::new(ranks).unwrap()).unwrap()
}

#[test]
fn a_picture_of_a_million_boxes_has_a_bounded_size() {
    let (shards, sizes) = (grid_of_boxes(1000, 1000, 3), [3000, 3000]);
    for format in [PictureFormat::Text, PictureFormat::Svg] {
        let options =
            PictureOptions { format, color: true, width: 400, ..PictureOptions::default() };
        let picture = draw_shards(&shards, &sizes, &options).unwrap();
        assert!(picture.len() <= MAX_PICTURE_SIZE, "{} bytes", picture.len());
        assert!(picture.contains("1,000,000 shards of 1,000,000 owners"));
        assert!(picture.contains("ranks 0 to 999999"));
    }
}

#[test]
fn the_largest_pictures_are_smaller_than_the_bound() {
    // As many areas as there is room for, each with replicas and long names.
    let place =
        |at: usize| Placement::parse(&format!("a-worker-with-a-long-name-{at:04}")).unwrap();
    let axes = [("row", 24), ("column", 32), ("copy", 4)];
    let mesh = Mesh::with_placements(&axes, Placements::new((0..24 * 32 * 4).map(place)).unwrap())
        .unwrap();
    let cuts = [(0, "row"), (1, "column")].map(|(dim, axis)| MeshCut {
        dim: dim.into(),
        axis: axis.into(),
        cut: Cut::from(RuleKind::Chunk),
    });
    let layout = MeshLayout { cuts: cuts.to_vec(), ..MeshLayout::default() };
    let spec = MeshShardingSpec::new(mesh, layout).unwrap();
    let shape = [i64::from(i32::MAX), 1 << 31];
    let metadata =
        spec.build_metadata(TensorShape::new(&shape), TensorProperties::TORCH_DEFAULT).unwrap();
    let slices = chunked(
        &[("a", 5), ("b", 12), ("c", 16)],
        &[(0, "a"), (1, "b"), (2, "c")],
        &[1 << 20, 1 << 20, 1 << 20],
    );
    for format in [PictureFormat::Text, PictureFormat::Svg] {
        let options =
            PictureOptions { format, color: true, width: 400, ..PictureOptions::default() };
        for layout in [&metadata, &slices] {
            let picture = draw_metadata(layout, &options).unwrap();
            assert!(picture.len() <= MAX_PICTURE_SIZE * 3 / 4, "{} bytes", picture.len());
            let picture = draw_diff(layout, layout, &options).unwrap();
            assert!(picture.len() <= MAX_PICTURE_SIZE * 3 / 4, "{} bytes", picture.len());
        }
    }
}

/// The text of an area of the picture: what stands between two lines of its frame, at an element.
fn label_at(picture: &str, at: &str) -> bool {
    picture.lines().any(|line| line.contains(at))
}

#[test]
fn options_choose_dimensions_and_a_part_of_the_tensor() {
    let metadata = chunked(&[("pp", 2), ("tp", 3)], &[(0, "pp"), (2, "tp")], &[4, 5, 9]);
    let draw = |options: PictureOptions<'_>| draw_metadata(&metadata, &options);
    let usual = draw(PictureOptions::default()).unwrap();
    assert!(label_at(&usual, "dim 0 down, dim 2 across"), "{usual}");
    assert!(label_at(&usual, "Not cut: dim 1 of size 5."), "{usual}");
    let turned = draw(PictureOptions { axes: &[2, 1], ..PictureOptions::default() }).unwrap();
    assert!(label_at(&turned, "dim 2 down, dim 1 across"), "{turned}");
    assert!(label_at(&turned, "dim 0: 2 to 3"), "{turned}");
    let row = draw(PictureOptions { axes: &[2], ..PictureOptions::default() }).unwrap();
    assert!(label_at(&row, "dim 2 across"), "{row}");
    let window = Some((&[1, 0, 2][..], &[2, 5, 3][..]));
    let part = draw(PictureOptions { window, ..PictureOptions::default() }).unwrap();
    assert!(label_at(&part, "  1 ┌") && label_at(&part, "  3 └"), "{part}");
    for (axes, argument) in [(&[0, 1, 2][..], "axes"), (&[3][..], "axes"), (&[1, 1][..], "axes")] {
        let refused = draw(PictureOptions { axes, ..PictureOptions::default() }).unwrap_err();
        assert!(refused.to_string().contains(argument), "{refused}");
    }
    for width in [0, 39, 401, usize::MAX] {
        assert!(draw(PictureOptions { width, ..PictureOptions::default() }).is_err());
    }
}

#[test]
fn tensors_without_elements_and_without_dimensions_are_drawn() {
    for sizes in [&[0][..], &[0, 4], &[4, 0, 3]] {
        let metadata = chunked(&[("dp", 2)], &[(0, "dp")], sizes);
        for format in [PictureFormat::Text, PictureFormat::Svg] {
            let options = PictureOptions { format, ..PictureOptions::default() };
            let picture = draw_metadata(&metadata, &options).unwrap();
            assert!(picture.contains("Empty: 2 shards without an element."), "{picture}");
            draw_diff(&metadata, &metadata, &options).unwrap();
        }
    }
    let scalar = chunked(&[("dp", 2)], &[], &[]);
    for format in [PictureFormat::Text, PictureFormat::Svg] {
        let options = PictureOptions { format, ..PictureOptions::default() };
        let picture = draw_metadata(&scalar, &options).unwrap();
        assert!(picture.contains("0&1") || picture.contains("0&amp;1"), "{picture}");
        draw_diff(&scalar, &scalar, &options).unwrap();
    }
    let none = listed(&[]);
    let picture = draw_shards(&none, &[3, 2], &PictureOptions::default()).unwrap();
    assert!(picture.contains("Gap: 6 elements without an owner."), "{picture}");
}

#[test]
fn owners_without_ranks_have_their_names() {
    let named = listed(&[(&[0], &[2], "trainer0/cpu"), (&[2], &[2], "trainer1/cuda:1")]);
    let picture = draw_shards(&named, &[4], &PictureOptions::default()).unwrap();
    assert!(picture.contains("trainer0") && picture.contains("trainer1"), "{picture}");
    let devices = listed(&[(&[0], &[2], "rank:0/cuda:0"), (&[2], &[2], "rank:0/cuda:1")]);
    let picture = draw_shards(&devices, &[4], &PictureOptions::default()).unwrap();
    assert!(picture.contains("cuda:0") && picture.contains("cuda:1"), "{picture}");
    let unplaced = listed(&[(&[0], &[2], ""), (&[2], &[2], "")]);
    let picture = draw_shards(&unplaced, &[4], &PictureOptions::default()).unwrap();
    assert!(picture.contains("shard 0") && picture.contains("shard 1"), "{picture}");
    let odd = listed(&[(&[0], &[4], "<a&\"b\">/cpu")]);
    let svg = PictureOptions { format: PictureFormat::Svg, ..PictureOptions::default() };
    let picture = draw_shards(&odd, &[4], &svg).unwrap();
    assert!(picture.contains("&lt;a&amp;&quot;b&quot;&gt;") && !picture.contains("<a&"));
}

/// Shards that own random boxes of a small tensor, at random owners.
fn random_shards(random: &mut Random, sizes: &[i64]) -> Shards {
    let count = random.below(6);
    let mut shards = Vec::new();
    for _ in 0..count {
        let mut offsets = Vec::new();
        let mut lengths = Vec::new();
        for &size in sizes {
            let start = random.below(size as usize) as i64;
            offsets.push(start);
            lengths.push(random.below((size - start) as usize + 1) as i64);
        }
        let placement = Placement::on_rank(random.below(4) as i64).unwrap();
        shards.push(ShardMetadata { offsets, sizes: lengths, placement });
    }
    Shards::from_list(&shards).unwrap()
}

/// The number after a text, without commas.
fn number_after(picture: &str, text: &str) -> i64 {
    let Some((_, rest)) = picture.split_once(text) else { return 0 };
    let rest = rest.trim_start_matches("at least ");
    rest.chars()
        .filter(|sign| *sign != ',')
        .take_while(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .unwrap()
}

#[test]
fn gaps_overlaps_and_owners_are_those_of_brute_force() {
    let mut random = Random::new(20);
    for _ in 0..400 {
        let sizes = [1 + random.below(7) as i64, 1 + random.below(7) as i64];
        let shards = random_shards(&mut random, &sizes);
        let picture = draw_shards(&shards, &sizes, &PictureOptions::default()).unwrap();
        let (mut gap, mut overlap, mut of_owner) = (0, 0, [0i64; 4]);
        for row in 0..sizes[0] {
            for column in 0..sizes[1] {
                let has = |at: i64, start: i64, size: i64| (start..start + size).contains(&at);
                let holders = shards.iter().filter(|shard| {
                    has(row, shard.offsets[0], shard.sizes[0])
                        && has(column, shard.offsets[1], shard.sizes[1])
                });
                let mut count = 0;
                for holder in holders {
                    of_owner[holder.placement.rank().unwrap() as usize] += 1;
                    count += 1;
                }
                gap += i64::from(count == 0);
                overlap += (count - 1).max(0);
            }
        }
        assert_eq!(number_after(&picture, "Gap: "), gap, "{picture}");
        assert_eq!(number_after(&picture, "Overlap: "), overlap, "{picture}");
        for (rank, elements) in of_owner.into_iter().enumerate() {
            let line = picture.lines().find(|line| line.starts_with(&format!("  rank {rank} ")));
            let Some(line) = line else { continue };
            let found: i64 = line.split_whitespace().nth(3).unwrap().parse().unwrap();
            assert_eq!(found, elements, "{picture}");
        }
    }
}

#[test]
fn what_stays_is_what_brute_force_finds() {
    let mut random = Random::new(21);
    let kinds = |random: &mut Random| match random.below(3) {
        0 => RuleKind::Chunk,
        1 => RuleKind::Balanced,
        _ => cyclic(1 + random.below(3) as i64),
    };
    for _ in 0..200 {
        let sizes = [1 + random.below(12) as i64, 1 + random.below(12) as i64];
        let layout = |random: &mut Random| {
            let axes = [("a", 1 + random.below(3) as i64), ("b", 1 + random.below(3) as i64)];
            let cuts = [(0, "a", kinds(random)), (random.below(2) as i64, "b", kinds(random))];
            let flatten = random.below(4) == 0;
            let cuts: Vec<_> = cuts
                .into_iter()
                .map(|(dim, axis, kind)| (if flatten { 0 } else { dim }, axis, kind))
                .collect();
            laid_out(&axes, &cuts, &sizes, |layout| layout.flatten = flatten.then_some(0..2))
        };
        let (from, to) = (layout(&mut random), layout(&mut random));
        let picture = draw_diff(&from, &to, &PictureOptions::default()).unwrap();
        let (mut kept, mut received) = (0, 0);
        for row in 0..sizes[0] {
            for column in 0..sizes[1] {
                let owner = |metadata: &ShardedTensorMetadata| {
                    let shard = metadata.shard_at(&[row, column]).unwrap();
                    metadata.shards().at("shard", shard).unwrap().placement.rank()
                };
                if owner(&from) == owner(&to) { kept += 1 } else { received += 1 }
            }
        }
        let rows = picture.lines().filter(|line| line.starts_with("  rank "));
        let sums = rows.fold((0, 0), |sums: (i64, i64), line| {
            let numbers: Vec<i64> = line
                .split_whitespace()
                .skip(2)
                .map_while(|word| word.replace(',', "").parse().ok())
                .collect();
            (sums.0 + numbers[0], sums.1 + numbers[1])
        });
        assert_eq!(sums, (kept, received), "{picture}");
    }
}

/// The rules of a style, each with its selector.
fn rules(style: &str) -> Vec<(String, String)> {
    let rules = style.split('}').filter_map(|rule| rule.trim().split_once('{'));
    rules.map(|(selector, says)| (selector.to_owned(), says.to_owned())).collect()
}

/// An SVG for light and dark pages is the light one, with the colours of the dark one in a block for pages
/// that prefer dark. That block sets what the light colours set, and each colour that differs is used.
#[test]
fn a_picture_for_both_backgrounds_changes_every_colour_that_is_used() {
    let from = chunked(&[("a", 6)], &[(0, "a")], &[12, 6]);
    let to = chunked(&[("a", 6)], &[(1, "a")], &[12, 6]);
    let large = chunked(&[("dp", 64), ("tp", 64)], &[(0, "dp"), (1, "tp")], &[65536, 32768]);
    let faults = listed(&[
        (&[0, 0], &[4, 8], "rank:0"),
        (&[3, 0], &[2, 8], "rank:1"),
        (&[5, 0], &[1, 8], "rank:2"),
    ]);
    let plan = ReshardPlan::new(&from, &to).unwrap();
    let draws: [&dyn Fn(&PictureOptions<'_>) -> String; 5] = [
        &|options| draw_metadata(&from, options).unwrap(),
        &|options| draw_metadata(&large, options).unwrap(),
        &|options| draw_shards(&faults, &[8, 8], options).unwrap(),
        &|options| draw_diff(&from, &to, options).unwrap(),
        &|options| draw_plan(&plan, options).unwrap(),
    ];
    let (mut changed, mut used) = (BTreeSet::new(), BTreeSet::new());
    for draw in draws {
        let [both, light, dark] = [Theme::Auto, Theme::Light, Theme::Dark].map(|theme| {
            draw(&PictureOptions { format: PictureFormat::Svg, theme, ..PictureOptions::default() })
        });
        let (before, behind) = both.split_once("@media(prefers-color-scheme:dark){\n").unwrap();
        let (block, behind) = behind.split_once("\n}\n").unwrap();
        assert_eq!(format!("{before}{behind}"), light);
        let own = &before
            [before.find(" .bg{").map(|at| before[..at].rfind('\n').unwrap() + 1).unwrap()..];
        assert_eq!(format!("{}{block}\n{behind}", before.strip_suffix(own).unwrap()), dark);
        let (own, block) = (rules(own), rules(block));
        let selectors = |rules: &[(String, String)]| -> Vec<String> {
            rules.iter().map(|(selector, _)| selector.clone()).collect()
        };
        assert_eq!(selectors(&own), selectors(&block));
        let id = both.split_once("class=\"").unwrap().1.split('"').next().unwrap();
        for ((selector, says), (_, in_the_dark)) in own.iter().zip(&block) {
            let names = |says: &str| -> Vec<String> {
                says.split(';').map(|one| one.split(':').next().unwrap().to_owned()).collect()
            };
            assert_eq!(names(says), names(in_the_dark), "{selector}");
            if says != in_the_dark {
                let (of_picture, what) = selector.split_once(' ').unwrap();
                assert_eq!(of_picture, format!(".{id}"));
                changed.insert(what.rsplit('.').next().unwrap().to_owned());
            }
        }
        let classes = behind.split("class=\"").skip(1).map(|text| text.split('"').next().unwrap());
        used.extend(classes.flat_map(|all| all.split(' ').map(str::to_owned)));
        used.insert("text".to_owned());
    }
    let unused: Vec<_> = changed.difference(&used).collect();
    assert!(changed.len() > 8 && unused.is_empty(), "{unused:?} of {changed:?}");
}
