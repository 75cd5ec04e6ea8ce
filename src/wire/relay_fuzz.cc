// Any bytes as a frame of the relay's protocol.
#include "wire/relay.h"

#include "wire/fuzz_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mhp::wire::fuzz_parser(mhp::wire::parse_relay_frame, std::as_bytes(std::span(data, size)));
  return 0;
}
