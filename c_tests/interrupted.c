/* Signals in the middle of calls. A timer interrupts copies; and the calls of the system that read and write
 * files end as a signal makes them end: with EINTR, or with a part of the bytes.
 *
 * This program has its own pread, pwrite and the like, which the library then calls: on most file systems no
 * signal interrupts these calls, and a test that waited for one would test nothing. */
#define _GNU_SOURCE
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

static shardspec_error err = SHARDSPEC_ERROR_INIT;
static const char *const RANKS[] = {"rank:0", "rank:1"};
static const shardspec_dtype BYTE = {SHARDSPEC_DTYPE_UINT, 8, 1};

/* ------------------------------------------------------------------------- calls of the system */

static atomic_int interrupts;
static atomic_long interrupted, shortened;

/* Whether this call is to end with EINTR: the first one is, and every second one after it. */
static int ends_with_eintr(void) {
  static atomic_uint calls;
  if (!atomic_load(&interrupts) || atomic_fetch_add(&calls, 1) % 2) return 0;
  atomic_fetch_add(&interrupted, 1);
  errno = EINTR;
  return 1;
}

/* Of many bytes, a part. */
static size_t some_of(size_t length) {
  if (!atomic_load(&interrupts) || length < 2) return length;
  atomic_fetch_add(&shortened, 1);
  return length < 1000 ? length / 2 : length - 777;
}

ssize_t pread(int file, void *place, size_t length, off_t offset) {
  return ends_with_eintr() ? -1 : syscall(SYS_pread64, file, place, some_of(length), offset);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset) {
  return ends_with_eintr() ? -1 : syscall(SYS_pwrite64, file, bytes, some_of(length), offset);
}

/* The first part only, and not all of that. */
ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset) {
  if (!atomic_load(&interrupts)) return syscall(SYS_pwritev, file, parts, count, offset, 0);
  return ends_with_eintr() ? -1 : syscall(SYS_pwrite64, file, parts->iov_base, some_of(parts->iov_len), offset);
}

int fsync(int file) { return ends_with_eintr() ? -1 : (int)syscall(SYS_fsync, file); }

int ftruncate(int file, off_t length) { return ends_with_eintr() ? -1 : (int)syscall(SYS_ftruncate, file, length); }

int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
  va_end(more);
  return ends_with_eintr() ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* --------------------------------------------------------------------------------------- tests */

