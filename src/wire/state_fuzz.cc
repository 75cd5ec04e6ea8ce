// Any bytes as a file of the state folder; the journal also with its hashes made to fit.
#include "wire/state.h"

#include "wire/fuzz_support.h"
#include "wire/impl/fixed.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FuzzInput input(data, size);
  switch (input.parser % 10) {
    case 0:
      fuzz_parser(parse_device_secret, input.bytes);
      break;
    case 1:
      fuzz_parser(parse_seen_heads, input.bytes);
      break;
    case 2:
      static_cast<void>(parse_journal(input.bytes));
      break;
    case 3: {
      Bytes frame(36 + input.bytes.size());
      impl::put(frame, 0, static_cast<std::uint32_t>(input.bytes.size()));
      impl::put_bytes(frame, 4, primitives::blake3(input.bytes));
      impl::put_bytes(frame, 36, input.bytes);
      const auto entries = parse_journal(frame);
      MHP_CHECK(entries.size() <= 1);
      if (!entries.empty()) MHP_CHECK(parse_journal(encode(entries[0])) == entries);
      break;
    }
    case 4:
      fuzz_parser(parse_bad_rows, input.bytes);
      break;
    case 5:
      fuzz_parser(parse_unlisted_seen, input.bytes);
      break;
    case 6:
      fuzz_parser(parse_known_records, input.bytes);
      break;
    case 7:
      fuzz_parser(parse_computer_secret, input.bytes);
      break;
    case 8: {
      Bytes frame(36 + input.bytes.size());
      impl::put(frame, 0, static_cast<std::uint32_t>(input.bytes.size()));
      impl::put_bytes(frame, 4, primitives::blake3(input.bytes));
      impl::put_bytes(frame, 36, input.bytes);
      fuzz_parser(parse_computer_secret, ByteView(frame));
      break;
    }
    case 9:
      fuzz_parser(parse_taken_heads, input.bytes);
      break;
    default:
      break;
  }
  return 0;
}
