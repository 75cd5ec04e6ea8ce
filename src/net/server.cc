// Accepting, handshakes, and the end of it all.
#include "net/server.h"

#include <algorithm>
#include <asio/ip/address_v6.hpp>

#include "base/check.h"
#include "net/impl/answer_session.h"
#include "net/relay.h"

namespace mhp::net {
namespace {

using impl::AnswerSession;

constexpr std::chrono::milliseconds kPause{100};  // before accept() is tried again where this computer lacks something

}  // namespace

std::string neighbourhood_of(const std::string& address) {
  asio::error_code problem;
  const auto v6 = asio::ip::make_address_v6(address, problem);
  if (problem || v6.is_v4_mapped()) return address;
  auto bytes = v6.to_bytes();
  std::fill(bytes.begin() + bytes.size() / 2, bytes.end(), std::uint8_t{0});
  return asio::ip::address_v6(bytes).to_string();
}

Server::Server(Station station, Service& service, RelayDesk* desk, Visitors* visitors)
    : station_(station), service_(service), desk_(desk), visitors_(visitors) {}

Server::~Server() { MHP_CHECK(tasks_ == nullptr && connections_.empty()); }

Task<> Server::run(std::vector<std::unique_ptr<platform::Listener>> listeners) {
  MHP_CHECK(tasks_ == nullptr && listeners_.empty() && !listeners.empty());
  listeners_ = std::move(listeners);
  platform::Nursery tasks(station_.executor);
  tasks_ = &tasks;
  struct Leave {  // also where a cancellation leaves this frame
    Server& server;
    ~Leave() {
      server.tasks_ = nullptr;
      server.listeners_.clear();
    }
  } leave{*this};
  for (const auto& listener : listeners_) tasks.start(accept_loop(*listener));
  if (stopping_) stop({});
  co_await tasks.join();
}

Task<> Server::accept_loop(platform::Listener& listener) {
  while (!stopping_) {
    auto stream = co_await listener.accept();
    if (stream)
      take({std::move(*stream), {}, false});
    else if (stream.error().code == Errc::unavailable)
      co_return;  // closed
    else
      co_await station_.clock.sleep(kPause);
  }
}

void Server::adopt(std::unique_ptr<platform::Stream> stream, std::string remote) {
  take({std::move(stream), std::move(remote), true});
}

void Server::take(Arrival arrival) {
  if (stopping_ || tasks_ == nullptr) return arrival.stream->close();
  ++station_.traffic.counts.accepted;
  tasks_->start(look_after(std::move(arrival)));
}

bool Server::is_stranger(const Connection& one) {
  return !one.going && !one.admitted && (one.session == nullptr || one.session->is_stranger());
}

std::size_t Server::strangers() const {
  return static_cast<std::size_t>(std::ranges::count_if(connections_, is_stranger));
}

/// Of those that came from where most came from, the newcomer counted, the oldest goes: who floods pushes out its own,
/// and not somebody elsewhere who is about to show who it is. Nor the newcomer itself: who floods alone has to do it
/// faster than an honest one beside it takes to show that.
void Server::make_room(const std::string& from) {
  std::map<std::string, std::size_t> share = {{from, 1}};
  std::size_t all = 0, most = 0;
  for (const Connection& one : connections_) {
    if (!is_stranger(one)) continue;
    ++all;
    most = std::max(most, ++share[one.from]);
  }
  if (all < station_.traffic.limits.strangers) return;
  const auto goes = [&](const Connection& one) { return is_stranger(one) && share[one.from] == most; };
  const auto oldest = std::ranges::find_if(connections_, goes);
  ++station_.traffic.counts.refused;
  oldest->going = true;
  oldest->task->cancel();
}

/// From a connection's first moment to its last, also where a cancellation ends it.
class Server::Guest {
 public:
  Guest(Server& server, platform::Nursery& task, std::string from) : server_(server) {
    server_.make_room(from);
    place_ = server_.connections_.emplace(server_.connections_.end());
    place_->task = &task;
    place_->from = std::move(from);
    ++server_.station_.traffic.counts.connections;
  }
  ~Guest() {
    server_.connections_.erase(place_);
    --server_.station_.traffic.counts.connections;
    server_.end_if_done();
  }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  Place place() const { return place_; }

