//! What the header defines besides the declarations of the sources: the version, and macros that
//! initialise structs.

use std::env;
use std::error::Error;

use super::api::{Api, Constant, Field, Item, Kind};
use super::c_type::CType;

/// Structs that have a macro to initialise them: what it makes, and the name of an example.
const INITS: &[(&str, &str, &str)] = &[
    ("shardspec_error", "An error before its first call", "err"),
    ("shardspec_segment", "A segment that inherits all fields of its cut", "segment"),
    ("shardspec_cut", "A cut of dimension 0 by chunk", "cut"),
    ("shardspec_pad", "A pad before its length is set", "pad"),
    ("shardspec_partial", "A sum over an axis that is still to be set", "partial"),
    ("shardspec_mesh_layout", "A layout that replicates", "layout"),
    ("shardspec_runtime_ctx", "A `ctx` without functions", "ctx"),
    ("shardspec_tensor_properties", "torch's defaults", "properties"),
    ("shardspec_copy_options", "The library chooses how to copy", "options"),
    ("shardspec_placement_vtable", "A table without functions", "vtable"),
    ("shardspec_spec_vtable", "A table without functions", "vtable"),
    ("shardspec_comm_vtable", "A table without functions", "vtable"),
    ("shardspec_comm_options", "The library chooses how to move", "options"),
    ("shardspec_comm_tensor", "A tensor without a layout", "tensor"),
    ("shardspec_op_arguments", "No arguments", "arguments"),
    ("shardspec_op_options", "No flags", "options"),
    ("shardspec_checkpoint_item", "An item without a tensor", "item"),
    ("shardspec_checkpoint_read_options", "The library chooses how to read", "options"),
    ("shardspec_checkpoint_read_report", "A report before the read", "report"),
    ("shardspec_checkpoint_tensor", "A tensor without a name", "tensor"),
    ("shardspec_checkpoint_write_options", "A file for each owner", "options"),
    ("shardspec_checkpoint_rule", "A rule without a layout", "rule"),
];

/// The value of a number in a struct that is not set.
pub fn default_of(of: &str, field: &str) -> i32 {
    match (of, field) {
        ("shardspec_error", "dim" | "first_shard" | "second_shard" | "index") => -1,
        _ => 0,
    }
}

/// The values of a struct in a struct that is not set: of its fields, in their order.
pub fn defaults_of(of: &str, field: &str) -> Option<&'static [i128]> {
    match (of, field) {
        // SHARDSPEC_DTYPE_FLOAT, 32 bits, one lane.
        ("shardspec_tensor_properties", "dtype") => Some(&[2, 32, 1]),
        _ => None,
    }
}

/// Adds all of them.
pub fn add(api: &mut Api) -> Result<(), Box<dyn Error>> {
    let mut inits = Vec::new();
    for item in api.items() {
        if let Kind::Struct(fields) = &item.kind
            && let Some(init) = INITS.iter().find(|(name, ..)| *name == item.name)
        {
            inits.push((item.name.clone(), init_of(api, fields, init)));
        }
    }
    for (name, init) in inits {
        for section in &mut api.sections {
            if let Some(at) = section.items.iter().position(|item| item.name == name) {
                section.items.insert(at + 1, init);
                break;
            }
        }
    }
    let version = api.sections.iter_mut().find(|section| section.name == "version");
    let items = &mut version.ok_or("there is no section on the version")?.items;
    items.splice(0..0, version_items()?);
    Ok(())
}

fn init_of(api: &Api, fields: &[Field], (name, what, example): &(&str, &str, &str)) -> Item {
    let values = fields.iter().map(|field| match (&field.of, field.name.as_str()) {
        (_, "struct_size") => format!("sizeof({name})"),
        (_, field) if defaults_of(name, field).is_some() => {
            let numbers = defaults_of(name, field).into_iter().flatten().map(ToString::to_string);
            format!("{{ {} }}", numbers.collect::<Vec<_>>().join(", "))
        }
        (_, "dtype") => "{ 0, 0, 0 }".to_owned(),
        (CType::Pointer { .. }, _) => "NULL".to_owned(),
        (of, _) if api.is_callback(of.base()) => "NULL".to_owned(),
        (CType::Array { .. }, _) => "{ 0 }".to_owned(),
        (of, _) if api.is_struct(of.base()) => "{ 0 }".to_owned(),
        (_, "status") => "SHARDSPEC_OK".to_owned(),
        (_, field) => default_of(name, field).to_string(),
    });
    let value = format!("{{ {} }}", values.collect::<Vec<_>>().join(", "));
    let own = format!("{}_INIT", name.to_uppercase());
    let comment = vec![format!("{what}: `{name} {example} = {own};`")];
    Item { name: own, comment, kind: Kind::Macro(value) }
}

fn version_items() -> Result<Vec<Item>, Box<dyn Error>> {
    let version = env::var("CARGO_PKG_VERSION")?;
    let mut items = vec![Item {
        name: "SHARDSPEC_VERSION".into(),
        comment: vec!["Version of this header: that of the library it came with.".into()],
        kind: Kind::Macro(format!("\"{version}\"")),
    }];
    for (part, what) in [("MAJOR", "first"), ("MINOR", "second"), ("PATCH", "third")] {
        let value = env::var(format!("CARGO_PKG_VERSION_{part}"))?.parse()?;
        items.push(Item {
            name: format!("SHARDSPEC_VERSION_{part}"),
            comment: vec![format!("The {what} number of the version.")],
            kind: Kind::Constant(Constant { of: CType::Named("int32_t".into()), value }),
        });
    }
    Ok(items)
}
