// Any bytes as each of a folder home's own files, with hashes and stamps made to fit.
#include "wire/home_log.h"

#include "wire/fuzz_support.h"
#include "wire/impl/fixed.h"

using namespace mhp;
using namespace mhp::wire;

namespace {

/// The last 32 bytes become the hash of the rest.
Bytes sealed(ByteView input, std::string_view context) {
  Bytes bytes = to_bytes(input);
  if (bytes.size() < 32) return bytes;
  const auto hash = primitives::Blake3::derived(context).update(ByteView(bytes).first(bytes.size() - 32)).finish();
  impl::put_bytes(bytes, bytes.size() - 32, hash);
  return bytes;
}

void fuzz_mark(ByteView input) {
  constexpr LogPlace kPlace{1, 1 << 20};
  Bytes block = to_bytes(input);
  block.resize(kLogBlockBytes);
  static_cast<void>(parse_commit_mark(block, {}, kPlace));
  std::array<std::byte, 12> where;
  impl::put(MutableBytes(where), 0, kPlace.log);
  impl::put(MutableBytes(where), 4, kPlace.offset);
  const auto stamp = primitives::Blake3::keyed({}).update(ByteView(block).first(64)).update(where).finish();
  impl::put_bytes(block, 64, stamp);
  const auto mark = parse_commit_mark(block, {}, kPlace);
  if (!mark) return;
  std::array<std::byte, kLogBlockBytes> again;
  write_commit_mark(*mark, {}, kPlace, again);
  MHP_CHECK(std::ranges::equal(ByteView(again).first(96), ByteView(block).first(96)));
}

void fuzz_log_header(ByteView input) {
  Bytes block = sealed(input.first(std::min<std::size_t>(input.size(), 112)), "mhp 1 log header");
  block.resize(kLogBlockBytes);
  const auto header = parse_log_header(block);
  if (!header) return;
  std::array<std::byte, kLogBlockBytes> again;
  write_log_header(*header, again);
  MHP_CHECK(std::ranges::equal(again, block));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FuzzInput input(data, size);
  switch (input.parser % 7) {
    case 0:
      fuzz_parser(parse_home_file, sealed(input.bytes, "mhp 1 home file"));
      break;
    case 1:
      fuzz_parser(parse_home_index, sealed(input.bytes, "mhp 1 home index"));
      break;
    case 2:
      fuzz_parser(parse_heads_file, sealed(input.bytes, "mhp 1 heads file"));
      break;
    case 3:
      fuzz_mark(input.bytes);
      break;
    case 6:
      fuzz_parser(parse_former_records_file, sealed(input.bytes, "mhp 1 former records file"));
      MHP_CHECK(salvage_former_records(input.bytes).size() <= kMaxFormerRecords);
      break;
    case 5:
      fuzz_parser(parse_condemned_file, sealed(input.bytes, "mhp 1 condemned file"));
      break;
    default:
      fuzz_log_header(input.bytes);
      break;
  }
  return 0;
}
