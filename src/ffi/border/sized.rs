//! Structs that can grow: their first field says how large the caller's is.
//!
//! Later versions add fields at the end, and zero in a new field means what its absence meant. So a
//! program and a library of different versions agree like this: what the caller's struct lacks
//! counts as zero, and what it has beyond ours must be zero, so that nothing that was asked for is
//! left undone in silence.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use crate::ffi::border::guard::{Outcome, Refusal};
use crate::ffi::border::pointer::{input, slice};
use crate::memory::{text, try_with_capacity};
use crate::model::Error;

/// A struct that can grow.
///
/// # Safety
///
/// It is `repr(C)`, its first field is `struct_size: u64`, and zeros are a value of it, as is
/// whatever else the caller's promise about the struct's pointers allows.
pub(crate) unsafe trait Grows: Copy {
    /// The type's name in C.
    const NAME: &'static str;
    /// `sizeof` in the first version: no caller's is smaller.
    const FIRST_SIZE: usize;
}

/// No version will have a larger struct, so a larger size was never set.
pub(crate) const MAX_SIZE: usize = 4096;

/// The size that the caller's struct says it has. Only that field is read.
///
/// # Safety
///
/// If it is not null, `pointer` points to a `u64` that does not change during the call.
#[inline]
unsafe fn size_of_struct<T: Grows>(argument: &'static str, pointer: *const T) -> Outcome<usize> {
    // SAFETY: the contract of `size_of_struct` is that of `input`, for the `u64` with which the
    // struct begins.
    let size = *unsafe { input(argument, pointer.cast::<u64>()) }?;
    const { assert!(align_of::<T>() == align_of::<u64>(), "the check of the first field is for all") };
    let possible = |size: &usize| (T::FIRST_SIZE..=MAX_SIZE).contains(size);
    let refused = || impossible(argument, size, T::NAME, size_of::<T>());
    usize::try_from(size).ok().filter(possible).ok_or_else(refused)
}

/// The refusal of a size that no version's struct has.
#[cold]
#[inline(never)]
fn impossible(argument: &'static str, size: u64, name: &str, ours: usize) -> Refusal {
    let problem = text!("its struct_size is {size}; set it to sizeof({name}), {ours}");
    Error::invalid(argument, problem).into()
}

/// A struct argument.
///
/// # Safety
///
/// If it is not null, `pointer` points to a `u64` and to as many bytes as that says. They do not
/// change during the call.
#[inline]
pub(crate) unsafe fn sized<T: Grows>(argument: &'static str, pointer: *const T) -> Outcome<T> {
    // SAFETY: the contract of `sized` is that of `size_of_struct`, which reads the first field.
    let size = unsafe { size_of_struct(argument, pointer) }?;
    if size == size_of::<T>() {
        // SAFETY: `pointer` is not null and is aligned, as `size_of_struct` found. The contract of
        // `sized` is that so many bytes are there as the struct says, and a `T` has as many.
        return Ok(unsafe { pointer.read() });
    }
    // SAFETY: the contract of `sized` is that the struct at `pointer` has `size` bytes, for it says
    // so.
    unsafe { of_other_size(argument, pointer, size) }
}

/// As [`sized`], without a copy of a struct that has this version's size; `room` is for others.
///
/// # Safety
///
/// As [`sized`].
#[inline(always)]
pub(crate) unsafe fn sized_in<'a, T: Grows>(
    argument: &'static str, pointer: *const T, room: &'a mut MaybeUninit<T>,
) -> Outcome<&'a T> {
    // SAFETY: the contract of `sized_in` is that of `size_of_struct`, which reads the first field.
    let size = unsafe { size_of_struct(argument, pointer) }?;
    if size == size_of::<T>() {
        // SAFETY: `pointer` is not null and is aligned, as `size_of_struct` found. The contract of
        // `sized_in` is that a struct of this size is there, which does not change during the call.
        return Ok(unsafe { &*pointer });
    }
    // SAFETY: the contract of `sized_in` is that the struct at `pointer` has `size` bytes, for it
    // says so.
    Ok(room.write(unsafe { of_other_size(argument, pointer, size) }?))
}

