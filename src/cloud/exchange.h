// Rosters from computer to computer: with one, with several at once, and again and again.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "cloud/book.h"
#include "net/peers.h"

namespace mhp::cloud {

/// Where addresses of a roster name none.
inline constexpr std::uint16_t kUsualPort = 7070;

/// Statements that went either way.
struct Exchanged {
  std::size_t taken = 0;
  std::size_t given = 0;
  std::size_t refused = 0;  // that were offered, and are not believed here
  friend bool operator==(const Exchanged&, const Exchanged&) = default;
};

/// Takes what is missing here from a home of the cloud, gives it what is missing there; two requests, each answered
/// within `limit`. Where the book's own roster is damaged it is made whole. `caller` is borrowed. Errors: those of a
/// call and of the book; not_found (the cloud is not in the book).
Task<Result<Exchanged>> exchange(platform::Platform& platform, Book& book, CloudId cloud, net::Caller& caller,
                                 std::chrono::nanoseconds limit);

/// Shows a home, on this connection, that `key` is a member's or a device's of the cloud: needed only where the roster
/// there does not name this computer yet. `caller` is borrowed. Errors: those of a call; denied.
Task<Result<void>> show_membership(CloudId cloud, primitives::SigningKey key, net::Caller& caller,
                                   std::chrono::nanoseconds limit);

/// The roster of a cloud of which nothing is known here, as a home of it tells it to who has a member's `key`; nothing
/// is kept, and nobody is told anything. `caller` is borrowed. Errors: as show_membership(); corrupt (no roster of this
/// cloud came).
Task<Result<Roster>> look_in(platform::Platform& platform, CloudId cloud, primitives::SigningKey key,
                             net::Caller& caller, std::chrono::nanoseconds limit);

/// For a member whose computer is new: shows `key` as show_membership() does, takes the cloud into the book where it is
/// not there (by its id it cannot be another one), and exchanges. `caller` is borrowed. Errors: as of both; corrupt (no
/// roster of this cloud came).
Task<Result<Exchanged>> come_back(platform::Platform& platform, Book& book, CloudId cloud, primitives::SigningKey key,
                                  net::Caller& caller, std::chrono::nanoseconds limit);

/// As whom a computer asks why it is refused: its member's key, and its own.
struct Asker {
  primitives::SigningKey member;
  KeyId computer{};
};

/// Asks a home that refuses this computer by which removals, and takes them into the book. Where those who said them
/// have been removed here, that home is told so; it may be that they do not hold, and the home may be asked anew. True:
/// they hold, `asker` is out. Who knows only some of many removals that overrule each other is told what he lacks to
/// see that. `caller` is borrowed. Errors: those of a call and of the book; denied (that home knows of no removal);
/// not_found (the cloud is not in the book).
Task<Result<bool>> hear_removal(platform::Platform& platform, Book& book, CloudId cloud, Asker asker,
                                net::Caller& caller, std::chrono::nanoseconds limit);

/// For who knows nothing of a cloud: the part of its roster that shows by which removals `asker` is out of it, as a
/// home tells it that takes him for that. Nothing is kept. `caller` is borrowed. Errors: those of a call; denied (that
/// home knows of no removal); corrupt (what it says does not show one).
Task<Result<Roster>> look_why_out(platform::Platform& platform, CloudId cloud, Asker asker, net::Caller& caller,
                                  std::chrono::nanoseconds limit);

/// Tells one of the book's former homes of this cloud by which removals of others it is out: who was removed asks the
/// homes that are in by what it knows, but of these none may be left. `caller` is borrowed. Errors: those of a call;
/// not_found (none such).
Task<Result<void>> tell_removal(platform::Platform& platform, Book& book, CloudId cloud, std::optional<Asker> asker,
                                net::Caller& caller, std::chrono::nanoseconds limit);

/// Those that can be read, in order.
std::vector<net::Address> addresses_of(std::span<const std::string> addresses);

struct Spread {
  std::size_t most = SIZE_MAX;  // homes; of more, so many are drawn
  std::size_t at_once = 32;
  std::chrono::nanoseconds limit = std::chrono::seconds(30);  // of each request
  std::optional<primitives::SigningKey> shows = {};           // on each connection, before: as in come_back()
  /// A home that refuses is asked why: as in hear_removal(). Where nobody was removed, it has not heard of this
  /// computer yet: it is shown the member's key, as in come_back().
  std::optional<Asker> asker = {};
};
/// With one home. Failures are normal: others are asleep.
struct Spoken {
  HomeId home;
  Result<Exchanged> exchanged;
};
/// Exchanges with the homes of a cloud but `own`, side by side; those without an address are left out. In the order in
/// which they were done. Nothing where the cloud is not in the book.
Task<std::vector<Spoken>> spread(platform::Platform& platform, Book& book, CloudId cloud, net::Peers& net, HomeId own,
                                 Spread how);

/// Tells those former homes of a cloud that are not in `told` that they are out, at most `how.most`, side by side; who
/// has heard it is in `told` then. Failures are normal here, too.
Task<> tell_former(platform::Platform& platform, Book& book, CloudId cloud, net::Peers& net, HomeId own, Spread how,
                   std::set<HomeId>& told);

/// Gives statements that count although their signer (`how.asker`) is out to the homes of a cloud but `own`, side by
/// side: how many have them now. Failures are normal.
Task<std::size_t> plead(platform::Platform& platform, Book& book, CloudId cloud, net::Peers& net, HomeId own,
                        Spread how, wire::Statements statements);

/// When which of a cloud's homes are spoken with.
struct Rhythm {
  std::chrono::nanoseconds look = std::chrono::seconds(2);      // for what other processes wrote into the book
  std::chrono::nanoseconds between = std::chrono::minutes(10);  // about; then with some, drawn anew
  std::size_t some = 3;                                         // each time
  std::size_t many = 64;                                        // at the start and after a change
  std::chrono::nanoseconds limit = std::chrono::seconds(30);    // of each request
  /// As whom it is asked why a home refuses, in a cloud; may be missing, and know none.
  std::function<std::optional<Asker>(const CloudId&)> asker = {};
};
/// What became of speaking with a home of a cloud.
struct Contact {
  std::int64_t tried_ns = 0;    // last, by the clock of the wall
  std::int64_t reached_ns = 0;  // 0: never
  std::string failure{};        // of the last time; empty where it went well
};
using Contacts = std::map<std::pair<CloudId, HomeId>, Contact>;
/// Until it is canceled: with (nearly) all at the start and after each change of the book, with some from time to time.
/// Rounds for changes begin at least `look` apart.
/// `contacts` is kept as it goes, for whoever tells people.
Task<> keep_in_touch(platform::Platform& platform, Book& book, net::Peers& net, HomeId own, Rhythm rhythm,
                     Contacts& contacts);

}  // namespace mhp::cloud
