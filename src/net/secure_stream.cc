// TLS by OpenSSL on memory BIOs: it never sees a socket, so it runs over any stream.
#include "net/secure_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>

#include "base/check.h"
#include "net/impl/within.h"

namespace mhp::net {
namespace {

constexpr char kExporterLabel[] = "EXPORTER-mhp-1";
// ALPN, as it stands in the handshake: its length before each name.
constexpr std::string_view kRequests = "\2h2";
constexpr std::string_view kRelay = "\13mhp-relay-1";
constexpr std::string_view kBoth = "\2h2\13mhp-relay-1";
constexpr std::size_t kMostCertificateBytes = 2048;         // ours have 300
constexpr std::size_t kMostBytesFromServer = 8192;          // of a handshake, as the client
constexpr std::size_t kBatchBytes = 64_KiB;                 // sealed together: one write below for four records
constexpr std::size_t kBufferBytes = kBatchBytes + 16_KiB;  // a sealed batch fits
constexpr int kAlertsFrom = SSL_AD_REASON_OFFSET;           // reasons from here on: an alert of the other end

/// What a handshake has to show, and what it did.
struct Shown {
  std::optional<HomeId> expected{};
  std::optional<HomeId> id{};  // of the certificate that was shown
  primitives::PublicKey key{};
};

/// The raw key of an Ed25519 certificate; nothing for other kinds.
std::optional<primitives::PublicKey> ed25519_of(X509* certificate) {
  EVP_PKEY* key = X509_get0_pubkey(certificate);
  primitives::PublicKey raw;
  std::size_t size = raw.size();
  if (key == nullptr || EVP_PKEY_get_id(key) != EVP_PKEY_ED25519 ||
      EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(raw.data()), &size) != 1 || size != raw.size())
    return std::nullopt;
  return raw;
}

/// In place of OpenSSL's own verification, which asks for authorities. Dates and names are not looked at.
int judge(X509_STORE_CTX* context, void*) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& shown = *static_cast<Shown*>(SSL_get_app_data(ssl));
  X509* certificate = X509_STORE_CTX_get0_cert(context);
  const auto key = certificate != nullptr ? ed25519_of(certificate) : std::nullopt;
  const bool alone = sk_X509_num(X509_STORE_CTX_get0_untrusted(context)) == 1;
  X509_STORE_CTX_set_error(context, X509_V_ERR_CERT_REJECTED);
  ERR_set_mark();  // what it finds wrong is no error of the handshake's own, which tells more
  const bool valid = key && alone && X509_self_signed(certificate, 1) == 1;
  ERR_pop_to_mark();
  if (!valid) return 0;
  shown.key = *key;
  shown.id = primitives::home_id_of(*key);
  if (shown.expected && *shown.expected != *shown.id) return 0;
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

const unsigned char* alpn(std::string_view names) { return reinterpret_cast<const unsigned char*>(names.data()); }

std::string_view chosen_protocol(SSL* ssl) {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                    void*) {
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_size, alpn(kBoth), kBoth.size(), in, in_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

SSL_CTX* make_context(const SSL_METHOD* method, const Identity& identity) {
  SSL_CTX* context = SSL_CTX_new(method);
  MHP_CHECK(context != nullptr);
  MHP_CHECK(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1);
  MHP_CHECK(SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1);
  MHP_CHECK(SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256") == 1);
  MHP_CHECK(SSL_CTX_set1_groups_list(context, "X25519") == 1);
  MHP_CHECK(SSL_CTX_set1_sigalgs_list(context, "ed25519") == 1);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // A resumed session would not call judge().
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  MHP_CHECK(SSL_CTX_set_num_tickets(context, 0) == 1);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, judge, nullptr);
  SSL_CTX_set_max_cert_list(context, kMostCertificateBytes);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  MHP_CHECK(SSL_CTX_use_certificate(context, identity.certificate()) == 1);
  MHP_CHECK(SSL_CTX_use_PrivateKey(context, identity.key()) == 1);
  return context;
}

/// The oldest entry of OpenSSL's queue of errors, as an error of ours. To be asked right after the call that failed.
Error tls_error(const Shown& shown) {
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_REASON(code);
  const char* known = ERR_reason_error_string(code);
  const std::string words = known != nullptr ? known : "no reason given";
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && shown.id && shown.expected)
    return {Errc::denied,
            "another computer answers: " + shown.id->short_hex() + ", not " + shown.expected->short_hex()};
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) return {Errc::denied, "it shows no self-signed Ed25519 certificate"};
  const int alert = reason - kAlertsFrom;
  const bool about_certificate =
      (alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_ACCESS_DENIED && alert != SSL_AD_ILLEGAL_PARAMETER) ||
      alert == SSL_AD_CERTIFICATE_REQUIRED;
  if (about_certificate) return {Errc::denied, "the other end refuses this computer's key (" + words + ")"};
  return {Errc::invalid, "TLS: " + words};
}