/// [`sized`] where the caller's struct is of another version.
///
/// # Safety
///
/// `pointer` points to `size` bytes that do not change during the call.
#[cold]
unsafe fn of_other_size<T: Grows>(
    argument: &'static str, pointer: *const T, size: usize,
) -> Outcome<T> {
    let known = size.min(size_of::<T>());
    // SAFETY: `pointer` points to `size` bytes, by the contract of `of_other_size`, and `known` is
    // not more.
    let unknown = unsafe {
        std::slice::from_raw_parts(pointer.cast::<u8>().add(known), size.saturating_sub(known))
    };
    if unknown.iter().any(|byte| *byte != 0) {
        let problem = text!(
            "it sets fields that this version does not have: of its {size} bytes, those from {known} \
             on must be zero"
        );
        return Err(Error::invalid(argument, problem).into());
    }
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: `pointer` and `value` both have `known` bytes. The contract of `Grows` is that zeros
    // and what a program writes into a struct are a value of it.
    Ok(unsafe {
        std::ptr::copy_nonoverlapping(pointer.cast::<u8>(), value.as_mut_ptr().cast(), known);
        value.assume_init()
    })
}

/// An array of structs that can grow. Its elements are as far apart as the first one is large: the
/// caller's array is one of the caller's structs.
pub(crate) struct SizedSlice<'a, T> {
    argument: &'static str,
    first: *const T,
    size: usize,
    len: usize,
    structs: PhantomData<&'a [T]>,
}

/// An array argument of `len` structs; it may be null when `len` is 0.
///
/// # Safety
///
/// If it is not null, `pointer` points to `len` structs of as many bytes each as the first one's
/// first field, a `u64`, says. They do not change during the call.
pub(crate) unsafe fn sized_slice<'a, T: Grows>(
    argument: &'static str, pointer: *const T, len: usize,
) -> Outcome<SizedSlice<'a, T>> {
    let structs = PhantomData;
    if len == 0 {
        return Ok(SizedSlice { argument, first: pointer, size: size_of::<T>(), len, structs });
    }
    // SAFETY: `pointer` is followed only if it is not null, and `len` is not 0. The contract of
    // `sized_slice` is that a struct is there then, which begins with a `u64`.
    let size = unsafe {
        input(argument, pointer.cast::<u64>())?;
        size_of_struct(argument, pointer).map_err(Refusal::at(argument, 0))?
    };
    if !size.is_multiple_of(align_of::<T>()) {
        let refused = impossible(argument, size as u64, T::NAME, size_of::<T>());
        return Err(Refusal::at(argument, 0)(refused));
    }
    // Refuses more bytes than memory has.
    // SAFETY: the contract of `sized_slice` is that `len` structs of `size` bytes are there. Bytes
    // have no alignment.
    unsafe { slice(argument, pointer.cast::<u8>(), len.saturating_mul(size)) }?;
    Ok(SizedSlice { argument, first: pointer, size, len, structs })
}

impl<T: Grows> SizedSlice<'_, T> {
    /// What `convert` makes of each struct. Its refusals get the struct's position.
    pub(crate) fn convert<U>(&self, mut convert: impl FnMut(T) -> Outcome<U>) -> Outcome<Vec<U>> {
        let mut converted = try_with_capacity(self.len)?;
        for index in 0..self.len {
            let value = self.get(index).and_then(&mut convert);
            converted.push(value.map_err(Refusal::at(self.argument, index))?);
        }
        Ok(converted)
    }

    fn get(&self, index: usize) -> Outcome<T> {
        // SAFETY: `first` points to `len` structs of `size` bytes, by the contract of
        // `sized_slice`, which found the number of bytes possible; `index` is below `len`.
        let element = unsafe { self.first.byte_add(index.saturating_mul(self.size)) };
        // SAFETY: `element` is a struct, which begins with a `u64`, by the contract of
        // `sized_slice`. It is aligned, for `size` is a multiple of the alignment.
        let own = *unsafe { input(self.argument, element.cast::<u64>()) }?;
        if own != self.size as u64 {
            return Err(differs(self.argument, own, self.size, T::NAME));
        }
        // SAFETY: `element` says that it has `size` bytes, and so it has, by the contract of
        // `sized_slice`.
        unsafe { sized(self.argument, element) }
    }
}

