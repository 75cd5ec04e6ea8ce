// Any bytes as a tombstone or as a reprieve.
#include "wire/tombstone.h"

#include "wire/fuzz_support.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FuzzInput input(data, size);
  if (input.parser % 2 == 0) fuzz_parser(parse_tombstone, input.bytes);
  if (input.parser % 2 == 1) fuzz_parser(parse_reprieve, input.bytes);
  return 0;
}
