// The relay's side: who waits here, who is joined with whom, and how much passes between them.
#include <algorithm>
#include <array>

#include "base/check.h"
#include "net/impl/relay_control.h"
#include "net/impl/within.h"
#include "net/relay.h"

namespace mhp::net {
namespace {

using impl::RelayControl;
using impl::RelayKind;
using std::chrono::nanoseconds;

constexpr std::chrono::hours kDay{24};
constexpr platform::Rate kFramesPerSecond{2};  // of a home that waits,
constexpr std::uint64_t kFramesAtOnce = 256;   // refusals of many calls among them

std::pair<HomeId, HomeId> pair_of(const HomeId& a, const HomeId& b) {
  return a < b ? std::pair(a, b) : std::pair(b, a);
}

}  // namespace

struct RelayDesk::Coming {
  explicit Coming(HomeId who, asio::any_io_executor executor) : home(who), over(std::move(executor)) {}
  const HomeId home;
  Control control;             // once it has come
  std::optional<Error> error;  // where it does not
  impl::Bell over;
};

struct RelayDesk::Pair {
  std::array<HomeId, 2> ids;
  const CallerHere& caller;
  std::array<std::unique_ptr<platform::Stream>, 2> streams;
  platform::Nursery* all;
  nanoseconds moved_at;                                 // when something last came or went
  std::array<std::optional<nanoseconds>, 2> writing{};  // to each, since when
  std::size_t limited = 0;                              // directions that wait for the rate
  std::array<bool, 2> ended{};                          // by each: nothing more comes from it
  nanoseconds ended_at{};                               // the first of them
};

class RelayDesk::Share {
 public:
  Share(RelayDesk& desk, const HomeId& a, const HomeId& b, CallRight right)
      : desk_(desk), ids_{a, b}, former_(right == CallRight::former ? 1 : 0) {
    ++desk_.counts_.pairs;
    desk_.former_pairs_ += former_;
    for (const HomeId& id : ids_) ++desk_.pairs_of_[id];
  }
  ~Share() {
    --desk_.counts_.pairs;
    desk_.former_pairs_ -= former_;
    for (const HomeId& id : ids_) {
      if (--desk_.pairs_of_[id] == 0) desk_.pairs_of_.erase(id);
    }
  }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;