/// The refusal of an element whose size is not that of the first one.
#[cold]
#[inline(never)]
fn differs(argument: &'static str, own: u64, first: usize, name: &str) -> Refusal {
    let problem = text!(
        "its struct_size is {own}, and {first} in the first element; set it to sizeof({name}) in every \
         element"
    );
    Error::invalid(argument, problem).into()
}

/// A place for a struct, in which the caller has set the size.
pub(crate) struct SizedOut<'a, T> {
    pointer: *mut T,
    size: usize,
    place: PhantomData<&'a mut T>,
}

/// Checks a place for a struct.
///
/// # Safety
///
/// If it is not null, `pointer` points to a `u64` and to as many bytes as that says, which the
/// caller may write until the call ends.
pub(crate) unsafe fn sized_out<'a, T: Grows>(
    argument: &'static str, pointer: *mut T,
) -> Outcome<SizedOut<'a, T>> {
    // SAFETY: the contract of `sized_out` is that of `size_of_struct`, which reads the first field.
    let size = unsafe { size_of_struct(argument, pointer.cast_const()) }?;
    Ok(SizedOut { pointer, size, place: PhantomData })
}

impl<T: Grows> SizedOut<'_, T> {
    /// Writes what the caller's struct has room for, and zeros beyond what there is; its size
    /// stays.
    pub(crate) fn set(self, value: T) {
        const SIZE_FIELD: usize = size_of::<u64>();
        let known = self.size.min(size_of::<T>());
        let (from, to) = ((&raw const value).cast::<u8>(), self.pointer.cast::<u8>());
        // SAFETY: `to` has `size` bytes that may be written, by the contract of `sized_out`; `from`
        // has those of a `T`, and `known` is the lower number. `value` is on this stack, so the two
        // do not overlap.
        unsafe {
            let fields = known.saturating_sub(SIZE_FIELD);
            std::ptr::copy_nonoverlapping(from.add(SIZE_FIELD), to.add(SIZE_FIELD), fields);
            to.add(known).write_bytes(0, self.size.saturating_sub(known));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Old {
        struct_size: u64,
        a: u64,
    }

    /// `Old`, one version later.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct New {
        struct_size: u64,
        a: u64,
        b: u64,
    }

    // SAFETY: numbers.
    unsafe impl Grows for Old {
        const NAME: &'static str = "thing";
        const FIRST_SIZE: usize = 16;
    }

    // SAFETY: numbers.
    unsafe impl Grows for New {
        const NAME: &'static str = "thing";
        const FIRST_SIZE: usize = 16;
    }

    fn read<T: Grows, C>(callers: &C) -> Outcome<T> {
        // SAFETY: the tests set sizes that the structs have.
        unsafe { sized("thing", (&raw const *callers).cast::<T>()) }
    }

    #[test]
    fn what_an_older_program_does_not_know_is_zero() {
        let new: New = read(&Old { struct_size: 16, a: 7 }).unwrap();
        assert_eq!((new.a, new.b), (7, 0));
    }

    #[test]
    fn what_an_older_library_does_not_know_must_be_zero() {
        assert_eq!(read::<Old, _>(&New { struct_size: 24, a: 7, b: 0 }).unwrap().a, 7);
        assert!(read::<Old, _>(&New { struct_size: 24, a: 7, b: 1 }).is_err());
    }

    #[test]
    fn sizes_that_no_version_had_are_refused() {
        for struct_size in [0, 8, 15, 4097, u64::MAX] {
            assert!(read::<Old, _>(&New { struct_size, a: 7, b: 0 }).is_err(), "{struct_size}");
        }
    }

    #[test]
    fn results_fill_the_callers_struct_and_no_more() {
        let mut old = [Old { struct_size: 16, a: 1 }, Old { struct_size: 99, a: 99 }];
        // SAFETY: the struct has the size that it says.
        let place = unsafe { sized_out("thing", old.as_mut_ptr().cast::<New>()) }.unwrap();
        place.set(New { struct_size: 24, a: 7, b: 8 });
        assert_eq!((old[0].struct_size, old[0].a), (16, 7));
        assert_eq!((old[1].struct_size, old[1].a), (99, 99));
        let mut new = New { struct_size: 24, a: 1, b: 1 };
        // SAFETY: as above.
        unsafe { sized_out("thing", (&raw mut new).cast::<Old>()) }.unwrap().set(old[1]);
        assert_eq!((new.struct_size, new.a, new.b), (24, 99, 0));
    }

    fn read_all<T: Grows, C>(callers: &[C]) -> Outcome<Vec<T>> {
        // SAFETY: the tests set sizes that the structs have.
        let structs = unsafe { sized_slice("things", callers.as_ptr().cast::<T>(), callers.len()) };
        structs?.convert(Ok)
    }

    /// What the error of a refused array says.
    fn refused<T: Grows, C>(callers: &[C]) -> String {
        read_all::<T, C>(callers).err().unwrap().to_string()
    }

    #[test]
    fn arrays_of_older_and_newer_programs_are_read_at_their_own_distance() {
        let old = [1, 2, 3].map(|a| Old { struct_size: 16, a });
        let new = read_all::<New, _>(&old).unwrap();
        assert!(new.iter().map(|thing| (thing.a, thing.b)).eq([(1, 0), (2, 0), (3, 0)]));
        let newer = [1, 2, 3].map(|a| New { struct_size: 24, a, b: 0 });
        let old = read_all::<Old, _>(&newer).unwrap();
        assert!(old.iter().map(|thing| thing.a).eq([1, 2, 3]));
        let same = [1, 2, 3].map(|a| New { struct_size: 24, a, b: a });
        let new = read_all::<New, _>(&same).unwrap();
        assert!(new.iter().map(|thing| (thing.a, thing.b)).eq([(1, 1), (2, 2), (3, 3)]));
        assert!(read_all::<New, Old>(&[]).unwrap().is_empty());
        // SAFETY: nothing is there, and nothing is read.
        assert!(unsafe { sized_slice::<New>("things", std::ptr::null(), 0) }.is_ok());
    }

    #[test]
    fn every_element_of_an_array_has_the_size_of_the_first() {
        let mut things = [1, 2, 3].map(|a| New { struct_size: 24, a, b: 0 });
        things[2].struct_size = 16;
        assert!(refused::<New, _>(&things).starts_with("things[2]: its struct_size is 16, and 24"));
        things[1].struct_size = 0;
        assert!(refused::<New, _>(&things).starts_with("things[1]: its struct_size is 0, and 24"));
        things[0].struct_size = 15;
        assert!(refused::<New, _>(&things).starts_with("things[0]: its struct_size is 15; set"));
        // A second struct of 20 bytes would not be aligned.
        things[0].struct_size = 20;
        assert!(refused::<Old, _>(&things).starts_with("things[0]: its struct_size is 20; set"));
    }

    #[test]
    fn an_array_names_the_element_that_sets_fields_of_a_later_version() {
        let mut newer = [1, 2, 3].map(|a| New { struct_size: 24, a, b: 0 });
        newer[1].b = 7;
        assert!(refused::<Old, _>(&newer).starts_with("things[1]: it sets fields"));
    }

    #[test]
    fn arrays_that_no_memory_can_hold_are_refused() {
        let thing = New { struct_size: 24, a: 0, b: 0 };
        for len in [usize::MAX, usize::MAX / 24, isize::MAX as usize / 24 + 1] {
            // SAFETY: only the first struct is read.
            assert!(unsafe { sized_slice("things", &raw const thing, len) }.is_err());
        }
        // SAFETY: nothing is read.
        let missing = unsafe { sized_slice::<New>("things", std::ptr::null(), 1) };
        assert_eq!(missing.err().unwrap().to_string(), "things: is NULL; pass a pointer");
    }
}
