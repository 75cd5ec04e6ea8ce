// Keys and certificates by OpenSSL.
#include "net/identity.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/check.h"

namespace mhp::net {
namespace {

/// The name says nothing and the dates mean nothing: who somebody is shows in the key alone.
void fill(X509* certificate, EVP_PKEY* key) {
  constexpr int kVersion3 = 2;
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>("mhp");
  MHP_CHECK(X509_set_version(certificate, kVersion3) == 1);
  MHP_CHECK(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1);
  MHP_CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1);
  MHP_CHECK(X509_set_issuer_name(certificate, name) == 1);
  MHP_CHECK(ASN1_TIME_set_string(X509_getm_notBefore(certificate), "19700101000000Z") == 1);
  MHP_CHECK(ASN1_TIME_set_string(X509_getm_notAfter(certificate), "99991231235959Z") == 1);
  MHP_CHECK(X509_set_pubkey(certificate, key) == 1);
  MHP_CHECK(X509_sign(certificate, key, nullptr) > 0);  // Ed25519 hashes by itself: no digest is given
}

}  // namespace

void Identity::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }
void Identity::Free::operator()(x509_st* certificate) const { X509_free(certificate); }

Identity::Identity(const primitives::Key& secret) {
  const auto* seed = reinterpret_cast<const unsigned char*>(secret.data());
  key_.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed, secret.size()));
  certificate_.reset(X509_new());
  MHP_CHECK(key_ && certificate_);
  std::size_t size = public_key_.size();
  MHP_CHECK(EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(public_key_.data()), &size) == 1);
  fill(certificate_.get(), key_.get());
  id_ = primitives::home_id_of(public_key_);
}

Identity::~Identity() = default;

}  // namespace mhp::net
