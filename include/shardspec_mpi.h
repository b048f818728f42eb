/* shardspec_mpi.h - collectives of shardspec over any MPI communicator.
 *
 * This header is C99 and C++11. It is compiled with the mpi.h of your program. So the library
 * itself needs no MPI, and works with MPICH, Open MPI and others. Include this header after or
 * instead of shardspec.h.
 *
 *   shardspec_comm *comm;
 *   shardspec_mpi_comm_new(MPI_COMM_WORLD, &comm, &err);
 *   shardspec_comm_scatter(comm, metadata, 0, full, shards, shard_count, NULL, &err);
 *   shardspec_comm_free(comm, &err);    on every rank, before MPI_Finalize
 *
 * For a communicator from MPI_Comm_split, layouts may use the ranks of the parent communicator:
 *
 *   MPI_Comm_split(MPI_COMM_WORLD, world_rank / 4, world_rank, &tensor_parallel);
 *   shardspec_mpi_comm_new_in(tensor_parallel, MPI_COMM_WORLD, &comm, &err);
 *
 * MPI_Comm_split_type finds the ranks that share a node.
 *
 * The communicator is duplicated, so messages of the library never match receives of your program.
 * Your error handler does not change. MPI must be initialised. MPI_THREAD_FUNNELED is enough,
 * because MPI is called only on the thread that calls a collective.
 *
 * If MPI reports an error, the rank waits for all messages that it has started, and then returns
 * TRANSPORT_FAILED. Other ranks may be waiting for this rank, and MPI has no portable way to wake
 * them. The program should then call MPI_Abort. The same applies if a rank returns OUT_OF_MEMORY
 * after the agreement. */
#ifndef SHARDSPEC_MPI_H
#define SHARDSPEC_MPI_H

#include <mpi.h>
#include <shardspec.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__unix__) || defined(__APPLE__)
#include <sched.h>
#include <sys/select.h>
#endif

/* Maximum number of bytes of one MPI message, because MPI's counts are `int`. A longer message is
 * sent in parts of this size. All ranks must be compiled with the same number. */
#ifndef SHARDSPEC_MPI_MOST_BYTES
#define SHARDSPEC_MPI_MOST_BYTES ((size_t)1 << 30)
#endif

/* An exchange polls this many times without a pause. It then yields the processor between polls, and after
 * three times as many polls it sleeps for 20 microseconds between them. Where there are more ranks than
 * processors, ranks with work run sooner. Otherwise, a long message is noticed that much later. */
#ifndef SHARDSPEC_MPI_POLLS
#define SHARDSPEC_MPI_POLLS 100
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The `ctx` of such a communicator: the duplicate, what the last exchange needed, and the first rank on
 * the node of each rank. */
typedef struct shardspec_mpi_ctx {
  MPI_Comm comm;
  MPI_Request *requests;
  MPI_Status *statuses;
  size_t capacity;
  int *nodes;
  /* Of an exchange that was started: its requests, those of its receives first, and what is received. */
  size_t started, receive_count, receive_capacity;
  shardspec_message *receives;
  int failure;
} shardspec_mpi_ctx;

/* Fills an error, if there is one, and returns its status. */
static inline shardspec_status shardspec_mpi_refuse(shardspec_status status, int64_t got,
                                                    int64_t limit, const char *message,
                                                    shardspec_error *err) {
  const shardspec_status set = shardspec_error_set(err, status, message);
  if (err != NULL && set == status) {
    err->got = got;
    err->limit = limit;
  }
  return status;
}

/* Says what MPI says; `what` is the function that failed. */
static inline shardspec_status shardspec_mpi_failed(const char *what, int code,
                                                    shardspec_error *err) {
  char text[MPI_MAX_ERROR_STRING + 1] = "", message[MPI_MAX_ERROR_STRING + 64];
  int length = 0;
  if (MPI_Error_string(code, text, &length) != MPI_SUCCESS || length <= 0)
    strcpy(text, "an error without a text");
  snprintf(message, sizeof message, "%s failed: %s", what, text);
  return shardspec_mpi_refuse(SHARDSPEC_TRANSPORT_FAILED, code, 0, message, err);
}

/* The same for memory that is not there. */
static inline shardspec_status shardspec_mpi_no_memory(size_t bytes, shardspec_error *err) {
  char message[96];
  snprintf(message, sizeof message, "out of memory: %lu bytes for MPI requests could not be allocated",
           (unsigned long)bytes);
  return shardspec_mpi_refuse(SHARDSPEC_OUT_OF_MEMORY, 0, 0, message, err);
}

