// Bounds before protobuf allocates, and the format number.
#include "wire/impl/proto.h"

#include "base/check.h"
#include "wire/impl/fixed.h"

namespace mhp::wire::impl {

tl::unexpected<Error> bad(const char* what, const char* why) {
  return fail(Errc::invalid, std::string(what) + ": " + why);
}

namespace {

/// Reads a varint at `at` and moves on. False at the end or after 10 bytes.
bool read_varint(ByteView bytes, std::size_t& at, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 70 && at < bytes.size(); shift += 7) {
    const auto byte = std::to_integer<std::uint64_t>(bytes[at++]);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

/// Steps over one field. False where it is cut off, or a group (we have none).
bool skip_field(ByteView bytes, std::size_t& at) {
  std::uint64_t tag = 0;
  std::uint64_t length = 0;
  if (!read_varint(bytes, at, tag)) return false;
  switch (tag & 7) {
    case 0:
      return read_varint(bytes, at, length);
    case 1:
      length = 8;
      break;
    case 2:
      if (!read_varint(bytes, at, length)) return false;
      break;
    case 5:
      length = 4;
      break;
    default:
      return false;
  }
  if (length > bytes.size() - at) return false;
  at += length;
  return true;
}

}  // namespace

Result<void> read_message(google::protobuf::MessageLite& message, ByteView bytes, const Bounds& bounds) {
  if (bytes.size() > bounds.bytes) return bad(bounds.what, "too long");
  std::size_t fields = 0;
  for (std::size_t at = 0; at < bytes.size(); ++fields) {
    if (fields == bounds.fields) return bad(bounds.what, "too many fields");
    if (!skip_field(bytes, at)) return bad(bounds.what, "not a message");
  }
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return bad(bounds.what, "not a message");
  return {};
}

Result<void> check_format(bool present, std::uint32_t format, const char* what) {
  if (!present) return bad(what, "no format number");
  if (const std::string foreign = foreign_format(format); !foreign.empty()) return bad(what, foreign.c_str());
  return {};
}

Result<std::string> later_fields(const google::protobuf::MessageLite& message, std::uint32_t last_known,
                                 const char* what) {
  Bytes bytes = serialize(message);  // in one form, however it came
  std::string later;
  bool has_group = false;
  for (std::size_t at = 0; at < bytes.size() && !has_group;) {
    const std::size_t begin = at;
    std::size_t after_tag = at;
    std::uint64_t tag = 0;
    has_group = !read_varint(bytes, after_tag, tag) || !skip_field(bytes, at);
    if (!has_group && tag >> 3 > last_known) later += as_text(ByteView(bytes).subspan(begin, at - begin));
  }
  wipe(bytes);  // what is not wanted of it may be secret
  if (has_group) return bad(what, "a field that is a group");
  return later;
}

Bytes serialize(const google::protobuf::MessageLite& message) {
  const std::size_t size = message.ByteSizeLong();
  MHP_CHECK(size < (1u << 31));  // protobuf's own bound; ours are far below
  Bytes out(size);
  message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(out.data()));
  return out;
}

}  // namespace mhp::wire::impl
