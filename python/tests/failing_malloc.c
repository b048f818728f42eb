/* Preloaded into a program, lets memory run out for one library only.
 *
 * Allocations are counted if they are asked for by code between two addresses. The chosen one fails: alone, or with
 * all after it. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static _Atomic uintptr_t code_start, code_end;
static atomic_long counted, fail_at = -1;
static atomic_int all_after;

/* Code of the library whose allocations fail. */
void failing_malloc_of(uintptr_t start, uintptr_t end) {
  code_start = start;
  code_end = end;
}

/* Counts from 0. Allocation `number` fails, from 1 on; none, if it is negative. */
void failing_malloc_arm(long number, int all) {
  fail_at = -1;
  counted = 0;
  all_after = all;
  fail_at = number;
}

/* Ends failures, and returns the number of allocations since they began. */
long failing_malloc_disarm(void) {
  fail_at = -1;
  return counted;
}

static int refused(const void *caller) {
  uintptr_t at = (uintptr_t)caller;
  if (at < code_start || at >= code_end) return 0;
  long number = atomic_fetch_add(&counted, 1) + 1, chosen = fail_at;
  if (chosen < 0 || number < chosen || (number > chosen && !all_after)) return 0;
  errno = ENOMEM;
  return 1;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size) { return refused(CALLER) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return refused(CALLER) ? NULL : __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { return refused(CALLER) ? NULL : __libc_realloc(old, size); }
void *memalign(size_t alignment, size_t size) { return refused(CALLER) ? NULL : __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) {
  return refused(CALLER) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out_memory, size_t alignment, size_t size) {
  if (refused(CALLER)) return ENOMEM;
  void *memory = __libc_memalign(alignment, size);
  if (memory == NULL) return ENOMEM;
  *out_memory = memory;
  return 0;
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
  if (refused(CALLER)) return MAP_FAILED;
  return (void *)syscall(SYS_mmap, address, length, protection, flags, file, offset);
}
