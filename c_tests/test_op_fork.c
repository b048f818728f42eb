/* Ops and fork: only the thread that forks lives on in the child, and nothing there waits for calls
 * of the others. */
#include "op_threads.h"

static int calls;

#include <sys/wait.h>

static void a_child_after_fork_waits_for_no_call_of_its_parents(void) {
  slow s = {0, 0, 0, 0};
  pthread_t thread;
  shardspec_op *op;
  CHECK_OK(shardspec_op_register("chunk", "slow", slow_call, &s, slow_destroy, NULL, &op, &err));
  CHECK(pthread_create(&thread, NULL, call_slow, (void *)(uintptr_t)"slow") == 0);
  while (!load(&s.running)) sleep_ms(1);
  for (int i = 0; i < 20; i++) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      alarm(20);
      s.running = 0; /* the thread whose call it was is not here */
      s.go_on = 1;
      CHECK_EQUAL(dispatch("slow"), SHARDSPEC_OK);
      CHECK_OK(shardspec_op_unregister(op, &err));
      CHECK_EQUAL(s.destroyed, 1);
      shardspec_op *own = register_op("chunk", "own", count_call, &calls);
      CHECK_EQUAL(dispatch("own"), SHARDSPEC_OK);
      CHECK_OK(shardspec_op_unregister(own, &err));
      tear_down();
      _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  count(&s.go_on);
  CHECK_OK(shardspec_op_unregister(op, &err));
  CHECK(load(&s.destroyed) == 1 && load(&s.ended) == 1);
  CHECK(pthread_join(thread, NULL) == 0);
}

/* Forks from inside of an op: the child is inside of it as well. */
static shardspec_status fork_inside(void *ctx, const shardspec_spec *given,
                                    const shardspec_op_arguments *arguments, shardspec_value *results,
                                    size_t result_count, shardspec_error *error) {
  (void)given, (void)arguments, (void)results, (void)result_count;
  *(pid_t *)ctx = fork();
  return *(pid_t *)ctx == 0 ? dispatch("self") : (error->message[0] = '\0', SHARDSPEC_OK);
}

static void a_fork_from_inside_of_an_op_is_inside_of_it_in_both(void) {
  pid_t child = -1;
  int ended = 0, status;
  shardspec_op *op = register_op("chunk", "fork", fork_inside, &child), *self;
  CHECK_OK(shardspec_op_register("chunk", "self", end_self, &ended, count, NULL, &self, &err));
  shardspec_status answer = shardspec_op_call(op, spec, &one_tensor, NULL, 0, &err);
  if (child == 0) {
    CHECK_EQUAL(answer, SHARDSPEC_BUSY);
    CHECK_OK(shardspec_op_unregister(op, &err));
    CHECK_OK(shardspec_op_unregister(self, &err));
    tear_down();
    _exit(0);
  }
  CHECK_EQUAL(answer, SHARDSPEC_OK);
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK_OK(shardspec_op_unregister(op, &err));
  CHECK_OK(shardspec_op_unregister(self, &err));
}

int main(void) {
  alarm(120); /* a deadlock fails instead of hanging */
  set_up();
  a_child_after_fork_waits_for_no_call_of_its_parents();
  a_fork_from_inside_of_an_op_is_inside_of_it_in_both();
  tear_down();
  return 0;
}
