// AES-256-GCM by OpenSSL, and the choice between it and the bulk kernel.
#include "primitives/aead/gcm.h"

#include <openssl/evp.h>

#include "base/check.h"
#include "base/exhausted.h"
#include "primitives/aead/gcm_vaes.h"
#include "primitives/raw.h"

namespace mhp::primitives {
namespace {

constexpr std::size_t kMaxPartBytes = 1_GiB;
/// From here on the bulk kernel is worth its start.
constexpr std::uint64_t kBulkBytes = 1_MiB;

class OpensslGcm : public Gcm {
 public:
  OpensslGcm(const Key& key, GcmDirection direction) : context_(EVP_CIPHER_CTX_new()) {
    if (context_ == nullptr) end_out_of_memory();
    const int seals = direction == GcmDirection::seal ? 1 : 0;
    MHP_CHECK(EVP_CipherInit_ex(context_.get(), EVP_aes_256_gcm(), nullptr, raw(key.data()), nullptr, seals) == 1);
  }

  void start(const GcmNonce& nonce, ByteView associated) override {
    MHP_CHECK(EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, raw(nonce.data()), -1) == 1);
    if (!associated.empty()) update(associated, nullptr);  // no place to write to makes it associated data
  }

  void update(ByteView in, std::byte* out) override {
    int written = 0;
    MHP_CHECK(in.size() <= kMaxPartBytes);
    MHP_CHECK(EVP_CipherUpdate(context_.get(), reinterpret_cast<unsigned char*>(out), &written, raw(in.data()),
                               static_cast<int>(in.size())) == 1);
    MHP_CHECK(static_cast<std::size_t>(written) == in.size());
  }

  GcmTag tag() override {
    MHP_CHECK(finish());
    GcmTag tag;
    MHP_CHECK(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kGcmTagBytes, tag.data()) == 1);
    return tag;
  }

  bool fits(const GcmTag& tag) override {
    auto* given = const_cast<std::byte*>(tag.data());  // OpenSSL only reads it
    MHP_CHECK(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kGcmTagBytes, given) == 1);
    return finish();
  }

 private:
  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };

  bool finish() {
    int rest = 0;
    unsigned char nothing[16];
    return EVP_CipherFinal_ex(context_.get(), nothing, &rest) == 1 && rest == 0;
  }

  std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
};

}  // namespace

bool runs_here(GcmKernel kernel) { return kernel == GcmKernel::openssl || vaes_gcm_runs_here(); }

GcmKernel gcm_kernel_for(std::uint64_t bytes) {
  return bytes >= kBulkBytes && runs_here(GcmKernel::vaes) ? GcmKernel::vaes : GcmKernel::openssl;
}

std::unique_ptr<Gcm> make_gcm(GcmKernel kernel, const Key& key, GcmDirection direction) {
  MHP_CHECK(runs_here(kernel));
  if (kernel == GcmKernel::vaes) return make_vaes_gcm(key, direction);
  return std::make_unique<OpensslGcm>(key, direction);
}

}  // namespace mhp::primitives
