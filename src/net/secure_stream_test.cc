// TLS: who is let in, who is not and learns it, and what both ends know afterwards.
#include "net/secure_stream.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "net/testing/memory_stream.h"
#include "net/testing/station.h"
#include "platform/memory/memory_platform.h"

namespace mhp::net {
namespace {

using namespace std::chrono_literals;
using platform::MemoryPlatform;
using platform::run_task;
using testing::Computer;
using testing::make_stream_pair;

constexpr std::size_t kHandshakeBytes = 4096;

/// What both ends made of a connection.
struct Ends {
  std::optional<Result<Secured>> caller;
  std::optional<Result<Secured>> answerer;
};

Task<> accept_and_greet(const Tls& tls, platform::Clock& clock, std::unique_ptr<platform::Stream> stream, Ends& ends) {
  ends.answerer.emplace(co_await tls.accept(std::move(stream), kHandshakeBytes, clock, 5s));
  if (*ends.answerer) (void)co_await ends.answerer->value().stream->write_all(as_bytes("hello"));
}

Task<> connect(const Tls& tls, platform::Clock& clock, std::unique_ptr<platform::Stream> stream,
               std::optional<HomeId> expected, Ends& ends) {
  ends.caller.emplace(co_await tls.connect(std::move(stream), expected, clock, 5s));
}

Task<Ends> meet(MemoryPlatform& platform, const Tls& caller, const Tls& answerer, std::optional<HomeId> expected) {
  Ends ends;
  auto [mine, other] = make_stream_pair(platform.executor());
  platform::Nursery both(platform.executor());
  both.start(connect(caller, platform.clock(), std::move(mine), expected, ends));
  both.start(accept_and_greet(answerer, platform.clock(), std::move(other), ends));
  co_await both.join();
  co_return ends;
}

struct World {
  MemoryPlatform platform{1};
  Computer alice{platform, 1};
  Computer bob{platform, 2};
  Computer eve{platform, 3};
  Ends meet(std::optional<HomeId> expected) {
    return run_task(platform, net::meet(platform, alice.tls, bob.tls, expected));
  }
};

TEST(SecureStream, BothEndsKnowEachOther) {
  World world;
  Ends ends = world.meet(world.bob.identity.id());
  ASSERT_TRUE(*ends.caller) << ends.caller->error().detail;
  ASSERT_TRUE(*ends.answerer) << ends.answerer->error().detail;
  const Peer& bob = ends.caller->value().peer;
  const Peer& alice = ends.answerer->value().peer;
  EXPECT_EQ(bob.id, world.bob.identity.id());
  EXPECT_EQ(bob.key, world.bob.identity.public_key());
  EXPECT_EQ(alice.id, world.alice.identity.id());
  EXPECT_EQ(alice.key, world.alice.identity.public_key());
  EXPECT_EQ(alice.remote, "192.0.2.1:7070");
  EXPECT_LT(ends.answerer->value().received_bytes, 1200U);
}

TEST(SecureStream, ExporterIsEqualAtBothEndsAndNewEachTime) {
  World world;
  Ends first = world.meet(std::nullopt);
  Ends second = world.meet(std::nullopt);
  ASSERT_TRUE(*first.caller && *second.caller);
  EXPECT_EQ(first.caller->value().peer.exporter, first.answerer->value().peer.exporter);
  EXPECT_EQ(second.caller->value().peer.exporter, second.answerer->value().peer.exporter);
  EXPECT_NE(first.caller->value().peer.exporter, second.caller->value().peer.exporter);
  EXPECT_NE(first.caller->value().peer.exporter, (std::array<std::byte, 32>{}));
}

TEST(SecureStream, AnotherKeyThanExpectedIsRefusedAndNamed) {
  World world;
  Ends ends = world.meet(world.eve.identity.id());
  ASSERT_FALSE(*ends.caller);
  EXPECT_EQ(ends.caller->error().code, Errc::denied);
  EXPECT_NE(ends.caller->error().detail.find(world.bob.identity.id().short_hex()), std::string::npos);
  ASSERT_FALSE(*ends.answerer);  // and learns that it was refused
  EXPECT_EQ(ends.answerer->error().code, Errc::denied) << ends.answerer->error().detail;
}

/// A party in OpenSSL's plain terms: other keys, other versions.
struct Foreign {
  explicit Foreign(const char* key_type, bool client, int most_version = TLS1_3_VERSION)
      : context(SSL_CTX_new(client ? TLS_client_method() : TLS_server_method())), certificate(X509_new()) {
    if (std::string_view(key_type) == "RSA")
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048});
    else if (std::string_view(key_type) == "EC")
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    else
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, key_type);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
    ASN1_TIME_set_string(X509_getm_notBefore(certificate), "20200101000000Z");
    ASN1_TIME_set_string(X509_getm_notAfter(certificate), "20200102000000Z");
    X509_set_pubkey(certificate, key);
    sign(key);
    SSL_CTX_set_max_proto_version(context, most_version);
    static const unsigned char protocols[] = {2, 'h', '2'};
    SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(context, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  }
  ~Foreign() {
    SSL_CTX_free(context);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  void sign(EVP_PKEY* by) {
    X509_sign(certificate, by, EVP_PKEY_get_id(by) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256());
  }
  SSL* make() {
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    return SSL_new(context);
  }
  SSL_CTX* context;
  X509* certificate;
  EVP_PKEY* key = nullptr;
};

/// Drives a foreign SSL over a stream until its handshake and one read are done or have failed.
Task<> drive(SSL* ssl, std::unique_ptr<platform::Stream> stream, std::string& ended) {
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, in, out);
  std::array<std::byte, 16'384> buffer;
  for (;;) {
    ERR_clear_error();
    char byte = 0;
    const int done = SSL_is_init_finished(ssl) ? SSL_read(ssl, &byte, 1) : SSL_do_handshake(ssl);
    const int why = SSL_get_error(ssl, done);
    if (why == SSL_ERROR_SSL) {
      const char* words = ERR_reason_error_string(ERR_peek_error());
      ended = words != nullptr ? words : "?";
    }
    const int size = BIO_read(out, buffer.data(), static_cast<int>(buffer.size()));
    if (size > 0) (void)co_await stream->write_all(ByteView(buffer).first(static_cast<std::size_t>(size)));
    if (done == 1 && SSL_is_init_finished(ssl) && byte != 0) ended = "read";
    if (!ended.empty()) break;
    if (done == 1) continue;
    const auto got = co_await stream->read_some(buffer);
    if (!got || *got == 0) {
      ended = "closed";
      break;
    }
    BIO_write(in, buffer.data(), static_cast<int>(*got));
  }
  stream->close();
  SSL_free(ssl);
}

