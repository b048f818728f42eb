//! Sizes and defaults of structs.
//!
//! These functions are for programs that can't use the macros of this header. A program without
//! macros declares the structs itself. The program compares the size of its struct with the result
//! of `shardspec_struct_size`. The program initialises the struct with `shardspec_struct_init`
//! before it sets fields. Each of the two functions takes the name that the struct has in this
//! header, such as "shardspec_cut".
//!
//! The caller must set `struct_size` in every struct that begins with this field. The library
//! refuses a `struct_size` of 0, because it can't know the size of the caller's memory. If a
//! program was compiled with an older header, its struct may be smaller than the library's struct.
//! The library treats the missing fields as zero. If a program was compiled with a newer header,
//! its struct may have more fields. In the additional fields, the library accepts only zeros.

use std::ffi::{c_char, c_void};

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::pointer::{out, out_slice, text};
use crate::ffi::border::sized::{Grows, MAX_SIZE, sized_out};
use crate::ffi::callback::shardspec_runtime_ctx;
use crate::ffi::checkpoint_read::{shardspec_checkpoint_item, shardspec_checkpoint_read_report};
use crate::ffi::checkpoint_read_options::shardspec_checkpoint_read_options;
use crate::ffi::checkpoint_write::{
    shardspec_checkpoint_rule, shardspec_checkpoint_tensor, shardspec_checkpoint_write_options,
};
use crate::ffi::collective_options::shardspec_comm_options;
use crate::ffi::comm_tensor::shardspec_comm_tensor;
use crate::ffi::custom_placement::shardspec_placement_vtable;
use crate::ffi::custom_spec::shardspec_spec_vtable;
use crate::ffi::dlpack::{shardspec_legacy_managed_tensor, shardspec_managed_tensor};
use crate::ffi::draw::shardspec_draw_options;
use crate::ffi::dtype::shardspec_dtype;
use crate::ffi::error::{SHARDSPEC_ERROR_SHORT_SIZE, shardspec_error, shardspec_status};
use crate::ffi::error_text::shardspec_error_init;
use crate::ffi::extent::shardspec_stretch;
use crate::ffi::mesh_layout::{
    shardspec_cut, shardspec_mesh_layout, shardspec_pad, shardspec_partial, shardspec_segment,
};
use crate::ffi::op::shardspec_op_options;
use crate::ffi::op_value::{shardspec_op_arguments, shardspec_value};
use crate::ffi::plan_reads::{shardspec_merge_options, shardspec_read};
use crate::ffi::properties::shardspec_tensor_properties;
use crate::ffi::shard_metadata::shardspec_shard_metadata;
use crate::ffi::tensor::shardspec_copy_options;
use crate::ffi::traffic::shardspec_run;
use crate::ffi::transport::{shardspec_comm_vtable, shardspec_message};
use crate::ffi::view::{shardspec_device, shardspec_tensor_view};
use crate::memory::text;
use crate::model::{Error, TensorProperties};

/// A struct of the header.
struct Known {
    name: &'static str,
    /// `sizeof` in this version.
    size: usize,
    /// `sizeof` in the first version. Structs without `struct_size` have one size for ever.
    least: usize,
    align: usize,
    has_size: bool,
}

impl Known {
    const fn growing<T: Grows>() -> Self {
        Self {
            name: T::NAME,
            size: size_of::<T>(),
            least: T::FIRST_SIZE,
            align: align_of::<T>(),
            has_size: true,
        }
    }

    const fn fixed<T>(name: &'static str) -> Self {
        let size = size_of::<T>();
        Self { name, size, least: size, align: align_of::<T>(), has_size: false }
    }

    /// The struct of a name.
    unsafe fn find(name: *const c_char) -> Outcome<&'static Self> {
        let name = text("name", name)?;
        let found = STRUCTS.iter().find(|known| known.name == name);
        Ok(found.ok_or_else(|| {
            let what = text!("name: the header of this version has no struct '{name}'");
            Error::NotFound { what }
        })?)
    }

    /// Refuses a size that the struct has in no version, and a place that it can't be at.
    fn check(&self, out: *mut c_void, size: usize) -> Outcome {
        let Self { name, least, align, .. } = *self;
        let most = if self.has_size { MAX_SIZE } else { self.size };
        if !(least..=most).contains(&size) {
            let problem = text!("{size} is no size of it; pass sizeof({name}), {}", self.size);
            return Err(Error::invalid("size", problem).into());
        }
        if !out.addr().is_multiple_of(align) {
            let problem = text!("the pointer is not aligned to {align} bytes");
            return Err(Error::invalid("out", problem).into());
        }
        Ok(())
    }
}

