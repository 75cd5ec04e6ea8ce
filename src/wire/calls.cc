// Errors of calls to bytes and back.
#include "wire/calls.h"

#include <wire/calls.pb.h>

#include "wire/impl/proto.h"

namespace mhp::wire {

Bytes encode(const CallError& error) {
  auto message = impl::make<proto::CallError>();
  message.set_code(static_cast<std::uint32_t>(error.code));
  message.set_detail(error.detail);
  return impl::serialize(message);
}

Result<CallError> parse_call_error(ByteView bytes) {
  const impl::Bounds bounds{.what = "call error", .bytes = kMaxCallErrorBytes};
  MHP_TRY(const auto message, impl::read<proto::CallError>(bytes, bounds));
  if (message.code() < static_cast<std::uint32_t>(Errc::not_found) ||
      message.code() > static_cast<std::uint32_t>(Errc::exhausted))
    return impl::bad(bounds.what, "unknown code");
  if (message.detail().size() > kMaxErrorDetailBytes) return impl::bad(bounds.what, "its detail is too long");
  return CallError{static_cast<Errc>(message.code()), message.detail()};
}

}  // namespace mhp::wire