/* Number of MPI messages that some messages are sent in. */
static inline size_t shardspec_mpi_parts(const shardspec_message *messages, size_t count) {
  size_t parts = 0;
  for (size_t i = 0; i < count; i++)
    parts += messages[i].byte_count / SHARDSPEC_MPI_MOST_BYTES +
             (messages[i].byte_count % SHARDSPEC_MPI_MOST_BYTES != 0);
  return parts;
}

/* Starts messages, part after part; the requests follow each other from `*started` on. */
static inline int shardspec_mpi_start(shardspec_mpi_ctx *ctx, const shardspec_message *messages,
                                      size_t count, int receive, size_t *started) {
  for (size_t i = 0; i < count; i++) {
    char *at = (char *)messages[i].pointer;
    size_t left = messages[i].byte_count;
    while (left > 0) {
      size_t part = left < SHARDSPEC_MPI_MOST_BYTES ? left : SHARDSPEC_MPI_MOST_BYTES;
      int peer = (int)messages[i].peer;
      int code = receive ? MPI_Irecv(at, (int)part, MPI_BYTE, peer, 0, ctx->comm,
                                     &ctx->requests[*started])
                         : MPI_Isend(at, (int)part, MPI_BYTE, peer, 0, ctx->comm,
                                     &ctx->requests[*started]);
      if (code != MPI_SUCCESS) return code;
      ++*started;
      at += part;
      left -= part;
    }
  }
  return MPI_SUCCESS;
}

/* Whether a received part has the length that was asked for. */
static inline shardspec_status shardspec_mpi_check(shardspec_mpi_ctx *ctx,
                                                   const shardspec_message *receives, size_t receive_count,
                                                   shardspec_error *err) {
  size_t request = 0;
  for (size_t i = 0; i < receive_count; i++) {
    size_t left = receives[i].byte_count;
    while (left > 0) {
      size_t part = left < SHARDSPEC_MPI_MOST_BYTES ? left : SHARDSPEC_MPI_MOST_BYTES;
      int got = 0;
      int code = MPI_Get_count(&ctx->statuses[request++], MPI_BYTE, &got);
      if (code != MPI_SUCCESS) return shardspec_mpi_failed("MPI_Get_count", code, err);
      if ((size_t)got != part) {
        char message[96];
        snprintf(message, sizeof message, "rank %d sent %d bytes where %lu were to be received",
                 (int)receives[i].peer, got, (unsigned long)part);
        return shardspec_mpi_refuse(SHARDSPEC_TRANSPORT_FAILED, got, (int64_t)part, message, err);
      }
      left -= part;
    }
  }
  return SHARDSPEC_CALLBACK_OK;
}

/* What to do between two polls. */
static inline void shardspec_mpi_relax(long polls) {
#if defined(__unix__) || defined(__APPLE__)
  if (polls >= 3L * SHARDSPEC_MPI_POLLS) {
    struct timeval pause = {0, 20};
    (void)select(0, NULL, NULL, NULL, &pause);
  } else if (polls >= SHARDSPEC_MPI_POLLS) {
    (void)sched_yield();
  }
#else
  (void)polls;
#endif
}

/* Tests all that was started and has not ended. Returns how many have not ended after it. The first
 * failure, if there is one, is kept in `ctx->failure`.
 *
 * A failure does not end the wait for the other messages: MPI reads and writes their memory until they
 * have ended, and the caller may free it after this. A send can't be taken back (MPI_Cancel of a send
 * is deprecated, and MPICH ignores it), and a receive that is cancelled would keep its sender waiting.
 * The other ends have started the same messages, or will, unless they have failed themselves.
 *
 * Each request is tested by itself, since only then MPI asks the error handler of the communicator, and
 * not one that ends the program: MPI_Testall has none. */
static inline size_t shardspec_mpi_poll(shardspec_mpi_ctx *ctx) {
  size_t left = 0;
  for (size_t i = 0; i < ctx->started; i++) {
    int done = 0, code;
    if (ctx->requests[i] == MPI_REQUEST_NULL) continue;
    code = MPI_Test(&ctx->requests[i], &done, &ctx->statuses[i]);
    if (code == MPI_SUCCESS) {
      left += !done;
      continue;
    }
    if (ctx->failure == MPI_SUCCESS) ctx->failure = code;
    /* One that MPI can't even test any more will never end. */
    if (ctx->requests[i] != MPI_REQUEST_NULL) MPI_Request_free(&ctx->requests[i]);
  }
  return left;
}

