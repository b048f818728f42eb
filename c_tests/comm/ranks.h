/* What the tests across ranks share. They are one program, compiled twice: with its ranks as threads
 * of one process, and with SHARDSPEC_TESTS_MPI with a process for each rank. */
#ifndef SHARDSPEC_TESTS_RANKS_H
#define SHARDSPEC_TESTS_RANKS_H

#include "../check.h"

/* What one rank does. `err` is its own. */
typedef void rank_test(shardspec_comm *comm, shardspec_error *rank_err);

/* Runs a test on each of `size` ranks, and returns when all have done. With MPI, `size` must be the
 * number of processes. */
void run_on_ranks(const char *name, int64_t size, rank_test *test);

/* Which of how many ranks a communicator is for. */
int64_t rank_of(const shardspec_comm *comm);
int64_t size_of(const shardspec_comm *comm);
/* The rank by which placements name it. */
int64_t placement_rank_of(const shardspec_comm *comm);
/* Returns when all ranks have called it. */
void wait_for_all(shardspec_comm *comm);
/* Another communicator of the same ranks, which the caller frees, when all ranks are done with it. */
shardspec_comm *second_communicator(shardspec_comm *comm);
/* Lets other ranks onto the processor. */
void let_others_run(void);
/* Seconds of a clock that goes evenly. */
double seconds(void);
/* A communicator over `inner` that fails at its n-th exchange from now on, counted from 0; -1: never.
 * Freed like any other, before `inner`. */
typedef struct wire {
  shardspec_comm *inner;
  int countdown;
  /* What it returns then. 0: as where a callback throws that is written in another language. Else the
   * message is "the cable is cut". */
  shardspec_status failure;
  /* It fails when the exchange is tested or waited for, and not when it starts. */
  int fails_late;
  /* Exchanges so far. */
  int exchanges;
  /* How many nodes there are said to be, if any: each has as many neighbouring ranks as the others, but
   * for the last. */
  int64_t nodes;
  /* By how many ranks the nodes begin earlier; the last ranks are then on the first node. */
  int64_t shift;
  /* Bytes of messages to ranks on other nodes so far, but for those of the agreement. */
  size_t bytes_between_nodes;
} wire;
shardspec_comm *failing(shardspec_comm *inner, wire **w);
shardspec_comm *on_nodes(shardspec_comm *inner, int64_t nodes, wire **w);
/* The same with `start`, `test` and `wait`. */
shardspec_comm *starting(shardspec_comm *inner, wire **w);
/* Tests a request until it has ended, a few thousand times without waiting and then for a moment each
 * time; what the last test returned. */
shardspec_status test_until_ended(shardspec_request *request, shardspec_error *rank_err);
/* Another group of the same ranks, which a test may break. With MPI it is `comm` itself, which can't be
 * broken: MPI has no way to wake the others. */
shardspec_comm *another_group(shardspec_comm *comm);
/* Frees it when all ranks are done with it: nobody is to be told of a failure by that. */
void free_group(shardspec_comm *group, shardspec_comm *comm, shardspec_error *rank_err);

/* A tensor of int32 that are numbered in row-major order, as one rank sees it. */
typedef struct cut {
  shardspec_metadata *metadata;
  int64_t sizes[2];
  /* The whole tensor, filled, in memory of this rank's. */
  int32_t *full;
  shardspec_tensor_view full_view;
  /* The shards of this rank. */
  size_t count;
  size_t *indices;
  int64_t *shapes;
  shardspec_tensor_view *shards;
} cut;

/* Chunks of dimension `dim` for the ranks `owners`. */
void cut_in_chunks(cut *c, const shardspec_comm *comm, int64_t rows, int64_t columns, int64_t dim,
                   const int64_t *owners, size_t owner_count);
/* Boxes as rows of first row, first column, rows, columns and owner. */
void cut_in_boxes(cut *c, const shardspec_comm *comm, int64_t rows, int64_t columns,
                  const int64_t (*boxes)[5], size_t box_count);
/* By a spec, which is freed. */
void cut_by(cut *c, const shardspec_comm *comm, shardspec_spec *spec, int64_t rows,
            int64_t columns);
/* Over a random mesh, the same on every rank: block-cyclic, in segments, padded, with replicas. */
void cut_over_mesh(cut *c, const shardspec_comm *comm, uint64_t *state, int64_t rows,
                   int64_t columns);
