//! XLA's shardings: the tiles of each dimension, and the devices in the order of the tiles.
//!
//! `{devices=[2,2]<=[2,2]T(1,0) last_tile_dim_replicate}`, `{devices=[2]1,0}`, `{replicated}` and
//! `{maximal device=0}`. Device `n` is device `n` of the mesh. Tiles are equal chunks. Where several axes cut
//! a dimension, the tiles are those of one cut after the other only if they are even, so these cuts are.
//!
//! Source: `xla::HloSharding`.

use super::Notation;
use super::lexer::Lexer;
use super::plain::{PlainLayout, chunk, unsayable};
use super::printed::Printed;
use super::tiles::{axes_of_tiles, devices_of_tiles, factors};
use crate::error::Result;
use crate::geometry::MAX_NDIM;
use crate::memory::{TryVec, text, try_to_vec};
use crate::model::{Mesh, MeshAxis, MeshLayout, MeshShardingSpec, Placements};

const OTHERS: &[&str] = &["manual", "unknown", "unreduced", "shard_as", "shard_like", "metadata"];

pub(super) fn parse(written: &str, mesh: Mesh) -> Result<MeshShardingSpec> {
    let mut lexer = Lexer::new(Notation::Xla, written);
    if lexer.eat_word("sharding") {
        lexer.expect("=")?;
    }
    lexer.expect("{")?;
    let at = lexer.at();
    if lexer.is_next("{") {
        let what = "a tuple of shardings is not interpreted; pass each sharding by itself";
        return Err(lexer.not_interpreted(at, what));
    }
    if lexer.eat_word("devices") {
        lexer.expect("=")?;
        let layout = tiled(&mut lexer, &mesh)?;
        return MeshShardingSpec::new(mesh, layout);
    }
    if lexer.eat_word("maximal") {
        let device = maximal(&mut lexer, &mesh)?;
        return MeshShardingSpec::new(device, MeshLayout::default());
    }
    if !lexer.eat_word("replicated") {
        refuse_others(&lexer)?;
        return Err(lexer.unexpected("devices, replicated or maximal"));
    }
    end(&mut lexer)?;
    MeshShardingSpec::new(mesh, MeshLayout::default())
}

/// Refuses the parts of a sharding that are not interpreted.
fn refuse_others(lexer: &Lexer<'_>) -> Result<()> {
    let word = lexer.peek_word();
    if OTHERS.contains(&word) {
        return Err(lexer.not_interpreted(lexer.at(), text!("{word} is not interpreted")));
    }
    Ok(())
}

fn end(lexer: &mut Lexer<'_>) -> Result<()> {
    refuse_others(lexer)?;
    lexer.expect("}")?;
    lexer.expect_end()
}

/// The mesh of the one device that has the tensor.
fn maximal(lexer: &mut Lexer<'_>, mesh: &Mesh) -> Result<Mesh> {
    if !lexer.eat_word("device") {
        return Err(lexer.unexpected("device"));
    }
    lexer.expect("=")?;
    let at = lexer.at();
    let device = lexer.number("the number of a device")?;
    let placement = usize::try_from(device).ok().and_then(|device| mesh.placements().get(device));
    let Some(placement) = placement.cloned() else {
        let count = mesh.device_count();
        let problem = text!("device {device} is none of the {count} devices of the mesh {mesh}");
        return Err(lexer.wrong(at, problem));
    };
    end(lexer)?;
    Mesh::with_placements(&[], Placements::of_one(placement)?)
}

fn tiled(lexer: &mut Lexer<'_>, mesh: &Mesh) -> Result<MeshLayout> {
    let count = mesh.device_count();
    let at = lexer.at();
    let tiles = factors(lexer, count)?;
    let devices = devices_of_tiles(lexer, count)?;
    let others = other_dims(lexer)?;
    end(lexer)?;
    let Some(ndim) = tiles.len().checked_sub(others) else {
        let problem = text!("there are {} tile dimensions and {others} at the end", tiles.len());
        return Err(lexer.wrong(at, problem));
    };
    if ndim > MAX_NDIM {
        return Err(lexer.too_many_dims(at));
    }
    let Some(axes) = axes_of_tiles(mesh, &tiles, &devices)? else {
        let problem = text!(
            "the tiles are not made of whole axes of the mesh {mesh}; pass a mesh with an axis for each \
             factor of the tiles"
        );
        return Err(lexer.wrong(at, problem));
    };
    let mut layout = MeshLayout::default();
    for dim in 0..ndim {
        let own = || axes.iter().rev().filter(|(tile, _)| *tile == dim);
        let even = own().count() > 1;
        for (_, axis) in own() {
            let name = mesh.axes().get(*axis).map_or("", MeshAxis::name);
            layout.cuts.try_push(chunk(dim as i64, name, even, 1)?)?;
        }
    }
    Ok(layout)
}

