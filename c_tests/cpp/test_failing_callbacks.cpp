/* Every callback of some calls fails once: the k-th call of any callback, for each k. It returns a status of its own,
 * or throws. The call of the library then returns that status, or throws the same, and leaves its outputs. The same
 * call succeeds afterwards. */
#include "check.hpp"

#include "../checkpoints.h"

#include <stdexcept>

namespace {

enum way { returns, throws };
struct thrown : std::runtime_error {
  using runtime_error::runtime_error;
};
constexpr shardspec_status OWN = SHARDSPEC_USER_STATUS + 7;

int called = 0, fails_at = -1, failed = 0, destroyed = 0;
way how = returns;
shardspec_error err = SHARDSPEC_ERROR_INIT;

/// Fails if this is the callback's turn.
shardspec_status turn(shardspec_error *error) {
  if (called++ != fails_at) return SHARDSPEC_OK;
  ++failed;
  if (how == throws) throw thrown("out of a callback");
  return shardspec_error_set(error, OWN, "not this time");
}

shardspec_status run_op(void *, const shardspec_spec *, const shardspec_op_arguments *, shardspec_value *results,
                        std::size_t result_count, shardspec_error *error) {
  if (const auto status = turn(error)) return status;
  CHECK(result_count == 1);
  results[0] = shardspec_value{};
  results[0].kind = SHARDSPEC_VALUE_I64;
  results[0].integer = 5;
  return SHARDSPEC_OK;
}

shardspec_status build_metadata(void *, const std::int64_t *sizes, const char *const *, std::size_t ndim,
                                const shardspec_tensor_properties *, shardspec_metadata_builder *builder,
                                shardspec_error *error) {
  if (const auto status = turn(error)) return status;
  for (std::int64_t row = 0; row < sizes[0]; row++) {
    const std::int64_t offsets[] = {row, 0}, one[] = {1, sizes[1]};
    CHECK(shardspec_metadata_builder_add_shard(builder, offsets, one, ndim, "rank:0", error) == 0);
  }
  return SHARDSPEC_OK;
}

shardspec_status fill_shard(void *, const shardspec_metadata *metadata, std::size_t index,
                            const shardspec_tensor_view *full, const shardspec_tensor_view *shard,
                            const shardspec_copy_options *options, shardspec_error *error) {
  if (const auto status = turn(error)) return status;
  return shardspec_metadata_extract_shard(metadata, index, full, shard, options, error);
}

/// Two ranks that are one: what is sent is received.
shardspec_status exchange(void *, const shardspec_message *sends, std::size_t send_count,
                          const shardspec_message *receives, std::size_t receive_count, shardspec_error *error) {
  if (const auto status = turn(error)) return status;
  CHECK(send_count == receive_count);
  for (std::size_t i = 0; i < send_count; i++) {
    CHECK(sends[i].byte_count == receives[i].byte_count);
    std::memcpy(receives[i].pointer, sends[i].pointer, sends[i].byte_count);
  }
  return SHARDSPEC_OK;
}

shardspec_status progress(void *, std::uint64_t, std::uint64_t, shardspec_error *error) { return turn(error); }
void destroy(void *) { ++destroyed; }

constexpr std::size_t ROWS = 5, COLUMNS = 4;

/// What a scenario is made with, and what its calls write.
struct world {
  shardspec_op *op = nullptr;
  shardspec_spec *spec = nullptr;
  shardspec_comm *comm = nullptr;
  shardspec_checkpoint *checkpoint = nullptr;
  ss::spec chunk = ss::spec::chunk(0, {"rank:0"});
  std::vector<float> numbers = std::vector<float>(ROWS * COLUMNS);
  ss::sharded_tensor argument = ss::sharded_tensor::from_spec(chunk, ss::all_shards, ss::view(numbers));
  std::int64_t shape[2] = {ROWS, COLUMNS};
  shardspec_tensor_view full = view_of(numbers.data(), FLOAT32, shape, 2);