struct ForeignMeeting {
  std::string ended;  // what the foreign end saw
  Ends ends;
};

Task<ForeignMeeting> call_bob(World& world, Foreign& foreign) {
  ForeignMeeting out;
  auto [mine, other] = make_stream_pair(world.platform.executor());
  platform::Nursery both(world.platform.executor());
  SSL* ssl = foreign.make();
  SSL_set_connect_state(ssl);
  both.start(drive(ssl, std::move(mine), out.ended));
  both.start(accept_and_greet(world.bob.tls, world.platform.clock(), std::move(other), out.ends));
  co_await both.join();
  co_return out;
}

Task<ForeignMeeting> answer_alice(World& world, Foreign& foreign) {
  ForeignMeeting out;
  auto [mine, other] = make_stream_pair(world.platform.executor());
  platform::Nursery both(world.platform.executor());
  SSL* ssl = foreign.make();
  SSL_set_accept_state(ssl);
  both.start(drive(ssl, std::move(mine), out.ended));
  both.start(connect(world.alice.tls, world.platform.clock(), std::move(other), std::nullopt, out.ends));
  co_await both.join();
  co_return out;
}

TEST(SecureStream, TakesAnySelfSignedEd25519CertificateOfAnyDate) {
  World world;
  Foreign foreign("ED25519", true);
  const ForeignMeeting met = run_task(world.platform, call_bob(world, foreign));
  EXPECT_EQ(met.ended, "read");
  ASSERT_TRUE(*met.ends.answerer) << met.ends.answerer->error().detail;
}

