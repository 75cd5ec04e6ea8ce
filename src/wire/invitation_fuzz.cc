// Any bytes as an invitation, and any text as its code.
#include "wire/invitation.h"

#include "wire/fuzz_support.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FuzzInput input(data, size);
  if (input.parser % 2 == 0) {
    fuzz_parser(parse_invitation, input.bytes);
    return 0;
  }
  const auto invitation = invitation_of(as_text(input.bytes));
  if (!invitation) return 0;
  const auto again = invitation_of(code_of(*invitation));
  MHP_CHECK(again && *again == *invitation);
  return 0;
}
