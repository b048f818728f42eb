/* Status and errors. */
#include "check.h"
#include "lists.h"

_Static_assert(sizeof(shardspec_error) == 1024, "the layout of shardspec_error is fixed");
_Static_assert(offsetof(shardspec_error, status) == 8, "");
_Static_assert(offsetof(shardspec_error, dim) == 12, "");
_Static_assert(offsetof(shardspec_error, first_shard) == 16, "");
_Static_assert(offsetof(shardspec_error, second_shard) == 24, "");
_Static_assert(offsetof(shardspec_error, got) == 32, "");
_Static_assert(offsetof(shardspec_error, limit) == 40, "");
_Static_assert(offsetof(shardspec_error, index) == 48, "");
_Static_assert(offsetof(shardspec_error, message) == 56, "");
_Static_assert(SHARDSPEC_ERROR_SHORT_SIZE == 56, "a short error has all numbers and no message");
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
  err.struct_size = 0; /* how much memory there is, nobody knows */
  CHECK_EQUAL(shardspec_status_text(SHARDSPEC_OVERLAP, name, sizeof name, NULL, &err),
              SHARDSPEC_INVALID_ARGUMENT);
  CHECK_TEXT(name, "GAP");
  CHECK_EQUAL(err.status, 0x5a5a5a5a);
  err.struct_size = 4096; /* from a program that was compiled with a newer header */
  CHECK_OK(shardspec_status_text(SHARDSPEC_GAP, name, sizeof name, NULL, &err));
  CHECK_EQUAL(err.struct_size, 4096);
}

/* What each size has room for, byte by byte: numbers, as much of the message as fits, and nothing
 * behind it. */
static void an_error_of_any_size_has_its_numbers_and_what_fits_of_the_message(void) {
  /* Bytes that continue a character of UTF-8, as far as one reads them as a text. */
  enum { PATTERN = 0xa5 };
  shardspec_error whole = SHARDSPEC_ERROR_INIT;
  int64_t out = 0;
  CHECK_EQUAL(shardspec_chunk_split_size(5, -3, &out, &whole), SHARDSPEC_INVALID_ARGUMENT);
  const size_t length = strlen(whole.message);
  CHECK(length > 10 && length < 900);
  for (size_t size = 0; size <= sizeof whole; size++) {
    union {
      shardspec_error err;
      unsigned char bytes[sizeof(shardspec_error) + 64];
    } at;
    memset(&at, PATTERN, sizeof at);
    at.err.struct_size = size;
    CHECK_EQUAL(shardspec_chunk_split_size(5, -3, &out, &at.err), SHARDSPEC_INVALID_ARGUMENT);
    const size_t written = size < SHARDSPEC_ERROR_SHORT_SIZE ? sizeof at.err.struct_size : size;
    for (size_t i = written; i < sizeof at; i++)
      if (at.bytes[i] != PATTERN) FAIL("an error of %zu bytes was written at %zu", size, i);
    if (size < SHARDSPEC_ERROR_SHORT_SIZE) continue;
    CHECK(memcmp(&at.bytes[8], (unsigned char *)&whole + 8, SHARDSPEC_ERROR_SHORT_SIZE - 8) == 0);
    const size_t room = size - SHARDSPEC_ERROR_SHORT_SIZE;
    const char *message = shardspec_error_message(&at.err);
    if (room == 0) {
      CHECK_TEXT(message, "");
      continue;
    }
    CHECK(message == at.err.message && strlen(message) < room);
    if (room > length) CHECK_TEXT(message, whole.message);
    else if (room > 4) CHECK(strncmp(message, whole.message, room - 4) == 0);
    if (room <= length && room > 3) CHECK_TEXT(message + strlen(message) - 3, "...");
    /* Success empties the message and writes no more. */
    CHECK_EQUAL(shardspec_chunk_split_size(5, 3, &out, &at.err), SHARDSPEC_OK);
    CHECK(at.err.status == SHARDSPEC_OK && at.err.got == 0 && *message == '\0');
    for (size_t i = size; i < sizeof at; i++) CHECK_EQUAL(at.bytes[i], PATTERN);
  }
}

