// The signed envelope to bytes and back.
#include "wire/signed.h"

#include <wire/visible.pb.h>

#include "wire/impl/proto.h"

namespace mhp::wire {

Bytes encode(const Signed& envelope) {
  auto message = impl::make<proto::Signed>();
  message.set_body(impl::to_field(envelope.body));
  message.set_signer(impl::to_field(envelope.signer));
  message.set_signature(impl::to_field(envelope.signature));
  return impl::serialize(message);
}

Result<Signed> parse_signed(ByteView bytes, std::uint64_t limit_bytes) {
  const impl::Bounds bounds{.what = "signed envelope", .bytes = limit_bytes};
  MHP_TRY(const auto message, impl::read<proto::Signed>(bytes, bounds));
  Signed out;
  out.body = to_bytes(as_bytes(message.body()));
  MHP_TRY(out.signer, impl::take_array<32>(message.signer(), bounds.what));
  MHP_TRY(out.signature, impl::take_array<64>(message.signature(), bounds.what));
  return out;
}

Signed sign(const primitives::SigningKey& key, std::string_view context, Bytes body) {
  Signed out;
  out.body = std::move(body);
  out.signer = key.public_key();
  out.signature = key.sign(context, out.body);
  return out;
}

bool verify(const Signed& envelope, std::string_view context) {
  return primitives::verify(envelope.signer, context, envelope.body, envelope.signature);
}

}  // namespace mhp::wire
