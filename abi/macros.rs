//! What the header defines besides the declarations of the sources: the version, and macros that
//! initialise structs.

use std::env;
use std::error::Error;

use super::api::{Api, Constant, Field, Item, Kind};
use super::c_type::CType;

/// Structs that have a macro to initialise them: what it makes, and the name of an example.
const INITS: &[(&str, &str, &str)] = &[
    ("shardspec_error", "Initialises an error", "err"),
    ("shardspec_segment", "Initialises a segment with the values of its cut", "segment"),
    ("shardspec_cut", "Initialises a cut of dimension 0 by the rule CHUNK", "cut"),
    ("shardspec_pad", "Initialises a pad without a length", "pad"),
    (
        "shardspec_partial",
        "Initialises a partial axis without a name, with the reduction SUM",
        "partial",
    ),
    ("shardspec_mesh_layout", "Initialises a layout that replicates the tensor", "layout"),
    ("shardspec_runtime_ctx", "Initialises a `ctx` without functions", "ctx"),
    ("shardspec_tensor_properties", "Initialises properties with torch's defaults", "properties"),
    ("shardspec_copy_options", "Initialises options with the defaults", "options"),
    ("shardspec_placement_vtable", "Initialises a table without functions", "vtable"),
    ("shardspec_spec_vtable", "Initialises a table without functions", "vtable"),
    ("shardspec_comm_vtable", "Initialises a table without functions", "vtable"),
    ("shardspec_comm_options", "Initialises options with the defaults", "options"),
    ("shardspec_comm_tensor", "Initialises a tensor without a layout", "tensor"),
    ("shardspec_op_arguments", "Initialises a list of no arguments", "arguments"),
    ("shardspec_op_options", "Initialises options without flags", "options"),
    (
        "shardspec_merge_options",
        "Initialises options with the default rules for the merging of reads",
        "options",
    ),
    ("shardspec_checkpoint_item", "Initialises an item without a tensor", "item"),
    ("shardspec_checkpoint_read_options", "Initialises options with the defaults", "options"),
    ("shardspec_checkpoint_read_report", "Initialises a report", "report"),
    ("shardspec_checkpoint_tensor", "Initialises a tensor without a name", "tensor"),
    (
        "shardspec_checkpoint_write_options",
        "Initialises options for one file for each owner",
        "options",
    ),
    ("shardspec_checkpoint_rule", "Initialises a rule without a layout", "rule"),
    (
        "shardspec_draw_options",
        "Initialises options for text of 80 columns without colours",
        "options",
    ),
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
        comment: vec![
            "The version of this header. The library of the same release has the same version."
                .into(),
        ],
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
