//! `include/shardspec.json`: the ABI for programs that make bindings. Its schema is
//! `include/shardspec.schema.json`.

use std::env;
use std::error::Error;
use std::fmt::Write as _;

use super::api::{
    Api, Constant, Field, Function, Item, Kind, Parameter, Section, Signature, is_bytes,
};
use super::c_type::CType;
use super::facts::{Direction, Null, PointerFacts};
use super::header::Level;
use super::macros::{default_of, defaults_of};

/// A value of JSON. Members keep their order.
enum Value {
    Text(String),
    Number(i128),
    Bool(bool),
    List(Vec<Value>),
    Object(Vec<(&'static str, Value)>),
    /// Members whose names are not known here.
    Map(Vec<(String, Value)>),
}

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

fn texts<T: Into<String>>(all: impl IntoIterator<Item = T>) -> Value {
    Value::List(all.into_iter().map(text).collect())
}

impl Value {
    fn write(&self, json: &mut String, depth: usize) {
        match self {
            Self::Text(text) => quote(text, json),
            Self::Number(number) => _ = write!(json, "{number}"),
            Self::Bool(bool) => _ = write!(json, "{bool}"),
            Self::List(values) if values.iter().all(|value| !value.is_nested()) => {
                json.push('[');
                for (at, value) in values.iter().enumerate() {
                    json.push_str(if at > 0 { ", " } else { "" });
                    value.write(json, depth);
                }
                json.push(']');
            }
            Self::List(values) => {
                let members = values.iter().map(|value| (None, value));
                write_lines(json, depth, ('[', ']'), members);
            }
            Self::Object(members) => {
                let members = members.iter().map(|(name, value)| (Some(*name), value));
                write_lines(json, depth, ('{', '}'), members);
            }
            Self::Map(members) => {
                let members = members.iter().map(|(name, value)| (Some(name.as_str()), value));
                write_lines(json, depth, ('{', '}'), members);
            }
        }
    }

    fn is_nested(&self) -> bool {
        matches!(self, Self::List(_) | Self::Object(_) | Self::Map(_))
    }
}

fn write_lines<'a>(
    json: &mut String, depth: usize, (open, close): (char, char),
    members: impl Iterator<Item = (Option<&'a str>, &'a Value)>,
) {
    json.push(open);
    let mut any = false;
    for (name, value) in members {
        json.push_str(if any { ",\n" } else { "\n" });
        any = true;
        json.push_str(&" ".repeat(depth + 1));
        if let Some(name) = name {
            quote(name, json);
            json.push_str(": ");
        }
        value.write(json, depth + 1);
    }
    if any {
        json.push('\n');
        json.push_str(&" ".repeat(depth));
    }
    json.push(close);
}

fn quote(text: &str, json: &mut String) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            control if control < ' ' => _ = write!(json, "\\u{:04x}", u32::from(control)),
            other => json.push(other),
        }
    }
    json.push('"');
}

/// The whole document.
pub fn write(api: &Api, levels: &[Level], first_page: &[String]) -> Result<String, Box<dyn Error>> {
    let abi = api.constant("SHARDSPEC_ABI_VERSION").unwrap_or_default();
    let sections = levels.iter().zip(1..).flat_map(|(level, number)| {
        let sections = api.sections.iter().filter(|section| level.sections.contains(&section.name));
        sections.map(move |section| section_of(api, section, number))
    });
    let titles = texts(levels.iter().map(|level| level.title));
    let document = Value::Object(vec![
        ("$schema", text("shardspec.schema.json")),
        ("format", Value::Number(1)),
        ("library", text("shardspec")),
        ("version", text(env::var("CARGO_PKG_VERSION")?)),
        ("abi_version", Value::Number(abi)),
        ("pointer_bytes", Value::Number(8)),
        ("manual", text(first_page.join("\n"))),
        ("reserved_statuses", Value::List(api.reserved_statuses().map(Value::Number).collect())),
        ("levels", titles),
        ("sections", Value::List(sections.collect())),
    ]);
    let mut json = String::new();
    document.write(&mut json, 0);
    json.push('\n');
    Ok(json)
}

fn section_of(api: &Api, section: &Section, level: i128) -> Value {
    let title = section.heading.first().map_or("", |line| line.trim_end_matches('.'));
    let heading: Vec<_> = section.heading.iter().skip(1).cloned().collect();
    Value::Object(vec![
        ("name", text(section.name)),
        ("title", text(title)),
        ("level", Value::Number(level)),
        ("doc", text(heading.join("\n").trim())),
        ("items", Value::List(section.items.iter().map(|item| item_of(api, item)).collect())),
    ])
}

