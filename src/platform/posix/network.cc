// Streams over TCP, listeners and names, on Asio's sockets.
#include <netdb.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include "base/check.h"
#include "platform/impl/waiter.h"
#include "platform/patience.h"
#include "platform/posix/addresses.h"
#include "platform/posix/parts.h"
#include "platform/posix/system.h"

namespace mhp::platform {

namespace {

using asio::ip::tcp;

constexpr std::chrono::nanoseconds kLongestLimit = std::chrono::hours(24 * 365);  // no sum of times overflows

/// Shared by a stream and its awaits under way: the stream may go while one of them still ends.
struct Line {
  tcp::socket socket;
  Endpoint remote;
  Endpoint local;
  bool ended = false;  // the other side's bytes: Asio would wait forever for an end that it has told already

  std::string name() const { return to_string(remote); }
};

/// What an operation ended with that failed: the task ends where it was canceled, else somebody closed the stream.
Task<tl::unexpected<Error>> why(asio::error_code error, std::string about) {
  const bool closed = error == asio::error::operation_aborted || error == asio::error::bad_descriptor;
  if (!closed) co_return fail_network(error, about);
  co_await stop_if_canceled();
  co_return fail(Errc::unavailable, about + ": closed here");
}

Task<Result<std::size_t>> read_line(std::shared_ptr<Line> line, MutableBytes out) {
  MHP_CHECK(!out.empty());
  co_await stop_if_canceled();
  if (line->ended && line->socket.is_open()) co_return 0;
  asio::error_code error;
  const auto buffer = asio::buffer(out.data(), out.size());
  const auto count = co_await line->socket.async_read_some(buffer, asio::redirect_error(asio::use_awaitable, error));
  line->ended = error == asio::error::eof;
  if (line->ended) co_return 0;
  if (error) co_return co_await why(error, line->name());
  co_return count;
}

Task<Result<void>> write_line(std::shared_ptr<Line> line, ByteView bytes) {
  while (!bytes.empty()) {
    co_await stop_if_canceled();
    asio::error_code error;
    const auto buffer = asio::buffer(bytes.data(), bytes.size());  // async_write would give the system 64 KiB at a time
    const auto count = co_await line->socket.async_write_some(buffer, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return co_await why(error, line->name());
    bytes = bytes.subspan(count);
  }
  co_return Result<void>();
}

Task<Result<void>> finish_line(std::shared_ptr<Line> line) {
  co_await stop_if_canceled();
  asio::error_code error;
  line->socket.shutdown(tcp::socket::shutdown_send, error);
  if (error) co_return co_await why(error, line->name());
  co_return Result<void>();
}

class TcpStream : public Stream {
 public:
  explicit TcpStream(std::shared_ptr<Line> line) : line_(std::move(line)) {}
  ~TcpStream() override { close(); }
  TcpStream(const TcpStream&) = delete;
  TcpStream& operator=(const TcpStream&) = delete;
  Task<Result<std::size_t>> read_some(MutableBytes out) override { return read_line(line_, out); }
  Task<Result<void>> write_all(ByteView bytes) override { return write_line(line_, bytes); }
  Task<Result<void>> finish() override { return finish_line(line_); }
  void close() override {
    asio::error_code ignored;
    line_->socket.close(ignored);
  }
  const Endpoint& remote() const override { return line_->remote; }
  const Endpoint& local() const override { return line_->local; }

 private:
  std::shared_ptr<Line> line_;
};

void set_number(tcp::socket& socket, int level, int option, int value) {
  (void)::setsockopt(socket.native_handle(), level, option, &value, sizeof value);  // at worst a default stays
}

void set_options(tcp::socket& socket) {
  constexpr int kProbes = 4;
  constexpr int kDeadAfterS = static_cast<int>(Stream::kDeadAfter.count());
  set_number(socket, IPPROTO_TCP, TCP_NODELAY, 1);  // requests and replies would wait for each other's acknowledgements
  set_number(socket, SOL_SOCKET, SO_KEEPALIVE, 1);  // idle: half the time, then probes
  set_number(socket, IPPROTO_TCP, TCP_KEEPIDLE, kDeadAfterS / 2);
  set_number(socket, IPPROTO_TCP, TCP_KEEPINTVL, kDeadAfterS / 2 / kProbes);
  set_number(socket, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
  set_number(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, kDeadAfterS * 1000);  // with bytes on their way
}

/// `socket` is connected. Errors: unavailable (no longer).
Result<std::unique_ptr<Stream>> make_stream(tcp::socket socket) {
  asio::error_code error;
  const auto remote = socket.remote_endpoint(error);
  if (error) return fail_network(error, "a new connection");
  const auto local = socket.local_endpoint(error);
  if (error) return fail_network(error, "a new connection");
  Line line{std::move(socket), endpoint_of(remote.address(), remote.port()),
            endpoint_of(local.address(), local.port())};
  // A socket that connects to a free port of this computer can get that very port, and meets itself.
  if (remote == local) return fail(Errc::unavailable, line.name() + ": connection refused");
  set_options(line.socket);
  return std::make_unique<TcpStream>(std::make_shared<Line>(std::move(line)));
}

/// A connection that is being made, shared with the alarm that ends it.
struct Attempt {
  explicit Attempt(const asio::any_io_executor& loop) : socket(loop) {}
  tcp::socket socket;
  bool over = false;
  bool late = false;
};

void ring(Attempt& attempt) {
  if (attempt.over) return;
  attempt.late = true;
  asio::error_code ignored;
  attempt.socket.close(ignored);
}

Task<Result<std::unique_ptr<Stream>>> connect_within(asio::any_io_executor loop, Endpoint to,
                                                     std::chrono::nanoseconds limit) {
  co_await stop_if_canceled();
  MHP_CO_TRY(const auto address, address_of(to.address));
  const tcp::endpoint there(address, to.port);
  const auto attempt = std::make_shared<Attempt>(loop);
  asio::error_code error;
  attempt->socket.open(there.protocol(), error);
  if (error) co_return fail_network(error, to_string(to));
  asio::steady_timer alarm(loop, std::clamp(limit, std::chrono::nanoseconds(0), kLongestLimit));
  alarm.async_wait([attempt](const asio::error_code& stopped) {
    if (!stopped) ring(*attempt);
  });
  co_await attempt->socket.async_connect(there, asio::redirect_error(asio::use_awaitable, error));
  attempt->over = true;
  if (attempt->late) co_return fail(Errc::timed_out, to_string(to) + ": no answer");
  if (error) {
    auto failed = co_await why(error, to_string(to));
    if (failed.value().code == Errc::denied) failed.value().code = Errc::unavailable;  // a firewall on the way says so
    co_return failed;
  }
  co_return make_stream(std::move(attempt->socket));
}

/// Shared with an accept under way.
struct Door {
  explicit Door(const asio::any_io_executor& loop) : acceptor(loop) {}
  tcp::acceptor acceptor;
  Endpoint local;
};

/// Of the connection, which is gone already, and not of the listener: accept(2).
bool is_of_one_connection(const asio::error_code& error) {
  constexpr int kOfOne[] = {ENETDOWN,   EPROTO,      ENOPROTOOPT,  EHOSTDOWN, ENONET,   EHOSTUNREACH,
                            EOPNOTSUPP, ENETUNREACH, ECONNABORTED, EPERM,     ETIMEDOUT};
  return std::ranges::find(kOfOne, error.value()) != std::end(kOfOne);
}

Task<Result<std::unique_ptr<Stream>>> accept_at(std::shared_ptr<Door> door) {
  for (;;) {
    co_await stop_if_canceled();
    asio::error_code error;
    auto socket = co_await door->acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error && is_of_one_connection(error)) continue;
    if (error) co_return co_await why(error, to_string(door->local));
    auto stream = make_stream(std::move(socket));
    if (stream) co_return stream;
  }
}

class TcpListener : public Listener {
 public:
  explicit TcpListener(std::shared_ptr<Door> door) : door_(std::move(door)) {}
  ~TcpListener() override { close(); }
  TcpListener(const TcpListener&) = delete;
  TcpListener& operator=(const TcpListener&) = delete;
  Task<Result<std::unique_ptr<Stream>>> accept() override { return accept_at(door_); }
  const Endpoint& local() const override { return door_->local; }
  void close() override {
    asio::error_code ignored;
    door_->acceptor.close(ignored);
  }

 private:
  std::shared_ptr<Door> door_;
};

asio::error_code open_door(Door& door, const tcp::endpoint& at) {
  asio::error_code error;
  door.acceptor.open(at.protocol(), error);
  if (error) return error;
  door.acceptor.set_option(tcp::acceptor::reuse_address(true),
                           error);  // or the port is taken for a minute after an end
  if (error) return error;
  if (at.address().is_v6()) door.acceptor.set_option(asio::ip::v6_only(!at.address().is_unspecified()), error);
  if (error) return error;
  door.acceptor.bind(at, error);
  if (error) return error;
  door.acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error) return error;
  const auto local = door.acceptor.local_endpoint(error);
  door.local = endpoint_of(local.address(), local.port());
  return error;
}

/// The system's answer to a name, of one family order: best first.
Result<std::vector<Endpoint>> look_up(const HostAndPort& name, int flags) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = flags;
  addrinfo* first = nullptr;
  const int failure = ::getaddrinfo(name.host.c_str(), nullptr, &wanted, &first);
  const int reason = errno;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(first, &::freeaddrinfo);
  if (failure == EAI_SYSTEM) return fail_errno(reason, name.host);
  if (failure == EAI_MEMORY) return fail(Errc::exhausted, name.host + ": " + ::gai_strerror(failure));
  if (failure == EAI_AGAIN || failure == EAI_FAIL) {
    return fail(Errc::unavailable, name.host + ": whoever knows the names of hosts does not answer");
  }
  if (failure != 0) return fail(Errc::not_found, name.host + ": there is no host of that name");
  std::vector<Endpoint> out;
  for (const addrinfo* entry = first; entry != nullptr; entry = entry->ai_next) {
    tcp::endpoint found;
    if (entry->ai_addrlen > found.capacity()) continue;
    std::copy_n(reinterpret_cast<const char*>(entry->ai_addr), entry->ai_addrlen,
                reinterpret_cast<char*>(found.data()));
    const auto endpoint = endpoint_of(found.address(), name.port);
    if (std::ranges::find(out, endpoint) == out.end()) out.push_back(endpoint);
  }
  return out;
}

class PosixNetwork : public Network {
 public:
  explicit PosixNetwork(Platform& platform) : platform_(platform) {}
  Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, std::chrono::nanoseconds limit) override {
    return connect_within(platform_.executor(), std::move(to), limit);
  }
  Result<std::unique_ptr<Listener>> listen(const Endpoint& at) override;
  Task<Result<std::vector<Endpoint>>> resolve(HostAndPort name, std::chrono::nanoseconds limit) override;
  Result<std::unique_ptr<Datagrams>> join_group(const Endpoint& group) override {
    return join_posix_group(platform_.executor(), group);
  }
  Result<std::vector<std::string>> own_addresses() override;

