// Any bytes as a statement, as a set of them, as a digest or as a request to join.
#include "wire/roster.h"

#include "wire/fuzz_support.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FuzzInput input(data, size);
  if (input.parser % 4 == 0) fuzz_parser(parse_statement, input.bytes);
  if (input.parser % 4 == 1) fuzz_parser(parse_statements, input.bytes);
  if (input.parser % 4 == 2) fuzz_parser(parse_roster_digest, input.bytes);
  if (input.parser % 4 == 3) fuzz_parser(parse_join_request, input.bytes);
  return 0;
}
