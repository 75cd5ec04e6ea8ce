// Reed-Solomon over GF(2^8), systematic with Cauchy rows: any k rows give any other rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace mhp::primitives {

/// Computes wanted rows from any k rows at hand. Rows 0..k-1 are the data itself; row r >= k has the coefficients
/// 1 / (r xor j) over data row j, so a row does not depend on how many rows there are. At most 255 rows (0..254).
/// @source Cauchy matrices: Bloemer et al., 1995; field modulo x^8 + x^4 + x^3 + x^2 + 1, as ISA-L's
/// gf_gen_cauchy1_matrix (its gf_gen_rs_matrix is not always decodable).
class RowCode {
 public:
  /// What does the sums. All give the same bytes.
  enum class Kernel { isa_l, gfni };
  static bool runs_here(Kernel kernel);

  /// @param have  k distinct row numbers that will be given; k = have.size(), 1 to 128.
  /// @param want  row numbers to compute, 0 to 255 of them; may be among `have`.
  /// Errors: invalid.
  static Result<RowCode> make(std::span<const std::uint8_t> have, std::span<const std::uint8_t> want);
  /// `in[i]` is row have[i], `out[i]` becomes row want[i], each `row_bytes` long. Pure; any alignment; no `out` may
  /// overlap another buffer.
  void apply(std::size_t row_bytes, std::span<const std::byte* const> in, std::span<std::byte* const> out) const;
  /// The same by one that runs here; apply() takes the fastest.
  void apply_by(Kernel kernel, std::size_t row_bytes, std::span<const std::byte* const> in,
                std::span<std::byte* const> out) const;

 private:
  RowCode() = default;
  std::size_t have_ = 0;
  std::size_t want_ = 0;
  std::vector<unsigned char> tables_;       // ISA-L's
  std::vector<std::uint64_t> gfni_tables_;  // none where that does not run
};

}  // namespace mhp::primitives
