// Who a computer is in the network: an Ed25519 key, and the certificate that shows it.
#pragma once

#include <memory>

#include "base/ids.h"
#include "primitives/sign/sign.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY
struct x509_st;      // and X509

namespace mhp::net {

/// A key and its self-signed certificate. The same secret gives the same of both.
class Identity {
 public:
  /// `secret`: the seed of the Ed25519 key (as in primitives::SigningKey), 32 random bytes. Not kept but as that key.
  explicit Identity(const primitives::Key& secret);
  ~Identity();
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;

  const HomeId& id() const { return id_; }
  const primitives::PublicKey& public_key() const { return public_key_; }
  /// For the TLS library.
  evp_pkey_st* key() const { return key_.get(); }
  x509_st* certificate() const { return certificate_.get(); }

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
    void operator()(x509_st* certificate) const;
  };
  std::unique_ptr<evp_pkey_st, Free> key_;
  std::unique_ptr<x509_st, Free> certificate_;
  primitives::PublicKey public_key_{};
  HomeId id_{};
};

}  // namespace mhp::net
