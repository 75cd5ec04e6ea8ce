// Any bytes as what a home answers after the handshake: each call ends, with a reply or an error; never a crash, a
// hang, or memory that is not given back.
#include "base/check.h"
#include "net/impl/call_session.h"
#include "net/testing/input_stream.h"
#include "net/testing/station.h"
#include "platform/nursery.h"

namespace mhp::net {
namespace {

using impl::CallSession;

Task<> run_session(CallSession& session) { co_await session.run(); }

Task<> call_once(CallSession& session, Request request, unsigned& ended) {
  auto calling = session.call(std::move(request), std::chrono::seconds(5));
  const auto reply = co_await std::move(calling);
  ended += reply || !reply.error().detail.empty() ? 1 : 0;
}

Task<int> call(platform::Platform& platform, testing::Computer& computer, ByteView input, std::size_t piece_bytes) {
  unsigned ended = 0;
  {
    auto stream = std::make_unique<testing::InputStream>(input, piece_bytes, platform.clock());
    CallSession session(computer.station, std::move(stream), Peer{});
    platform::Nursery all(platform.executor());
    all.start(run_session(session));
    all.start(call_once(session, {.path = "/v1/first"}, ended));
    all.start(call_once(session, {.method = Method::put, .path = "/v1/second", .body = Bytes(1000)}, ended));
    co_await all.join();
  }
  MHP_CHECK(ended == 2);
  MHP_CHECK(computer.traffic.buffered() == 0);
  co_return 0;
}

/// The first byte: how long the pieces are. If the second is even, an empty SETTINGS frame goes before the rest, as
/// every home sends it.
void answer_with(ByteView data) {
  if (data.size() < 2) return;
  static platform::MemoryPlatform machine(1);
  static const CallLimits limits{.max_body_bytes = 64_KiB, .buffered_bytes = 256_KiB};
  static testing::Computer computer(machine, 1, limits);
  Bytes input;
  if (std::to_integer<unsigned>(data[1]) % 2 == 0) input = {{}, {}, {}, std::byte{4}, {}, {}, {}, {}, {}};
  const ByteView rest = data.subspan(2);
  input.insert(input.end(), rest.begin(), rest.end());
  const auto piece_bytes = std::to_integer<std::size_t>(data[0]);
  platform::run_task(machine, call(machine, computer, input, piece_bytes == 0 ? 65'536 : piece_bytes));
}

}  // namespace
}  // namespace mhp::net

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mhp::net::answer_with(std::as_bytes(std::span(data, size)));
  return 0;
}
