//! Layouts as other programs write them.
//!
//! `shardspec_spec_parse` reads the text of a layout of DTensor, JAX, XLA or Shardy. The caller
//! also passes the mesh. `shardspec_spec_format` writes the text of a spec over a mesh.
//!
//!   DTENSOR   S(0)R   _S(0, 2)S(0)   (Shard(dim=0), Partial(sum))
//!   JAX       PartitionSpec(('x', 'y'), None)   P('x', unreduced={'y'})
//!   XLA       {devices=[2,2]<=[2,2]T(1,0) last_tile_dim_replicate}   {devices=[2]1,0}   {replicated}
//!   SHARDY    sharding<@mesh, [{"x"}, {}], replicated={"y"}>
//!
//! If `shardspec_spec_format` writes a spec as a text, `shardspec_spec_parse` can create a new spec
//! from this text. For each tensor that both specs accept, the old spec and the new spec give equal
//! layouts. One of the two specs may also refuse a tensor that the other spec accepts. The
//! reason is the field `even` of cuts, which texts do not contain. A cut with `even` 1 refuses
//! pieces of different sizes. A cut from a text of JAX has `even` 1, and a cut from a text of
//! DTensor has `even` 0. If a text of XLA or Shardy cuts a dimension several times, these cuts have
//! `even` 1. All other cuts from texts of XLA or Shardy have `even` 0.
//!
//!   shardspec_spec_parse(SHARDSPEC_NOTATION_DTENSOR, "RS(1)", mesh, &spec, &err);
//!   shardspec_spec_format(spec, SHARDSPEC_NOTATION_JAX, 2, text, sizeof text, NULL, &err);
//!   puts(text);    // P(None, 'tp') on a mesh of axes "dp" and "tp"
//!
//! Source: `torch.distributed.tensor.placement_types`, `jax.sharding.PartitionSpec`,
//! `xla::HloSharding`, the dialect `sdy` of Shardy.

use std::ffi::c_char;

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{answer_text, out, text};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::mesh::shardspec_mesh;
use crate::ffi::mesh_spec::mesh_spec;
use crate::ffi::spec::{give, shardspec_spec};
use crate::memory::text;
use crate::model::Error;
use crate::notation::{Notation, format, parse};

/// The placements of torch's DTensor, one for each axis of the mesh: "S(0)R".
pub const SHARDSPEC_NOTATION_DTENSOR: i32 = 1;
/// The axes of each dimension, as JAX writes them: "P('x', None)".
pub const SHARDSPEC_NOTATION_JAX: i32 = 2;
/// The tiles of each dimension and the order of the devices, as XLA writes them:
/// "{devices=[2,1]<=[2]}". Device n of the text is device n of the mesh.
pub const SHARDSPEC_NOTATION_XLA: i32 = 3;
/// The axes of each dimension, as Shardy writes them: "sharding<@mesh, [{"x"}, {}]>".
pub const SHARDSPEC_NOTATION_SHARDY: i32 = 4;

/// The notation of a number.
fn notation_of(number: i32) -> Outcome<Notation> {
    Ok(match number {
        SHARDSPEC_NOTATION_DTENSOR => Notation::DTensor,
        SHARDSPEC_NOTATION_JAX => Notation::Jax,
        SHARDSPEC_NOTATION_XLA => Notation::Xla,
        SHARDSPEC_NOTATION_SHARDY => Notation::Shardy,
        _ => {
            let problem =
                text!("{number} is not a notation; pass a SHARDSPEC_NOTATION_... constant");
            return Err(Error::invalid("notation", problem).into());
        }
    })
}

/// Creates the spec that `text` describes. `notation` is a `SHARDSPEC_NOTATION_...` constant. The
/// spec is a mesh spec over `mesh`. There is one exception: a text such as "{maximal device=3}" of
/// XLA makes a spec over one device, which is device 3 of `mesh`.
///
/// If the text is wrong, the error's message names the wrong byte of `text` and all texts that are
/// allowed at this place. The error's `index` is the number of this byte, counted from 0.
///
/// Time: proportional to the length of the text, and for XLA also to the number of devices.
/// Ownership: the library copies all arguments. The caller frees `*out`. The caller may free `mesh`
/// before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if the notation is unknown, the text does not follow its notation, the
/// text names an axis twice or an axis that the mesh does not have, or the tiles of an XLA text do
/// not consist of whole axes of the mesh; UNSUPPORTED if the library does not interpret a part of
/// the text (the message names this part); INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_parse(
    notation: i32, text: *const c_char, mesh: *const shardspec_mesh, out: *mut *mut shardspec_spec,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let notation = notation_of(notation)?;
        let text = self::text("text", text)?;
        let mesh = handle::get("mesh", mesh)?;
        give(place, parse(notation, text, mesh.clone())?)
    })
}

/// Writes a mesh spec to `buffer` as a text. The notation of the text is `notation`, a
/// `SHARDSPEC_NOTATION_...` constant. `ndim` is the number of dimensions of the tensor. With `ndim`
/// 0, the text ends at the last dimension that is cut. A cut with a negative dimension counts from
/// the last dimension, and needs a positive `ndim`.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: UNSUPPORTED if the notation has no text for the layout (the message names the part of
/// the layout); WRONG_SPEC_TYPE if the spec is not a mesh spec; INVALID_DIM if the spec cuts a
/// dimension that a tensor of `ndim` dimensions does not have; INVALID_ARGUMENT if the notation is
/// unknown or `ndim` is above 32; BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit`
/// is the capacity needed); INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_format(
    spec: *const shardspec_spec, notation: i32, ndim: usize, buffer: *mut c_char, capacity: usize,
    needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let spec = handle::get("spec", spec)?;
        let notation = notation_of(notation)?;
        let text = format(mesh_spec(&**spec)?, notation, (ndim > 0).then_some(ndim))?;
        answer_text(buffer, capacity, needed, text)
    })
}
