// Between protobuf messages and this room's structs: limits first, then the format number, then field by field.
#pragma once

#include <google/protobuf/message_lite.h>

#include <array>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/limits.h"

namespace mhp::wire::impl {

/// Bounds of one message: its length, and the number of its own fields (a list of empty messages costs 2 bytes each on
/// disk and a hundred in memory, so they are counted before protobuf allocates).
struct Bounds {
  const char* what;  // for errors: "card"
  std::uint64_t bytes;
  std::size_t fields = 64;
};

/// Errors: invalid.
Result<void> read_message(google::protobuf::MessageLite& message, ByteView bytes, const Bounds& bounds);
/// Errors: invalid, "written by a newer mhp: format 3".
Result<void> check_format(bool present, std::uint32_t format, const char* what);
/// `serial_bytes` is deterministic: no maps, fields in the order of their numbers.
Bytes serialize(const google::protobuf::MessageLite& message);

/// A stored message of its own: bounds, syntax, format number.
template <class Message>
Result<Message> read(ByteView bytes, const Bounds& bounds) {
  Message message;
  MHP_TRY_VOID(read_message(message, bytes, bounds));
  MHP_TRY_VOID(check_format(message.has_format(), message.format(), bounds.what));
  return message;
}

template <class Message>
Message make() {
  Message message;
  message.set_format(kFormat);
  return message;
}

/// Fields with numbers above `last_known`: a newer program wrote them, and who writes the message anew must not lose
/// them. MergeFromString puts them back. Errors: invalid (a group).
Result<std::string> later_fields(const google::protobuf::MessageLite& message, std::uint32_t last_known,
                                 const char* what);

tl::unexpected<Error> bad(const char* what, const char* why);

/// Exactly N bytes. Errors: invalid.
template <std::size_t N>
Result<std::array<std::byte, N>> take_array(const std::string& field, const char* what) {
  if (field.size() != N) return bad(what, "a field has the wrong length");
  std::array<std::byte, N> out;
  std::memcpy(out.data(), field.data(), N);
  return out;
}

template <class IdType>
Result<IdType> take_id(const std::string& field, const char* what) {
  if (field.size() != IdType::kSizeBytes) return bad(what, "an id is not 32 bytes long");
  return IdType::from_bytes(as_bytes(field));
}

inline std::string to_field(ByteView bytes) { return std::string(as_text(bytes)); }

/// Entry `i` of a column of 32-byte values.
template <class IdType>
IdType id_at(const std::string& column, std::size_t i) {
  return IdType::from_bytes(as_bytes(column).subspan(i * 32, 32));
}
inline void append(std::string& column, ByteView bytes) { column.append(as_text(bytes)); }

inline void wipe_field(std::string* field) { wipe(std::as_writable_bytes(std::span(field->data(), field->size()))); }

inline bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

}  // namespace mhp::wire::impl
