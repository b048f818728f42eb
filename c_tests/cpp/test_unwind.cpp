/* Exceptions that leave callbacks of the C interface: they pass through the library to whoever called
 * it, and what the calls in between owned is given back. */
#include "check.hpp"

#include <pthread.h>

#include <stdexcept>
#include <thread>

namespace {

struct thrown : std::runtime_error {
  using runtime_error::runtime_error;
};

/// Counts objects on frames that callbacks leave.
struct counted {
  counted() { ++alive; }
  ~counted() { --alive; }
  counted(const counted &) = delete;
  counted &operator=(const counted &) = delete;
  static int alive;
};
int counted::alive = 0;

enum place { nowhere, op, build, fill, exchange, destroy, equal, hash };
place thrower = nowhere;
int destroyed = 0;

void leave(place here) {
  const counted own;
  if (here == thrower) throw thrown("out of a callback");
}

shardspec_status run_op(void *, const shardspec_spec *, const shardspec_op_arguments *, shardspec_value *,
                        std::size_t, shardspec_error *) {
  leave(op);
  return SHARDSPEC_OK;
}
shardspec_status build_metadata(void *, const std::int64_t *sizes, const char *const *, std::size_t ndim,
                                const shardspec_tensor_properties *, shardspec_metadata_builder *builder,
                                shardspec_error *err) {
  const std::int64_t offsets[2] = {};
  leave(build);
  return shardspec_metadata_builder_add_shard(builder, offsets, sizes, ndim, "rank:0", err);
}
shardspec_status fill_shard(void *, const shardspec_metadata *, std::size_t, const shardspec_tensor_view *,
                            const shardspec_tensor_view *, const shardspec_copy_options *, shardspec_error *) {
  leave(fill);
  return SHARDSPEC_OK;
}
shardspec_status exchange_messages(void *, const shardspec_message *, std::size_t, const shardspec_message *,
                                   std::size_t, shardspec_error *) {
  leave(exchange);
  return SHARDSPEC_OK;
}
void destroy_ctx(void *) {
  ++destroyed;
  leave(destroy);
}
std::int32_t equal_ctx(void *, void *) {
  leave(equal);
  return 1;
}
std::uint64_t hash_ctx(void *) {
  leave(hash);
  return 7;
}

/// What is made, and ended whatever happens.
struct made {
  shardspec_op *op = nullptr;
  shardspec_spec *specs[2] = {};
  shardspec_comm *comm = nullptr;
  counted on_the_frame;

