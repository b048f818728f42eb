//! Files of checkpoints, written as their formats say and by nothing of the library.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

/// A directory of a test, which is removed with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let unique = format!("shardspec-{name}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> String {
        self.0.to_str().unwrap().to_owned()
    }

    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A tensor of a file.
#[derive(Clone)]
pub struct Stored<'a> {
    pub name: &'a str,
    pub dtype: &'a str,
    pub sizes: Vec<i64>,
    pub bytes: &'a [u8],
}

impl<'a> Stored<'a> {
    pub fn new(name: &'a str, dtype: &'a str, sizes: &[i64], bytes: &'a [u8]) -> Self {
        Self { name, dtype, sizes: sizes.to_vec(), bytes }
    }
}

/// A safetensors file with this header and these bytes.
pub fn safetensors(header: &str, bytes: &[u8]) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(bytes);
    file
}

/// The header and the bytes of some tensors.
pub fn header(tensors: &[Stored<'_>], texts: &[(&str, &str)]) -> (Value, Vec<u8>) {
    let (mut header, mut bytes) = (serde_json::Map::new(), Vec::new());
    if !texts.is_empty() {
        let texts: serde_json::Map<_, _> =
            texts.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
        header.insert("__metadata__".to_owned(), Value::Object(texts));
    }
    for Stored { name, dtype, sizes, bytes: own } in tensors {
        let offsets = [bytes.len(), bytes.len() + own.len()];
        let entry = json!({"dtype": dtype, "shape": sizes, "data_offsets": offsets});
        header.insert((*name).to_owned(), entry);
        bytes.extend_from_slice(own);
    }
    (Value::Object(header), bytes)
}

/// Writes a safetensors file.
pub fn write_safetensors(path: impl AsRef<Path>, tensors: &[Stored<'_>], texts: &[(&str, &str)]) {
    let (header, bytes) = header(tensors, texts);
    std::fs::write(path, safetensors(&header.to_string(), &bytes)).unwrap();
}

/// Where the chunks of a file start in their tensors, as torch's distributed checkpoint writes it.
pub fn dcp_info(offsets: &[(&str, &[i64])]) -> String {
    let info: serde_json::Map<_, _> = offsets
        .iter()
        .map(|(name, offsets)| ((*name).to_owned(), json!({"saved_offsets": offsets})))
        .collect();
    Value::Object(info).to_string()
}

/// Writes an index: which file has which tensor.
pub fn write_index(folder: &Folder, files: &[(&str, &str)]) {
    let map: serde_json::Map<_, _> =
        files.iter().map(|(name, file)| ((*name).to_owned(), json!(file))).collect();
    let index = json!({"metadata": {"total_size": 1}, "weight_map": map});
    std::fs::write(folder.file("model.safetensors.index.json"), index.to_string()).unwrap();
}

/// Bytes that differ from their neighbours.
pub fn values(count: usize, seed: u8) -> Vec<u8> {
    let value = |at: usize| (at as u8).wrapping_mul(31).wrapping_add((at >> 8) as u8) ^ seed;
    (0..count).map(value).collect()
}

/// The rows `first` to `first + count - 1` of a matrix, or the same columns.
pub fn part_of(
    full: &[u8], [rows, columns]: [usize; 2], rows_of: [usize; 2], columns_of: [usize; 2],
) -> Vec<u8> {
    let width = full.len() / (rows * columns);
    let mut part = Vec::new();
    for row in rows_of[0]..rows_of[0] + rows_of[1] {
        let start = (row * columns + columns_of[0]) * width;
        part.extend_from_slice(&full[start..start + columns_of[1] * width]);
    }
    part
}
