/* Batches of tensors between ranks. */
#include "check.hpp"

#include <functional>
#include <numeric>
#include <thread>

static void on_ranks(std::size_t size, const std::function<void(ss::comm &)> &body) {
  auto comms = ss::comm::local(size);
  std::vector<std::thread> threads;
  for (auto &comm : comms) threads.emplace_back([&body, &comm] { body(comm); });
  for (auto &thread : threads) thread.join();
}

/* A weight of 4 x 6, row r on rank r / 2, and the same by columns. */
static const std::vector<std::string> two = {"rank:0", "rank:1"};

static void fill_rows(std::vector<float> &row, std::int64_t rank) {
  std::iota(row.begin(), row.end(), static_cast<float>(12 * rank));
}

static bool are_columns(const std::vector<float> &column, std::int64_t rank) {
  for (std::size_t i = 0; i < column.size(); ++i)
    if (column[i] != static_cast<float>(i / 3 * 6 + i % 3 + 3 * static_cast<std::size_t>(rank))) return false;
  return true;
}

static void a_batch_moves_once_or_again() {
  const auto rows = ss::spec::chunk(0, two).build_metadata({4, 6});
  const auto columns = ss::spec::chunk(1, two).build_metadata({4, 6});
  const auto moves = ss::plan::between(rows, columns);
  on_ranks(2, [&](ss::comm &comm) {
    const std::int64_t rank = comm.rank();
    std::vector<float> row(12), first(12), second(12), third(12);
    fill_rows(row, rank);
    const auto from = ss::view(row, {2, 6});
    ss::tensor_batch batch;
    batch.add("q", rows, {from}, columns, {ss::view(first, {4, 3})});
    batch.add(std::string("k"), moves, {from}, {ss::view(second, {4, 3})}, ss::dtype::of<float>());
    CHECK(batch.size() == 2);
    ss::transfer_once(comm, batch);
    CHECK(are_columns(first, rank) && are_columns(second, rank));
    const auto prepared = ss::transfer::prepare(comm, batch, ss::comm_options(1024));
    first.assign(12, 0.0f);
    prepared.run(comm);
    CHECK(are_columns(first, rank));
    ss::tensor_batch other;
    other.add({from}, {ss::view(third, {4, 3})}).add({from}, {ss::view(second, {4, 3})});
    prepared.run(comm, other);
    CHECK(are_columns(third, rank));
    CHECK(prepared.fingerprint() == ss::transfer::prepare(comm, batch).fingerprint());
  });
}

static void a_transfer_goes_on_while_ranks_compute() {
  const auto rows = ss::spec::chunk(0, two).build_metadata({4, 6});
  const auto columns = ss::spec::chunk(1, two).build_metadata({4, 6});
  on_ranks(2, [&](ss::comm &comm) {
    const std::int64_t rank = comm.rank();
    std::vector<float> row(12), first(12), second(12);
    fill_rows(row, rank);
    ss::tensor_batch batch, other, wrong;
    batch.add("q", rows, {ss::view(row, {2, 6})}, columns, {ss::view(first, {4, 3})});
    other.add({ss::view(row, {2, 6})}, {ss::view(second, {4, 3})});
    wrong.add({}, {ss::view(second, {4, 3})});
    const auto once = ss::start_transfer(comm, batch);
    int steps = 0;
    while (!once.test()) ++steps, std::this_thread::yield();
    CHECK(are_columns(first, rank) && steps >= 0);
    const auto prepared = ss::transfer::prepare(comm, batch);
    first.assign(12, 0.0f);
    prepared.start(comm).wait();
    CHECK(are_columns(first, rank));
    const auto refused = prepared.start(comm, rank == 0 ? wrong : other).wait(std::nothrow);
    CHECK(status_of(refused) == (rank == 0 ? SHARDSPEC_INVALID_ARGUMENT : SHARDSPEC_DISAGREEMENT));
    CHECK(second[0] == 0.0f);
    prepared.start(comm, other).wait();
    CHECK(are_columns(second, rank));
  });
}

static void collectives_and_preparations_are_started() {
  const auto rows = ss::spec::chunk(0, two).build_metadata({4, 6});
  const auto columns = ss::spec::chunk(1, two).build_metadata({4, 6});
  on_ranks(2, [&](ss::comm &comm) {
    const std::int64_t rank = comm.rank();
    std::vector<float> full(24), row(12), column(12), back(24);
    std::iota(full.begin(), full.end(), 0.0f);
    comm.scatter_start(rows, 1, ss::view(full, {4, 6}), {ss::view(row, {2, 6})}).wait();
    comm.reshard_start(rows, {ss::view(row, {2, 6})}, columns, {ss::view(column, {4, 3})}).wait();
    CHECK(are_columns(column, rank));
    const auto gathered =
        comm.gather_start(columns, SHARDSPEC_ALL_RANKS, {ss::view(column, {4, 3})}, ss::view(back, {4, 6}));
    while (!gathered.test()) std::this_thread::yield();
    CHECK(back == full);
    ss::tensor_batch batch;
    batch.add("q", rows, {ss::view(row, {2, 6})}, columns, {ss::view(column, {4, 3})});
    const auto prepared = ss::start_preparation(comm, batch);
    prepared.agreement.wait();
    column.assign(12, 0.0f);
    prepared.made.run(comm);
    CHECK(are_columns(column, rank));
  });
}

static void a_tensor_that_differs_is_named() {
  const auto rows = ss::spec::chunk(0, two).build_metadata({4, 6});
  const auto columns = ss::spec::chunk(1, two).build_metadata({4, 6});
  on_ranks(2, [&](ss::comm &comm) {
    std::vector<float> row(12), column(12);
    ss::tensor_batch batch;
    batch.add(comm.rank() == 0 ? "q" : "k", rows, {ss::view(row, {2, 6})}, columns,
              {ss::view(column, {4, 3})});
    const auto told = ss::transfer_once(comm, batch, {}, std::nothrow);
    CHECK(status_of(told) == SHARDSPEC_DISAGREEMENT);
    const std::string message = told.error().what();
    CHECK(message.find("'q'") != std::string::npos && message.find("'k'") != std::string::npos);
  });
}

int main() {
  a_batch_moves_once_or_again();
  a_transfer_goes_on_while_ranks_compute();
  collectives_and_preparations_are_started();
  a_tensor_that_differs_is_named();
  return 0;
}
