//! Shardy's shardings: for each dimension the axes that cut it, the outermost first.
//!
//! `sharding<@mesh, [{"x"}, {}], replicated={"y"}>`, with `#sdy.` before it or without, and with the name of
//! a mesh or the mesh itself, `mesh<["x"=2, "y"=4]>`. An axis that the text does not name replicates. Tiles are
//! those of XLA, so several cuts of a dimension are even.
//!
//! Source: the dialect `sdy` of Shardy.

use super::Notation;
use super::axes::NamedAxes;
use super::lexer::Lexer;
use super::plain::{PlainLayout, chunk, partial};
use super::printed::Printed;
use crate::error::Result;
use crate::geometry::MAX_NDIM;
use crate::memory::{TryVec, text};
use crate::model::{Mesh, MeshLayout, MeshShardingSpec, Reduction};

const QUOTES: &str = "\"";

pub(super) fn parse(written: &str, mesh: Mesh) -> Result<MeshShardingSpec> {
    let mut reader = ShardyReader {
        lexer: Lexer::new(Notation::Shardy, written),
        mesh: &mesh,
        axes: NamedAxes::new(&mesh)?,
        layout: MeshLayout::default(),
    };
    reader.read()?;
    let layout = reader.layout;
    MeshShardingSpec::new(mesh, layout)
}

struct ShardyReader<'a> {
    lexer: Lexer<'a>,
    mesh: &'a Mesh,
    axes: NamedAxes<'a>,
    layout: MeshLayout,
}

impl ShardyReader<'_> {
    fn read(&mut self) -> Result<()> {
        if self.lexer.eat("#") && !(self.lexer.eat_word("sdy") && self.lexer.eat(".")) {
            return Err(self.lexer.unexpected("sdy.sharding"));
        }
        if !self.lexer.eat_word("sharding") {
            return Err(self.lexer.unexpected("sharding"));
        }
        self.lexer.expect("<")?;
        self.mesh()?;
        self.lexer.expect(",")?;
        self.lexer.expect("[")?;
        let mut dim = 0;
        let mut is_over = self.lexer.eat("]");
        while !is_over {
            if dim == MAX_NDIM as i64 {
                return Err(self.lexer.too_many_dims(self.lexer.at()));
            }
            self.dim(dim)?;
            dim = dim.saturating_add(1);
            is_over = self.lexer.ends_list("]")?;
        }
        while self.lexer.eat(",") {
            self.list()?;
        }
        self.lexer.expect(">")?;
        self.lexer.expect_end()
    }

    /// The name of the mesh, or its axes, which are those of the mesh that was passed.
    fn mesh(&mut self) -> Result<()> {
        if self.lexer.eat("@") {
            if self.lexer.is_next("\"") {
                self.lexer.quoted(QUOTES, "the name of a mesh")?;
            } else {
                self.lexer.word("the name of a mesh")?;
            }
            return Ok(());
        }
        if !self.lexer.eat_word("mesh") {
            return Err(self.lexer.unexpected("\"@\" and the name of a mesh, or mesh<axes>"));
        }
        let start = self.lexer.at();
        self.lexer.expect("<")?;
        self.lexer.expect("[")?;
        let mut count = 0;
        let (mut is_same, mut is_over) = (true, self.lexer.eat("]"));
        while is_same && !is_over {
            let name = self.lexer.quoted(QUOTES, "an axis in quotes")?;
            self.lexer.expect("=")?;
            let size = self.lexer.number("the size of an axis")?;
            let own = self.mesh.axes().get(count);
            is_same = own.is_some_and(|own| own.name() == name && own.size() as i64 == size);
            count = count.saturating_add(1);
            is_over = self.lexer.ends_list("]")?;
        }
        if !is_same || count != self.mesh.ndim() {
            let problem = text!("the text has another mesh than {}, which was passed", self.mesh);
            return Err(self.lexer.wrong(start, problem));
        }
        if self.lexer.is_next(",") {
            let what = "device_ids are not interpreted; pass a mesh with its devices in that order";
            return Err(self.lexer.not_interpreted(self.lexer.at(), what));
        }
        self.lexer.expect(">")
    }

    /// The axes of one dimension.
    fn dim(&mut self, dim: i64) -> Result<()> {
        let first = self.layout.cuts.len();
        self.lexer.expect("{")?;
        let mut is_over = self.lexer.eat("}");
        while !is_over {
            let at = self.lexer.at();
            if self.lexer.is_next("?") {
                let what = "an open dimension is not interpreted: the compiler chooses more axes for it; \
                            leave \"?\" out";
                return Err(self.lexer.not_interpreted(at, what));
            }
            let name = self.axis()?;
            self.layout.cuts.try_push(chunk(dim, name, false, 1)?)?;
            is_over = self.lexer.ends_list("}")?;
        }
        if self.lexer.peek_word().starts_with('p') {
            let what = "a priority is not interpreted: it directs the compiler; leave it out";
            return Err(self.lexer.not_interpreted(self.lexer.at(), what));
        }
        let own = self.layout.cuts.get_mut(first..).unwrap_or_default();
        let is_divided = own.len() > 1;
        for cut in own {
            cut.cut.rule.even = is_divided;
        }
        Ok(())
    }
}

