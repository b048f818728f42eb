//! The values of pickles.

use std::fmt;

use super::Malformed;
use super::class::Class;
use crate::memory::text;

/// The number of a value of a pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(pub(super) u32);

impl Id {
    /// These exist once.
    pub(super) const NONE: Self = Self(0);
    pub(super) const FALSE: Self = Self(1);
    pub(super) const TRUE: Self = Self(2);
}

/// A value. Values name each other by number, and may do so in circles.
#[derive(Debug)]
pub(super) enum Value<'a> {
    None,
    Bool,
    Int(i64),
    Float,
    Text(&'a str),
    Bytes,
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Set,
    Class(Class),
    /// An object: its class, what it was made from, and what was set afterwards.
    Object {
        class: Class,
        arguments: Id,
        state: Option<Id>,
    },
    /// An object that is stored beside the pickle, with the name that it has there.
    Persistent(Id),
}

/// The refusal of another value than the expected one.
#[cold]
pub(super) fn wrong(expected: &dyn fmt::Display, got: &Value<'_>) -> Malformed {
    Malformed::new(text!("{expected} is expected where {got} is"))
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bool => f.write_str("a bool"),
            Self::Int(value) => write!(f, "the number {value}"),
            Self::Float => f.write_str("a float"),
            Self::Text(_) => f.write_str("a text"),
            Self::Bytes => f.write_str("bytes"),
            Self::Tuple(_) => f.write_str("a tuple"),
            Self::List(_) => f.write_str("a list"),
            Self::Dict(_) => f.write_str("a dictionary"),
            Self::Set => f.write_str("a set"),
            Self::Class(class) => write!(f, "the class {class}"),
            Self::Object { class, .. } => write!(f, "a {class}"),
            Self::Persistent(_) => f.write_str("an object that is stored elsewhere"),
        }
    }
}
