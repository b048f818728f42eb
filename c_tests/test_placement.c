/* Placements. */
#include "check.h"

static void texts_are_taken_apart_as_torch_does(void) {
  static const struct {
    const char *text, *canonical, *worker;
    int64_t rank;
    int32_t device_type, device_index;
  } cases[] = {
      {"rank:1/cuda:0", "rank:1/cuda:0", NULL, 1, SHARDSPEC_DEVICE_CUDA, 0},
      {"rank:3", "rank:3/cpu", NULL, 3, SHARDSPEC_DEVICE_CPU, -1},
      {"trainer0/cpu", "trainer0/cpu", "trainer0", -1, SHARDSPEC_DEVICE_CPU, -1},
      {"trainer0", "trainer0/cpu", "trainer0", -1, SHARDSPEC_DEVICE_CPU, -1},
      {"cuda:1", "cuda:1", NULL, -1, SHARDSPEC_DEVICE_CUDA, 1},
  };
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  for (size_t i = 0; i < COUNT(cases); i++) {
    shardspec_placement *placement;
    char text[64] = "before";
    int64_t rank;
    int32_t number;
    CHECK_OK(shardspec_placement_parse(cases[i].text, &placement, &err));
    CHECK_OK(shardspec_placement_text(placement, text, sizeof text, NULL, &err));
    CHECK_TEXT(text, cases[i].canonical);
    CHECK_OK(shardspec_placement_rank(placement, &rank, &err));
    CHECK_EQUAL(rank, cases[i].rank);
    CHECK_OK(shardspec_placement_device_type(placement, &number, &err));
    CHECK_EQUAL(number, cases[i].device_type);
    CHECK_OK(shardspec_placement_device_index(placement, &number, &err));
    CHECK_EQUAL(number, cases[i].device_index);
    strcpy(text, "before");
    if (cases[i].worker) {
      CHECK_OK(shardspec_placement_worker_name(placement, text, sizeof text, NULL, &err));
      CHECK_TEXT(text, cases[i].worker);
    } else {
      CHECK_STATUS(shardspec_placement_worker_name(placement, text, sizeof text, NULL, &err),
                   SHARDSPEC_NOT_FOUND);
      CHECK_TEXT(text, "before");
    }
    CHECK_OK(shardspec_placement_free(placement, &err));
  }
}

static void placements_of_the_same_text_are_equal(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_placement *a, *b, *c;
  int32_t equal;
  uint64_t hash_a, hash_b;
  CHECK_OK(shardspec_placement_parse("rank:1", &a, &err));
  CHECK_OK(shardspec_placement_parse("rank:1/cpu", &b, &err));
  CHECK_OK(shardspec_placement_parse("rank:2/cpu", &c, &err));
  CHECK_OK(shardspec_placement_equal(a, b, &equal, &err));
  CHECK_EQUAL(equal, 1);
  CHECK_OK(shardspec_placement_equal(a, c, &equal, &err));
  CHECK_EQUAL(equal, 0);
  CHECK_OK(shardspec_placement_hash(a, &hash_a, &err));
  CHECK_OK(shardspec_placement_hash(b, &hash_b, &err));
  CHECK(hash_a == hash_b);
  CHECK_OK(shardspec_placement_hash(c, &hash_b, &err));
  CHECK(hash_a != hash_b);
  CHECK_OK(shardspec_placement_free(a, &err));
  CHECK_OK(shardspec_placement_free(b, &err));
  CHECK_OK(shardspec_placement_free(c, &err));
  CHECK_OK(shardspec_placement_free(NULL, &err));
}

static void texts_that_are_no_placement_are_refused(void) {
  static const char *const texts[] = {"", "/", "rank:/cpu", "rank:x/cpu", "rank:-1/cpu",
                                      "rank:99999999999999999999/cpu", "a/b/c", "rank:0/gpu",
                                      "rank:0/cuda:-1", "rank:0/cuda:128", "/cpu"};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  for (size_t i = 0; i < COUNT(texts); i++) {
    shardspec_placement *placement = NULL;
    CHECK_STATUS(shardspec_placement_parse(texts[i], &placement, &err),
                 SHARDSPEC_INVALID_PLACEMENT);
    CHECK(placement == NULL);
    CHECK(strlen(err.message) > 10);
  }
}

/* Names are shown in messages of one line. */
static void control_characters_are_refused_and_not_repeated(void) {
  static const char *const texts[] = {"worker\n", "\x1b[31mred", "a\tb/cpu", "del\x7f", "\xc2\x85next", "\r"};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_placement_vtable vtable;
  memset(&vtable, 0, sizeof vtable);
  vtable.struct_size = sizeof vtable;
  for (size_t i = 0; i < COUNT(texts); i++) {
    shardspec_placement *placement = NULL;
    shardspec_spec *spec = NULL;
    CHECK_STATUS(shardspec_placement_parse(texts[i], &placement, &err), SHARDSPEC_INVALID_PLACEMENT);
    CHECK_MESSAGE("control character");
    for (const char *c = err.message; *c; c++) CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
    CHECK(strstr(err.message, "\xc2\x85") == NULL);
    CHECK_STATUS(shardspec_spec_new_chunk(0, &texts[i], 1, &spec, &err), SHARDSPEC_INVALID_PLACEMENT);
    CHECK_STATUS(shardspec_placement_new_custom("acme.rack", texts[i], -1, &vtable, NULL, &placement, &err),
                 SHARDSPEC_INVALID_ARGUMENT);
    CHECK_MESSAGE("control character");
    CHECK(placement == NULL && spec == NULL);
  }
}

int main(void) {
  texts_are_taken_apart_as_torch_does();
  placements_of_the_same_text_are_equal();
  texts_that_are_no_placement_are_refused();
  control_characters_are_refused_and_not_repeated();
  return 0;
}
