// Any bytes as a card.
#include "wire/card.h"

#include "wire/fuzz_support.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_parser(parse_card, std::as_bytes(std::span(data, size)));
  return 0;
}
