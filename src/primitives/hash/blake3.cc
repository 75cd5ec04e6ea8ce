// BLAKE3 by the C implementation of its authors, in storage that the header can name without including it.
#include "primitives/hash/blake3.h"

#include <blake3.h>
#include <sodium.h>

#include <new>
#include <type_traits>

#include "primitives/raw.h"

namespace mhp::primitives {

static blake3_hasher* hasher(std::byte* state) { return std::launder(reinterpret_cast<blake3_hasher*>(state)); }
static const blake3_hasher* hasher(const std::byte* state) {
  return std::launder(reinterpret_cast<const blake3_hasher*>(state));
}

Blake3::Blake3() {
  static_assert(sizeof(blake3_hasher) <= kStateBytes && alignof(blake3_hasher) <= 16);
  static_assert(std::is_trivially_copyable_v<blake3_hasher>);
  blake3_hasher_init(std::construct_at(reinterpret_cast<blake3_hasher*>(state_)));
}

Blake3 Blake3::keyed(const Key& key) {
  Blake3 result;
  blake3_hasher_init_keyed(hasher(result.state_), raw(key.data()));
  return result;
}

Blake3 Blake3::derived(std::string_view context) {
  Blake3 result;
  blake3_hasher_init_derive_key_raw(hasher(result.state_), context.data(), context.size());
  return result;
}

Blake3::Blake3(const Blake3& other) {
  std::construct_at(reinterpret_cast<blake3_hasher*>(state_), *hasher(other.state_));
}

Blake3& Blake3::operator=(const Blake3& other) {
  *hasher(state_) = *hasher(other.state_);
  return *this;
}

// Keyed states hold the key. Not wipe(): its byte by byte loop would cost more than hashing a short name.
Blake3::~Blake3() { sodium_memzero(state_, sizeof state_); }

Blake3& Blake3::update(ByteView data) {
  blake3_hasher_update(hasher(state_), data.data(), data.size());
  return *this;
}

Hash Blake3::finish() const {
  Hash out;
  finish(out);
  return out;
}

void Blake3::finish(MutableBytes out) const {
  blake3_hasher_finalize(hasher(state_), reinterpret_cast<std::uint8_t*>(out.data()), out.size());
}

Hash blake3(ByteView data) { return Blake3().update(data).finish(); }

Hash blake3_keyed(const Key& key, ByteView data) { return Blake3::keyed(key).update(data).finish(); }

Hash blake3_derive(std::string_view context, ByteView material) {
  return Blake3::derived(context).update(material).finish();
}

}  // namespace mhp::primitives
