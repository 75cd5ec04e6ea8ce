// One connection of the relay's protocol: frames, until it becomes a bare stream.
#pragma once

#include <deque>
#include <memory>

#include "net/impl/bell.h"
#include "net/station.h"
#include "platform/nursery.h"
#include "wire/relay.h"

namespace mhp::net::impl {

using RelayKind = wire::RelayFrame::Kind;

constexpr std::chrono::seconds kWriteTime{10};  // for one frame
constexpr std::chrono::seconds kLook{5};        // between looks at a pair, at a home that waits, at what has changed

class RelayControl {
 public:
  static constexpr std::size_t kMostWaiting = 64;  // frames that are to be written

  RelayControl(Station station, Secured connection)
      : peer_(std::move(connection.peer)),
        station_(station),
        stream_(std::move(connection.stream)),
        to_write_(station.executor) {}
  const Peer& peer() const { return peer_; }
  /// The next frame; not one byte more is read. Errors: unavailable (also at the end), invalid.
  Task<Result<wire::RelayFrame>> read();
  /// The same, at most so long. Errors: timed_out. Then nothing more can be read.
  Task<Result<wire::RelayFrame>> read_within(std::chrono::nanoseconds limit);
  /// At most so long; not beside write_loop().
  Task<Result<void>> write_within(wire::RelayFrame frame, std::chrono::nanoseconds limit);
  /// For write_loop(). False where the other end does not take what is sent.
  bool post(wire::RelayFrame frame);
  /// Writes what is posted; where that fails, or takes too long, `all` is canceled.
  Task<> write_loop(std::chrono::nanoseconds limit, platform::Nursery& all);
  /// For what follows `ready`; nothing else is to be done with this any more.
  std::unique_ptr<platform::Stream> take_stream() { return std::move(stream_); }

 private:
  Task<Result<void>> read_all(MutableBytes out);
  Task<Result<void>> write(wire::RelayFrame frame);

  const Peer peer_;
  const Station station_;
  std::unique_ptr<platform::Stream> stream_;
  std::deque<wire::RelayFrame> posted_;
  Bell to_write_;
};

/// A refusal, for an error of this end.
wire::RelayFrame refusal(const Error& why, const wire::RelayNumber& number = {});
/// What a refusal says, in words fit for a person here.
Error error_of(const wire::RelayFrame& refused);

}  // namespace mhp::net::impl
