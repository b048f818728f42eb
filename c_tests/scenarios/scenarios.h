/* Scenarios: right calls of every function, of which some are refused as they should be. Programs run
 * them under a condition, and say what happens around each call: failing_allocations.c, which lets
 * memory run out, and least_stack.c, which measures how deep calls go. */
#ifndef SHARDSPEC_TESTS_SCENARIOS_H
#define SHARDSPEC_TESTS_SCENARIOS_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "../check.h"

#include <pthread.h>

/* Places for results. Filled with a pattern before each call, so that what a call leaves in them is
 * moved elsewhere before the next. */
typedef struct outputs {
  char text[512];
  size_t size, other_size, sizes[16], more_sizes[16];
  int64_t i64, other_i64, numbers[32], more_numbers[32];
  int32_t i32;
  uint64_t u64;
  uint32_t u32s[16];
  shardspec_dtype dtype;
  shardspec_tensor_properties properties;
  shardspec_placement *placement;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  shardspec_sharded_tensor *tensor;
  shardspec_managed_tensor *managed;
  shardspec_legacy_managed_tensor *legacy;
  shardspec_op *op;
  shardspec_value values[4];
  shardspec_comm *comm, *comms[4];
  shardspec_transfer *transfer;
  shardspec_request *request;
  shardspec_shards *shards;
  shardspec_mesh *mesh;
  shardspec_plan *plan;
  shardspec_run runs[16];
  shardspec_read reads[16];
  shardspec_tensor_view view;
  void *pointer;
} outputs;

/* Each thread has its own. */
extern _Thread_local outputs out;
extern _Thread_local shardspec_error err;

/* One call, whose last argument is `&err`; `wanted` is the status, without its prefix, that it returns
 * while nothing is amiss. A call that ran out of memory has left all outputs alone, and is made once
 * more. */