class SecureStream final : public platform::Stream {
 public:
  SecureStream(std::unique_ptr<platform::Stream> below, SSL_CTX* context, std::optional<HomeId> expected);
  ~SecureStream() override { SSL_free(ssl_); }
  SecureStream(const SecureStream&) = delete;
  SecureStream& operator=(const SecureStream&) = delete;

  SSL* ssl() { return ssl_; }
  Peer peer() const;
  std::size_t received_bytes() const { return received_; }
  Task<Result<void>> handshake(std::size_t most_bytes);
  /// Until there is something to read. Errors: also those of a certificate that was refused.
  Task<Result<void>> await_first_byte();

  Task<Result<std::size_t>> read_some(MutableBytes out) override;
  Task<Result<void>> write_all(ByteView bytes) override;
  Task<Result<void>> finish() override;
  void close() override { below_->close(); }
  const platform::Endpoint& remote() const override { return below_->remote(); }
  const platform::Endpoint& local() const override { return below_->local(); }

 private:
  /// More sealed bytes from below; 0 at their end.
  Task<Result<std::size_t>> feed();
  /// What OpenSSL has to send goes below. Only ever by the one who writes.
  Task<Result<void>> flush();

  std::unique_ptr<platform::Stream> below_;
  Shown shown_;
  SSL* ssl_;
  BIO* incoming_;  // both owned by ssl_
  BIO* outgoing_;
  std::size_t received_ = 0;
  // Not zeroed: what an idle connection never touches takes no memory.
  std::unique_ptr<std::byte[]> in_ = std::make_unique_for_overwrite<std::byte[]>(kBufferBytes);
  std::unique_ptr<std::byte[]> out_ = std::make_unique_for_overwrite<std::byte[]>(kBufferBytes);
};

SecureStream::SecureStream(std::unique_ptr<platform::Stream> below, SSL_CTX* context, std::optional<HomeId> expected)
    : below_(std::move(below)),
      shown_{.expected = expected},
      ssl_(SSL_new(context)),
      incoming_(BIO_new(BIO_s_mem())),
      outgoing_(BIO_new(BIO_s_mem())) {
  MHP_CHECK(ssl_ != nullptr && incoming_ != nullptr && outgoing_ != nullptr);
  SSL_set_bio(ssl_, incoming_, outgoing_);
  MHP_CHECK(SSL_set_app_data(ssl_, &shown_) == 1);
}

Peer SecureStream::peer() const {
  Peer peer;
  MHP_CHECK(shown_.id.has_value());
  peer.id = *shown_.id;
  peer.key = shown_.key;
  peer.remote = platform::to_string(below_->remote());
  auto* exporter = reinterpret_cast<unsigned char*>(peer.exporter.data());
  MHP_CHECK(SSL_export_keying_material(ssl_, exporter, peer.exporter.size(), kExporterLabel, sizeof kExporterLabel - 1,
                                       nullptr, 0, 0) == 1);
  return peer;
}

Task<Result<std::size_t>> SecureStream::feed() {
  const auto got = co_await below_->read_some(MutableBytes(in_.get(), kBufferBytes));
  if (!got || *got == 0) co_return got;
  received_ += *got;
  MHP_CHECK(BIO_write(incoming_, in_.get(), static_cast<int>(*got)) == static_cast<int>(*got));
  co_return got;
}

Task<Result<void>> SecureStream::flush() {
  // Copied out before it is written: reading goes on meanwhile and may add to the BIO.
  for (;;) {
    const int size = BIO_read(outgoing_, out_.get(), static_cast<int>(kBufferBytes));
    if (size <= 0) co_return Result<void>();
    const auto written = co_await below_->write_all(ByteView(out_.get(), static_cast<std::size_t>(size)));
    if (!written) co_return written;
  }
}

Task<Result<void>> SecureStream::handshake(std::size_t most_bytes) {
  for (;;) {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_);
    const int why = SSL_get_error(ssl_, done);
    std::optional<Error> refused;
    if (done != 1 && why != SSL_ERROR_WANT_READ) refused = tls_error(shown_);
    const auto sent = co_await flush();  // also the alert that says why
    if (refused) co_return tl::unexpected<Error>(std::move(*refused));
    if (!sent || done == 1) co_return sent;
    MHP_CO_TRY(const std::size_t got, co_await feed());
    if (got == 0) co_return fail(Errc::unavailable, "the other end closed the connection during the handshake");
    if (received_ > most_bytes) co_return fail(Errc::invalid, "the handshake is too long");
  }
}

Task<Result<void>> SecureStream::await_first_byte() {
  for (;;) {
    ERR_clear_error();
    unsigned char first = 0;
    std::size_t size = 0;
    const int done = SSL_peek_ex(ssl_, &first, 1, &size);
    if (done == 1) co_return Result<void>();
    const int why = SSL_get_error(ssl_, done);
    if (why == SSL_ERROR_SSL) co_return tl::unexpected<Error>(tls_error(shown_));
    std::size_t got = 0;
    if (why == SSL_ERROR_WANT_READ) {
      MHP_CO_TRY(got, co_await feed());
    }
    if (got == 0) co_return fail(Errc::unavailable, "the other end closed the connection before it said a word");
  }
}

