// The answering end of one connection: requests in, each to a task of its own, replies out, within bounds.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "net/impl/http2.h"
#include "net/impl/in_flight.h"

namespace mhp::net::impl {

/// What is left to one who has not shown who it is.
struct StrangerBounds {
  std::size_t bytes;               // to be sent by it
  std::chrono::nanoseconds until;  // of the steady clock; then the connection ends
  bool is_widened = false;         // for one that is known
};

class AnswerSession final : public Http2 {
 public:
  /// `bounds`: as long as the service calls it a stranger. `in_flight`: answers that run for this peer, over all its
  /// connections. Both references outlive the session.
  AnswerSession(const Station& station, Service& service, std::unique_ptr<platform::Stream> stream, Peer peer,
                std::optional<StrangerBounds> bounds, std::size_t& in_flight);
  ~AnswerSession() override;
  bool is_stranger() const { return bounds_.has_value(); }

 private:
  enum class Stage : unsigned char { headers, body, waiting, answering, reply };
  /// How far a request or reply had come when it was last looked at.
  struct Mark {
    std::size_t bytes = 0;
    std::chrono::nanoseconds at{};
  };
  struct Exchange {
    explicit Exchange(Traffic& traffic) : held(traffic) {}
    Stage stage = Stage::headers;
    std::string method;
    std::string protocol;
    Request request;
    std::uint64_t announced_bytes = 0;
    std::size_t header_bytes = 0;
    bool arrived = false;  // all of the request
    Held held;             // for the request's body, then, with the answer's end, for the reply's
    Reply reply;
    Mark mark;
    platform::Nursery* running = nullptr;  // its answer, to be canceled
  };

  bool on_begin(StreamId stream) override;
  bool on_header(StreamId stream, Header header) override;
  void on_headers_end(StreamId stream) override;
  void on_body(StreamId stream, ByteView bytes) override;
  void on_complete(StreamId stream) override;
  void on_closed(StreamId stream, std::uint32_t code) override;
  void on_sent(StreamId stream) override;
  bool on_bytes(std::size_t bytes) override;
  std::chrono::nanoseconds watch() override;
  void on_end(const Error& why) override;

  Exchange* find(StreamId stream);
  /// Why a request is not answered, as far as its headers tell.
  std::optional<Error> refusal_of(const Exchange& exchange);
  /// The reply is an error, and no more of the request is wanted.
  void refuse(StreamId stream, Exchange& exchange, Error why);
  void send(StreamId stream, Exchange& exchange, Reply reply);
  /// Begins what is complete, as far as there may be more in flight.
  void start_waiting();
  /// `count` goes with the task, also where it is canceled before it begins.
  Task<> answer(StreamId stream, InFlight count);
  Task<> answer_one(StreamId stream);
  Task<> answer_into(Request request, std::optional<Reply>& into);
  void ask_standing();
  /// Resets what has not moved by stall_bytes in stall_time.
  void cut_the_slow();
  std::size_t moved_bytes(StreamId stream, const Exchange& exchange) const;

  Service& service_;
  std::optional<StrangerBounds> bounds_;
  std::size_t& in_flight_;
  std::unique_ptr<Served> served_;
  std::map<StreamId, Exchange> exchanges_;
  std::chrono::nanoseconds quiet_since_;
};

}  // namespace mhp::net::impl
