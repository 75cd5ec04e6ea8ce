// Reading and writing frames of the relay's protocol.
#include "net/impl/relay_control.h"

#include "net/impl/text.h"
#include "net/impl/within.h"

namespace mhp::net::impl {

Task<Result<void>> RelayControl::read_all(MutableBytes out) {
  while (!out.empty()) {
    MHP_CO_TRY(const std::size_t got, co_await stream_->read_some(out));
    if (got == 0) co_return fail(Errc::unavailable, "the other end closed the connection");
    out = out.subspan(got);
  }
  co_return Result<void>();
}

Task<Result<wire::RelayFrame>> RelayControl::read() {
  std::array<std::byte, wire::kRelayLengthBytes> length;
  MHP_CO_TRY_VOID(co_await read_all(length));
  MHP_CO_TRY(const std::size_t size, wire::parse_relay_length(length));
  Bytes bytes(size);
  MHP_CO_TRY_VOID(co_await read_all(bytes));
  co_return wire::parse_relay_frame(bytes);
}

Task<Result<wire::RelayFrame>> RelayControl::read_within(std::chrono::nanoseconds limit) {
  auto reading = read();
  auto frame = co_await within(station_.clock, limit, std::move(reading));
  if (!frame) co_return fail(Errc::timed_out, "the other end says nothing");
  co_return std::move(*frame);
}

Task<Result<void>> RelayControl::write(wire::RelayFrame frame) {
  const Bytes bytes = wire::encode_with_length(frame);
  co_return co_await stream_->write_all(bytes);
}

Task<Result<void>> RelayControl::write_within(wire::RelayFrame frame, std::chrono::nanoseconds limit) {
  auto writing = write(std::move(frame));
  auto written = co_await within(station_.clock, limit, std::move(writing));
  if (!written) co_return fail(Errc::timed_out, "the other end does not listen");
  co_return std::move(*written);
}

bool RelayControl::post(wire::RelayFrame frame) {
  if (posted_.size() >= kMostWaiting) return false;
  posted_.push_back(std::move(frame));
  to_write_.ring();
  return true;
}

Task<> RelayControl::write_loop(std::chrono::nanoseconds limit, platform::Nursery& all) {
  for (;;) {
    while (posted_.empty()) co_await to_write_.wait();
    auto frame = std::move(posted_.front());
    posted_.pop_front();
    auto writing = write_within(std::move(frame), limit);
    const auto written = co_await std::move(writing);
    if (written) continue;
    all.cancel();
    co_return;
  }
}

wire::RelayFrame refusal(const Error& why, const wire::RelayNumber& number) {
  wire::RelayFrame frame{.kind = RelayKind::refused, .number = number};
  frame.error = {why.code, why.detail.substr(0, wire::kMaxRelayDetailBytes)};
  return frame;
}

Error error_of(const wire::RelayFrame& refused) {
  Error error{refused.error.code, refused.error.detail};
  make_printable(error.detail);
  // These tell of the other computer, not of this one.
  if (error.code == Errc::exhausted || error.code == Errc::canceled) error.code = Errc::unavailable;
  return error;
}

}  // namespace mhp::net::impl