/// Every struct of the header but those behind handles.
const STRUCTS: &[Known] = &[
    Known {
        name: ERROR,
        size: size_of::<shardspec_error>(),
        least: SHARDSPEC_ERROR_SHORT_SIZE,
        align: align_of::<shardspec_error>(),
        has_size: true,
    },
    Known::growing::<shardspec_runtime_ctx>(),
    Known::fixed::<shardspec_dtype>("shardspec_dtype"),
    Known::growing::<shardspec_tensor_properties>(),
    Known::fixed::<shardspec_shard_metadata>("shardspec_shard_metadata"),
    Known::growing::<shardspec_segment>(),
    Known::growing::<shardspec_cut>(),
    Known::growing::<shardspec_pad>(),
    Known::growing::<shardspec_partial>(),
    Known::growing::<shardspec_mesh_layout>(),
    Known::fixed::<shardspec_device>("shardspec_device"),
    Known::fixed::<shardspec_tensor_view>("shardspec_tensor_view"),
    Known::growing::<shardspec_copy_options>(),
    Known::fixed::<shardspec_managed_tensor>("shardspec_managed_tensor"),
    Known::fixed::<shardspec_legacy_managed_tensor>("shardspec_legacy_managed_tensor"),
    Known::growing::<shardspec_placement_vtable>(),
    Known::growing::<shardspec_spec_vtable>(),
    Known::fixed::<shardspec_message>("shardspec_message"),
    Known::growing::<shardspec_comm_vtable>(),
    Known::growing::<shardspec_comm_options>(),
    Known::growing::<shardspec_comm_tensor>(),
    Known::fixed::<shardspec_value>("shardspec_value"),
    Known::growing::<shardspec_op_arguments>(),
    Known::growing::<shardspec_op_options>(),
    Known::fixed::<shardspec_stretch>("shardspec_stretch"),
    Known::fixed::<shardspec_run>("shardspec_run"),
    Known::growing::<shardspec_merge_options>(),
    Known::fixed::<shardspec_read>("shardspec_read"),
    Known::growing::<shardspec_checkpoint_item>(),
    Known::growing::<shardspec_checkpoint_read_options>(),
    Known::growing::<shardspec_checkpoint_read_report>(),
    Known::growing::<shardspec_checkpoint_tensor>(),
    Known::growing::<shardspec_checkpoint_write_options>(),
    Known::growing::<shardspec_checkpoint_rule>(),
    Known::growing::<shardspec_draw_options>(),
];

const ERROR: &str = "shardspec_error";

/// Writes to `*out` the size in bytes that the struct called `name` has in the loaded library. If
/// the program's own struct is larger, the program was compiled with a newer header.
///
/// Ownership: the caller keeps `name`.
/// Calls back: no.
/// Blocks: no.
/// Errors: NOT_FOUND if this version has no struct of that name; INVALID_ARGUMENT if a text is not
/// UTF-8; NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_struct_size(
    name: *const c_char, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(Known::find(name)?.size);
        Ok(())
    })
}

/// Initialises the `size` bytes at `out` as the struct called `name`. `size` is the caller's
/// `sizeof` of the struct. All bytes become zero. If the struct has the field `struct_size`, the
/// field becomes `size`. Two structs get values that are not zero. A `shardspec_error` gets the
/// values of `SHARDSPEC_ERROR_INIT`. A `shardspec_tensor_properties` gets torch's defaults
/// (`shardspec_tensor_properties_init`).
///
/// Ownership: the caller keeps `name` and `out`.
/// Calls back: no.
/// Blocks: no.
/// Errors: NOT_FOUND if this version has no struct of that name; INVALID_ARGUMENT if no version of
/// the struct has `size` bytes, `out` is not aligned or `name` is not UTF-8; NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_struct_init(
    name: *const c_char, out: *mut c_void, size: usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        out_slice("out", out.cast::<u8>(), size)?;
        let known = Known::find(name)?;
        known.check(out, size)?;
        // SAFETY: the contract of `out_slice` is that `size` bytes may be written at `out`, and `check`
        // refused a size that the struct never had, and an address that is not aligned for its size.
        unsafe {
            out.cast::<u8>().write_bytes(0, size);
            if known.has_size {
                out.cast::<u64>().write(size as u64);
            }
        }
        match known.name {
            ERROR => {
                shardspec_error_init(out.cast(), size);
            }
            shardspec_tensor_properties::NAME => {
                let defaults = TensorProperties::TORCH_DEFAULT;
                let defaults = shardspec_tensor_properties::from_core(&defaults);
                sized_out("out", out.cast())?.set(defaults);
            }
            _ => {}
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A struct that is missing here is found by the comparison with the header's declarations.
    #[test]
    fn every_struct_of_the_header_is_known() {
        let header = include_str!("../../include/shardspec.h");
        let declared = header.lines().filter_map(|line| {
            line.strip_prefix("struct ").and_then(|rest| rest.strip_suffix(" {"))
        });
        let declared: Vec<&str> = declared.collect();
        assert!(declared.len() > 20);
        for name in &declared {
            assert!(STRUCTS.iter().any(|known| known.name == *name), "{name} is not listed");
        }
        assert_eq!(declared.len(), STRUCTS.len());
        for known in STRUCTS.iter().filter(|known| known.has_size) {
            let init = format!("#define {}_INIT ", known.name.to_uppercase());
            assert!(header.contains(&init), "{} has no macro", known.name);
        }
    }

    #[test]
    fn sizes_are_those_that_a_first_field_says() {
        for known in STRUCTS.iter().filter(|known| known.has_size) {
            assert!(known.least <= known.size && known.size <= MAX_SIZE, "{}", known.name);
        }
    }
}
