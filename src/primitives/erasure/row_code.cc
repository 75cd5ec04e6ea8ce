// Cauchy Reed-Solomon: a small matrix is prepared once, then applied to windows that stay in the cache.
#include "primitives/erasure/row_code.h"

#include <isa-l/erasure_code.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <string>

#include "base/check.h"
#include "primitives/erasure/gfni.h"

namespace mhp::primitives {
namespace {

constexpr std::size_t kMaxHave = 128;
constexpr std::size_t kMaxRows = 255;
constexpr std::size_t kTableBytes = 32;  // ISA-L's product table of one coefficient
/// All k inputs of a window stay in the L2 cache while ISA-L passes over them once per 4 to 6 outputs.
constexpr std::size_t kWindowBytes = 16_KiB;

using Matrix = std::vector<unsigned char>;  // row after row, k columns

/// The coefficients of row `row` over the k data rows, to `out`.
void generator_row(std::size_t row, std::size_t k, unsigned char* out) {
  for (std::size_t j = 0; j < k; ++j) {
    out[j] = row < k ? row == j : gf_inv(static_cast<unsigned char>(row ^ j));
  }
}

/// The matrix that turns the rows at hand back into the data rows.
Matrix decoder(std::span<const std::uint8_t> have) {
  const std::size_t k = have.size();
  Matrix rows(k * k);
  Matrix inverse(k * k);
  for (std::size_t i = 0; i < k; ++i) generator_row(have[i], k, &rows[i * k]);
  // Any k rows of identity over Cauchy are independent, so only a bug can make this fail.
  MHP_CHECK(gf_invert_matrix(rows.data(), inverse.data(), static_cast<int>(k)) == 0);
  return inverse;
}

/// out = row * matrix, over k data rows.
void multiply(const unsigned char* row, const Matrix& matrix, std::size_t k, unsigned char* out) {
  std::fill_n(out, k, static_cast<unsigned char>(0));
  for (std::size_t j = 0; j < k; ++j) {
    if (row[j] == 0) continue;
    for (std::size_t i = 0; i < k; ++i) out[i] ^= gf_mul(row[j], matrix[j * k + i]);
  }
}

}  // namespace

Result<RowCode> RowCode::make(std::span<const std::uint8_t> have, std::span<const std::uint8_t> want) {
  const std::size_t k = have.size();
  if (k == 0 || k > kMaxHave) return fail(Errc::invalid, "row code: " + std::to_string(k) + " rows given");
  if (want.size() > kMaxRows) return fail(Errc::invalid, "row code: " + std::to_string(want.size()) + " rows wanted");
  std::bitset<256> seen;
  for (std::uint8_t row : have) {
    if (row >= kMaxRows || seen[row]) return fail(Errc::invalid, "row code: row " + std::to_string(row) + " given");
    seen.set(row);
  }
  for (std::uint8_t row : want) {
    if (row >= kMaxRows) return fail(Errc::invalid, "row code: row " + std::to_string(row) + " wanted");
  }
  const Matrix to_data = decoder(have);
  Matrix coefficients(want.size() * k);
  Matrix row(k);
  for (std::size_t i = 0; i < want.size(); ++i) {
    generator_row(want[i], k, row.data());
    multiply(row.data(), to_data, k, &coefficients[i * k]);
  }
  RowCode code;
  code.have_ = k;
  code.want_ = want.size();
  code.tables_.resize(kTableBytes * k * want.size());
  if (!want.empty()) {
    ec_init_tables(static_cast<int>(k), static_cast<int>(want.size()), coefficients.data(), code.tables_.data());
    if (gfni::runs_here()) code.gfni_tables_ = gfni::tables(coefficients);
  }
  return code;
}

bool RowCode::runs_here(Kernel kernel) { return kernel == Kernel::isa_l || gfni::runs_here(); }

void RowCode::apply(std::size_t row_bytes, std::span<const std::byte* const> in,
                    std::span<std::byte* const> out) const {
  apply_by(runs_here(Kernel::gfni) ? Kernel::gfni : Kernel::isa_l, row_bytes, in, out);
}

void RowCode::apply_by(Kernel kernel, std::size_t row_bytes, std::span<const std::byte* const> in,
                       std::span<std::byte* const> out) const {
  MHP_CHECK(in.size() == have_ && out.size() == want_ && runs_here(kernel));
  if (want_ == 0) return;
  if (kernel == Kernel::gfni) return gfni::apply(gfni_tables_, row_bytes, in, out);
  // ISA-L's types lack const: it neither writes to its inputs nor to the tables.
  auto* tables = const_cast<unsigned char*>(tables_.data());
  std::array<unsigned char*, kMaxHave> from;
  std::array<unsigned char*, kMaxRows> to;
  for (std::size_t at = 0; at < row_bytes; at += kWindowBytes) {
    for (std::size_t i = 0; i < have_; ++i) {
      from[i] = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(in[i])) + at;
    }
    for (std::size_t i = 0; i < want_; ++i) to[i] = reinterpret_cast<unsigned char*>(out[i]) + at;
    const std::size_t length = std::min(kWindowBytes, row_bytes - at);
    ec_encode_data(static_cast<int>(length), static_cast<int>(have_), static_cast<int>(want_), tables, from.data(),
                   to.data());
  }
}

}  // namespace mhp::primitives
