/* Loads the part of one tensor-parallel rank out of a checkpoint, whatever its files are, and writes their
 * bytes to OUTPUT/0, OUTPUT/1 and so on. A rule is column, row, fused3 (QKV in one tensor), vocabulary or copy. */
#include <shardspec.hpp>

#include <fstream>
#include <iostream>

int main(int argc, char **argv) try {
  if (argc < 5) return std::cerr << "tensor_parallel_loader CHECKPOINT RANK RANKS OUTPUT [RULE=NAME...]\n", 2;
  const auto checkpoint = shardspec::checkpoint::open(argv[1]);
  const auto ranks = shardspec::mesh::of({{"tp", std::stoll(argv[3])}});
  std::vector<shardspec::sharded_tensor> parts;
  std::vector<shardspec::read_item> items;
  parts.reserve(argc);
  for (int i = 5; i < argc; ++i) {
    const std::string argument = argv[i], rule = argument.substr(0, argument.find('='));
    const std::string name = argument.substr(rule.size() + 1);
    const auto stored = checkpoint.tensor(checkpoint.find(name));
    auto layout = shardspec::spec::mesh(ranks);
    if (rule == "column") layout.cut(shardspec::cut(0, "tp"));
    if (rule == "row") layout.cut(shardspec::cut(-1, "tp"));
    if (rule.rfind("fused", 0) == 0)
      layout.cut(shardspec::cut(0, "tp").equal_segments(std::stoul(rule.substr(5))));
    if (rule == "vocabulary") layout.pad(0, shardspec::multiple(64)).cut(shardspec::cut(0, "tp"));
    const auto cut = layout.build().build_metadata(stored.sizes, shardspec::tensor_properties(stored.type));
    parts.push_back(shardspec::sharded_tensor::empty(cut, std::string("rank:") + argv[2]));
    items.emplace_back(name, parts.back());
  }
  const auto report = checkpoint.read(items);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto shard = parts[i].local_view(0);
    std::ofstream file(std::string(argv[4]) + "/" + std::to_string(i), std::ios::binary);
    file.write(static_cast<const char *>(shard.data()), shard.type().bytes(shard.numel()));
  }
  std::cout << report.bytes_read << " bytes in " << report.read_count << " reads\n";
} catch (const std::exception &problem) {
  std::cerr << "tensor_parallel_loader: " << problem.what() << "\n";
  return 1;
}
