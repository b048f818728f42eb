/* Four ranks, as threads of this program. Rank 0 has a matrix; every rank gets rows of it, an op that
 * is a lambda works on them, and then the matrix is cut anew, by columns, and put together. */
#include <shardspec.hpp>

#include <algorithm>
#include <iostream>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t RANKS = 4, HEIGHT = 6, WIDTH = 8;
const std::vector<std::int64_t> SHAPE = {HEIGHT, WIDTH};

// What one rank does. `matrix` is the whole one where it is, and empty elsewhere.
std::vector<float> work(const shardspec::comm &comm, const shardspec::const_tensor_view &matrix) {
  const std::vector<std::string> ranks = {"rank:0", "rank:1", "rank:2", "rank:3"};
  const std::string me = "rank:" + std::to_string(comm.rank());
  const shardspec::tensor_properties floats(shardspec::dtype::of<float>());

  const auto by_rows = shardspec::spec::chunk(0, ranks);
  const auto rows = by_rows.build_metadata(SHAPE, floats);
  const auto my_rows = shardspec::sharded_tensor::from_rank(comm, rows, 0, matrix);

  shardspec::dispatch(by_rows, "example.scale", {my_rows, 0.5});

  const auto columns = shardspec::spec::chunk(1, ranks).build_metadata(SHAPE, floats);
  const auto my_columns = shardspec::sharded_tensor::empty(columns, me);
  comm.reshard(rows, my_rows.local_views(), columns, my_columns.local_views());

  std::vector<float> whole(HEIGHT * WIDTH);
  comm.gather(columns, SHARDSPEC_ALL_RANKS, my_columns.local_views(),
              shardspec::view(whole, SHAPE));
  return whole;
}

}  // namespace

int main() try {
  std::vector<float> matrix(HEIGHT * WIDTH);
  std::iota(matrix.begin(), matrix.end(), 0.0f);

  // An op for whatever a chunk spec cuts. It ends with this object.
  const auto scale = shardspec::register_op(
      "chunk", "example.scale",
      [](const shardspec::spec &, const shardspec::op_arguments &arguments,
         shardspec::op_output &) {
        const auto factor = arguments.get<float>(1);
        for (const auto &shard : arguments.get<shardspec::sharded_tensor>(0)->local_views()) {
          const auto first = shard.as<float>();
          std::transform(first, first + shard.numel(), first, [&](float x) { return x * factor; });
        }
      });

  std::vector<std::vector<float>> answers(RANKS);
  auto comms = shardspec::comm::local(RANKS);
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < RANKS; ++rank)
    // A rank that ends early frees its communicator, and nobody waits for it.
    threads.emplace_back([&, rank, comm = std::move(comms[rank])] {
      const auto whole = shardspec::view(matrix, SHAPE);
      try {
        answers[rank] = work(comm, rank == 0 ? whole : shardspec::tensor_view());
      } catch (const std::exception &problem) {
        std::cerr << "rank " << rank << ": " << problem.what() << "\n";
      }
    });
  for (auto &thread : threads) thread.join();

  for (float &x : matrix) x *= 0.5f;
  for (const auto &answer : answers)
    if (answer != matrix) return std::cerr << "a rank has another matrix\n", 1;
  std::cout << RANKS << " ranks cut " << HEIGHT << " x " << WIDTH
            << " by rows, scaled it, cut it by columns, and all have the same\n";
} catch (const std::exception &problem) {
  std::cerr << "shard: " << problem.what() << "\n";
  return 1;
}
