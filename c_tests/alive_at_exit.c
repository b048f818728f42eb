/* A process ends while objects of every kind are alive, an op runs on another thread, and another thread waits for a
 * rank: by returning from main, by exit on another thread, and by exit inside of an op. Functions that run at the
 * end of the process still use the library. */
#include "op_threads.h"

#include <sys/wait.h>

static int destroyed;
static slow blocked;
static shardspec_comm *pair[2];
static shardspec_spec *own;

static const shardspec_spec_vtable VTABLE = {sizeof(shardspec_spec_vtable), count, no_metadata, NULL, NULL, NULL, 0, 0};

static void *wait_for_a_rank(void *unused) {
  char byte;
  shardspec_error error = SHARDSPEC_ERROR_INIT;
  const shardspec_message message = {1, &byte, 1};
  const shardspec_status status = shardspec_comm_exchange(pair[0], NULL, 0, &message, 1, &error);
  CHECK(status == SHARDSPEC_TRANSPORT_FAILED);
  return unused;
}

static void *call_blocked(void *unused) {
  CHECK(dispatch("blocked") == SHARDSPEC_OK);
  return unused;
}

/* What a destructor of a program does: objects are as before, and new ones can be made. */
static void use_at_exit(void) {
  size_t ranks = 0;
  int64_t size = 0;
  CHECK_OK(shardspec_spec_shard_count(spec, &ranks, &err));
  CHECK_EQUAL(ranks, 2);
  CHECK_OK(shardspec_comm_size(pair[0], &size, &err));
  CHECK_EQUAL(size, 2);
  CHECK_EQUAL(destroyed, 0);
  CHECK_OK(shardspec_spec_free(own, &err));
  CHECK_EQUAL(destroyed, 1);
  tear_down();
  set_up();
}

static shardspec_status exit_inside(void *ctx, const shardspec_spec *given, const shardspec_op_arguments *arguments,
                                    shardspec_value *results, size_t result_count, shardspec_error *error) {
  (void)ctx, (void)given, (void)arguments, (void)results, (void)result_count, (void)error;
  exit(7);
}

static void make_one_of_each_kind(void) {
  shardspec_placement *placement;
  shardspec_shards *shards;
  shardspec_mesh *mesh;
  shardspec_plan *plan;
  shardspec_managed_tensor *managed;
  shardspec_op *op;
  static const char *const axes[] = {"x"};
  static const int64_t axis_sizes[] = {2};
  set_up();
  CHECK_OK(shardspec_placement_parse("rank:0/cpu", &placement, &err));
  CHECK_OK(shardspec_shards_new_from_metadata(metadata, &shards, &err));
  CHECK_OK(shardspec_mesh_new(axes, axis_sizes, 1, NULL, 0, &mesh, &err));
  CHECK_OK(shardspec_plan_new(metadata, metadata, &plan, &err));
  CHECK_OK(shardspec_sharded_tensor_export_local(tensor, 0, &managed, &err));
  CHECK_OK(shardspec_spec_new_custom("test.alive", &VTABLE, &destroyed, &own, &err));
  CHECK_OK(shardspec_comm_new_local(2, pair, &err));
  CHECK_OK(shardspec_op_register("chunk", "blocked", slow_call, &blocked, slow_destroy, NULL, &op, &err));
  CHECK_OK(shardspec_op_register("chunk", "exits", exit_inside, &destroyed, count, NULL, &op, &err));
}

static void *exit_here(void *unused) {
  (void)unused;
  exit(7);
}

enum { BY_RETURN, ON_A_THREAD, IN_AN_OP, ENDS };

static int end_in(int way) {
  pthread_t thread;
  alarm(20);
  make_one_of_each_kind();
  CHECK(atexit(use_at_exit) == 0);
  CHECK(pthread_create(&thread, NULL, wait_for_a_rank, NULL) == 0);
  CHECK(pthread_create(&thread, NULL, call_blocked, NULL) == 0);
  while (!load(&blocked.running)) sleep_ms(1);
  if (way == IN_AN_OP) dispatch("exits");
  if (way == ON_A_THREAD) {
    CHECK(pthread_create(&thread, NULL, exit_here, NULL) == 0);
    for (;;) sleep_ms(1000);
  }
  return 7;
}

int main(int argc, char **argv) {
  if (argc > 1) return end_in(atoi(argv[1]));
  for (int way = 0; way < ENDS; way++)
    for (int turn = 0; turn < 10; turn++) {
      int status;
      char number[] = {(char)('0' + way), 0};
      const pid_t child = fork();
      CHECK(child >= 0);
      if (child == 0) {
        execl("/proc/self/exe", argv[0], number, (char *)NULL);
        _exit(1);
      }
      CHECK(waitpid(child, &status, 0) == child);
      CHECK(WIFEXITED(status));
      CHECK_EQUAL(WEXITSTATUS(status), 7);
    }
  return 0;
}
