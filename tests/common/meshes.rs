//! Random layouts over meshes.

use shardspec::model::{
    Cut, Mesh, MeshCut, MeshLayout, MeshShardingSpec, Pad, PadTo, Placement, Placements, Rule,
    RuleKind, Segment, Segments,
};

use super::Random;

/// A random spec for a tensor of these sizes, whose devices are on ranks below `ranks`.
pub fn random_spec(random: &mut Random, sizes: &[i64], ranks: i64) -> MeshShardingSpec {
    let mut dims = sizes.to_vec();
    let mut layout = MeshLayout::default();
    if dims.len() > 1 && random.below(5) == 0 {
        let start = random.below(dims.len() - 1);
        let end = start + 2 + random.below(dims.len() - start - 1);
        let flat = dims[start..end].iter().product();
        dims.splice(start..end, [flat]);
        layout.flatten = Some(start..end);
    }
    if random.below(4) == 0 {
        let dim = random.below(dims.len());
        let multiple = random.range(2, 9);
        dims[dim] = (dims[dim] + multiple - 1) / multiple * multiple;
        layout.pads.push(Pad { dim: (dim as i64).into(), to: PadTo::Multiple(multiple) });
    }
    let axes: Vec<(String, i64)> = (0..1 + random.below(3))
        .map(|axis| (format!("axis{axis}"), [1, 2, 2, 3, 4][random.below(5)]))
        .collect();
    let mut order: Vec<usize> = (0..axes.len()).collect();
    random.shuffle(&mut order);
    let mut is_cut = vec![false; dims.len()];
    for axis in order {
        if random.below(5) == 0 {
            continue;
        }
        let dim = random.below(dims.len());
        let length = (!is_cut[dim]).then_some(dims[dim]);
        let cut = random_cut(random, length, axes[axis].1);
        layout.cuts.push(MeshCut::new(dim as i64, &axes[axis].0, cut).unwrap());
        is_cut[dim] = true;
    }
    let axes: Vec<(&str, i64)> = axes.iter().map(|(name, size)| (name.as_str(), *size)).collect();
    let devices: i64 = axes.iter().map(|(_, size)| size).product();
    let placements = (0..devices).map(|_| Placement::on_rank(random.range(0, ranks)).unwrap());
    let placements = Placements::new(placements.collect::<Vec<_>>().into_iter()).unwrap();
    MeshShardingSpec::new(Mesh::with_placements(&axes, placements).unwrap(), layout).unwrap()
}

/// A cut into the pieces of `count` coordinates that is legal: of so many positions, where the number is
/// known.
fn random_cut(random: &mut Random, length: Option<i64>, count: i64) -> Cut {
    let rule = random_rule(random, length, count);
    let segments = match (random.below(4), length) {
        (0, _) if !matches!(rule.kind, RuleKind::Sizes(_)) => Segments::Equal(random.range(1, 4)),
        (1, Some(length)) => {
            let at = random.range(0, length + 1);
            let segment = |size, random: &mut Random| Segment {
                size,
                rule: random_rule(random, Some(size), count),
            };
            Segments::Listed([segment(at, random), segment(length - at, random)].into())
        }
        _ => Segments::One,
    };
    Cut { rule, segments }
}

fn random_rule(random: &mut Random, length: Option<i64>, count: i64) -> Rule {
    let repeats: Vec<i64> = [1, 1, 1, 2, 3, 4].into_iter().filter(|r| count % r == 0).collect();
    let repeat = repeats[random.below(repeats.len())];
    let pieces = count / repeat;
    let mut granule = if random.below(3) == 0 { random.range(2, 5) } else { 1 };
    let kind = match (random.below(5), length) {
        (0, _) => RuleKind::Balanced,
        (1, _) => RuleKind::Cyclic { block: random.range(1, 5), first: random.range(0, pieces) },
        (2, _) => {
            let mut weights: Vec<i64> = (0..pieces).map(|_| random.range(0, 4)).collect();
            weights[random.below(pieces as usize)] += 1;
            RuleKind::Weights(weights.into())
        }
        (3, Some(length)) => {
            granule = 1;
            let mut ends: Vec<i64> = (1..pieces).map(|_| random.range(0, length + 1)).collect();
            ends.extend([0, length]);
            ends.sort_unstable();
            RuleKind::Sizes(ends.windows(2).map(|pair| pair[1] - pair[0]).collect())
        }
        _ => RuleKind::Chunk,
    };
    Rule { kind, granule, repeat, even: false }
}
