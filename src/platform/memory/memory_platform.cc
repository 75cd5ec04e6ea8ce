// One loop, one seed, simulated time: worlds of machines in memory.
#include "platform/memory/memory_platform.h"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>

#include "platform/impl/outcome.h"
#include "platform/memory/parts.h"
#include "platform/posix/parts.h"

namespace mhp::platform {

namespace {

Task<> keep_code(Task<int> main, int& code) { code = co_await std::move(main); }

}  // namespace

struct MemoryWorld::State {
  explicit State(std::uint64_t seed)
      : random(seed), wires(make_memory_network(loop.get_executor(), clock, random.number())), network(wires) {}
  asio::io_context loop{1};
  SimulatedClock clock{loop};
  SeededRandom random;
  std::shared_ptr<MemoryNetwork::State> wires;
  MemoryNetwork network;
};

MemoryWorld::MemoryWorld(std::uint64_t seed) : state_(std::make_unique<State>(seed)) {}
MemoryWorld::~MemoryWorld() = default;
Clock& MemoryWorld::clock() { return state_->clock; }
MemoryNetwork& MemoryWorld::wires() { return state_->network; }
asio::any_io_executor MemoryWorld::executor() { return state_->loop.get_executor(); }

int MemoryWorld::run(Task<int> main) {
  constexpr int kCanceled = 130;  // as the real platform has it
  int code = kCanceled;
  bool done = false;
  auto ended = [&done](std::exception_ptr error) {
    if (outcome_of(error) == Outcome::failed) die_of(error);
    done = true;
  };
  asio::co_spawn(state_->loop, run_as_root(keep_code(std::move(main), code)), std::move(ended));
  state_->loop.restart();
  while (!done) {
    if (state_->loop.poll() > 0 || done || state_->clock.advance()) continue;
    std::fprintf(stderr, "mhp: a bug: deadlock: the main task waits, nothing can run and nobody sleeps\n");
    std::abort();
  }
  return code;
}

struct MemoryPlatform::State {
  State(std::unique_ptr<MemoryWorld> own_world, MemoryWorld& in, std::uint64_t seed, MemoryHost host)
      : own(std::move(own_world)),
        world(in),
        random(seed),
        workers(in.state_->loop),
        network(plug_in_host(in.state_->wires, std::move(host), address)) {}
  std::unique_ptr<MemoryWorld> own;
  MemoryWorld& world;
  SeededRandom random;
  LoopPool workers;
  std::unique_ptr<MemoryDisk> disk = std::make_unique<MemoryDisk>();
  std::unique_ptr<Trees> trees = make_posix_trees();
  std::string address;
  std::unique_ptr<Network> network;
};

MemoryPlatform::MemoryPlatform(std::uint64_t seed) {
  auto own = std::make_unique<MemoryWorld>(seed);
  MemoryWorld& world = *own;
  state_ = std::make_unique<State>(std::move(own), world, seed, MemoryHost{});
}
MemoryPlatform::MemoryPlatform(MemoryWorld& world, MemoryHost host)
    : state_(std::make_unique<State>(nullptr, world, world.state_->random.number(), std::move(host))) {}
MemoryPlatform::~MemoryPlatform() = default;
Clock& MemoryPlatform::clock() { return state_->world.clock(); }
Random& MemoryPlatform::random() { return state_->random; }
Disk& MemoryPlatform::disk() { return *state_->disk; }
MemoryDisk& MemoryPlatform::memory_disk() { return *state_->disk; }
void MemoryPlatform::set_disk(std::unique_ptr<MemoryDisk> disk) { state_->disk = std::move(disk); }
Trees& MemoryPlatform::trees() { return *state_->trees; }
Network& MemoryPlatform::network() { return *state_->network; }
MemoryNetwork& MemoryPlatform::wires() { return state_->world.wires(); }
const std::string& MemoryPlatform::address() const { return state_->address; }
WorkerPool& MemoryPlatform::workers() { return state_->workers; }
std::unique_ptr<WorkerPool> MemoryPlatform::make_lane() {
  return std::make_unique<LoopPool>(state_->world.state_->loop);
}
asio::any_io_executor MemoryPlatform::executor() { return state_->world.executor(); }
int MemoryPlatform::run(Task<int> main) { return state_->world.run(std::move(main)); }

}  // namespace mhp::platform
