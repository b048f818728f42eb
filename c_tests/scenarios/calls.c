/* What happens around each call of a scenario, and what scenarios share. */
#include "scenarios.h"

#include <stdatomic.h>

_Thread_local outputs out;
_Thread_local shardspec_error err = SHARDSPEC_ERROR_INIT;

enum { PATTERN = 0x5a, NESTED = 8, WRITTEN = 8 };

/* A callback may call the library as well: the calls of a thread that have not ended. */
typedef struct open_call {
  const char *function, *file;
  int line;
} open_call;
static _Thread_local open_call open_calls[NESTED];
static _Thread_local int depth, again;
static _Thread_local outputs before;
static _Thread_local struct {
  unsigned char *memory;
  size_t bytes;
} written[WRITTEN];
static _Thread_local int written_count;

void written_next(void *memory, size_t bytes) {
  CHECK(written_count < WRITTEN);
  written[written_count].memory = memory;
  written[written_count++].bytes = bytes;
}

static void check_untouched(const open_call *call) {
  if (memcmp(&out, &before, sizeof out) != 0)
    FAIL("%s, called at %s:%d, failed with %d and has written an output", call->function, call->file,
         call->line, (int)err.status);
  for (int i = 0; i < written_count; i++)
    for (size_t at = 0; at < written[i].bytes; at++)
      if (written[i].memory[at] != PATTERN)
        FAIL("%s, called at %s:%d, failed with %d and has written byte %zu of a destination",
             call->function, call->file, call->line, (int)err.status, at);
}

static void check_error(const open_call *call, shardspec_status status) {
  if (err.status != status || (status == SHARDSPEC_OK) != (err.message[0] == '\0'))
    FAIL("%s, called at %s:%d, returned %d, but its error says %d: \"%s\"", call->function, call->file,
         call->line, (int)status, (int)err.status, err.message);
}

void call_begins(const char *function, const char *file, int line) {
  CHECK(depth < NESTED);
  open_calls[depth++] = (open_call){function, file, line};
  /* Inside of a callback, outputs are those of the outer call. */
  if (depth == 1) {
    memset(&out, PATTERN, sizeof out);
    out.properties = (shardspec_tensor_properties){sizeof out.properties, {0, 0, 0}, 0, 0, 0, 0, 0};
    memcpy(&before, &out, sizeof out);
    for (int i = 0; i < written_count; i++) memset(written[i].memory, PATTERN, written[i].bytes);
  }
  if (!again) condition_begins(function);
}

/* Whether the program made memory run out. */
static int check_call(shardspec_status status, int alone) {
  int starved = !again && condition_ends();
  const open_call *call = &open_calls[--depth];
  check_error(call, status);
  if (status != SHARDSPEC_OK && depth == 0 && alone) check_untouched(call);
  if (status == SHARDSPEC_OUT_OF_MEMORY && !starved)
    FAIL("%s, called at %s:%d, ran out of memory, which there was: %s", call->function, call->file,
         call->line, err.message);
  return starved;
}

static void call_is_over(void) {
  again = 0;
  if (depth == 0) written_count = 0;
}

int call_ends(shardspec_status status, shardspec_status wanted) {
  check_call(status, 1);
  const open_call *call = &open_calls[depth];
  again = status == SHARDSPEC_OUT_OF_MEMORY && wanted != SHARDSPEC_OUT_OF_MEMORY;
  if (again) return 1;
  if (status != wanted)
    FAIL("%s, called at %s:%d, returned %d, not %d: %s", call->function, call->file, call->line,
         (int)status, (int)wanted, err.message);
  call_is_over();
  return 0;
}

void call_ends_with_nothing(void) {
  condition_ends();
  depth--;
  call_is_over();
}

shardspec_status nested_ends(shardspec_status status) {
  if (!again) condition_ends();
  depth--;
  return status;
}

_Thread_local shardspec_request *started_request;

shardspec_status completed(shardspec_status started) {
  int32_t done = 0;
  if (started != SHARDSPEC_OK) return started;
  shardspec_status status = shardspec_request_test(started_request, &done, &err);
  if (status == SHARDSPEC_OK) status = shardspec_request_wait(started_request, &err);
  CHECK(shardspec_request_free(started_request, NULL) == SHARDSPEC_OK);
  return status;
}