TEST(SecureStream, OlderTlsIsRefusedBothWays) {
  World world;
  Foreign caller("ED25519", true, TLS1_2_VERSION);
  const ForeignMeeting called = run_task(world.platform, call_bob(world, caller));
  EXPECT_EQ(called.ended, "tlsv1 alert protocol version");
  EXPECT_EQ(called.ends.answerer->error().code, Errc::invalid);
  EXPECT_NE(called.ends.answerer->error().detail.find("unsupported protocol"), std::string::npos);
  Foreign answerer("ED25519", false, TLS1_2_VERSION);
  const ForeignMeeting answered = run_task(world.platform, answer_alice(world, answerer));
  EXPECT_EQ(answered.ends.caller->error().code, Errc::invalid);
}

TEST(SecureStream, OtherKindsOfKeysAreRefusedAndLearnIt) {
  for (const char* kind : {"RSA", "EC"}) {
    World world;
    Foreign caller(kind, true);
    const ForeignMeeting called = run_task(world.platform, call_bob(world, caller));
    ASSERT_FALSE(*called.ends.answerer) << kind;
    EXPECT_TRUE(called.ended != "read" && called.ended != "closed") << kind << called.ended;
    Foreign answerer(kind, false);
    const ForeignMeeting answered = run_task(world.platform, answer_alice(world, answerer));
    ASSERT_FALSE(*answered.ends.caller) << kind;
    EXPECT_NE(answered.ended, "read");
  }
}

TEST(SecureStream, ACertificateThatAnotherKeySignedIsRefusedAndItsOwnerLearnsIt) {
  World world;
  Foreign caller("ED25519", true);
  const Foreign authority("ED25519", true);
  caller.sign(authority.key);
  const ForeignMeeting met = run_task(world.platform, call_bob(world, caller));
  ASSERT_FALSE(*met.ends.answerer);
  EXPECT_EQ(met.ends.answerer->error().code, Errc::denied) << met.ends.answerer->error().detail;
  EXPECT_EQ(met.ended, "sslv3 alert bad certificate");
}

