/* Lets memory run out at every allocation of every scenario.
 *
 *   failing_allocations [SCENARIO [ALLOCATION [first] [all]]]
 *
 * First a scenario runs undisturbed, and allocations of the library are counted: those on threads that
 * are inside of one of its calls, whoever makes them, the start of a thread included. Then it runs once
 * for each of them, and that allocation fails: alone, and a second time together with all after it until
 * the call has returned. The call must then return OUT_OF_MEMORY and have written nothing, or do without
 * that memory; the same call without failures must succeed afterwards, and nothing may be left allocated
 * that is not left otherwise. What aborted is reported with the place in the library that asked for the
 * memory.
 *
 * One process makes all these runs of a scenario, one after the other; the next process goes on after
 * a run that ends it. Some allocations are made once in a process. Their stacks are missing where the
 * scenario runs for the second time, and each fails in a process of its own, in the first run.
 *
 * With a number it is only that allocation, in this process, which has run the scenario before unless
 * `first` is said: for a debugger, or RUST_BACKTRACE=1. */
#define _GNU_SOURCE
#include "scenarios/scenarios.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------- the allocator */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

enum { FRAMES = 24, LIVE = 1 << 16, STACKS = 1 << 14 };

/* A call of the library that is under way: the threads that it starts belong to it. */
typedef struct running_call {
  const char *function;
  int depth;
  atomic_int starved;
} running_call;
static _Thread_local running_call own_call;
static _Thread_local running_call *current;

static atomic_long made, fail_at = -1;
static _Atomic(running_call *) starving;
static int all_after;

/* What a process tells the one that started it: which allocation failed last, and what was counted. */
typedef struct report {
  long number, allocations, live, runs, broken;
  int frame_count;
  void *frames[FRAMES];
  char function[64];
  /* A hash of the stack of each allocation, in the first run and in the second. */
  uint64_t stacks[2][STACKS];
} report;
static report *told;
static uint64_t *recorded;

/* Memory that the library has, in a table with linear probing: it can't allocate. */
static struct {
  void *memory;
  long number;
} live[LIVE];
static long live_count;
static atomic_flag live_lock = ATOMIC_FLAG_INIT;

static size_t slot_of(const void *memory) { return (((uintptr_t)memory >> 4) * 0x9e3779b97f4a7c15u) >> 48; }

static void lock(void) {
  while (atomic_flag_test_and_set_explicit(&live_lock, memory_order_acquire)) sched_yield();
}
static void unlock(void) { atomic_flag_clear_explicit(&live_lock, memory_order_release); }

static void keep(void *memory) {
  if (memory == NULL || current == NULL) return;
  lock();
  size_t at = slot_of(memory);
  while (live[at].memory != NULL) at = (at + 1) % LIVE;
  live[at].memory = memory;
  live[at].number = atomic_load(&made);
  if (++live_count == LIVE) abort();
  unlock();
}

static void forget(const void *memory) {
  if (memory == NULL) return;
  lock();
  size_t at = slot_of(memory);
  while (live[at].memory != NULL && live[at].memory != memory) at = (at + 1) % LIVE;
  if (live[at].memory != NULL) {
    live_count--;
    for (size_t next = at;;) {
      live[at].memory = NULL;
      size_t home;
      do {
        next = (next + 1) % LIVE;
        if (live[next].memory == NULL) goto done;
        home = slot_of(live[next].memory);
      } while (at <= next ? at < home && home <= next : at < home || home <= next);
      live[at] = live[next];
      at = next;
    }
  }
done:
  unlock();
}

static uint64_t hash_of_stack(void) {
  void *frames[4 * FRAMES];
  uint64_t hash = 0;
  for (int i = backtrace(frames, COUNT(frames)); i-- > 0;)
    hash = (hash ^ (uint64_t)(uintptr_t)frames[i]) * 0x9e3779b97f4a7c15u;
  return hash;
}

/* Whether this allocation is one that fails. */
static int refused(void) {
  running_call *call = current;
  if (call == NULL) return 0;
  long number = atomic_fetch_add(&made, 1) + 1;
  if (recorded != NULL && number <= STACKS) {
    current = NULL;
    recorded[number - 1] = hash_of_stack();
    current = call;
  }
  if (number != atomic_load(&fail_at)) {
    if (atomic_load(&starving) != call) return 0;
  } else {
    if (all_after) atomic_store(&starving, call);
    current = NULL;
    snprintf(told->function, sizeof told->function, "%s", call->function);
    told->frame_count = backtrace(told->frames, FRAMES);
    current = call;
  }
  atomic_store(&call->starved, 1);
  errno = ENOMEM;
  return 1;
}