fn item_of(api: &Api, item: &Item) -> Value {
    let mut members = vec![("name", text(&item.name))];
    let doc = |members: &mut Vec<_>| members.push(("doc", text(item.comment.join("\n").trim())));
    match &item.kind {
        Kind::Constant(constant) => {
            members.insert(0, ("kind", text("constant")));
            constant_into(constant, &mut members);
            doc(&mut members);
        }
        Kind::Alias(of) => {
            members.insert(0, ("kind", text("alias")));
            members.push(("type", text(of.declare(""))));
            doc(&mut members);
        }
        Kind::Callback(signature) => {
            members.insert(0, ("kind", text("callback")));
            members.push(("result", text(signature.result.declare(""))));
            members.push(("parameters", callback_parameters(api, signature)));
            doc(&mut members);
        }
        Kind::Struct(fields) => {
            members.insert(0, ("kind", text("struct")));
            struct_into(api, &item.name, fields, &mut members);
            doc(&mut members);
        }
        Kind::Handle => {
            members.insert(0, ("kind", text("handle")));
            if let Some(free) = api.free_of(&item.name) {
                members.push(("free", text(free)));
            }
            doc(&mut members);
        }
        Kind::Macro(value) => {
            members.insert(0, ("kind", text("macro")));
            members.push(("value", text(value)));
            doc(&mut members);
        }
        Kind::Function(function) => {
            members.insert(0, ("kind", text("function")));
            function_into(api, &item.name, function, &mut members);
        }
    }
    Value::Object(members)
}

