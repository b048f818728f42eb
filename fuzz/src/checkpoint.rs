//! Opening a checkpoint that may be anything, and reading what it claims to have.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use shardspec::error::{Describe, Error};
use shardspec::files::{
    CheckpointRead, FileSet, ReadItem, ReadOptions, StoredTensor, WantedTensor, check, check_set,
    open,
};
use shardspec::memory::Shared;
use shardspec::transfer::{HostView, LocalShards};

use crate::memory::within;

/// Tensors that are read have at most so many bytes together.
const MAX_READ: usize = 1 << 16;
/// Memory for opening and checking: a multiple of the input, and something for the rest.
const MEMORY_PER_BYTE: usize = 256;
const MEMORY_AT_LEAST: usize = 4 << 20;

/// A directory for the files of one input. It is in memory where the system has such a place.
pub struct Folder(PathBuf);

impl Folder {
    /// The directory of this process, without files.
    pub fn empty() -> Self {
        let folder = Self(root().join("input"));
        let _ = fs::remove_dir_all(&folder.0);
        fs::create_dir(&folder.0).expect("a directory");
        folder
    }

    /// The directory of that name with these files, which are written once. Others that an input wrote
    /// stay, for it to write them again.
    pub fn with(name: &str, files: &[(&str, &[u8])]) -> Self {
        static DONE: OnceLock<()> = OnceLock::new();
        let folder = Self(root().join(name));
        DONE.get_or_init(|| {
            fs::create_dir(&folder.0).expect("a directory");
            files.iter().for_each(|(name, bytes)| folder.write(name, bytes));
        });
        folder
    }

    /// Writes a file.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.join(name), bytes).expect("a file");
    }

    /// Its path.
    pub fn path(&self) -> String {
        self.0.to_str().expect("a path in UTF-8").to_owned()
    }

    /// The path of a file in it.
    pub fn path_of(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path in UTF-8").to_owned()
    }
}

/// The directory of this process. `tools/fuzz.sh` removes it.
fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let root = base.join(format!("shardspec-fuzz-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir(&root).expect("a directory");
        root
    })
}

/// Opens a checkpoint made of some `input_bytes`, checks what it says of itself, and reads it.
pub fn exercise(path: &str, input_bytes: usize) {
    let memory = input_bytes * MEMORY_PER_BYTE + MEMORY_AT_LEAST;
    let set = match within(memory, "opening", || open(path)) {
        Ok(set) => set,
        Err(error) => return check_error(&error),
    };
    match within(memory, "checking", || check_set(&set, 64)) {
        Ok(problems) => problems.problems.iter().for_each(|problem| check_error(&problem.error)),
        Err(error) => check_error(&error),
    }
    let mut left = MAX_READ;
    for (number, tensor) in set.tensors().iter().enumerate() {
        assert_eq!(set.find(tensor.name()), Some(number), "a tensor is found by its name");
        check_chunks(&set, tensor);
        match bytes_of(tensor) {
            Some(bytes) if bytes <= left => {
                left -= bytes;
                read(&set, tensor, bytes);
            }
            _ => {}
        }
    }
}

/// Every refusal has a status and says something.
fn check_error(error: &Error) {
    assert_ne!(error.describe().0, 0);
    assert!(!error.to_string().is_empty());
}

/// The bytes of the whole tensor.
fn bytes_of(tensor: &StoredTensor) -> Option<usize> {
    let numel = tensor.sizes().iter().try_fold(1u64, |numel, &size| {
        numel.checked_mul(u64::try_from(size).expect("no size is negative"))
    })?;
    tensor.dtype().storage_bytes(numel)
}

