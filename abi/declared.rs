//! What the exports declare in their comments, as the table that `src/declared.rs` includes.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use super::api::{Api, Kind};
use super::contract::kind_of;

/// Writes the table.
pub fn write(api: &Api) -> Result<(), Box<dyn Error>> {
    let mut table = String::from("&[\n");
    for item in api.items() {
        let Kind::Function(function) = &item.kind else { continue };
        let (name, source, line) = (&item.name, &function.source, function.line);
        let calls_back: Vec<_> =
            function.contract.calls_back(name)?.into_iter().map(kind_of).collect();
        let blocks = function.contract.blocks(name)?;
        let blocks: Vec<_> = blocks.into_iter().map(|(_, wait)| format!("Wait::{wait}")).collect();
        writeln!(
            table,
            "Export {{ name: {name:?}, file: {source:?}, line: {line}, calls_back: \
             &{calls_back:?}, blocks: &[{}] }},",
            blocks.join(", ")
        )?;
    }
    table.push_str("]\n");
    Ok(fs::write(Path::new(&env::var("OUT_DIR")?).join("declared.rs"), table)?)
}