impl<'a> ShardyReader<'a> {
    /// Reads an axis that has not been read before.
    fn axis(&mut self) -> Result<&'a str> {
        let at = self.lexer.at();
        let name = self.lexer.quoted(QUOTES, "an axis in quotes")?;
        self.axes.claim(&self.lexer, at, name)?;
        if self.lexer.is_next(":") {
            let what = "a part of an axis is not interpreted; pass a mesh in which it is an axis";
            return Err(self.lexer.not_interpreted(self.lexer.at(), what));
        }
        Ok(name)
    }

    /// The axes that replicate, or those that are pending a reduction.
    fn list(&mut self) -> Result<()> {
        let is_partial = self.lexer.peek_word() == "unreduced";
        if !is_partial && self.lexer.peek_word() != "replicated" {
            return Err(self.lexer.unexpected("replicated or unreduced"));
        }
        self.lexer.word("replicated")?;
        self.lexer.expect("=")?;
        self.lexer.expect("{")?;
        while !self.lexer.eat("}") {
            let name = self.axis()?;
            if is_partial {
                self.layout.partial.try_push(partial(name, Reduction::Sum)?)?;
            }
            if !self.lexer.eat(",") {
                return self.lexer.expect("}");
            }
        }
        Ok(())
    }
}

pub(super) fn format(spec: &MeshShardingSpec, ndim: Option<usize>) -> Result<String> {
    let plain = PlainLayout::new(Notation::Shardy, spec, ndim)?;
    plain.only_sums()?;
    let dims = plain.tiled_dims(ndim)?;
    let name = |text: &mut Printed, name: &str| text.name(Notation::Shardy, QUOTES, name);
    let mut text = Printed::new();
    text.push(format_args!("sharding<@mesh, ["))?;
    text.list(", ", &dims, |text, axes| {
        text.push(format_args!("{{"))?;
        text.list(", ", axes, |text, axis| name(text, plain.name(*axis)))?;
        text.push(format_args!("}}"))
    })?;
    text.push(format_args!("]"))?;
    let partial = &spec.layout().partial;
    let is_used = |axis: &usize| {
        dims.iter().flatten().any(|used| used == axis) || plain.reduction(*axis).is_some()
    };
    let replicated = || (0..spec.mesh().ndim()).filter(|axis| !is_used(axis));
    if replicated().next().is_some() {
        text.push(format_args!(", replicated={{"))?;
        text.list(", ", replicated(), |text, axis| name(text, plain.name(axis)))?;
        text.push(format_args!("}}"))?;
    }
    if !partial.is_empty() {
        text.push(format_args!(", unreduced={{"))?;
        text.list(", ", partial, |text, one| name(text, &one.axis))?;
        text.push(format_args!("}}"))?;
    }
    text.push(format_args!(">"))?;
    Ok(text.into_string())
}
