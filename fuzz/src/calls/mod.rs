//! Sequences of calls through the C interface, with handles that live, were freed, or are forged.
//!
//! `build.rs` makes the table of functions from the description of the interface, so that every function
//! whose arguments are known here is called. What a call may do is in the description too: its status is
//! one that its comment lists, and after a failure all outputs are as they were.

mod arguments;

use std::mem::transmute;

use crate::random::Random;
use arguments::{Arguments, NEVER_WRITTEN};

/// An argument.
pub(crate) struct Parameter {
    kind: Kind,
    /// The arguments whose product is the length of this array.
    lengths: &'static [usize],
    is_length: bool,
    /// The length of this array also depends on an object.
    is_long: bool,
}

/// What an argument is. Numbers are of a kind of handles, or bytes of an element.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Handle(usize),
    Handles(usize),
    NewHandle(usize),
    Value,
    Text,
    Texts,
    Input(usize),
    Output(usize),
    Views,
    Dtype,
    Properties,
    CopyOptions,
    DrawOptions,
    Cuts,
    MeshLayout,
    Partials,
    ShardMetadatas,
    Stretches,
    Error,
}

/// An export.
pub(crate) struct Function {
    name: &'static str,
    address: *const (),
    /// The statuses that its comment lists.
    errors: &'static [i32],
    parameters: &'static [Parameter],
}

// SAFETY: a `Function` has names and numbers, and the address of code, which never change.
unsafe impl Sync for Function {}

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// Handles by their kinds.
#[derive(Default)]
pub(crate) struct Handles {
    alive: [Vec<usize>; 7],
    freed: [Vec<usize>; 7],
}

impl Handles {
    /// A handle of a kind, mostly one that is alive.
    fn any(&self, kind: usize, random: &mut Random) -> usize {
        let list = match random.below(24) {
            0 => &self.freed[kind],
            1 => &self.alive[random.below(7)],
            2 => return random.of_list(&[0, 1, 8, usize::MAX, 0x7fff_ffff_f000, 1 << 40]),
            _ => &self.alive[kind],
        };
        if list.is_empty() { 0 } else { list[random.below(list.len())] }
    }
}

/// Calls functions until the input is used up, and frees what is alive.
pub fn exercise_calls(input: &[u8]) {
    let random = &mut Random::of(input);
    let mut handles = Handles::default();
    // Without any object, most calls would end at once.
    for name in ["shardspec_placement_parse", "shardspec_mesh_new", "shardspec_spec_new_chunk"] {
        call(function(name), &mut handles, random);
    }
    for _ in 0..4 + input.len() / 8 {
        // Half of all calls make objects.
        let mut chosen = &FUNCTIONS[random.below(FUNCTIONS.len())];
        if random.one_in(2) {
            let makes = |function: &&Function| {
                let kinds = function.parameters.iter().map(|parameter| parameter.kind);
                kinds.into_iter().any(|kind| matches!(kind, Kind::NewHandle(_)))
            };
            let count = FUNCTIONS.iter().filter(makes).count();
            let number = random.below(count);
            chosen = FUNCTIONS.iter().filter(makes).nth(number).unwrap_or(chosen);
        }
        call(chosen, &mut handles, random);
    }
    free_all(&mut handles);
}

fn function(name: &str) -> &'static Function {
    FUNCTIONS.iter().find(|function| function.name == name).expect("an export")
}

/// Calls a function with some arguments.
fn call(function: &Function, handles: &mut Handles, random: &mut Random) {
    let mut arguments = Arguments::new();
    let values = arguments.make(function, handles, random);
    // SAFETY: `values` are as many as the function has arguments. Those that are pointers are NULL, or those
    // of memory in `arguments`, which is as long as the function's comment asks for: the contract of
    // `call_address`.
    let status = unsafe { call_address(function.address, &values) };
    let name = function.name;
    assert!(
        status == 0 || function.errors.contains(&status),
        "{name}: status {status} is not listed"
    );
    if status != 0 {
        arguments.check_untouched(name);
        arguments.check_error(name, status);
        return;
    }
    let mut freed = None;
    for (parameter, &value) in function.parameters.iter().zip(&values) {
        match parameter.kind {
            Kind::NewHandle(kind) => {
                let handle = arguments.output(value);
                assert!(handle != NEVER_WRITTEN && handle != 0, "{name}: no handle");
                handles.alive[kind].push(handle);
            }
            Kind::Handle(kind) if name.ends_with("_free") && value != 0 => {
                freed = Some((kind, value))
            }
            Kind::Handle(kind) if value != 0 => {
                assert!(!handles.freed[kind].contains(&value), "{name}: a freed handle was used");
            }
            _ => {}
        }
    }
    if let Some((kind, handle)) = freed {
        let place = handles.alive[kind].iter().position(|alive| *alive == handle);
        handles.alive[kind].swap_remove(place.expect("a handle that was freed was alive"));
        handles.freed[kind].push(handle);
    }
}

fn free_all(handles: &mut Handles) {
    const FREES: [&str; 7] = [
        "shardspec_spec_free",
        "shardspec_metadata_free",
        "shardspec_sharded_tensor_free",
        "shardspec_shards_free",
        "shardspec_mesh_free",
        "shardspec_plan_free",
        "shardspec_placement_free",
    ];
    for (kind, name) in FREES.into_iter().enumerate() {
        for handle in handles.alive[kind].drain(..) {
            // SAFETY: a function that frees takes `handle` and an error, which may be NULL: the contract of
            // `call_address`.
            let status = unsafe { call_address(function(name).address, &[handle, 0]) };
            assert_eq!(status, 0, "{name}");
        }
    }
}

/// Calls code with arguments that are all pointers and integers, of which each has a register or a place of
/// its own on the stack.
///
/// # Safety
///
/// The code takes as many arguments, and they are as its comment asks for.
unsafe fn call_address(address: *const (), values: &[usize]) -> i32 {
    macro_rules! call {
        ($($index:literal)*) => {{
            type Code = unsafe extern "C-unwind" fn($(call!(@type $index)),*) -> i32;
            // SAFETY: `address` is that of a function of so many arguments of this size: the contract of
            // `call_address`.
            unsafe { transmute::<*const (), Code>(address)($(values[$index]),*) }
        }};
        (@type $index:literal) => { usize };
    }
    match values.len() {
        1 => call!(0),
        2 => call!(0 1),
        3 => call!(0 1 2),
        4 => call!(0 1 2 3),
        5 => call!(0 1 2 3 4),
        6 => call!(0 1 2 3 4 5),
        7 => call!(0 1 2 3 4 5 6),
        8 => call!(0 1 2 3 4 5 6 7),
        9 => call!(0 1 2 3 4 5 6 7 8),
        10 => call!(0 1 2 3 4 5 6 7 8 9),
        11 => call!(0 1 2 3 4 5 6 7 8 9 10),
        12 => call!(0 1 2 3 4 5 6 7 8 9 10 11),
        count => panic!("a function with {count} arguments"),
    }
}
