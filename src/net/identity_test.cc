// Identities: the same secret gives the same name and certificate, and the name is the hash that TLS libraries see.
#include "net/identity.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>

#include "net/call.h"
#include "net/testing/station.h"

namespace mhp::net {
namespace {

TEST(Identity, NameIsTheHashOfItsKeyAsOpensslWritesIt) {
  const Identity identity(testing::key_of(1));
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(identity.key(), &der);
  ASSERT_GT(size, 0);
  HomeId::Array hash;
  EVP_Digest(der, static_cast<std::size_t>(size), reinterpret_cast<unsigned char*>(hash.data()), nullptr, EVP_sha256(),
             nullptr);
  OPENSSL_free(der);
  EXPECT_EQ(identity.id(), HomeId::from_array(hash));
  EXPECT_EQ(identity.id(), primitives::home_id_of(identity.public_key()));
}

TEST(Identity, ItsKeyIsTheSigningKeyOfTheSameSeed) {
  primitives::init_sodium();
  const Identity identity(testing::key_of(2));
  EXPECT_EQ(identity.public_key(), primitives::SigningKey(testing::key_of(2)).public_key());
}

TEST(Identity, CertificateIsTheSameEachTimeAndSignsItself) {
  const Identity one(testing::key_of(3));
  const Identity again(testing::key_of(3));
  EXPECT_EQ(X509_cmp(one.certificate(), again.certificate()), 0);
  EXPECT_EQ(X509_self_signed(one.certificate(), 1), 1);
}

/// Golden: homes know each other by these names.
TEST(Identity, NameOfAKnownSecretNeverChanges) {
  const HomeId id = Identity(primitives::Key{}).id();
  EXPECT_EQ(id.hex(), "339e2ff917630507b6a423b5ce084e285d1fa65d93b3e27a6195d3bbebc9ae23");
}

TEST(Status, EachErrorHasItsOwnAndComesBack) {
  std::vector<unsigned> seen;
  for (unsigned code = 1; code <= static_cast<unsigned>(Errc::exhausted); ++code) {
    const unsigned status = status_of(static_cast<Errc>(code));
    EXPECT_EQ(errc_of(status), static_cast<Errc>(code));
    EXPECT_EQ(std::ranges::count(seen, status), 0);
    EXPECT_TRUE(status >= 400 && status < 600);
    seen.push_back(status);
  }
  EXPECT_EQ(errc_of(500), Errc::unavailable);
  EXPECT_EQ(errc_of(599), Errc::unavailable);
  EXPECT_EQ(errc_of(418), Errc::invalid);
}

}  // namespace
}  // namespace mhp::net
