//! Texts and descriptors of other programs that may be anything: what is parsed is printed and parsed again.

use shardspec::error::Describe;
use shardspec::model::{Mesh, MeshShardingSpec, ShardingSpec, TensorProperties, TensorShape};
use shardspec::notation::{Notation, format, format_descriptor, numroc, parse, parse_descriptor};

use crate::memory::within;

/// Memory for parsing: a multiple of the input, and something for the rest.
const MEMORY_PER_BYTE: usize = 256;
const MEMORY_AT_LEAST: usize = 1 << 20;
/// A size that all even cuts of the meshes divide.
const SIZE: i64 = 48;

/// A mesh by its number.
pub fn mesh(number: u8) -> Mesh {
    let axes: &[(&str, i64)] = match number % 6 {
        0 => &[("x", 2), ("y", 2), ("z", 1)],
        1 => &[("dp", 2), ("tp", 4)],
        2 => &[("x", 3), ("y", 2), ("z", 2)],
        3 => &[("a", 4)],
        4 => &[],
        _ => &[("it's", 2), ("\"q\"", 2)],
    };
    Mesh::new(axes).expect("a mesh")
}

/// Parses a text, and prints and parses what it says.
pub fn exercise_text(notation: u8, text: &str, mesh: Mesh, ndim: usize) {
    let notation = match notation % 4 {
        0 => Notation::DTensor,
        1 => Notation::Jax,
        2 => Notation::Xla,
        _ => Notation::Shardy,
    };
    let memory = MEMORY_AT_LEAST + MEMORY_PER_BYTE * text.len();
    let spec = match within(memory, "parse", || parse(notation, text, mesh.clone())) {
        Ok(spec) => spec,
        Err(error) => {
            if let Some(at) = error.describe().1.index {
                assert!(at <= text.len(), "{error}: no place of the text");
            }
            let _ = error.to_string();
            return;
        }
    };
    let known = if ndim == 0 { None } else { Some(ndim) };
    for to in [Notation::DTensor, Notation::Jax, Notation::Xla, Notation::Shardy] {
        let Ok(written) = format(&spec, to, known) else { continue };
        // The spec of a single device of XLA is over a mesh of its own, whose text counts devices of the whole.
        let over = if to == Notation::Xla { mesh.clone() } else { spec.mesh().clone() };
        let again = parse(to, &written, over).unwrap_or_else(|error| {
            panic!("{text:?} is {written:?} in {to}, which is refused: {error}")
        });
        assert_same_layout(&spec, &again, ndim, &written);
        if let Ok(twice) = format(&again, to, known) {
            assert_eq!(twice, written, "{text:?} in {to}");
        }
    }
}

/// Two specs cut a tensor alike, if both cut it.
fn assert_same_layout(own: &MeshShardingSpec, again: &MeshShardingSpec, ndim: usize, text: &str) {
    // A text for so many dimensions says nothing of others: a dimension may count from the last.
    let ndims: &[usize] = if ndim == 0 { &[1, 3] } else { &[ndim] };
    for &ndim in ndims {
        let sizes = vec![if ndim > 8 { 2 } else { SIZE }; ndim];
        let build = |spec: &MeshShardingSpec| {
            spec.build_metadata(TensorShape::new(&sizes), TensorProperties::default())
        };
        if let (Ok(a), Ok(b)) = (build(own), build(again)) {
            assert!(a == b, "{text:?} of {sizes:?}: {own} is not {again}");
        }
    }
}

/// Parses a descriptor of ScaLAPACK, and prints and parses what it says.
pub fn exercise_descriptor(input: &[u8], device: usize) {
    let mut descriptor = [0; 9];
    for (entry, bytes) in descriptor.iter_mut().zip(input.chunks(8)) {
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        *entry = i64::from_le_bytes(whole);
    }
    let grid = Mesh::new(&[("p", 2), ("q", 3)]).expect("a mesh");
    let device = device % 8;
    let [_, context, rows, columns, block, _, source, ..] = descriptor;
    let _ = numroc(rows, block, device as i64, source, 3);
    let spec = match parse_descriptor(&descriptor, grid.clone(), device) {
        Ok(spec) => spec,
        Err(error) => return drop(error.to_string()),
    };
    let Ok(written) = format_descriptor(&spec, [rows, columns], context, device) else { return };
    let again = parse_descriptor(&written, grid, device).expect("what was written is read");
    let twice = format_descriptor(&again, [rows, columns], context, device);
    assert_eq!(twice.ok(), Some(written), "{descriptor:?}");
}
