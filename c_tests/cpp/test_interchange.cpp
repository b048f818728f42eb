/* Layouts as JSON and as bytes. */
#include "check.hpp"

using shardspec::metadata;
using shardspec::plan;
using shardspec::spec;

namespace {

void specs() {
  const spec rows = spec::chunk(0, {"rank:0", "rank:1"});
  const std::string text = rows.to_json();
  CHECK(text.find("\"chunk\":{\"dim\":0") != std::string::npos);
  CHECK(spec::from_json(text) == rows);
  CHECK(spec::from_bytes(rows.to_bytes()) == rows);
  CHECK_REFUSED(INVALID_ARGUMENT, spec::from_json("{}"));
  const auto refused = spec::from_json(R"({"kind":"shardspec.spec","colour":1})", std::nothrow);
  CHECK(!refused && refused.error().status == SHARDSPEC_UNSUPPORTED && refused.error().index == 25);
}

void layouts() {
  const metadata rows = spec::chunk(0, {"rank:0", "rank:1"}).build_metadata({5, 3});
  CHECK(metadata::from_json(rows.to_json()) == rows);
  std::vector<std::uint8_t> bytes = rows.to_bytes();
  CHECK(metadata::from_bytes(bytes) == rows);
  CHECK(metadata::from_bytes(bytes.data(), bytes.size()) == rows);
  bytes.back() ^= 1;
  CHECK_REFUSED(INVALID_ARGUMENT, metadata::from_bytes(bytes));
  const metadata columns = spec::chunk(1, {"rank:0", "rank:1"}).build_metadata({5, 3});
  CHECK(plan::between(rows, columns).to_json().find("\"messages\":2") != std::string::npos);
}

}  // namespace

int main() {
  specs();
  layouts();
  return 0;
}
