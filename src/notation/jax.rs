//! JAX's `PartitionSpec`: for each dimension the axes that cut it, the outermost first.
//!
//! `P(('x', 'y'), None, 'z')`, `PartitionSpec('x', unreduced={'y'})`. JAX refuses pieces of different sizes,
//! so all cuts are even.
//!
//! Source: `jax.sharding.PartitionSpec`.

use super::Notation;
use super::axes::NamedAxes;
use super::lexer::Lexer;
use super::plain::{PlainLayout, chunk, partial};
use super::printed::Printed;
use crate::error::Result;
use crate::geometry::MAX_NDIM;
use crate::memory::TryVec;
use crate::model::{Mesh, MeshLayout, MeshShardingSpec, Reduction};

const QUOTES: &str = "'\"";
const EXPECTED: &str = "an axis in quotes, axes in brackets, or None";

pub(super) fn parse(written: &str, mesh: Mesh) -> Result<MeshShardingSpec> {
    let mut reader = PartitionSpecReader {
        lexer: Lexer::new(Notation::Jax, written),
        axes: NamedAxes::new(&mesh)?,
        layout: MeshLayout::default(),
    };
    reader.read()?;
    let layout = reader.layout;
    MeshShardingSpec::new(mesh, layout)
}

struct PartitionSpecReader<'a> {
    lexer: Lexer<'a>,
    axes: NamedAxes<'a>,
    layout: MeshLayout,
}

impl PartitionSpecReader<'_> {
    fn read(&mut self) -> Result<()> {
        if !self.lexer.eat_word("PartitionSpec") && !self.lexer.eat_word("P") {
            return Err(self.lexer.unexpected("PartitionSpec or P"));
        }
        self.lexer.expect("(")?;
        let mut dim = 0;
        while !self.lexer.is_next(")") {
            if matches!(self.lexer.peek_word(), "unreduced" | "reduced") {
                self.reductions()?;
            } else if dim == MAX_NDIM as i64 {
                return Err(self.lexer.too_many_dims(self.lexer.at()));
            } else {
                self.entry(dim)?;
                dim = dim.saturating_add(1);
            }
            if !self.lexer.eat(",") {
                break;
            }
        }
        if !self.lexer.is_next(")") {
            return Err(self.lexer.unexpected("\",\" or \")\""));
        }
        self.lexer.expect(")")?;
        self.lexer.expect_end()
    }

    /// The axes of one dimension.
    fn entry(&mut self, dim: i64) -> Result<()> {
        let at = self.lexer.at();
        if self.lexer.eat_word("None") {
            return Ok(());
        }
        if matches!(self.lexer.peek_word(), "P" | "PartitionSpec" | "UNCONSTRAINED") {
            let what = "UNCONSTRAINED is not interpreted: the compiler chooses what it means; name the \
                        axes, or pass None";
            return Err(self.lexer.not_interpreted(at, what));
        }
        let closing = match () {
            () if self.lexer.eat("(") => ")",
            () if self.lexer.eat("[") => "]",
            () => return self.axis(dim, EXPECTED),
        };
        let mut is_over = self.lexer.eat(closing);
        while !is_over {
            self.axis(dim, "an axis in quotes")?;
            is_over = self.lexer.ends_list(closing)?;
        }
        Ok(())
    }

    fn axis(&mut self, dim: i64, expected: &'static str) -> Result<()> {
        let at = self.lexer.at();
        let name = self.lexer.quoted(QUOTES, expected)?;
        self.axes.claim(&self.lexer, at, name)?;
        Ok(self.layout.cuts.try_push(chunk(dim, name, true, 1)?)?)
    }

    /// The axes that are pending a reduction.
    fn reductions(&mut self) -> Result<()> {
        let at = self.lexer.at();
        let word = self.lexer.word("unreduced")?;
        if word == "reduced" {
            let what = "reduced axes are not interpreted: they say how to differentiate, not where \
                        elements are; leave them out";
            return Err(self.lexer.not_interpreted(at, what));
        }
        self.lexer.expect("=")?;
        let is_frozen = self.lexer.eat_word("frozenset");
        if is_frozen {
            self.lexer.expect("(")?;
        }
        self.lexer.expect("{")?;
        let mut is_over = self.lexer.eat("}");
        while !is_over {
            let at = self.lexer.at();
            let name = self.lexer.quoted(QUOTES, "an axis in quotes")?;
            self.axes.claim(&self.lexer, at, name)?;
            self.layout.partial.try_push(partial(name, Reduction::Sum)?)?;
            is_over = self.lexer.ends_list("}")?;
        }
        if is_frozen { self.lexer.expect(")") } else { Ok(()) }
    }
}

pub(super) fn format(spec: &MeshShardingSpec, ndim: Option<usize>) -> Result<String> {
    let plain = PlainLayout::new(Notation::Jax, spec, ndim)?;
    plain.only_sums()?;
    let dims = plain.axes_of_dims(ndim)?;
    let name = |text: &mut Printed, axis: usize| text.name(Notation::Jax, QUOTES, plain.name(axis));
    let mut text = Printed::new();
    text.push(format_args!("P("))?;
    text.list(", ", &dims, |text, axes| match axes.as_slice() {
        [] => text.push(format_args!("None")),
        [one] => name(text, *one),
        several => {
            text.push(format_args!("("))?;
            text.list(", ", several, |text, axis| name(text, *axis))?;
            text.push(format_args!(")"))
        }
    })?;
    let partial = &spec.layout().partial;
    if !partial.is_empty() {
        text.push(format_args!("{}unreduced={{", if dims.is_empty() { "" } else { ", " }))?;
        text.list(", ", partial, |text, one| text.name(Notation::Jax, QUOTES, &one.axis))?;
        text.push(format_args!("}}"))?;
    }
    // JAX writes a single entry as a tuple of Python.
    let is_single = dims.len() == 1 && partial.is_empty();
    text.push(format_args!("{}", if is_single { ",)" } else { ")" }))?;
    Ok(text.into_string())
}
