// The row code's sums with the GFNI instructions of newer x86 processors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace mhp::primitives::gfni {

/// True where this processor has GFNI on 64-byte registers and the system keeps those.
bool runs_here();

/// One 8 x 8 bit matrix a coefficient: the linear map "times c" over GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1, as
/// GF2P8AFFINEQB wants it. (GF2P8MULB is of no use: it multiplies in AES's field.)
/// @param coefficients  row after row of the rows wanted, each with one for every row at hand.
std::vector<std::uint64_t> tables(std::span<const unsigned char> coefficients);

/// out[i] = sum over j of coefficient (i, j) times in[j], `row_bytes` long. Only where runs_here().
void apply(std::span<const std::uint64_t> tables, std::size_t row_bytes, std::span<const std::byte* const> in,
           std::span<std::byte* const> out);

}  // namespace mhp::primitives::gfni
