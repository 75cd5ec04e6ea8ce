// What calls cost: PUTs of 4 MiB and empty requests over a stream in memory, against TLS alone on the same stream.
#include <benchmark/benchmark.h>

#include "net/testing/wired.h"

namespace mhp::net {
namespace {

using namespace std::chrono_literals;
using testing::Wired;

constexpr std::size_t kBodyBytes = 4_MiB;

Task<> put_again(std::shared_ptr<Caller> caller, std::size_t size, int count) {
  for (int i = 0; i < count; ++i) {
    Request request{Method::put, "/v1/who", Bytes(size)};
    auto reply = caller->call(std::move(request), 1h);
    if (!co_await std::move(reply)) std::abort();
  }
}

/// `tasks` at once, each so many calls.
Task<int> put_all(Wired& wired, std::size_t size, int tasks, int count) {
  Server server(wired.serving.station, wired.echo);
  platform::Nursery all(wired.platform.executor());
  all.start(server.run(wired.listeners()));
  {
    platform::Nursery scope(wired.platform.executor());
    auto caller = co_await testing::connect(wired, scope);
    platform::Nursery calls(wired.platform.executor());
    for (int i = 0; i < tasks; ++i) calls.start(put_again(caller, size, count));
    co_await calls.join();
    caller.reset();
    co_await scope.join();
  }
  server.stop(0s);
  co_await all.join();
  co_return 0;
}

void Put(benchmark::State& state) {
  const int tasks = static_cast<int>(state.range(0));
  for (auto _ : state) {
    Wired wired;
    run_task(wired.platform, put_all(wired, kBodyBytes, tasks, 64 / tasks));
  }
  state.SetBytesProcessed(state.iterations() * 64 * static_cast<std::int64_t>(kBodyBytes));
}
BENCHMARK(Put)->Arg(1)->Arg(8)->Unit(benchmark::kMillisecond);

void EmptyRequests(benchmark::State& state) {
  const int tasks = static_cast<int>(state.range(0));
  for (auto _ : state) {
    Wired wired;
    run_task(wired.platform, put_all(wired, 0, tasks, 6400 / tasks));
  }
  state.SetItemsProcessed(state.iterations() * 6400);
}
BENCHMARK(EmptyRequests)->Arg(1)->Arg(64)->Unit(benchmark::kMillisecond);

Task<> accept_and_count(Wired& wired, std::unique_ptr<platform::Stream> stream, std::size_t total) {
  auto accepting = wired.serving.tls.accept(std::move(stream), 4096, wired.platform.clock(), 5s);
  auto secured = co_await std::move(accepting);
  if (!secured || !co_await secured->stream->write_all(as_bytes("hello"))) std::abort();
  Bytes buffer(64_KiB);
  while (total > 0) {
    const auto got = co_await secured->stream->read_some(buffer);
    if (!got || *got == 0) std::abort();
    total -= *got;
  }
}

Task<int> send_over_tls(Wired& wired, int count) {
  auto [mine, other] = testing::make_stream_pair(wired.platform.executor());
  platform::Nursery answering(wired.platform.executor());
  answering.start(accept_and_count(wired, std::move(other), static_cast<std::size_t>(count) * kBodyBytes));
  auto connecting = wired.calling.tls.connect(std::move(mine), std::nullopt, wired.platform.clock(), 5s);
  auto secured = co_await std::move(connecting);
  if (!secured) std::abort();
  for (int i = 0; i < count; ++i) {
    const Bytes body(kBodyBytes);
    if (!co_await secured->stream->write_all(body)) std::abort();
  }
  co_await answering.join();
  co_return 0;
}

void BareTls(benchmark::State& state) {
  for (auto _ : state) {
    Wired wired;
    run_task(wired.platform, send_over_tls(wired, 64));
  }
  state.SetBytesProcessed(state.iterations() * 64 * static_cast<std::int64_t>(kBodyBytes));
}
BENCHMARK(BareTls)->Unit(benchmark::kMillisecond);

Task<int> connect_once(Wired& wired) { return put_all(wired, 0, 1, 0); }

void Connect(benchmark::State& state) {
  Wired wired;
  for (auto _ : state) run_task(wired.platform, connect_once(wired));
}
BENCHMARK(Connect)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace mhp::net
