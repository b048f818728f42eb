//! Types as C writes them.

use std::error::Error;

use syn::{GenericArgument, PathArguments, PointerMutability, ReturnType, Type};

use super::api::{Parameter, Signature};

/// A type of C.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CType {
    /// A scalar or a type of the header.
    Named(String),
    Pointer {
        to: Box<CType>,
        is_const: bool,
    },
    Array {
        of: Box<CType>,
        /// A number, or the name of a constant.
        length: String,
    },
}

/// Scalars: in Rust, in C, and their bytes.
const SCALARS: &[(&str, &str, usize)] = &[
    ("c_char", "char", 1),
    ("c_void", "void", 0),
    ("f64", "double", 8),
    ("i8", "int8_t", 1),
    ("i16", "int16_t", 2),
    ("i32", "int32_t", 4),
    ("i64", "int64_t", 8),
    ("u8", "uint8_t", 1),
    ("u16", "uint16_t", 2),
    ("u32", "uint32_t", 4),
    ("u64", "uint64_t", 8),
    ("usize", "size_t", 8),
];

impl CType {
    pub fn void() -> Self {
        Self::Named("void".into())
    }

    pub fn is_void(&self) -> bool {
        *self == Self::void()
    }

    /// The type of C that is laid out like one of Rust.
    pub fn of(rust: &Type) -> Result<Self, Box<dyn Error>> {
        Ok(match rust {
            Type::Ptr(pointer) => Self::Pointer {
                to: Box::new(Self::of(&pointer.elem)?),
                is_const: matches!(pointer.mutability, PointerMutability::Const(_)),
            },
            Type::Array(array) => {
                let length = match &array.len {
                    syn::Expr::Lit(literal) => match &literal.lit {
                        syn::Lit::Int(number) => number.base10_digits().to_owned(),
                        _ => return Err("an array's length is a number or a constant".into()),
                    },
                    syn::Expr::Path(path) => path
                        .path
                        .segments
                        .last()
                        .map(|segment| segment.ident.to_string())
                        .unwrap_or_default(),
                    _ => return Err("an array's length is a number or a constant".into()),
                };
                Self::Array { of: Box::new(Self::of(&array.elem)?), length }
            }
            Type::Path(path) => {
                let name = path.path.segments.last().map(|segment| segment.ident.to_string());
                let name = name.unwrap_or_default();
                match SCALARS.iter().find(|(rust, ..)| *rust == name) {
                    Some((_, c, _)) => Self::Named((*c).to_owned()),
                    None if name.starts_with("shardspec_") => Self::Named(name),
                    None => return Err(format!("C has no type for {name}").into()),
                }
            }
            _ => return Err("C has no type for one of the exports".into()),
        })
    }

    /// The signature of a callback, if it is one: `Option<unsafe extern "C-unwind" fn(...)>`.
    pub fn callback_of(rust: &Type) -> Result<Option<Signature>, Box<dyn Error>> {
        let Type::Path(path) = rust else { return Ok(None) };
        let Some(last) = path.path.segments.last().filter(|last| last.ident == "Option") else {
            return Ok(None);
        };
        let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Ok(None) };
        let Some(GenericArgument::Type(Type::FnPtr(function))) = arguments.args.first() else {
            return Ok(None);
        };
        let parameters = function.inputs.iter().map(|input| {
            let name = input.name.as_ref().map(|(name, _)| name.to_string());
            let name = name.ok_or("a callback has a parameter without a name")?;
            Ok::<_, Box<dyn Error>>(Parameter { name, of: Self::of(&input.ty)? })
        });
        let result = match &function.output {
            ReturnType::Default => Self::void(),
            ReturnType::Type(_, of) => Self::of(of)?,
        };
        Ok(Some(Signature { parameters: parameters.collect::<Result<_, _>>()?, result }))
    }

    /// Bytes of a scalar.
    pub fn scalar_size(&self) -> Option<usize> {
        let Self::Named(name) = self else { return None };
        SCALARS.iter().find(|(_, c, _)| c == name).map(|(.., size)| *size)
    }

    /// The type without pointers and arrays.
    pub fn base(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Pointer { to, .. } => to.base(),
            Self::Array { of, .. } => of.base(),
        }
    }

    /// What the type points to, if it is a pointer.
    pub fn target(&self) -> Option<&CType> {
        match self {
            Self::Pointer { to, .. } => Some(to),
            _ => None,
        }
    }

    /// Whether it points to memory that it does not allow to write.
    pub fn is_const_pointer(&self) -> bool {
        matches!(self, Self::Pointer { is_const: true, .. })
    }

    /// A declaration: `const char *const *names`, `char message[968]`. Without a name, the type.
    pub fn declare(&self, name: &str) -> String {
        match self {
            Self::Named(base) if name.is_empty() => base.clone(),
            Self::Named(base) => format!("{base} {name}"),
            Self::Pointer { to, is_const } => {
                let constant = if *is_const { "const " } else { "" };
                match &**to {
                    // `const` stands before a type that is no pointer, and behind one that is.
                    Self::Named(base) => format!("{constant}{base} *{name}"),
                    to => to.declare(&format!("{constant}*{name}")),
                }
            }
            Self::Array { of, length } => of.declare(&format!("{name}[{length}]")),
        }
    }
}
