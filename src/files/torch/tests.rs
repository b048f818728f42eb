//! Hostile pickles and archives, and those that torch wrote.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::path::PathBuf;

use super::item::saved_tensor;
use super::metadata::TorchCheckpoint;
use super::pickle::Pickle;
use super::zip::{ByteSource, records};
use super::{Malformed, Parsed};

impl ByteSource for &[u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, at: u64, length: usize) -> Parsed<Vec<u8>> {
        let part = self.get(at as usize..).and_then(|rest| rest.get(..length));
        part.map(<[u8]>::to_vec).ok_or_else(|| Malformed::new("outside of the bytes"))
    }
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/checkpoints");
    std::fs::read(folder.join(name)).unwrap()
}

fn problem(malformed: Malformed) -> String {
    match malformed {
        Malformed::Problem(problem) => problem.as_str().to_owned(),
        Malformed::Failed(error) => error.to_string(),
    }
}

fn refused(pickle: &[u8]) -> String {
    problem(Pickle::read(pickle).map(|_| ()).unwrap_err())
}

#[test]
fn a_pickle_that_calls_something_else_is_refused_with_its_name() {
    for (module, name) in [("os", "system"), ("builtins", "eval"), ("torch", "load"), ("torch", "")]
    {
        let named = format!("{module}.{name}");
        let by_line = format!("\u{80}\u{2}c{module}\n{name}\n(X\u{4}\0\0\0trueR.");
        let mut bytes: Vec<u8> = by_line.chars().map(|c| c as u32 as u8).collect();
        let problem = refused(&bytes);
        assert!(problem.contains(&named) && problem.contains("nothing of it was run"), "{problem}");
        bytes = b"\x80\x04\x8c".to_vec();
        for (text, next) in [(module, 0x8c), (name, 0x93)] {
            bytes.push(text.len() as u8);
            bytes.extend(text.bytes());
            bytes.push(next);
        }
        bytes.extend(b")R.");
        assert!(refused(&bytes).contains(&named));
    }
}

#[test]
fn getattr_is_for_members_of_an_enum_only() {
    let call = |class: &[u8]| {
        let mut bytes = b"\x80\x04cbuiltins\ngetattr\nc".to_vec();
        bytes.extend(class);
        bytes.extend(b"X\x04\0\0\0name\x86R.");
        bytes
    };
    let enumeration = b"torch.distributed.checkpoint.metadata\n_MEM_FORMAT_ENCODING\n";
    assert!(Pickle::read(&call(enumeration)).is_ok());
    assert!(refused(&call(b"torch\nSize\n")).contains("builtins.getattr"));
    assert!(refused(b"\x80\x04cbuiltins\ngetattr\n)R.").contains("builtins.getattr"));
}

#[test]
fn a_deep_pickle_needs_memory_and_no_stack() {
    let depth = 1 << 20;
    let mut bytes = b"\x80\x04".to_vec();
    bytes.extend(std::iter::repeat_n(b']', depth));
    bytes.extend(std::iter::repeat_n(b'a', depth - 1));
    bytes.push(b'.');
    assert!(Pickle::read(&bytes).is_ok());
    assert!(problem(TorchCheckpoint::read(&bytes).unwrap_err()).contains("Metadata"));
    let mut marks = b"\x80\x04".to_vec();
    marks.extend(std::iter::repeat_n(b'(', depth));
    marks.extend(std::iter::repeat_n(b't', depth));
    marks.push(b'.');
    assert!(Pickle::read(&marks).is_ok());
}

#[test]
fn a_list_may_hold_itself() {
    assert!(Pickle::read(b"\x80\x04]\x94h\0a.").is_ok());
}

#[test]
fn lengths_beyond_the_file_ask_for_no_memory() {
    let long = u64::MAX.to_le_bytes();
    for operation in [0x8d, 0x8e] {
        let mut bytes = vec![0x80, 4, operation];
        bytes.extend(long);
        bytes.push(b'.');
        assert_eq!(refused(&bytes), "it ends too early");
    }
    assert_eq!(refused(b"\x80\x04X\xff\xff\xff\xffabc."), "it ends too early");
    assert_eq!(refused(b"\x80\x04Nr\xff\xff\xff\x7f."), "memo 2147483647 comes after memo 0");
    assert_eq!(refused(b"\x80\x04j\xff\xff\xff\x7f."), "nothing was memoized as 2147483647");
}

