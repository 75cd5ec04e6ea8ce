// HKDF-SHA-256 (extract and expand), by OpenSSL.
#pragma once

#include "base/bytes.h"

namespace mhp::primitives {

/// Fills `out` (1 to 8160 bytes) from key material; `info` at most 1 KiB. Cannot fail but for a bug. @source RFC 5869.
void hkdf_sha256(ByteView key_material, ByteView salt, ByteView info, MutableBytes out);

}  // namespace mhp::primitives