#define CALL(wanted, function, ...)                                                                \
  do {                                                                                             \
    call_begins(#function, __FILE__, __LINE__);                                                    \
  } while (call_ends(function(__VA_ARGS__, &err), SHARDSPEC_##wanted))

/* A call that must not fail for want of memory: it would leave the caller with what it can't free. */
#define FREE(function, handle)                                                                     \
  do {                                                                                             \
    void *freed_ = (handle);                                                                       \
    call_begins(#function, __FILE__, __LINE__);                                                    \
    if (call_ends(function(freed_, &err), SHARDSPEC_OK)) FAIL(#function " ran out of memory");     \
  } while (0)

/* A call that takes a list of shards, as `make` makes it of these arguments, and writes a spec. The list is
 * freed at once. */
#define OF_LIST(wanted, function, make, ...)                                                       \
  do {                                                                                             \
    CALL(OK, make, __VA_ARGS__, &out.shards);                                                      \
    shardspec_shards *list_ = out.shards;                                                          \
    CALL(wanted, function, list_, &out.spec);                                                      \
    /* The next call writes over it. */                                                            \
    shardspec_spec *made_ = out.spec;                                                              \
    FREE(shardspec_shards_free, list_);                                                            \
    out.spec = made_;                                                                              \
  } while (0)

/* Around a call that returns no status. */
#define RUN(function, statement)                                                                   \
  do {                                                                                             \
    call_begins(function, __FILE__, __LINE__);                                                     \
    statement;                                                                                     \
    call_ends_with_nothing();                                                                      \
  } while (0)

void call_begins(const char *function, const char *file, int line);
/* Whether the call is to be made once more. */
int call_ends(shardspec_status status, shardspec_status wanted);
void call_ends_with_nothing(void);

/* Memory that the next call writes: filled with a pattern before, and untouched where it fails. */
void written_next(void *memory, size_t bytes);

/* A call inside of a callback: its status, whatever it is, is what the callback returns. */
#define NESTED(function, ...)                                                                      \
  (call_begins(#function, __FILE__, __LINE__), nested_ends(function(__VA_ARGS__)))
shardspec_status nested_ends(shardspec_status status);

/* What the program does at the begin and at the end of each call, on the thread that calls. Returns
 * whether the program made memory run out. */
void condition_begins(const char *function);
int condition_ends(void);
/* Starts a thread that runs scenarios. */
pthread_t start_thread(void *(*run)(void *), void *argument);

/* Ranks that are threads. */
enum { MAX_RANKS = 4 };
typedef struct ranks {
  pthread_barrier_t all;
  int count;
  shardspec_comm *comms[MAX_RANKS];
  shardspec_status statuses[MAX_RANKS];
  int starved[MAX_RANKS];
} ranks;

/* A collective. Where a rank runs out of memory before all have agreed, the others return DISAGREEMENT,
 * and nothing was written anywhere. After that, others may succeed or return TRANSPORT_FAILED, and
 * destinations may be written in part. In either case all make the call once more, in the latter by new
 * communicators. */
#define COLLECTIVE(group, rank, function, ...)                                                     \
  do {                                                                                             \
    call_begins(#function, __FILE__, __LINE__);                                                    \
  } while (collective_ends(group, rank, function(__VA_ARGS__, &err)))
int collective_ends(ranks *group, size_t rank, shardspec_status status);
/* A collective that is started, and its result, which its request returns. */
#define STARTED(group, rank, function, ...)                                                        \
  do {                                                                                             \
    call_begins(#function, __FILE__, __LINE__);                                                    \
  } while (collective_ends(group, rank, completed(function(__VA_ARGS__, &started_request, &err))))
extern _Thread_local shardspec_request *started_request;
shardspec_status completed(shardspec_status started);
/* Told of each collective that failed after the agreement, once for all of its ranks. */
void collective_broke(void);

typedef struct scenario {
  const char *name;
  void (*run)(void);
} scenario;
extern const scenario scenarios[];
extern const size_t scenario_count;
/* Those with large inputs. */
extern const scenario hostile_scenarios[];
extern const size_t hostile_scenario_count;

/* Objects that many scenarios begin with, made and freed without the condition. */
extern const char *const RANKS[4];
shardspec_metadata *rows(size_t ranks, int64_t size);    /* size x 6 floats, by rows */
shardspec_metadata *columns(size_t ranks, int64_t size); /* the same by columns */
void drop_metadata(shardspec_metadata *metadata);
shardspec_spec *chunk_spec(size_t ranks);
void drop_spec(shardspec_spec *spec);

/* A ctx with its end, which is counted: as many were made as are ended when a scenario is over. */
void *context(void);
void end_context(void *ctx);
void contexts_are_ended(void);

#define DECLARE(name) void name(void)
DECLARE(texts_and_numbers);
DECLARE(placements_of_every_kind);
DECLARE(placements_of_my_own);
DECLARE(chunk_specs);
DECLARE(enumerable_specs);
DECLARE(inferred_specs);
DECLARE(refused_specs);
DECLARE(specs_of_my_own);
DECLARE(meshes);
DECLARE(specs_over_a_mesh);
DECLARE(notations);
DECLARE(layouts_as_text_and_bytes);
DECLARE(linked_tensors_and_replicas);
DECLARE(metadata_is_asked);
DECLARE(metadata_is_refused);
DECLARE(places_are_asked);
DECLARE(copies);
DECLARE(refused_copies);
DECLARE(copies_of_packed_elements);
DECLARE(copies_with_threads);
DECLARE(managed_tensors);
DECLARE(sharded_tensors);
DECLARE(refused_sharded_tensors);
DECLARE(exported_and_imported_shards);
DECLARE(ops);
DECLARE(refused_ops);
DECLARE(communicators);
DECLARE(collectives_of_two);
DECLARE(collectives_with_threads);
DECLARE(lists_of_shards);
DECLARE(shards_that_are_no_boxes);
DECLARE(digests);
DECLARE(checkpoints_are_written);
DECLARE(flattened_shards_and_copies_of_views);
DECLARE(plans);
DECLARE(refused_plans);
DECLARE(pictures);
DECLARE(plans_with_replicas);
DECLARE(plans_are_executed);
DECLARE(traffic_and_runs);
DECLARE(relabelled_metadata);
DECLARE(checkpoints_are_opened);
DECLARE(checkpoints_are_read);
#undef DECLARE

#endif