void *malloc(size_t size) {
  if (refused()) return NULL;
  void *memory = __libc_malloc(size);
  keep(memory);
  return memory;
}

void *calloc(size_t count, size_t size) {
  if (refused()) return NULL;
  void *memory = __libc_calloc(count, size);
  keep(memory);
  return memory;
}

void *realloc(void *old, size_t size) {
  if (refused()) return NULL;
  forget(old);
  void *memory = __libc_realloc(old, size);
  keep(memory != NULL || size == 0 ? memory : old);
  return memory;
}

void *memalign(size_t alignment, size_t size) {
  if (refused()) return NULL;
  void *memory = __libc_memalign(alignment, size);
  keep(memory);
  return memory;
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **out_memory, size_t alignment, size_t size) {
  void *memory = memalign(alignment, size);
  if (memory == NULL) return ENOMEM;
  *out_memory = memory;
  return 0;
}

void free(void *memory) {
  forget(memory);
  __libc_free(memory);
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
  if (refused()) return MAP_FAILED;
  return (void *)syscall(SYS_mmap, address, length, protection, flags, file, offset);
}

/* A thread that a call starts is a part of it. */
typedef struct start {
  void *(*run)(void *);
  void *argument;
  running_call *call;
  atomic_int used;
} start;
static start starts[64];

static void *run_started(void *argument) {
  start *given = argument;
  start own = {given->run, given->argument, given->call, 0};
  atomic_store(&given->used, 0);
  current = own.call;
  return own.run(own.argument);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
  static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  running_call *call = current;
  current = NULL;
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
  current = call;
  if (call == NULL) return real(thread, attributes, run, argument);
  if (refused()) return EAGAIN;
  start *given = starts;
  for (int unused = 0; !atomic_compare_exchange_strong(&given->used, &unused, 1); unused = 0)
    given = given == &starts[COUNT(starts) - 1] ? starts : given + 1;
  given->run = run, given->argument = argument, given->call = call;
  int status = real(thread, attributes, run_started, given);
  if (status != 0) atomic_store(&given->used, 0);
  return status;
}

/* ------------------------------------------------------------------------- around each call */

void condition_begins(const char *function) {
  if (own_call.depth++ > 0) return;
  own_call.function = function;
  atomic_store(&own_call.starved, 0);
  current = &own_call;
}

int condition_ends(void) {
  int starved = atomic_load(&own_call.starved);
  if (--own_call.depth > 0) return starved;
  current = NULL;
  running_call *call = &own_call;
  atomic_compare_exchange_strong(&starving, &call, NULL);
  return starved;
}

void collective_broke(void) { told->broken++; }

pthread_t start_thread(void *(*run)(void *), void *argument) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, run, argument) == 0);
  return thread;
}

/* ------------------------------------------------------------------------------ one by one */

enum { ABORTED = 113 };

static void end_aborted(int signal_number) {
  (void)signal_number;
  _exit(ABORTED);
}

/* A run takes milliseconds, or for ever. */
enum { SECONDS = 20 };

/* A scenario in which this allocation fails, and no other or all after it in its call. */
static void run_disturbed(const scenario *s, long number, int all) {
  alarm(SECONDS);
  told->number = number, told->runs++, told->frame_count = 0;
  all_after = all;
  atomic_store(&made, 0);
  atomic_store(&fail_at, number);
  s->run();
  atomic_store(&fail_at, -1);
}

/* How many allocations a scenario makes. */
static long run_undisturbed(const scenario *s) {
  alarm(SECONDS);
  atomic_store(&made, 0);
  s->run();
  return atomic_load(&made);
}

/* Memory that the library keeps may have been taken by the call that ran out of it: not twice. */
static void check_left(const scenario *s, long left) {
  if (live_count > left) run_undisturbed(s);
  if (live_count > left) FAIL("%ld pieces of memory are left, not %ld", live_count, left);
}

/* What a process does with a scenario. */
typedef struct task {
  void (*run)(const struct task *task);
  const scenario *scenario;
  long number;
  int all;
} task;

