/* Wrong calls of the functions that write and read layouts as JSON and as bytes. */
#include "misuse.h"

static const char SPEC_TEXT[] =
    "{\"kind\":\"shardspec.spec\",\"version\":1,\"chunk\":{\"dim\":0,\"placements\":[\"rank:0\"]}}";
static const char METADATA_TEXT[] =
    "{\"kind\":\"shardspec.metadata\",\"version\":1,\"sizes\":[2],"
    "\"shards\":{\"ndim\":1,\"offsets\":[0],\"sizes\":[2],\"placements\":[\"rank:0\"]}}";

/* A buffer for bytes that is missing, too small, and too large for memory. */
#define WRONG_BYTES(function, ...)                                                                 \
  WRONG_TEXT(function, __VA_ARGS__, (uint8_t *)BUFFER, CAPACITY, &out.needed)

/* Texts that are refused by `function`. */
#define WRONG_DOCUMENT(function, right, place)                                                     \
  do {                                                                                             \
    static const char newer[] = "{\"version\":2}", field[] = "{\"colour\":1}", cut[] = "{\"kind\"";  \
    MISUSE(NULL_ARGUMENT, "NULL text", function, NULL, 5, place);                                  \
    MISUSE(INVALID_ARGUMENT, "NULL text of 0 bytes", function, NULL, 0, place);                    \
    MISUSE(INVALID_ARGUMENT, "SIZE_MAX bytes", function, right, SIZE_MAX, place);                  \
    MISUSE(INVALID_ARGUMENT, "an empty text", function, right, 0, place);                          \
    MISUSE(INVALID_ARGUMENT, "half of a text", function, cut, sizeof cut - 1, place);              \
    CHECK_EQUAL(err.index, sizeof cut - 1);                                                        \
    MISUSE(INVALID_ARGUMENT, "a text with its NUL", function, right, sizeof right, place);         \
    CHECK_EQUAL(err.index, sizeof right - 1);                                                      \
    MISUSE(UNSUPPORTED, "a newer version", function, newer, sizeof newer - 1, place);              \
    CHECK_EQUAL(err.index, 11);                                                                    \
    MISUSE(UNSUPPORTED, "an unknown field", function, field, sizeof field - 1, place);             \
    CHECK_EQUAL(err.index, 1);                                                                     \
    MISUSE(INVALID_ARGUMENT, "not UTF-8", function, "{\"\xff\":0}", 7, place);                     \
  } while (0)

/* Bytes that are refused by `function`. */
#define WRONG_DATA(function, bytes, count, place)                                                  \
  do {                                                                                             \
    MISUSE(NULL_ARGUMENT, "NULL bytes", function, NULL, 5, place);                                 \
    MISUSE(INVALID_ARGUMENT, "NULL bytes, 0 of them", function, NULL, 0, place);                   \
    MISUSE(INVALID_ARGUMENT, "SIZE_MAX bytes", function, bytes, SIZE_MAX, place);                  \
    MISUSE(INVALID_ARGUMENT, "a byte is missing", function, bytes, (count) - 1, place);            \
    CHECK_EQUAL(err.index, 16);                                                                    \
    bytes[40] ^= 1;                                                                                \
    MISUSE(INVALID_ARGUMENT, "a damaged byte", function, bytes, count, place);                     \
    CHECK_EQUAL(err.index, (count) - 8);                                                           \
    bytes[40] ^= 1, bytes[8]++;                                                                    \
    MISUSE(UNSUPPORTED, "a newer version", function, bytes, count, place);                         \
    CHECK_EQUAL(err.index, 8);                                                                     \
    bytes[8]--;                                                                                    \
  } while (0)

