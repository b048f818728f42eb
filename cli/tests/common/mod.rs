//! Runs the command as a user does, on files that the tests write.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

/// The command that was built.
pub const COMMAND: &str = env!("CARGO_BIN_EXE_shardspec");

/// A directory that is removed in the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("shardspec-command-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a name in it.
    pub fn join(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a run has printed, and its exit code.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The command with arguments, in a folder, without what the environment says of colours.
pub fn command(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(COMMAND);
    command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// Runs the command with arguments, in a folder.
pub fn run(folder: &Folder, arguments: &[&str]) -> Done {
    command(folder, arguments).output().unwrap().into()
}

/// What a run prints that must succeed.
pub fn stdout(folder: &Folder, arguments: &[&str]) -> String {
    let done = run(folder, arguments);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{arguments:?}: {done:?}");
    done.stdout
}

/// What a run answers with `--json`, and its exit code.
pub fn json(folder: &Folder, arguments: &[&str]) -> (i32, Value) {
    let done = run(folder, &[arguments, &["--json"]].concat());
    let value =
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    (done.code, value)
}

/// A tensor of a file: its name, type, sizes and bytes.
pub struct Tensor {
    pub name: String,
    pub dtype: &'static str,
    pub sizes: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// A tensor of numbers of 4 bytes that are all different.
pub fn tensor(name: &str, sizes: &[usize]) -> Tensor {
    let numel: usize = sizes.iter().product();
    let first = name.bytes().map(u32::from).sum::<u32>() << 16;
    let bytes = (0..numel as u32).flat_map(|number| (first + number).to_le_bytes()).collect();
    Tensor { name: name.to_owned(), dtype: "F32", sizes: sizes.to_vec(), bytes }
}

/// A safetensors file, as its format says.
pub fn write_safetensors(path: &str, tensors: &[Tensor]) {
    let (mut header, mut start) = (serde_json::Map::new(), 0);
    for tensor in tensors {
        let end = start + tensor.bytes.len();
        let entry = serde_json::json!({
            "dtype": tensor.dtype, "shape": tensor.sizes, "data_offsets": [start, end],
        });
        header.insert(tensor.name.clone(), entry);
        start = end;
    }
    let header = Value::Object(header).to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    tensors.iter().for_each(|tensor| file.extend(&tensor.bytes));
    std::fs::write(path, file).unwrap();
}

/// A directory of two files with an index: `w` of 8 x 6, `b` of 6 and `s` without dimensions.
pub fn write_model(folder: &Folder, name: &str) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(&path).unwrap();
    let files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    write_safetensors(&format!("{path}/{}", files[0]), &[tensor("b", &[6]), tensor("s", &[])]);
    write_safetensors(&format!("{path}/{}", files[1]), &[tensor("w", &[8, 6])]);
    let index = serde_json::json!({
        "metadata": {"total_size": 220},
        "weight_map": {"b": files[0], "s": files[0], "w": files[1]},
    });
    std::fs::write(format!("{path}/model.safetensors.index.json"), index.to_string()).unwrap();
    path
}

/// A copy of a checkpoint that torch wrote, in a directory of this name: its path.
pub fn copy_fixture(fixture_name: &str, folder: &Folder, name: &str) -> String {
    let path = folder.join(name);
    std::fs::create_dir(&path).unwrap();
    for entry in std::fs::read_dir(fixture(fixture_name)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), format!("{path}/{}", entry.file_name().to_str().unwrap()))
            .unwrap();
    }
    path
}

/// The checkpoints that torch wrote.
pub fn fixture(name: &str) -> String {
    format!("{}/../tests/data/checkpoints/{name}", env!("CARGO_MANIFEST_DIR"))
}
