//! `include/shardspec.h`, and `include/shardspec.cdef.h` for those who have no C compiler.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;

use super::api::{Api, Constant, Field, Item, Kind, Section, Signature};

/// Longest line.
const WIDTH: usize = 100;

const PROLOGUE: &str = r#"#ifndef SHARDSPEC_H
#define SHARDSPEC_H

#include <stddef.h>
#include <stdint.h>

/**
 * This macro stands before each function and makes its symbol visible outside of the library. A program
 * may define this macro.
 */
#ifndef SHARDSPEC_API
#if defined(_WIN32) && defined(SHARDSPEC_SHARED)
#define SHARDSPEC_API __declspec(dllimport)
#elif defined(__GNUC__)
#define SHARDSPEC_API __attribute__((visibility("default")))
#else
#define SHARDSPEC_API
#endif
#endif

/**
 * This macro stands before each function that returns a status. If a caller ignores the status, compilers
 * warn. Functions that free handles do not have this macro. A program may define the macro as empty to
 * turn these warnings off.
 */
#ifndef SHARDSPEC_NODISCARD
#if (defined(__cplusplus) && __cplusplus >= 201703L) || \
    (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202311L)
#define SHARDSPEC_NODISCARD [[nodiscard]]
#elif defined(__GNUC__)
#define SHARDSPEC_NODISCARD __attribute__((warn_unused_result))
#else
#define SHARDSPEC_NODISCARD
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif
"#;

const EPILOGUE: &str =
    "\n#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n\n#endif /* SHARDSPEC_H */\n";

/// A part of the header that has a title: its sections.
pub struct Level {
    pub title: &'static str,
    pub sections: Vec<&'static str>,
}

/// The header. `first_page` is its text, with a line `{contents}` for the table of contents.
pub fn write(api: &Api, levels: &[Level], first_page: &[String]) -> Result<String, Box<dyn Error>> {
    let mut header = String::from("/*\n");
    for line in first_page {
        match line.as_str() {
            "{contents}" => contents(&mut header, api, levels),
            line => _ = writeln!(header, " * {line}"),
        }
    }
    header = header.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    header.push_str(" */\n");
    header.push_str(PROLOGUE);
    let mut writer = Writer { api, declared: BTreeSet::new(), header };
    for item in api.items().filter(|item| matches!(item.kind, Kind::Alias(_))) {
        writer.item(item);
    }
    for level in levels {
        write!(writer.header, "\n/* {0}\n * {1}\n * {0} */\n", "#".repeat(96), level.title)?;
        for section in api.sections.iter().filter(|section| level.sections.contains(&section.name))
        {
            writer.section(section);
        }
    }
    writer.header.push_str(EPILOGUE);
    Ok(writer.header)
}

/// The title of a section, of which the heading is the first line.
fn title(section: &Section) -> &str {
    section.heading.first().map_or("", |line| line.trim_end_matches('.'))
}

fn contents(header: &mut String, api: &Api, levels: &[Level]) {
    for level in levels {
        _ = writeln!(header, " *   {}", level.title);
        for section in api.sections.iter().filter(|section| level.sections.contains(&section.name))
        {
            let title = title(section).split(':').next().unwrap_or_default();
            let functions =
                || section.items.iter().filter(|item| matches!(item.kind, Kind::Function(_)));
            let first = functions().map(|item| item.name.as_str()).find(|name| {
                functions().count() == 1 || name.contains("_new") || !name.contains("_free")
            });
            _ = writeln!(header, " *     {title:<50}{}", first.unwrap_or_default());
        }
    }
}

struct Writer<'a> {
    api: &'a Api,
    /// Types that may be named by now.
    declared: BTreeSet<String>,
    header: String,
}