 private:
  Platform& platform_;
};

Result<std::unique_ptr<Listener>> PosixNetwork::listen(const Endpoint& at) {
  MHP_TRY(const auto address, address_of(at.address));
  auto door = std::make_shared<Door>(platform_.executor());
  auto error = open_door(*door, {address, at.port});
  const bool no_v6 = error == asio::error::address_family_not_supported || error.value() == EADDRNOTAVAIL;
  if (no_v6 && address.is_v6() && address.is_unspecified()) {
    door = std::make_shared<Door>(platform_.executor());
    error = open_door(*door, {asio::ip::address_v4::any(), at.port});
  }
  if (error) return fail_network(error, to_string(at));
  return std::make_unique<TcpListener>(std::move(door));
}

Task<Result<std::vector<Endpoint>>> PosixNetwork::resolve(HostAndPort name, std::chrono::nanoseconds limit) {
  auto numeric = look_up(name, AI_NUMERICHOST);
  if (numeric) co_return numeric;
  auto job = [name] { return look_up(name, 0); };  // blocks, up to minutes
  const auto most = std::clamp(limit, std::chrono::nanoseconds(0), kLongestLimit);
  auto found = co_await run_within(platform_, most, std::move(job));
  if (!found) co_return fail(Errc::timed_out, name.host + ": no answer about that name");
  co_return std::move(*found);
}

Result<std::vector<std::string>> PosixNetwork::own_addresses() {
  MHP_TRY(const auto interfaces, interfaces_up());
  std::vector<std::string> out;
  for (const auto& each : interfaces) {
    if (each.loopback) continue;
    for (const auto& address : each.addresses) out.push_back(endpoint_of(address, 0).address);
  }
  return out;
}

}  // namespace

std::unique_ptr<Network> make_posix_network(Platform& platform) { return std::make_unique<PosixNetwork>(platform); }

}  // namespace mhp::platform
