/* Layouts as JSON and as bytes, as a program uses them that stores and sends layouts. */
#include "check.h"

static shardspec_error err = SHARDSPEC_ERROR_INIT;
static const char *const RANKS[] = {"rank:0", "rank:1"};

static shardspec_spec *chunks_of_rows(void) {
  shardspec_spec *spec;
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 2, &spec, &err));
  return spec;
}

static void a_spec_is_a_line_of_text(void) {
  shardspec_spec *spec = chunks_of_rows(), *again;
  char text[256];
  size_t needed = 0, capacity = 0;
  int32_t equal = 0;
  CHECK_OK(shardspec_spec_to_json(spec, NULL, 0, &capacity, &err));
  CHECK_OK(shardspec_spec_to_json(spec, text, sizeof text, &needed, &err));
  CHECK_TEXT(text, "{\"kind\":\"shardspec.spec\",\"version\":1,\"chunk\":{\"dim\":0,"
                   "\"placements\":[\"rank:0/cpu\",\"rank:1/cpu\"]}}");
  CHECK(needed == strlen(text) + 1 && capacity == needed);
  CHECK_OK(shardspec_spec_new_from_json(text, needed - 1, &again, &err));
  CHECK_OK(shardspec_spec_equal(spec, again, &equal, &err));
  CHECK(equal);
  CHECK_STATUS(shardspec_spec_to_json(spec, text, 10, NULL, &err), SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK_EQUAL(err.limit, needed);
  CHECK_OK(shardspec_spec_free(again, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

/* People write texts too, with spaces and in their own order. */
static void a_text_by_hand_is_read(void) {
  static const char text[] = "{ \"chunk\": { \"placements\": [\"rank:0\", \"rank:1\"], \"dim\": 0 },\n"
                             "  \"version\": 1, \"kind\": \"shardspec.spec\" }\n";
  shardspec_spec *read, *spec = chunks_of_rows();
  int32_t equal = 0;
  CHECK_OK(shardspec_spec_new_from_json(text, sizeof text - 1, &read, &err));
  CHECK_OK(shardspec_spec_equal(spec, read, &equal, &err));
  CHECK(equal);
  CHECK_OK(shardspec_spec_free(read, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void an_error_names_the_byte(void) {
  static const char text[] = "{\"kind\":\"shardspec.spec\",\"version\":1,\"chunk\":{\"dim\":0,\"placements\":[\"cpu:x\"]}}";
  static const char newer[] = "{\"kind\":\"shardspec.spec\",\"version\":1,\"chunk\":{\"dim\":0,\"order\":\"x\"}}";
  shardspec_spec *spec = NULL;
  CHECK_STATUS(shardspec_spec_new_from_json(text, sizeof text - 1, &spec, &err), SHARDSPEC_INVALID_PLACEMENT);
  CHECK_EQUAL(err.index, strstr(text, "\"cpu:x\"") - text);
  CHECK_MESSAGE("text: byte 68: placement \"cpu:x\"");
  CHECK_STATUS(shardspec_spec_new_from_json(newer, sizeof newer - 1, &spec, &err), SHARDSPEC_UNSUPPORTED);
  CHECK_EQUAL(err.index, strstr(newer, "\"order\"") - newer);
  CHECK_MESSAGE("the field \"order\" is not known to this version");
  CHECK(spec == NULL);
}

static void metadata_travels_as_bytes(void) {
  static const int64_t sizes[] = {5, 3};
  shardspec_spec *spec = chunks_of_rows();
  shardspec_metadata *metadata, *again;
  size_t count = 0, needed = 0;
  int32_t equal = 0;
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  CHECK_OK(shardspec_metadata_to_bytes(metadata, NULL, 0, &count, &err));
  uint8_t *bytes = malloc(count);
  CHECK(bytes != NULL);
  CHECK_OK(shardspec_metadata_to_bytes(metadata, bytes, count, &needed, &err));
  CHECK_EQUAL(needed, count);
  CHECK_OK(shardspec_metadata_new_from_bytes(bytes, count, &again, &err));
  CHECK_OK(shardspec_metadata_equal(metadata, again, &equal, &err));
  CHECK(equal);
  CHECK_OK(shardspec_metadata_free(again, &err));
  for (size_t at = 0; at < count; at++) {
    bytes[at] ^= 0x10;
    shardspec_status status = shardspec_metadata_new_from_bytes(bytes, count, &again, &err);
    CHECK(status == SHARDSPEC_INVALID_ARGUMENT || status == SHARDSPEC_UNSUPPORTED);
    CHECK(err.index >= 0 && err.index <= (int64_t)count);
    bytes[at] ^= 0x10;
  }
  for (size_t end = 0; end < count; end++)
    CHECK_STATUS(shardspec_metadata_new_from_bytes(bytes, end, &again, &err), SHARDSPEC_INVALID_ARGUMENT);
  free(bytes);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

/* A text is no proof: its shards are checked. */
static void shards_of_a_text_are_checked(void) {
  static const char gap[] = "{\"kind\":\"shardspec.metadata\",\"version\":1,\"sizes\":[3],\"shards\":"
                            "{\"ndim\":1,\"offsets\":[0,2],\"sizes\":[1,1],\"placements\":[\"a\",\"b\"]}}";
  static const char overlap[] = "{\"kind\":\"shardspec.metadata\",\"version\":1,\"sizes\":[3],\"shards\":"
                                "{\"ndim\":1,\"offsets\":[0,1],\"sizes\":[2,2],\"placements\":[\"a\",\"b\"]}}";
  shardspec_metadata *metadata = NULL;
  CHECK_STATUS(shardspec_metadata_new_from_json(gap, sizeof gap - 1, &metadata, &err), SHARDSPEC_GAP);
  CHECK_MESSAGE("[1:2]");
  CHECK_STATUS(shardspec_metadata_new_from_json(overlap, sizeof overlap - 1, &metadata, &err), SHARDSPEC_OVERLAP);
  CHECK(err.first_shard == 0 && err.second_shard == 1 && metadata == NULL);
}

static void a_plan_is_summed_up(void) {
  static const int64_t sizes[] = {4, 6};
  shardspec_tensor_properties properties = SHARDSPEC_TENSOR_PROPERTIES_INIT;
  shardspec_spec *rows = chunks_of_rows(), *columns;
  shardspec_metadata *source, *destination;
  shardspec_plan *plan;
  char text[512];
  CHECK_OK(shardspec_spec_new_chunk(1, RANKS, 2, &columns, &err));
  CHECK_OK(shardspec_spec_build_metadata(rows, sizes, 2, &properties, &source, &err));
  CHECK_OK(shardspec_spec_build_metadata(columns, sizes, 2, &properties, &destination, &err));
  CHECK_OK(shardspec_plan_new(source, destination, &plan, &err));
  CHECK_OK(shardspec_plan_to_json(plan, text, sizeof text, NULL, &err));
  CHECK(strstr(text, "\"pieces\":4,\"messages\":2,\"elements\":24,\"moved_elements\":12") != NULL);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_metadata_free(source, &err));
  CHECK_OK(shardspec_metadata_free(destination, &err));
  CHECK_OK(shardspec_spec_free(rows, &err));
  CHECK_OK(shardspec_spec_free(columns, &err));
}

int main(void) {
  a_spec_is_a_line_of_text();
  a_text_by_hand_is_read();
  an_error_names_the_byte();
  metadata_travels_as_bytes();
  shards_of_a_text_are_checked();
  a_plan_is_summed_up();
  return 0;
}
