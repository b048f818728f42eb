//! XLA's tiles: their numbers, the devices in their order, and the axes of a mesh that make them.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "sizes of axes and tiles are at least 1, and their products are at most the number of devices"
)]

use super::lexer::Lexer;
use crate::error::Result;
use crate::geometry::MAX_NDIM;
use crate::memory::{TryVec, text, try_filled, try_with_capacity};
use crate::model::{Mesh, MeshAxis};

/// Reads numbers in brackets whose product is the number of devices.
pub(super) fn factors(lexer: &mut Lexer<'_>, count: usize) -> Result<Vec<usize>> {
    let start = lexer.at();
    let mut numbers = Vec::new();
    let mut product = 1usize;
    lexer.expect("[")?;
    loop {
        let at = lexer.at();
        let number = lexer.number("a number of tiles")?;
        let number = usize::try_from(number).ok().filter(|number| *number > 0);
        let multiplied = number.and_then(|number| product.checked_mul(number));
        let (Some(number), Some(multiplied)) = (number, multiplied.filter(|all| *all <= count))
        else {
            let problem = text!("the numbers do not multiply to {count}, the devices of the mesh");
            return Err(lexer.wrong(at, problem));
        };
        product = multiplied;
        // One more than dimensions: the tiles may end in one of replicas.
        if numbers.len() > MAX_NDIM {
            return Err(lexer.too_many_dims(at));
        }
        numbers.try_push(number)?;
        if !lexer.eat(",") {
            break;
        }
    }
    lexer.expect("]")?;
    if product != count {
        let problem = text!("the numbers multiply to {product}, and the mesh has {count} devices");
        return Err(lexer.wrong(start, problem));
    }
    Ok(numbers)
}

/// Reads the devices in the order of the tiles: `<=[2,2]T(1,0)`, or a list.
pub(super) fn devices_of_tiles(lexer: &mut Lexer<'_>, count: usize) -> Result<Vec<usize>> {
    if !lexer.eat("<=") {
        return listed(lexer, count);
    }
    let sizes = factors(lexer, count)?;
    let mut order = try_with_capacity(sizes.len())?;
    order.extend(0..sizes.len());
    if lexer.eat_word("T") {
        order = permutation(lexer, sizes.len())?;
    }
    // For each dimension in the new order, its size and how far its neighbours are apart.
    let mut loops: Vec<(usize, usize)> = try_with_capacity(sizes.len())?;
    for dim in order {
        let step = sizes.iter().skip(dim + 1).product();
        loops.push((sizes.get(dim).copied().unwrap_or(1), step));
    }
    let mut devices = try_with_capacity(count)?;
    devices.extend((0..count).map(|tile| device_of(tile, &loops)));
    Ok(devices)
}

/// The device of a tile of nested loops, each of a count and a step, the outermost first.
fn device_of(tile: usize, loops: &[(usize, usize)]) -> usize {
    let (mut rest, mut device) = (tile, 0);
    for (size, step) in loops.iter().rev() {
        device += rest % size * step;
        rest /= size;
    }
    device
}

fn permutation(lexer: &mut Lexer<'_>, len: usize) -> Result<Vec<usize>> {
    let mut order = try_with_capacity(len)?;
    lexer.expect("(")?;
    for number in 0..len {
        if number > 0 {
            lexer.expect(",")?;
        }
        let at = lexer.at();
        let dim = usize::try_from(lexer.number("the number of a dimension")?).ok();
        let Some(dim) = dim.filter(|dim| *dim < len && !order.contains(dim)) else {
            let problem = text!("it is no permutation; pass each number below {len} once");
            return Err(lexer.wrong(at, problem));
        };
        order.push(dim);
    }
    lexer.expect(")")?;
    Ok(order)
}

fn listed(lexer: &mut Lexer<'_>, count: usize) -> Result<Vec<usize>> {
    let mut devices = try_with_capacity(count)?;
    let mut is_listed = try_filled(false, count)?;
    for number in 0..count {
        if number > 0 {
            lexer.expect(",")?;
        }
        let at = lexer.at();
        let device = lexer.number("\"<=\" or the number of a device")?;
        let index = usize::try_from(device).unwrap_or(usize::MAX);
        if is_listed.get_mut(index).is_none_or(|listed| std::mem::replace(listed, true)) {
            let problem =
                text!("device {device} is listed twice, or is none of the {count} devices");
            return Err(lexer.wrong(at, problem));
        }
        devices.push(index);
    }
    Ok(devices)
}

/// The axes of more than one coordinate that the tiles are made of: pairs of a tile dimension and an axis,
/// the innermost first. `None` where the devices are in another order.
pub(super) fn axes_of_tiles(
    mesh: &Mesh, tiles: &[usize], devices: &[usize],
) -> Result<Option<Vec<(usize, usize)>>> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    // The nested loops that the axes make, the outermost last.
    let mut loops: Vec<(usize, usize)> = Vec::new();
    let mut block = 1;
    for (tile, &size) in tiles.iter().enumerate().rev() {
        let mut rest = size;
        while rest > 1 {
            let Some(step) = devices.get(block).copied() else { return Ok(None) };
            let is_next = |(_, axis): &(usize, &MeshAxis)| axis.size() > 1;
            let mut axes = mesh.axes().iter().enumerate().filter(is_next);
            let next = axes.find(|(axis, own)| {
                mesh.stride(*axis) == step
                    && rest % own.size() == 0
                    && !found.iter().any(|(_, other)| other == axis)
            });
            let Some((axis, own)) = next else { return Ok(None) };
            found.try_push((tile, axis))?;
            loops.try_push((own.size(), step))?;
            block *= own.size();
            rest /= own.size();
        }
    }
    loops.reverse();
    let mut all = devices.iter().enumerate();
    let is_same = all.all(|(tile, &device)| device_of(tile, &loops) == device);
    Ok(is_same.then_some(found))
}
