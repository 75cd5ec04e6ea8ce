// Who may use whom as a relay, whether this computer needs one, and whom to look for in the local network.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "cloud/book.h"
#include "net/discovery.h"
#include "net/peers.h"
#include "net/server.h"

namespace mhp::cloud {

/// Whether "HOST:PORT" may be reached from everywhere: a name, or a number that is not of a private, local or shared
/// network (RFC 1918, 6598, 3927, 4193, 4291).
bool is_public_address(const std::string& address);

/// The household or campus that a host is in, as a text: of an IPv4 number the first 16 bits, of an IPv6 number the
/// first 48, which is as much as one of these mostly has; any other text is one of its own. Pure.
std::string site_of(const std::string& host);

/// Homes of a cloud that may be relays: those that tell a public address. Whether anybody gets in there shows when it
/// is tried (net::Dialed). None: everybody is in one network, or nobody can be reached.
std::vector<net::Relay> relays_of(const View& view);

/// Whether others reach this computer by an address that it tells: known by who has come, since neither a public
/// address nor the router says it. One loop thread.
class Reachable final : public net::Visitors {
 public:
  static constexpr std::chrono::seconds kVisitCounts = std::chrono::days(3);

  /// The last visit that shows it.
  struct Visit {
    std::int64_t at_s = 0;         // Unix seconds
    HomeId by{};                   //
    std::set<std::string> here{};  // the public hosts that this computer told then
    friend bool operator==(const Visit&, const Visit&) = default;
  };

  /// `clock` and `book` outlive it. `own`: this computer's home.
  Reachable(const platform::Clock& clock, const Book& book, const HomeId& own)
      : clock_(clock), book_(book), own_(own) {}

  /// Counts where it is a home of a cloud of this computer's, from another network, over IPv4: nearly everybody has
  /// that one, and who has no IPv6 would not get in by the other.
  void came(const HomeId& who, const std::string& address) override;
  /// A visit counts for some days, and only while this computer tells the same public hosts.
  bool is_reached() const;

  const std::optional<Visit>& last() const { return last_; }
  /// As it was kept.
  void recall(std::optional<Visit> visit) { last_ = std::move(visit); }

 private:
  std::set<std::string> hosts_told() const;

  const platform::Clock& clock_;
  const Book& book_;
  const HomeId own_;
  std::optional<Visit> last_;
};

/// As whom a computer asks in a cloud of which it keeps nothing (yet): who recovers.
struct ComingBack {
  RosterPointer roster;
  primitives::SigningKey member;
};

/// A computer of a cloud, as the vault's list of homes names it.
struct ListedHome {
  CloudId cloud;
  std::vector<std::string> addresses;
};

/// Answers net's questions by what the book says at that moment. One loop thread.
class CloudReach final : public net::RelayRights, public net::Interest, public net::KnownRelays {
 public:
  /// `book` outlives it. `own`: this computer's home.
  CloudReach(Book& book, const HomeId& own) : book_(book), own_(own) {}

  /// Members' homes wait here, and call others of a cloud that both are in.
  bool may_wait(const HomeId& home) override { return book_.has_home(home); }
  bool may_call(const HomeId& caller, const HomeId& home) override;
  /// A member's computer that the roster does not name, as in a session (docs/protocol/cloud.md): the claim is by the
  /// key of a member of a cloud that `home` is in. Or by that of one who was removed: a home gives him back what he
  /// saved, whether it can be dialed or not.
  net::CallRight may_call_by(const net::Peer& caller, ByteView claim, const HomeId& home) override;
  std::vector<CloudId> clouds() override { return book_.clouds(); }
  bool is_known(const HomeId& home) override;
  /// Of all clouds that `home` and this computer are in, and those listed that are of one cloud with it; takes in what
  /// other processes have written.
  std::vector<net::Relay> relays_for(const HomeId& home) override;
  /// In each cloud of which the member's key is known: a relay may not have heard of this computer, or know that its
  /// member was removed.
  Bytes claim_for(const net::Peer& relay, const HomeId& home) override;
  /// From here on homes of that cloud are reached through its relays, too, which are shown the member's key.
  void come_back_as(ComingBack as);
  /// From here on relays of that cloud are shown the member's key.
  void speak_as(const CloudId& cloud, const primitives::SigningKey& member);
  /// What the vault's list says of computers, where no roster is at hand, or only one from before.
  void set_listed(std::map<HomeId, ListedHome> listed) { listed_ = std::move(listed); }
  bool is_coming_back_to(const CloudId& cloud) const;
  /// Where this computer's home is to wait: nowhere where it is known to be reached without (Reachable), whatever
  /// address it tells.
  std::vector<net::Relay> relays_to_wait_at(bool is_reached) const;

 private:
  bool is_of(const CloudId& cloud, const HomeId& home) const;

  Book& book_;
  const HomeId own_;
  std::vector<ComingBack> coming_back_;  // one for each cloud
  std::map<CloudId, primitives::SigningKey> members_;
  std::map<HomeId, ListedHome> listed_;
};

}  // namespace mhp::cloud
