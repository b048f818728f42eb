//! What the header declares, as read from the sources of its sections.
//!
//! The Rust declarations are the only description of the ABI. From them come the header, the JSON and
//! the cdef, so these can't disagree.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use syn::{Attribute, Expr, Fields, FnArg, Item as RustItem, Lit, Meta, Pat, ReturnType, UnOp};

use super::c_type::CType;
use super::contract::Contract;
use super::facts::{Direction, Facts, Null, ParameterFacts, PointerFacts};
use super::macros;

/// All sections.
pub struct Api {
    pub sections: Vec<Section>,
}

/// A part of the header.
pub struct Section {
    /// The file of its heading, without its ending.
    pub name: &'static str,
    /// The text over it, without marks of comments.
    pub heading: Vec<String>,
    pub items: Vec<Item>,
}

/// A declaration.
pub struct Item {
    pub name: String,
    pub comment: Vec<String>,
    pub kind: Kind,
}

pub enum Kind {
    Constant(Constant),
    /// A name for a scalar.
    Alias(CType),
    Callback(Signature),
    Struct(Vec<Field>),
    Handle,
    Function(Box<Function>),
    /// A macro of the header, and what it stands for.
    Macro(String),
}

pub struct Constant {
    pub of: CType,
    pub value: i128,
}

pub struct Signature {
    pub parameters: Vec<Parameter>,
    pub result: CType,
}

pub struct Parameter {
    pub name: String,
    pub of: CType,
}

pub struct Field {
    pub name: String,
    pub of: CType,
    pub comment: Vec<String>,
    pub offset: usize,
    pub size: usize,
    /// The field that is the length of the array to which this one points.
    pub length: Option<String>,
}

pub struct Function {
    pub signature: Signature,
    /// What the code does with each parameter.
    pub facts: Vec<ParameterFacts>,
    pub contract: Contract,
    /// Where it is: a file, and the line of its `fn`.
    pub source: String,
    pub line: usize,
}

