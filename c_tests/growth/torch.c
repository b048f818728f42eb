/* Writes checkpoints in the format of torch.distributed.checkpoint: the pickle `.metadata`, and files with an archive
 * for each chunk. Only what a reader needs is written; checksums are 0. */
#define _POSIX_C_SOURCE 200809L
#include "growth.h"

#include <sys/stat.h>

/* Bytes that grow. */
typedef struct bytes {
  unsigned char *data;
  size_t count, room;
} bytes;

static void put(bytes *out, const void *data, size_t count) {
  if (out->count + count > out->room) {
    out->room = 2 * (out->count + count);
    out->data = realloc(out->data, out->room);
  }
  memcpy(out->data + out->count, data, count);
  out->count += count;
}

static void put_code(bytes *out, const char *code) { put(out, code, strlen(code)); }

/* In little-endian order. */
static void put_number(bytes *out, uint64_t number, size_t width) {
  for (size_t i = 0; i < width; i++, number >>= 8) put(out, &(unsigned char){(unsigned char)number}, 1);
}

static void put_text(bytes *out, const char *text) {
  put_code(out, "X");
  put_number(out, strlen(text), 4);
  put_code(out, text);
}

static void put_int(bytes *out, int64_t number) {
  put_code(out, "J");
  put_number(out, (uint64_t)number, 4);
}

/* What is memoized at the start, and named by number then. */
enum {
  METADATA,
  TENSOR,
  CHUNK,
  PLACE,
  PROPERTIES,
  INFO,
  SIZE,
  UINT8,
  FIRST_NAME,
  STATE = FIRST_NAME,
  STORAGE,
  FQN,
  OFFSET,
  PATH,
  LENGTH,
  PROPERTIES_OF,
  SIZE_OF,
  CHUNKS,
  OFFSETS,
  SIZES,
  MEMOIZED
};

static void memoize_all(bytes *out) {
#define OF_METADATA "ctorch.distributed.checkpoint.metadata\n"
  const char *const classes[] = {
      OF_METADATA "Metadata\n",
      OF_METADATA "TensorStorageMetadata\n",
      OF_METADATA "ChunkStorageMetadata\n",
      OF_METADATA "MetadataIndex\n",
      OF_METADATA "TensorProperties\n",
      "ctorch.distributed.checkpoint.filesystem\n_StorageInfo\n",
      "ctorch\nSize\n",
      "ctorch\nuint8\n",
  };
  const char *const names[] = {"state_dict_metadata", "storage_data", "fqn",  "offset",  "relative_path", "length",
                               "properties",          "size",         "chunks", "offsets", "sizes"};
  for (size_t i = 0; i < MEMOIZED; i++) {
    if (i < FIRST_NAME) put_code(out, classes[i]);
    else put_text(out, names[i - FIRST_NAME]);
    put_code(out, "\x94" "0");
  }
}

static void put_memoized(bytes *out, unsigned char number) {
  put_code(out, "h");
  put(out, &number, 1);
}

/* An object, whose fields follow until end_object. */
static void begin_object(bytes *out, unsigned char class) {
  put_memoized(out, class);
  put_code(out, ")\x81}(");
}

static void end_object(bytes *out) { put_code(out, "ub\x94"); }

static void put_sizes(bytes *out, int64_t first, int64_t second) {
  put_memoized(out, SIZE);
  put_int(out, first);
  put_int(out, second);
  put_code(out, "\x86\x85R\x94");
}

static bytes description_of(const int64_t sizes[NDIM]) {
  bytes out = {0};
  put_code(&out, "\x80\x02" "ctorch._utils\n_rebuild_tensor_v2\n((");
  put_text(&out, "storage");
  put_code(&out, "ctorch\nByteStorage\n");
  put_text(&out, "0");
  put_text(&out, "cpu");
  put_int(&out, sizes[0] * sizes[1]);
  put_code(&out, "tQ");
  put_int(&out, 0);
  put_int(&out, sizes[0]);
  put_int(&out, sizes[1]);
  put_code(&out, "\x86");
  put_int(&out, sizes[1]);
  put_int(&out, 1);
  put_code(&out, "\x86\x89" "ccollections\nOrderedDict\n)RtR.");
  return out;
}

/* The header of a record; in the directory it is longer. */
static void put_record(bytes *out, const char *name, size_t length, const size_t *place) {
  put_code(out, place == NULL ? "PK\3\4" : "PK\1\2");
  put_number(out, 0, place == NULL ? 14 - 4 : 16 - 4);
  put_number(out, 0, 4);
  put_number(out, length, 4);
  put_number(out, length, 4);
  put_number(out, strlen(name), 2);
  put_number(out, 0, place == NULL ? 2 : 12);
  if (place != NULL) put_number(out, *place, 4);
  put_code(out, name);
}

