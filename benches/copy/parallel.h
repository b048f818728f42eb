/* Work on several threads. */
#ifndef PARALLEL_H
#define PARALLEL_H

#include <stddef.h>

typedef void work_function(void *part);

/* Does each of `threads` parts on a thread of its own, the first on the caller's. At most 64. */
void parallel(work_function *work, void *parts, size_t part_bytes, int threads);

#endif
