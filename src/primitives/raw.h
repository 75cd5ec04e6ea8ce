// Bytes as C libraries take them.
#pragma once

#include <cstddef>

namespace mhp::primitives {

inline const unsigned char* raw(const std::byte* bytes) { return reinterpret_cast<const unsigned char*>(bytes); }
inline unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

}  // namespace mhp::primitives
