//! The stack machine of pickles.
//!
//! A pickle is a program for a stack machine. This machine knows the operations that build numbers,
//! texts, tuples, lists, dictionaries and objects. What a program calls must be in a list of known names
//! ([`Class::find`]); the call is stored and not made. Every other name is refused, with the name.
//!
//! Each byte of the file makes at most one value of constant size, so memory is at most some 64 times the
//! length of the file, which its reader bounds.
//!
//! Source: Python's `Lib/pickletools.py`, protocols 2 to 5.

use super::class::Class;
use super::cursor::Cursor;
use super::value::{Id, Value, wrong};
use super::{Malformed, Parsed, op};
use crate::memory::{Text, TryVec, text, try_to_vec};

/// The stack machine, between two operations.
pub(super) struct PickleMachine<'a> {
    bytes: Cursor<'a>,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Where in the stack the open marks are.
    marks: Vec<usize>,
    memo: Vec<Id>,
}

/// The newest protocol.
const LAST_PROTOCOL: u8 = 5;

impl<'a> PickleMachine<'a> {
    /// Runs a program up to its `STOP`. The values that it made, and which of them is the result.
    pub(super) fn run(program: &'a [u8]) -> Parsed<(Vec<Value<'a>>, Id)> {
        let mut machine = Self::new(program)?;
        while !machine.step()? {}
        let result = machine.pop()?;
        Ok((machine.values, result))
    }

    fn new(bytes: &'a [u8]) -> Parsed<Self> {
        let mut values = Vec::new();
        values.try_extend([Value::None, Value::Bool, Value::Bool])?;
        let bytes = Cursor::new(bytes);
        Ok(Self { bytes, values, stack: Vec::new(), marks: Vec::new(), memo: Vec::new() })
    }

    /// Carries out an operation. Whether it was the last one.
    fn step(&mut self) -> Parsed<bool> {
        let at = self.bytes.position();
        let operation = self.bytes.byte()?;
        match operation {
            op::STOP => return Ok(true),
            op::PROTO => self.protocol()?,
            // Frames only help to read ahead.
            op::FRAME => self.bytes.skip(8)?,
            op::MARK => self.marks.try_push(self.stack.len())?,
            op::POP => drop(self.pop()?),
            op::POP_MARK => drop(self.take_to_mark()?),
            op::NONE => self.stack.try_push(Id::NONE)?,
            op::NEWTRUE => self.stack.try_push(Id::TRUE)?,
            op::NEWFALSE => self.stack.try_push(Id::FALSE)?,
            op::BININT | op::BININT1 | op::BININT2 | op::LONG1 | op::BINFLOAT => {
                self.number(operation)?;
            }
            op::BINUNICODE
            | op::SHORT_BINUNICODE
            | op::BINUNICODE8
            | op::BINSTRING
            | op::SHORT_BINSTRING
            | op::BINBYTES
            | op::SHORT_BINBYTES
            | op::BINBYTES8 => {
                self.characters(operation)?;
            }
            op::BINPUT | op::LONG_BINPUT | op::MEMOIZE | op::BINGET | op::LONG_BINGET => {
                self.memo(operation)?;
            }
            op::GLOBAL | op::STACK_GLOBAL | op::REDUCE | op::NEWOBJ | op::BUILD | op::BINPERSID => {
                self.object(operation)?;
            }
            _ => self.collection(operation, at)?,
        }
        Ok(false)
    }

    fn protocol(&mut self) -> Parsed<()> {
        match self.bytes.byte()? {
            2..=LAST_PROTOCOL => Ok(()),
            other => {
                let problem = text!("pickle protocol {other}; 2 to {LAST_PROTOCOL} are supported");
                Err(Malformed::new(problem))
            }
        }
    }

    fn number(&mut self, operation: u8) -> Parsed<()> {
        let value = match operation {
            op::BININT => i64::from(i32::from_le_bytes(self.bytes.array()?)),
            op::BININT1 => i64::from(self.bytes.byte()?),
            op::BININT2 => i64::from(u16::from_le_bytes(self.bytes.array()?)),
            op::LONG1 => {
                let length = self.bytes.byte()?;
                long(self.bytes.take(length.into())?)?
            }
            _ => {
                self.bytes.skip(8)?;
                return self.push(Value::Float);
            }
        };
        self.push(Value::Int(value))
    }

