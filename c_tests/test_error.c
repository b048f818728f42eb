/* Status and errors. */
#include "check.h"

_Static_assert(sizeof(shardspec_error) == 1024, "the layout of shardspec_error is fixed");
_Static_assert(offsetof(shardspec_error, status) == 8, "");
_Static_assert(offsetof(shardspec_error, dim) == 12, "");
_Static_assert(offsetof(shardspec_error, first_shard) == 16, "");
_Static_assert(offsetof(shardspec_error, second_shard) == 24, "");
_Static_assert(offsetof(shardspec_error, got) == 32, "");
_Static_assert(offsetof(shardspec_error, limit) == 40, "");
_Static_assert(offsetof(shardspec_error, message) == 48, "");
_Static_assert(sizeof(shardspec_status) == 4, "");

static void every_status_has_a_name(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  char name[64], previous[64] = "";
  for (shardspec_status status = SHARDSPEC_OK; status <= SHARDSPEC_INTERNAL; status++) {
    CHECK_OK(shardspec_status_text(status, name, sizeof name, NULL, &err));
    CHECK(strlen(name) >= 2 && strcmp(name, previous) != 0);
    strcpy(previous, name);
  }
  CHECK_OK(shardspec_status_text(SHARDSPEC_OVERLAP, name, sizeof name, NULL, &err));
  CHECK_TEXT(name, "OVERLAP");
  CHECK_STATUS(shardspec_status_text(-1, name, sizeof name, NULL, &err), SHARDSPEC_NOT_FOUND);
  CHECK_STATUS(shardspec_status_text(1000, name, sizeof name, NULL, &err), SHARDSPEC_NOT_FOUND);
  CHECK_TEXT(name, "OVERLAP");
}

static void text_answers_tell_their_length_or_fit_or_write_nothing(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  char name[8] = "before";
  size_t needed = 77;
  CHECK_OK(shardspec_status_text(SHARDSPEC_OVERLAP, NULL, 0, &needed, &err));
  CHECK_EQUAL(needed, 8);
  needed = 77;
  CHECK_STATUS(shardspec_status_text(SHARDSPEC_OVERLAP, name, 7, &needed, &err),
               SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK_EQUAL(err.got, 7);
  CHECK_EQUAL(err.limit, 8);
  CHECK_EQUAL(needed, 77);
  CHECK_TEXT(name, "before");
  CHECK_OK(shardspec_status_text(SHARDSPEC_OVERLAP, name, 8, &needed, &err));
  CHECK_TEXT(name, "OVERLAP");
}

static void an_error_is_optional_and_its_size_is_checked(void) {
  char name[64] = "before";
  CHECK_EQUAL(shardspec_status_text(SHARDSPEC_GAP, name, sizeof name, NULL, NULL), SHARDSPEC_OK);
  CHECK_TEXT(name, "GAP");
  shardspec_error err;
  memset(&err, 0x5a, sizeof err);
  err.struct_size = 40;
  CHECK_EQUAL(shardspec_status_text(SHARDSPEC_OVERLAP, name, sizeof name, NULL, &err),
              SHARDSPEC_INVALID_ARGUMENT);
  CHECK_TEXT(name, "GAP");
  CHECK_EQUAL(err.status, 0x5a5a5a5a);
  err.struct_size = 0; /* the same as its size */
  CHECK_OK(shardspec_status_text(SHARDSPEC_OVERLAP, name, sizeof name, NULL, &err));
  err.struct_size = 4096; /* from a program that was compiled with a newer header */
  CHECK_OK(shardspec_status_text(SHARDSPEC_GAP, name, sizeof name, NULL, &err));
  CHECK_EQUAL(err.struct_size, 4096);
}

static void success_clears_what_an_earlier_refusal_wrote(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  int64_t out = 0;
  CHECK_STATUS(shardspec_chunk_split_size(5, -3, &out, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_EQUAL(err.got, -3);
  CHECK_MESSAGE("chunks");
  CHECK_MESSAGE("-3");
  CHECK_OK(shardspec_chunk_split_size(5, 3, &out, &err));
  CHECK_EQUAL(err.got, 0);
  CHECK_EQUAL(err.dim, -1);
  CHECK_EQUAL(err.first_shard, -1);
  CHECK_EQUAL(err.second_shard, -1);
}

static void a_message_that_is_too_long_is_cut_and_stays_text(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_dtype dtype;
  static char text[5000];
  memset(text, 'x', sizeof text - 1);
  CHECK_STATUS(shardspec_dtype_parse(text, &dtype, &err), SHARDSPEC_INVALID_ARGUMENT);
  size_t length = strlen(err.message);
  CHECK(length < SHARDSPEC_MESSAGE_CAPACITY);
  CHECK(length < 900 || strcmp(err.message + length - 3, "...") == 0);
}

int main(void) {
  every_status_has_a_name();
  text_answers_tell_their_length_or_fit_or_write_nothing();
  an_error_is_optional_and_its_size_is_checked();
  success_clears_what_an_earlier_refusal_wrote();
  a_message_that_is_too_long_is_cut_and_stays_text();
  return 0;
}
