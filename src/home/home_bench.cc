// What a folder home costs on the disk under TMPDIR: opening with and without its index, and putting.
#include <benchmark/benchmark.h>

#include "home/home_samples_test.h"
#include "home/impl/folder_store.h"
#include "platform/platform.h"
#include "platform/posix/temp_folder.h"

namespace mhp::home {
namespace {

using impl::FolderStore;

/// A home with `segments` small segments on the real disk.
struct World {
  explicit World(std::uint64_t segments) {
    primitives::init_sodium();
    if (!create_folder_home(machine->disk(), machine->random(), path)) std::abort();
    auto store = open();
    samples::Segment segment = samples::make_segment(owner, 1, 3, 1000);
    for (std::uint64_t i = 0; i < segments; ++i) {
      segment.card.segment = SegmentId::from_array(samples::array_of<SegmentId::Array>(i));
      AlignedBuffer record = samples::make_record(owner, segment, {0, 1, 2});
      if (!store->put(record.bytes())) std::abort();
    }
    if (!store->commit()) std::abort();
    store->close();
  }
  std::unique_ptr<FolderStore> open() {
    return std::make_unique<FolderStore>(machine->disk(), machine->clock(), path,
                                         *impl::read_identity(machine->disk(), path), FolderLimits{});
  }
  const samples::Owner owner{1};
  platform::TempFolder temp;
  std::unique_ptr<platform::Platform> machine = platform::make_posix_platform();
  const std::string path = temp.path() + "/home";
};

void open_and_list(benchmark::State& state, bool with_index) {
  World world(static_cast<std::uint64_t>(state.range(0)));
  if (!with_index && !world.machine->disk().remove(world.path + "/index")) std::abort();
  for (auto _ : state) {
    auto store = world.open();
    if (store->log().list(world.owner.vault, {}, 10'000)->segments.empty()) std::abort();
  }
}

void OpenIndexed(benchmark::State& state) { open_and_list(state, true); }
void OpenByScan(benchmark::State& state) { open_and_list(state, false); }
BENCHMARK(OpenIndexed)->Arg(1000)->Unit(benchmark::kMillisecond);
BENCHMARK(OpenByScan)->Arg(1000)->Unit(benchmark::kMillisecond);

/// Records of 4 MiB, as of three rows of a full segment; one commit each 16.
void PutAndCommit(benchmark::State& state) {
  World world(1);
  auto store = world.open();
  samples::Segment segment = samples::make_segment(world.owner, 1, 3, 1'400'000);
  std::uint64_t number = 0;
  for (auto _ : state) {
    state.PauseTiming();
    segment.card.segment = SegmentId::from_array(samples::array_of<SegmentId::Array>(++number));
    AlignedBuffer record = samples::make_record(world.owner, segment, {0, 1, 2});
    state.ResumeTiming();
    if (!store->put(record.bytes())) std::abort();
    if (number % 16 == 0 && !store->commit()) std::abort();
    state.SetBytesProcessed(state.bytes_processed() + static_cast<std::int64_t>(record.size()));
  }
  if (!store->commit()) std::abort();
}
BENCHMARK(PutAndCommit)->Iterations(256)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mhp::home
