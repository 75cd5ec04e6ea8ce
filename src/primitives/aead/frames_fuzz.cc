// Sealed frames with any lengths, places and bytes: opening never crashes and never accepts what was not sealed there.
#include <algorithm>

#include "base/check.h"
#include "primitives/aead/frames.h"

namespace {

using namespace mhp;
using namespace mhp::primitives;

constexpr Key kKey{std::byte{1}};

std::uint64_t number(ByteView bytes) {
  std::uint64_t value = 0;
  for (std::byte b : bytes) value = value << 8 | std::to_integer<std::uint64_t>(b);
  return value;
}

/// Lengths and frame numbers straight from the input.
void open_anything(ByteView input) {
  const std::uint64_t total = number(input.first(8));
  const auto first = static_cast<std::uint32_t>(number(input.subspan(8, 4)));
  const ByteView sealed = input.subspan(12);
  const std::uint64_t frames = sealed.size() / kFrameSealedBytes + (sealed.size() % kFrameSealedBytes != 0 ? 1 : 0);
  Bytes out(sealed.size() - std::min<std::size_t>(sealed.size(), frames * kFrameTagBytes));
  MHP_CHECK(!open_frames(kKey, {}, total, first, sealed, out));  // nobody finds a tag by chance
}

/// A good stream, one byte of it changed, or read in another place or at another length.
void open_nearly_right(ByteView input) {
  const Bytes plain(1 + number(input.first(2)) * 3);
  Bytes sealed(sealed_frames_bytes(plain.size()));
  seal_frames(kKey, {}, plain, sealed);
  const std::size_t place = number(input.subspan(2, 4)) % sealed.size();
  const std::byte change = input[6];
  const auto first = std::to_integer<std::uint32_t>(input[7]);
  const std::uint64_t longer = std::to_integer<std::uint64_t>(input[8]) * 1000;
  sealed[place] ^= change;
  Bytes out(plain.size());
  const bool untouched = change == std::byte{0} && first == 0 && longer == 0;
  MHP_CHECK(open_frames(kKey, {}, plain.size() + longer, first, sealed, out).has_value() == untouched);
  if (untouched) MHP_CHECK(out == plain);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  if (input.size() < 13) return 0;
  if (input[0] == std::byte{0})
    open_anything(input.subspan(1));
  else
    open_nearly_right(input.subspan(1));
  return 0;
}
