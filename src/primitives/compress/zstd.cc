// zstd, one frame at a time.
#include "primitives/compress/zstd.h"

#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/exhausted.h"

namespace mhp::primitives {
namespace {

constexpr std::size_t kSampleBytes = 4_KiB;
constexpr std::size_t kSamples = 3;
constexpr std::size_t kWorthPercent = 3;
constexpr std::size_t kEvenSampleBytes = 256;
constexpr std::size_t kLeastEvenBytes = 64;

std::size_t checked(std::size_t size_or_error) {
  if (ZSTD_getErrorCode(size_or_error) == ZSTD_error_memory_allocation) end_out_of_memory();
  MHP_CHECK(!ZSTD_isError(size_or_error));
  return size_or_error;
}

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

/// The first, the middle and the last bytes.
ByteView sample_of(ByteView data, std::size_t number, std::size_t bytes) {
  return data.subspan((data.size() - bytes) / (kSamples - 1) * number, bytes);
}

}  // namespace

// Of n equally likely bytes the squares of the counts add up to about n * n / 256 + n; of letters of text to some
// fifteen times that, of base64 to four times.
bool has_even_bytes(ByteView data) {
  if (data.size() < kLeastEvenBytes) return false;
  std::array<std::uint32_t, 256> counts{};
  std::uint64_t n = 0;
  auto count = [&](ByteView bytes) {
    for (const std::byte b : bytes) ++counts[std::to_integer<std::size_t>(b)];
    n += bytes.size();
  };
  if (data.size() <= kSamples * kEvenSampleBytes) {
    count(data);
  } else {
    for (std::size_t i = 0; i < kSamples; ++i) count(sample_of(data, i, kEvenSampleBytes));
  }
  std::uint64_t squares = 0;
  for (const std::uint32_t c : counts) squares += std::uint64_t{c} * c;
  return squares * 2 < 3 * (n * n / 256 + n);
}

// Level 1, not a negative one: those leave letters as they are, and would take base64 for noise. The small tables are
// three times quicker to clear and enough for one sample.
bool looks_incompressible(ByteView data) {
  if (data.size() < kSampleBytes) return false;
  const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  if (context == nullptr) end_out_of_memory();
  checked(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, 1));
  checked(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_hashLog, 11));
  checked(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, 12));
  std::array<std::byte, ZSTD_COMPRESSBOUND(kSampleBytes)> out;
  std::size_t compressed = 0;
  for (std::size_t i = 0; i < kSamples; ++i) {
    const ByteView sample = sample_of(data, i, kSampleBytes);
    compressed += checked(ZSTD_compress2(context.get(), out.data(), out.size(), sample.data(), sample.size()));
  }
  return compressed * 100 > kSamples * kSampleBytes * (100 - kWorthPercent);
}

struct Compressor::Impl {
  std::unique_ptr<ZSTD_CCtx, FreeContext> context;
};

Compressor::Compressor(int level) : impl_(std::make_unique<Impl>()) {
  MHP_CHECK(level >= 1 && level <= 19);  // above 19 a frame may ask for more than 8 MiB of window
  impl_->context.reset(ZSTD_createCCtx());
  if (impl_->context == nullptr) end_out_of_memory();
  checked(ZSTD_CCtx_setParameter(impl_->context.get(), ZSTD_c_compressionLevel, level));
}

Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;

std::size_t Compressor::bound(std::size_t bytes) { return ZSTD_compressBound(bytes); }

std::size_t Compressor::compress(ByteView data, MutableBytes out) {
  MHP_CHECK(out.size() >= bound(data.size()));
  return checked(ZSTD_compress2(impl_->context.get(), out.data(), out.size(), data.data(), data.size()));
}

// zstd itself would also accept several frames in a row, and frames that carry no data.
static bool is_one_frame(ByteView frame) {
  constexpr std::array kMagic = {std::byte{0x28}, std::byte{0xB5}, std::byte{0x2F}, std::byte{0xFD}};
  static_assert(ZSTD_MAGICNUMBER == 0xFD2FB528);
  return frame.size() > kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), frame.begin()) &&
         ZSTD_findFrameCompressedSize(frame.data(), frame.size()) == frame.size();
}

Result<void> decompress(ByteView frame, MutableBytes out) {
  if (!is_one_frame(frame)) return fail(Errc::corrupt, "zstd: not exactly one frame");
  const unsigned long long stated = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (stated != out.size() && stated != ZSTD_CONTENTSIZE_UNKNOWN) return fail(Errc::corrupt, "zstd: wrong length");
  // In one go: what was written so far is the window, so that no memory is taken for one.
  const std::size_t written = ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_getErrorCode(written) == ZSTD_error_memory_allocation) end_out_of_memory();
  if (ZSTD_isError(written)) return fail(Errc::corrupt, std::string("zstd: ") + ZSTD_getErrorName(written));
  if (written != out.size()) return fail(Errc::corrupt, "zstd: wrong length");
  return {};
}

}  // namespace mhp::primitives