/* Finds what the scenario allocates, and leaves, where nothing fails. Both runs have the same caller. */
static void record(const task *task) {
  for (long run = 0; run < task->number; run++) {
    recorded = told->stacks[run];
    long allocations = run_undisturbed(task->scenario);
    CHECK(allocations <= STACKS);
    if (run == 0) told->allocations = allocations;
  }
  recorded = NULL;
  told->live = live_count;
}

/* The allocation fails in the first run of this process. */
static void fail_first(const task *task) {
  long left = told->live;
  run_disturbed(task->scenario, task->number, task->all);
  run_undisturbed(task->scenario);
  check_left(task->scenario, left);
}

/* This allocation and each after it fail in turn, where everything was done before. */
static void fail_each(const task *task) {
  run_undisturbed(task->scenario);
  long allocations = run_undisturbed(task->scenario), left = live_count;
  for (long number = task->number; number <= allocations; number++) {
    run_disturbed(task->scenario, number, task->all);
    check_left(task->scenario, left);
  }
  run_undisturbed(task->scenario);
  check_left(task->scenario, left);
}

/* A task in a process of its own: the exit status, and what it printed to stderr. */
static int run_apart(const task *task, char *message, size_t capacity) {
  static int errors = -1;
  if (errors < 0) errors = memfd_create("errors", MFD_CLOEXEC);
  CHECK(errors >= 0 && ftruncate(errors, 0) == 0 && lseek(errors, 0, SEEK_SET) == 0);
  fflush(stdout);
  told->number = task->number, told->frame_count = 0;
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    dup2(errors, STDERR_FILENO);
    signal(SIGABRT, end_aborted);
    signal(SIGSEGV, end_aborted);
    task->run(task);
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  ssize_t length = pread(errors, message, capacity - 1, 0);
  message[length > 0 ? length : 0] = '\0';
  return status;
}

/* Where memory was asked for that ran out, and what came of it. */
typedef struct place {
  void *frames[FRAMES];
  int frame_count, times;
  const scenario *first;
  char function[64], source[240], last_file[100];
  int sources;
  long number;
  const char *how;
} place;
static place places[8192];
static size_t place_count;

static void remember_place(const scenario *s, const char *how) {
  CHECK(place_count < COUNT(places));
  place *p = &places[place_count++];
  memcpy(p->frames, told->frames, sizeof p->frames);
  memcpy(p->function, told->function, sizeof p->function);
  p->frame_count = told->frame_count, p->times = 1, p->first = s, p->number = told->number, p->how = how;
}

/* A line of this library's own source, "src/ffi/spec.rs:10", innermost first. */
static void add_source(place *p, const char *source) {
  size_t file = strcspn(source, ":"), used = strlen(p->source);
  if (p->sources == 4 || (strncmp(source, p->last_file, file) == 0 && p->last_file[file] == '\0')) return;
  snprintf(p->last_file, sizeof p->last_file, "%.*s", (int)file, source);
  snprintf(p->source + used, sizeof p->source - used, "%s%s", p->sources++ ? " < " : "", source);
}

/* What addr2line says of all frames that are in the library. */
static void find_sources(void) {
  Dl_info library, info;
  char command[1000], addresses[] = "/tmp/addresses-XXXXXX", line[1000];
  int file = mkstemp(addresses);
  CHECK(file >= 0 && dladdr((void *)(uintptr_t)shardspec_abi_version, &library) != 0);
  FILE *list = fdopen(file, "w");
  for (size_t i = 0; i < place_count; i++)
    for (int frame = 0; frame < places[i].frame_count; frame++)
      if (dladdr(places[i].frames[frame], &info) != 0 && info.dli_fbase == library.dli_fbase)
        fprintf(list, "%#zx\n%#zx\n", (size_t)0, (size_t)((char *)places[i].frames[frame] - (char *)info.dli_fbase) - 1);
      else
        fprintf(list, "%#zx\n", (size_t)0);
  fclose(list);
  snprintf(command, sizeof command, "addr2line -ai -e '%s' < %s", library.dli_fname, addresses);
  FILE *lines = popen(command, "r");
  CHECK(lines != NULL);
  place *p = places - 1;
  int frames = 0;
  while (fgets(line, sizeof line, lines) != NULL) {
    line[strcspn(line, " \n")] = '\0';
    if (strncmp(line, "0x", 2) == 0) {
      /* Each frame begins with address 0. */
      if (strtoull(line, NULL, 16) == 0 && frames-- == 0) frames = (++p)->frame_count - 1;
      continue;
    }
    const char *source = strstr(line, "/src/");
    if (source != NULL && !strstr(line, "/rustc/") && !strstr(line, "/rust/deps/") &&
        !strstr(line, "/.cargo/") && !strstr(line, "/src/memory") && !strstr(line, ":?"))
      add_source(p, source + 1);
  }
  pclose(lines);
  unlink(addresses);
}

