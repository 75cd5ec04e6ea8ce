// Any bytes as a vault record or one of the parts inside it.
#include "wire/vault_record.h"

#include "wire/fuzz_support.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FuzzInput input(data, size);
  switch (input.parser % 5) {
    case 0:
      fuzz_parser(parse_vault_record, input.bytes);
      break;
    case 1:
      fuzz_parser(parse_device_certificate, input.bytes);
      break;
    case 2:
      fuzz_parser(parse_revocation, input.bytes);
      break;
    case 3:
      fuzz_parser(parse_vault_keys, input.bytes);
      break;
    case 4:
      fuzz_parser(parse_vault_private, input.bytes);
      break;
    default:
      break;
  }
  return 0;
}