static inline void shardspec_mpi_poll_all(shardspec_mpi_ctx *ctx) {
  for (long polls = 0; shardspec_mpi_poll(ctx) > 0; polls++) shardspec_mpi_relax(polls + 1);
}

/* Starts all messages of an exchange. When it fails, all that it had started has ended. */
static inline shardspec_status shardspec_mpi_begin(shardspec_mpi_ctx *ctx, const shardspec_message *sends,
                                                   size_t send_count, const shardspec_message *receives,
                                                   size_t receive_count, shardspec_error *err) {
  size_t recv_parts = shardspec_mpi_parts(receives, receive_count);
  size_t parts = recv_parts + shardspec_mpi_parts(sends, send_count);
  int code;
  if (parts > ctx->capacity) {
    MPI_Request *requests =
        (MPI_Request *)realloc(ctx->requests, parts * sizeof *ctx->requests);
    MPI_Status *statuses = (MPI_Status *)realloc(ctx->statuses, parts * sizeof *ctx->statuses);
    if (requests != NULL) ctx->requests = requests;
    if (statuses != NULL) ctx->statuses = statuses;
    if (requests == NULL || statuses == NULL)
      return shardspec_mpi_no_memory(parts * sizeof *ctx->statuses, err);
    ctx->capacity = parts;
  }
  ctx->started = 0;
  ctx->failure = MPI_SUCCESS;
  /* Receives first: what arrives finds its place. */
  code = shardspec_mpi_start(ctx, receives, receive_count, 1, &ctx->started);
  if (code == MPI_SUCCESS) code = shardspec_mpi_start(ctx, sends, send_count, 0, &ctx->started);
  if (code == MPI_SUCCESS) return SHARDSPEC_CALLBACK_OK;
  /* Those before the one that MPI refused are under way. */
  shardspec_mpi_poll_all(ctx);
  return shardspec_mpi_failed(ctx->started < recv_parts ? "MPI_Irecv" : "MPI_Isend", code, err);
}

/* The result of an exchange of which everything has ended. */
static inline shardspec_status shardspec_mpi_ended(shardspec_mpi_ctx *ctx, const shardspec_message *receives,
                                                   size_t receive_count, shardspec_error *err) {
  if (ctx->failure != MPI_SUCCESS) return shardspec_mpi_failed("a message", ctx->failure, err);
  return shardspec_mpi_check(ctx, receives, receive_count, err);
}

static inline shardspec_status shardspec_mpi_exchange(void *pointer, const shardspec_message *sends,
                                                      size_t send_count,
                                                      const shardspec_message *receives,
                                                      size_t receive_count, shardspec_error *err) {
  shardspec_mpi_ctx *ctx = (shardspec_mpi_ctx *)pointer;
  shardspec_status status = shardspec_mpi_begin(ctx, sends, send_count, receives, receive_count, err);
  if (status != SHARDSPEC_CALLBACK_OK) return status;
  shardspec_mpi_poll_all(ctx);
  return shardspec_mpi_ended(ctx, receives, receive_count, err);
}

/* Starts an exchange, for requests. There is one at a time, so `ctx` keeps all of it. */
static inline shardspec_status shardspec_mpi_exchange_start(void *pointer, const shardspec_message *sends,
                                                            size_t send_count,
                                                            const shardspec_message *receives,
                                                            size_t receive_count, void **exchange,
                                                            shardspec_error *err) {
  shardspec_mpi_ctx *ctx = (shardspec_mpi_ctx *)pointer;
  if (receive_count > ctx->receive_capacity) {
    size_t bytes = receive_count * sizeof *receives;
    shardspec_message *kept = (shardspec_message *)realloc(ctx->receives, bytes);
    if (kept == NULL) return shardspec_mpi_no_memory(bytes, err);
    ctx->receives = kept;
    ctx->receive_capacity = receive_count;
  }
  if (receive_count > 0) memcpy(ctx->receives, receives, receive_count * sizeof *receives);
  ctx->receive_count = receive_count;
  *exchange = ctx;
  return shardspec_mpi_begin(ctx, sends, send_count, receives, receive_count, err);
}

