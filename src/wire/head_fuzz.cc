// Any bytes as a head or as a reference.
#include "wire/head.h"

#include "wire/fuzz_support.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FuzzInput input(data, size);
  if (input.parser % 2 == 0) fuzz_parser(parse_head, input.bytes);
  if (input.parser % 2 == 1) fuzz_parser(parse_physical_ref, input.bytes);
  return 0;
}