impl Writer<'_> {
    fn section(&mut self, section: &Section) {
        _ = write!(self.header, "\n/* {}\n", "=".repeat(96));
        for line in &section.heading {
            _ = writeln!(self.header, "{}", format!(" * {line}").trim_end());
        }
        self.header.push_str(" */\n");
        let mut before: Option<&Item> = None;
        for item in &section.items {
            let constants = before.and_then(constant_of).zip(constant_of(item));
            if constants.is_none() {
                self.header.push('\n');
            }
            if let Some((before, constant)) = constants.filter(|_| section.name == "error") {
                reserved(&mut self.header, before.value, constant.value);
            }
            self.item(item);
            before = Some(item);
        }
    }

    fn item(&mut self, item: &Item) {
        let name = &item.name;
        let is_type = matches!(item.kind, Kind::Alias(_) | Kind::Handle | Kind::Callback(_));
        if is_type && !self.declared.insert(name.clone()) {
            // It was named, and so declared, before its place.
            while self.header.ends_with("\n\n") {
                self.header.pop();
            }
            return;
        }
        self.forward(item);
        let comment = comment(&item.comment, 0);
        let text = match &item.kind {
            Kind::Constant(constant) => format!("#define {name} {}\n", literal(constant)),
            Kind::Alias(of) => format!("typedef {}\n", of.declare(name) + ";"),
            Kind::Callback(signature) => {
                wrapped(&format!("typedef {} (*{name})", signature.result.declare("")), signature)
            }
            Kind::Macro(value) => format!("#define {name} {value}\n"),
            Kind::Handle => format!("typedef struct {name} {name};\n"),
            Kind::Struct(fields) => struct_of(name, fields),
            Kind::Function(function) => {
                let result = function.signature.result.declare("");
                let frees = name.ends_with("_free");
                let no_discard = result == "shardspec_status" && !frees;
                let no_discard = if no_discard { "SHARDSPEC_NODISCARD " } else { "" };
                wrapped(&format!("{no_discard}SHARDSPEC_API {result} {name}"), &function.signature)
            }
        };
        match &item.kind {
            Kind::Alias(_) => _ = write!(self.header, "\n{comment}{text}"),
            _ => _ = write!(self.header, "{comment}{text}"),
        }
    }

    /// Declares what an item names before its place: structs by their names, others as they are there.
    fn forward(&mut self, item: &Item) {
        let own = matches!(item.kind, Kind::Struct(_)).then(|| item.name.clone());
        let before = self.header.len();
        for base in types_of(item).into_iter().chain(own) {
            if self.declared.contains(&base) {
                continue;
            }
            if self.api.is_struct(&base) {
                _ = writeln!(self.header, "typedef struct {base} {base};");
                self.declared.insert(base);
            } else if let Some(named) = self.api.items().find(|named| named.name == base) {
                self.item(named);
                self.header.push('\n');
            }
        }
        if self.header.len() > before && !self.header.ends_with("\n\n") {
            self.header.push('\n');
        }
    }
}

fn constant_of(item: &Item) -> Option<&Constant> {
    match &item.kind {
        Kind::Constant(constant) => Some(constant),
        _ => None,
    }
}

/// Names numbers of statuses that are none yet.
fn reserved(header: &mut String, before: i128, value: i128) {
    match value - before {
        2 => {
            _ = writeln!(header, "/* The number {} is reserved for a later status. */", before + 1)
        }
        gap @ 3..100 => {
            _ = writeln!(
                header,
                "/* The numbers {} to {} are reserved for later statuses. */",
                before + 1,
                before + gap - 1
            );
        }
        _ => {}
    }
}

/// A number as C writes it.
fn literal(constant: &Constant) -> String {
    match constant.value {
        value if value < 0 => format!("({value})"),
        value if constant.of.base() == "uint32_t" && value > i32::MAX.into() => format!("{value}u"),
        value => value.to_string(),
    }
}

/// A comment over a declaration.
fn comment(lines: &[String], indent: usize) -> String {
    let blank = " ".repeat(indent);
    if let [line] = lines
        && indent + line.len() + 7 <= WIDTH
    {
        return format!("{blank}/** {line} */\n");
    }
    let lines = lines.iter().map(|line| format!("{blank} * {line}").trim_end().to_owned() + "\n");
    format!("{blank}/**\n{}{blank} */\n", lines.collect::<String>())
}

