/* Counts the memory that calls allocate: the most that is there at the same time, without what was there before. */
#include "growth.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static atomic_llong used, most, at_first;

static void *add(void *memory) {
  const long long now = atomic_fetch_add(&used, (long long)malloc_usable_size(memory)) +
                        (long long)malloc_usable_size(memory);
  if (now > atomic_load(&most)) atomic_store(&most, now);
  return memory;
}

static void take_away(void *memory) { atomic_fetch_sub(&used, (long long)malloc_usable_size(memory)); }

void *malloc(size_t size) { return add(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return add(__libc_calloc(count, size)); }
void *memalign(size_t alignment, size_t size) { return add(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **out_memory, size_t alignment, size_t size) {
  void *memory = memalign(alignment, size);
  if (memory == NULL) return ENOMEM;
  *out_memory = memory;
  return 0;
}

/* Old and new memory may be there at the same time, and both count. */
void *realloc(void *old, size_t size) {
  const long long before = (long long)malloc_usable_size(old);
  void *memory = __libc_realloc(old, size);
  add(memory);
  atomic_fetch_sub(&used, before);
  return memory;
}

void free(void *memory) {
  take_away(memory);
  __libc_free(memory);
}

void memory_begins(void) {
  atomic_store(&at_first, atomic_load(&used));
  atomic_store(&most, atomic_load(&used));
}

size_t memory_ends(void) { return (size_t)(atomic_load(&most) - atomic_load(&at_first)); }
