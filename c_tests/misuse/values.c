/* Status, version, element types and properties. */
#include "misuse.h"

void misuse_values(void) {
  static const shardspec_dtype no_bits = {SHARDSPEC_DTYPE_INT, 0, 1};
  MISUSE(NOT_FOUND, "no such status", shardspec_status_text, -7, out.text, 64, &out.needed);
  MISUSE(NOT_FOUND, "no such status", shardspec_status_text, INT32_MAX, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_status_text, 1, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_status_text, 1, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_version_text, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_version_text, out.text, 64, &out.needed);
  MISUSE(NULL_ARGUMENT, "NULL text", shardspec_dtype_parse, NULL, &out.dtype);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_dtype_parse, NOT_UTF8, &out.dtype);
  MISUSE(INVALID_ARGUMENT, "no type", shardspec_dtype_parse, "float", &out.dtype);
  WRONG_OUT(shardspec_dtype, shardspec_dtype_parse, "int8", P);
  WRONG_ERROR(shardspec_dtype_parse, "int8", &out.dtype);
  MISUSE(NULL_ARGUMENT, "NULL dtype", shardspec_dtype_text, NULL, out.text, 64, &out.needed);
  MISUSE(INVALID_ARGUMENT, "0 bits", shardspec_dtype_text, &no_bits, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_dtype_text, &FLOAT32, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_dtype_text, &FLOAT32, out.text, 64, &out.needed);
  MISUSE(NULL_ARGUMENT, "NULL dtype", shardspec_dtype_itemsize, NULL, &out.size);
  MISUSE(INVALID_ARGUMENT, "0 bits", shardspec_dtype_itemsize, &no_bits, &out.size);
  WRONG_OUT(size_t, shardspec_dtype_itemsize, &FLOAT32, P);
  WRONG_ERROR(shardspec_dtype_itemsize, &FLOAT32, &out.size);
  MISUSE(NULL_ARGUMENT, "NULL dtype", shardspec_dtype_bytes, NULL, 1, &out.size);
  MISUSE(INVALID_ARGUMENT, "0 bits", shardspec_dtype_bytes, &no_bits, 1, &out.size);
  MISUSE(INVALID_ARGUMENT, "count -1", shardspec_dtype_bytes, &FLOAT32, -1, &out.size);
  MISUSE(INVALID_ARGUMENT, "count INT64_MIN", shardspec_dtype_bytes, &FLOAT32, INT64_MIN, &out.size);
  MISUSE(OVERFLOW, "count INT64_MAX", shardspec_dtype_bytes, &FLOAT32, INT64_MAX, &out.size);
  WRONG_OUT(size_t, shardspec_dtype_bytes, &FLOAT32, 1, P);
  WRONG_ERROR(shardspec_dtype_bytes, &FLOAT32, 1, &out.size);
  MISUSE(INVALID_ARGUMENT, "wrong struct_size", shardspec_tensor_properties_init,
         &out.sized_wrongly);
  WRONG_OUT(shardspec_tensor_properties, shardspec_tensor_properties_init, P);
  WRONG_ERROR(shardspec_tensor_properties_init, &out.properties);
}
