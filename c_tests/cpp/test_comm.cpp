/* Communicators and collectives. */
#include "check.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <thread>

/* Runs `body` once for each rank, on a thread of its own. */
static void on_ranks(std::size_t size, const std::function<void(ss::comm &)> &body) {
  auto comms = ss::comm::local(size);
  std::vector<std::thread> threads;
  for (auto &comm : comms) threads.emplace_back([&body, &comm] { body(comm); });
  for (auto &thread : threads) thread.join();
}

static std::vector<std::string> ranks(int count) {
  std::vector<std::string> texts;
  for (int rank = 0; rank < count; ++rank) texts.push_back("rank:" + std::to_string(rank));
  return texts;
}

/* Memory for the shards of a rank. */
struct buffers {
  std::vector<std::vector<float>> data;
  std::vector<ss::tensor_view> views;

  buffers(const ss::metadata &metadata, std::int64_t rank) {
    for (const std::size_t index : metadata.shards_of_rank(rank)) {
      const auto shard = metadata.shard(index);
      data.emplace_back(shard.numel());
      views.push_back(ss::view(data.back(), shard.sizes));
    }
  }
};

static void a_tensor_is_sharded_resharded_and_gathered_across_ranks() {
  const auto rows = ss::spec::chunk(0, ranks(3)).build_metadata({5, 4});
  const auto columns = ss::spec::chunk(1, ranks(3)).build_metadata({5, 4});
  on_ranks(3, [&](ss::comm &comm) {
    const std::int64_t rank = comm.rank();
    CHECK(comm.size() == 3);
    std::vector<float> full(rank == 1 ? 20 : 0), back(20);
    std::iota(full.begin(), full.end(), 1.0f);
    const auto whole = rank == 1 ? ss::view(full, {5, 4}) : ss::tensor_view();
    buffers mine(rows, rank), other(columns, rank);
    comm.scatter(rows, 1, whole, mine.views);
    CHECK(mine.data[0].empty() || mine.data[0][0] == static_cast<float>(8 * rank + 1));
    comm.reshard(rows, mine.views, columns, other.views, ss::comm_options(1024));
    if (!other.data[0].empty()) CHECK(other.data[0][0] == static_cast<float>(2 * rank + 1));
    comm.gather(columns, SHARDSPEC_ALL_RANKS, other.views, ss::view(back, {5, 4}));
    for (std::size_t i = 0; i < 20; ++i) CHECK(back[i] == static_cast<float>(i + 1));
  });
}

static void a_sharded_tensor_carries_the_communicator_that_made_it() {
  const auto rows = ss::spec::chunk(0, ranks(3)).build_metadata(
      {5, 4}, ss::tensor_properties(ss::dtype::of<float>()));
  on_ranks(3, [&](ss::comm &comm) {
    std::vector<float> full(comm.rank() == 2 ? 20 : 0);
    std::iota(full.begin(), full.end(), 1.0f);
    const auto whole = comm.rank() == 2 ? ss::view(full, {5, 4}) : ss::tensor_view();
    const auto mine = ss::sharded_tensor::from_rank(comm, rows, 2, whole, ss::comm_options(64));
    CHECK(mine.local_count() == 1 && mine.metadata() == rows);
    CHECK(*mine.local_view(0).as<float>() == static_cast<float>(8 * comm.rank() + 1));
    {
      const auto lent = mine.comm();
      CHECK(lent && lent->get() == comm.get() && lent->size() == 3);
    }
    CHECK(*mine.comm(std::nothrow) && comm.rank() >= 0); /* still the caller's */
  });
  const auto alone = ss::sharded_tensor::zeros(rows, "rank:0");
  CHECK(!alone.comm() && alone.comm()->get() == nullptr);
}

