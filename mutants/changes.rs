//! The changes of a file: where each is, and the text that has it beside the original.
//!
//! A change of an expression becomes `(if is(7) { changed } else { original })`. The changed copy is made of the
//! original text, without changes of its own parts: at most one change is in effect.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Arm, Attribute, BinOp, Block, Expr, ExprBinary, ExprMatch, ExprRepeat, ExprUnary, File,
    ImplItem, ImplItemFn, Item, ItemFn, ItemImpl, Pat, Signature, Stmt, TraitItemFn, UnOp,
};

use crate::values;

/// A change, before it has a number.
pub struct Change<'a> {
    /// The place of what is changed.
    pub at: usize,
    /// The function that it is in.
    pub function: &'a str,
    pub what: String,
}

/// Text to add to a file.
pub struct Insertion {
    pub at: usize,
    /// Whether it comes before something, and not after.
    pub starts: bool,
    /// When it was found: what is around something is found before it.
    pub order: usize,
    pub text: String,
}

/// What only changes how much memory or time something takes, or counts it for tests.
const SKIPPED_CALLS: &[&str] = &[
    "with_capacity",
    "try_with_capacity",
    "reserve",
    "try_reserve",
    "try_reserve_exact",
    "steps :: count",
];

/// All changes of a file. `number` gives each its number, or leaves it out.
pub fn of_file(
    text: &str, file: &File, number: impl FnMut(&Change) -> Option<u32>,
) -> Vec<Insertion> {
    let mut finder = Finder {
        text,
        number,
        scope: String::new(),
        function: String::new(),
        order: 0,
        insertions: Vec::new(),
    };
    finder.visit_file(file);
    finder.insertions
}

struct Finder<'a, N> {
    text: &'a str,
    number: N,
    /// The type that an `impl` is for, and its end.
    scope: String,
    function: String,
    order: usize,
    insertions: Vec<Insertion>,
}

impl<N: FnMut(&Change) -> Option<u32>> Finder<'_, N> {
    fn text_of(&self, span: Span) -> &str {
        &self.text[span.byte_range()]
    }

    fn number(&mut self, span: Span, what: String) -> Option<u32> {
        let change = Change { at: span.byte_range().start, function: &self.function, what };
        (self.number)(&change)
    }

    fn insert(&mut self, at: usize, starts: bool, text: String) {
        self.insertions.push(Insertion { at, starts, order: self.order, text });
    }

    /// Puts texts before and after something.
    fn wrap(&mut self, span: Span, before: String, after: &str) {
        self.order += 1;
        let range = span.byte_range();
        self.insert(range.start, true, before);
        self.insert(range.end, false, after.into());
    }

    /// Adds alternatives of an expression: of each, what is changed, and the changed expression.
    fn alternatives(&mut self, span: Span, place: Span, alternatives: Vec<(String, String)>) {
        let mut before = String::new();
        for (what, changed) in alternatives {
            let Some(number) = self.number(place, what) else { continue };
            before += &format!(
                "if crate::mutant::is({number}) {{/*<{number}*/ {changed} /*>{number}*/}} else "
            );
        }
        if !before.is_empty() {
            self.wrap(span, format!("({before}{{"), "})");
        }
    }

    fn function(&mut self, signature: &Signature, block: &Block) {
        if signature.constness.is_some() {
            return;
        }
        let outer = self.function.clone();
        self.function = format!("{}{}", self.scope, signature.ident);
        let body = self.text_of(block.span()).trim_matches(['{', '}', ' ', '\n']).to_owned();
        for value in values::of_return(&signature.output) {
            if body == value || body.is_empty() {
                continue;
            }
            let what = format!("return {value} at once");
            let Some(number) = self.number(signature.ident.span(), what) else { continue };
            self.order += 1;
            let at = block.brace_token.span.open().byte_range().end;
            let text = format!(
                "if crate::mutant::is({number}) {{/*<{number}*/ return {value}; /*>{number}*/}}"
            );
            self.insert(at, true, text);
        }
        visit::visit_block(self, block);
        self.function = outer;
    }

    /// An arm that another one catches is left out, and a guard is always or never true.
    fn arm(&mut self, arm: &Arm, is_caught: bool) {
        if let Pat::Guard(guarded) = &arm.pat {
            let span = guarded.guard.span();
            if !has_let(&guarded.guard) {
                let to = |value: &str| (format!("guard {value}"), value.to_owned());
                self.alternatives(span, span, vec![to("true"), to("false")]);
            }
            self.visit_expr(&guarded.guard);
        } else if is_caught && !is_catch_all(&arm.pat) {
            let span = arm.pat.span();
            if let Some(number) = self.number(span, "leave out the arm".into()) {
                let text = format!(" if /*<{number}*/ !crate::mutant::is({number}) /*>{number}*/ ");
                self.order += 1;
                self.insert(span.byte_range().end, false, text);
            }
        }
        self.visit_expr(&arm.body);
    }
}