impl Api {
    /// Reads the sections: their names, and the files that each is made of.
    pub fn read(
        root: &Path, sections: &[(&'static str, Vec<String>)],
    ) -> Result<Self, Box<dyn Error>> {
        let facts = Facts::read(&root.join("src/ffi"))?;
        let mut read = Vec::new();
        for (name, files) in sections {
            let mut items = Vec::new();
            for file in files {
                let text = fs::read_to_string(root.join(file))?;
                read_file(file, &text, &facts, &mut items)?;
            }
            let text = fs::read_to_string(root.join(format!("src/ffi/{name}.rs")))?;
            let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
            let heading = lines.map(|line| unindented(line).to_owned()).collect();
            read.push(Section { name, heading, items });
        }
        let mut api = Self { sections: read };
        macros::add(&mut api)?;
        api.lay_out()?;
        api.add_lengths(&facts);
        Ok(api)
    }

    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.sections.iter().flat_map(|section| &section.items)
    }

    /// The constant of that name.
    pub fn constant(&self, name: &str) -> Option<i128> {
        self.items().find_map(|item| match &item.kind {
            Kind::Constant(constant) if item.name == name => Some(constant.value),
            _ => None,
        })
    }

    /// Numbers between those of statuses that are none yet.
    pub fn reserved_statuses(&self) -> impl Iterator<Item = i128> {
        let errors = self.sections.iter().filter(|section| section.name == "error");
        let statuses: Vec<_> = errors
            .flat_map(|section| &section.items)
            .filter_map(|item| match &item.kind {
                Kind::Constant(constant) if constant.of.base() == "int32_t" => Some(constant.value),
                _ => None,
            })
            .collect();
        let end = statuses.iter().copied().max().unwrap_or_default();
        (0..end).filter(move |number| !statuses.contains(number))
    }

    pub fn is_handle(&self, name: &str) -> bool {
        self.items().any(|item| item.name == name && matches!(item.kind, Kind::Handle))
    }

    pub fn is_struct(&self, name: &str) -> bool {
        self.items().any(|item| item.name == name && matches!(item.kind, Kind::Struct(_)))
    }

    pub fn is_callback(&self, name: &str) -> bool {
        self.items().any(|item| item.name == name && matches!(item.kind, Kind::Callback(_)))
    }

    /// Whether a struct begins with its size.
    pub fn has_struct_size(&self, name: &str) -> bool {
        self.items().any(|item| match &item.kind {
            Kind::Struct(fields) => {
                item.name == name && fields.first().is_some_and(|field| field.name == "struct_size")
            }
            _ => false,
        })
    }

    /// The function that frees a handle.
    pub fn free_of(&self, handle: &str) -> Option<&str> {
        let name = format!("{handle}_free");
        self.items().find(|item| item.name == name).map(|item| item.name.as_str())
    }

    /// The same type, with numbers in place of the constants that are lengths of arrays.
    pub fn with_numbers(&self, of: &CType) -> CType {
        match of {
            CType::Array { of, length } => CType::Array {
                of: of.clone(),
                length: self.constant(length).map_or(length.clone(), |number| number.to_string()),
            },
            of => of.clone(),
        }
    }

    /// Size and alignment of a type.
    pub fn layout_of(&self, of: &CType) -> Result<(usize, usize), Box<dyn Error>> {
        Ok(match of {
            CType::Pointer { .. } => (8, 8),
            CType::Array { of, length } => {
                let (size, align) = self.layout_of(of)?;
                let length = match length.parse() {
                    Ok(number) => number,
                    Err(_) => {
                        self.constant(length).ok_or_else(|| format!("no constant {length}"))?
                    }
                };
                (size * usize::try_from(length)?, align)
            }
            CType::Named(name) => match of.scalar_size() {
                Some(size) => (size, size),
                None => self.layout_of_named(name)?,
            },
        })
    }

    fn layout_of_named(&self, name: &str) -> Result<(usize, usize), Box<dyn Error>> {
        let item = self.items().find(|item| item.name == name);
        match item.map(|item| &item.kind) {
            Some(Kind::Alias(of)) => self.layout_of(of),
            Some(Kind::Callback(_)) => Ok((8, 8)),
            Some(Kind::Struct(fields)) => {
                let (mut end, mut widest) = (0, 1);
                for field in fields {
                    let (size, align) = self.layout_of(&field.of)?;
                    end = usize::next_multiple_of(end, align) + size;
                    widest = widest.max(align);
                }
                Ok((end.next_multiple_of(widest), widest))
            }
            _ => Err(format!("{name} has no size").into()),
        }
    }

    /// Finds the places of all fields.
    fn lay_out(&mut self) -> Result<(), Box<dyn Error>> {
        let mut places = BTreeMap::new();
        for item in self.items() {
            let Kind::Struct(fields) = &item.kind else { continue };
            let mut end = 0;
            for field in fields {
                let (size, align) = self.layout_of(&field.of)?;
                let offset = usize::next_multiple_of(end, align);
                places.insert((item.name.clone(), field.name.clone()), (offset, size));
                end = offset + size;
            }
        }
        for item in self.sections.iter_mut().flat_map(|section| &mut section.items) {
            let Kind::Struct(fields) = &mut item.kind else { continue };
            for field in fields {
                if let Some(place) = places.get(&(item.name.clone(), field.name.clone())) {
                    (field.offset, field.size) = *place;
                }
            }
        }
        Ok(())
    }

    /// Finds the lengths of arrays to which fields point: fields that the code reads together.
    fn add_lengths(&mut self, facts: &Facts) {
        for item in self.sections.iter_mut().flat_map(|section| &mut section.items) {
            let Kind::Struct(fields) = &mut item.kind else { continue };
            let names: Vec<_> = fields.iter().map(|field| field.name.clone()).collect();
            for field in fields {
                let is_pointer = matches!(field.of, CType::Pointer { .. });
                field.length =
                    is_pointer.then(|| facts.length_of_field(&field.name, &names)).flatten();
            }
        }
    }
}

fn read_file(
    file: &str, text: &str, facts: &Facts, items: &mut Vec<Item>,
) -> Result<(), Box<dyn Error>> {
    for item in syn::parse_file(text).map_err(|error| format!("{file}: {error}"))?.items {
        let (name, attributes, kind) = match item {
            RustItem::Const(item) if item.ident.to_string().starts_with("SHARDSPEC_") => {
                let of = CType::of(&item.ty)?;
                let value = value_of(&item.expr).ok_or_else(|| {
                    format!("{file}: the value of {} is no plain number", item.ident)
                })?;
                (item.ident, item.attrs, Kind::Constant(Constant { of, value }))
            }
            RustItem::Type(item) if item.ident.to_string().starts_with("shardspec_") => {
                let kind = match CType::callback_of(&item.ty)? {
                    Some(signature) => Kind::Callback(signature),
                    None => Kind::Alias(CType::of(&item.ty)?),
                };
                (item.ident, item.attrs, kind)
            }
            RustItem::Struct(item) if item.ident.to_string().starts_with("shardspec_") => {
                let kind = match item.fields {
                    Fields::Named(fields) if is_public(&fields.named) => {
                        Kind::Struct(fields_of(fields.named)?)
                    }
                    _ => Kind::Handle,
                };
                (item.ident, item.attrs, kind)
            }
            RustItem::Fn(item) if item.sig.ident.to_string().starts_with("shardspec_") => {
                let name = item.sig.ident.to_string();
                let kind = function_of(file, text, &name, &item, facts)?;
                (item.sig.ident, item.attrs, Kind::Function(Box::new(kind)))
            }
            _ => continue,
        };
        let (name, comment) = (name.to_string(), comment_of(&attributes));
        if comment.is_empty() {
            return Err(format!("{file}: {name} has no comment").into());
        }
        items.push(Item { name, comment, kind });
    }
    Ok(())
}

fn is_public<'a>(fields: impl IntoIterator<Item = &'a syn::Field>) -> bool {
    fields.into_iter().all(|field| matches!(field.vis, syn::Visibility::Public(_)))
}

