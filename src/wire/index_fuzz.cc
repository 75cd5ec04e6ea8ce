// Any bytes as an index top, an index part or a snapshot part.
#include "wire/index.h"

#include "wire/fuzz_support.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FuzzInput input(data, size);
  switch (input.parser % 3) {
    case 0:
      fuzz_parser(parse_index_top, input.bytes);
      break;
    case 1:
      fuzz_parser(parse_index_part, input.bytes);
      break;
    case 2:
      fuzz_parser(parse_snapshot_part, input.bytes);
      break;
    default:
      break;
  }
  return 0;
}