static void a_tensor_that_one_rank_can_not_shard_is_made_on_none() {
  const auto rows = ss::spec::chunk(0, ranks(2)).build_metadata(
      {4}, ss::tensor_properties(ss::dtype::of<float>()));
  on_ranks(2, [&](ss::comm &comm) {
    std::vector<float> short_one(3);
    const auto made = ss::sharded_tensor::from_rank(comm, rows, 0, ss::view(short_one), {},
                                                    std::nothrow);
    CHECK(status_of(made) ==
          (comm.rank() == 0 ? SHARDSPEC_SHAPE_MISMATCH : SHARDSPEC_DISAGREEMENT));
    CHECK(made.error().got == (comm.rank() == 0 ? 3 : 0));
  });
  const auto untyped = ss::spec::chunk(0, ranks(1)).build_metadata({4});
  const auto group = ss::comm::local(1);
  std::vector<float> full(4);
  CHECK_REFUSED(INVALID_ARGUMENT,
                ss::sharded_tensor::from_rank(group[0], untyped, 0, ss::view(full)));
}

static void when_one_rank_disagrees_all_are_told() {
  const auto rows = ss::spec::chunk(0, ranks(2)).build_metadata({4});
  on_ranks(2, [&](ss::comm &comm) {
    buffers mine(rows, comm.rank());
    std::vector<float> short_one(3);
    if (comm.rank() == 0) {
      CHECK_REFUSED(SHAPE_MISMATCH, comm.scatter(rows, 0, ss::view(short_one), mine.views));
    } else {
      const auto told = comm.scatter(rows, 0, {}, mine.views, {}, std::nothrow);
      CHECK(status_of(told) == SHARDSPEC_DISAGREEMENT && told.error().got == 0);
    }
  });
}

static void a_rank_that_can_not_call_tells_the_others_why() {
  const auto rows = ss::spec::chunk(0, ranks(2)).build_metadata({4});
  on_ranks(2, [&](ss::comm &comm) {
    buffers mine(rows, comm.rank());
    if (comm.rank() == 0) {
      comm.decline(SHARDSPEC_NOT_FOUND, "weights.bin: no such file");
      CHECK_REFUSED(INVALID_ARGUMENT, comm.decline(SHARDSPEC_OK, "all is well"));
    } else for (int time = 0; time < 2; ++time) {
      const auto told = comm.gather(rows, 0, mine.views, {}, {}, std::nothrow);
      CHECK(status_of(told) == SHARDSPEC_DISAGREEMENT && told.error().got == 0);
      CHECK(told.error().limit == (time == 0 ? SHARDSPEC_NOT_FOUND : SHARDSPEC_INVALID_ARGUMENT));
      if (time == 0) CHECK(holds(told.error().what(), "rank 0: weights.bin: no such file;"));
    }
  });
}

static void messages_of_ones_own_are_exchanged() {
  on_ranks(2, [](ss::comm &comm) {
    const std::int64_t rank = comm.rank();
    std::int64_t sent = rank + 10, received = 0;
    const shardspec_message send{1 - rank, &sent, sizeof sent};
    const shardspec_message receive{1 - rank, &received, sizeof received};
    comm.exchange({send}, {receive});
    CHECK(received == 11 - rank);
  });
}

static void an_exchange_goes_on_while_ranks_do_something_else() {
  // Until rank 1 starts, the exchange of rank 0 can't end.
  std::atomic<bool> was_refused{false};
  on_ranks(2, [&](ss::comm &comm) {
    const std::int64_t rank = comm.rank();
    while (rank == 1 && !was_refused) std::this_thread::yield();
    std::int64_t sent = rank + 10, received = 0;
    const shardspec_message send{1 - rank, &sent, sizeof sent};
    const shardspec_message receive{1 - rank, &received, sizeof received};
    const auto request = comm.exchange_start({send}, {receive});
    if (rank == 0) {
      CHECK_REFUSED(INVALID_ARGUMENT, comm.exchange({send}, {receive}));
      was_refused = true;
      while (!request.test()) std::this_thread::yield();
    }
    request.wait();
    CHECK(request.test() && received == 11 - rank);
  });
}

static void a_request_that_goes_early_leaves_no_rank_waiting() {
  on_ranks(2, [](ss::comm &comm) {
    std::int64_t received = 0;
    const shardspec_message receive{1 - comm.rank(), &received, sizeof received};
    const auto request = comm.exchange_start({}, {receive});
    if (comm.rank() == 0) return;
    const auto waited = request.wait(std::nothrow);
    CHECK(status_of(waited) == SHARDSPEC_TRANSPORT_FAILED);
    CHECK(holds(waited.error().what(), "a request was freed before it was complete"));
  });
}