fn fields_of(fields: impl IntoIterator<Item = syn::Field>) -> Result<Vec<Field>, Box<dyn Error>> {
    let fields = fields.into_iter().map(|field| {
        let name = field.ident.map(|name| name.to_string()).unwrap_or_default();
        let (of, comment) = (CType::of(&field.ty)?, comment_of(&field.attrs));
        Ok(Field { name, of, comment, offset: 0, size: 0, length: None })
    });
    fields.collect()
}

fn function_of(
    file: &str, text: &str, name: &str, item: &syn::ItemFn, facts: &Facts,
) -> Result<Function, Box<dyn Error>> {
    let mut parameters = Vec::new();
    for input in &item.sig.inputs {
        let FnArg::Typed(input) = input else { continue };
        let Pat::Ident(pattern) = &*input.pat else { continue };
        parameters.push(Parameter { name: pattern.ident.to_string(), of: CType::of(&input.ty)? });
    }
    let result = match &item.sig.output {
        ReturnType::Default => CType::void(),
        ReturnType::Type(_, of) => CType::of(of)?,
    };
    let comment = comment_of(&item.attrs);
    let contract = Contract::of(name, &comment)?;
    let start = format!("fn {name}(");
    let line = text.lines().position(|line| line.contains(&start)).map_or(0, |line| line + 1);
    let names: Vec<_> = parameters.iter().map(|parameter| parameter.name.clone()).collect();
    let mut found = facts.of_function(name, &names);
    for (parameter, found) in parameters.iter().zip(&mut found) {
        complete(file, name, parameter, found, facts)?;
    }
    let signature = Signature { parameters, result };
    Ok(Function { signature, facts: found, contract, source: file.to_owned(), line })
}

/// Facts of parameters that no function of the border reads, and a failure for other pointers.
fn complete(
    file: &str, name: &str, parameter: &Parameter, found: &mut ParameterFacts, facts: &Facts,
) -> Result<(), Box<dyn Error>> {
    let is_pointer = matches!(parameter.of, CType::Pointer { .. });
    let is_callback = parameter.of.base().ends_with("_fn");
    let null = if facts.requires(name, &parameter.name) { Null::Refused } else { Null::Allowed };
    match found {
        Some(_) => {}
        None if is_bytes(parameter) => {
            let is_read = parameter.of.is_const_pointer();
            let direction = if is_read { Direction::In } else { Direction::Out };
            *found = Some(PointerFacts { direction, null: Null::IfEmpty, length: None });
        }
        None if is_callback || is_pointer && parameter.of.base() == "void" => {
            *found = Some(PointerFacts { direction: Direction::In, null, length: None });
        }
        None if is_pointer => {
            return Err(format!(
                "{file}: {name} passes `{}` to no function that abi/facts.rs knows, such as `slice` or \
                 `out`; the JSON has to say which way it goes and whether it may be NULL",
                parameter.name
            )
            .into());
        }
        None => {}
    }
    Ok(())
}

/// Whether a parameter is memory of no type, and not the context of a callback.
pub fn is_bytes(parameter: &Parameter) -> bool {
    parameter.of.target().is_some_and(CType::is_void) && parameter.name != "ctx"
}

/// A line of a comment without the blank after its mark.
fn unindented(line: &str) -> &str {
    line.strip_prefix(' ').unwrap_or(line)
}

fn comment_of(attributes: &[Attribute]) -> Vec<String> {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(unindented(&text.value()).to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    lines.collect()
}

/// The value of a constant: a number, a negative one, or the largest of a type.
fn value_of(value: &Expr) -> Option<i128> {
    match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number.base10_parse().ok(),
            _ => None,
        },
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
            value_of(&unary.expr).map(|it| -it)
        }
        Expr::Path(path) => {
            let segments: Vec<_> =
                path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            match segments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["u32", "MAX"] => Some(u32::MAX.into()),
                ["i64", "MIN"] => Some(i64::MIN.into()),
                ["i64", "MAX"] => Some(i64::MAX.into()),
                ["u64", "MAX"] => Some(u64::MAX.into()),
                _ => None,
            }
        }
        _ => None,
    }
}
