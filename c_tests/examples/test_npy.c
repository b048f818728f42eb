/* Reads files that are right, broken and absurd with the examples' npy.c, and gives the broken ones to
 * the programs that read such files. Built with sanitizers, which end a program at the first thing that
 * C does not define.
 *
 *   test_npy DEMO READ_SHARD */
#define _POSIX_C_SOURCE 200809L
#include "../check.h"
#include "../../examples/npy.h"

#include <sys/wait.h>
#include <unistd.h>

static const char *demo, *read_shard;
static char path[] = "/tmp/test_npy-XXXXXX";

/* A file of version `version` with this header, padded as numpy does it, and some elements. */
static size_t make_file(unsigned char *file, int version, const char *header, size_t elements) {
  size_t start = version > 1 ? 12 : 10, length = (start + strlen(header) + 1 + 63) / 64 * 64 - start;
  memcpy(file, "\x93NUMPY", 6);
  file[6] = (unsigned char)version, file[7] = 0;
  file[8] = (unsigned char)length, file[9] = (unsigned char)(length >> 8);
  if (version > 1) file[10] = file[11] = 0;
  memset(file + start, ' ', length);
  memcpy(file + start, header, strlen(header));
  file[start + length - 1] = '\n';
  for (size_t i = 0; i < elements; i++) file[start + length + i] = (unsigned char)i;
  return start + length + elements;
}

static void write_file(const unsigned char *file, size_t length) {
  FILE *out = fopen(path, "wb");
  CHECK(out != NULL && fwrite(file, 1, length, out) == length && fclose(out) == 0);
}

/* The exit status of a program and what it printed to stderr. */
static int run(const char *command, char *printed, size_t capacity) {
  char line[1000];
  snprintf(line, sizeof line, "%s 2>&1 >/dev/null", command);
  FILE *out = popen(line, "r");
  CHECK(out != NULL);
  size_t length = fread(printed, 1, capacity - 1, out);
  printed[length] = '\0';
  int status = pclose(out);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_refused(const unsigned char *file, size_t length, const char *problem) {
  char command[500], printed[2000];
  npy_array array;
  write_file(file, length);
  const char *got = npy_read(path, &array);
  if (got == NULL || strcmp(got, problem) != 0) FAIL("the problem is \"%s\", not \"%s\"", got, problem);
  CHECK(array.bytes == NULL);
  if (file[6] > 1) return; /* for the programs, versions make no difference */
  snprintf(command, sizeof command, "%s %s 3", demo, path);
  int status = run(command, printed, sizeof printed);
  if (status != 2 || strstr(printed, problem) == NULL) FAIL("%s: %d, %s", command, status, printed);
  snprintf(command, sizeof command, "%s %s 0 1 0 /dev/null", read_shard, path);
  status = run(command, printed, sizeof printed);
  if (status != 2) FAIL("%s: %d, %s", command, status, printed);
}

#define TOO_LARGE "it is too large for memory"
#define NO_TYPE "its header names no type of elements"
#define OTHER_ORDER "its elements are in the byte order of other machines"
#define NO_TUPLE "its shape is no tuple of sizes"

static void broken_headers_are_refused(void) {
  static const struct {
    const char *header, *problem;
  } broken[] = {
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4611686018427387904, 4611686018427387904), }",
       TOO_LARGE},
      {"{'descr': '<f4', 'fortran_order': True, 'shape': (4611686018427387904, 4611686018427387904, 0), }",
       TOO_LARGE},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", TOO_LARGE},
      {"{'descr': '|b1', 'fortran_order': False, 'shape': (9223372036854775807,), }", TOO_LARGE},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808, 0), }", TOO_LARGE},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999999,), }", TOO_LARGE},
      {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", OTHER_ORDER},
      {"{'descr': '>i2', 'fortran_order': False, 'shape': (2, 3), }", OTHER_ORDER},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", NO_TUPLE},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, three), }", NO_TUPLE},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3", NO_TUPLE},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': 6, }", "its header has no shape"},
      {"{'descr': '<f4', 'fortran_order': False, }", "its header has no shape"},
      {"{'fortran_order': False, 'shape': (2, 3), }", NO_TYPE},
      {"{'descr': '<f', 'fortran_order': False, 'shape': (2, 3), }", NO_TYPE},
      {"{'descr': '<f3', 'fortran_order': False, 'shape': (2, 3), }", NO_TYPE},
      {"{'descr': '<f0', 'fortran_order': False, 'shape': (2, 3), }", NO_TYPE},
      {"{'descr': '<f-4', 'fortran_order': False, 'shape': (2, 3), }", NO_TYPE},
      {"{'descr': '<f4x', 'fortran_order': False, 'shape': (2, 3), }", NO_TYPE},
      {"{'descr': '<f99999999999999999999', 'fortran_order': False, 'shape': (2, 3), }",
       "its elements are larger than 16 bytes"},
      {"{'descr': '<c32', 'fortran_order': False, 'shape': (2, 3), }",
       "its elements are larger than 16 bytes"},
      {"{'descr': '<U3', 'fortran_order': False, 'shape': (2, 3), }",
       "its elements are Python objects or texts; only numbers are read"},
      {"{'descr': '|O8', 'fortran_order': False, 'shape': (2, 3), }",
       "its elements are Python objects or texts; only numbers are read"},
      {"{'descr': [('tag', '|u1'), ('x', '<f4')], 'fortran_order': False, 'shape': (2, 3), }",
       "its elements are records; only plain types are read"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "
       "1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), }",
       "it has more than 32 dimensions"},
      {"", NO_TYPE},
  };
  unsigned char file[1000];
  for (size_t i = 0; i < COUNT(broken); i++)
    for (int version = 1; version <= 3; version++)
      check_refused(file, make_file(file, version, broken[i].header, 24), broken[i].problem);
}

