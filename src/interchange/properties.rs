//! Properties of a tensor besides its sizes.

use super::document::DocumentWriter;
use super::json::JsonReader;
use crate::error::Result;
use crate::memory::{Shown, text};
use crate::model::{DataType, Layout, MemoryFormat, TensorProperties};

/// Writes the properties that are not the usual ones, if there are any.
pub(super) fn write(out: &mut DocumentWriter<'_>, properties: &TensorProperties) -> Result<()> {
    let usual = TensorProperties::default();
    if *properties == usual {
        return Ok(());
    }
    let TensorProperties { dtype, layout, requires_grad, memory_format, pin_memory } = *properties;
    out.object("properties", |out| {
        let json = &mut out.json;
        if let Some(dtype) = dtype {
            // Another one would have a text that is not read back.
            let dtype = dtype.validate("dtype")?;
            json.field("dtype")?;
            json.text_of(&dtype)?;
        }
        if layout != usual.layout {
            json.field("layout")?;
            json.text(layout.name())?;
        }
        if memory_format != usual.memory_format {
            json.field("memory_format")?;
            json.text(memory_format.name())?;
        }
        for (name, flag) in [("requires_grad", requires_grad), ("pin_memory", pin_memory)] {
            if flag {
                json.field(name)?;
                json.write("true")?;
            }
        }
        Ok(())
    })
}

/// Reads the object of properties.
pub(super) fn read(json: &mut JsonReader<'_>) -> Result<TensorProperties> {
    let (mut dtype, mut layout, mut memory_format) = (None, None, None);
    let (mut requires_grad, mut pin_memory) = (None, None);
    json.object(|json, name| match name {
        "dtype" => json.once(name, &mut dtype, |json| {
            let at = json.position();
            let text = json.string()?;
            DataType::parse(text.as_str()).map_err(|error| json.refused_at(at, error))
        }),
        "layout" => json.once(name, &mut layout, |json| {
            read_named(json, "layout", |text| {
                Layout::ALL.into_iter().find(|one| one.name() == text)
            })
        }),
        "memory_format" => json.once(name, &mut memory_format, |json| {
            let all = MemoryFormat::ALL;
            read_named(json, "memory format", |text| all.into_iter().find(|one| one.name() == text))
        }),
        "requires_grad" => json.once(name, &mut requires_grad, JsonReader::boolean),
        "pin_memory" => json.once(name, &mut pin_memory, JsonReader::boolean),
        _ => Err(json.unknown_field(name)),
    })?;
    Ok(TensorProperties {
        dtype,
        layout: layout.unwrap_or_default(),
        requires_grad: requires_grad.unwrap_or(false),
        memory_format: memory_format.unwrap_or_default(),
        pin_memory: pin_memory.unwrap_or(false),
    })
}

/// A value that has a name.
fn read_named<T>(
    json: &mut JsonReader<'_>, what: &str, find: impl Fn(&str) -> Option<T>,
) -> Result<T> {
    let at = json.position();
    let name = json.string()?;
    find(name.as_str()).ok_or_else(|| {
        let shown = Shown(name.as_str());
        json.unknown_at(at, text!("the {what} {shown} is not known to this version of the library"))
    })
}
