/* shardspec_dlpack.h - casts between the structs of DLPack and those of shardspec.h.
 *
 * This header is for programs that have DLPack's own header. Include DLPack's header first.
 * Otherwise, this header includes <dlpack/dlpack.h>.
 *
 *   DLTensor *tensor = ...;
 *   shardspec_metadata_extract_shard(metadata, 0, shardspec_tensor_view_from_dlpack(tensor), ...);
 *
 * A cast changes only the type. The structs have the same memory layout, and this header checks
 * this at compile time for the DLPack of the program (0.6 or newer). Pass the result of a cast to a
 * function. To read a struct, use the type with which it was created. For an array of tensors, cast
 * a pointer to its first element. */
#ifndef SHARDSPEC_DLPACK_H
#define SHARDSPEC_DLPACK_H

#include "shardspec.h"

#ifndef DLPACK_DLPACK_H_
#include <dlpack/dlpack.h>
#endif

#ifdef __cplusplus
#define SHARDSPEC_DLPACK_CAST(type, pointer) reinterpret_cast<type>(pointer)
#else
#define SHARDSPEC_DLPACK_CAST(type, pointer) ((type)(pointer))
#endif

/* A DLPack tensor as a view. */
static inline const shardspec_tensor_view *
shardspec_tensor_view_from_dlpack(const DLTensor *tensor) {
  return SHARDSPEC_DLPACK_CAST(const shardspec_tensor_view *, tensor);
}

/* A view as a DLPack tensor, with the lifetime of the view. Since DLPack 1.2, strides may be NULL
 * only if there are no dimensions. The views that the library writes always have strides. */
static inline DLTensor *shardspec_tensor_view_to_dlpack(shardspec_tensor_view *view) {
  return SHARDSPEC_DLPACK_CAST(DLTensor *, view);
}

/* Casts a managed tensor of this library to one of DLPack. The receiver calls the deleter. */
#ifdef DLPACK_MAJOR_VERSION
static inline DLManagedTensorVersioned *
shardspec_managed_tensor_to_dlpack(shardspec_managed_tensor *tensor) {
  return SHARDSPEC_DLPACK_CAST(DLManagedTensorVersioned *, tensor);
}

/* Casts a managed tensor of another library to one of this library. */
static inline shardspec_managed_tensor *
shardspec_managed_tensor_from_dlpack(DLManagedTensorVersioned *tensor) {
  return SHARDSPEC_DLPACK_CAST(shardspec_managed_tensor *, tensor);
}
#endif

/* The same casts for the form before DLPack 1.0. */
static inline DLManagedTensor *
shardspec_legacy_managed_tensor_to_dlpack(shardspec_legacy_managed_tensor *tensor) {
  return SHARDSPEC_DLPACK_CAST(DLManagedTensor *, tensor);
}

#if defined(__cplusplus)
#define SHARDSPEC_DLPACK_CHECK(condition) static_assert(condition, #condition)
#elif __STDC_VERSION__ >= 201112L
#define SHARDSPEC_DLPACK_CHECK(condition) _Static_assert(condition, #condition)
#else
#define SHARDSPEC_DLPACK_CHECK(condition)                                                          \
  extern const char shardspec_dlpack_check[(condition) ? 1 : -1]
#endif
#define SHARDSPEC_DLPACK_CHECK_FIELD(ours, our_field, theirs, their_field)                         \
  SHARDSPEC_DLPACK_CHECK(offsetof(ours, our_field) == offsetof(theirs, their_field))
#define SHARDSPEC_DLPACK_CHECK_VALUE(ours, theirs) SHARDSPEC_DLPACK_CHECK(ours == theirs)

SHARDSPEC_DLPACK_CHECK(sizeof(shardspec_dtype) == sizeof(DLDataType));
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_dtype, code, DLDataType, code);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_dtype, bits, DLDataType, bits);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_dtype, lanes, DLDataType, lanes);

SHARDSPEC_DLPACK_CHECK(sizeof(shardspec_device) == sizeof(DLDevice));
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_device, device_type, DLDevice, device_type);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_device, device_id, DLDevice, device_id);