static const char RIGHT[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

static void broken_starts_are_refused(void) {
  unsigned char file[1000];
  size_t length = make_file(file, 1, RIGHT, 24);
  file[1] = 'M';
  check_refused(file, length, "it is no .npy file");
  make_file(file, 1, RIGHT, 24), file[6] = 0;
  check_refused(file, length, "its version is none of 1 to 3");
  make_file(file, 1, RIGHT, 24), file[6] = 4;
  check_refused(file, length, "its version is none of 1 to 3");
  make_file(file, 1, RIGHT, 24), file[8] = file[9] = 0xff;
  check_refused(file, length, "it ends in its header");
  make_file(file, 2, RIGHT, 24), file[11] = 0xff;
  check_refused(file, length, "its header is longer than a megabyte");
  make_file(file, 2, RIGHT, 24), file[10] = 0x08;
  check_refused(file, length, "it ends in its header");
}

static void a_file_that_ends_anywhere_is_refused(void) {
  unsigned char file[1000];
  npy_array array;
  size_t length = make_file(file, 1, RIGHT, 24);
  for (size_t end = 0; end < length; end++) {
    write_file(file, end);
    const char *problem = npy_read(path, &array);
    CHECK_TEXT(problem, end < 12             ? "it is no .npy file"
                        : end < length - 24 ? "it ends in its header"
                                            : "it ends in its elements");
  }
  check_refused(file, 5, "it is no .npy file");
  check_refused(file, length - 1, "it ends in its elements");
}

/* Whatever one byte of the header is, the array is refused or fits into its memory. */
static void any_byte_may_be_wrong(void) {
  char header[] = "{'descr': '<f4', 'fortran_order': True, 'shape': (21, 3, 10), }";
  npy_array array;
  for (size_t at = 0; at < sizeof header; at++) {
    char right = header[at];
    for (int byte = 0; byte < 256; byte++) {
      header[at] = (char)byte;
      if (npy_parse_header(header, &array) != NULL) continue;
      int64_t last = 0, count = 1;
      for (int32_t dim = 0; dim < array.ndim; dim++) {
        count *= array.shape[dim];
        last += (array.shape[dim] - 1) * array.strides[dim];
      }
      CHECK_EQUAL(array.size, count * array.dtype.bits / 8);
      CHECK(count == 0 || last < count);
    }
    header[at] = right;
  }
}

static void right_files_are_read(void) {
  static const struct {
    const char *header;
    size_t size;
    int32_t ndim;
    int64_t first_stride;
    uint8_t code, bits;
  } right[] = {
      {RIGHT, 24, 2, 3, SHARDSPEC_DTYPE_FLOAT, 32},
      {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 24, 2, 1, SHARDSPEC_DTYPE_FLOAT, 32},
      {"{'descr': '=i2', 'fortran_order': False, 'shape': (12,), }", 24, 1, 1, SHARDSPEC_DTYPE_INT, 16},
      {"{'descr': '<c8', 'fortran_order': False, 'shape': (), }", 8, 0, 0, SHARDSPEC_DTYPE_COMPLEX, 64},
      {"{'descr': '|b1', 'fortran_order': False, 'shape': (3, 0, 1099511627776), }", 0, 3, 1099511627776,
       SHARDSPEC_DTYPE_BOOL, 8},
      {"{'descr': '>u1', 'fortran_order': False, 'shape': (4,), }", 4, 1, 1, SHARDSPEC_DTYPE_UINT, 8},
      {"{'descr': '|V5', 'fortran_order': False, 'shape': (4,), }", 20, 1, 1, SHARDSPEC_DTYPE_OPAQUE_HANDLE, 40},
  };
  unsigned char file[1000];
  char command[500], printed[2000];
  for (size_t i = 0; i < COUNT(right); i++)
    for (int version = 1; version <= 3; version++) {
      npy_array array;
      size_t length = make_file(file, version, right[i].header, right[i].size);
      write_file(file, length);
      const char *problem = npy_read(path, &array);
      if (problem != NULL) FAIL("%s: %s", right[i].header, problem);
      CHECK_EQUAL(array.size, right[i].size);
      CHECK_EQUAL(array.ndim, right[i].ndim);
      if (array.ndim > 0) CHECK_EQUAL(array.strides[0], right[i].first_stride);
      CHECK_EQUAL(array.dtype.code, right[i].code);
      CHECK_EQUAL(array.dtype.bits, right[i].bits);
      CHECK(memcmp(array.data, file + length - array.size, array.size) == 0);
      free(array.bytes);
      snprintf(command, sizeof command, "%s %s 3", demo, path);
      if (run(command, printed, sizeof printed) != 0) FAIL("%s: %s", command, printed);
    }
}

int main(int argc, char **argv) {
  CHECK(argc == 3 && sizeof(uint16_t) == 2);
  demo = argv[1], read_shard = argv[2];
  int file = mkstemp(path);
  CHECK(file >= 0 && close(file) == 0);
  right_files_are_read();
  broken_headers_are_refused();
  broken_starts_are_refused();
  a_file_that_ends_anywhere_is_refused();
  any_byte_may_be_wrong();
  CHECK(unlink(path) == 0);
  return 0;
}