static shardspec_metadata *columns_of(const int64_t *sizes) {
  shardspec_tensor_properties properties = SHARDSPEC_TENSOR_PROPERTIES_INIT;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  properties.dtype = BYTE;
  CHECK_OK(shardspec_spec_new_chunk(1, RANKS, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, &properties, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  return metadata;
}

static unsigned char *bytes_of(size_t size, unsigned step) {
  unsigned char *bytes = malloc(size);
  CHECK(bytes != NULL);
  for (size_t i = 0; i < size; i++) bytes[i] = step ? (unsigned char)(i * step + (i >> 11)) : 0xa5;
  return bytes;
}

static volatile sig_atomic_t signals;
static void count_signal(int number) { signals += number == SIGALRM; }

static void copies_go_on_after_signals(void) {
  enum { ROWS = 4096, COLUMNS = 4096 };
  const int64_t sizes[] = {ROWS, COLUMNS};
  int64_t full_shape[] = {ROWS, COLUMNS}, shape[] = {ROWS, COLUMNS / 2};
  const size_t size = (size_t)ROWS * COLUMNS;
  shardspec_metadata *metadata = columns_of(sizes);
  unsigned char *full = bytes_of(size, 31), *back = bytes_of(size, 0);
  unsigned char *halves[] = {bytes_of(size / 2, 0), bytes_of(size / 2, 0)};
  const shardspec_tensor_view from = view_of(full, BYTE, full_shape, 2), to = view_of(back, BYTE, full_shape, 2);
  const shardspec_tensor_view shards[] = {view_of(halves[0], BYTE, shape, 2), view_of(halves[1], BYTE, shape, 2)};
  /* Without SA_RESTART. */
  struct sigaction action, before;
  memset(&action, 0, sizeof action);
  action.sa_handler = count_signal;
  CHECK(sigaction(SIGALRM, &action, &before) == 0);
  const struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
  CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
  for (int turn = 0; turn < 200 && (turn < 5 || signals < 50); turn++) {
    memset(back, 0xa5, size);
    CHECK_OK(shardspec_metadata_scatter(metadata, &from, shards, 2, NULL, &err));
    CHECK_OK(shardspec_metadata_gather(metadata, shards, 2, &to, NULL, &err));
    CHECK(memcmp(full, back, size) == 0);
  }
  CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0 && sigaction(SIGALRM, &before, NULL) == 0);
  CHECK(signals > 0);
  printf("%d signals in the middle of copies\n", (int)signals);
  free(full), free(back), free(halves[0]), free(halves[1]);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void files_are_read_and_written_whole_after_interrupted_calls(void) {
  enum { ROWS = 300, COLUMNS = 4000 };
  const int64_t sizes[] = {ROWS, COLUMNS};
  int64_t shape[] = {ROWS, COLUMNS / 2};
  const size_t size = (size_t)ROWS * COLUMNS / 2;
  shardspec_metadata *metadata = columns_of(sizes);
  static const size_t indices[] = {0, 1};
  unsigned char *written[] = {bytes_of(size, 7), bytes_of(size, 13)}, *read[] = {bytes_of(size, 0), bytes_of(size, 0)};
  shardspec_tensor_view from[2], to[2];
  for (int i = 0; i < 2; i++) from[i] = view_of(written[i], BYTE, shape, 2), to[i] = view_of(read[i], BYTE, shape, 2);
  char folder[] = "/tmp/shardspec-interrupted-XXXXXX", path[64], command[96];
  CHECK(mkdtemp(folder) != NULL);
  const shardspec_checkpoint_tensor tensor = {sizeof tensor, "w", metadata, indices, from, 2};
  for (uint32_t files = 0; files < 2; files++) {
    shardspec_checkpoint_write_options options = SHARDSPEC_CHECKPOINT_WRITE_OPTIONS_INIT;
    shardspec_checkpoint_item item = SHARDSPEC_CHECKPOINT_ITEM_INIT;
    shardspec_checkpoint *checkpoint;
    int32_t whole = 0;
    options.files = files;
    snprintf(path, sizeof path, "%s/%u", folder, (unsigned)files);
    item.name = "w", item.metadata = metadata, item.indices = indices, item.shards = to, item.shard_count = 2;
    atomic_store(&interrupts, 1);
    CHECK_OK(shardspec_checkpoint_write(path, &tensor, 1, &options, &err));
    CHECK_OK(shardspec_checkpoint_commit(path, &tensor, 1, &options, &err));
    CHECK_OK(shardspec_checkpoint_open(path, &checkpoint, &err));
    CHECK_OK(shardspec_checkpoint_read(checkpoint, &item, 1, NULL, &whole, NULL, &err));
    atomic_store(&interrupts, 0);
    CHECK_EQUAL(whole, 1);
    for (int i = 0; i < 2; i++) {
      CHECK(memcmp(read[i], written[i], size) == 0);
      memset(read[i], 0xa5, size);
    }
    CHECK_OK(shardspec_checkpoint_free(checkpoint, &err));
  }
  CHECK(interrupted > 10 && shortened > 10);
  printf("%ld calls of the system ended with EINTR, %ld with a part of the bytes\n", (long)interrupted, (long)shortened);
  snprintf(command, sizeof command, "rm -r %s", folder);
  CHECK(system(command) == 0);
  for (int i = 0; i < 2; i++) free(written[i]), free(read[i]);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

int main(void) {
  copies_go_on_after_signals();
  files_are_read_and_written_whole_after_interrupted_calls();
}
