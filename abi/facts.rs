//! What the code does with the pointers that exports are given: directions, NULL, lengths of arrays.
//!
//! Every pointer of a caller goes through a function of `src/ffi/border`, such as
//! `slice("sizes", sizes, ndim)`: that call is the description. An export may leave it to functions of
//! `src/ffi` that it calls, which are followed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Expr, FnArg, Member, Pat};

/// Which way a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    In,
    Out,
    /// A struct that is written, of which the call reads `struct_size` first.
    InOut,
}

/// Whether a pointer may be NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Null {
    Refused,
    /// Where the array has no elements.
    IfEmpty,
    Allowed,
}

/// How many elements an array has: the product of some parameters and, it may be, of a number that
/// depends on an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Length {
    pub parameters: Vec<String>,
    pub object: Option<String>,
}

/// What is known of a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointerFacts {
    pub direction: Direction,
    pub null: Null,
    pub length: Option<Length>,
}

/// What is known of a parameter: nothing where it is no pointer.
pub type ParameterFacts = Option<PointerFacts>;

/// A function of the border: its name, how many arguments it has, which one is the pointer, which one
/// the length of its array, and what a call says about the pointer.
type BorderFunction = (&'static str, usize, usize, Option<usize>, Direction, Null);

const BORDER: &[BorderFunction] = &[
    ("input", 2, 1, None, Direction::In, Null::Refused),
    ("slice", 3, 1, Some(2), Direction::In, Null::IfEmpty),
    ("text", 2, 1, None, Direction::In, Null::Refused),
    ("text_slice", 3, 1, Some(2), Direction::In, Null::IfEmpty),
    ("optional_text", 2, 1, None, Direction::In, Null::Allowed),
    ("optional_bytes", 2, 1, None, Direction::In, Null::Allowed),
    ("out", 2, 1, None, Direction::Out, Null::Refused),
    ("optional_out", 2, 1, None, Direction::Out, Null::Allowed),
    ("out_slice", 3, 1, Some(2), Direction::Out, Null::IfEmpty),
    ("optional_out_slice", 3, 1, Some(2), Direction::Out, Null::Allowed),
    ("answer", 5, 1, Some(2), Direction::Out, Null::IfEmpty),
    ("answer", 5, 3, None, Direction::Out, Null::Allowed),
    ("answer_by", 6, 1, Some(2), Direction::Out, Null::IfEmpty),
    ("answer_by", 6, 3, None, Direction::Out, Null::Allowed),
    ("answer_text", 4, 0, Some(1), Direction::Out, Null::IfEmpty),
    ("answer_text", 4, 2, None, Direction::Out, Null::Allowed),
    ("get", 2, 1, None, Direction::In, Null::Refused),
    ("key", 2, 1, None, Direction::In, Null::Refused),
    ("label", 2, 1, None, Direction::In, Null::Refused),
    ("free", 2, 1, None, Direction::In, Null::Allowed),
    ("sized", 2, 1, None, Direction::In, Null::Refused),
    ("sized_in", 3, 1, None, Direction::In, Null::Refused),
    ("sized_slice", 3, 1, Some(2), Direction::In, Null::IfEmpty),
    ("sized_out", 2, 1, None, Direction::InOut, Null::Refused),
    // A context is the user's, and no function is called where there is none.
    ("owning", 3, 0, None, Direction::In, Null::Allowed),
    ("owning_table", 3, 0, None, Direction::In, Null::Allowed),
    ("guard", 2, 0, None, Direction::InOut, Null::Allowed),
];

/// Files that are the border's own: what they do is in [`BORDER`].
const BORDER_FILES: &[&str] = &["pointer.rs", "sized.rs", "handle.rs", "callback.rs", "guard.rs"];

/// A function of `src/ffi`.
struct Body {
    parameters: Vec<String>,
    calls: Vec<Call>,
    /// Parameters that the function compares with NULL.
    null_checks: BTreeSet<String>,
    /// Callbacks that the function refuses where they are NULL.
    required: BTreeSet<String>,
    /// The names that a local's value is made from.
    locals: BTreeMap<String, BTreeSet<String>>,
}

/// A call, and the names in each argument. A single name is alone where the argument is nothing else.
struct Call {
    function: String,
    arguments: Vec<Argument>,
}

#[derive(Default)]
struct Argument {
    alone: Option<String>,
    names: BTreeSet<String>,
}

/// All functions of `src/ffi` by their names.
pub struct Facts {
    functions: BTreeMap<String, Vec<Body>>,
    /// Functions that are being followed: one may call itself.
    open: RefCell<Vec<(String, String)>>,
}

impl Facts {
    pub fn read(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut facts = Self { functions: BTreeMap::new(), open: RefCell::default() };
        for folder in [folder.to_owned(), folder.join("border")] {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if name.ends_with(".rs") && !BORDER_FILES.contains(&name.as_str()) {
                    facts.read_file(&path)?;
                }
            }
        }
        Ok(facts)
    }

    fn read_file(&mut self, path: &Path) -> Result<(), Box<dyn Error>> {
        let file = syn::parse_file(&fs::read_to_string(path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let mut reader = Reader { functions: &mut self.functions };
        reader.visit_file(&file);
        Ok(())
    }

    /// What an export does with its parameters.
    pub fn of_function(&self, name: &str, parameters: &[String]) -> Vec<ParameterFacts> {
        parameters
            .iter()
            .map(|parameter| self.of_parameter(name, parameters.len(), parameter))
            .collect()
    }

    /// Whether an export refuses a callback that is NULL.
    pub fn requires(&self, name: &str, parameter: &str) -> bool {
        self.functions.get(name).into_iter().flatten().any(|body| body.required.contains(parameter))
    }

    fn of_parameter(&self, function: &str, count: usize, parameter: &str) -> ParameterFacts {
        let key = (function.to_owned(), parameter.to_owned());
        if self.open.borrow().contains(&key) {
            return None;
        }
        self.open.borrow_mut().push(key);
        let bodies = self.functions.get(function).into_iter().flatten();
        let found = bodies
            .filter(|body| body.parameters.len() == count)
            .find_map(|body| self.in_body(body, parameter));
        self.open.borrow_mut().pop();
        found
    }

    fn in_body(&self, body: &Body, parameter: &str) -> ParameterFacts {
        let mut found: ParameterFacts = None;
        for call in &body.calls {
            for (at, argument) in call.arguments.iter().enumerate() {
                if argument.alone.as_deref() != Some(parameter) {
                    continue;
                }
                let Some(facts) = self.by_call(body, call, at) else { continue };
                // The call that says more: a length, or that NULL is refused.
                found = match found {
                    Some(known) if known.length.is_some() || facts.length.is_none() => Some(known),
                    _ => Some(facts),
                };
            }
        }
        if let Some(facts) = &mut found
            && body.null_checks.contains(parameter)
        {
            facts.null = Null::Allowed;
        }
        found
    }

    /// What a call says about its argument number `at`.
    fn by_call(&self, body: &Body, call: &Call, at: usize) -> ParameterFacts {
        let count = call.arguments.len();
        let known = BORDER.iter().find(|(name, arguments, pointer, ..)| {
            *name == call.function && *arguments == count && *pointer == at
        });
        if let Some(&(.., length, direction, null)) = known {
            let length = length.and_then(|at| call.arguments.get(at));
            let length = length.map(|argument| body.length_of(&argument.names));
            return Some(PointerFacts { direction, null, length });
        }
        let callee = self.functions.get(&call.function)?;
        let callee = callee.iter().find(|callee| callee.parameters.len() == count)?;
        let facts = self.of_parameter(&call.function, count, callee.parameters.get(at)?)?;
        // The callee's names of lengths are this function's arguments.
        let length = facts.length.map(|length| {
            let mut names = BTreeSet::new();
            for parameter in length.parameters.iter().chain(&length.object) {
                let at = callee.parameters.iter().position(|name| name == parameter);
                if let Some(argument) = at.and_then(|at| call.arguments.get(at)) {
                    names.extend(argument.names.iter().cloned());
                }
            }
            body.length_of(&names)
        });
        Some(PointerFacts { length, ..facts })
    }

    /// The field that is the length of the array to which another field of the same struct points.
    pub fn length_of_field(&self, field: &str, fields: &[String]) -> Option<String> {
        self.functions.values().flatten().find_map(|body| {
            body.calls.iter().find_map(|call| {
                let at =
                    call.arguments.iter().position(|argument| argument.names.contains(field))?;
                let length = call.arguments.get(self.length_argument(call, at)?)?;
                let names = body.resolved(&length.names);
                fields.iter().find(|other| *other != field && names.contains(*other)).cloned()
            })
        })
    }

    /// The argument of a call that is the length of the array in another argument.
    fn length_argument(&self, call: &Call, at: usize) -> Option<usize> {
        let count = call.arguments.len();
        let known = BORDER.iter().find(|(name, arguments, pointer, ..)| {
            *name == call.function && *arguments == count && *pointer == at
        });
        if let Some(&(_, _, _, length, ..)) = known {
            return length;
        }
        let callees = self.functions.get(&call.function)?;
        let callee = callees.iter().find(|callee| callee.parameters.len() == count)?;
        let facts = self.of_parameter(&call.function, count, callee.parameters.get(at)?)?;
        let [length] = &facts.length?.parameters[..] else { return None };
        callee.parameters.iter().position(|parameter| parameter == length)
    }
}

impl Body {
    /// All names that these are made from.
    fn resolved(&self, names: &BTreeSet<String>) -> BTreeSet<String> {
        let mut all = names.clone();
        let mut open: Vec<_> = names.iter().cloned().collect();
        while let Some(name) = open.pop() {
            // A local of that name comes after what the parameter is used for.
            if self.parameters.contains(&name) {
                continue;
            }
            for made_from in self.locals.get(&name).into_iter().flatten() {
                if *made_from != name && all.insert(made_from.clone()) {
                    open.push(made_from.clone());
                }
            }
        }
        all
    }

    fn length_of(&self, names: &BTreeSet<String>) -> Length {
        let all = self.resolved(names);
        let known = || self.parameters.iter().filter(|parameter| all.contains(*parameter));
        let parameters: Vec<_> = known().filter(|name| is_length(name)).cloned().collect();
        // An array that is as long as an object says has other parameters for it.
        let object = known().find(|name| !is_length(name) && !name.starts_with("first_")).cloned();
        Length { parameters, object }
    }
}

/// Whether a parameter of that name is the length of an array.
pub fn is_length(name: &str) -> bool {
    matches!(name, "ndim" | "capacity" | "size" | "count" | "len" | "max_degree")
        || name.ends_with("_count")
        || name.ends_with("_capacity")
}

struct Reader<'a> {
    functions: &'a mut BTreeMap<String, Vec<Body>>,
}

impl Reader<'_> {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let mut parameters = Vec::new();
        for input in &signature.inputs {
            if let FnArg::Typed(input) = input {
                names_in(&input.pat, &mut parameters);
            }
        }
        let mut body = Body {
            parameters,
            calls: Vec::new(),
            null_checks: BTreeSet::new(),
            required: BTreeSet::new(),
            locals: BTreeMap::new(),
        };
        body.visit_block(block);
        self.functions.entry(signature.ident.to_string()).or_default().push(body);
    }
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.add(&item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.add(&item.sig, &item.block);
    }
}