 private:
  RelayDesk& desk_;
  const std::array<HomeId, 2> ids_;
  const std::size_t former_;
};

RelayDesk::RelayDesk(Station station, RelayRights& rights, platform::Random& random, const RelayLimits& limits)
    : station_(station),
      rights_(rights),
      random_(random),
      limits_(limits),
      day_began_(station.clock.steady()),
      bucket_(limits.rate, limits.burst_bytes) {}

RelayDesk::~RelayDesk() { MHP_CHECK(waiting_.empty() && coming_.empty() && counts_.pairs == 0); }

std::vector<HomeId> RelayDesk::waiting() const {
  std::vector<HomeId> out;
  for (const auto& [home, place] : waiting_) out.push_back(home);
  return out;
}

Task<> RelayDesk::serve(Secured connection, nanoseconds until, bool& admitted) {
  const auto left = [this, until] { return until - station_.clock.steady(); };
  auto control = std::make_unique<RelayControl>(station_, std::move(connection));
  auto greeting = control->write_within({.kind = RelayKind::hello}, left());
  if (!co_await std::move(greeting)) co_return;
  auto first = co_await control->read_within(left());
  if (!first) {
    ++counts_.refused;
    co_return;
  }
  if (first->kind == RelayKind::wait) {
    auto work = keep_waiting(std::move(control), admitted);
    co_await std::move(work);
  } else if (first->kind == RelayKind::call) {
    auto work = place_call(std::move(control), first->home, std::move(first->claim), admitted);
    co_await std::move(work);
  } else if (first->kind == RelayKind::here) {
    auto work = take_comer(std::move(control), first->number, admitted);
    co_await std::move(work);
  } else {
    auto refusing = refuse(*control, {Errc::invalid, "no relay begins like this"});
    co_await std::move(refusing);
  }
}

Task<> RelayDesk::refuse(RelayControl& control, Error why) {
  ++counts_.refused;
  auto writing = control.write_within(impl::refusal(why), impl::kWriteTime);
  const auto written = co_await std::move(writing);
  if (!written) co_return;
  const auto stream = control.take_stream();
  auto finishing = stream->finish();
  (void)co_await impl::within(station_.clock, impl::kWriteTime, std::move(finishing));
}

// Homes that wait.

Task<> RelayDesk::keep_waiting(Control control, bool& admitted) {
  const HomeId home = control->peer().id;
  std::optional<Error> why;
  if (!rights_.may_wait(home))
    why = {Errc::denied, "this home may not wait here"};
  else if (!waiting_.contains(home) && waiting_.size() >= limits_.waiting)
    why = {Errc::full, "too many homes wait here"};
  if (why) {
    auto refusing = refuse(*control, std::move(*why));
    co_await std::move(refusing);
    co_return;
  }
  admitted = true;
  platform::Nursery all(station_.executor);
  Place place{control.get(), &all, station_.clock.steady()};
  struct Leave {  // also where a cancellation leaves this frame
    RelayDesk& desk;
    HomeId home;
    Place* place;
    ~Leave() {
      const auto found = desk.waiting_.find(home);
      if (found != desk.waiting_.end() && found->second == place) desk.waiting_.erase(found);
      desk.counts_.waiting = desk.waiting_.size();
    }
  } leave{*this, home, &place};
  auto& entry = waiting_[home];
  if (entry != nullptr) entry->all->cancel();  // the older one: its router has forgotten it, or it would not come again
  entry = &place;
  counts_.waiting = waiting_.size();
  control->post({.kind = RelayKind::waiting});
  all.start(control->write_loop(impl::kWriteTime, all));
  all.start(hear_waiting(place));
  all.start(watch_waiting(place));
  co_await all.join();
}

Task<> RelayDesk::hear_waiting(Place& place) {
  platform::TokenBucket frames(kFramesPerSecond, kFramesAtOnce);
  for (;;) {
    auto frame = co_await place.control->read();
    if (!frame) break;
    place.heard_at = station_.clock.steady();
    if (frame->kind == RelayKind::ping) {
      if (!place.control->post({.kind = RelayKind::pong})) break;
    } else if (frame->kind == RelayKind::refused) {
      const auto found = coming_.find(frame->number);
      if (found != coming_.end() && found->second->home == place.control->peer().id) {
        found->second->error = impl::error_of(*frame);
        found->second->over.ring();
      }
    } else {
      break;
    }
    co_await station_.clock.sleep(frames.take(station_.clock.steady(), 1));
  }
  place.all->cancel();
}

Task<> RelayDesk::watch_waiting(Place& place) {
  const HomeId home = place.control->peer().id;
  auto asked_at = station_.clock.steady();
  for (;;) {
    co_await station_.clock.sleep(impl::kLook);
    const auto now = station_.clock.steady();
    if (now - place.heard_at >= limits_.silence) break;
    if (now - asked_at < limits_.ask_again) continue;
    asked_at = now;
    if (!rights_.may_wait(home)) break;
  }
  place.all->cancel();
}

// Calls.

std::size_t RelayDesk::pairs_with(const HomeId& home) const {
  const auto found = pairs_of_.find(home);
  return found == pairs_of_.end() ? 0 : found->second;
}

RelayDesk::Use* RelayDesk::use_of(const HomeId& a, const HomeId& b) {
  const auto now = station_.clock.steady();
  if (now - day_began_ >= kDay) {
    uses_.clear();
    used_today_ = 0;
    day_began_ = now;
  }
  const auto key = pair_of(a, b);
  const auto found = uses_.find(key);
  if (found != uses_.end()) return &found->second;
  if (uses_.size() >= limits_.remembered_pairs) return nullptr;
  return &uses_.emplace(key, Use{platform::TokenBucket(limits_.pair_rate, limits_.burst_bytes)}).first->second;
}

CallRight RelayDesk::right_of(const CallerHere& caller, const HomeId& home) const {
  if (rights_.may_call(caller.peer.id, home)) return CallRight::member;
  return caller.claim.empty() ? CallRight::none : rights_.may_call_by(caller.peer, caller.claim, home);
}

std::optional<Error> RelayDesk::refusal_of(const CallerHere& who, const HomeId& home) {
  const HomeId& caller = who.peer.id;
  const CallRight right = right_of(who, home);
  if (right == CallRight::none) return Error{Errc::denied, "this home may not be called here by that one"};
  if (!waiting_.contains(home)) return Error{Errc::not_found, "that home does not wait here"};
  if (right == CallRight::former && former_pairs_ >= limits_.former_pairs)
    return Error{Errc::full, "too many who were removed are joined here already"};
  if (counts_.pairs >= limits_.pairs || pairs_with(caller) >= limits_.pairs_each ||
      pairs_with(home) >= limits_.pairs_each)
    return Error{Errc::full, "too many are joined here already"};
  const Use* use = use_of(caller, home);
  if (use == nullptr || use->bytes >= limits_.pair_quota_bytes || used_today_ >= limits_.quota_bytes)
    return Error{Errc::full, "what may pass here in a day has passed"};
  return std::nullopt;
}

Task<> RelayDesk::place_call(Control control, HomeId home, Bytes claim, bool& admitted) {
  const CallerHere who{control->peer(), std::move(claim)};
  const HomeId& caller = who.peer.id;
  auto why = refusal_of(who, home);
  admitted = !why || why->code != Errc::denied;
  if (why) {
    auto refusing = refuse(*control, std::move(*why));
    co_await std::move(refusing);
    co_return;
  }
  const Share share(*this, caller, home, right_of(who, home));
  auto bringing = bring(caller, home, limits_.come_time);
  auto brought = co_await std::move(bringing);
  if (!brought) {
    auto refusing = refuse(*control, std::move(brought.error()));
    co_await std::move(refusing);
    co_return;
  }
  auto joining = join_pair(std::move(control), std::move(*brought), who);
  co_await std::move(joining);
}

Task<Result<RelayDesk::Control>> RelayDesk::bring(HomeId caller, HomeId home, nanoseconds limit) {
  const auto found = waiting_.find(home);
  if (found == waiting_.end()) co_return fail(Errc::not_found, "that home does not wait here");
  const auto number = random_.array<sizeof(wire::RelayNumber)>();
  Coming coming(home, station_.executor);
  struct Leave {  // also where a cancellation leaves this frame
    RelayDesk& desk;
    const wire::RelayNumber& number;
    ~Leave() { desk.coming_.erase(number); }
  } leave{*this, number};
  coming_[number] = &coming;
  if (!found->second->control->post({.kind = RelayKind::come, .home = caller, .number = number}))
    co_return fail(Errc::unavailable, "that home does not listen");
  auto waiting = impl::rung(coming.over);
  co_await impl::within(station_.clock, limit, std::move(waiting));
  if (coming.control) co_return std::move(coming.control);
  if (coming.error) co_return tl::unexpected<Error>(std::move(*coming.error));
  co_return fail(Errc::timed_out, "that home does not come");
}

Task<> RelayDesk::take_comer(Control control, wire::RelayNumber number, bool& admitted) {
  const auto found = coming_.find(number);
  if (found == coming_.end() || found->second->home != control->peer().id) {
    auto refusing = refuse(*control, {Errc::not_found, "nobody waits for this home"});
    co_await std::move(refusing);
    co_return;
  }
  admitted = true;
  Coming& coming = *found->second;
  coming_.erase(found);  // the number is used once
  coming.control = std::move(control);
  coming.over.ring();
}

Task<Result<std::unique_ptr<platform::Stream>>> RelayDesk::call(HomeId home, nanoseconds limit) {
  auto bringing = bring(station_.tls.id(), home, limit);
  MHP_CO_TRY(const Control control, co_await std::move(bringing));
  auto writing = control->write_within({.kind = RelayKind::ready}, impl::kWriteTime);
  MHP_CO_TRY_VOID(co_await std::move(writing));
  co_return control->take_stream();
}

// What passes.

Task<> RelayDesk::join_pair(Control caller, Control home, const CallerHere& who) {
  Held held(station_.traffic);
  if (!held.add(2 * limits_.buffer_bytes)) {
    for (RelayControl* control : {home.get(), caller.get()}) {
      auto refusing = refuse(*control, {Errc::full, "this relay has no memory left"});
      co_await std::move(refusing);
    }
    co_return;
  }
  for (RelayControl* control : {home.get(), caller.get()}) {
    auto writing = control->write_within({.kind = RelayKind::ready}, impl::kWriteTime);
    if (!co_await std::move(writing)) co_return;
  }
  ++counts_.joined;
  platform::Nursery all(station_.executor);
  Pair pair{.ids = {caller->peer().id, home->peer().id},
            .caller = who,
            .streams = {caller->take_stream(), home->take_stream()},
            .all = &all,
            .moved_at = station_.clock.steady()};
  all.start(pass_on(pair, 0));
  all.start(pass_on(pair, 1));
  all.start(watch_pair(pair));
  co_await all.join();
}

Task<bool> RelayDesk::may_pass(HomeId a, HomeId b, std::size_t bytes) {
  Use* use = use_of(a, b);
  if (use == nullptr) co_return false;
  if (use->bytes + bytes > limits_.pair_quota_bytes || used_today_ + bytes > limits_.quota_bytes) co_return false;
  use->bytes += bytes;
  used_today_ += bytes;
  const auto now = station_.clock.steady();
  const auto wait = std::max(use->bucket.take(now, bytes), bucket_.take(now, bytes));
  if (wait.count() > 0) co_await station_.clock.sleep(wait);
  co_return true;
}

Task<> RelayDesk::pass_on(Pair& pair, std::size_t from) {
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(limits_.buffer_bytes);
  const std::size_t to = 1 - from;
  for (;;) {
    const auto got = co_await pair.streams[from]->read_some(MutableBytes(buffer.get(), limits_.buffer_bytes));
    pair.moved_at = station_.clock.steady();
    if (!got) break;
    if (*got == 0) {
      pair.ended[from] = true;
      if (!pair.ended[to]) pair.ended_at = pair.moved_at;
    } else {
      ++pair.limited;
      auto asking = may_pass(pair.ids[0], pair.ids[1], *got);
      const bool may = co_await std::move(asking);
      --pair.limited;
      if (!may) ++counts_.cut_off;
      if (!may) break;
    }
    pair.writing[to] = station_.clock.steady();
    auto writing = *got == 0 ? pair.streams[to]->finish() : pair.streams[to]->write_all(ByteView(buffer.get(), *got));
    const auto written = co_await std::move(writing);
    pair.writing[to].reset();
    pair.moved_at = station_.clock.steady();
    if (!written) break;
    counts_.bytes += *got;
    if (*got != 0) continue;
    if (pair.ended[to]) break;
    co_return;
  }
  pair.all->cancel();
}

Task<> RelayDesk::watch_pair(Pair& pair) {
  auto asked_at = station_.clock.steady();
  for (;;) {
    co_await station_.clock.sleep(impl::kLook);
    const auto now = station_.clock.steady();
    const auto stalls = [this, now](const auto& since) { return since && now - *since >= limits_.stall_time; };
    if (std::ranges::any_of(pair.writing, stalls)) break;
    if (pair.limited == 0 && now - pair.moved_at >= limits_.idle_time) break;
    if ((pair.ended[0] || pair.ended[1]) && now - pair.ended_at >= limits_.finish_time) break;
    if (now - asked_at < limits_.ask_again) continue;
    asked_at = now;
    if (right_of(pair.caller, pair.ids[1]) == CallRight::none) break;
  }
  ++counts_.cut_off;
  pair.all->cancel();
}

}  // namespace mhp::net
