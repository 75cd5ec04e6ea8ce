// Frames of the relay's protocol to bytes and back.
#include "wire/relay.h"

#include <wire/relay.pb.h>

#include "base/check.h"
#include "wire/impl/proto.h"

namespace mhp::wire {
namespace {

using Kind = RelayFrame::Kind;

constexpr impl::Bounds kRelayBounds{.what = "relay frame", .bytes = kMaxRelayFrameBytes};

bool has_home(Kind kind) { return kind == Kind::call || kind == Kind::come; }
bool has_number(Kind kind) { return kind == Kind::come || kind == Kind::here; }

Result<CallError> error_of(const proto::RelayFrame& message) {
  if (message.code() < static_cast<std::uint32_t>(Errc::not_found) ||
      message.code() > static_cast<std::uint32_t>(Errc::exhausted))
    return impl::bad(kRelayBounds.what, "unknown code");
  if (message.detail().size() > kMaxRelayDetailBytes) return impl::bad(kRelayBounds.what, "its detail is too long");
  return CallError{static_cast<Errc>(message.code()), message.detail()};
}

}  // namespace

Bytes encode(const RelayFrame& frame) {
  auto message = impl::make<proto::RelayFrame>();
  message.set_kind(static_cast<std::uint32_t>(frame.kind));
  if (has_home(frame.kind)) message.set_home(impl::to_field(frame.home.bytes()));
  if (frame.kind == Kind::call) message.set_claim(impl::to_field(frame.claim));
  if (has_number(frame.kind) || frame.number != RelayNumber{}) message.set_number(impl::to_field(frame.number));
  if (frame.kind == Kind::refused) {
    message.set_code(static_cast<std::uint32_t>(frame.error.code));
    message.set_detail(frame.error.detail.substr(0, kMaxRelayDetailBytes));
  }
  return impl::serialize(message);
}

Result<RelayFrame> parse_relay_frame(ByteView bytes) {
  MHP_TRY(const auto message, impl::read<proto::RelayFrame>(bytes, kRelayBounds));
  if (message.kind() < static_cast<std::uint32_t>(Kind::hello) ||
      message.kind() > static_cast<std::uint32_t>(Kind::pong))
    return impl::bad(kRelayBounds.what, "unknown kind");
  RelayFrame out{.kind = static_cast<Kind>(message.kind())};
  const bool refused = out.kind == Kind::refused;
  if (has_home(out.kind) == message.home().empty())
    return impl::bad(kRelayBounds.what, "a home is missing or too much");
  if (!refused && has_number(out.kind) == message.number().empty())
    return impl::bad(kRelayBounds.what, "a number is missing or too much");
  if (!refused && (message.code() != 0 || !message.detail().empty()))
    return impl::bad(kRelayBounds.what, "an error where none belongs");
  if (!message.claim().empty() && out.kind != Kind::call)
    return impl::bad(kRelayBounds.what, "a claim where none belongs");
  if (message.claim().size() > kMaxRelayClaimBytes) return impl::bad(kRelayBounds.what, "its claim is too long");
  out.claim = to_bytes(as_bytes(message.claim()));
  if (!message.home().empty()) {
    MHP_TRY(out.home, impl::take_id<HomeId>(message.home(), kRelayBounds.what));
  }
  if (!message.number().empty()) {
    MHP_TRY(out.number, impl::take_array<sizeof(RelayNumber)>(message.number(), kRelayBounds.what));
  }
  if (refused) {
    MHP_TRY(out.error, error_of(message));
  }
  return out;
}

Bytes encode_with_length(const RelayFrame& frame) {
  const Bytes bytes = encode(frame);
  MHP_CHECK(bytes.size() <= kMaxRelayFrameBytes);
  Bytes out{static_cast<std::byte>(bytes.size() & 0xff), static_cast<std::byte>(bytes.size() >> 8)};
  out.insert(out.end(), bytes.begin(), bytes.end());
  return out;
}

Result<std::size_t> parse_relay_length(const std::array<std::byte, kRelayLengthBytes>& bytes) {
  const auto size = std::to_integer<std::size_t>(bytes[0]) | std::to_integer<std::size_t>(bytes[1]) << 8;
  if (size == 0) return impl::bad(kRelayBounds.what, "empty");
  if (size > kMaxRelayFrameBytes) return impl::bad(kRelayBounds.what, "too long");
  return size;
}

}  // namespace mhp::wire