 private:
  Server& server_;
  Place place_;
};

Task<> Server::look_after(Arrival arrival) {
  platform::Nursery own(station_.executor);  // so that this one can be ended from outside
  std::string from = arrival.adopted ? arrival.remote : neighbourhood_of(arrival.stream->remote().address);
  const Guest guest(*this, own, std::move(from));
  own.start(serve(std::move(arrival), guest.place()));
  co_await own.join();
}

Task<> Server::serve(Arrival arrival, Place place) {
  const CallLimits& limits = station_.traffic.limits;
  const auto until = station_.clock.steady() + limits.stranger_time;
  const std::string from = arrival.stream->remote().address;
  auto secured = co_await station_.tls.accept(std::move(arrival.stream), limits.stranger_bytes, station_.clock,
                                              limits.stranger_time);
  const bool relay = secured && secured->protocol == Protocol::relay;
  if (!secured || (relay && (desk_ == nullptr || arrival.adopted))) {  // no relays through relays
    ++station_.traffic.counts.refused;
    co_return;
  }
  if (visitors_ != nullptr && !arrival.adopted) visitors_->came(secured->peer.id, from);
  if (!arrival.remote.empty()) secured->peer.remote = std::move(arrival.remote);
  auto work =
      relay ? desk_->serve(std::move(*secured), until, place->admitted) : answer(std::move(*secured), until, place);
  co_await std::move(work);
}

Task<> Server::answer(Secured secured, std::chrono::nanoseconds until, Place place) {
  const CallLimits& limits = station_.traffic.limits;
  const HomeId id = secured.peer.id;
  const auto standing = service_.standing(secured.peer);
  std::optional<impl::StrangerBounds> bounds;
  if (standing != Service::Standing::member)
    bounds = {limits.stranger_bytes - std::min(limits.stranger_bytes, secured.received_bytes), until};
  Use& use = uses_[id];
  struct Leave {  // also where a cancellation leaves this frame
    Server& server;
    HomeId id;
    Place place;
    ~Leave() {
      place->session = nullptr;
      if (--server.uses_[id].connections == 0) server.uses_.erase(id);
    }
  } leave{*this, id, place};
  ++use.connections;
  AnswerSession session(station_, service_, std::move(secured.stream), std::move(secured.peer), bounds, use.in_flight);
  place->session = &session;
  if (standing == Service::Standing::refused)
    session.finish(Error{Errc::denied, "this computer is not wanted here"});
  else if (use.connections > limits.connections_each)
    session.finish(Error{Errc::unavailable, "too many connections of yours are here already"});
  else if (stopping_)
    session.finish(std::nullopt);
  if (standing == Service::Standing::refused || use.connections > limits.connections_each)
    ++station_.traffic.counts.refused;
  co_await session.run();
}

void Server::stop(std::chrono::nanoseconds limit) {
  stopping_ = true;
  if (tasks_ == nullptr) return;
  for (const auto& listener : listeners_) listener->close();
  for (Connection& connection : connections_) {
    if (connection.session != nullptr)
      connection.session->finish(std::nullopt);
    else
      connection.task->cancel();
  }
  tasks_->start(cut_after(limit));
  end_if_done();
}

Task<> Server::cut_after(std::chrono::nanoseconds limit) {
  co_await station_.clock.sleep(limit);
  tasks_->cancel();
}

void Server::end_if_done() {
  if (stopping_ && tasks_ != nullptr && connections_.empty()) tasks_->cancel();
}

}  // namespace mhp::net