    fn characters(&mut self, operation: u8) -> Parsed<()> {
        let length = match operation {
            op::SHORT_BINUNICODE | op::SHORT_BINSTRING | op::SHORT_BINBYTES => {
                u64::from(self.bytes.byte()?)
            }
            op::BINUNICODE | op::BINSTRING | op::BINBYTES => {
                u64::from(u32::from_le_bytes(self.bytes.array()?))
            }
            _ => u64::from_le_bytes(self.bytes.array()?),
        };
        let bytes = self.bytes.take(length)?;
        let is_text = !matches!(operation, op::BINBYTES | op::SHORT_BINBYTES | op::BINBYTES8);
        self.push(if is_text { Value::Text(utf8(bytes)?) } else { Value::Bytes })
    }

    fn memo(&mut self, operation: u8) -> Parsed<()> {
        let index = match operation {
            op::MEMOIZE => self.memo.len(),
            op::BINPUT | op::BINGET => usize::from(self.bytes.byte()?),
            _ => u32::from_le_bytes(self.bytes.array()?) as usize,
        };
        if matches!(operation, op::BINGET | op::LONG_BINGET) {
            let id = self.memo.get(index).copied();
            let id = id.ok_or_else(|| Malformed::new(text!("nothing was memoized as {index}")))?;
            return Ok(self.stack.try_push(id)?);
        }
        let id = self.top()?;
        let next = self.memo.len();
        match self.memo.get_mut(index) {
            Some(place) => *place = id,
            // Writers count up. With gaps, a few bytes could ask for a memo of any length.
            None if index == next => self.memo.try_push(id)?,
            None => {
                let problem = text!("memo {index} comes after memo {next}");
                return Err(Malformed::new(problem));
            }
        }
        Ok(())
    }

    fn object(&mut self, operation: u8) -> Parsed<()> {
        match operation {
            op::GLOBAL => {
                let (module, name) = (utf8(self.bytes.line()?)?, utf8(self.bytes.line()?)?);
                self.push(Value::Class(Class::find(module, name)?))
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                let class = match (self.value(module), self.value(name)) {
                    (Value::Text(module), Value::Text(name)) => Class::find(module, name)?,
                    _ => return Err(Malformed::new("the name of a class is no text")),
                };
                self.push(Value::Class(class))
            }
            op::BINPERSID => {
                let name = self.pop()?;
                self.push(Value::Persistent(name))
            }
            op::BUILD => {
                let given = self.pop()?;
                let target = self.top()?;
                match self.value_mut(target) {
                    Some(Value::Object { state: state @ None, .. }) => *state = Some(given),
                    _ => {
                        return Err(Malformed::new(
                            "a state is set that is not that of a new object",
                        ));
                    }
                }
                Ok(())
            }
            _ => {
                let (arguments, called) = (self.pop()?, self.pop()?);
                self.call(called, arguments)
            }
        }
    }

    /// Stores a call. Those that only make a collection are made.
    fn call(&mut self, called: Id, arguments: Id) -> Parsed<()> {
        let &Value::Class(class) = self.value(called) else {
            return Err(wrong(&"a class", self.value(called)));
        };
        let Value::Tuple(list) = self.value(arguments) else {
            return Err(wrong(&"a tuple of arguments", self.value(arguments)));
        };
        match (class, list.as_slice()) {
            (Class::OrderedDict, []) => self.push(Value::Dict(Vec::new())),
            (Class::OrderedDict, _) => {
                Err(Malformed::new("an OrderedDict with arguments; it is made empty, then filled"))
            }
            // How some versions of Python name a member of an enum.
            (Class::Getattr, &[of, _]) => match *self.value(of) {
                Value::Class(class @ Class::MemoryFormat) => {
                    self.push(Value::Object { class, arguments, state: None })
                }
                _ => Err(Class::Getattr.refusal()),
            },
            (Class::Getattr, _) => Err(Class::Getattr.refusal()),
            _ => self.push(Value::Object { class, arguments, state: None }),
        }
    }

