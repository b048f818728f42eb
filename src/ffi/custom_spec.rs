//! Custom sharding specs.
//!
//! A type of spec consists of a name and a table of functions. A custom spec has the name and the
//! table of its type, and a `ctx`. The `ctx` holds the parameters of the spec, and the functions
//! receive the `ctx`. Functions that accept built-in specs of all types usually also accept a
//! custom spec. The line "Errors" of a function says whether the function refuses custom specs.
//!
//! Source: torch's abstract class `ShardingSpec` with its methods `build_metadata` and `shard`.

use std::ffi::{c_char, c_void};
use std::hash::Hasher;
use std::mem::offset_of;

use crate::ffi::border::callback::{Context, Success, Table, ask, call, owning_table};
use crate::ffi::border::guard::guard;
use crate::ffi::border::handle::{self, lend};
use crate::ffi::border::pointer::{out, text};
use crate::ffi::border::sized::{Grows, sized};
use crate::ffi::border::views::LentView;
use crate::ffi::builder::{MetadataBuilder, shardspec_metadata_builder};
use crate::ffi::callback::{shardspec_destroy_fn, shardspec_equal_fn, shardspec_hash_fn};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::properties::shardspec_tensor_properties;
use crate::ffi::spec::{give, shardspec_spec, wrong_type};
use crate::ffi::tensor::shardspec_copy_options;
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::{Shared, TryVec, text, try_boxed_str, try_collect, try_with_capacity};
use crate::model::sizes::check_sizes;
use crate::model::spec::check_own_type_name;
use crate::model::stable_hash::stable_hash;
use crate::model::{
    Error, Result, ShardedTensorMetadata, ShardingSpec, TensorProperties, TensorShape,
};
use crate::transfer::{Extraction, Sharder};

/// Adds the shards of a tensor to `builder`. `sizes` holds the `ndim` sizes of the tensor.
/// `dim_names` holds `ndim` texts, or is NULL if the dimensions have no names. `properties` is
/// never NULL. The library owns all arguments, which are valid during the call only.
pub type shardspec_build_metadata_fn = Option<
    unsafe extern "C-unwind" fn(
        ctx: *mut c_void,
        sizes: *const i64,
        dim_names: *const *const c_char,
        ndim: usize,
        properties: *const shardspec_tensor_properties,
        builder: *mut shardspec_metadata_builder,
        err: *mut shardspec_error,
    ) -> shardspec_status,
>;

/// Writes the elements of shard `index` from `full` to `shard`. The views have the shapes and
/// element types of `metadata`. The views share no memory. No pointer is NULL. The library owns all
/// arguments, which are valid during the call only. The memory of the views belongs to the caller
/// of the library.
pub type shardspec_fill_shard_fn = Option<
    unsafe extern "C-unwind" fn(
        ctx: *mut c_void,
        metadata: *const shardspec_metadata,
        index: usize,
        full: *const shardspec_tensor_view,
        shard: *const shardspec_tensor_view,
        options: *const shardspec_copy_options,
        err: *mut shardspec_error,
    ) -> shardspec_status,
>;

/// A table with the functions of a type of spec.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_spec_vtable {
    /// `sizeof(shardspec_spec_vtable)`.
    pub struct_size: u64,
    /// Frees `ctx`. NULL means that there is nothing to free.
    pub destroy: shardspec_destroy_fn,
    /// Adds the shards of a tensor to a builder. NULL is not allowed.
    pub build_metadata: shardspec_build_metadata_fn,
    /// Fills a shard. With NULL, the library copies the elements of the shard from the tensor.
    pub fill_shard: shardspec_fill_shard_fn,
    /// Returns a nonzero value if two specs with this type name cut every tensor into equal shards,
    /// else 0. With NULL, a spec equals only itself.
    pub equal: shardspec_equal_fn,
    /// Returns a hash of a spec. Equal specs must have equal hashes. With NULL, the library hashes
    /// the type's name.
    pub hash: shardspec_hash_fn,
    /// The status that `build_metadata` and `fill_shard` return on success: 0,
    /// `SHARDSPEC_CALLBACK_OK` or `SHARDSPEC_CALLBACK_OK_IN_ERR`.
    pub success_status: shardspec_status,
    /// This field must be 0.
    pub reserved: i32,
}

