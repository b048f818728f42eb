//! Documents of layouts that may be anything: what is read is written and read again.

use std::fmt::Debug;

use shardspec::error::{Describe, Result};
use shardspec::interchange::{
    metadata_from_binary, metadata_from_json, metadata_to_binary, metadata_to_json, plan_to_json,
    spec_from_binary, spec_from_json, spec_to_binary, spec_to_json,
};
use shardspec::model::ShardedTensorMetadata;
use shardspec::plan::ReshardPlan;

use crate::memory::within;

/// Memory for reading: a multiple of the input, and something for the rest.
const MEMORY_PER_BYTE: usize = 256;
const MEMORY_AT_LEAST: usize = 1 << 20;

/// A value that was read within the memory for an input of so many bytes, if it was. A refusal has a place
/// in the input.
fn read<T>(length: usize, what: &str, read: impl FnOnce() -> Result<T>) -> Option<T> {
    let memory = MEMORY_AT_LEAST + MEMORY_PER_BYTE * length;
    match within(memory, what, read) {
        Ok(value) => Some(value),
        Err(error) => {
            let at = error.describe().1.index;
            assert!(at.is_some_and(|at| at <= length), "{error}: no place of the {length} bytes");
            let message = error.to_string();
            assert!(message.len() < 1 << 12, "a message of {} bytes", message.len());
            None
        }
    }
}

/// Reads a text in every way.
pub fn exercise_json(text: &[u8]) {
    if let Some(spec) = read(text.len(), "spec_from_json", || spec_from_json(text)) {
        let written = spec_to_json(spec.as_spec()).expect("what was read is written");
        assert_same(&spec_from_json(written.as_bytes()).expect("what was written is read"), &spec);
        let bytes = spec_to_binary(spec.as_spec()).and_then(|form| form.to_vec()).expect("bytes");
        let again = spec_from_binary(&bytes).expect("bytes that were written are read");
        assert_same(&again, &spec);
        assert_eq!(spec_to_json(again.as_spec()).expect("a text"), written);
    }
    if let Some(metadata) = read(text.len(), "metadata_from_json", || metadata_from_json(text)) {
        metadata_comes_back(&metadata);
    }
}

/// Reads bytes in every way.
pub fn exercise_binary(bytes: &[u8]) {
    if let Some(spec) = read(bytes.len(), "spec_from_binary", || spec_from_binary(bytes)) {
        exercise_json(spec_to_json(spec.as_spec()).expect("what was read is written").as_bytes());
    }
    if let Some(metadata) =
        read(bytes.len(), "metadata_from_binary", || metadata_from_binary(bytes))
    {
        metadata_comes_back(&metadata);
    }
}

/// What is written is read again, as JSON and as bytes.
pub fn metadata_comes_back(metadata: &ShardedTensorMetadata) {
    let written = metadata_to_json(metadata).expect("what was read is written");
    let again = metadata_from_json(written.as_bytes()).expect("what was written is read");
    assert_same(&again, metadata);
    assert_eq!((again.mesh(), again.dim_names()), (metadata.mesh(), metadata.dim_names()));
    let bytes = metadata_to_binary(metadata).and_then(|form| form.to_vec()).expect("bytes");
    let again = metadata_from_binary(&bytes).expect("bytes that were written are read");
    assert_same(&again, metadata);
    assert_eq!(metadata_to_json(&again).expect("a text"), written);
    if let Ok(plan) = ReshardPlan::new(metadata, &again) {
        let _ = plan_to_json(&plan);
    }
}

fn assert_same<T: PartialEq + Debug>(a: &T, b: &T) {
    assert!(a == b, "{a:?} is not {b:?}");
}

/// The bytes of a document: `input` is its text, a zero, and the arrays behind the text. Its lengths and
/// its checksum are right, which a fuzzer does not find.
pub fn sealed(input: &[u8]) -> Vec<u8> {
    let (text, arrays) = match input.iter().position(|&byte| byte == 0) {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &[][..]),
    };
    let text_length = text.len().next_multiple_of(8);
    let mut bytes = b"\x8cshard\r\n\x01\0\0\0\0\0\0\0".to_vec();
    bytes.extend(((32 + text_length + arrays.len() + 8) as u64).to_le_bytes());
    bytes.extend((text_length as u64).to_le_bytes());
    bytes.extend(text);
    bytes.resize(32 + text_length, b' ');
    bytes.extend(arrays);
    let checksum = crc(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

/// The CRC-64/NVME, bit by bit.
fn crc(bytes: &[u8]) -> u64 {
    let mut register = u64::MAX;
    for &byte in bytes {
        register ^= u64::from(byte);
        for _ in 0..8 {
            register = register >> 1 ^ (register & 1) * 0x9a6c_9329_ac4b_c9b5;
        }
    }
    !register
}
