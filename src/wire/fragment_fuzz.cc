// Any bytes as a fragment header, and as a front whose hashes are made to fit.
#include "wire/fragment.h"

#include "wire/fuzz_support.h"
#include "wire/impl/fixed.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  const auto header = parse_fragment_header(input.first(std::min(size, FragmentHeader::kSizeBytes)));
  if (header) {
    Bytes again(FragmentHeader::kSizeBytes);
    write_fragment_header(*header, std::span<std::byte, FragmentHeader::kSizeBytes>(again));
    MHP_CHECK(std::ranges::equal(again, input.first(again.size())));
  }
  if (size < kLeafZeroBytes + 32) return 0;
  Bytes front = to_bytes(input.first(size - (size - kLeafZeroBytes) % 32));
  impl::put_bytes(front, kLeafZeroBytes, primitives::leaf_hash(0, ByteView(front).first(kLeafZeroBytes)));
  std::vector<primitives::Hash> leaves((front.size() - kLeafZeroBytes) / 32);
  std::memcpy(leaves.data(), front.data() + kLeafZeroBytes, leaves.size() * 32);
  const auto parsed = parse_fragment_front(front, primitives::root_of(leaves));
  if (parsed) MHP_CHECK(parsed->leaves == leaves && header && parsed->header == *header);
  return 0;
}
