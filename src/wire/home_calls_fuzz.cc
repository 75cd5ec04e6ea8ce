// Any bytes as each message of the home protocol.
#include "wire/home_calls.h"

#include "wire/fuzz_support.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FuzzInput input(data, size);
  switch (input.parser % 11) {
    case 0:
      fuzz_parser(parse_session_claim, input.bytes);
      break;
    case 1:
      fuzz_parser(parse_session_proof, input.bytes);
      break;
    case 2:
      fuzz_parser(parse_held_card, input.bytes);
      break;
    case 3:
      fuzz_parser(parse_held_page, input.bytes);
      break;
    case 4:
      fuzz_parser(parse_vault_usage, input.bytes);
      break;
    case 5:
      fuzz_parser(parse_collect_result, input.bytes);
      break;
    case 6:
      fuzz_parser(parse_scrub_result, input.bytes);
      break;
    case 7:
      fuzz_parser(parse_head_chain, input.bytes);
      break;
    case 8:
      fuzz_parser(parse_vault_records_page, input.bytes);
      break;
    case 10:
      fuzz_parser(parse_former_record_reply, input.bytes);
      break;
    default:
      fuzz_parser(parse_heads_page, input.bytes);
  }
  return 0;
}