static void misuse_json(void *freed_spec, void *freed_metadata) {
  wrong_handles_for(freed_spec, chunk, placement, metadata);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_to_json, H, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_spec_to_json, chunk, BUFFER, CAPACITY, &out.needed);
  WRONG_ERROR(shardspec_spec_to_json, chunk, out.text, 64, &out.needed);
  WRONG_DOCUMENT(shardspec_spec_new_from_json, SPEC_TEXT, &out.spec);
  WRONG_OUT(shardspec_spec *, shardspec_spec_new_from_json, SPEC_TEXT, sizeof SPEC_TEXT - 1, P);
  WRONG_ERROR(shardspec_spec_new_from_json, SPEC_TEXT, sizeof SPEC_TEXT - 1, &out.spec);
  MISUSE(INVALID_ARGUMENT, "metadata", shardspec_spec_new_from_json, METADATA_TEXT, sizeof METADATA_TEXT - 1, &out.spec);

  wrong_handles_for(freed_metadata, metadata, placement, chunk);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_to_json, H, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_metadata_to_json, metadata, BUFFER, CAPACITY, &out.needed);
  WRONG_ERROR(shardspec_metadata_to_json, metadata, out.text, 64, &out.needed);
  WRONG_DOCUMENT(shardspec_metadata_new_from_json, METADATA_TEXT, &out.metadata);
  WRONG_OUT(shardspec_metadata *, shardspec_metadata_new_from_json, METADATA_TEXT, sizeof METADATA_TEXT - 1, P);
  WRONG_ERROR(shardspec_metadata_new_from_json, METADATA_TEXT, sizeof METADATA_TEXT - 1, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "a spec", shardspec_metadata_new_from_json, SPEC_TEXT, sizeof SPEC_TEXT - 1, &out.metadata);
}

static void misuse_bytes(void *freed_spec, void *freed_metadata) {
  uint8_t bytes[512];
  size_t count;
  wrong_handles_for(freed_spec, chunk, placement, metadata);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_to_bytes, H, (uint8_t *)out.text, 64, &out.needed);
  WRONG_BYTES(shardspec_spec_to_bytes, chunk);
  WRONG_ERROR(shardspec_spec_to_bytes, chunk, (uint8_t *)out.text, 64, &out.needed);
  CHECK_OK(shardspec_spec_to_bytes(chunk, bytes, sizeof bytes, &count, &err));
  WRONG_DATA(shardspec_spec_new_from_bytes, bytes, count, &out.spec);
  WRONG_OUT(shardspec_spec *, shardspec_spec_new_from_bytes, bytes, count, P);
  WRONG_ERROR(shardspec_spec_new_from_bytes, bytes, count, &out.spec);
  MISUSE(INVALID_ARGUMENT, "a spec", shardspec_metadata_new_from_bytes, bytes, count, &out.metadata);

  wrong_handles_for(freed_metadata, metadata, placement, chunk);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_to_bytes, H, (uint8_t *)out.text, 64, &out.needed);
  WRONG_BYTES(shardspec_metadata_to_bytes, metadata);
  WRONG_ERROR(shardspec_metadata_to_bytes, metadata, (uint8_t *)out.text, 64, &out.needed);
  CHECK_OK(shardspec_metadata_to_bytes(metadata, bytes, sizeof bytes, &count, &err));
  WRONG_DATA(shardspec_metadata_new_from_bytes, bytes, count, &out.metadata);
  WRONG_OUT(shardspec_metadata *, shardspec_metadata_new_from_bytes, bytes, count, P);
  WRONG_ERROR(shardspec_metadata_new_from_bytes, bytes, count, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "metadata", shardspec_spec_new_from_bytes, bytes, count, &out.spec);
}

void misuse_interchange(void) {
  shardspec_spec *freed_spec;
  shardspec_metadata *freed_metadata;
  shardspec_plan *plan, *freed_plan;
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 2, &freed_spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(freed_spec, TENSOR, 2, NULL, &freed_metadata, &err));
  CHECK_OK(shardspec_plan_new(metadata, metadata, &plan, &err));
  CHECK_OK(shardspec_plan_new(metadata, metadata, &freed_plan, &err));
  CHECK_OK(shardspec_spec_free(freed_spec, &err));
  CHECK_OK(shardspec_metadata_free(freed_metadata, &err));
  CHECK_OK(shardspec_plan_free(freed_plan, &err));
  misuse_json(freed_spec, freed_metadata);
  misuse_bytes(freed_spec, freed_metadata);
  wrong_handles_for(freed_plan, plan, placement, metadata);
  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, shardspec_plan_to_json, H, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_plan_to_json, plan, BUFFER, CAPACITY, &out.needed);
  WRONG_ERROR(shardspec_plan_to_json, plan, out.text, 64, &out.needed);
  CHECK_OK(shardspec_plan_free(plan, &err));
}