static void an_error_can_be_prepared_without_macros(void) {
  const shardspec_error wanted = SHARDSPEC_ERROR_INIT;
  shardspec_error err;
  memset(&err, 0x5a, sizeof err);
  CHECK_EQUAL(shardspec_error_init(&err, sizeof err), SHARDSPEC_OK);
  CHECK(memcmp(&err, &wanted, sizeof err) == 0);
  memset(&err, 0x5a, sizeof err);
  CHECK_EQUAL(shardspec_error_init(&err, SHARDSPEC_ERROR_SHORT_SIZE), SHARDSPEC_OK);
  CHECK(err.struct_size == SHARDSPEC_ERROR_SHORT_SIZE && err.dim == -1 && err.index == -1);
  for (size_t i = 0; i < sizeof err.message; i++) CHECK_EQUAL(err.message[i], 0x5a);
  CHECK_EQUAL(shardspec_error_init(&err, SHARDSPEC_ERROR_SHORT_SIZE - 1), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_EQUAL(shardspec_error_init(&err, 0), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_EQUAL(shardspec_error_init(NULL, sizeof err), SHARDSPEC_NULL_ARGUMENT);
  CHECK_EQUAL(err.struct_size, SHARDSPEC_ERROR_SHORT_SIZE);
}

/* A callback that reports its failure by a function, and not by the offset of a field. */
static shardspec_status refuse(void *ctx, const int64_t *sizes, const char *const *dim_names, size_t ndim,
                               const shardspec_tensor_properties *properties,
                               shardspec_metadata_builder *builder, shardspec_error *err) {
  (void)sizes, (void)dim_names, (void)ndim, (void)properties, (void)builder;
  return shardspec_error_set(err, SHARDSPEC_USER_STATUS + 7, ctx);
}

static void a_callback_sets_status_and_message_by_a_function(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static char text[] = "no such table";
  static const int64_t size = 8;
  shardspec_spec_vtable vtable = {.struct_size = sizeof vtable, .build_metadata = refuse};
  for (int in_err = 0; in_err < 2; in_err++) {
    shardspec_spec *spec;
    shardspec_metadata *metadata;
    vtable.success_status = in_err ? SHARDSPEC_CALLBACK_OK_IN_ERR : SHARDSPEC_CALLBACK_OK;
    CHECK_OK(shardspec_spec_new_custom("acme.none", &vtable, text, &spec, &err));
    CHECK_STATUS(shardspec_spec_build_metadata(spec, &size, 1, NULL, &metadata, &err),
                 SHARDSPEC_USER_STATUS + 7);
    CHECK_TEXT(shardspec_error_message(&err), text);
    CHECK_OK(shardspec_spec_free(spec, &err));
  }
}

static void what_is_set_is_cut_to_fit_and_clears_all_numbers(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  _Alignas(8) char small[SHARDSPEC_ERROR_SHORT_SIZE + 8];
  int64_t out;
  CHECK_STATUS(shardspec_chunk_split_size(5, -3, &out, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_EQUAL(shardspec_error_set(&err, SHARDSPEC_GAP, "a gap"), SHARDSPEC_GAP);
  CHECK(err.status == SHARDSPEC_GAP && err.got == 0 && err.dim == -1 && err.index == -1);
  CHECK_TEXT(err.message, "a gap");
  CHECK_EQUAL(shardspec_error_set(&err, SHARDSPEC_OK, NULL), SHARDSPEC_OK);
  CHECK(err.status == SHARDSPEC_OK && err.message[0] == '\0');
  CHECK_EQUAL(shardspec_error_set(NULL, SHARDSPEC_GAP, "nowhere"), SHARDSPEC_GAP);
  CHECK_EQUAL(shardspec_error_set(&err, -1, "no status"), SHARDSPEC_INVALID_ARGUMENT);
  CHECK(err.status == SHARDSPEC_OK && err.message[0] == '\0');
  CHECK_EQUAL(shardspec_error_set(&err, SHARDSPEC_GAP, "caf\xe9!"), SHARDSPEC_GAP);
  CHECK_TEXT(err.message, "caf\xef\xbf\xbd!");
  /* volatile: compilers warn about fields that the array is too short for, which are not used. */
  shardspec_error *volatile short_one = (shardspec_error *)(void *)small;
  CHECK_EQUAL(shardspec_error_init(short_one, sizeof small), SHARDSPEC_OK);
  CHECK_EQUAL(shardspec_error_set(short_one, SHARDSPEC_GAP, "0123456789"), SHARDSPEC_GAP);
  CHECK_TEXT(shardspec_error_message(short_one), "0123...");
  short_one->struct_size = 0;
  CHECK_EQUAL(shardspec_error_set(short_one, SHARDSPEC_OVERLAP, "?"), SHARDSPEC_INVALID_ARGUMENT);
  CHECK(short_one->status == SHARDSPEC_GAP);
  CHECK_TEXT(shardspec_error_message(short_one), "");
  CHECK_TEXT(shardspec_error_message(NULL), "");
}

static void success_clears_what_an_earlier_refusal_wrote(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  int64_t out = 0;
  CHECK_STATUS(shardspec_chunk_split_size(5, -3, &out, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_EQUAL(err.got, -3);
  CHECK_MESSAGE("chunk_count");
  CHECK_MESSAGE("-3");
  CHECK_OK(shardspec_chunk_split_size(5, 3, &out, &err));
  CHECK_EQUAL(err.got, 0);
  CHECK_EQUAL(err.dim, -1);
  CHECK_EQUAL(err.first_shard, -1);
  CHECK_EQUAL(err.second_shard, -1);
  CHECK_EQUAL(err.index, -1);
}

static const char *const RANKS[] = {"rank:0", "rank:1", "rank:2", "rank:3"};

/* A refusal that is about one element of an array: its position is a number, and in the message. */
#define CHECK_POSITION(call, wanted, position, shard, text)                                        \
  do {                                                                                             \
    CHECK_STATUS(call, wanted);                                                                    \
    CHECK_EQUAL(err.index, position);                                                              \
    CHECK_EQUAL(err.first_shard, shard);                                                           \
    CHECK_MESSAGE(text);                                                                           \
  } while (0)

static void the_position_of_a_placement_is_told(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec = NULL;
  const char *texts[4] = {"rank:0", "rank:1", "rank:-2", "rank:3"};
  CHECK_POSITION(shardspec_spec_new_chunk(0, texts, 4, &spec, &err), SHARDSPEC_INVALID_PLACEMENT, 2,
                 -1, "placements[2]");
  texts[2] = NULL;
  CHECK_POSITION(shardspec_spec_new_chunk(0, texts, 4, &spec, &err), SHARDSPEC_NULL_ARGUMENT, 2, -1,
                 "placements[2]: is NULL");
  texts[2] = "\xff";
  CHECK_POSITION(shardspec_spec_new_chunk(0, texts, 4, &spec, &err), SHARDSPEC_INVALID_ARGUMENT, 2, -1,
                 "placements[2]: ");
  shardspec_placement *handles[3] = {NULL, NULL, NULL};
  for (int i = 0; i < 3; i++) CHECK_OK(shardspec_placement_parse(RANKS[i], &handles[i], &err));
  CHECK_OK(shardspec_placement_free(handles[1], &err));
  CHECK_POSITION(shardspec_spec_new_chunk_with_placement_handles(0, NULL, (const shardspec_placement *const *)handles,
                                                 3, &spec, &err),
                 SHARDSPEC_INVALID_HANDLE, 1, -1, "placements[1]: ");
  CHECK_OK(shardspec_placement_free(handles[0], &err));
  CHECK_OK(shardspec_placement_free(handles[2], &err));
  static const int64_t offsets[] = {0, 1, 2}, sizes[] = {1, 1, 1};
  static const uint32_t indices[] = {0, 1, 4};
  CHECK_POSITION(enumerable_of_arrays(offsets, sizes, indices, 1, 3, RANKS, 4, &spec, &err),
                 SHARDSPEC_INDEX_OUT_OF_RANGE, 2, -1, "placement_indices[2]: 4");
  CHECK(spec == NULL);
}

static void the_position_of_a_struct_and_its_field_are_told(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const int64_t numbers[] = {0, 1};
  shardspec_shard_metadata shards[4];
  shardspec_spec *spec = NULL;
  for (size_t i = 0; i < COUNT(shards); i++)
    shards[i] = (shardspec_shard_metadata){1, &numbers[0], &numbers[1], RANKS[i]};
  shards[3].offsets = NULL;
  CHECK_POSITION(enumerable_of(shards, 4, &spec, &err), SHARDSPEC_NULL_ARGUMENT, 3, 3,
                 "shards[3].offsets: is NULL");
  shards[2].placement = "rank:";
  CHECK_POSITION(enumerable_of(shards, 4, &spec, &err), SHARDSPEC_INVALID_PLACEMENT, 2,
                 2, "shards[2]");
  shards[1].ndim = 2;
  CHECK_POSITION(enumerable_of(shards, 4, &spec, &err), SHARDSPEC_NDIM_MISMATCH, 1, 1,
                 "shards[1]");
  CHECK(err.got == 2 && err.limit == 1 && spec == NULL);
}

static void the_position_of_a_view_is_told_and_the_shard_that_it_is(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const shardspec_dtype f32 = {SHARDSPEC_DTYPE_FLOAT, 32, 1};
  static const int64_t size = 8;
  int64_t two = 2, three = 3, eight = 8;
  float full[8] = {0}, parts[4][2] = {{0}};
  shardspec_tensor_view whole = view_of(full, f32, &eight, 1), views[4], places[2];
  for (int i = 0; i < 4; i++) views[i] = view_of(parts[i], f32, &two, 1);
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  shardspec_plan *plan;
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 4, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, &size, 1, NULL, &metadata, &err));
  CHECK_OK(shardspec_plan_new(metadata, metadata, &plan, &err));

  views[2].shape = &three;
  CHECK_POSITION(shardspec_metadata_scatter(metadata, &whole, views, 4, NULL, &err),
                 SHARDSPEC_SHAPE_MISMATCH, 2, 2, "shards[2]");
  CHECK_POSITION(shardspec_metadata_gather(metadata, views, 4, &whole, NULL, &err),
                 SHARDSPEC_SHAPE_MISMATCH, 2, 2, "shards[2]");
  views[2].device.device_type = 2;
  CHECK_POSITION(shardspec_metadata_gather(metadata, views, 4, &whole, NULL, &err),
                 SHARDSPEC_UNSUPPORTED_DEVICE, 2, 2, "shards[2]");
  /* Shards in an order of their own: the position is not the shard's number. */
  static const size_t order[] = {3, 1}, wrong[] = {3, 4}, twice[] = {3, 3};
  float moved[2][2];
  for (int i = 0; i < 2; i++) places[i] = view_of(moved[i], f32, &two, 1);
  views[2] = view_of(parts[2], f32, &two, 1);
  places[1].shape = &three;
  CHECK_POSITION(shardspec_plan_execute(plan, NULL, views, 4, order, places, 2, NULL, &err),
                 SHARDSPEC_SHAPE_MISMATCH, 1, 1, "destinations[1]");
  CHECK_POSITION(shardspec_plan_execute(plan, order, places, 2, NULL, views, 4, NULL, &err),
                 SHARDSPEC_SHAPE_MISMATCH, 1, 1, "sources[1]");
  places[0].data = NULL;
  CHECK_POSITION(shardspec_plan_execute(plan, NULL, views, 4, order, places, 2, NULL, &err),
                 SHARDSPEC_NULL_ARGUMENT, 0, 3, "destinations[0] (shard 3): ");
  places[0].data = moved[0], places[1].shape = &two;
  CHECK_POSITION(shardspec_plan_execute(plan, NULL, views, 4, wrong, places, 2, NULL, &err),
                 SHARDSPEC_INDEX_OUT_OF_RANGE, 1, -1, "destination_indices[1]: 4");
  CHECK_POSITION(shardspec_plan_execute(plan, NULL, views, 4, twice, places, 2, NULL, &err),
                 SHARDSPEC_INVALID_ARGUMENT, 1, -1, "destination_indices[1]: ");
  shardspec_plan *other = NULL;
  CHECK_POSITION(shardspec_plan_new_for_destinations(metadata, metadata, wrong, 2, &other, &err),
                 SHARDSPEC_INDEX_OUT_OF_RANGE, 1, -1, "destination_indices[1]: 4");
  shardspec_sharded_tensor *tensor = NULL;
  CHECK_POSITION(shardspec_sharded_tensor_new_from_local(metadata, NULL, wrong, places, 2, NULL, NULL,
                                                         &tensor, &err),
                 SHARDSPEC_INDEX_OUT_OF_RANGE, 1, -1, "indices[1]: 4");
  places[1].shape = &three;
  CHECK_POSITION(shardspec_sharded_tensor_new_from_local(metadata, NULL, order, places, 2, NULL, NULL,
                                                         &tensor, &err),
                 SHARDSPEC_SHAPE_MISMATCH, 1, 1, "shards[1]");
  CHECK(other == NULL && tensor == NULL);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void the_position_of_an_element_is_told(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const int64_t size = 8, elements[] = {7, 0, 8}, local[] = {1, 0, 2};
  static const size_t shards[] = {0, 4, 1}, known[] = {0, 3, 1};
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  size_t owner = 77;
  int64_t global[3];
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 4, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, &size, 1, NULL, &metadata, &err));
  CHECK_POSITION(shardspec_metadata_locate(metadata, elements, 3, NULL, NULL, &err),
                 SHARDSPEC_INDEX_OUT_OF_RANGE, 2, -1, "elements[2]: index 8 in dimension 0");
  CHECK_POSITION(shardspec_metadata_globalize(metadata, shards, local, 3, global, &err),
                 SHARDSPEC_INDEX_OUT_OF_RANGE, 1, -1, "shards[1]: 4");
  CHECK_POSITION(shardspec_metadata_globalize(metadata, known, local, 3, global, &err),
                 SHARDSPEC_INDEX_OUT_OF_RANGE, 2, -1, "local_indices[2]: index 2 in dimension 0");
  /* The one element of this call is no element of an array of them. */
  CHECK_POSITION(shardspec_metadata_shard_at(metadata, &elements[2], 1, &owner, &err),
                 SHARDSPEC_INDEX_OUT_OF_RANGE, -1, -1, "element: index 8");
  CHECK(owner == 77);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void a_dimension_that_is_refused_is_told(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const int64_t sizes[] = {4, 4};
  static const int64_t dims[] = {2, 31, -3, INT32_MIN, INT64_MAX};
  for (size_t i = 0; i < COUNT(dims); i++) {
    shardspec_spec *spec;
    shardspec_metadata *metadata = NULL;
    CHECK_OK(shardspec_spec_new_chunk(dims[i], RANKS, 2, &spec, &err));
    CHECK_STATUS(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err),
                 SHARDSPEC_INVALID_DIM);
    CHECK_EQUAL(err.dim, dims[i] == INT64_MAX ? -1 : dims[i]);
    CHECK_EQUAL(err.got, dims[i]);
    CHECK_EQUAL(err.limit, 2);
    CHECK_MESSAGE("pass -2 <= dim < 2");
    CHECK_STATUS(shardspec_spec_build_metadata(spec, NULL, 0, NULL, &metadata, &err),
                 SHARDSPEC_INVALID_DIM);
    CHECK_MESSAGE("a tensor without dimensions can't be cut");
    CHECK(strstr(err.message, "pass -0") == NULL && metadata == NULL);
    CHECK_OK(shardspec_spec_free(spec, &err));
  }
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
  an_error_of_any_size_has_its_numbers_and_what_fits_of_the_message();
  an_error_can_be_prepared_without_macros();
  a_callback_sets_status_and_message_by_a_function();
  what_is_set_is_cut_to_fit_and_clears_all_numbers();
  success_clears_what_an_earlier_refusal_wrote();
  a_message_that_is_too_long_is_cut_and_stays_text();
  the_position_of_a_placement_is_told();
  the_position_of_a_struct_and_its_field_are_told();
  the_position_of_a_view_is_told_and_the_shard_that_it_is();
  the_position_of_an_element_is_told();
  a_dimension_that_is_refused_is_told();
  return 0;
}