static void a_group_uses_layouts_that_name_other_ranks() {
  const auto rows = ss::spec::chunk(0, {"rank:7", "rank:4"}).build_metadata({4});
  on_ranks(3, [&](ss::comm &comm) {
    CHECK(comm.placement_rank(2) == 2);
    if (comm.rank() == 1) {
      CHECK_REFUSED(INVALID_ARGUMENT, comm.group({0, 2}));
      CHECK_REFUSED(INVALID_ARGUMENT, comm.group({0, 1}, {4}));
      return;
    }
    const auto group = comm.group({2, 0}, {4, 7});
    CHECK(group.size() == 2 && group.placement_rank(0) == 4 && group.placement_rank(1) == 7);
    const std::int64_t own = group.placement_rank(group.rank());
    CHECK(own == (comm.rank() == 0 ? 7 : 4));
    std::vector<float> full = {1, 2, 3, 4};
    buffers mine(rows, own);
    group.scatter(rows, 7, own == 7 ? ss::view(full) : ss::tensor_view(), mine.views);
    CHECK(mine.data[0][0] == (own == 7 ? 1.0f : 3.0f));
    CHECK(comm.group({0, 2}).placement_rank(1) == 2);
    CHECK(ss::comm::local(2)[0].group({}, {30, 40}).placement_rank(1) == 40);
  });
}

/* Wraps another communicator, and counts. */
struct counting {
  const ss::comm *inner;
  std::shared_ptr<std::size_t> sent;

  void exchange(ss::messages sends, ss::messages receives) const {
    *sent += sends.size();
    inner->exchange(sends, receives);
  }
};

/* Says where ranks are. */
struct placed : counting {
  std::int64_t node(std::int64_t rank) const noexcept { return rank / 2; }
};

static void ranks_are_on_nodes() {
  const auto comms = ss::comm::local_on_nodes({5, 5, 3});
  CHECK(comms.size() == 3 && comms[2].node(0) == 5 && comms[0].node(2) == 3);
  CHECK(ss::comm::local(1)[0].node(0) < 0);
  CHECK_REFUSED(INVALID_ARGUMENT, ss::comm::local_on_nodes({5, -1}));
  const auto sent = std::make_shared<std::size_t>(0);
  CHECK(ss::comm::custom(0, 4, placed{{nullptr, sent}}).node(3) == 1);
}

static void a_transport_may_be_any_object() {
  const auto rows = ss::spec::chunk(0, ranks(2)).build_metadata({4});
  const auto sent = std::make_shared<std::size_t>(0);
  on_ranks(2, [&](ss::comm &inner) {
    const std::int64_t rank = inner.rank();
    const auto mine = std::make_shared<std::size_t>(0);
    {
      const auto comm = ss::comm::custom(rank, 2, counting{&inner, mine});
      std::vector<float> full = {1, 2, 3, 4};
      buffers shards(rows, rank);
      comm.scatter(rows, 0, ss::view(full), shards.views);
      CHECK(shards.data[0][0] == static_cast<float>(2 * rank + 1) && *mine > 0);
      CHECK(mine.use_count() == 2);
    }
    CHECK(mine.use_count() == 1);
  });
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, ss::comm::custom(2, 2, counting{nullptr, sent}));
  CHECK(sent.use_count() == 1);
}

/* Can be ended by any rank, and says who ended it. */
struct ending : counting {
  std::shared_ptr<std::string> why;

  void abort(const char *reason) const noexcept {
    *why = reason;
    CHECK(inner->abort(reason, std::nothrow));
  }
};

/* Starts exchanges, and counts those that have gone. */
struct starting : counting {
  struct started {
    ss::request inner;
    std::shared_ptr<std::size_t> gone;
    bool test() const { return inner.test(); }
    void wait() const { inner.wait(); }
    started(ss::request &&request, std::shared_ptr<std::size_t> count)
        : inner(std::move(request)), gone(std::move(count)) {}
    started(started &&) noexcept = default;
    ~started() {
      if (gone) ++*gone;
    }
  };
  bool fails = false;