Task<Result<std::size_t>> SecureStream::read_some(MutableBytes out) {
  for (;;) {
    // As many records as are here: one at a time would cost a wake-up for each 16 KiB.
    std::size_t filled = 0;
    int done = 1;
    while (done == 1 && filled < out.size()) {
      std::size_t size = 0;
      ERR_clear_error();
      done = SSL_read_ex(ssl_, out.data() + filled, out.size() - filled, &size);
      if (done == 1) filled += size;
    }
    if (filled > 0) co_return filled;  // an error will be met again
    const int why = SSL_get_error(ssl_, done);
    if (why == SSL_ERROR_ZERO_RETURN) co_return std::size_t{0};
    if (why != SSL_ERROR_WANT_READ) co_return tl::unexpected<Error>(tls_error(shown_));
    const auto got = co_await feed();
    if (!got || *got == 0) co_return got;
  }
}

Task<Result<void>> SecureStream::write_all(ByteView bytes) {
  while (!bytes.empty()) {
    const ByteView batch = bytes.first(std::min(bytes.size(), kBatchBytes));
    std::size_t size = 0;
    ERR_clear_error();
    const int done = SSL_write_ex(ssl_, batch.data(), batch.size(), &size);
    if (done != 1 || size != batch.size()) co_return tl::unexpected<Error>(tls_error(shown_));
    MHP_CO_TRY_VOID(co_await flush());
    bytes = bytes.subspan(batch.size());
  }
  co_return Result<void>();
}

Task<Result<void>> SecureStream::finish() {
  ERR_clear_error();
  if (SSL_shutdown(ssl_) < 0) co_return tl::unexpected<Error>(tls_error(shown_));
  co_return co_await flush();
}

/// `wanted`: what the caller asked for; none: as the one who was called.
Task<Result<Secured>> secured(std::unique_ptr<SecureStream> stream, std::size_t most_bytes,
                              std::optional<std::string_view> wanted) {
  MHP_CO_TRY_VOID(co_await stream->handshake(most_bytes));
  if (wanted) {
    if (chosen_protocol(stream->ssl()) != wanted->substr(1))
      co_return fail(Errc::invalid, "the other end does not speak " + std::string(wanted->substr(1)));
    MHP_CO_TRY_VOID(co_await stream->await_first_byte());
  }
  const bool relay = chosen_protocol(stream->ssl()) == kRelay.substr(1);
  Secured out{nullptr, stream->peer(), stream->received_bytes(), relay ? Protocol::relay : Protocol::requests};
  out.stream = std::move(stream);
  co_return out;
}

Task<Result<Secured>> secured_within(platform::Clock& clock, std::chrono::nanoseconds limit,
                                     Task<Result<Secured>> task) {
  auto result = co_await impl::within(clock, limit, std::move(task));
  if (!result) co_return fail(Errc::timed_out, "the handshake took too long");
  co_return std::move(*result);
}

}  // namespace

void Tls::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Tls::Tls(const Identity& identity)
    : id_(identity.id()),
      caller_(make_context(TLS_client_method(), identity)),
      answerer_(make_context(TLS_server_method(), identity)) {
  SSL_CTX_set_alpn_select_cb(answerer_.get(), choose_protocol, nullptr);
}

Tls::~Tls() = default;

Task<Result<Secured>> Tls::connect(std::unique_ptr<platform::Stream> stream, std::optional<HomeId> expected,
                                   platform::Clock& clock, std::chrono::nanoseconds limit, Protocol protocol) const {
  auto mine = std::make_unique<SecureStream>(std::move(stream), caller_.get(), expected);
  SSL_set_connect_state(mine->ssl());
  const auto name = protocol == Protocol::relay ? kRelay : kRequests;
  MHP_CHECK(SSL_set_alpn_protos(mine->ssl(), alpn(name), static_cast<unsigned>(name.size())) ==
            0);  // 0 is success here
  auto work = secured(std::move(mine), kMostBytesFromServer, name);
  co_return co_await secured_within(clock, limit, std::move(work));
}

Task<Result<Secured>> Tls::accept(std::unique_ptr<platform::Stream> stream, std::size_t most_bytes,
                                  platform::Clock& clock, std::chrono::nanoseconds limit) const {
  auto mine = std::make_unique<SecureStream>(std::move(stream), answerer_.get(), std::nullopt);
  SSL_set_accept_state(mine->ssl());
  auto work = secured(std::move(mine), most_bytes, std::nullopt);
  co_return co_await secured_within(clock, limit, std::move(work));
}

}  // namespace mhp::net
