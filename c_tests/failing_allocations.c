/* Lets memory run out at every allocation of every scenario.
 *
 *   failing_allocations [SCENARIO [ALLOCATION [all]]]
 *
 * First a scenario runs undisturbed, and allocations of the library are counted: those on threads that
 * are inside of one of its calls, whoever makes them, the start of a thread included. Then it runs once
 * for each of them, in a process of its own, and that allocation fails: alone, and a second time
 * together with all after it until the call has returned. The call must then return OUT_OF_MEMORY and
 * have written nothing, or do without that memory; the same call without failures must succeed
 * afterwards, and at the end nothing may be left allocated that is not left otherwise. What aborted is
 * reported with the place in the library that asked for the memory.
 *
 * With a number it is only that allocation, in this process: for a debugger, or RUST_BACKTRACE=1. */
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

enum { FRAMES = 24, LIVE = 1 << 16 };

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

/* What one run tells the process that started it. */
typedef struct report {
  long allocations, live;
  int broke, frame_count;
  void *frames[FRAMES];
  char function[64];
} report;
static report *told;

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

/* Whether this allocation is one that fails. */
static int refused(void) {
  running_call *call = current;
  if (call == NULL) return 0;
  long number = atomic_fetch_add(&made, 1) + 1;
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

void collective_broke(void) { told->broke = 1; }

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

/* A scenario, undisturbed but for the allocation, and once more: what is left allocated then. */
static void run_disturbed(const scenario *s, long number, int all) {
  memset(told, 0, sizeof *told);
  all_after = all;
  atomic_store(&made, 0);
  atomic_store(&fail_at, number);
  s->run();
  atomic_store(&fail_at, -1);
  told->allocations = atomic_load(&made);
  s->run();
  told->live = live_count;
}

/* A run takes milliseconds, or for ever. */
enum { SECONDS = 20 };

/* The same in a process of its own; the exit status, and what it printed to stderr. */
static int run_apart(const scenario *s, long number, int all, char *message, size_t capacity) {
  static int errors = -1;
  if (errors < 0) errors = memfd_create("errors", MFD_CLOEXEC);
  CHECK(errors >= 0 && ftruncate(errors, 0) == 0 && lseek(errors, 0, SEEK_SET) == 0);
  fflush(stdout);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    dup2(errors, STDERR_FILENO);
    alarm(SECONDS);
    signal(SIGABRT, end_aborted);
    signal(SIGSEGV, end_aborted);
    run_disturbed(s, number, all);
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
  int all;
} place;
static place places[8192];
static size_t place_count;

static void remember_place(const scenario *s, long number, int all) {
  CHECK(place_count < COUNT(places));
  place *p = &places[place_count++];
  memcpy(p->frames, told->frames, sizeof p->frames);
  memcpy(p->function, told->function, sizeof p->function);
  p->frame_count = told->frame_count, p->times = 1, p->first = s, p->number = number, p->all = all;
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
           places[i].first->name, places[i].number, places[i].all ? " all" : "");
  }
}

static long seen_runs, aborts, failures, broken;

static void run_all_of(const scenario *s, const int *modes, int mode_count) {
  char message[400];
  struct timespec begun, now;
  clock_gettime(CLOCK_MONOTONIC, &begun);
  int status = run_apart(s, -1, 0, message, sizeof message);
  if (status != 0) {
    printf("%s fails undisturbed: %s\n", s->name, message);
    failures++;
    return;
  }
  long allocations = told->allocations, left = told->live, scenario_aborts = 0, scenario_failures = 0;
  for (int mode = 0; mode < mode_count; mode++)
    for (long number = 1; number <= allocations; number++) {
      status = run_apart(s, number, modes[mode], message, sizeof message);
      seen_runs++;
      broken += told->broke;
      if (WIFEXITED(status) && WEXITSTATUS(status) == ABORTED) {
        remember_place(s, number, modes[mode]);
        scenario_aborts++;
        continue;
      }
      const char *wrong = WIFSIGNALED(status) ? "it does not end\n" : status != 0 ? message : NULL;
      if (wrong == NULL && told->live > left) {
        snprintf(message, sizeof message, "%ld pieces of memory are left, not %ld\n", told->live, left);
        wrong = message;
      }
      if (wrong == NULL) continue;
      remember_place(s, number, modes[mode]);
      if (scenario_failures++ < 10)
        printf("%s, allocation %ld%s: %s", s->name, number, modes[mode] ? " and all after it" : "", wrong);
    }
  clock_gettime(CLOCK_MONOTONIC, &now);
  printf("%-32s %5ld allocations, %5ld aborts, %5ld other failures, %4.1f s\n", s->name, allocations,
         scenario_aborts, scenario_failures,
         (double)(now.tv_sec - begun.tv_sec) + 1e-9 * (double)(now.tv_nsec - begun.tv_nsec));
  aborts += scenario_aborts, failures += scenario_failures;
}

int main(int argc, char **argv) {
  static const int both[] = {0, 1};
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
    if (argc > 2)
      run_disturbed(&scenarios[i], atol(argv[2]), argc > 3);
    else
      run_all_of(&scenarios[i], both, 2);
  }
  if (seen == 0) FAIL("there is no scenario %s", argv[1]);
  print_places();
  printf("%ld runs, %ld aborted, %ld failed otherwise; %ld collectives failed after the agreement\n",
         seen_runs, aborts, failures, broken);
  return aborts + failures > 0;
}