    fn collection(&mut self, operation: u8, at: usize) -> Parsed<()> {
        match operation {
            op::EMPTY_TUPLE => self.push(Value::Tuple(Vec::new())),
            op::EMPTY_LIST => self.push(Value::List(Vec::new())),
            op::EMPTY_DICT => self.push(Value::Dict(Vec::new())),
            op::EMPTY_SET => self.push(Value::Set),
            op::TUPLE1 => self.tuple(1),
            op::TUPLE2 => self.tuple(2),
            op::TUPLE3 => self.tuple(3),
            op::TUPLE => {
                let values = self.take_to_mark()?;
                self.push(Value::Tuple(values))
            }
            op::LIST => {
                let values = self.take_to_mark()?;
                self.push(Value::List(values))
            }
            op::FROZENSET => {
                self.take_to_mark()?;
                self.push(Value::Set)
            }
            op::DICT => {
                let values = self.take_to_mark()?;
                self.push(Value::Dict(Vec::new()))?;
                self.set_items(&values)
            }
            op::APPEND => {
                let value = self.pop()?;
                self.append(&[value])
            }
            op::APPENDS => {
                let values = self.take_to_mark()?;
                self.append(&values)
            }
            op::ADDITEMS => {
                self.take_to_mark()?;
                let target = self.top()?;
                match self.value(target) {
                    Value::Set => Ok(()),
                    other => Err(wrong(&"a set", other)),
                }
            }
            op::SETITEM => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])
            }
            op::SETITEMS => {
                let values = self.take_to_mark()?;
                self.set_items(&values)
            }
            other => {
                let problem =
                    text!("operation {other:#04x} at byte {at} of the pickle is not supported");
                Err(Malformed::new(problem))
            }
        }
    }

    fn tuple(&mut self, length: usize) -> Parsed<()> {
        let start = self.stack.len().checked_sub(length).filter(|start| *start >= self.floor());
        let start = start.ok_or_else(underflow)?;
        let values = try_to_vec(self.stack.get(start..).unwrap_or_default())?;
        self.stack.truncate(start);
        self.push(Value::Tuple(values))
    }

    fn append(&mut self, values: &[Id]) -> Parsed<()> {
        let target = self.top()?;
        match self.value_mut(target) {
            Some(Value::List(list)) => Ok(list.try_extend_from_slice(values)?),
            _ => Err(wrong(&"a list", self.value(target))),
        }
    }

    fn set_items(&mut self, values: &[Id]) -> Parsed<()> {
        let target = self.top()?;
        let (pairs, rest) = values.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(Malformed::new("a dictionary gets a key without a value"));
        }
        match self.value_mut(target) {
            Some(Value::Dict(dict)) => {
                Ok(dict.try_extend(pairs.iter().map(|[key, value]| (*key, *value)))?)
            }
            _ => Err(wrong(&"a dictionary", self.value(target))),
        }
    }

    fn value(&self, id: Id) -> &Value<'a> {
        self.values.get(id.0 as usize).unwrap_or(&Value::None)
    }

    fn value_mut(&mut self, id: Id) -> Option<&mut Value<'a>> {
        self.values.get_mut(id.0 as usize)
    }

    fn push(&mut self, value: Value<'a>) -> Parsed<()> {
        let id = u32::try_from(self.values.len());
        let id = id.map_err(|_| Malformed::new("the pickle has too many values"))?;
        self.values.try_push(value)?;
        Ok(self.stack.try_push(Id(id))?)
    }

    /// Nothing below the last mark can be taken.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Parsed<Id> {
        let top = self.stack.get(self.floor()..).and_then(<[_]>::last);
        top.copied().ok_or_else(underflow)
    }

    fn pop(&mut self) -> Parsed<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn take_to_mark(&mut self) -> Parsed<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(underflow)?;
        let values = try_to_vec(self.stack.get(mark..).unwrap_or_default())?;
        self.stack.truncate(mark);
        Ok(values)
    }
}

#[cold]
fn underflow() -> Malformed {
    Malformed::new("the pickle takes a value that it has not made")
}

fn utf8(bytes: &[u8]) -> Parsed<&str> {
    std::str::from_utf8(bytes).map_err(|_| Malformed::new("a text of the pickle is no UTF-8"))
}

/// A number in as many bytes as it needs, least significant first, in two's complement.
fn long(bytes: &[u8]) -> Parsed<i64> {
    let Some((&last, _)) = bytes.split_last() else {
        return Ok(0);
    };
    let mut wide = [if last & 0x80 == 0 { 0 } else { 0xff }; 8];
    let place = wide.get_mut(..bytes.len());
    let place =
        place.ok_or_else(|| Malformed::new(Text::from("a number has more than 64 bits")))?;
    place.copy_from_slice(bytes);
    Ok(i64::from_le_bytes(wide))
}