/* A random number that is the same on every rank. */
int64_t random_below(uint64_t *state, int64_t limit);
/* Puts the pattern of untouched memory into all of this rank's shards. */
void clear_shards(cut *c);
/* Puts the numbers into them that belong there. */
void fill_shards(cut *c);
/* Every element of this rank's shards, or of a whole tensor, is its number; or nothing was written. */
void check_shards(const cut *c);
void check_shards_untouched(const cut *c);
void check_full(const cut *c, const int32_t *full);
void check_untouched(const int32_t *data, int64_t count);
void free_cut(cut *c);
/* Moves `from` to `to`, whose shards hold nothing yet, and looks at every element. Both are freed. */
void move_shards(shardspec_comm *comm, cut *from, cut *to, shardspec_error *rank_err);

/* CHECK_... of check.h use `err`: that of the rank. */
#define err (*rank_err)

/* The tests. */
extern rank_test exchanges_move_what_was_asked;
extern rank_test ragged_and_empty_shards_arrive;
extern rank_test several_shards_of_a_rank_arrive;
extern rank_test custom_specs_are_cut_across_ranks;
extern rank_test any_layout_is_sent_and_received;
extern rank_test a_small_memory_limit_changes_nothing_but_the_rounds;
extern rank_test a_large_tensor_arrives_with_or_without_a_second_thread;
extern rank_test any_layout_becomes_any_other;
extern rank_test layouts_over_meshes_become_each_other;
extern rank_test shards_that_only_change_places_arrive;
extern rank_test layouts_that_can_not_be_resharded_are_told_on_all;
extern rank_test a_sharded_tensor_is_made_from_one_rank;
extern rank_test wrong_arguments_of_one_rank_are_told_on_all;
extern rank_test the_place_of_a_wrong_view_is_told_on_all;
extern rank_test a_rank_that_declines_tells_all_others_why;
extern rank_test other_calls_than_the_others_are_told_on_all;
extern rank_test placements_without_a_rank_are_refused_with_their_text;
extern rank_test batches_of_any_layouts_arrive;
extern rank_test a_prepared_transfer_runs_again_on_the_same_and_on_other_buffers;
extern rank_test tensors_that_share_layouts_arrive;
extern rank_test tensors_that_differ_are_named_on_all;
extern rank_test wrong_tensors_of_one_rank_are_named_on_all;
extern rank_test an_unknown_element_type_of_a_batch_is_told_on_all;
extern rank_test buffers_that_do_not_fit_a_transfer_are_told_on_all;
extern rank_test a_halo_arrives_by_a_plan;
extern rank_test a_plan_for_some_destinations_is_refused_on_all;
extern rank_test a_transfer_outlives_a_transport_that_fails;
extern rank_test a_group_uses_layouts_that_name_its_global_ranks;
extern rank_test ranks_are_named_as_a_group_names_them;
extern rank_test groups_that_can_not_be_are_refused;
extern rank_test a_communicator_of_mpi_knows_its_ranks_in_another;
extern rank_test replicas_are_read_on_the_same_node;
extern rank_test ranks_that_know_other_nodes_are_told;
extern rank_test a_plan_on_nodes_moves_nothing_between_them;
extern rank_test exchanges_go_on_while_ranks_do_something_else;
extern rank_test a_communicator_has_one_request_at_a_time;
extern rank_test a_request_that_is_freed_early_leaves_no_rank_waiting;
extern rank_test without_start_a_request_exchanges_when_it_is_waited_for;
extern rank_test transfers_go_on_while_ranks_do_something_else;
extern rank_test without_start_a_transfer_moves_when_it_is_waited_for;
extern rank_test tensors_that_differ_are_named_by_requests;
extern rank_test wrong_arguments_of_a_start_are_told_by_the_request;
extern rank_test scatters_gathers_and_reshards_are_started;
extern rank_test wrong_arguments_of_started_collectives_are_told;
extern rank_test a_started_preparation_is_a_transfer_when_it_has_ended;
extern rank_test a_transfer_has_one_run_at_a_time;
extern rank_test a_transfer_that_is_freed_early_leaves_no_rank_waiting;
extern rank_test a_transport_that_fails_in_a_request_is_its_result;
extern rank_test a_checkpoint_is_read_once_by_all_ranks;
extern rank_test a_checkpoint_that_one_rank_can_not_read_is_told_on_all;
extern rank_test a_failing_transport_is_a_status_and_no_more;
extern rank_test an_exchange_that_throws_never_reads_as_success;
extern rank_test a_rank_that_fails_leaves_no_other_waiting_and_no_holes;

#endif