fn struct_of(name: &str, fields: &[Field]) -> String {
    let fields = fields.iter().map(|field| {
        format!("{}  {};\n", comment(&field.comment, 2), field.of.declare(&field.name))
    });
    format!("struct {name} {{\n{}}};\n", fields.collect::<String>())
}

/// A declaration with its parameters, in lines that are not too long.
fn wrapped(start: &str, signature: &Signature) -> String {
    let parameters: Vec<_> = signature
        .parameters
        .iter()
        .map(|parameter| parameter.of.declare(&parameter.name))
        .collect();
    let all = if parameters.is_empty() { "void".to_owned() } else { parameters.join(", ") };
    if start.len() + all.len() + 3 <= WIDTH {
        return format!("{start}({all});\n");
    }
    let mut text = format!("{start}(\n   ");
    let mut column = 3;
    for (at, parameter) in parameters.iter().enumerate() {
        let end = if at + 1 < parameters.len() { "," } else { ");" };
        if column + parameter.len() + 1 + end.len() > WIDTH && column > 3 {
            text.push_str("\n   ");
            column = 3;
        }
        _ = write!(text, " {parameter}{end}");
        column += parameter.len() + 1 + end.len();
    }
    text + "\n"
}

/// The types that an item names.
fn types_of(item: &Item) -> Vec<String> {
    let of_signature = |signature: &Signature| {
        let parameters = signature.parameters.iter();
        parameters.map(|parameter| parameter.of.base().to_owned()).collect()
    };
    match &item.kind {
        Kind::Callback(signature) => of_signature(signature),
        Kind::Function(function) => of_signature(&function.signature),
        Kind::Struct(fields) => fields.iter().map(|field| field.of.base().to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// The same declarations without comments, directives, or `struct` in parameters: for cffi, LuaJIT,
/// PHP and others that read declarations but have no preprocessor.
pub fn write_cdef(api: &Api) -> String {
    let mut cdef = String::new();
    for item in api.items() {
        let name = &item.name;
        match &item.kind {
            Kind::Alias(of) => _ = writeln!(cdef, "typedef {};", of.declare(name)),
            Kind::Handle | Kind::Struct(_) => _ = writeln!(cdef, "typedef struct {name} {name};"),
            _ => {}
        }
    }
    for item in api.items() {
        if let Kind::Constant(constant) = &item.kind {
            _ = writeln!(cdef, "enum {{ {} = {} }};", item.name, constant.value);
        }
    }
    for item in api.items() {
        if let Kind::Callback(signature) = &item.kind {
            let start = format!("typedef {} (*{})", signature.result.declare(""), item.name);
            cdef.push_str(&wrapped(&start, signature));
        }
    }
    let mut written = BTreeSet::new();
    for item in api.items() {
        write_struct(api, item, &mut written, &mut cdef);
    }
    for item in api.items() {
        if let Kind::Function(function) = &item.kind {
            let start = format!("{} {}", function.signature.result.declare(""), item.name);
            cdef.push_str(&wrapped(&start, &function.signature));
        }
    }
    cdef
}

/// A struct, after those that are parts of it.
fn write_struct<'a>(
    api: &'a Api, item: &'a Item, written: &mut BTreeSet<&'a str>, cdef: &mut String,
) {
    let Kind::Struct(fields) = &item.kind else { return };
    if !written.insert(&item.name) {
        return;
    }
    for field in fields.iter().filter(|field| field.of.target().is_none()) {
        if let Some(part) = api.items().find(|item| item.name == field.of.base()) {
            write_struct(api, part, written, cdef);
        }
    }
    _ = writeln!(cdef, "struct {} {{", item.name);
    for field in fields {
        _ = writeln!(cdef, "  {};", api.with_numbers(&field.of).declare(&field.name));
    }
    cdef.push_str("};\n");
}
