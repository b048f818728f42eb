/* Runs all scenarios, on every thread of which calls are made, with no more stack than the header
 * promises to need, and prints how much of it each function used.
 *
 *   least_stack [BYTES [SCENARIO]]
 *
 * The stack is counted from where a scenario begins. What is below it can't be read or written, so that
 * a function that needs more ends the program. How deep it went is seen from a pattern that is written
 * below the caller before each call. What callbacks use is counted with the function that calls them. */
#define _GNU_SOURCE
#include "scenarios/scenarios.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PROMISED = 65536, ABOVE = 1 << 18, PAGE = 4096, OWN = 512, ALTERNATE = 1 << 16 };
static const uint64_t UNUSED = 0xc5c5c5c5c5c5c5c5u;
static size_t allowed = PROMISED;

/* Lowest address of this thread that may be used, and its calls that have not ended. */
static _Thread_local uint64_t *low;
static _Thread_local struct {
  const char *function;
  char *top;
  uint64_t *deepest;
} open_calls[8];
static _Thread_local int open_count;

static struct {
  const char *function;
  size_t bytes;
} used[512];
static size_t used_count;
static pthread_mutex_t used_lock = PTHREAD_MUTEX_INITIALIZER;

static void record(const char *function, size_t bytes) {
  pthread_mutex_lock(&used_lock);
  size_t i = 0;
  while (i < used_count && strcmp(used[i].function, function) != 0) i++;
  CHECK(i < COUNT(used));
  if (i == used_count) used_count++;
  used[i].function = function;
  if (bytes > used[i].bytes) used[i].bytes = bytes;
  pthread_mutex_unlock(&used_lock);
}

/* What has been used below this frame since the last time goes to all calls that are open. */
static void note_depth(void) {
  uint64_t *at = low;
  while (*(volatile uint64_t *)at == UNUSED) at++;
  for (int i = 0; i < open_count; i++)
    if (at < open_calls[i].deepest) open_calls[i].deepest = at;
}

__attribute__((noinline)) void condition_begins(const char *function) {
  char *frame = __builtin_frame_address(0);
  if (open_count > 0) note_depth();
  CHECK(open_count < (int)COUNT(open_calls));
  open_calls[open_count].function = function;
  open_calls[open_count].top = frame;
  open_calls[open_count++].deepest = (uint64_t *)(void *)frame;
  for (volatile uint64_t *at = low; at < (uint64_t *)(void *)(frame - OWN); at++) *at = UNUSED;
}

__attribute__((noinline)) int condition_ends(void) {
  note_depth();
  open_count--;
  record(open_calls[open_count].function,
         (size_t)(open_calls[open_count].top - (char *)open_calls[open_count].deepest));
  return 0;
}

void collective_broke(void) {}

static void say_who_needs_more(int signal_number) {
  char line[200];
  int length = snprintf(line, sizeof line, "%s needs more than %zu bytes of stack, or has crashed\n",
                        open_count > 0 ? open_calls[open_count - 1].function : "what is between calls",
                        allowed);
  (void)!write(STDERR_FILENO, line, (size_t)length);
  (void)signal_number;
  _exit(1);
}

typedef struct start {
  void *(*run)(void *);
  void *argument;
  char *stack;
} start;

static void *run_with_little(void *argument) {
  start given = *(start *)argument;
  free(argument);
  stack_t alternate = {.ss_sp = malloc(ALTERNATE), .ss_size = ALTERNATE};
  CHECK(alternate.ss_sp != NULL && sigaltstack(&alternate, NULL) == 0);
  char *here = __builtin_frame_address(0);
  uintptr_t end = ((uintptr_t)here - allowed + PAGE - 1) / PAGE * PAGE;
  CHECK(mprotect(given.stack, end - (uintptr_t)given.stack, PROT_NONE) == 0);
  low = (uint64_t *)end;
  void *result = given.run(given.argument);
  low = NULL;
  stack_t none = {.ss_flags = SS_DISABLE};
  sigaltstack(&none, NULL);
  free(alternate.ss_sp);
  return result;
}

/* The thread's own data lie at the top of its stack, so it is made larger than what it may use. Stacks
 * are never given back: there are few. */
pthread_t start_thread(void *(*run)(void *), void *argument) {
  pthread_t thread;
  pthread_attr_t attributes;
  size_t size = allowed + ABOVE;
  start *given = malloc(sizeof *given);
  char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(given != NULL && stack != MAP_FAILED);
  *given = (start){run, argument, stack};
  CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstack(&attributes, stack, size) == 0);
  CHECK(pthread_create(&thread, &attributes, run_with_little, given) == 0);
  pthread_attr_destroy(&attributes);
  return thread;
}

static void *run_scenario(void *argument) {
  ((const scenario *)argument)->run();
  return NULL;
}

static int by_bytes(const void *a, const void *b) {
  size_t first = *(const size_t *)((const char *)a + sizeof(char *)), second = *(const size_t *)((const char *)b + sizeof(char *));
  return (first < second) - (first > second);
}

static void run_all(const scenario *all, size_t count, const char *only) {
  for (size_t i = 0; i < count; i++)
    if (only == NULL || strcmp(all[i].name, only) == 0)
      CHECK(pthread_join(start_thread(run_scenario, (void *)(uintptr_t)&all[i]), NULL) == 0);
}

int main(int argc, char **argv) {
  struct sigaction action = {.sa_handler = say_who_needs_more, .sa_flags = SA_ONSTACK};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  if (argc > 1) allowed = (size_t)atol(argv[1]);
  run_all(scenarios, scenario_count, argc > 2 ? argv[2] : NULL);
  run_all(hostile_scenarios, hostile_scenario_count, argc > 2 ? argv[2] : NULL);
  qsort(used, used_count, sizeof used[0], by_bytes);
  for (size_t i = 0; i < used_count; i++) printf("%-50s %6zu bytes\n", used[i].function, used[i].bytes);
  printf("%zu functions, none of which needs more than %zu bytes of stack\n", used_count, allowed);
  return 0;
}
