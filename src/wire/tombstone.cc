// Tombstones and reprieves to bytes and back: the same fields, told apart by the context of their signatures.
#include "wire/tombstone.h"

#include <wire/visible.pb.h>

#include "wire/impl/proto.h"

namespace mhp::wire {
namespace {

template <class Message, class Value>
Bytes encode_as(const Value& value) {
  auto message = impl::make<Message>();
  message.set_vault(impl::to_field(value.vault.bytes()));
  message.set_device(impl::to_field(value.device.bytes()));
  message.set_time_ns(value.time_ns);
  std::string& column = *message.mutable_segments();
  column.reserve(value.segments.size() * SegmentId::kSizeBytes);
  for (const SegmentId& segment : value.segments) impl::append(column, segment.bytes());
  return impl::serialize(message);
}

template <class Message, class Value>
Result<Value> parse_as(ByteView bytes, const char* what) {
  const impl::Bounds bounds{.what = what, .bytes = kMaxTombstoneBytes};
  MHP_TRY(const auto message, impl::read<Message>(bytes, bounds));
  Value value;
  MHP_TRY(value.vault, impl::take_id<VaultId>(message.vault(), what));
  MHP_TRY(value.device, impl::take_id<DeviceId>(message.device(), what));
  value.time_ns = message.time_ns();
  const std::string& column = message.segments();
  const std::size_t count = column.size() / SegmentId::kSizeBytes;
  if (column.size() % SegmentId::kSizeBytes != 0) return impl::bad(what, "an id is not 32 bytes long");
  if (count == 0 || count > kMaxTombstoneSegments) return impl::bad(what, "number of segments");
  value.segments.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto segment = impl::id_at<SegmentId>(column, i);
    if (i > 0 && segment <= value.segments.back()) return impl::bad(what, "its segments do not rise");
    value.segments.push_back(segment);
  }
  return value;
}

}  // namespace

Bytes encode(const Tombstone& tombstone) { return encode_as<proto::Tombstone>(tombstone); }
Bytes encode(const Reprieve& reprieve) { return encode_as<proto::Reprieve>(reprieve); }

Result<Tombstone> parse_tombstone(ByteView bytes) { return parse_as<proto::Tombstone, Tombstone>(bytes, "tombstone"); }
Result<Reprieve> parse_reprieve(ByteView bytes) { return parse_as<proto::Reprieve, Reprieve>(bytes, "reprieve"); }

}  // namespace mhp::wire
