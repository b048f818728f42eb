//! The placements of torch's DTensor: one for each axis of a mesh.
//!
//! `S(0)R`, `_S(0, 2)S(0)`, `(Shard(dim=0), Partial(sum))`: torch's short and long texts, with or without
//! brackets and commas. Cuts are applied in the order of the axes. `_S(d, n)` cuts each of `n` equal
//! segments.
//!
//! Source: `torch.distributed.tensor.placement_types`.

use super::Notation;
use super::lexer::Lexer;
use super::plain::{PlainCut, PlainLayout, chunk, partial, unsayable};
use super::printed::Printed;
use crate::error::Result;
use crate::memory::{Shown, TryVec, text};
use crate::model::{Mesh, MeshAxis, MeshLayout, MeshShardingSpec, Reduction};

const EXPECTED: &str = "a placement: S(dim), _S(dim, split_factor), R or P(reduction)";
/// Names that begin with an R and are no replica.
const LONG: &[&str] = &["Replicate", "RaggedShard"];
/// Names of placements that are interpreted.
const READ: &[&str] = &["S", "Shard", "_S", "_StridedShard", "Replicate", "P", "Partial"];

pub(super) fn parse(written: &str, mesh: Mesh) -> Result<MeshShardingSpec> {
    let mut lexer = Lexer::new(Notation::DTensor, written);
    let mut layout = MeshLayout::default();
    let closing = if lexer.eat("(") {
        Some(")")
    } else if lexer.eat("[") {
        Some("]")
    } else {
        None
    };
    for (number, axis) in mesh.axes().iter().enumerate() {
        if number > 0 {
            lexer.eat(",");
        }
        let is_over = lexer.is_end() || closing.is_some_and(|closing| lexer.is_next(closing));
        if is_over {
            let expected = text!("a placement for axis {:?} of the mesh {mesh}", axis.name());
            return Err(lexer.unexpected(expected));
        }
        placement(&mut lexer, axis, &mut layout)?;
    }
    if closing.is_some() {
        lexer.eat(",");
    }
    if let Some(closing) = closing {
        lexer.expect(closing)?;
    }
    if !lexer.is_end() {
        let problem = text!("the end of the text: the mesh {mesh} has {} axes", mesh.ndim());
        return Err(lexer.unexpected(problem));
    }
    MeshShardingSpec::new(mesh, layout)
}

/// Reads the placement of one axis.
fn placement(lexer: &mut Lexer<'_>, axis: &MeshAxis, layout: &mut MeshLayout) -> Result<()> {
    let start = lexer.at();
    let word = lexer.peek_word();
    if word.starts_with('R') && !LONG.iter().any(|long| word.starts_with(long)) {
        // In the short form, nothing separates placements: "RRS(0)".
        lexer.eat("R");
        return Ok(());
    }
    if READ.contains(&word) {
        lexer.eat_word(word);
    }
    match word {
        "S" | "Shard" => {
            let dim = argument(lexer, "dim", "a dimension")?;
            lexer.expect(")")?;
            layout.cuts.try_push(chunk(dim, axis.name(), false, 1)?)?;
        }
        "_S" | "_StridedShard" => {
            let dim = argument(lexer, "dim", "a dimension")?;
            lexer.expect(",")?;
            let at = lexer.at();
            if lexer.eat_word("split_factor") || lexer.eat_word("sf") {
                lexer.expect("=")?;
            }
            let factor = lexer.number("a split factor")?;
            if factor < 1 {
                return Err(lexer.wrong(at, "the split factor is below 1"));
            }
            lexer.expect(")")?;
            layout.cuts.try_push(chunk(dim, axis.name(), false, factor)?)?;
        }
        "Replicate" => {
            if lexer.eat("(") {
                lexer.expect(")")?;
            }
        }
        "P" | "Partial" => {
            let reduction = reduction(lexer)?;
            layout.partial.try_push(partial(axis.name(), reduction)?)?;
        }
        other @ ("MaskP" | "_MaskPartial" | "MaskPartial" | "_NormPartial" | "RaggedShard"
        | "_RaggedShard") => {
            let what = text!("{other} is not interpreted");
            return Err(lexer.not_interpreted(start, what));
        }
        _ => return Err(lexer.unexpected(EXPECTED)),
    }
    Ok(())
}

/// Reads the bracket and the first argument, by its name or its position.
fn argument(lexer: &mut Lexer<'_>, name: &str, expected: &'static str) -> Result<i64> {
    lexer.expect("(")?;
    if lexer.eat_word(name) {
        lexer.expect("=")?;
    }
    lexer.number(expected)
}

/// Reads the reduction of a partial placement. Without one, it is the sum.
fn reduction(lexer: &mut Lexer<'_>) -> Result<Reduction> {
    if !lexer.eat("(") {
        return Ok(Reduction::Sum);
    }
    if lexer.eat(")") {
        return Ok(Reduction::Sum);
    }
    if lexer.eat_word("reduce_op") {
        lexer.expect("=")?;
    }
    let at = lexer.at();
    let quoted = lexer.is_next("'") || lexer.is_next("\"");
    let name =
        if quoted { lexer.quoted("'\"", "a reduction")? } else { lexer.word("a reduction")? };
    let Ok(reduction) = Reduction::parse(name) else {
        let names = "pass sum, avg, product, min, max, band, bor or bxor";
        return Err(lexer.wrong(at, text!("{} is not a reduction; {names}", Shown(name))));
    };
    lexer.expect(")")?;
    Ok(reduction)
}

pub(super) fn format(spec: &MeshShardingSpec, ndim: Option<usize>) -> Result<String> {
    let plain = PlainLayout::new(Notation::DTensor, spec, ndim)?;
    let mut text = Printed::new();
    for axis in 0..spec.mesh().ndim() {
        match (plain.cuts.iter().position(|cut| cut.axis == axis), plain.reduction(axis)) {
            (Some(number), _) => {
                let (dim, factor) = placed(&plain, number)?;
                if factor == 1 {
                    text.push(format_args!("S({dim})"))?;
                } else {
                    text.push(format_args!("_S({dim}, {factor})"))?;
                }
            }
            (None, Some(reduction)) => text.push(format_args!("P({reduction})"))?,
            (None, None) => text.push(format_args!("R"))?,
        }
    }
    Ok(text.into_string())
}

/// The dimension and the split factor of a cut.
///
/// DTensor applies cuts in the order of the axes. A cut that comes after those of later axes is one of
/// as many segments as these have coordinates, if all pieces are of equal size.
fn placed(plain: &PlainLayout<'_>, number: usize) -> Result<(i64, i64)> {
    let Some(&PlainCut { dim, axis, segments, .. }) = plain.cuts.get(number) else {
        return Ok((0, 1));
    };
    let same = |cut: &&PlainCut| cut.dim == dim;
    let before = plain.cuts.iter().take(number).filter(same).filter(|cut| cut.axis > axis);
    let factor = before.fold(1i64, |product, cut| product.saturating_mul(plain.size(cut.axis)));
    if factor == 1 {
        return Ok((dim, segments));
    }
    let exact = |cut: &PlainCut| cut.even && cut.segments == 1;
    if !plain.cuts.iter().filter(same).all(exact) {
        let what = text!(
            "the cut of dimension {dim} over axis {:?} after a cut over a later axis of the mesh; DTensor \
             has a text for even cuts only",
            plain.name(axis)
        );
        return Err(unsayable(Notation::DTensor, what));
    }
    Ok((dim, factor))
}
