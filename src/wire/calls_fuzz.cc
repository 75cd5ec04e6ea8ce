// Any bytes as an error of a call.
#include "wire/calls.h"

#include "wire/fuzz_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mhp::wire::fuzz_parser(mhp::wire::parse_call_error, std::as_bytes(std::span(data, size)));
  return 0;
}
