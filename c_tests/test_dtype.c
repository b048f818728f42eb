/* Element types. */
#include "check.h"

_Static_assert(sizeof(shardspec_dtype) == 4, "DLDataType");
_Static_assert(offsetof(shardspec_dtype, bits) == 1 && offsetof(shardspec_dtype, lanes) == 2, "");

static void names_and_sizes_are_those_of_the_field(void) {
  static const struct {
    const char *name;
    shardspec_dtype dtype;
    size_t itemsize;
  } cases[] = {
      {"float32", {SHARDSPEC_DTYPE_FLOAT, 32, 1}, 4},
      {"float16", {SHARDSPEC_DTYPE_FLOAT, 16, 1}, 2},
      {"bfloat16", {SHARDSPEC_DTYPE_BFLOAT, 16, 1}, 2},
      {"int64", {SHARDSPEC_DTYPE_INT, 64, 1}, 8},
      {"uint8", {SHARDSPEC_DTYPE_UINT, 8, 1}, 1},
      {"bool", {SHARDSPEC_DTYPE_BOOL, 8, 1}, 1},
      {"complex128", {SHARDSPEC_DTYPE_COMPLEX, 128, 1}, 16},
      {"float8_e4m3fn", {SHARDSPEC_DTYPE_FLOAT8_E4M3FN, 8, 1}, 1},
      {"float8_e5m2", {SHARDSPEC_DTYPE_FLOAT8_E5M2, 8, 1}, 1},
      {"float32x4", {SHARDSPEC_DTYPE_FLOAT, 32, 4}, 16},
      {"uint8x3", {SHARDSPEC_DTYPE_UINT, 8, 3}, 3},
      {"float4_e2m1fnx2", {SHARDSPEC_DTYPE_FLOAT4_E2M1FN, 4, 2}, 1},
      {"uint1x8", {SHARDSPEC_DTYPE_UINT, 1, 8}, 1},
  };
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  for (size_t i = 0; i < COUNT(cases); i++) {
    shardspec_dtype dtype;
    char name[64];
    size_t itemsize;
    CHECK_OK(shardspec_dtype_parse(cases[i].name, &dtype, &err));
    CHECK(memcmp(&dtype, &cases[i].dtype, sizeof dtype) == 0);
    CHECK_OK(shardspec_dtype_text(&dtype, name, sizeof name, NULL, &err));
    CHECK_TEXT(name, cases[i].name);
    CHECK_OK(shardspec_dtype_itemsize(&dtype, &itemsize, &err));
    CHECK_EQUAL(itemsize, cases[i].itemsize);
  }
}

static void every_code_has_a_name_that_is_read_back(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  for (int code = 0; code < 256; code++) {
    shardspec_dtype dtype = {(uint8_t)code, 8, 1}, back;
    char name[64];
    CHECK_OK(shardspec_dtype_text(&dtype, name, sizeof name, NULL, &err));
    CHECK_OK(shardspec_dtype_parse(name, &back, &err));
    CHECK(memcmp(&dtype, &back, sizeof dtype) == 0);
  }
}

static void packed_elements_have_no_size_in_bytes_but_many_of_them_do(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const shardspec_dtype packed[] = {
      {SHARDSPEC_DTYPE_INT, 4, 1},           {SHARDSPEC_DTYPE_FLOAT4_E2M1FN, 4, 1},
      {SHARDSPEC_DTYPE_FLOAT6_E2M3FN, 6, 1}, {SHARDSPEC_DTYPE_FLOAT6_E3M2FN, 6, 1},
      {SHARDSPEC_DTYPE_FLOAT4_E2M1FN, 4, 3}, {SHARDSPEC_DTYPE_UINT, 1, 9},
  };
  static const size_t bytes_of_five[] = {3, 3, 4, 4, 8, 6};
  for (size_t i = 0; i < COUNT(packed); i++) {
    size_t itemsize = 99;
    CHECK_STATUS(shardspec_dtype_itemsize(&packed[i], &itemsize, &err), SHARDSPEC_UNSUPPORTED);
    CHECK_EQUAL(itemsize, 99);
    size_t bytes = 99;
    CHECK_OK(shardspec_dtype_bytes(&packed[i], 5, &bytes, &err));
    CHECK_EQUAL(bytes, bytes_of_five[i]);
    CHECK_OK(shardspec_dtype_bytes(&packed[i], 0, &bytes, &err));
    CHECK_EQUAL(bytes, 0);
  }
  shardspec_dtype no_bits = {SHARDSPEC_DTYPE_INT, 0, 1}, no_lanes = {SHARDSPEC_DTYPE_INT, 8, 0};
  size_t itemsize = 99;
  CHECK_STATUS(shardspec_dtype_itemsize(&no_bits, &itemsize, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_dtype_itemsize(&no_lanes, &itemsize, &err), SHARDSPEC_INVALID_ARGUMENT);
}

static void texts_that_name_no_type_are_refused(void) {
  static const char *const texts[] = {"", "float", "float32x0", "float32x", "int3x2x1", "x4",
                                      "float99999", "Float32", " float32", "float32 "};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  for (size_t i = 0; i < COUNT(texts); i++) {
    shardspec_dtype dtype = {9, 9, 9};
    CHECK_STATUS(shardspec_dtype_parse(texts[i], &dtype, &err), SHARDSPEC_INVALID_ARGUMENT);
    CHECK(dtype.code == 9 && dtype.bits == 9 && dtype.lanes == 9);
  }
}

int main(void) {
  names_and_sizes_are_those_of_the_field();
  every_code_has_a_name_that_is_read_back();
  packed_elements_have_no_size_in_bytes_but_many_of_them_do();
  texts_that_name_no_type_are_refused();
  return 0;
}
