// Four times as fast as OpenSSL 3.0, which knows no VAES; for bulk only (docs/decisions/0017-gcm-with-vaes.md).
#include "primitives/aead/gcm_vaes.h"

#include "base/check.h"

#ifdef MHP_HAS_IPSEC_MB

#include <intel-ipsec-mb.h>
#include <sodium.h>

#include <cstring>

namespace mhp::primitives {
namespace {

/// The library's table of functions for this processor; null where it has no VAES with AVX-512. Never freed: threads
/// may use it to the end.
IMB_MGR* table_of_functions() {
  IMB_MGR* table = alloc_mb_mgr(0);
  if (table == nullptr) return nullptr;
  constexpr std::uint64_t kNeeded = IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ | IMB_FEATURE_AVX512_SKX;
  if ((table->features & kNeeded) == kNeeded) {
    init_mb_mgr_avx512(table);
    if (imb_get_errno(table) == 0 && table->used_arch == IMB_ARCH_AVX512) return table;
  }
  free_mb_mgr(table);
  return nullptr;
}

IMB_MGR* functions() {
  static IMB_MGR* const table = table_of_functions();
  return table;
}

class VaesGcm : public Gcm {
 public:
  VaesGcm(const Key& key, GcmDirection direction) : seals_(direction == GcmDirection::seal) {
    IMB_AES256_GCM_PRE(functions(), key.data(), &key_);
  }
  ~VaesGcm() override {
    sodium_memzero(&key_, sizeof key_);
    sodium_memzero(&message_, sizeof message_);
  }

  void start(const GcmNonce& nonce, ByteView associated) override {
    IMB_AES256_GCM_INIT(functions(), &key_, &message_, raw(nonce.data()), raw(associated.data()), associated.size());
  }

  void update(ByteView in, std::byte* out) override {
    auto* to = reinterpret_cast<std::uint8_t*>(out);
    if (seals_)
      IMB_AES256_GCM_ENC_UPDATE(functions(), &key_, &message_, to, raw(in.data()), in.size());
    else
      IMB_AES256_GCM_DEC_UPDATE(functions(), &key_, &message_, to, raw(in.data()), in.size());
  }

  GcmTag tag() override {
    MHP_CHECK(seals_);
    GcmTag tag;
    IMB_AES256_GCM_ENC_FINALIZE(functions(), &key_, &message_, reinterpret_cast<std::uint8_t*>(tag.data()), tag.size());
    return tag;
  }

  bool fits(const GcmTag& tag) override {
    MHP_CHECK(!seals_);
    GcmTag right;
    IMB_AES256_GCM_DEC_FINALIZE(functions(), &key_, &message_, reinterpret_cast<std::uint8_t*>(right.data()),
                                right.size());
    return sodium_memcmp(right.data(), tag.data(), tag.size()) == 0;
  }

 private:
  static const std::uint8_t* raw(const std::byte* bytes) { return reinterpret_cast<const std::uint8_t*>(bytes); }

  alignas(64) gcm_key_data key_;  // the library's types do not say what its loads and stores expect
  alignas(64) gcm_context_data message_;
  const bool seals_;
};

}  // namespace

bool vaes_gcm_runs_here() { return functions() != nullptr; }

std::unique_ptr<Gcm> make_vaes_gcm(const Key& key, GcmDirection direction) {
  return std::make_unique<VaesGcm>(key, direction);
}

}  // namespace mhp::primitives

#else

namespace mhp::primitives {

bool vaes_gcm_runs_here() { return false; }

std::unique_ptr<Gcm> make_vaes_gcm(const Key&, GcmDirection) { MHP_CHECK(false); }

}  // namespace mhp::primitives

#endif
