/* Plans: what moves from one layout to another, and moving it. */
#include "check.hpp"

#include <numeric>

static constexpr std::int64_t ROWS = 5, COLUMNS = 6;

static std::vector<std::string> ranks(std::size_t count) {
  std::vector<std::string> texts;
  for (std::size_t rank = 0; rank < count; ++rank) texts.push_back("rank:" + std::to_string(rank));
  return texts;
}

/* The tensor cut along a dimension. */
static ss::metadata layout(std::int64_t dim, std::size_t count,
                           const ss::tensor_properties &properties = {}) {
  return ss::spec::chunk(dim, ranks(count)).build_metadata({ROWS, COLUMNS}, properties);
}

static std::vector<float> full() {
  std::vector<float> elements(ROWS * COLUMNS);
  std::iota(elements.begin(), elements.end(), 1.0f);
  return elements;
}

/* Memory for all shards of a layout, each of them filled where `from` is a tensor. */
struct buffers {
  std::vector<std::vector<float>> data;
  std::vector<ss::tensor_view> views;

  explicit buffers(const ss::metadata &metadata, const std::vector<float> &from = {}) {
    for (const ss::shard &shard : metadata.shards()) {
      data.emplace_back(shard.numel());
      views.push_back(ss::view(data.back(), shard.sizes));
    }
    if (!from.empty()) metadata.scatter(ss::view(from, {ROWS, COLUMNS}), views);
  }
};

static void a_plan_outlives_its_metadata() {
  ss::plan plan;
  {
    const auto rows = layout(0, 2), columns = layout(1, 3);
    plan = ss::plan::between(rows, columns);
  }
  CHECK(plan.piece_count() == 6 && plan.ndim() == 2 && !plan.is_local() && !plan.is_identity());
  const auto pieces = plan.pieces();
  CHECK(pieces.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) {
    const auto column = static_cast<std::int64_t>(i / 2), half = static_cast<std::int64_t>(i % 2);
    CHECK(pieces[i].destination == i / 2 && pieces[i].source == i % 2);
    CHECK(pieces[i].source_offsets == (std::vector<std::int64_t>{0, 2 * column}));
    CHECK(pieces[i].destination_offsets == (std::vector<std::int64_t>{3 * half, 0}));
    CHECK(pieces[i].sizes == (std::vector<std::int64_t>{half == 0 ? 3 : 2, 2}));
  }
}

static void a_destination_is_asked_for_its_pieces() {
  const auto plan = ss::plan::between(layout(0, 2), layout(1, 3));
  const ss::piece_range part = plan.pieces_of_destination(2);
  CHECK(part.first == 4 && part.count == 2);
  const auto pieces = plan.pieces(part);
  CHECK(pieces.size() == 2 && pieces[1].destination == 2 && pieces[1].source == 1);
  const auto all = plan.table(), some = plan.table(part);
  CHECK(all.ndim == 2 && all.sources.size() == 6 && all.sizes.size() == 12);
  CHECK(some.destinations == (std::vector<std::size_t>{2, 2}));
  CHECK(some.source_offsets == (std::vector<std::int64_t>{0, 4, 0, 4}));
  CHECK(some.destination_offsets == (std::vector<std::int64_t>{0, 0, 3, 0}));
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, plan.pieces_of_destination(3));
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, plan.pieces({3, 4}));
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, plan.table({0, SIZE_MAX}));
  CHECK(plan.pieces({6, 0}).empty());
}

static void equal_layouts_need_nothing() {
  const auto plan = ss::plan::between(layout(0, 4), layout(-2, 4));
  CHECK(plan.is_local() && plan.is_identity());
}

static void tensors_of_other_layouts_than_the_plans_are_refused() {
  const ss::tensor_properties floats(ss::dtype::of<float>());
  const auto rows = layout(0, 2, floats), columns = layout(1, 2, floats);
  const auto plan = ss::plan::between(rows, columns);
  CHECK(plan.fingerprints()[0] == rows.fingerprint() && plan.fingerprints()[1] == columns.fingerprint());
  std::vector<float> numbers = full(), back(numbers.size());
  const auto from = ss::sharded_tensor::from_full(rows, nullptr, ss::view(numbers, {ROWS, COLUMNS}));
  const auto to = ss::sharded_tensor::zeros(columns, nullptr);
  plan.execute_sharded_tensors(from, to);
  to.gather(ss::view(back, {ROWS, COLUMNS}));
  CHECK(back == numbers);
  CHECK_REFUSED(INVALID_ARGUMENT, plan.execute_sharded_tensors(to, from));
}

