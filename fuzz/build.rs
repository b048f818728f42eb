//! Writes a table of the exports that `calls` calls, from the description of the C interface.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use serde_json::Value;

/// Handles that `calls` makes, uses and frees. Functions with others are left out, as are functions that
/// call functions of the user.
const HANDLES: [&str; 7] =
    ["spec", "metadata", "sharded_tensor", "shards", "mesh", "plan", "placement"];

/// What an argument is, as `calls` knows it; `None` if it does not.
fn kind(parameter: &Value) -> Option<String> {
    let text = parameter["type"].as_str()?;
    let base = text.trim_start_matches("const ").trim_end_matches([' ', '*']);
    let base = base.trim_end_matches("*const").trim();
    let handle = base.strip_prefix("shardspec_");
    let handle = handle.and_then(|name| HANDLES.iter().position(|own| *own == name));
    let stars = text.matches('*').count();
    if let Some(handle) = handle {
        return Some(match (stars, text.ends_with("*const *")) {
            (1, _) => format!("Handle({handle})"),
            (_, true) => format!("Handles({handle})"),
            _ => format!("NewHandle({handle})"),
        });
    }
    let bytes = match base {
        "char" | "uint8_t" => 1,
        "int32_t" | "uint32_t" | "shardspec_status" => 4,
        "size_t" | "int64_t" | "uint64_t" => 8,
        "shardspec_stretch" => 48,
        "shardspec_run" => 64,
        "shardspec_dtype" => 4,
        "shardspec_tensor_view" => 48,
        _ => 0,
    };
    let is_output = parameter["direction"] != "in";
    Some(match (base, parameter["kind"].as_str()?) {
        ("shardspec_error", _) => "Error".to_owned(),
        ("shardspec_tensor_properties", _) => "Properties".to_owned(),
        (_, "value") if bytes > 0 => "Value".to_owned(),
        (_, "text") => "Text".to_owned(),
        ("char", "array") if stars == 2 => "Texts".to_owned(),
        (_, "array" | "place" | "struct") if is_output && bytes > 0 => format!("Output({bytes})"),
        ("shardspec_dtype", _) => "Dtype".to_owned(),
        ("shardspec_tensor_view", _) => "Views".to_owned(),
        ("shardspec_copy_options", _) => "CopyOptions".to_owned(),
        ("shardspec_draw_options", _) => "DrawOptions".to_owned(),
        ("shardspec_cut", _) => "Cuts".to_owned(),
        ("shardspec_mesh_layout", _) => "MeshLayout".to_owned(),
        ("shardspec_partial", _) => "Partials".to_owned(),
        ("shardspec_shard_metadata", _) => "ShardMetadatas".to_owned(),
        ("shardspec_stretch", _) => "Stretches".to_owned(),
        (_, "array") if bytes > 0 => format!("Input({bytes})"),
        _ => return None,
    })
}

/// The row of a function, if all its arguments are known.
fn row(function: &Value, statuses: &dyn Fn(&str) -> i64) -> Option<String> {
    let name = function["name"].as_str()?;
    // Addresses in flat arrays would have to be of memory, and a struct of the size that is told.
    let is_of_memory =
        name.ends_with("_flat") || name.ends_with("_init") || name.contains("_error_");
    if function["result"] != "shardspec_status" || is_of_memory {
        return None;
    }
    let parameters = function["parameters"].as_array()?;
    let place = |name: &Value| parameters.iter().position(|other| &other["name"] == name);
    let lengths_of = |parameter: &Value| -> Vec<usize> {
        parameter["length"].as_array().into_iter().flatten().filter_map(place).collect()
    };
    let all_lengths: Vec<usize> = parameters.iter().flat_map(lengths_of).collect();
    let mut arguments = String::new();
    for (number, parameter) in parameters.iter().enumerate() {
        let (kind, lengths) = (kind(parameter)?, lengths_of(parameter));
        let is_length = all_lengths.contains(&number);
        let of_unknown_length = parameter.get("length_times").is_some()
            || parameter.get("length").is_some() && lengths.is_empty();
        write!(
            arguments,
            "Parameter {{ kind: Kind::{kind}, lengths: &{lengths:?}, is_length: {is_length}, \
             is_long: {of_unknown_length} }}, "
        )
        .ok()?;
    }
    let errors = function["errors"].as_array()?.iter().filter_map(Value::as_str);
    let errors: Vec<i64> = errors.map(statuses).collect();
    Some(format!(
        "Function {{ name: {name:?}, address: {name} as *const (), errors: &{errors:?}, \
         parameters: &[{arguments}] }},\n"
    ))
}

fn main() {
    let path = "../include/shardspec.json";
    println!("cargo::rerun-if-changed={path}");
    println!("cargo::rerun-if-changed=build.rs");
    let text = fs::read_to_string(path).expect("the description of the C interface");
    let description: Value = serde_json::from_str(&text).expect("a description");
    let sections = description["sections"].as_array().expect("sections");
    let items = sections.iter().flat_map(|section| section["items"].as_array().expect("items"));
    let items: Vec<&Value> = items.collect();
    let of_kind = |kind: &'static str| items.iter().filter(move |item| item["kind"] == kind);
    let statuses = |name: &str| {
        let constant = of_kind("constant").find(|item| item["name"] == name).expect("a status");
        constant["value"].as_i64().expect("a number")
    };
    let (mut declarations, mut rows) = (String::new(), String::new());
    for function in of_kind("function") {
        if let Some(row) = row(function, &statuses) {
            let name = function["name"].as_str().expect("a name");
            writeln!(declarations, "    fn {name}();").expect("memory");
            rows.push_str(&row);
        }
    }
    let out = env::var("OUT_DIR").expect("a folder");
    let code = format!(
        "unsafe extern \"C-unwind\" {{\n{declarations}}}\n\n\
         /// The exports.\nstatic FUNCTIONS: &[Function] = &[\n{rows}];\n"
    );
    fs::write(Path::new(&out).join("functions.rs"), code).expect("a file");
}