static int by_source(const void *a, const void *b) {
  return strcmp(((const place *)a)->source, ((const place *)b)->source);
}

static void print_places(void) {
  if (place_count == 0) return;
  find_sources();
  qsort(places, place_count, sizeof places[0], by_source);
  for (size_t i = 0, next; i < place_count; i = next) {
    for (next = i + 1; next < place_count && by_source(&places[i], &places[next]) == 0;) next++;
    printf("%4zu times: %s\n            %s; %s %ld%s\n", next - i,
           places[i].source[0] ? places[i].source : "outside of the library", places[i].function,
           places[i].first->name, places[i].number, places[i].how);
  }
}

static long aborts, failures;

/* Whether the task ended by itself. What ended it otherwise is counted and printed. */
static int succeeds(const task *task) {
  static const char *const how[2][2] = {{"", " all"}, {" first", " first all"}};
  char message[400];
  int status = run_apart(task, message, sizeof message);
  if (status == 0) return 1;
  const char *repeat = how[task->run == fail_first][task->all];
  if (told->frame_count > 0) remember_place(task->scenario, repeat);
  if (WIFEXITED(status) && WEXITSTATUS(status) == ABORTED)
    aborts++;
  else if (failures++ < 100)
    printf("%s %ld%s: %s", task->scenario->name, told->number, repeat,
           WIFSIGNALED(status) ? "it does not end\n" : message);
  return 0;
}

/* Marks the allocations that only the first run makes, and counts them. */
static long find_firsts(long allocations, char *is_first) {
  long firsts = 0;
  for (long i = 0; i < allocations; i++) {
    long again = 0;
    while (again < STACKS && told->stacks[1][again] != told->stacks[0][i]) again++;
    is_first[i] = again == STACKS;
    firsts += is_first[i];
    if (again < STACKS) told->stacks[1][again] = 0;
  }
  return firsts;
}

static void run_all_of(const scenario *s) {
  static char is_first[STACKS];
  struct timespec begun, now;
  clock_gettime(CLOCK_MONOTONIC, &begun);
  memset(told->stacks, 0, sizeof told->stacks);
  task task = {record, s, 2, 0};
  if (!succeeds(&task)) return;
  long allocations = told->allocations, firsts = find_firsts(allocations, is_first);
  for (task.all = 0; task.all < 2; task.all++) {
    task.run = fail_first;
    for (task.number = 1; task.number <= allocations; task.number++)
      if (is_first[task.number - 1]) succeeds(&task);
    task.run = fail_each;
    for (task.number = 1; task.number <= allocations + 1 && !succeeds(&task);) task.number = told->number + 1;
  }
  clock_gettime(CLOCK_MONOTONIC, &now);
  printf("%-36s %5ld allocations, %3ld of them once in a process, %4.1f s\n", s->name, allocations, firsts,
         (double)(now.tv_sec - begun.tv_sec) + 1e-9 * (double)(now.tv_nsec - begun.tv_nsec));
}

int main(int argc, char **argv) {
  void *frames[4];
  struct rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(told != MAP_FAILED);
  /* Traces of the library's own take long, and are of use only to who looks at one of them. */
  if (argc < 3) setenv("RUST_BACKTRACE", "0", 1);
  /* What this allocates when it is first used is allocated here. */
  backtrace(frames, 4);
  size_t seen = 0;
  for (size_t i = 0; i < scenario_count; i++) {
    if (argc > 1 && strcmp(argv[1], scenarios[i].name) != 0) continue;
    seen++;
    if (argc <= 2) {
      run_all_of(&scenarios[i]);
      continue;
    }
    int first = argc > 3 && strcmp(argv[3], "first") == 0;
    for (int run = 0; run < 2 && !first; run++) run_undisturbed(&scenarios[i]);
    run_disturbed(&scenarios[i], atol(argv[2]), argc > 3 + first);
  }
  if (seen == 0) FAIL("there is no scenario %s", argv[1]);
  print_places();
  printf("%ld runs, %ld aborted, %ld failed otherwise; %ld collectives failed after the agreement\n",
         told->runs, aborts, failures, told->broken);
  return aborts + failures > 0;
}
