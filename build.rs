//! Writes `include/shardspec.h` from the exports in `src/ffi`, and names the shared library.
//!
//! Each file of exports becomes a section of the header, headed by the text at the file's top, so
//! that the header reads as a manual.

#![allow(clippy::arithmetic_side_effects, reason = "counts lines of text")]

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The sections, in reading order: files of `src/ffi`.
const SECTIONS: &[&str] = &[
    "error",
    "version",
    "callback",
    "dtype",
    "properties",
    "placement",
    "mesh",
    "shards",
    "spec",
    "chunk",
    "metadata",
    "mesh_spec",
    "locate",
    "view",
    "tensor",
    "dlpack",
    "custom_placement",
    "builder",
    "custom_spec",
    "sharded_tensor",
    "digest",
    "dlpack_shards",
    "comm",
    "collective",
    "op",
    "plan",
    "extent",
    "traffic",
];

const TOP: &str = r#"/* shardspec.h - how a tensor is cut across workers, which worker owns which part, and moving the bytes.
 *
 * A spec describes how to cut. With the sizes of a tensor it gives metadata: the shards of that tensor
 * and their owners. With metadata, the library cuts buffers into shards and joins shards, in one
 * process or, with a communicator, across many.
 *
 *   shardspec_spec_new_chunk -> shardspec_spec_build_metadata -> shardspec_metadata_scatter / _gather
 *
 * A sharded tensor is metadata together with the shards that are in this process.
 *
 * These rules hold for every function:
 *
 * - It returns a status: SHARDSPEC_OK or the reason of a failure. Its last argument is a
 *   shardspec_error, which receives the details. It may be NULL.
 * - A function that fails writes nothing but that error. There is one exception: a transport that
 *   fails while data moves between processes.
 * - The caller keeps ownership of all arguments. The library copies what it needs before it returns.
 *   Memory and contexts that are passed together with a function to release them are used until the
 *   library calls that function. Results are written to memory of the caller. The caller frees every
 *   handle that it receives, with the function named for it.
 * - A handle is an opaque key stored in a pointer type. The library never dereferences it. A freed,
 *   forged or wrong handle is refused with SHARDSPEC_INVALID_HANDLE. Objects behind handles are
 *   immutable, so any thread may use a handle, and may free it while others use it.
 * - It may be called from any thread, and in a child process after fork. The library leaves no
 *   thread behind when a call returns.
 * - On Linux, dlclose does not unload the shared library: handles stay valid, and freed ones invalid.
 * - It needs at most 64 KiB of stack, not counting callbacks.
 * - Other pointers are checked for NULL and alignment. The caller makes sure that they point to as
 *   much memory as their lengths say.
 * - Structs that begin with struct_size may grow at the end. Set struct_size to the struct's sizeof
 *   and unused fields to zero; programs and libraries of different versions then work together.
 * - Texts are UTF-8 and end in NUL. Sizes and offsets count elements and are signed 64-bit.
 *
 * This file is generated from src/ffi when the library is built: edit that instead. */
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=cbindgen.toml");
    println!("cargo:rerun-if-changed=src/ffi");
    println!("cargo:rerun-if-changed=src/error/status.rs");
    println!("cargo:rerun-if-changed=include/shardspec.h");
    name_shared_library()?;
    let header = header(&root)?;
    let path = root.join("include/shardspec.h");
    if fs::read_to_string(&path).ok().as_deref() == Some(&header) {
        return Ok(());
    }
    // A source tree that can't be written still builds; that its header is up to date is checked
    // where it can be.
    if let Err(error) =
        fs::create_dir_all(root.join("include")).and_then(|()| fs::write(&path, header))
    {
        println!("cargo:warning=include/shardspec.h is out of date and can't be written: {error}");
    }
    Ok(())
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

fn header(root: &Path) -> Result<String, Box<dyn Error>> {
    let mut header = String::from(TOP);
    header.push_str("#ifndef SHARDSPEC_H\n#define SHARDSPEC_H\n\n");
    header.push_str("#include <stddef.h>\n#include <stdint.h>\n\n");
    header.push_str("#ifdef __cplusplus\nextern \"C\" {\n#endif\n");
    for &section in SECTIONS {
        let source = root.join(format!("src/ffi/{section}.rs"));
        let text = fs::read_to_string(&source)?;
        write!(header, "\n{}\n", heading(&text))?;
        if section == "version" {
            header.push_str(&version_macros()?);
        }
        let files = files_of(section).into_iter();
        let parts: Result<Vec<_>, _> =
            files.map(|file| declarations(root, &root.join(file))).collect();
        header.push_str(&parts?.join("\n"));
        if section == "error" {
            header.push_str(ERROR_INIT);
        }
        if section == "mesh_spec" {
            header.push_str(LAYOUT_INITS);
        }
    }
    header.push_str(
        "\n#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n\n#endif /* SHARDSPEC_H */\n",
    );
    Ok(header)
}