impl<'ast, N: FnMut(&Change) -> Option<u32>> Visit<'ast> for Finder<'_, N> {
    fn visit_item(&mut self, item: &'ast Item) {
        // Constants have no time to select a change.
        if !matches!(item, Item::Const(_) | Item::Static(_) | Item::Macro(_))
            && !is_of_tests(attributes(item))
        {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let name = |path: &syn::Path| path.segments.last().map(|last| last.ident.to_string());
        let of = item.trait_.as_ref().and_then(|(path, _)| name(path));
        if matches!(of.as_deref(), Some("Debug" | "Display" | "Error" | "Default")) {
            return;
        }
        let outer = self.scope.clone();
        let own = self.text_of(item.self_ty.span());
        self.scope = format!("{}::", own.split('<').next().unwrap_or(own));
        visit::visit_item_impl(self, item);
        self.scope = outer;
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        match item {
            ImplItem::Fn(function) if !is_of_tests(&function.attrs) => {
                self.visit_impl_item_fn(function)
            }
            _ => {}
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.function(&item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.sig, &item.block);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if let Stmt::Expr(expression, Some(semicolon)) = statement {
            if is_skipped(expression) {
                return;
            }
            let inner = if let Expr::Try(inner) = expression { &inner.expr } else { expression };
            if matches!(inner, Expr::Call(_) | Expr::MethodCall(_) | Expr::Assign(_)) {
                let span = expression.span();
                if let Some(number) = self.number(span, "leave out the statement".into()) {
                    let before = format!("if !crate::mutant::is({number}) {{/*<{number}*/ ");
                    self.order += 1;
                    self.insert(span.byte_range().start, true, before);
                    self.insert(
                        semicolon.span().byte_range().end,
                        false,
                        format!(" /*>{number}*/}}"),
                    );
                }
            }
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'ast Expr) {
        if !is_skipped(expression) {
            visit::visit_expr(self, expression);
        }
    }

    fn visit_expr_binary(&mut self, binary: &'ast ExprBinary) {
        if !has_let(&binary.left) && !has_let(&binary.right) {
            let operator = self.text_of(binary.op.span()).to_owned();
            let (left, right) =
                (self.text_of(binary.left.span()), self.text_of(binary.right.span()));
            let is_assignment = operator.ends_with('=') && !is_comparison(&binary.op);
            let changed = |to: &&str| {
                let text = if is_assignment {
                    format!("{left} {to} {right}")
                } else {
                    format!("({left}) {to} ({right})")
                };
                (format!("{} -> {to}", snippet(left, &operator, right)), text)
            };
            let alternatives = others(&operator).iter().map(changed).collect();
            self.alternatives(binary.span(), binary.op.span(), alternatives);
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast ExprUnary) {
        if matches!(unary.op, UnOp::Not(_) | UnOp::Neg(_)) {
            let operator = self.text_of(unary.op.span()).to_owned();
            let inner = self.text_of(unary.expr.span()).to_owned();
            let what = format!("{} without {operator}", snippet("", &operator, &inner));
            self.alternatives(unary.span(), unary.span(), vec![(what, inner)]);
        }
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_match(&mut self, of: &'ast ExprMatch) {
        self.visit_expr(&of.expr);
        let is_caught = of.arms.iter().any(|arm| is_catch_all(&arm.pat));
        for arm in &of.arms {
            self.arm(arm, is_caught);
        }
    }

    fn visit_expr_repeat(&mut self, repeat: &'ast ExprRepeat) {
        self.visit_expr(&repeat.expr);
    }

    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_pat(&mut self, _: &'ast Pat) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_generic_argument(&mut self, _: &'ast syn::GenericArgument) {}
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

/// What an operator is replaced by.
fn others(operator: &str) -> &'static [&'static str] {
    match operator {
        "+" => &["-", "*"],
        "-" => &["+", "/"],
        "*" => &["+", "/"],
        "/" => &["%", "*"],
        "%" => &["/", "+"],
        "+=" => &["-=", "*="],
        "-=" => &["+=", "/="],
        "*=" => &["+=", "/="],
        "/=" => &["%=", "*="],
        "%=" => &["/=", "+="],
        "&&" => &["||"],
        "||" => &["&&"],
        "==" => &["!="],
        "!=" => &["=="],
        "<" => &["<=", ">", "=="],
        ">" => &[">=", "<", "=="],
        "<=" => &["<", ">"],
        ">=" => &[">", "<"],
        "&" => &["|", "^"],
        "|" => &["&", "^"],
        "^" => &["&", "|"],
        "&=" => &["|=", "^="],
        "|=" => &["&=", "^="],
        "^=" => &["&=", "|="],
        "<<" => &[">>"],
        ">>" => &["<<"],
        "<<=" => &[">>="],
        ">>=" => &["<<="],
        _ => &[],
    }
}

fn is_comparison(operator: &BinOp) -> bool {
    matches!(
        operator,
        BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Le(_) | BinOp::Ge(_) | BinOp::Lt(_) | BinOp::Gt(_)
    )
}

/// An operator with the ends of its operands that are next to it, on one line.
fn snippet(left: &str, operator: &str, right: &str) -> String {
    const MAX_CHARS: usize = 24;
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (left, right) = (words(left), words(right));
    let last: String = left.chars().skip(left.chars().count().saturating_sub(MAX_CHARS)).collect();
    let first: String = right.chars().take(MAX_CHARS).collect();
    format!("{last} {operator} {first}").trim().to_owned()
}

/// Whether a condition binds names, so that it can't be moved out of its `if`.
fn has_let(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

fn is_catch_all(pattern: &Pat) -> bool {
    match pattern {
        Pat::Wild(_) => true,
        Pat::Ident(name) => {
            name.subpat.is_none() && name.ident.to_string().starts_with(char::is_lowercase)
        }
        _ => false,
    }
}

fn is_skipped(expression: &Expr) -> bool {
    let name = match expression {
        Expr::Try(inner) => return is_skipped(&inner.expr),
        Expr::MethodCall(call) if call.method == "map_err" => return is_skipped(&call.receiver),
        Expr::MethodCall(call) => call.method.to_string(),
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => {
                let names = path.path.segments.iter().map(|segment| segment.ident.to_string());
                names.collect::<Vec<_>>().join(" :: ")
            }
            _ => return false,
        },
        _ => return false,
    };
    SKIPPED_CALLS.iter().any(|&skipped| name.ends_with(skipped))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        _ => &[],
    }
}

fn is_of_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        syn::Meta::Path(path) => path.is_ident("test"),
        _ => false,
    })
}