impl<'a> Visit<'a> for Body {
    fn visit_local(&mut self, local: &'a syn::Local) {
        if let Some(init) = &local.init {
            self.bind(&local.pat, &init.expr);
        }
        visit::visit_local(self, local);
    }

    fn visit_expr_call(&mut self, call: &'a syn::ExprCall) {
        if let Expr::Path(path) = &*call.func
            && let Some(last) = path.path.segments.last()
        {
            self.call(last.ident.to_string(), call.args.iter());
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        match (call.method.to_string().as_str(), name_of(&call.receiver)) {
            ("is_null", Some(name)) => _ = self.null_checks.insert(name),
            ("ok_or", Some(name)) => _ = self.required.insert(name),
            (method, _) => self.call(method.to_owned(), call.args.iter()),
        }
        visit::visit_expr_method_call(self, call);
    }
}

impl Body {
    /// Notes what the names of a pattern are made from.
    fn bind(&mut self, pattern: &Pat, value: &Expr) {
        if let (Pat::Tuple(pattern), Expr::Tuple(value)) = (pattern, value)
            && pattern.elems.len() == value.elems.len()
        {
            pattern.elems.iter().zip(&value.elems).for_each(|(pattern, value)| {
                self.bind(pattern, value);
            });
            return;
        }
        let (mut bound, mut names) = (Vec::new(), Names::default());
        names_in(pattern, &mut bound);
        names.visit_expr(value);
        for name in bound {
            self.locals.entry(name).or_default().extend(names.0.iter().cloned());
        }
    }