  made() {
    const shardspec_spec_vtable vtable = {sizeof vtable, destroy_ctx, build_metadata, fill_shard, equal_ctx,
                                          hash_ctx,      0,           0};
    const shardspec_comm_vtable transport = {
        sizeof transport, destroy_ctx, exchange_messages, 0, 0, nullptr, nullptr, nullptr, nullptr, nullptr};
    CHECK(shardspec_op_register("chunk", "throws", run_op, nullptr, destroy_ctx, nullptr, &op, nullptr) == 0);
    for (auto &spec : specs)
      CHECK(shardspec_spec_new_custom("test.throws", &vtable, nullptr, &spec, nullptr) == 0);
    CHECK(shardspec_comm_new(&transport, nullptr, 0, 2, &comm, nullptr) == 0);
  }
  /// From another thread, which would wait for calls that still seem to run.
  ~made() {
    thrower = nowhere;
    destroyed = 0;
    std::thread([this] {
      CHECK(shardspec_op_unregister(op, nullptr) == 0);
      for (auto *spec : specs) CHECK(shardspec_spec_free(spec, nullptr) == 0);
      CHECK(shardspec_comm_free(comm, nullptr) == 0);
    }).join();
    CHECK(destroyed == 4);
  }
  made(const made &) = delete;
  made &operator=(const made &) = delete;
};

std::vector<float> numbers = {1, 2, 3, 4};

void call_everything() {
  const made all;
  const auto chunk = ss::spec::chunk(0, {"rank:0", "rank:1"});
  const auto tensor = ss::sharded_tensor::from_spec(chunk, ss::all_shards, ss::view(numbers));
  const auto metadata = chunk.build_metadata({4});
  shardspec_value value = ss::value(tensor).c();
  const shardspec_op_arguments arguments = {sizeof arguments, &value, 1, nullptr, nullptr, 0, nullptr};
  CHECK(shardspec_op_dispatch(chunk.get(), "throws", &arguments, nullptr, 0, nullptr) == 0);
  CHECK(shardspec_op_call(all.op, chunk.get(), &arguments, nullptr, 0, nullptr) == 0);

  const std::int64_t sizes[] = {4};
  shardspec_metadata *built = nullptr;
  CHECK(shardspec_spec_build_metadata(all.specs[0], sizes, 1, nullptr, &built, nullptr) == 0);
  CHECK(shardspec_metadata_free(built, nullptr) == 0);
  std::vector<float> part(2);
  const auto full_view = ss::view(numbers), part_view = ss::view(part);
  const auto full = full_view.c(), shard = part_view.c();
  CHECK(shardspec_spec_fill_shard(all.specs[0], metadata.get(), 0, &full, &shard, nullptr, nullptr) == 0);

  char byte = 0;
  const shardspec_message message = {1, &byte, 1};
  CHECK(shardspec_comm_exchange(all.comm, &message, 1, &message, 1, nullptr) == 0);
  std::int32_t equals = 0;
  CHECK(shardspec_spec_equal(all.specs[0], all.specs[1], &equals, nullptr) == 0 && equals == 1);
  std::uint64_t hashed = 0;
  CHECK(shardspec_spec_hash(all.specs[0], &hashed, nullptr) == 0);
  CHECK(shardspec_op_register("chunk", "throws", run_op, nullptr, destroy_ctx, nullptr, nullptr, nullptr) ==
        SHARDSPEC_ALREADY_EXISTS);
}

void an_exception_passes_through_the_library() {
  for (const place here : {op, build, fill, exchange, destroy, equal, hash}) {
    for (int turn = 0; turn < 3; ++turn) {
      thrower = here;
      bool caught = false;
      try {
        const counted own;
        call_everything();
      } catch (const thrown &exception) {
        caught = std::string(exception.what()) == "out of a callback";
      }
      CHECK(caught && counted::alive == 0 && thrower == nowhere);
      CHECK(std::uncaught_exceptions() == 0);
    }
    call_everything();
    CHECK(counted::alive == 0);
  }
}

/// An op that catches what the op inside of it throws, and an op that lets it pass.
shardspec_status run_inner(void *catches, const shardspec_spec *spec, const shardspec_op_arguments *arguments,
                           shardspec_value *, std::size_t, shardspec_error *err) {
  const counted own;
  if (catches == nullptr) return shardspec_op_dispatch(spec, "throws", arguments, nullptr, 0, err);
  try {
    return shardspec_op_dispatch(spec, "passes", arguments, nullptr, 0, err);
  } catch (const thrown &) {
    return SHARDSPEC_USER_STATUS + 3;
  }
}

void an_exception_ends_where_it_is_caught() {
  const made all;
  const auto chunk = ss::spec::chunk(0, {"rank:0", "rank:1"});
  const auto tensor = ss::sharded_tensor::from_spec(chunk, ss::all_shards, ss::view(numbers));
  shardspec_value value = ss::value(tensor).c();
  const shardspec_op_arguments arguments = {sizeof arguments, &value, 1, nullptr, nullptr, 0, nullptr};
  shardspec_op *catches = nullptr, *passes = nullptr;
  CHECK(shardspec_op_register("chunk", "catches", run_inner, &numbers, nullptr, nullptr, &catches, nullptr) == 0);
  CHECK(shardspec_op_register("chunk", "passes", run_inner, nullptr, nullptr, nullptr, &passes, nullptr) == 0);
  thrower = op;
  CHECK(shardspec_op_call(catches, chunk.get(), &arguments, nullptr, 0, nullptr) == SHARDSPEC_USER_STATUS + 3);
  thrower = nowhere;
  CHECK(shardspec_op_call(catches, chunk.get(), &arguments, nullptr, 0, nullptr) == SHARDSPEC_OK);
  CHECK(shardspec_op_unregister(catches, nullptr) == 0 && shardspec_op_unregister(passes, nullptr) == 0);
  CHECK(counted::alive == 1);
}

/// Functions of the C++ interface catch exceptions, but not the end of their thread.
void a_thread_may_end_in_a_function_of_the_cpp_interface() {
  const auto chunk = ss::spec::chunk(0, {"rank:0", "rank:1"});
  const auto tensor = ss::sharded_tensor::from_spec(chunk, ss::all_shards, ss::view(numbers));
  struct setting {
    const ss::spec &spec;
    const ss::sharded_tensor &tensor;
  } both = {chunk, tensor};
  const auto ends = ss::register_op("chunk", "test.ends", [](const ss::spec &, const ss::op_arguments &,
                                                             ss::op_output &) {
    const counted own;
    pthread_exit(&numbers);
  });
  pthread_t thread;
  void *result = nullptr;
  CHECK(pthread_create(
            &thread, nullptr,
            [](void *given) -> void * {
              const counted own;
              const auto &here = *static_cast<setting *>(given);
              ss::dispatch(here.spec, "test.ends", {here.tensor});
              return nullptr;
            },
            &both) == 0);
  CHECK(pthread_join(thread, &result) == 0 && result == &numbers);
  CHECK(counted::alive == 0);
}

}  // namespace

int main() {
  an_exception_passes_through_the_library();
  an_exception_ends_where_it_is_caught();
  a_thread_may_end_in_a_function_of_the_cpp_interface();
  return 0;
}
