// HKDF-SHA-256 through OpenSSL's EVP_KDF.
#include "primitives/hash/hkdf.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <array>
#include <memory>

#include "base/check.h"
#include "base/exhausted.h"

namespace mhp::primitives {
namespace {

constexpr std::size_t kMaxOutBytes = 255 * 32;  // RFC 5869, 2.3
constexpr std::size_t kMaxInfoBytes = 1_KiB;    // OpenSSL 3.0 takes 2 KiB

struct FreeKdf {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

// OpenSSL takes its inputs as void*, but does not write to them.
OSSL_PARAM octets(const char* name, ByteView bytes) {
  static constexpr std::byte kNothing{};
  const std::byte* data = bytes.empty() ? &kNothing : bytes.data();
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(data), bytes.size());
}

}  // namespace

void hkdf_sha256(ByteView key_material, ByteView salt, ByteView info, MutableBytes out) {
  static constexpr std::array<std::byte, 32> kZeroSalt{};  // RFC 5869, 2.2: what a salt that is not given means
  MHP_CHECK(!out.empty() && out.size() <= kMaxOutBytes && info.size() <= kMaxInfoBytes);
  char digest[] = "SHA256";
  const std::array params = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      octets(OSSL_KDF_PARAM_KEY, key_material),
      octets(OSSL_KDF_PARAM_SALT, salt.empty() ? ByteView(kZeroSalt) : salt),
      octets(OSSL_KDF_PARAM_INFO, info),
      OSSL_PARAM_construct_end(),
  };
  const std::unique_ptr<EVP_KDF, FreeKdf> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(EVP_KDF_CTX_new(kdf.get()));
  if (context == nullptr) end_out_of_memory();
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  MHP_CHECK(EVP_KDF_derive(context.get(), to, out.size(), params.data()) == 1);
}

}  // namespace mhp::primitives