#[test]
fn what_is_no_pickle_is_refused() {
    let cases: [(&[u8], &str); 13] = [
        (b"", "ends too early"),
        (b"\x80\x01N.", "protocol 1"),
        (b"\x80\x06N.", "protocol 6"),
        (b"\x80\x04.", "has not made"),
        (b"\x80\x04N", "ends too early"),
        (b"\x80\x04(N0.", "has not made"),
        (b"\x80\x04N(\x85.", "has not made"),
        (b"\x80\x04t.", "has not made"),
        (b"\x80\x04Na.", "has not made"),
        (b"\x80\x04}(NNNu.", "key without a value"),
        (b"\x80\x04NNb.", "a state is set"),
        (b"\x80\x04N)R.", "a class is expected where None is"),
        (b"\x80\x04I1\n.", "operation 0x49 at byte 2"),
    ];
    for (bytes, expected) in cases {
        let problem = refused(bytes);
        assert!(problem.contains(expected), "{bytes:?}: {problem}");
    }
    let mut wide = b"\x80\x04\x8a\x09".to_vec();
    wide.extend([1; 9]);
    assert!(refused(&wide).contains("more than 64 bits"));
}

/// A pickle of a checkpoint: `tensors` tensors that share one list of `chunks` chunks.
fn sharing(tensors: usize, chunks: usize) -> Vec<u8> {
    let module = "torch.distributed.checkpoint.metadata";
    let mut bytes = b"\x80\x04".to_vec();
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.push(b'X');
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.bytes());
    };
    let class = |bytes: &mut Vec<u8>, name: &str| {
        bytes.extend(
            format!("c{module}\n{name}\n)\u{1}").bytes().map(|b| if b == 1 { 0x81 } else { b }),
        );
    };
    // The chunks, memoized as 0: all at the same place.
    bytes.extend(b"](");
    for _ in 0..chunks {
        class(&mut bytes, "ChunkStorageMetadata");
        bytes.extend(b"}(");
        text(&mut bytes, "offsets");
        bytes.extend(b"K\0\x85");
        text(&mut bytes, "sizes");
        bytes.extend(b"K\x01\x85ub");
    }
    bytes.extend(b"e\x940");
    class(&mut bytes, "Metadata");
    bytes.extend(b"}(");
    text(&mut bytes, "state_dict_metadata");
    bytes.extend(b"}(");
    for tensor in 0..tensors {
        text(&mut bytes, &tensor.to_string());
        class(&mut bytes, "TensorStorageMetadata");
        bytes.extend(b"}(");
        text(&mut bytes, "properties");
        class(&mut bytes, "TensorProperties");
        bytes.extend(b"ctorch\nfloat32\n\x85b");
        text(&mut bytes, "size");
        bytes.extend(b"K\x01\x85");
        text(&mut bytes, "chunks");
        bytes.extend(b"h\0ub");
    }
    bytes.extend(b"u");
    text(&mut bytes, "storage_data");
    bytes.extend(b"}(");
    for tensor in 0..tensors {
        class(&mut bytes, "MetadataIndex");
        bytes.extend(b"}(");
        text(&mut bytes, "fqn");
        text(&mut bytes, &tensor.to_string());
        text(&mut bytes, "offset");
        bytes.extend(b"K\0\x85ub");
        bytes.extend(b"ctorch.distributed.checkpoint.filesystem\n_StorageInfo\n)\x81}(");
        text(&mut bytes, "relative_path");
        text(&mut bytes, "file");
        text(&mut bytes, "offset");
        bytes.extend(b"K\0");
        text(&mut bytes, "length");
        bytes.extend(b"K\x04ub");
    }
    bytes.extend(b"uub.");
    bytes
}

#[test]
fn shared_lists_of_chunks_do_not_multiply() {
    let checkpoint = TorchCheckpoint::read(&sharing(3, 1)).unwrap();
    assert_eq!(checkpoint.tensors.len(), 3);
    assert_eq!(checkpoint.tensors[2].chunks[0].length, 4);
    let refused = problem(TorchCheckpoint::read(&sharing(1000, 1000)).unwrap_err());
    assert!(refused.contains("more chunks than items"), "{refused}");
}

