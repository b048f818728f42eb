//! Writes what describes the ABI, from the exports in `src/ffi`, and names the shared library.
//!
//! `include/shardspec.h` is the manual, `include/shardspec.json` is for programs that make bindings, and
//! `include/shardspec.cdef.h` for those without a preprocessor. Each file of exports becomes a section,
//! headed by the text at the file's top.

#![allow(clippy::arithmetic_side_effects, reason = "counts lines of text and bytes of structs")]

#[path = "abi/api.rs"]
mod api;
#[path = "abi/c_type.rs"]
mod c_type;
#[path = "abi/contract.rs"]
mod contract;
#[path = "abi/declared.rs"]
mod declared;
#[path = "abi/facts.rs"]
mod facts;
#[path = "abi/header.rs"]
mod header;
#[path = "abi/json.rs"]
mod json;
#[path = "abi/macros.rs"]
mod macros;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use api::Api;
use header::Level;

/// The sections, in reading order: files of `src/ffi`. Each level begins with its title.
const SECTIONS: &[&str] = &[
    "# Level 1: place and copy",
    "spec",
    "metadata",
    "dtype",
    "view",
    "tensor",
    "sharded_tensor",
    "flat",
    "placement",
    "shards",
    "properties",
    "error",
    "structs",
    "version",
    "# Level 2: layouts, plans, files and collectives",
    "mesh",
    "mesh_spec",
    "notation",
    "interchange",
    "chunk",
    "locate",
    "extent",
    "digest",
    "plan",
    "traffic",
    "draw",
    "checkpoint",
    "checkpoint_write",
    "dlpack",
    "dlpack_shards",
    "comm",
    "collective",
    "transfer",
    "request",
    "# Level 3: types, ops and transports of your own",
    "callback",
    "custom_placement",
    "builder",
    "custom_spec",
    "op",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    for source in ["build.rs", "abi", "src/ffi", "src/error/status.rs", "include"] {
        println!("cargo:rerun-if-changed={source}");
    }
    name_shared_library()?;
    let names = SECTIONS.iter().filter(|name| !name.starts_with('#'));
    let sections: Vec<_> = names.map(|name| (*name, files_of(name))).collect();
    let api = Api::read(&root, &sections)?;
    declared::write(&api)?;
    let first_page = fs::read_to_string(root.join("abi/first_page.txt"))?;
    let first_page: Vec<_> = first_page.lines().map(str::to_owned).collect();
    let files = [
        ("shardspec.h", header::write(&api, &levels(), &first_page)?),
        ("shardspec.json", json::write(&api, &levels(), &first_page)?),
        ("shardspec.cdef.h", header::write_cdef(&api)),
    ];
    for (name, text) in files {
        write(&root.join("include").join(name), &text);
    }
    Ok(())
}

/// Writes a file of `include`, unless it is as it should be. A source tree that can't be written still
/// builds; that its files are up to date is checked where they can be.
fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).ok().as_deref() == Some(text) {
        return;
    }
    if let Err(error) = fs::write(path, text) {
        println!("cargo:warning={} is out of date and can't be written: {error}", path.display());
    }
}

fn levels() -> Vec<Level> {
    let mut levels: Vec<Level> = Vec::new();
    for &name in SECTIONS {
        match (name.strip_prefix("# "), levels.last_mut()) {
            (Some(title), _) => levels.push(Level { title, sections: Vec::new() }),
            (None, Some(level)) => level.sections.push(name),
            (None, None) => {}
        }
    }
    levels
}

/// cargo gives a shared library no name of its own; programs should record the ABI version. And it
/// stays in the process that it was loaded into.
fn name_shared_library() -> Result<(), Box<dyn Error>> {
    let arguments: &[&str] = match env::var("CARGO_CFG_TARGET_OS")?.as_str() {
        // What handles name, and what threads do when they end, must outlast dlclose.
        "linux" | "android" | "freebsd" | "netbsd" | "openbsd" => {
            &["-Wl,-soname,libshardspec.so.0", "-Wl,-z,nodelete"]
        }
        "macos" | "ios" => &["-Wl,-install_name,@rpath/libshardspec.0.dylib"],
        _ => &[],
    };
    for argument in arguments {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
    Ok(())
}

/// The files that a section is made from.
fn files_of(section: &str) -> Vec<String> {
    let own = format!("src/ffi/{section}.rs");
    match section {
        // The numbers are those of every layer; their names are asked for by an export.
        "error" => vec![
            "src/error/status.rs".into(),
            own,
            "src/ffi/status.rs".into(),
            "src/ffi/error_text.rs".into(),
        ],
        "metadata" => vec![own, "src/ffi/metadata_shards.rs".into()],
        "comm" => {
            vec!["src/ffi/transport.rs".into(), own, "src/ffi/comm_group.rs".into()]
        }
        "collective" => {
            vec!["src/ffi/collective_options.rs".into(), own, "src/ffi/decline.rs".into()]
        }
        "transfer" => vec!["src/ffi/comm_tensor.rs".into(), own],
        "request" => vec![own, "src/ffi/collective_start.rs".into()],
        "op" => vec!["src/ffi/op_value.rs".into(), own],
        "sharded_tensor" => vec![own, "src/ffi/local_shards.rs".into()],
        "shards" => vec!["src/ffi/shard_metadata.rs".into(), own],
        "notation" => vec![own, "src/ffi/scalapack.rs".into()],
        "mesh_spec" => vec!["src/ffi/mesh_layout.rs".into(), own],
        "plan" => {
            vec![own, "src/ffi/plan_nodes.rs".into(), "src/ffi/plan_execute.rs".into()]
        }
        "traffic" => vec![own, "src/ffi/plan_reads.rs".into()],
        "checkpoint" => {
            let parts = ["_read_options", "_read", "_readers", "_collective"];
            let parts = parts.map(|part| format!("src/ffi/checkpoint{part}.rs"));
            [own].into_iter().chain(parts).collect()
        }
        "extent" => {
            vec![own, "src/ffi/extent_read.rs".into(), "src/ffi/metadata_labels.rs".into()]
        }
        "spec" => vec![own, "src/ffi/spec_infer.rs".into()],
        _ => vec![own],
    }
}