static inline shardspec_status shardspec_mpi_exchange_test(void *pointer, void *exchange, int32_t *done,
                                                           shardspec_error *err) {
  shardspec_mpi_ctx *ctx = (shardspec_mpi_ctx *)pointer;
  (void)exchange;
  *done = 0;
  if (shardspec_mpi_poll(ctx) > 0) return SHARDSPEC_CALLBACK_OK;
  *done = 1;
  return shardspec_mpi_ended(ctx, ctx->receives, ctx->receive_count, err);
}

static inline shardspec_status shardspec_mpi_exchange_wait(void *pointer, void *exchange,
                                                           shardspec_error *err) {
  shardspec_mpi_ctx *ctx = (shardspec_mpi_ctx *)pointer;
  (void)exchange;
  shardspec_mpi_poll_all(ctx);
  return shardspec_mpi_ended(ctx, ctx->receives, ctx->receive_count, err);
}

/* The first rank on the node of a rank. */
static inline int64_t shardspec_mpi_node(void *pointer, int64_t rank) {
  return ((shardspec_mpi_ctx *)pointer)->nodes[rank];
}

/* Finds the first rank on the node of each rank: those that can share memory are on one. */
static inline int shardspec_mpi_find_nodes(shardspec_mpi_ctx *ctx, int rank) {
  MPI_Comm node;
  int first = rank, ended, code;
  code = MPI_Comm_split_type(ctx->comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
  if (code != MPI_SUCCESS) return code;
  code = MPI_Bcast(&first, 1, MPI_INT, 0, node);
  ended = MPI_Comm_free(&node);
  if (code == MPI_SUCCESS) code = MPI_Allgather(&first, 1, MPI_INT, ctx->nodes, 1, MPI_INT, ctx->comm);
  return code == MPI_SUCCESS ? ended : code;
}

static inline void shardspec_mpi_destroy(void *pointer) {
  shardspec_mpi_ctx *ctx = (shardspec_mpi_ctx *)pointer;
  int finalized = 0;
  /* After MPI_Finalize the duplicate is gone. */
  if (MPI_Finalized(&finalized) == MPI_SUCCESS && !finalized) MPI_Comm_free(&ctx->comm);
  free(ctx->requests);
  free(ctx->statuses);
  free(ctx->receives);
  free(ctx->nodes);
  free(ctx);
}

/* Creates a communicator of shardspec over a duplicate of `comm`. All ranks of `comm` call this
 * function.
 *
 * Ownership: the caller keeps `comm`. Every rank frees `*out` with shardspec_comm_free before MPI_Finalize.
 * Errors: TRANSPORT_FAILED with MPI's text, if the error handler of `comm` returns;
 * INVALID_ARGUMENT if `comm` is MPI_COMM_NULL; OUT_OF_MEMORY, NULL_ARGUMENT. `*out` is then
 * unchanged. */
static inline shardspec_status shardspec_mpi_comm_new(MPI_Comm comm, shardspec_comm **out,
                                                      shardspec_error *err) {
  static const shardspec_comm_vtable vtable = {sizeof(shardspec_comm_vtable),
                                               shardspec_mpi_destroy,
                                               shardspec_mpi_exchange,
                                               SHARDSPEC_CALLBACK_OK,
                                               0,
                                               NULL,
                                               shardspec_mpi_node,
                                               shardspec_mpi_exchange_start,
                                               shardspec_mpi_exchange_test,
                                               shardspec_mpi_exchange_wait};
  int rank = 0, size = 0, code;
  shardspec_mpi_ctx *ctx;
  if (comm == MPI_COMM_NULL)
    return shardspec_mpi_refuse(SHARDSPEC_INVALID_ARGUMENT, 0, 0,
                                "comm: is MPI_COMM_NULL; pass a communicator", err);
  code = MPI_Comm_size(comm, &size);
  if (code != MPI_SUCCESS) return shardspec_mpi_failed("MPI_Comm_size", code, err);
  ctx = (shardspec_mpi_ctx *)calloc(1, sizeof *ctx);
  if (ctx == NULL) return shardspec_mpi_no_memory(sizeof *ctx, err);
  ctx->nodes = (int *)malloc((size_t)size * sizeof *ctx->nodes);
  if (ctx->nodes == NULL) {
    free(ctx);
    return shardspec_mpi_no_memory((size_t)size * sizeof *ctx->nodes, err);
  }
  code = MPI_Comm_dup(comm, &ctx->comm);
  if (code != MPI_SUCCESS) {
    free(ctx->nodes);
    free(ctx);
    return shardspec_mpi_failed("MPI_Comm_dup", code, err);
  }
  code = MPI_Comm_set_errhandler(ctx->comm, MPI_ERRORS_RETURN);
  if (code == MPI_SUCCESS) code = MPI_Comm_rank(ctx->comm, &rank);
  if (code == MPI_SUCCESS) code = shardspec_mpi_find_nodes(ctx, rank);
  if (code != MPI_SUCCESS) {
    shardspec_mpi_destroy(ctx);
    return shardspec_mpi_failed("MPI_Comm_dup", code, err);
  }
  return shardspec_comm_new(&vtable, ctx, rank, size, out, err);
}

/* Finds the ranks that the ranks of `comm` have in `parent`. */
static inline shardspec_status shardspec_mpi_translate(MPI_Comm comm, MPI_Comm parent, int *own,
                                                       int *translated, int size,
                                                       shardspec_error *err) {
  MPI_Group group = MPI_GROUP_NULL, parents = MPI_GROUP_NULL;
  int code = MPI_Comm_group(comm, &group);
  if (code == MPI_SUCCESS) code = MPI_Comm_group(parent, &parents);
  for (int rank = 0; rank < size; rank++) own[rank] = rank;
  if (code == MPI_SUCCESS) code = MPI_Group_translate_ranks(group, size, own, parents, translated);
  if (parents != MPI_GROUP_NULL) MPI_Group_free(&parents);
  if (group != MPI_GROUP_NULL) MPI_Group_free(&group);
  if (code != MPI_SUCCESS) return shardspec_mpi_failed("MPI_Group_translate_ranks", code, err);
  for (int rank = 0; rank < size; rank++)
    if (translated[rank] == MPI_UNDEFINED)
      return shardspec_mpi_refuse(SHARDSPEC_INVALID_ARGUMENT, rank, size,
                                  "comm: one of its ranks is not in parent; pass the communicator that "
                                  "comm was made from",
                                  err);
  return SHARDSPEC_OK;
}

/* Creates a communicator of shardspec over `comm`. Placements use the ranks that the members have
 * in `parent`. For example, MPI_Comm_split of MPI_COMM_WORLD may make a group of the world's ranks
 * 4 to 7. This group can use layouts with the placements rank:4 to rank:7 unchanged. All ranks of
 * `comm` call this function. `parent` is not used for messages.
 *
 * Ownership: `comm` and `parent` stay yours; every rank frees `*out` with shardspec_comm_free before
 * MPI_Finalize.
 * Errors: those of shardspec_mpi_comm_new, and INVALID_ARGUMENT for MPI_COMM_NULL as `parent` and for a
 * `parent` that has not all ranks of `comm`; `*out` is untouched. */
static inline shardspec_status shardspec_mpi_comm_new_in(MPI_Comm comm, MPI_Comm parent,
                                                         shardspec_comm **out, shardspec_error *err) {
  shardspec_comm *inner = NULL;
  shardspec_status status;
  int64_t *placement_ranks;
  int *ranks, size = 0, code;
  if (comm == MPI_COMM_NULL || parent == MPI_COMM_NULL)
    return shardspec_mpi_refuse(SHARDSPEC_INVALID_ARGUMENT, 0, 0,
                                comm == MPI_COMM_NULL
                                    ? "comm: is MPI_COMM_NULL; pass a communicator"
                                    : "parent: is MPI_COMM_NULL; pass a communicator",
                                err);
  code = MPI_Comm_size(comm, &size);
  if (code != MPI_SUCCESS) return shardspec_mpi_failed("MPI_Comm_size", code, err);
  status = shardspec_mpi_comm_new(comm, &inner, err);
  if (status != SHARDSPEC_OK) return status;
  ranks = (int *)malloc((size_t)size * 2 * sizeof *ranks);
  placement_ranks = (int64_t *)malloc((size_t)size * sizeof *placement_ranks);
  if (ranks == NULL || placement_ranks == NULL)
    status = shardspec_mpi_no_memory((size_t)size * sizeof *placement_ranks, err);
  else
    status = shardspec_mpi_translate(comm, parent, ranks, ranks + size, size, err);
  if (status == SHARDSPEC_OK) {
    for (int rank = 0; rank < size; rank++) placement_ranks[rank] = ranks[size + rank];
    status = shardspec_comm_new_group(inner, NULL, placement_ranks, (size_t)size, out, err);
  }
  free(ranks);
  free(placement_ranks);
  /* The transport stays as long as `*out`. */
  (void)shardspec_comm_free(inner, NULL);
  return status;
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* SHARDSPEC_MPI_H */