static void sources_on_the_node_of_the_destination_are_read() {
  const ss::shard_list copies = ss::shard_list::of(
      {ss::shard{{0, 0}, {ROWS, COLUMNS}, "rank:2"}, ss::shard{{0, 0}, {ROWS, COLUMNS}, "rank:3"}});
  const auto plan = ss::plan::between(copies, ss::shard_list::of(layout(1, 2)));
  const auto near = plan.on_nodes({7, 4, 4, 7});
  const auto pieces = near.pieces();
  CHECK(pieces.size() == 2 && pieces[0].source == 1 && pieces[1].source == 0);
  CHECK(near.fingerprints() == plan.fingerprints());
}

static void layouts_of_different_tensors_are_refused() {
  const auto narrow = ss::spec::chunk(0, ranks(2)).build_metadata({ROWS, COLUMNS - 1});
  const auto error = CHECK_REFUSED(SHAPE_MISMATCH, ss::plan::between(layout(0, 2), narrow));
  CHECK(error.dim == 1 && error.got == COLUMNS - 1 && error.limit == COLUMNS);
  const auto floats = layout(0, 2, ss::tensor_properties(ss::dtype::of<float>()));
  const auto doubles = layout(1, 2, ss::tensor_properties(ss::dtype::of<double>()));
  CHECK_REFUSED(DTYPE_MISMATCH, ss::plan::between(floats, doubles));
  CHECK(status_of(ss::plan::between(floats, narrow, std::nothrow)) == SHARDSPEC_SHAPE_MISMATCH);
}

static void a_plan_moves_shards_to_where_they_belong() {
  const auto rows = layout(0, 4), columns = layout(1, 4);
  const buffers from(rows, full()), wanted(columns, full());
  buffers to(columns);
  const auto plan = ss::plan::between(rows, columns);
  plan.execute(from.views, to.views);
  CHECK(to.data == wanted.data);
}

static void some_destinations_take_what_they_need_by_index() {
  const auto rows = layout(0, 4), columns = layout(1, 4);
  const buffers from(rows, full()), wanted(columns, full());
  buffers to(columns);
  const std::vector<std::size_t> only = {1};
  const auto plan = ss::plan::for_destinations(rows, columns, only);
  const std::vector<ss::const_tensor_view> shuffled = {from.views[2], from.views[0], from.views[1]};
  plan.execute({2, 0, 1}, shuffled, only, {to.views[1]}, ss::copy_options(1));
  CHECK(to.data[1] == wanted.data[1] && to.data[0] == std::vector<float>(10, 0));
  plan.execute({}, from.views, {1}, {to.views[1]});
  CHECK(ss::plan::for_destinations(rows, columns, {2, 0}).piece_count() == 6);
  CHECK_REFUSED(NOT_FOUND, plan.execute(from.views, to.views));
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, ss::plan::for_destinations(rows, columns, {4}));
}

static void what_can_not_be_executed_writes_nothing() {
  const auto rows = layout(0, 4), columns = layout(1, 4);
  const buffers from(rows, full());
  buffers to(columns);
  const auto untouched = to.data;
  const auto plan = ss::plan::between(rows, columns);
  const auto missing =
      CHECK_REFUSED(NOT_FOUND, plan.execute({0, 1}, {from.views[0], from.views[1]}, {}, to.views));
  CHECK(holds(missing.what(), "source 2"));
  const auto uneven = CHECK_REFUSED(
      INVALID_ARGUMENT, plan.execute({0, 1, 2}, {from.views[0], from.views[1]}, {}, to.views));
  CHECK(holds(uneven.what(), "sources: 2 views; pass 3"));
  CHECK_REFUSED(INVALID_ARGUMENT, plan.execute({}, from.views, {0}, to.views));
  CHECK_REFUSED(INVALID_ARGUMENT, plan.execute({}, from.views, {0, 0}, {to.views[0], to.views[0]}));
  auto crossed = from.views;
  std::swap(crossed[0], crossed[2]);
  const auto shape = plan.execute(crossed, to.views, {}, std::nothrow);
  CHECK(status_of(shape) == SHARDSPEC_SHAPE_MISMATCH && shape.error().first_shard == 0);
  const auto same_memory = ss::view(from.views[0].as<float>(), {5, 2});
  CHECK_REFUSED(ALIASED, plan.execute({}, from.views, {0}, {same_memory}));
  CHECK(to.data == untouched);
}

static void replicas_share_the_work_and_what_nobody_has_is_named() {
  const auto copies = ss::shard_list::of({{{0, 0}, {4, 6}, "rank:0"}, {{0, 0}, {4, 6}, "rank:1"}});
  const auto wanted = ss::shard_list::of({{{0, 0}, {4, 6}, "rank:7"}});
  const auto plan = ss::plan::between(copies, wanted);
  const auto pieces = plan.pieces();
  CHECK(pieces.size() == 2 && pieces[0].source == 0 && pieces[1].source == 1);
  CHECK(pieces[0].sizes[0] == 2 && pieces[1].sizes[0] == 2);
  const auto more = ss::shard_list::of({{{2, 0}, {4, 6}, "rank:7"}});
  const auto error = CHECK_REFUSED(GAP, ss::plan::between(copies, more));
  CHECK(error.first_shard == 0 && holds(error.what(), "[4:6, 0:6]"));
  CHECK(status_of(ss::plan::between(copies, more, std::nothrow)) == SHARDSPEC_GAP);
}