SHARDSPEC_DLPACK_CHECK(sizeof(shardspec_tensor_view) == sizeof(DLTensor));
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_tensor_view, data, DLTensor, data);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_tensor_view, device, DLTensor, device);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_tensor_view, ndim, DLTensor, ndim);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_tensor_view, dtype, DLTensor, dtype);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_tensor_view, shape, DLTensor, shape);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_tensor_view, strides, DLTensor, strides);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_tensor_view, byte_offset, DLTensor, byte_offset);

SHARDSPEC_DLPACK_CHECK(sizeof(shardspec_legacy_managed_tensor) == sizeof(DLManagedTensor));
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_legacy_managed_tensor, tensor, DLManagedTensor, dl_tensor);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_legacy_managed_tensor, manager_ctx, DLManagedTensor, manager_ctx);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_legacy_managed_tensor, deleter, DLManagedTensor, deleter);

SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DLPACK_DEVICE_CPU, kDLCPU);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DLPACK_DEVICE_CUDA_HOST, kDLCUDAHost);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DLPACK_DEVICE_ROCM_HOST, kDLROCMHost);

SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_INT, kDLInt);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_UINT, kDLUInt);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_FLOAT, kDLFloat);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_OPAQUE_HANDLE, kDLOpaqueHandle);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_BFLOAT, kDLBfloat);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_COMPLEX, kDLComplex);

/* What later versions of DLPack added: booleans and managed tensors with a version in 1.0, floats of
 * 8 bits and fewer in 1.1. */
#ifdef DLPACK_MAJOR_VERSION
#if DLPACK_MAJOR_VERSION != 1
#error "shardspec knows DLPack up to version 1: a newer one has other structs"
#endif
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_BOOL, kDLBool);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DLPACK_MAJOR_VERSION, DLPACK_MAJOR_VERSION);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DLPACK_FLAG_READ_ONLY, DLPACK_FLAG_BITMASK_READ_ONLY);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DLPACK_FLAG_IS_COPIED, DLPACK_FLAG_BITMASK_IS_COPIED);
SHARDSPEC_DLPACK_CHECK(sizeof(shardspec_managed_tensor) == sizeof(DLManagedTensorVersioned));
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_managed_tensor, major, DLManagedTensorVersioned, version.major);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_managed_tensor, minor, DLManagedTensorVersioned, version.minor);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_managed_tensor, manager_ctx, DLManagedTensorVersioned, manager_ctx);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_managed_tensor, deleter, DLManagedTensorVersioned, deleter);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_managed_tensor, flags, DLManagedTensorVersioned, flags);
SHARDSPEC_DLPACK_CHECK_FIELD(shardspec_managed_tensor, tensor, DLManagedTensorVersioned, dl_tensor);
#if DLPACK_MINOR_VERSION >= 1
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_FLOAT8_E3M4, kDLFloat8_e3m4);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_FLOAT8_E4M3, kDLFloat8_e4m3);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_FLOAT8_E4M3B11FNUZ, kDLFloat8_e4m3b11fnuz);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_FLOAT8_E4M3FN, kDLFloat8_e4m3fn);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_FLOAT8_E4M3FNUZ, kDLFloat8_e4m3fnuz);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_FLOAT8_E5M2, kDLFloat8_e5m2);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_FLOAT8_E5M2FNUZ, kDLFloat8_e5m2fnuz);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_FLOAT8_E8M0FNU, kDLFloat8_e8m0fnu);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_FLOAT6_E2M3FN, kDLFloat6_e2m3fn);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_FLOAT6_E3M2FN, kDLFloat6_e3m2fn);
SHARDSPEC_DLPACK_CHECK_VALUE(SHARDSPEC_DTYPE_FLOAT4_E2M1FN, kDLFloat4_e2m1fn);
#endif
#endif

#undef SHARDSPEC_DLPACK_CAST
#undef SHARDSPEC_DLPACK_CHECK
#undef SHARDSPEC_DLPACK_CHECK_FIELD
#undef SHARDSPEC_DLPACK_CHECK_VALUE

#endif /* SHARDSPEC_DLPACK_H */