/* Adds the archive of a chunk to a file. */
static void put_archive(bytes *out, const int64_t sizes[NDIM], const unsigned char *elements) {
  bytes description = description_of(sizes);
  const size_t begin = out->count, elements_length = (size_t)(sizes[0] * sizes[1]);
  const char *const names[] = {"archive/data.pkl", "archive/byteorder", "archive/data/0"};
  const void *const contents[] = {description.data, "little", elements};
  const size_t lengths[] = {description.count, strlen("little"), elements_length};
  size_t places[COUNT(names)];
  for (size_t i = 0; i < COUNT(names); i++) {
    places[i] = out->count - begin;
    put_record(out, names[i], lengths[i], NULL);
    put(out, contents[i], lengths[i]);
  }
  const size_t directory = out->count - begin;
  for (size_t i = 0; i < COUNT(names); i++) put_record(out, names[i], lengths[i], &places[i]);
  const size_t length = out->count - begin - directory;
  put_code(out, "PK\5\6");
  put_number(out, 0, 4);
  put_number(out, COUNT(names), 2);
  put_number(out, COUNT(names), 2);
  put_number(out, length, 4);
  put_number(out, directory, 4);
  put_number(out, 0, 2);
  free(description.data);
}

static void write_file(const char *name, const char *file, bytes *contents) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", path_of(name), file);
  FILE *stream = fopen(path, "wb");
  CHECK(stream != NULL);
  CHECK_EQUAL(fwrite(contents->data, 1, contents->count, stream), contents->count);
  CHECK(fclose(stream) == 0);
  free(contents->data);
}

/* The chunks of a tensor: rows of it, with the rest in the last one. */
typedef struct cut {
  size_t tensors, chunks, files;
  int64_t height, width, chunk_height;
} cut;

static void put_tensor(bytes *out, const cut *all) {
  begin_object(out, TENSOR);
  put_memoized(out, PROPERTIES_OF);
  put_memoized(out, PROPERTIES);
  put_code(out, ")\x81");
  put_memoized(out, UINT8);
  put_code(out, "\x85" "b");
  put_memoized(out, SIZE_OF);
  put_sizes(out, all->height, all->width);
  put_memoized(out, CHUNKS);
  put_code(out, "](");
  for (size_t i = 0; i < all->chunks; i++) {
    begin_object(out, CHUNK);
    put_memoized(out, OFFSETS);
    put_sizes(out, (int64_t)i * all->chunk_height, 0);
    put_memoized(out, SIZES);
    put_sizes(out, all->chunk_height, all->width);
    end_object(out);
  }
  put_code(out, "e");
  end_object(out);
}

/* Where a chunk is stored, after the archives that its file has so far. */
static void put_place(bytes *out, const char *tensor, int64_t row, size_t file, size_t start, size_t length) {
  char path[32];
  snprintf(path, sizeof path, "__%zu_0.distcp", file);
  begin_object(out, PLACE);
  put_memoized(out, FQN);
  put_text(out, tensor);
  put_memoized(out, OFFSET);
  put_sizes(out, row, 0);
  end_object(out);
  begin_object(out, INFO);
  put_memoized(out, PATH);
  put_text(out, path);
  put_memoized(out, OFFSET);
  put_int(out, (int64_t)start);
  put_memoized(out, LENGTH);
  put_int(out, (int64_t)length);
  end_object(out);
}

/* The archives of all chunks, whose places go into `out`. */
static void put_chunks(bytes *out, const cut *all, bytes *files) {
  const int64_t sizes[NDIM] = {all->chunk_height, all->width};
  const size_t chunk = (size_t)(sizes[0] * sizes[1]);
  unsigned char *elements = malloc(all->chunks * chunk);
  for (size_t i = 0; i < all->chunks * chunk; i++) elements[i] = byte_at(i);
  for (size_t i = 0; i < all->tensors * all->chunks; i++) {
    char name[32];
    snprintf(name, sizeof name, "t%zu", i / all->chunks);
    const size_t number = i % all->chunks, file = i % all->files, start = files[file].count;
    put_archive(&files[file], sizes, elements + number * chunk);
    put_place(out, name, (int64_t)number * sizes[0], file, start, files[file].count - start);
    /* torch adds to a dictionary in parts. */
    if (i % 10 == 9) put_code(out, "u(");
  }
  free(elements);
}

void write_torch(const char *name, size_t tensors, size_t chunks, const int64_t sizes[NDIM], size_t files) {
  const cut all = {tensors, chunks, files, sizes[0], sizes[1], sizes[0] / (int64_t)chunks};
  CHECK(mkdir(path_of(name), 0700) == 0);
  bytes metadata = {0}, *contents = calloc(files, sizeof *contents);
  put_code(&metadata, "\x80\x04");
  memoize_all(&metadata);
  begin_object(&metadata, METADATA);
  put_memoized(&metadata, STATE);
  put_code(&metadata, "}(");
  for (size_t i = 0; i < tensors; i++) {
    char tensor[32];
    snprintf(tensor, sizeof tensor, "t%zu", i);
    put_text(&metadata, tensor);
    put_tensor(&metadata, &all);
    if (i % 10 == 9) put_code(&metadata, "u(");
  }
  put_code(&metadata, "u");
  put_memoized(&metadata, STORAGE);
  put_code(&metadata, "}(");
  put_chunks(&metadata, &all, contents);
  put_code(&metadata, "u");
  end_object(&metadata);
  put_code(&metadata, ".");
  write_file(name, ".metadata", &metadata);
  for (size_t i = 0; i < files; i++) {
    char file[32];
    snprintf(file, sizeof file, "__%zu_0.distcp", i);
    write_file(name, file, &contents[i]);
  }
  free(contents);
}
