/* Communicators and collectives: every test on 1, 2, 3, 4 and 7 ranks that are threads; with
 * SHARDSPEC_TESTS_MPI on as many ranks as there are processes. */
#define _POSIX_C_SOURCE 200809L
#include "ranks.h"

#include <unistd.h>

#ifdef SHARDSPEC_TESTS_MPI
#include <mpi.h>
#endif

_Static_assert(sizeof(shardspec_message) == 24, "");
_Static_assert(offsetof(shardspec_message, pointer) == 8, "");
_Static_assert(offsetof(shardspec_message, byte_count) == 16, "");
_Static_assert(sizeof(shardspec_comm_vtable) == 72, "");
_Static_assert(offsetof(shardspec_comm_vtable, destroy) == 8, "");
_Static_assert(offsetof(shardspec_comm_vtable, success_status) == 24, "");
_Static_assert(offsetof(shardspec_comm_vtable, abort) == 32, "");
_Static_assert(offsetof(shardspec_comm_vtable, node) == 40, "");
_Static_assert(offsetof(shardspec_comm_vtable, start) == 48, "");
_Static_assert(offsetof(shardspec_comm_vtable, wait) == 64, "");
_Static_assert(sizeof(shardspec_comm_options) == 24, "");
_Static_assert(sizeof(shardspec_comm_tensor) == 80, "");
_Static_assert(offsetof(shardspec_comm_tensor, plan) == 32, "");
_Static_assert(offsetof(shardspec_comm_tensor, dtype) == 72, "");

static void run_all(int64_t size) {
#define RUN(test) run_on_ranks(#test, size, test)
  RUN(exchanges_move_what_was_asked);
  RUN(ragged_and_empty_shards_arrive);
  RUN(several_shards_of_a_rank_arrive);
  RUN(custom_specs_are_cut_across_ranks);
  RUN(any_layout_is_sent_and_received);
  RUN(a_small_memory_limit_changes_nothing_but_the_rounds);
  RUN(a_large_tensor_arrives_with_or_without_a_second_thread);
  RUN(any_layout_becomes_any_other);
  RUN(layouts_over_meshes_become_each_other);
  RUN(shards_that_only_change_places_arrive);
  RUN(layouts_that_can_not_be_resharded_are_told_on_all);
  RUN(a_sharded_tensor_is_made_from_one_rank);
  RUN(wrong_arguments_of_one_rank_are_told_on_all);
  RUN(the_place_of_a_wrong_view_is_told_on_all);
  RUN(a_rank_that_declines_tells_all_others_why);
  RUN(other_calls_than_the_others_are_told_on_all);
  RUN(placements_without_a_rank_are_refused_with_their_text);
  RUN(batches_of_any_layouts_arrive);
  RUN(a_prepared_transfer_runs_again_on_the_same_and_on_other_buffers);
  RUN(tensors_that_share_layouts_arrive);
  RUN(tensors_that_differ_are_named_on_all);
  RUN(wrong_tensors_of_one_rank_are_named_on_all);
  RUN(an_unknown_element_type_of_a_batch_is_told_on_all);
  RUN(buffers_that_do_not_fit_a_transfer_are_told_on_all);
  RUN(a_halo_arrives_by_a_plan);
  RUN(a_plan_for_some_destinations_is_refused_on_all);
  RUN(a_transfer_outlives_a_transport_that_fails);
  RUN(a_group_uses_layouts_that_name_its_global_ranks);
  RUN(ranks_are_named_as_a_group_names_them);
  RUN(groups_that_can_not_be_are_refused);
#ifdef SHARDSPEC_TESTS_MPI
  RUN(a_communicator_of_mpi_knows_its_ranks_in_another);
#endif
  RUN(replicas_are_read_on_the_same_node);
  RUN(ranks_that_know_other_nodes_are_told);
  RUN(a_plan_on_nodes_moves_nothing_between_them);
  RUN(exchanges_go_on_while_ranks_do_something_else);
  RUN(a_communicator_has_one_request_at_a_time);
  RUN(a_request_that_is_freed_early_leaves_no_rank_waiting);
  RUN(without_start_a_request_exchanges_when_it_is_waited_for);
  RUN(transfers_go_on_while_ranks_do_something_else);
  RUN(without_start_a_transfer_moves_when_it_is_waited_for);
  RUN(tensors_that_differ_are_named_by_requests);
  RUN(wrong_arguments_of_a_start_are_told_by_the_request);
  RUN(scatters_gathers_and_reshards_are_started);
  RUN(wrong_arguments_of_started_collectives_are_told);
  RUN(a_started_preparation_is_a_transfer_when_it_has_ended);
  RUN(a_transfer_has_one_run_at_a_time);
  RUN(a_transfer_that_is_freed_early_leaves_no_rank_waiting);
  RUN(a_transport_that_fails_in_a_request_is_its_result);
  RUN(a_checkpoint_is_read_once_by_all_ranks);
  RUN(a_checkpoint_that_one_rank_can_not_read_is_told_on_all);
  RUN(a_failing_transport_is_a_status_and_no_more);
  RUN(an_exchange_that_throws_never_reads_as_success);
#ifndef SHARDSPEC_TESTS_MPI
  RUN(a_rank_that_fails_leaves_no_other_waiting_and_no_holes);
#endif
}

int main(int argc, char **argv) {
  alarm(120); /* a rank that waits for ever fails instead of hanging */
#ifdef SHARDSPEC_TESTS_MPI
  int size;
  MPI_Init(&argc, &argv);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  run_all(size);
  MPI_Finalize();
#else
  static const int64_t sizes[] = {1, 2, 3, 4, 7};
  /* Numbers of ranks may be given: c_tests/CMakeLists.txt says where some are enough. */
  if (argc > 1)
    for (int i = 1; i < argc; i++) run_all(atoi(argv[i]));
  else
    for (size_t i = 0; i < COUNT(sizes); i++) run_all(sizes[i]);
#endif
  return 0;
}