int collective_ends(ranks *group, size_t rank, shardspec_status status) {
  group->starved[rank] = check_call(status, 0);
  group->statuses[rank] = status;
  const open_call *call = &open_calls[depth];
  int starved = 0, failed = 0, broken = 0;
  pthread_barrier_wait(&group->all);
  for (int i = 0; i < group->count; i++) {
    shardspec_status other = group->statuses[i];
    if (other != SHARDSPEC_OK && other != SHARDSPEC_OUT_OF_MEMORY && other != SHARDSPEC_DISAGREEMENT &&
        other != SHARDSPEC_TRANSPORT_FAILED)
      FAIL("%s, called at %s:%d, returned %d on rank %d: %s", call->function, call->file, call->line,
           (int)other, i, err.message);
    starved |= group->starved[i];
    failed |= other != SHARDSPEC_OK;
    broken |= other == SHARDSPEC_OK || other == SHARDSPEC_TRANSPORT_FAILED;
  }
  again = failed;
  if (again && !starved)
    FAIL("%s, called at %s:%d, returned %d, though no rank ran out of memory: %s", call->function,
         call->file, call->line, (int)status, err.message);
  if (again && !broken) check_untouched(call);
  if (again && status == SHARDSPEC_OK && out.tensor != before.tensor)
    shardspec_sharded_tensor_free(out.tensor, NULL);
  pthread_barrier_wait(&group->all);
  if (again && broken && rank == 0) {
    collective_broke();
    for (int i = 0; i < group->count; i++) shardspec_comm_free(group->comms[i], NULL);
    CHECK(shardspec_comm_new_local((size_t)group->count, group->comms, NULL) == SHARDSPEC_OK);
  }
  pthread_barrier_wait(&group->all);
  if (!again) call_is_over();
  return again;
}

const char *const RANKS[4] = {"rank:0", "rank:1", "rank:2", "rank:3"};

static shardspec_metadata *cut(int64_t dim, size_t count, int64_t size) {
  const int64_t sizes[] = {size, 6};
  shardspec_tensor_properties properties = {sizeof properties, {0, 0, 0}, 0, 0, 0, 0, 0};
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  CHECK_OK(shardspec_tensor_properties_init(&properties, &err));
  CHECK_OK(shardspec_spec_new_chunk(dim, RANKS, count, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, &properties, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  return metadata;
}
shardspec_metadata *rows(size_t count, int64_t size) { return cut(0, count, size); }
shardspec_metadata *columns(size_t count, int64_t size) { return cut(1, count, size); }
void drop_metadata(shardspec_metadata *metadata) { CHECK_OK(shardspec_metadata_free(metadata, &err)); }

shardspec_spec *chunk_spec(size_t count) {
  shardspec_spec *spec;
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, count, &spec, &err));
  return spec;
}
void drop_spec(shardspec_spec *spec) { CHECK_OK(shardspec_spec_free(spec, &err)); }

static atomic_int contexts;
static int live_context;
void *context(void) {
  atomic_fetch_add(&contexts, 1);
  return &live_context;
}
void end_context(void *ctx) {
  CHECK(ctx == &live_context);
  atomic_fetch_sub(&contexts, 1);
}
void contexts_are_ended(void) { CHECK_EQUAL(atomic_load(&contexts), 0); }

#define SCENARIO(name) {#name, name}
const scenario scenarios[] = {
    SCENARIO(texts_and_numbers),
    SCENARIO(placements_of_every_kind),
    SCENARIO(placements_of_my_own),
    SCENARIO(chunk_specs),
    SCENARIO(enumerable_specs),
    SCENARIO(inferred_specs),
    SCENARIO(refused_specs),
    SCENARIO(specs_of_my_own),
    SCENARIO(meshes),
    SCENARIO(specs_over_a_mesh),
    SCENARIO(notations),
    SCENARIO(layouts_as_text_and_bytes),
    SCENARIO(linked_tensors_and_replicas),
    SCENARIO(metadata_is_asked),
    SCENARIO(metadata_is_refused),
    SCENARIO(places_are_asked),
    SCENARIO(copies),
    SCENARIO(refused_copies),
    SCENARIO(copies_of_packed_elements),
    SCENARIO(copies_with_threads),
    SCENARIO(managed_tensors),
    SCENARIO(sharded_tensors),
    SCENARIO(refused_sharded_tensors),
    SCENARIO(exported_and_imported_shards),
    SCENARIO(ops),
    SCENARIO(refused_ops),
    SCENARIO(communicators),
    SCENARIO(collectives_of_two),
    SCENARIO(collectives_with_threads),
    SCENARIO(lists_of_shards),
    SCENARIO(shards_that_are_no_boxes),
    SCENARIO(digests),
    SCENARIO(checkpoints_are_written),
    SCENARIO(flattened_shards_and_copies_of_views),
    SCENARIO(plans),
    SCENARIO(refused_plans),
    SCENARIO(pictures),
    SCENARIO(plans_with_replicas),
    SCENARIO(plans_are_executed),
    SCENARIO(traffic_and_runs),
    SCENARIO(relabelled_metadata),
    SCENARIO(checkpoints_are_opened),
    SCENARIO(checkpoints_are_read),
};
const size_t scenario_count = COUNT(scenarios);