/// Reads how many of the last tile dimensions are of replicas.
fn other_dims(lexer: &mut Lexer<'_>) -> Result<usize> {
    if lexer.eat_word("last_tile_dim_replicate") {
        return Ok(1);
    }
    if !lexer.eat_word("last_tile_dims") {
        return Ok(0);
    }
    lexer.expect("=")?;
    lexer.expect("{")?;
    let mut count = 0usize;
    loop {
        if !lexer.eat_word("replicated") {
            refuse_others(lexer)?;
            return Err(lexer.unexpected("replicated"));
        }
        count = count.saturating_add(1);
        if !lexer.eat(",") {
            lexer.expect("}")?;
            return Ok(count);
        }
    }
}

pub(super) fn format(spec: &MeshShardingSpec, ndim: Option<usize>) -> Result<String> {
    let plain = PlainLayout::new(Notation::Xla, spec, ndim)?;
    let mut text = Printed::new();
    if let Some(partial) = spec.layout().partial.first() {
        let what = text!("axis {:?}, which is pending a reduction", partial.axis);
        return Err(unsayable(Notation::Xla, what));
    }
    let dims = plain.tiled_dims(ndim)?;
    if spec.mesh().ndim() == 0 {
        let rank = spec.mesh().placements().get(0).and_then(|only| only.rank());
        let Some(rank) = rank else {
            return Err(unsayable(Notation::Xla, "a single device that is no rank"));
        };
        text.push(format_args!("{{maximal device={rank}}}"))?;
        return Ok(text.into_string());
    }
    let product =
        |axes: &[usize]| axes.iter().fold(1i64, |all, &axis| all.saturating_mul(plain.size(axis)));
    if dims.iter().all(|axes| product(axes) == 1) {
        text.push(format_args!("{{replicated}}"))?;
        return Ok(text.into_string());
    }
    let (order, replicas) = order_of_axes(&plain, &dims)?;
    text.push(format_args!("{{devices=["))?;
    text.list(",", &dims, |text, axes| text.push(format_args!("{}", product(axes))))?;
    let replicas = product(&replicas);
    if replicas > 1 {
        text.push(format_args!(",{replicas}"))?;
    }
    text.push(format_args!("]<="))?;
    iota(&mut text, &plain, &order)?;
    text.push(format_args!("{}", if replicas > 1 { " last_tile_dim_replicate}" } else { "}" }))?;
    Ok(text.into_string())
}

/// All axes of more than one coordinate, in the order of the tiles; and those of replicas.
fn order_of_axes(plain: &PlainLayout<'_>, dims: &[Vec<usize>]) -> Result<(Vec<usize>, Vec<usize>)> {
    let mut order = Vec::new();
    order.try_extend(dims.iter().flatten().copied().filter(|&axis| plain.size(axis) > 1))?;
    let (mut replicas, all) = (Vec::new(), 0..plain.spec.mesh().ndim());
    replicas.try_extend(all.filter(|axis| plain.size(*axis) > 1 && !order.contains(axis)))?;
    order.try_extend_from_slice(&replicas)?;
    Ok((order, replicas))
}

/// Prints an order of axes as XLA does: axes that stay neighbours are one dimension.
fn iota(text: &mut Printed, plain: &PlainLayout<'_>, order: &[usize]) -> Result<()> {
    let next = |axis: usize| {
        let mut later = axis.saturating_add(1)..plain.spec.mesh().ndim();
        later.find(|&axis| plain.size(axis) > 1)
    };
    // The first axis of each group, in the order of the tiles, and the coordinates of the group.
    let mut groups: Vec<(usize, i64)> = Vec::new();
    let mut before = None;
    for &axis in order {
        match groups.last_mut() {
            Some((_, size)) if before.and_then(next) == Some(axis) => {
                *size = size.saturating_mul(plain.size(axis));
            }
            _ => groups.try_push((axis, plain.size(axis)))?,
        }
        before = Some(axis);
    }
    let mut sorted = try_to_vec(&groups)?;
    sorted.sort_unstable();
    text.push(format_args!("["))?;
    text.list(",", &sorted, |text, (_, size)| text.push(format_args!("{size}")))?;
    text.push(format_args!("]"))?;
    if groups != sorted {
        text.push(format_args!("T("))?;
        let place = |group| sorted.iter().position(|other| other == group).unwrap_or(0);
        text.list(",", &groups, |text, group| text.push(format_args!("{}", place(group))))?;
        text.push(format_args!(")"))?;
    }
    Ok(())
}
