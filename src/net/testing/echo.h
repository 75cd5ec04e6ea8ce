// A service for tests: answers as its paths say, and counts.
#pragma once

#include <algorithm>

#include "net/call.h"
#include "platform/clock.h"

namespace mhp::net::testing {

/// What all its connections share.
struct EchoCounts {
  std::size_t running = 0;
  std::size_t most_running = 0;
  std::size_t begun = 0;
  std::size_t canceled = 0;  // that ended before their answer
};

class Echo final : public Service {
 public:
  explicit Echo(platform::Clock& clock) : clock_(clock) {}
  Standing standing(const Peer&) override { return everyone; }
  std::unique_ptr<Served> serve(const Peer& peer) override { return std::make_unique<OfOne>(*this, peer); }

  Standing everyone = Standing::member;
  EchoCounts counts;

 private:
  class OfOne final : public Served {
   public:
    OfOne(Echo& echo, const Peer& peer) : echo_(echo), id_(peer.id) {}
    /// "/v1/echo" gives the body back, "/v1/who" the caller's id, "/v1/wait" answers after an hour, "/v1/soon" after a
    /// second, "/v1/big" 8 MiB, "/v1/full" an error, "/v1/welcome" makes everybody a member, "/v1/nod" known.
    Task<Reply> answer(Request request) override {
      struct Count {
        EchoCounts& counts;
        bool done = false;
        explicit Count(EchoCounts& all) : counts(all) {
          ++counts.begun;
          counts.most_running = std::max(counts.most_running, ++counts.running);
        }
        ~Count() {
          --counts.running;
          if (!done) ++counts.canceled;
        }
      } count(echo_.counts);
      if (request.path == "/v1/wait") co_await echo_.clock_.sleep(std::chrono::hours(1));
      if (request.path == "/v1/soon") co_await echo_.clock_.sleep(std::chrono::seconds(1));
      count.done = true;
      if (request.path == "/v1/welcome") echo_.everyone = Standing::member;
      if (request.path == "/v1/nod") echo_.everyone = Standing::known;
      co_return reply_to(request);
    }

   private:
    Reply reply_to(Request& request) const {
      if (request.path == "/v1/who") return {200, to_bytes(id_.bytes())};
      if (request.path == "/v1/big") return {200, Bytes(8_MiB, std::byte{'b'})};
      if (request.path == "/v1/full") return error_reply({Errc::full, "no room\x1b[31m here"});
      if (request.path == "/v1/exhausted") return error_reply({Errc::exhausted, "no memory"});
      return {200, std::move(request.body)};
    }
    Echo& echo_;
    HomeId id_;
  };

  platform::Clock& clock_;
};

}  // namespace mhp::net::testing