TEST(SecureStream, OurRefusedCallerLearnsItThoughItsHandshakeWasDone) {
  World world;
  Foreign answerer("ED25519", false);
  SSL_CTX_set_verify(answerer.context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_alpn_select_cb(
      answerer.context,
      [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in, unsigned, void*) {
        *out = in + 1;
        *size = *in;
        return SSL_TLSEXT_ERR_OK;
      },
      nullptr);
  SSL_CTX_set_cert_verify_callback(
      answerer.context,
      [](X509_STORE_CTX* context, void*) {
        X509_STORE_CTX_set_error(context, X509_V_ERR_CERT_REVOKED);
        return 0;
      },
      nullptr);
  const ForeignMeeting met = run_task(world.platform, answer_alice(world, answerer));
  ASSERT_FALSE(*met.ends.caller);
  EXPECT_EQ(met.ends.caller->error().code, Errc::denied) << met.ends.caller->error().detail;
}

TEST(SecureStream, NoCertificateAndNoHttp2AreRefused) {
  World world;
  Foreign nameless("ED25519", true);
  SSL* ssl = SSL_new(nameless.context);  // before a certificate is set
  SSL_free(ssl);
  X509_free(nameless.certificate);
  nameless.certificate = nullptr;
  const ForeignMeeting met = run_task(world.platform, call_bob(world, nameless));
  ASSERT_FALSE(*met.ends.answerer);
  EXPECT_NE(met.ended, "read");
  Foreign other("ED25519", true);
  static const unsigned char protocols[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  SSL_CTX_set_alpn_protos(other.context, protocols, sizeof protocols);
  const ForeignMeeting spoke = run_task(world.platform, call_bob(world, other));
  EXPECT_EQ(spoke.ended, "tlsv1 alert no application protocol");
  EXPECT_EQ(spoke.ends.answerer->error().code, Errc::invalid);
}

Task<Result<Secured>> accept_from(World& world, Bytes first) {
  auto [mine, other] = make_stream_pair(world.platform.executor());
  (void)co_await mine->write_all(first);
  auto accepting = world.bob.tls.accept(std::move(other), kHandshakeBytes, world.platform.clock(), 5s);
  co_return co_await std::move(accepting);
}

TEST(SecureStream, SilenceNoiseAndLengthEndAHandshake) {
  World world;
  const auto silent = run_task(world.platform, accept_from(world, {}));
  EXPECT_EQ(silent.error().code, Errc::timed_out);
  EXPECT_EQ(world.platform.clock().steady(), 5s);
  EXPECT_EQ(run_task(world.platform, accept_from(world, Bytes(100, std::byte{'G'}))).error().code, Errc::invalid);
  // A record of a handshake message that goes on and on.
  Bytes endless(kHandshakeBytes + 1);
  const unsigned char front[] = {22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc};
  std::memcpy(endless.data(), front, sizeof front);
  const auto longer = run_task(world.platform, accept_from(world, endless));
  EXPECT_EQ(longer.error().code, Errc::invalid);
  EXPECT_NE(longer.error().detail.find("too long"), std::string::npos);
}

Task<> send_all(platform::Stream& stream, Bytes bytes) {
  (void)co_await stream.write_all(bytes);
  stream.close();
}

Task<Bytes> exchange(World& world, std::size_t size) {
  Ends ends = co_await meet(world.platform, world.alice.tls, world.bob.tls, std::nullopt);
  Bytes sent(size);
  for (std::size_t i = 0; i < size; ++i) sent[i] = static_cast<std::byte>(i * 7 + i / 251);
  platform::Nursery writer(world.platform.executor());
  writer.start(send_all(*ends.answerer->value().stream, sent));
  Bytes got;
  Bytes buffer(100'000);
  for (;;) {
    const auto read = co_await ends.caller->value().stream->read_some(buffer);
    if (!read || *read == 0) break;
    got.insert(got.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*read));
  }
  co_await writer.join();
  const std::string_view hello = "hello";
  EXPECT_EQ(as_text(ByteView(got).first(5)), hello);
  got.erase(got.begin(), got.begin() + 5);
  EXPECT_TRUE(got == sent);
  co_return got;
}

TEST(SecureStream, CarriesMegabytes) {
  World world;
  EXPECT_EQ(run_task(world.platform, exchange(world, 3'000'001)).size(), 3'000'001U);
}

Task<Result<std::size_t>> tampered(World& world) {
  Ends ends;
  auto [mine, other] = make_stream_pair(world.platform.executor());
  auto* raw = other.get();
  platform::Nursery both(world.platform.executor());
  both.start(connect(world.alice.tls, world.platform.clock(), std::move(mine), std::nullopt, ends));
  both.start(accept_and_greet(world.bob.tls, world.platform.clock(), std::move(other), ends));
  co_await both.join();
  Bytes buffer(100);
  (void)co_await ends.caller->value().stream->read_some(buffer);  // hello
  const unsigned char record[] = {23, 3,  3,  0,  20, 1,  2,  3,  4,  5,  6,  7, 8,
                                  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
  (void)co_await raw->write_all(std::as_bytes(std::span(record)));
  co_return co_await ends.caller->value().stream->read_some(buffer);
}

TEST(SecureStream, AForgedRecordIsAnError) {
  World world;
  const auto read = run_task(world.platform, tampered(world));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::invalid) << read.error().detail;
}

}  // namespace
}  // namespace mhp::net