/// The files that a section is made from.
fn files_of(section: &str) -> Vec<String> {
    let own = format!("src/ffi/{section}.rs");
    match section {
        // The numbers are those of every layer; their names are asked for by an export.
        "error" => vec!["src/error/status.rs".into(), own, "src/ffi/status.rs".into()],
        "metadata" => vec![own, "src/ffi/metadata_shards.rs".into()],
        "op" => vec!["src/ffi/op_value.rs".into(), own],
        "sharded_tensor" => vec![own, "src/ffi/local_shards.rs".into()],
        "shards" => vec!["src/ffi/shard_metadata.rs".into(), own],
        "mesh_spec" => vec!["src/ffi/mesh_layout.rs".into(), own],
        "plan" => vec![own, "src/ffi/plan_execute.rs".into()],
        "extent" => vec![own, "src/ffi/metadata_labels.rs".into()],
        _ => vec![own],
    }
}

const ERROR_INIT: &str = r#"
/* An error before its first call: `shardspec_error err = SHARDSPEC_ERROR_INIT;` */
#define SHARDSPEC_ERROR_INIT { sizeof(shardspec_error), SHARDSPEC_OK, -1, -1, -1, 0, 0, -1, { 0 } }
"#;

const LAYOUT_INITS: &str = r#"
/* A segment that inherits all fields of its cut: `shardspec_segment segment = SHARDSPEC_SEGMENT_INIT;` */
#define SHARDSPEC_SEGMENT_INIT { sizeof(shardspec_segment), 0, 0, 0, 0, 0, 0, 0, NULL, 0 }
/* A cut of dimension 0 by chunk: `shardspec_cut cut = SHARDSPEC_CUT_INIT;` */
#define SHARDSPEC_CUT_INIT { sizeof(shardspec_cut), 0, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, 0 }
/* A pad before its length is set: `shardspec_pad pad = SHARDSPEC_PAD_INIT;` */
#define SHARDSPEC_PAD_INIT { sizeof(shardspec_pad), 0, NULL, 0, 0 }
/* A sum over an axis that is still to be set: `shardspec_partial partial = SHARDSPEC_PARTIAL_INIT;` */
#define SHARDSPEC_PARTIAL_INIT { sizeof(shardspec_partial), NULL, 0, 0 }
/* A layout that replicates: `shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;` */
#define SHARDSPEC_MESH_LAYOUT_INIT { sizeof(shardspec_mesh_layout), NULL, 0, NULL, 0, NULL, 0, 0, 0 }
"#;

/// The comment over a section: the `//!` lines at the top of its file.
fn heading(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let mut heading = format!("/* {}\n", "=".repeat(96));
    for line in lines {
        heading.push_str(format!(" *{line}").trim_end());
        heading.push('\n');
    }
    heading.push_str(" */\n");
    heading
}

fn version_macros() -> Result<String, Box<dyn Error>> {
    let mut macros =
        String::from("/* Version of this header: that of the library it came with. */\n");
    writeln!(macros, "#define SHARDSPEC_VERSION \"{}\"", env::var("CARGO_PKG_VERSION")?)?;
    for part in ["MAJOR", "MINOR", "PATCH"] {
        let value = env::var(format!("CARGO_PKG_VERSION_{part}"))?;
        writeln!(macros, "#define SHARDSPEC_VERSION_{part} {value}")?;
    }
    macros.push('\n');
    Ok(macros)
}

fn declarations(root: &Path, source: &Path) -> Result<String, Box<dyn Error>> {
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    let bindings = cbindgen::Builder::new().with_config(config).with_src(source).generate()?;
    let mut bytes = Vec::new();
    bindings.write(&mut bytes);
    Ok(tidy(String::from_utf8(bytes)?.trim_start()))
}

/// Comments of one line on one line, and constants without blank lines between them.
fn tidy(declarations: &str) -> String {
    let lines: Vec<&str> = declarations.lines().collect();
    let mut tidy: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(&line) = lines.get(at) {
        let indent = line.len() - line.trim_start().len();
        let comment = (line.trim() == "/*"
            && lines.get(at + 2).map(|end| end.trim()) == Some("*/"))
        .then(|| lines.get(at + 1).map(|text| text.trim()))
        .flatten();
        let next_constant = tidy.last().is_some_and(|last| last.starts_with("#define"))
            && lines.get(at + 4).is_some_and(|next| next.starts_with("#define"));
        match comment {
            Some(text) => {
                tidy.push(format!("{:indent$}/* {text} */", ""));
                at += 3;
            }
            None if line.is_empty() && next_constant => at += 1,
            None => {
                tidy.push(line.to_owned());
                at += 1;
            }
        }
    }
    tidy.join("\n") + "\n"
}
