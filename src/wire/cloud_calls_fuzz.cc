// Any bytes as each message about rosters.
#include "wire/cloud_calls.h"

#include "wire/fuzz_support.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FuzzInput input(data, size);
  if (input.parser % 3 == 0) fuzz_parser(parse_cloud_claim, input.bytes);
  if (input.parser % 3 == 1) fuzz_parser(parse_join_call, input.bytes);
  if (input.parser % 3 == 2) fuzz_parser(parse_roster_news, input.bytes);
  return 0;
}