static void pictures_are_text_or_svg() {
  const ss::metadata rows = layout(0, 2), columns = layout(1, 2);
  const std::string text = rows.draw();
  CHECK(text.find("rank 1") != std::string::npos && text.find('\x1b') == std::string::npos);
  ss::draw_options svg(ss::picture::svg);
  svg.background = ss::theme::dark;
  CHECK(rows.draw(svg).find("<svg") == 0);
  ss::draw_options some;
  some.color = true, some.ascii = true, some.width = 60;
  some.axes = {1, 0};
  some.window_offsets = {0, 2}, some.window_sizes = {4, 4};
  const std::string colored = rows.draw(some);
  CHECK(colored.find('\x1b') != std::string::npos && colored.find("dim 1 down, dim 0 across") != std::string::npos);
  CHECK(rows.draw_diff(columns).find("50 % of the elements") != std::string::npos);
  CHECK(ss::plan::between(rows, columns).draw().find("15 elements between owners") != std::string::npos);
  const ss::shard_list gap = ss::shard_list::of({{{0}, {3}, "rank:0"}});
  CHECK(gap.draw({5}).find("Gap: 2 elements without an owner.") != std::string::npos);
  some.window_sizes = {4};
  CHECK(status_of(rows.draw(some, std::nothrow)) == SHARDSPEC_INVALID_ARGUMENT);
  some.window_sizes = {4, 5};
  CHECK_REFUSED(INVALID_ARGUMENT, rows.draw(some));
}

static void every_call_on_an_empty_handle_is_refused() {
  const ss::plan plan;
  const ss::metadata metadata;
  const ss::shard_list list;
  const shardspec_status missing = SHARDSPEC_NULL_ARGUMENT;
  const auto &quiet = std::nothrow;
  CHECK(status_of(ss::plan::between(metadata, metadata, quiet)) == missing);
  CHECK(status_of(ss::plan::between(list, list, quiet)) == missing);
  CHECK(status_of(ss::plan::for_destinations(metadata, metadata, {0}, quiet)) == missing);
  CHECK(status_of(plan.piece_count(quiet)) == missing && status_of(plan.ndim(quiet)) == missing);
  CHECK(status_of(plan.pieces(quiet)) == missing && status_of(plan.table(quiet)) == missing);
  CHECK(status_of(plan.pieces({0, 1}, quiet)) == missing);
  CHECK(status_of(plan.pieces_of_destination(0, quiet)) == missing);
  CHECK(status_of(plan.is_local(quiet)) == missing);
  CHECK(status_of(plan.is_identity(quiet)) == missing);
  CHECK(status_of(plan.execute({}, {}, {}, quiet)) == missing);
  CHECK(status_of(plan.fingerprints(quiet)) == missing && status_of(metadata.fingerprint(quiet)) == missing);
  CHECK(status_of(plan.execute_sharded_tensors({}, {}, {}, quiet)) == missing);
  CHECK(status_of(plan.shard_traffic(1, quiet)) == missing);
  CHECK(status_of(plan.rank_traffic({}, quiet)) == missing);
  CHECK(status_of(plan.shard_runs(0, 0, 1, quiet)) == missing);
  CHECK(status_of(plan.rank_runs(0, 0, {}, quiet)) == missing);
  CHECK(status_of(plan.shard_reads(0, 0, 1, {}, quiet)) == missing);
  CHECK(status_of(plan.rank_reads(0, 0, 1, {}, quiet)) == missing);
  CHECK(status_of(plan.suggest_placements(quiet)) == missing);
  CHECK(status_of(plan.draw({}, quiet)) == missing && status_of(list.draw({1}, {}, quiet)) == missing);
  CHECK(status_of(metadata.draw({}, quiet)) == missing);
  CHECK(status_of(metadata.draw_diff(metadata, {}, quiet)) == missing);
}

int main() {
  a_plan_outlives_its_metadata();
  a_destination_is_asked_for_its_pieces();
  equal_layouts_need_nothing();
  tensors_of_other_layouts_than_the_plans_are_refused();
  layouts_of_different_tensors_are_refused();
  sources_on_the_node_of_the_destination_are_read();
  a_plan_moves_shards_to_where_they_belong();
  some_destinations_take_what_they_need_by_index();
  what_can_not_be_executed_writes_nothing();
  replicas_share_the_work_and_what_nobody_has_is_named();
  pictures_are_text_or_svg();
  every_call_on_an_empty_handle_is_refused();
}
