// What both ends of a call do alike: the header that names the protocol, and bodies that grow as they come.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace mhp::net::impl {

constexpr std::string_view kProtocolHeader = "mhp-protocol";

/// Why nothing can be said to one whose header `mhp-protocol` is this, and not kProtocol; empty: it had none.
Error foreign_protocol(std::string spoken);

/// Adds to a body. Memory grows with what has come, towards what was announced: a promise alone takes none.
void append_body(Bytes& body, ByteView bytes, std::uint64_t announced_bytes);

}  // namespace mhp::net::impl