fn constant_into(constant: &Constant, members: &mut Vec<(&'static str, Value)>) {
    members.push(("type", text(constant.of.declare(""))));
    members.push(("value", Value::Number(constant.value)));
}

fn struct_into(api: &Api, name: &str, fields: &[Field], members: &mut Vec<(&'static str, Value)>) {
    let (size, align) = api.layout_of(&CType::Named(name.to_owned())).unwrap_or_default();
    members.push(("size", Value::Number(size as i128)));
    members.push(("align", Value::Number(align as i128)));
    members.push(("grows", Value::Bool(api.has_struct_size(name))));
    let fields = fields.iter().map(|field| {
        let of = api.with_numbers(&field.of);
        let mut members = vec![("name", text(&field.name)), ("type", text(of.declare("")))];
        members.push(("offset", Value::Number(field.offset as i128)));
        members.push(("size", Value::Number(field.size as i128)));
        if let CType::Array { length, .. } = &of {
            members.push(("count", Value::Number(length.parse().unwrap_or_default())));
        }
        if let Some(length) = &field.length {
            members.push(("length", texts([length])));
        }
        let default = match (field.name.as_str(), defaults_of(name, &field.name)) {
            ("struct_size", _) => Value::Number(size as i128),
            (_, Some(defaults)) => {
                Value::List(defaults.iter().map(|number| Value::Number(*number)).collect())
            }
            (field, None) => Value::Number(default_of(name, field).into()),
        };
        members.push(("default", default));
        members.push(("doc", text(field.comment.join("\n"))));
        Value::Object(members)
    });
    members.push(("fields", Value::List(fields.collect())));
}

/// What a parameter is, by its type.
fn kind_of(api: &Api, parameter: &Parameter, has_length: bool) -> &'static str {
    let of = &parameter.of;
    match of.target() {
        _ if is_bytes(parameter) => "bytes",
        _ if api.is_callback(of.base()) => "callback",
        None => "value",
        Some(_) if has_length => "array",
        Some(to) if to.base() == "void" && matches!(to, CType::Named(_)) => "opaque",
        Some(to) if to.base() == "char" && of.is_const_pointer() => "text",
        Some(CType::Named(name)) if api.is_handle(name) => "handle",
        Some(CType::Named(name)) if api.is_struct(name) => "struct",
        Some(_) => "place",
    }
}

fn function_into(
    api: &Api, name: &str, function: &Function, members: &mut Vec<(&'static str, Value)>,
) {
    let contract = &function.contract;
    members.push(("result", text(function.signature.result.declare(""))));
    let parameters = function.signature.parameters.iter().zip(&function.facts);
    let parameters =
        parameters.map(|(parameter, facts)| parameter_of(api, parameter, facts.as_ref()));
    members.push(("parameters", Value::List(parameters.collect())));
    members.push(("calls_back", texts(contract.calls_back(name).unwrap_or_default())));
    members.push(("calls_back_only_if_freed", Value::Bool(contract.calls_back_only_if_freed())));
    let blocks = contract.blocks(name).unwrap_or_default();
    members.push(("blocks", texts(blocks.into_iter().map(|(words, _)| words.replace(' ', "_")))));
    members.push(("errors", texts(errors_of(api, contract.line("Errors").unwrap_or_default()))));
    let since = contract.line("Since").and_then(|line| line.strip_prefix("ABI "));
    let since = since.and_then(|line| line.trim_end_matches('.').parse().ok()).unwrap_or_default();
    members.push(("since", Value::Number(since)));
    members.push(("doc", text(contract.text.join("\n").trim())));
    let lines = contract.lines.iter().map(|(label, line)| ((*label).to_owned(), text(line)));
    members.push(("contract", Value::Map(lines.collect())));
}

fn parameter_of(api: &Api, parameter: &Parameter, facts: Option<&PointerFacts>) -> Value {
    let mut members = vec![("name", text(&parameter.name))];
    members.push(("type", text(parameter.of.declare(""))));
    let length = facts.and_then(|facts| facts.length.as_ref());
    members.push(("kind", text(kind_of(api, parameter, length.is_some()))));
    let direction = facts.map_or(Direction::In, |facts| facts.direction);
    let direction = match direction {
        Direction::In => "in",
        // The call reads the size that such a struct begins with.
        Direction::Out if is_sized_place(api, parameter) => "inout",
        Direction::Out => "out",
        Direction::InOut => "inout",
    };
    members.push(("direction", text(direction)));
    if let Some(facts) = facts {
        let null = match facts.null {
            Null::Refused => "refused",
            Null::IfEmpty => "if_empty",
            Null::Allowed => "allowed",
        };
        members.push(("null", text(null)));
    }
    if let Some(length) = length {
        members.push(("length", texts(&length.parameters)));
        if let Some(object) = &length.object {
            members.push(("length_times", text(object)));
        }
    }
    if direction == "out"
        && let Some(CType::Pointer { to, .. }) = parameter.of.target()
        && let Some(free) = api.free_of(to.base())
    {
        members.push(("free", text(free)));
    }
    Value::Object(members)
}

fn is_sized_place(api: &Api, parameter: &Parameter) -> bool {
    matches!(parameter.of.target(), Some(CType::Named(name)) if api.has_struct_size(name))
}

/// Parameters of a callback: their lengths follow from names, as in `sends` and `send_count`.
fn callback_parameters(api: &Api, signature: &Signature) -> Value {
    let all = &signature.parameters;
    let parameters = all.iter().enumerate().map(|(at, parameter)| {
        let counted = parameter.name.strip_suffix('s').map(|name| format!("{name}_count"));
        let later = || all.iter().skip(at);
        let is_array =
            |other: &&Parameter| Some(&other.name) == counted.as_ref() || other.name == "ndim";
        let is_struct =
            matches!(parameter.of.target(), Some(CType::Named(name)) if api.is_handle(name));
        let is_pointer = parameter.of.target().is_some_and(|to| !to.is_void()) && !is_struct;
        let length = is_pointer.then(|| later().find(is_array)).flatten();
        let mut members = vec![("name", text(&parameter.name))];
        members.push(("type", text(parameter.of.declare(""))));
        members.push(("kind", text(kind_of(api, parameter, length.is_some()))));
        let writes = is_pointer && !parameter.of.is_const_pointer();
        let direction = match writes {
            true if is_sized_place(api, parameter) => "inout",
            true => "out",
            false => "in",
        };
        members.push(("direction", text(direction)));
        if let Some(length) = length {
            members.push(("length", texts([&length.name])));
        }
        Value::Object(members)
    });
    Value::List(parameters.collect())
}

/// The statuses that a contract names.
fn errors_of(api: &Api, line: &str) -> Vec<String> {
    let words =
        line.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    let mut found = Vec::new();
    for word in words {
        let name = format!("SHARDSPEC_{}", word.trim_start_matches("SHARDSPEC_"));
        if word.len() > 2 && api.constant(&name).is_some() && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}
