// Any bytes as a signed envelope.
#include "wire/signed.h"

#include "wire/fuzz_support.h"
#include "wire/limits.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parse = [](ByteView bytes) { return parse_signed(bytes, kMaxVaultRecordBytes); };
  fuzz_parser(parse, std::as_bytes(std::span(data, size)));
  return 0;
}
