// Connections of the simulated network: windows, segments on their way, ends and losses, as TCP has them.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "platform/memory/wires.h"

namespace mhp::platform {

namespace {

using State = MemoryNetwork::State;

constexpr std::size_t kSegmentBytes = 64_KiB;

std::size_t at(int side) { return static_cast<std::size_t>(side); }

/// Why `side` can neither read nor write any more; nothing where it can.
std::optional<Error> trouble(const Connection& connection, int side) {
  const std::string name = to_string(connection.remote[at(side)]);
  if (connection.closed[at(side)]) return Error{Errc::unavailable, name + ": closed here"};
  if (!connection.lost[at(side)]) return std::nullopt;
  return Error{connection.lost[at(side)]->code, name + ": " + connection.lost[at(side)]->detail};
}

std::size_t take(Pipe& pipe, MutableBytes out) {
  std::size_t done = 0;
  while (done < out.size() && !pipe.arrived.empty()) {
    const auto rest = ByteView(pipe.arrived.front()).subspan(pipe.first_taken);
    const std::size_t count = std::min(rest.size(), out.size() - done);
    std::memcpy(out.data() + done, rest.data(), count);
    done += count;
    pipe.first_taken += count;
    if (pipe.first_taken < pipe.arrived.front().size()) break;
    pipe.arrived.pop_front();
    pipe.first_taken = 0;
  }
  pipe.unread_bytes -= done;
  if (done > 0) pipe.writer.wake();
  return done;
}

Task<Result<std::size_t>> read_connection(std::shared_ptr<Connection> connection, int side, MutableBytes out) {
  MHP_CHECK(!out.empty());
  Pipe& pipe = connection->pipes[at(1 - side)];
  for (;;) {
    co_await stop_if_canceled();
    // What came before a loss can still be read; what one closed oneself cannot.
    if (!connection->closed[at(side)] && !pipe.arrived.empty()) co_return take(pipe, out);
    if (auto error = trouble(*connection, side)) co_return tl::unexpected<Error>(std::move(*error));
    if (pipe.ended) co_return 0;
    co_await pipe.reader.wait();
  }
}

Task<Result<void>> write_connection(std::shared_ptr<State> state, std::shared_ptr<Connection> connection, int side,
                                    ByteView bytes) {
  Pipe& pipe = connection->pipes[at(side)];
  for (;;) {
    co_await stop_if_canceled();
    if (auto error = trouble(*connection, side)) co_return tl::unexpected<Error>(std::move(*error));
    if (bytes.empty()) co_return Result<void>();
    MHP_CHECK(!connection->finished[at(side)]);
    const std::size_t room = Pipe::kWindowBytes - pipe.unread_bytes;
    const auto now = bytes.first(std::min({bytes.size(), room, kSegmentBytes}));
    bytes = bytes.subspan(now.size());
    if (now.empty()) {
      co_await pipe.writer.wait();
    } else {
      pipe.unread_bytes += now.size();
      state->send(connection, side, Pipe::Kind::data, now);
    }
  }
}

Task<Result<void>> finish_connection(std::shared_ptr<State> state, std::shared_ptr<Connection> connection, int side) {
  co_await stop_if_canceled();
  if (auto error = trouble(*connection, side)) co_return tl::unexpected<Error>(std::move(*error));
  MHP_CHECK(!connection->finished[at(side)]);
  connection->finished[at(side)] = true;
  state->send(connection, side, Pipe::Kind::end, {});
  co_return Result<void>();
}

class MemoryStream : public Stream {
 public:
  MemoryStream(std::shared_ptr<State> state, std::shared_ptr<Connection> connection, int side)
      : state_(std::move(state)), connection_(std::move(connection)), side_(side) {}
  ~MemoryStream() override { close(); }
  MemoryStream(const MemoryStream&) = delete;
  MemoryStream& operator=(const MemoryStream&) = delete;
  Task<Result<std::size_t>> read_some(MutableBytes out) override { return read_connection(connection_, side_, out); }
  Task<Result<void>> write_all(ByteView bytes) override { return write_connection(state_, connection_, side_, bytes); }
  Task<Result<void>> finish() override { return finish_connection(state_, connection_, side_); }
  void close() override { state_->close(connection_, side_); }
  const Endpoint& remote() const override { return connection_->remote[at(side_)]; }
  const Endpoint& local() const override { return connection_->local[at(side_)]; }

 private:
  std::shared_ptr<State> state_;
  std::shared_ptr<Connection> connection_;
  int side_;
};

}  // namespace

void State::send(const std::shared_ptr<Connection>& connection, int side, Pipe::Kind kind, ByteView bytes) {
  Pipe& pipe = connection->pipes[at(side)];
  const auto when = arrival(*connection->hosts[at(side)], *connection->hosts[at(1 - side)], bytes.size());
  pipe.on_way.push_back({when, kind, to_bytes(bytes)});
  clock.call_at(when, [weak = weak_from_this(), connection, side] {
    if (const auto state = weak.lock()) state->pump(connection, side);
  });
}

void State::pump(const std::shared_ptr<Connection>& connection, int side) {
  auto& on_way = connection->pipes[at(side)].on_way;
  while (!on_way.empty() && on_way.front().arrival <= clock.steady()) {
    if (is_cut(*connection->hosts[at(side)], *connection->hosts[at(1 - side)])) return;  // mended() comes again
    auto segment = std::move(on_way.front());
    on_way.pop_front();
    deliver(connection, side, std::move(segment));
  }
}

void State::deliver(const std::shared_ptr<Connection>& connection, int side, Pipe::Segment segment) {
  Pipe& pipe = connection->pipes[at(side)];
  const int other = 1 - side;
  if (segment.kind == Pipe::Kind::reset) {
    lose(*connection, other, {Errc::unavailable, "connection reset by peer"});
  } else if (segment.kind == Pipe::Kind::end) {
    pipe.ended = true;
    pipe.reader.wake();
  } else if (connection->closed[at(other)]) {
    send(connection, other, Pipe::Kind::reset, {});  // nobody is there to read it
  } else {
    wire(*connection->hosts[at(side)], *connection->hosts[at(other)]).carried_bytes += segment.bytes.size();
    pipe.arrived.push_back(std::move(segment.bytes));
    pipe.reader.wake();
  }
}

void State::lose(Connection& connection, int side, Error error) {
  if (connection.closed[at(side)] || connection.lost[at(side)]) return;
  connection.lost[at(side)] = std::move(error);
  connection.pipes[at(1 - side)].reader.wake();
  connection.pipes[at(side)].writer.wake();
}

void State::lose_both(Connection& connection, const Error& error) {
  for (const int side : {0, 1}) {
    lose(connection, side, error);
    connection.pipes[at(side)].on_way.clear();
  }
}

void State::close(const std::shared_ptr<Connection>& connection, int side) {
  if (connection->closed[at(side)]) return;
  connection->closed[at(side)] = true;
  Pipe& in = connection->pipes[at(1 - side)];
  const bool unread = !in.arrived.empty();
  in.arrived.clear();
  in.reader.wake();
  connection->pipes[at(side)].writer.wake();
  if (connection->lost[at(side)]) return;
  send(connection, side, unread ? Pipe::Kind::reset : Pipe::Kind::end, {});
}

std::unique_ptr<Stream> make_memory_stream(std::shared_ptr<State> state, std::shared_ptr<Connection> connection,
                                           int side) {
  return std::make_unique<MemoryStream>(std::move(state), std::move(connection), side);
}

}  // namespace mhp::platform
