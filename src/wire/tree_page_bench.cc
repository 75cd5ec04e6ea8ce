// Writing and reading the pages of a tree of 90,000 files, the size of a system's shared data.
#include "wire/tree_page.h"

#include <benchmark/benchmark.h>

namespace mhp::wire {
namespace {

constexpr unsigned kEntries = 90'000;
constexpr unsigned kPerPage = 3'000;

std::vector<TreePage> pages() {
  std::vector<TreePage> out(kEntries / kPerPage);
  for (unsigned i = 0; i < kEntries; ++i) {
    char path[100];
    std::snprintf(path, sizeof path, "usr/share/doc/package-%04u/examples/part-%02u/file-%06u.txt", i / 60, i / 6 % 10,
                  i);
    TreeEntry entry{.path = path, .kind = EntryKind::file, .mode = 0100644, .uid = 1000, .gid = 1000};
    entry.mtime_ns = 1'767'225'600'000'000'000 + i * 1'234'567'891ll;
    entry.ctime_ns = entry.mtime_ns + 5;
    entry.size = i * 37 % 100'000;
    entry.device = 2049;
    entry.inode = 1'000'000 + i;
    Id<struct ChunkIdTag>::Array chunk{};
    std::memcpy(chunk.data(), &i, sizeof i);
    entry.chunks = {ChunkId::from_array(chunk)};
    if (i % 20 == 0) entry = {.path = path, .kind = EntryKind::symlink, .mode = 0120777, .link_target = "../other.txt"};
    out[i / kPerPage].entries.push_back(std::move(entry));
  }
  return out;
}

void BM_EncodeTree(benchmark::State& state) {
  const auto tree = pages();
  std::size_t bytes = 0;
  for (auto _ : state) {
    bytes = 0;
    for (const TreePage& page : tree) bytes += encode(page).size();
  }
  state.counters["bytes_per_entry"] = static_cast<double>(bytes) / kEntries;
}
BENCHMARK(BM_EncodeTree)->Unit(benchmark::kMillisecond);

void BM_ParseTree(benchmark::State& state) {
  std::vector<Bytes> encoded;
  for (const TreePage& page : pages()) encoded.push_back(encode(page));
  for (auto _ : state)
    for (const Bytes& page : encoded) benchmark::DoNotOptimize(parse_tree_page(page));
}
BENCHMARK(BM_ParseTree)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mhp::wire
