// The fixed layout of a fragment: header, salt, leaf hashes, payload.
#include "wire/fragment.h"

#include "base/check.h"
#include "wire/impl/fixed.h"

namespace mhp::wire {
namespace {

// docs/formats/fragment.md
constexpr std::string_view kFragmentMagic{"mhpfrag\0", 8};
constexpr std::size_t kHeaderFormatAt = 8;
constexpr std::size_t kHeaderRowAt = 10;
constexpr std::size_t kHeaderNeedAt = 11;
constexpr std::size_t kHeaderEpochAt = 12;
constexpr std::size_t kHeaderRowBytesAt = 16;
constexpr std::size_t kHeaderZeroAt = 20;
constexpr std::size_t kHeaderSealedBytesAt = 24;
constexpr std::size_t kHeaderSegmentAt = 32;
constexpr std::size_t kHeaderUnusedAt = 64;

tl::unexpected<Error> bad(const std::string& why) { return fail(Errc::invalid, "fragment: " + why); }
tl::unexpected<Error> rotten(const char* why) { return fail(Errc::corrupt, std::string("fragment: ") + why); }

}  // namespace

void write_fragment_header(const FragmentHeader& header, std::span<std::byte, FragmentHeader::kSizeBytes> out) {
  MHP_CHECK(header.format == kFormat);
  std::ranges::fill(out, std::byte{0});
  impl::put_bytes(out, 0, as_bytes(kFragmentMagic));
  impl::put(out, kHeaderFormatAt, header.format);
  impl::put(out, kHeaderRowAt, header.row);
  impl::put(out, kHeaderNeedAt, header.k);
  impl::put(out, kHeaderEpochAt, header.epoch);
  impl::put(out, kHeaderRowBytesAt, header.row_bytes);
  impl::put(out, kHeaderSealedBytesAt, header.sealed_bytes);
  impl::put_bytes(out, kHeaderSegmentAt, header.segment.bytes());
}

Result<FragmentHeader> parse_fragment_header(ByteView bytes) {
  if (bytes.size() != FragmentHeader::kSizeBytes) return bad("a header has 128 bytes");
  if (as_text(bytes.first(kFragmentMagic.size())) != kFragmentMagic) return bad("not a fragment");
  FragmentHeader header;
  header.format = impl::get<std::uint16_t>(bytes, kHeaderFormatAt);
  if (const std::string foreign = impl::foreign_format(header.format); !foreign.empty()) return bad(foreign);
  header.row = impl::get<std::uint8_t>(bytes, kHeaderRowAt);
  header.k = impl::get<std::uint8_t>(bytes, kHeaderNeedAt);
  header.epoch = impl::get<std::uint32_t>(bytes, kHeaderEpochAt);
  header.row_bytes = impl::get<std::uint32_t>(bytes, kHeaderRowBytesAt);
  header.sealed_bytes = impl::get<std::uint64_t>(bytes, kHeaderSealedBytesAt);
  header.segment = SegmentId::from_bytes(bytes.subspan(kHeaderSegmentAt, 32));
  if (!impl::all_zero(bytes.subspan(kHeaderZeroAt, 4)) || !impl::all_zero(bytes.subspan(kHeaderUnusedAt)))
    return bad("unused bytes are not zero");
  if (header.row >= kMaxRows) return bad("row 255");
  if (header.k == 0 || header.k > kMaxNeed) return bad("k is not in 1 to 128");
  if (header.sealed_bytes == 0 || header.sealed_bytes > kMaxSealedBytes) return bad("sealed size");
  if (header.row_bytes != (header.sealed_bytes + header.k - 1) / header.k) return bad("row size");
  return header;
}

Result<FragmentFront> parse_fragment_front(ByteView bytes, const FragmentId& id) {
  constexpr std::size_t kHashBytes = sizeof(primitives::Hash);
  // The length tells the number of leaves, so all is proven against the id before a number inside is believed.
  if (bytes.size() <= kLeafZeroBytes || bytes.size() > fragment_payload_offset(kMaxRowBytes) ||
      (bytes.size() - kLeafZeroBytes) % kHashBytes != 0)
    return rotten("wrong length of its front");
  FragmentFront front;
  front.leaves.resize((bytes.size() - kLeafZeroBytes) / kHashBytes);
  std::memcpy(front.leaves.data(), bytes.data() + kLeafZeroBytes, front.leaves.size() * kHashBytes);
  if (primitives::root_of(front.leaves) != id) return rotten("its leaf hashes do not fit its id");
  if (primitives::leaf_hash(0, bytes.first(kLeafZeroBytes)) != front.leaves[0]) return rotten("its header has changed");
  MHP_TRY(front.header, parse_fragment_header(bytes.first(FragmentHeader::kSizeBytes)));
  if (fragment_payload_offset(front.header.row_bytes) != bytes.size()) return bad("number of leaves");
  std::memcpy(front.salt.data(), bytes.data() + FragmentHeader::kSizeBytes, kSaltRowBytes);
  return front;
}

Result<void> check_payload(const FragmentFront& front, std::uint32_t first_leaf, ByteView payload) {
  const std::uint64_t row_bytes = front.header.row_bytes;
  if (first_leaf == 0 || first_leaf >= front.leaves.size()) return bad("no such leaf");
  const std::uint64_t start = (first_leaf - 1) * std::uint64_t{primitives::kLeafBytes};
  if (start > row_bytes || payload.size() > row_bytes - start) return bad("more payload than a row has");
  if (payload.size() % primitives::kLeafBytes != 0 && start + payload.size() != row_bytes) return bad("part of a leaf");
  for (std::uint32_t leaf = first_leaf; !payload.empty(); ++leaf) {
    const ByteView part = payload.first(std::min(payload.size(), primitives::kLeafBytes));
    if (primitives::leaf_hash(leaf, part) != front.leaves[leaf]) return rotten("its payload has changed");
    payload = payload.subspan(part.size());
  }
  return {};
}

FragmentId finish_fragment(const FragmentHeader& header, const primitives::Hash& salt, MutableBytes fragment) {
  MHP_CHECK(fragment.size() == fragment_bytes(header.row_bytes));
  write_fragment_header(header, fragment.first<FragmentHeader::kSizeBytes>());
  impl::put_bytes(fragment, FragmentHeader::kSizeBytes, salt);
  const std::size_t payload_at = fragment_payload_offset(header.row_bytes);
  const auto leaves = primitives::leaf_hashes(fragment.first(kLeafZeroBytes), fragment.subspan(payload_at));
  MHP_CHECK(leaves.size() == primitives::leaf_count(header.row_bytes));
  impl::put_bytes(fragment, kLeafZeroBytes, std::as_bytes(std::span(leaves)));
  return primitives::root_of(leaves);
}

}  // namespace mhp::wire
