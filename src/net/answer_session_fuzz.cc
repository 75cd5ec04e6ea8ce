// Any bytes as what a peer sends after the handshake: never a crash, a hang, or memory that is not given back.
#include "base/check.h"
#include "net/impl/answer_session.h"
#include "net/testing/echo.h"
#include "net/testing/input_stream.h"
#include "net/testing/station.h"

namespace mhp::net {
namespace {

Task<int> serve(platform::Platform& platform, testing::Computer& computer, testing::Echo& echo, ByteView input,
                std::size_t piece_bytes) {
  std::size_t in_flight = 0;
  {
    auto stream = std::make_unique<testing::InputStream>(input, piece_bytes, platform.clock());
    impl::AnswerSession session(computer.station, echo, std::move(stream), Peer{}, std::nullopt, in_flight);
    co_await session.run();
  }
  MHP_CHECK(in_flight == 0 && echo.counts.running == 0);
  MHP_CHECK(computer.traffic.buffered() == 0);
  co_return 0;
}

/// The first byte: how long the pieces are. If the second is even, the preface of HTTP/2 goes before the rest.
void answer_input(ByteView data) {
  if (data.size() < 2) return;
  static platform::MemoryPlatform machine(1);
  static const CallLimits limits{.max_body_bytes = 64_KiB, .buffered_bytes = 256_KiB};
  static testing::Computer computer(machine, 1, limits);
  testing::Echo echo(machine.clock());
  Bytes input;
  if (std::to_integer<unsigned>(data[1]) % 2 == 0) input = to_bytes(as_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  const ByteView rest = data.subspan(2);
  input.insert(input.end(), rest.begin(), rest.end());
  const auto piece_bytes = std::to_integer<std::size_t>(data[0]);
  platform::run_task(machine, serve(machine, computer, echo, input, piece_bytes == 0 ? 65'536 : piece_bytes));
}

}  // namespace
}  // namespace mhp::net

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mhp::net::answer_input(std::as_bytes(std::span(data, size)));
  return 0;
}