  explicit world(const char *path) {
    const shardspec_spec_vtable vtable = {sizeof vtable, destroy, build_metadata, fill_shard, nullptr, nullptr, 0, 0};
    const shardspec_comm_vtable transport = {
        sizeof transport, destroy, exchange, 0, 0, nullptr, nullptr, nullptr, nullptr, nullptr};
    for (std::size_t i = 0; i < numbers.size(); i++) numbers[i] = static_cast<float>(i);
    CHECK_OK(shardspec_op_register("chunk", "five", run_op, nullptr, destroy, nullptr, &op, &err));
    CHECK_OK(shardspec_spec_new_custom("test.rows", &vtable, nullptr, &spec, &err));
    CHECK_OK(shardspec_comm_new(&transport, nullptr, 0, 2, &comm, &err));
    CHECK_OK(shardspec_checkpoint_open(path, &checkpoint, &err));
  }
  ~world() {
    CHECK_OK(shardspec_op_unregister(op, &err));
    CHECK_OK(shardspec_spec_free(spec, &err));
    CHECK_OK(shardspec_comm_free(comm, &err));
    CHECK_OK(shardspec_checkpoint_free(checkpoint, &err));
  }
  world(const world &) = delete;
  world &operator=(const world &) = delete;
};

/// Makes a call, and once more if a callback failed in it. A failed call leaves what `is_untouched` looks at.
template <class Call, class Untouched>
void make(const Call &call, const Untouched &is_untouched) {
  const int before = failed;
  bool caught = false;
  shardspec_status status = SHARDSPEC_OK;
  try {
    status = call();
  } catch (const thrown &) {
    caught = true;
  }
  if (failed != before) {
    CHECK(caught == (how == throws));
    if (how == returns) {
      CHECK_EQUAL(status, OWN);
      CHECK_TEXT(shardspec_error_message(&err), "not this time");
    }
    CHECK(is_untouched());
    status = call();
  }
  CHECK_EQUAL(status, SHARDSPEC_OK);
  CHECK(!is_untouched());
}

void call_ops(world &w) {
  shardspec_value argument = ss::value(w.argument).c(), called_op{}, dispatched{};
  const shardspec_op_arguments arguments = {sizeof arguments, &argument, 1, nullptr, nullptr, 0, nullptr};
  make([&] { return shardspec_op_call(w.op, w.chunk.get(), &arguments, &called_op, 1, &err); },
       [&] { return called_op.integer == 0; });
  make([&] { return shardspec_op_dispatch(w.chunk.get(), "five", &arguments, &dispatched, 1, &err); },
       [&] { return dispatched.integer == 0; });
}

/// `build_metadata` is called twice, and `fill_shard` for each row and once more.
void use_spec(world &w) {
  shardspec_metadata *metadata = nullptr;
  shardspec_sharded_tensor *tensor = nullptr;
  make([&] { return shardspec_spec_build_metadata(w.spec, w.shape, 2, nullptr, &metadata, &err); },
       [&] { return metadata == nullptr; });
  make([&] {
         return shardspec_sharded_tensor_new_from_spec(w.spec, nullptr, "rank:0", &w.full, nullptr, &tensor, &err);
       },
       [&] { return tensor == nullptr; });
  float row[COLUMNS] = {};
  std::int64_t shape[] = {1, COLUMNS};
  const auto shard = view_of(row, FLOAT32, shape, 2);
  make([&] { return shardspec_spec_fill_shard(w.spec, metadata, 3, &w.full, &shard, nullptr, &err); },
       [&] { return row[1] == 0; });
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

void exchange_messages(world &w) {
  char out = 5, in = 0;
  const shardspec_message send = {1, &out, 1}, receive = {1, &in, 1};
  for (int turn = 0; turn < 3; turn++, in = 0)
    make([&] { return shardspec_comm_exchange(w.comm, &send, 1, &receive, 1, &err); }, [&] { return in == 0; });
}

/// A read may have written elements, `whole` and the report before its progress is refused.
void read_files(world &w) {
  std::vector<float> read(16);
  std::int64_t shape[] = {4, 3};
  const auto view = view_of(read.data(), FLOAT32, shape, 2);
  shardspec_checkpoint_item item = SHARDSPEC_CHECKPOINT_ITEM_INIT;
  item.name = "w", item.shards = &view, item.shard_count = 1;
  shardspec_checkpoint_read_options options{};
  options.struct_size = sizeof options, options.progress = progress;
  bool has_read = false;
  make([&] {
         const auto status = shardspec_checkpoint_read(w.checkpoint, &item, 1, &options, nullptr, nullptr, &err);
         has_read = status == SHARDSPEC_OK;
         return status;
       },
       [&] { return !has_read; });
  CHECK(read[11] == CHECKPOINT_DATA[11]);
}

void run(const char *path) {
  called = destroyed = 0;
  {
    world w(path);
    call_ops(w);
    use_spec(w);
    exchange_messages(w);
    read_files(w);
  }
  CHECK_EQUAL(destroyed, 3);
}

void each_callback_may_fail(const char *path) {
  run(path);
  const int callbacks = called;
  CHECK(callbacks > 12);
  for (const way each : {returns, throws})
    for (int k = 0; k < callbacks; k++) {
      how = each, fails_at = k, failed = 0;
      run(path);
      CHECK_EQUAL(failed, 1);
    }
  std::printf("%d callbacks failed in 2 ways\n", callbacks);
}

}  // namespace

int main() {
  const char *path = checkpoint_path();
  write_safetensors(path, CHECKPOINT_HEADER, CHECKPOINT_DATA, sizeof CHECKPOINT_DATA);
  each_callback_may_fail(path);
  std::remove(path);
  return 0;
}
