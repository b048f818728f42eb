//! Pickles, read as data: no class of a file is ever looked up or called.
//!
//! Nothing here recurses: values name each other by number.

use super::class::Class;
use super::machine::PickleMachine;
use super::value::{Id, Value, wrong};
use super::{Malformed, Parsed};
use crate::geometry::MAX_NDIM;
use crate::memory::{TryVec, text};

/// The values of a pickle.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// Reads a pickle, up to its `STOP`.
    pub(super) fn read(bytes: &'a [u8]) -> Parsed<Self> {
        let (values, root) = PickleMachine::run(bytes)?;
        Ok(Self { values, root })
    }

    /// The value that the pickle is of.
    pub(super) fn root(&self) -> Id {
        self.root
    }

    /// A value.
    pub(super) fn get(&self, id: Id) -> &Value<'a> {
        // The machine has made every number that it handed out.
        self.values.get(id.0 as usize).unwrap_or(&Value::None)
    }

    /// The arguments and the state of an object of a class.
    pub(super) fn object(&self, id: Id, expected: Class) -> Parsed<(Id, Option<Id>)> {
        match self.get(id) {
            Value::Object { class, arguments, state } if *class == expected => {
                Ok((*arguments, *state))
            }
            other => Err(wrong(&expected, other)),
        }
    }

    /// What the state of an object has under a name.
    pub(super) fn field(&self, id: Id, class: Class, name: &str) -> Parsed<Option<Id>> {
        let Some(state) = self.object(id, class)?.1 else {
            return Ok(None);
        };
        let mut fields = self.dict(state)?.iter();
        let named = |key: Id| matches!(self.get(key), Value::Text(text) if *text == name);
        Ok(fields.find(|(key, _)| named(*key)).map(|(_, value)| *value))
    }

    /// What the state of an object must have under a name.
    pub(super) fn need(&self, id: Id, class: Class, name: &str) -> Parsed<Id> {
        let field = self.field(id, class, name)?;
        field.ok_or_else(|| Malformed::new(text!("a {class} has no field '{name}'")))
    }

    pub(super) fn dict(&self, id: Id) -> Parsed<&[(Id, Id)]> {
        match self.get(id) {
            Value::Dict(pairs) => Ok(pairs),
            other => Err(wrong(&"a dictionary", other)),
        }
    }

    pub(super) fn sequence(&self, id: Id) -> Parsed<&[Id]> {
        match self.get(id) {
            Value::List(values) | Value::Tuple(values) => Ok(values),
            other => Err(wrong(&"a list or a tuple", other)),
        }
    }

    pub(super) fn text(&self, id: Id) -> Parsed<&'a str> {
        match self.get(id) {
            Value::Text(text) => Ok(text),
            other => Err(wrong(&"a text", other)),
        }
    }

    pub(super) fn int(&self, id: Id) -> Parsed<i64> {
        match self.get(id) {
            Value::Int(value) => Ok(*value),
            other => Err(wrong(&"a number", other)),
        }
    }

    /// Numbers that are no negative ones: a `torch.Size`, a tuple or a list.
    pub(super) fn sizes(&self, id: Id) -> Parsed<Vec<i64>> {
        let list = match self.get(id) {
            Value::Object { class: Class::Size, arguments, .. } => {
                match *self.sequence(*arguments)? {
                    [inner] => inner,
                    _ => return Err(Malformed::new("a torch.Size is made of one tuple")),
                }
            }
            _ => id,
        };
        let values = self.sequence(list)?;
        if values.len() > MAX_NDIM {
            let problem = text!("{} dimensions; at most {} are supported", values.len(), MAX_NDIM);
            return Err(Malformed::new(problem));
        }
        let mut sizes = Vec::new();
        for &value in values {
            let size = self.int(value)?;
            if size < 0 {
                return Err(Malformed::new(text!("the size or offset {size} is negative")));
            }
            sizes.try_push(size)?;
        }
        Ok(sizes)
    }

    pub(super) fn is_none(&self, id: Id) -> bool {
        matches!(self.get(id), Value::None)
    }
}
