// Any bytes as a record front, as they are and with the hash made to fit.
#include "wire/record.h"

#include "wire/fuzz_support.h"
#include "wire/impl/fixed.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes = to_bytes(std::as_bytes(std::span(data, size)));
  static_cast<void>(parse_record_front(bytes));
  const auto lengths = peek_record(bytes);
  if (!lengths || bytes.size() < lengths->front_bytes) return 0;
  auto hash = primitives::Blake3::derived("mhp 1 record front");
  hash.update(ByteView(bytes).first(96)).update(ByteView(bytes).first(lengths->front_bytes).subspan(160));
  impl::put_bytes(bytes, 96, hash.finish());
  const auto front = parse_record_front(bytes);
  if (!front || front->record_bytes > 1_MiB) return 0;
  Bytes record(front->record_bytes);
  write_record_front(*front, record);
  std::ranges::fill(MutableBytes(bytes).subspan(128, 32), std::byte{0});  // the stamp is not part of a front
  MHP_CHECK(std::ranges::equal(ByteView(record).first(front->front_bytes), ByteView(bytes).first(front->front_bytes)));
  return 0;
}