// SAFETY: `shardspec_spec_vtable` is `repr(C)` and begins with its `struct_size`. All other fields
// are numbers, and functions that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_spec_vtable {
    const NAME: &'static str = "shardspec_spec_vtable";
    const FIRST_SIZE: usize = 48;
}

// SAFETY: `destroy` is the second field of `shardspec_spec_vtable`, as is asserted below.
unsafe impl Table for shardspec_spec_vtable {}
const _: () = assert!(offset_of!(shardspec_spec_vtable, destroy) == size_of::<u64>());

/// A custom spec: its type's name and table, and its `ctx`.
#[derive(Debug)]
struct CustomSpec {
    type_name: Box<str>,
    table: shardspec_spec_vtable,
    success: Success,
    context: Context,
}

impl CustomSpec {
    /// Lets the callback add shards to `builder`.
    fn call_build(
        &self, shape: TensorShape<'_>, properties: TensorProperties,
        builder: *mut shardspec_metadata_builder,
    ) -> Result<()> {
        let Some(build) = self.table.build_metadata else {
            return Err(Error::invalid("vtable", "its build_metadata is NULL"));
        };
        let names = shape.dim_names.map(c_texts).transpose()?;
        let starts = |names: &CTexts| {
            try_collect(
                names.starts.iter().filter_map(|&at| names.bytes.get(at..)).map(<[u8]>::as_ptr),
            )
        };
        let pointers = names.as_ref().map(starts).transpose()?;
        let properties = shardspec_tensor_properties::from_core(&properties);
        call(
            "build_metadata",
            format_args!("build_metadata of spec type '{}'", self.type_name),
            self.success,
            |err| {
                // SAFETY: the contract of `Context` is that `build` may be called with this `ctx`.
                // Its arrays and texts exist until it returns.
                unsafe {
                    build(
                        self.context.ctx(),
                        shape.sizes.as_ptr(),
                        pointers.as_ref().map_or(std::ptr::null(), |names| names.as_ptr().cast()),
                        shape.sizes.len(),
                        &raw const properties,
                        builder,
                        err,
                    )
                }
            },
        )
    }
}

/// Texts that end in NUL.
struct CTexts {
    /// One after the other, each with its NUL.
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

fn c_texts(names: &[&str]) -> Result<CTexts> {
    let (mut bytes, mut starts) = (Vec::new(), try_with_capacity(names.len())?);
    for name in names {
        if name.contains('\0') {
            return Err(Error::invalid("dim_names", "a name holds a NUL character"));
        }
        starts.try_push(bytes.len())?;
        bytes.try_extend_from_slice(name.as_bytes())?;
        bytes.try_push(0)?;
    }
    Ok(CTexts { bytes, starts })
}

impl ShardingSpec for CustomSpec {
    fn type_name(&self) -> &str {
        &self.type_name
    }

    fn build_metadata(
        &self, shape: TensorShape<'_>, properties: TensorProperties,
    ) -> Result<ShardedTensorMetadata> {
        check_sizes(shape.sizes)?;
        let builder = Shared::try_new(MetadataBuilder::new(&self.type_name, shape.sizes.len())?)?;
        let lent = lend(builder.clone())?;
        self.call_build(shape, properties, lent.handle())?;
        drop(lent);
        let shards = builder.finish().and_then(|shards| {
            if shards.is_empty() {
                return Err(Error::invalid("shards", "build_metadata added none"));
            }
            ShardedTensorMetadata::new(shards, shape.sizes, properties)
        });
        shards.map_err(|error| error.in_spec(&self.type_name))
    }

    fn equals(&self, other: &dyn ShardingSpec) -> bool {
        let Some(other) = other.downcast_ref::<Self>() else {
            return false;
        };
        if std::ptr::eq(self, other) {
            return true;
        }
        // Addresses of functions say nothing: some languages make a new one for each object.
        match (self.table.equal, other.table.equal) {
            (Some(equal), Some(_)) => {
                self.type_name == other.type_name
                    // SAFETY: the contract of `Context` is that `equal` may be called with the
                    // `ctx` of any two objects of the type that has this name.
                    && ask("equal", || unsafe { equal(self.context.ctx(), other.context.ctx()) }) != 0
            }
            _ => false,
        }
    }