#[test]
fn places_outside_of_the_directory_are_refused() {
    let bytes = sharing(1, 1);
    let at = bytes.windows(4).rposition(|bytes| bytes == b"file").unwrap();
    for path in ["/etc", "../x", "a/..", "a//b", "./ab", "a\\bc", "ab\0c"] {
        let mut bytes = bytes[..at - 4].to_vec();
        bytes.extend((path.len() as u32).to_le_bytes());
        bytes.extend(path.bytes());
        bytes.extend(&sharing(1, 1)[at + 4..]);
        let refused = problem(TorchCheckpoint::read(&bytes).unwrap_err());
        assert!(refused.contains("no path of a file in the directory"), "{path:?}: {refused}");
    }
}

/// The archives of the checkpoint that torch wrote.
fn archives() -> Vec<Vec<u8>> {
    let checkpoint = TorchCheckpoint::read(&fixture("plain/.metadata")).unwrap();
    let chunks = checkpoint.tensors.iter().flat_map(|tensor| &tensor.chunks);
    let archive = |chunk: &super::metadata::TorchChunk| {
        let file = fixture(&format!("plain/{}", chunk.file));
        file[chunk.start as usize..][..chunk.length as usize].to_vec()
    };
    chunks.map(archive).collect()
}

#[test]
fn what_torch_wrote_is_found() {
    let checkpoint = TorchCheckpoint::read(&fixture("plain/.metadata")).unwrap();
    let names: Vec<_> = checkpoint.tensors.iter().map(|tensor| &*tensor.name).collect();
    assert!(names.contains(&"layers.0.float8") && names.contains(&"transposed"), "{names:?}");
    assert!(checkpoint.others.iter().any(|name| name.starts_with("optimizer")));
    for archive in archives() {
        let tensor = saved_tensor(&archive.as_slice()).map_err(problem).unwrap();
        assert!(tensor.start < archive.len() as u64);
        assert!(records(&archive.as_slice()).map_err(problem).unwrap().len() > 3);
    }
}

/// Some bytes changed, taken away, doubled or moved.
fn mutate(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(changed.len().max(1)).min(changed.len().saturating_sub(1));
        let length = random.below(9).min(changed.len() - at);
        match random.below(6) {
            _ if changed.is_empty() => return changed,
            0 => changed[at] ^= 1 << random.below(8),
            1 => changed[at] = [0, 1, 0x7f, 0x80, 0xff, b'.', b'(', b'R'][random.below(8)],
            2 => drop(changed.drain(at..at + length)),
            3 => {
                let part = changed[at..at + length].to_vec();
                let to = random.below(changed.len());
                changed.splice(to..to, part);
            }
            4 => changed[at..at + length].fill(0xff),
            _ if random.below(8) == 0 => changed.truncate(at),
            _ => {}
        }
    }
    changed
}

#[test]
fn changed_files_are_read_or_refused() {
    let rounds = if cfg!(debug_assertions) { 3_000 } else { 20_000 };
    let mut random = Random(0x5eed_0123_4567_89ab);
    let metadata = fixture("plain/.metadata");
    let archives = archives();
    let mut read = 0;
    for _ in 0..rounds {
        read += usize::from(TorchCheckpoint::read(&mutate(&mut random, &metadata)).is_ok());
        let archive = &archives[random.below(archives.len())];
        let changed = mutate(&mut random, archive);
        if let Ok(tensor) = saved_tensor(&changed.as_slice()) {
            assert!(tensor.start <= changed.len() as u64);
            read += 1;
        }
    }
    assert!(read > 0 && read < 2 * rounds);
}

#[test]
fn every_shorter_file_is_refused() {
    let metadata = fixture("plain/.metadata");
    for end in 0..metadata.len() {
        assert!(TorchCheckpoint::read(&metadata[..end]).is_err(), "{end}");
    }
    let archive = &archives()[0];
    for end in 0..archive.len() {
        assert!(saved_tensor(&&archive[..end]).is_err(), "{end}");
    }
}
