/* The limit of a copy: the same bytes streamed once, by libc's memcpy and by stores that go around
 * the caches, on the same number of threads as what it is compared with. */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
__attribute__((target("avx"))) static void stream(char *to, const char *from, size_t bytes) {
  size_t at = 0;
  for (; at + 64 <= bytes; at += 64) {
    __m256i a = _mm256_loadu_si256((const __m256i *)(from + at));
    __m256i b = _mm256_loadu_si256((const __m256i *)(from + at + 32));
    _mm256_stream_si256((__m256i *)(to + at), a);
    _mm256_stream_si256((__m256i *)(to + at + 32), b);
  }
  _mm_sfence();
  memcpy(to + at, from + at, bytes - at);
}
#else
static void stream(char *to, const char *from, size_t bytes) { memcpy(to, from, bytes); }
#endif

typedef struct part {
  char *to;
  const char *from;
  size_t bytes;
  int streaming;
} part;

static void *copy_part(void *argument) {
  const part *p = argument;
  if (p->streaming) stream(p->to, p->from, p->bytes);
  else memcpy(p->to, p->from, p->bytes);
  return NULL;
}

/* `to` is aligned to 64 bytes; at most 64 threads. */
void limit_copy(void *to, const void *from, size_t bytes, int threads, int streaming) {
  pthread_t ids[64];
  part parts[64];
  size_t share = (bytes / (size_t)threads + 63) / 64 * 64;
  for (int t = 0; t < threads; t++) {
    size_t start = share * (size_t)t;
    if (start > bytes) start = bytes;
    size_t end = start + share < bytes ? start + share : bytes;
    parts[t] = (part){(char *)to + start, (const char *)from + start, end - start, streaming};
    if (t > 0) pthread_create(&ids[t], NULL, copy_part, &parts[t]);
  }
  copy_part(&parts[0]);
  for (int t = 1; t < threads; t++) pthread_join(ids[t], NULL);
}