  started start(ss::messages sends, ss::messages receives) const {
    if (fails) throw std::underflow_error("the cable is out");
    return started(inner->exchange_start(sends, receives), sent);
  }
};

/* The same without exceptions. */
struct starting_quietly : counting {
  struct started {
    ss::request inner;
    ss::result<bool> test() const { return inner.test(std::nothrow); }
    ss::result<void> wait() const { return inner.wait(std::nothrow); }
  };
  ss::result<started> start(ss::messages sends, ss::messages receives) const {
    auto request = inner->exchange_start(sends, receives, std::nothrow);
    if (!request) return request.error();
    return started{*std::move(request)};
  }
};

template <class Transport> static void go_on_over(const Transport &made) {
  on_ranks(2, [&](ss::comm &inner) {
    const std::int64_t rank = inner.rank();
    Transport transport = made;
    transport.inner = &inner;
    transport.sent = std::make_shared<std::size_t>(0);
    const auto comm = ss::comm::custom(rank, 2, transport);
    for (int wait = 0; wait < 2; ++wait) {
      std::int64_t sent = rank + 10, received = 0;
      const shardspec_message send{1 - rank, &sent, sizeof sent};
      const shardspec_message receive{1 - rank, &received, sizeof received};
      const auto request = comm.exchange_start({send}, {receive});
      if (wait == 0) while (!request.test()) std::this_thread::yield();
      request.wait();
      CHECK(received == 11 - rank);
      if (std::is_same_v<Transport, starting>) CHECK(*transport.sent == static_cast<std::size_t>(wait) + 1);
    }
  });
}

static void a_transport_may_start_exchanges() {
  go_on_over(starting{{nullptr, nullptr}, false});
  go_on_over(starting_quietly{{nullptr, nullptr}});
  const auto failing = ss::comm::custom(0, 2, starting{{nullptr, nullptr}, true});
  std::int64_t place = 0;
  const auto request = failing.exchange_start({}, {shardspec_message{1, &place, sizeof place}});
  const auto waited = request.wait(std::nothrow);
  CHECK(!waited && holds(waited.error().what(), "the cable is out"));
  /* What has not ended is waited for where it can't be aborted. */
  on_ranks(2, [](ss::comm &inner) {
    const auto sent = std::make_shared<std::size_t>(0);
    const auto comm = ss::comm::custom(inner.rank(), 2, starting{{&inner, sent}, false});
    std::int64_t number = 7 + inner.rank(), other = 0;
    const shardspec_message send{1 - inner.rank(), &number, sizeof number};
    const shardspec_message receive{1 - inner.rank(), &other, sizeof other};
    { const auto dropped = comm.exchange_start({send}, {receive}); }
    CHECK(other == 8 - inner.rank() && *sent == 1);
  });
}

static void a_rank_that_can_not_start_says_why() {
  on_ranks(2, [](ss::comm &comm) {
    const auto request = comm.rank() == 0 ? comm.decline_start(SHARDSPEC_NOT_FOUND, "no such file")
                                          : ss::start_transfer(comm, ss::tensor_batch());
    const auto waited = request.wait(std::nothrow);
    CHECK(waited.has_value() == (comm.rank() == 0));
    if (!waited) {
      CHECK(status_of(waited) == SHARDSPEC_DISAGREEMENT);
      CHECK(holds(waited.error().what(), "no such file"));
    }
  });
}

static void a_rank_that_gives_up_ends_it_for_all() {
  on_ranks(2, [](ss::comm &inner) {
    const auto why = std::make_shared<std::string>();
    const auto sent = std::make_shared<std::size_t>(0);
    const auto comm = ss::comm::custom(inner.rank(), 2, ending{{&inner, sent}, why});
    std::int64_t number = 0;
    const shardspec_message receive{1 - inner.rank(), &number, sizeof number};
    if (inner.rank() == 0) {
      comm.abort("out of paper");
      CHECK_TEXT(why->c_str(), "out of paper");
    } else {
      const auto waited = comm.exchange({}, {receive}, std::nothrow);
      CHECK(status_of(waited) == SHARDSPEC_TRANSPORT_FAILED);
      CHECK(holds(waited.error().what(), "out of paper"));
    }
  });
}

