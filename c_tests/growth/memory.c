/* Counts the memory that calls allocate: the most that is there at the same time, without what was there before.
 *
 * The steps of the C library's allocator are not counted: they depend on what other calls have freed before. But each
 * realloc copies, and these steps count. So memory that grows by little each time takes many. */
#include "growth.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static atomic_llong used, most, at_first, turned_at;
/* Whether nothing is counted. */
static atomic_int is_off;

/* The steps to the next call are not counted, if those before are counted; and the other way round. */
static void turn_steps(void) {
  if (!atomic_load(&is_off)) CALLGRIND_TOGGLE_COLLECT;
}

static void *add(void *memory) {
  const long long now = atomic_fetch_add(&used, (long long)malloc_usable_size(memory)) +
                        (long long)malloc_usable_size(memory);
  if (!atomic_load(&is_off) && now > atomic_load(&most)) atomic_store(&most, now);
  return memory;
}

static void take_away(void *memory) { atomic_fetch_sub(&used, (long long)malloc_usable_size(memory)); }

#define ALLOCATED(call)                                                                            \
  turn_steps();                                                                                    \
  void *memory = add(call);                                                                        \
  turn_steps();                                                                                    \
  return memory

void *malloc(size_t size) { ALLOCATED(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { ALLOCATED(__libc_calloc(count, size)); }
void *memalign(size_t alignment, size_t size) { ALLOCATED(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **out_memory, size_t alignment, size_t size) {
  void *memory = memalign(alignment, size);
  if (memory == NULL) return ENOMEM;
  *out_memory = memory;
  return 0;
}

/* Old and new memory may be there at the same time, and both count. */
void *realloc(void *old, size_t size) {
  void *memory = malloc(size);
  if (memory == NULL || old == NULL) return memory;
  const size_t before = malloc_usable_size(old);
  memcpy(memory, old, before < size ? before : size);
  free(old);
  return memory;
}

void free(void *memory) {
  turn_steps();
  take_away(memory);
  __libc_free(memory);
  turn_steps();
}

void memory_begins(void) {
  atomic_store(&at_first, atomic_load(&used));
  atomic_store(&most, atomic_load(&used));
}

void count_turns(void) {
  CALLGRIND_TOGGLE_COLLECT;
  if (!atomic_fetch_xor(&is_off, 1)) {
    atomic_store(&turned_at, atomic_load(&used));
    return;
  }
  const long long others = atomic_load(&used) - atomic_load(&turned_at);
  atomic_fetch_add(&at_first, others);
  atomic_fetch_add(&most, others);
}

size_t memory_ends(void) { return (size_t)(atomic_load(&most) - atomic_load(&at_first)); }