    fn hash_value(&self) -> u64 {
        stable_hash(|hasher| {
            hasher.write(self.type_name.as_bytes());
            if let Some(hash) = self.table.hash {
                // SAFETY: the contract of `Context` is that `hash` may be called with the `ctx`
                // that came with it.
                hasher.write_u64(ask("hash", || unsafe { hash(self.context.ctx()) }));
            }
        })
    }
}

impl Sharder for CustomSpec {
    unsafe fn shard(&self, extraction: &Extraction<'_>) -> Result<()> {
        let Some(fill_shard) = self.table.fill_shard else {
            // SAFETY: the contract of `Sharder::shard` is that of `Extraction::run`, for this
            // `extraction`.
            unsafe { extraction.run() };
            return Ok(());
        };
        let metadata = lend::<shardspec_metadata>(extraction.metadata().clone())?;
        let full = LentView::new(extraction.full());
        let part = LentView::new(extraction.shard());
        let options = shardspec_copy_options::from_copy(extraction.options());
        let name = format_args!("fill_shard of spec type '{}'", self.type_name);
        call("fill_shard", name, self.success, |err| {
            // SAFETY: the contract of `Context` is that `fill_shard` may be called with this `ctx`.
            // The views exist until it returns, and the contract of `Sharder::shard` covers their
            // memory.
            unsafe {
                fill_shard(
                    self.context.ctx(),
                    metadata.handle(),
                    extraction.index(),
                    &full.view(),
                    &part.view(),
                    &raw const options,
                    err,
                )
            }
        })
    }
}

/// Creates a spec of the custom type with the name `type_name`. Choose a name with a dot, such as
/// "acme.grid". Later versions will not use names with a dot for built-in types. To compare two
/// specs with the same type name, the library calls `equal` with the `ctx` of each spec.
///
/// The library checks the shards that `build_metadata` adds. The library refuses shards outside of
/// the tensor, overlaps, gaps and wrong numbers of dimensions. The message of each such error has
/// the name of the spec's type. The shards of a custom spec depend on the tensor.
/// `shardspec_spec_shard_count` and `shardspec_spec_placement` receive no tensor, and therefore
/// fail with WRONG_SPEC_TYPE for a custom spec. Use `shardspec_metadata_shard_count` and
/// `shardspec_metadata_shard_placement` instead.
///
/// Ownership: the library copies the name and the table. The library owns `ctx` from the call on,
/// also if the call fails. The library calls `destroy(ctx)` when the spec has been freed and no
/// call uses the spec. The caller frees `*out`.
/// Calls back: `destroy`, if the call fails.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `type_name` is empty or the name of a built-in type,
/// `build_metadata` is NULL, `struct_size` is wrong, or `success_status` is a number that means a
/// failure; NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any. The functions of `vtable` may run on several threads at once.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_new_custom(
    type_name: *const c_char, vtable: *const shardspec_spec_vtable, ctx: *mut c_void,
    out: *mut *mut shardspec_spec, err: *mut shardspec_error,
) -> shardspec_status {
    guard(
        err,
        owning_table(ctx, vtable, |context| {
            let place = self::out("out", out)?;
            let type_name = text("type_name", type_name)?;
            check_own_type_name(type_name)?;
            let table = sized("vtable", vtable)?;
            if table.build_metadata.is_none() {
                let problem = "its build_metadata is NULL; pass a function";
                return Err(Error::invalid("vtable", problem).into());
            }
            let success = Success::of(table.success_status, table.reserved)?;
            let type_name = try_boxed_str(type_name)?;
            give(place, CustomSpec { type_name, table, success, context })
        }),
    )
}

/// Writes the `ctx` of a custom spec to `*out`, for use in custom ops. The `ctx` is valid until the
/// spec is freed. Do not free the handle of the spec while you use the `ctx`.
///
/// Ownership: the spec still owns `ctx`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: WRONG_SPEC_TYPE if the type of the spec is not `type_name`; INVALID_ARGUMENT if
/// `type_name` is not valid UTF-8; INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_custom_ctx(
    spec: *const shardspec_spec, type_name: *const c_char, out: *mut *mut c_void,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let spec = handle::get("spec", spec)?;
        let spec: &dyn ShardingSpec = &**spec;
        let type_name = text("type_name", type_name)?;
        let custom = spec.downcast_ref::<CustomSpec>().filter(|own| *own.type_name == *type_name);
        let custom = custom.ok_or_else(|| wrong_type(spec, &text!("your type '{type_name}'")))?;
        place.set(custom.context.ctx());
        Ok(())
    })
}