/// Chunks are inside of their tensor, and their bytes inside of a file.
fn check_chunks(set: &FileSet, tensor: &StoredTensor) {
    for chunk in 0..tensor.chunks().len() {
        let own = tensor.chunks().boxes().get(chunk).expect("a chunk");
        let place = tensor.place(chunk).expect("a place");
        let file = set.files().get(place.file as usize).expect("a file");
        // A chunk without elements has no last byte, and its strides may be any numbers.
        let is_empty = own.sizes.contains(&0);
        let mut last = 0u64;
        let mut row_major = 1u64;
        for dim in (0..tensor.sizes().len()).rev() {
            let (offset, size) = (own.offsets[dim], own.sizes[dim]);
            assert!(offset >= 0 && size >= 0);
            assert!(offset.checked_add(size).expect("an end") <= tensor.sizes()[dim]);
            if is_empty {
                continue;
            }
            let size = size.unsigned_abs();
            let stride = tensor.strides(chunk).map_or(row_major, |all| all[dim].unsigned_abs());
            last = last.checked_add(stride.checked_mul(size.saturating_sub(1)).unwrap()).unwrap();
            row_major = row_major.saturating_mul(size);
        }
        if !is_empty {
            let bytes = tensor.dtype().storage_bytes(last + 1).expect("a number of bytes") as u64;
            assert!(place.first_byte.checked_add(bytes).expect("an end") <= file.length());
        }
    }
}

/// Reads a whole tensor and compares it with the file, byte by byte.
fn read(set: &FileSet, tensor: &StoredTensor, bytes: usize) {
    let Ok(layout) = tensor.whole() else { return };
    let wanted = WantedTensor { name: tensor.name(), layout: &layout, indices: &[0] };
    let problems = check(set, &[wanted], 64).map(|found| found.problems.len());
    let mut memory = vec![0xa5u8; bytes];
    let view = HostView::new("memory", memory.as_mut_ptr(), tensor.dtype(), tensor.sizes(), None);
    let Ok(view) = view else { return };
    let shards = LocalShards::new(&layout, [(0, &view)]).expect("local shards");
    let shards = Shared::try_new(shards).expect("memory");
    let items = [ReadItem { name: tensor.name(), layout: &layout, shards }];
    let read = match CheckpointRead::new(set, &items, &ReadOptions::default()) {
        Ok(read) => read,
        Err(error) => return check_error(&error),
    };
    assert_eq!(problems.ok(), Some(0), "a tensor with problems is not read");
    // SAFETY: the shards that `read` writes are in memory of this function, which nothing else uses.
    let (report, result) = unsafe { read.run(&mut |_, _| Ok(())) };
    drop(read);
    drop(items);
    result.expect("files that do not change are read");
    assert_eq!(report.whole, [true]);
    compare(set, tensor, &memory);
}

/// Element by element, for elements of whole bytes in chunks that do not overlap.
fn compare(set: &FileSet, tensor: &StoredTensor, memory: &[u8]) {
    let bits = tensor.dtype().element_bits() as usize;
    let numel_of = |sizes: &[i64]| sizes.iter().product::<i64>() as usize;
    let chunks = || (0..tensor.chunks().len()).filter_map(|at| tensor.chunks().boxes().get(at));
    let stored = chunks().map(|chunk| numel_of(chunk.sizes)).sum::<usize>();
    if bits % 8 != 0 || stored != numel_of(tensor.sizes()) {
        return;
    }
    let width = bits / 8;
    for (number, chunk) in chunks().enumerate() {
        let place = tensor.place(number).expect("a place");
        let path = root_of(set, place.file);
        let file = fs::File::open(path).expect("a file");
        for element in 0..numel_of(chunk.sizes) {
            let (mut rest, mut from, mut row_major) = (element, 0, 1);
            let (mut to, mut full) = (0, 1);
            for dim in (0..tensor.sizes().len()).rev() {
                let size = chunk.sizes[dim] as usize;
                let index = rest % size;
                rest /= size;
                let stride = tensor.strides(number).map_or(row_major, |all| all[dim] as usize);
                from += index * stride;
                to += (index + chunk.offsets[dim] as usize) * full;
                row_major *= size;
                full *= tensor.sizes()[dim] as usize;
            }
            let mut value = [0; 64];
            let Some(value) = value.get_mut(..width) else { return };
            file.read_exact_at(value, place.first_byte + (from * width) as u64).expect("bytes");
            assert_eq!(value, &memory[to * width..(to + 1) * width], "element {element}");
        }
    }
}

/// Where a file of a set is.
fn root_of(set: &FileSet, file: u32) -> PathBuf {
    let name = set.files()[file as usize].name();
    let folders = ["input", "torch"].map(|folder| root().join(folder).join(name));
    folders.into_iter().find(|path| path.is_file()).expect("a file of the set")
}
