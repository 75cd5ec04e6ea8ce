// Any bytes as a beacon.
#include "wire/beacon.h"

#include "wire/fuzz_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mhp::wire::fuzz_parser(mhp::wire::parse_beacon, std::as_bytes(std::span(data, size)));
  return 0;
}
