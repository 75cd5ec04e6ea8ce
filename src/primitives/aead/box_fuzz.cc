// Any bytes as a sealed box: opening never crashes, and only what was sealed opens.
#include "base/check.h"
#include "primitives/aead/box.h"
#include "primitives/sign/sign.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mhp;
  using namespace mhp::primitives;
  static const bool started = (init_sodium(), true);
  MHP_CHECK(started);
  const ByteView input = std::as_bytes(std::span(data, size));
  constexpr Key kKey{std::byte{1}};
  MHP_CHECK(!open_box(kKey, {}, input));
  MHP_CHECK(!open_from(kKey, {}, input));
  if (input.size() < 32) return 0;
  // The input as nonce and message, and as the ephemeral secret: both ways there and back.
  const Bytes box = seal_box(kKey, input.first<24>(), input.subspan(24, 4), input.subspan(28));
  const auto plain = open_box(kKey, input.subspan(24, 4), box);
  MHP_CHECK(plain && std::ranges::equal(*plain, input.subspan(28)));
  Key ephemeral;
  std::copy_n(input.begin(), ephemeral.size(), ephemeral.begin());
  const auto sealed = seal_to(x25519_public(kKey), ephemeral, {}, input);
  MHP_CHECK(sealed && open_from(kKey, {}, *sealed) == to_bytes(input));
  return 0;
}