    fn call<'a>(&mut self, function: String, arguments: impl Iterator<Item = &'a Expr>) {
        let mut all = Vec::new();
        for argument in arguments {
            match argument {
                // A tuple of pointers is taken apart by the function's pattern.
                Expr::Tuple(tuple) => all.extend(tuple.elems.iter().map(Argument::of)),
                argument => all.push(Argument::of(argument)),
            }
        }
        self.calls.push(Call { function, arguments: all });
    }
}

impl Argument {
    fn of(argument: &Expr) -> Self {
        let mut names = Names::default();
        names.visit_expr(argument);
        Self { alone: name_of(argument), names: names.0 }
    }
}

/// The name that an expression is, also where it is cast.
fn name_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        Expr::MethodCall(call) if call.method == "cast" || call.method == "cast_const" => {
            name_of(&call.receiver)
        }
        Expr::Try(attempt) => name_of(&attempt.expr),
        _ => None,
    }
}

/// The names in an expression: variables, and fields.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl<'a> Visit<'a> for Names {
    fn visit_expr_path(&mut self, path: &'a syn::ExprPath) {
        self.0.extend(path.path.get_ident().map(ToString::to_string));
    }

    fn visit_expr_field(&mut self, field: &'a syn::ExprField) {
        if let Member::Named(name) = &field.member {
            self.0.insert(name.to_string());
        }
        visit::visit_expr_field(self, field);
    }
}

/// The names that a pattern binds.
fn names_in(pattern: &Pat, names: &mut Vec<String>) {
    match pattern {
        Pat::Ident(pattern) => names.push(pattern.ident.to_string()),
        Pat::Type(pattern) => names_in(&pattern.pat, names),
        Pat::Tuple(pattern) => pattern.elems.iter().for_each(|each| names_in(each, names)),
        Pat::Slice(pattern) => pattern.elems.iter().for_each(|each| names_in(each, names)),
        Pat::Struct(pattern) => {
            pattern.fields.iter().for_each(|field| names_in(&field.pat, names));
        }
        Pat::TupleStruct(pattern) => pattern.elems.iter().for_each(|each| names_in(each, names)),
        _ => {}
    }
}
