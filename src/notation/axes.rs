//! The axes of a mesh as a text names them: each at most once.

use super::lexer::Lexer;
use crate::error::Result;
use crate::memory::{Shown, text, try_filled};
use crate::model::Mesh;

/// The axes of a mesh that a text has named so far.
pub(super) struct NamedAxes<'a> {
    mesh: &'a Mesh,
    is_named: Vec<bool>,
}

impl<'a> NamedAxes<'a> {
    pub(super) fn new(mesh: &'a Mesh) -> Result<Self> {
        Ok(Self { mesh, is_named: try_filled(false, mesh.ndim())? })
    }

    /// The axis of a name that was read at a position.
    pub(super) fn claim(&mut self, lexer: &Lexer<'_>, at: usize, name: &str) -> Result<()> {
        let found = self.mesh.axes().iter().position(|axis| axis.name() == name);
        let Some(axis) = found else {
            let problem = text!("the mesh has no axis named {}; it is {}", Shown(name), self.mesh);
            return Err(lexer.wrong(at, problem));
        };
        if self.is_named.get_mut(axis).is_none_or(|named| std::mem::replace(named, true)) {
            let problem = text!("axis {} is named twice; name each axis once", Shown(name));
            return Err(lexer.wrong(at, problem));
        }
        Ok(())
    }
}