static void what_a_transport_throws_comes_out_of_the_collective() {
  const auto comm = ss::comm::custom(
      0, 2, [](ss::messages, ss::messages) { throw std::underflow_error("the cable is out"); });
  std::vector<float> full(4), shard(2);
  const auto rows = ss::spec::chunk(0, ranks(2)).build_metadata({4});
  try {
    comm.scatter(rows, 0, ss::view(full), {ss::view(shard)});
    FAIL("nothing was thrown");
  } catch (const std::underflow_error &original) {
    CHECK_TEXT(original.what(), "the cable is out");
  }
  const auto quiet = comm.scatter(rows, 0, ss::view(full), {ss::view(shard)}, {}, std::nothrow);
  CHECK(!quiet && quiet.error().cause);
}

/* Throws in one of its exchanges, and tells the others. */
struct breaking {
  const ss::comm *inner;
  std::shared_ptr<int> countdown;

  void exchange(ss::messages sends, ss::messages receives) const {
    if ((*countdown)-- == 0) throw std::underflow_error("the cable is out");
    inner->exchange(sends, receives);
  }
  void abort(const char *reason) const { inner->abort(reason); }
};

static void a_rank_that_throws_leaves_no_other_waiting() {
  const auto rows = ss::spec::chunk(0, ranks(2)).build_metadata({4});
  for (int fails = 0; fails < 2; ++fails) on_ranks(2, [&](ss::comm &inner) {
    const std::int64_t rank = inner.rank();
    const auto comm = ss::comm::custom(
        rank, 2, breaking{&inner, std::make_shared<int>(rank == 0 ? fails : -1)});
    std::vector<float> full(4);
    buffers shards(rows, rank);
    const auto done = comm.gather(rows, SHARDSPEC_ALL_RANKS, shards.views, ss::view(full), {}, std::nothrow);
    CHECK(!done);
    if (rank == 1) {
      CHECK(status_of(done) == SHARDSPEC_TRANSPORT_FAILED);
      CHECK_TEXT(done.error().what(), "rank 0 aborted: the cable is out");
    }
  });
}

static void every_call_on_an_empty_handle_is_refused() {
  const ss::comm comm;
  const ss::metadata metadata;
  const shardspec_status missing = SHARDSPEC_NULL_ARGUMENT;
  const auto &quiet = std::nothrow;
  CHECK(status_of(comm.rank(quiet)) == missing && status_of(comm.size(quiet)) == missing);
  CHECK(status_of(comm.exchange({}, {}, quiet)) == missing);
  CHECK(status_of(comm.abort("", quiet)) == missing);
  CHECK(status_of(comm.decline(1, "", quiet)) == missing);
  CHECK(status_of(comm.gather(metadata, 0, {}, {}, {}, quiet)) == missing);
  CHECK(status_of(comm.reshard(metadata, {}, metadata, {}, {}, quiet)) == missing);
  CHECK(status_of(ss::sharded_tensor::from_rank(comm, metadata, 0, {}, {}, quiet)) == missing);
  CHECK(status_of(ss::sharded_tensor().comm(quiet)) == missing);
  CHECK(status_of(ss::comm::local(0, quiet)) == SHARDSPEC_INVALID_ARGUMENT);
}

int main() {
  a_tensor_is_sharded_resharded_and_gathered_across_ranks();
  a_sharded_tensor_carries_the_communicator_that_made_it();
  a_tensor_that_one_rank_can_not_shard_is_made_on_none();
  when_one_rank_disagrees_all_are_told();
  a_rank_that_can_not_call_tells_the_others_why();
  messages_of_ones_own_are_exchanged();
  an_exchange_goes_on_while_ranks_do_something_else();
  a_request_that_goes_early_leaves_no_rank_waiting();
  a_group_uses_layouts_that_name_other_ranks();
  ranks_are_on_nodes();
  a_transport_may_be_any_object();
  a_transport_may_start_exchanges();
  a_rank_that_can_not_start_says_why();
  a_rank_that_gives_up_ends_it_for_all();
  what_a_transport_throws_comes_out_of_the_collective();
  a_rank_that_throws_leaves_no_other_waiting();
  every_call_on_an_empty_handle_is_refused();
}
