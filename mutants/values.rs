//! Values that a changed function returns at once, by its type.

use syn::{GenericArgument, Path, PathArguments, ReturnType, Type};

/// The values, as source text. Empty: none is easily written.
pub fn of_return(output: &ReturnType) -> Vec<String> {
    match output {
        ReturnType::Default => vec!["()".into()],
        ReturnType::Type(_, of) => of_type(of),
    }
}

fn of_type(of: &Type) -> Vec<String> {
    match of {
        Type::Path(path) => of_path(&path.path),
        Type::Tuple(tuple) => of_tuple(&tuple.elems.iter().map(of_type).collect::<Vec<_>>()),
        Type::Reference(reference) => of_reference(&reference.elem, reference.mutability.is_some()),
        Type::Array(array) => of_type(&array.elem)
            .into_iter()
            .map(|value| format!("std::array::from_fn(|_| {value})"))
            .collect(),
        Type::Paren(inner) => of_type(&inner.elem),
        _ => Vec::new(),
    }
}

fn of_path(path: &Path) -> Vec<String> {
    let Some(last) = path.segments.last() else { return Vec::new() };
    let name = last.ident.to_string();
    let within = || argument(&last.arguments).map(of_type).unwrap_or_default();
    let wrapped = |with: &str| within().iter().map(|value| format!("{with}({value})")).collect();
    match name.as_str() {
        "bool" => texts(&["true", "false"]),
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => texts(&["0", "1"]),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => texts(&["0", "1", "-1"]),
        "f32" | "f64" => texts(&["0.0", "1.0"]),
        "Ordering" => texts(&["std::cmp::Ordering::Less", "std::cmp::Ordering::Equal"]),
        "Vec" => texts(&["Vec::new()"]),
        "Option" => [vec!["None".into()], wrapped("Some")].concat(),
        "Memory" => wrapped("Ok"),
        name if name.ends_with("Result") => wrapped("Ok"),
        _ => texts(&["Default::default()"]),
    }
}

/// The first type in angle brackets.
fn argument(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(of) => Some(of),
        _ => None,
    })
}

fn of_reference(of: &Type, mutable: bool) -> Vec<String> {
    match of {
        Type::Slice(_) if mutable => texts(&["&mut []"]),
        Type::Slice(_) => texts(&["&[]"]),
        _ => Vec::new(),
    }
}

/// The first value of each element, then the second of each, and so on.
fn of_tuple(elements: &[Vec<String>]) -> Vec<String> {
    let Some(count) = elements.iter().map(Vec::len).max() else { return texts(&["()"]) };
    if elements.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let at = |index: usize| {
        let values = elements.iter().map(|values| values[index % values.len()].clone());
        format!("({},)", values.collect::<Vec<_>>().join(", "))
    };
    (0..count).map(at).collect()
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}
