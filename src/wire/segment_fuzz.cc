// Any bytes as a segment directory or a trailer.
#include "wire/segment.h"

#include "wire/fuzz_support.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FuzzInput input(data, size);
  if (input.parser % 4 == 0) {
    const auto trailer = parse_segment_trailer(input.bytes, kMaxSegmentBytes);
    if (!trailer) return 0;
    Bytes again(SegmentTrailer::kSizeBytes);
    write_segment_trailer(*trailer, std::span<std::byte, SegmentTrailer::kSizeBytes>(again));
    MHP_CHECK(std::ranges::equal(again, input.bytes));
    return 0;
  }
  const std::uint64_t plain_bytes = 64_KiB << input.parser % 9;
  const auto parse = [plain_bytes](ByteView bytes) { return parse_segment_directory(bytes, plain_bytes); };
  fuzz_parser(parse, input.bytes);
  return 0;
}
