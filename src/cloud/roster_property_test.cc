// Many computers that come and go, people who join, leave and remove each other: in the end all see the same.
#include <algorithm>
#include <random>

#include "base/test_run.h"
#include "cloud/test_cloud.h"

namespace mhp::cloud {
namespace {

using wire::Removal;
using wire::Role;

constexpr std::size_t kPeople = 9;
constexpr std::size_t kReplicas = 4;
constexpr std::size_t kActs = 60;

const std::vector<Person>& people() {
  static const std::vector<Person> out = [] {
    std::vector<Person> made;
    for (std::size_t i = 0; i < kPeople; ++i) made.emplace_back("person " + std::to_string(i));
    return made;
  }();
  return out;
}

/// One random history. Replicas are computers; those of one part reach each other.
class Village {
 public:
  explicit Village(std::uint64_t seed) : random_(seed) {
    const Cloud first(people()[0]);
    replicas_.assign(kReplicas, first.roster);
    parts_.assign(kReplicas, 0);
    said_ = first.roster.statements().statements;
    founding_ = said_.front();
    for (const Bytes& one : said_)
      if (Roster::found(one)) founding_ = one;
  }

  void run() {
    for (std::size_t step = 0; step < kActs; ++step) act();
    for (bool news = true; news;) {
      news = false;
      for (std::size_t i = 0; i + 1 < kReplicas; ++i) news |= exchange(replicas_[i], replicas_[i + 1]);
    }
  }

  void expect_one_result() {
    const Roster& one = replicas_[0];
    for (const Roster& other : replicas_) {
      ASSERT_EQ(other.view(), one.view());
      ASSERT_EQ(only_in(other, one), "");
      ASSERT_EQ(only_in(one, other), "");
      ASSERT_EQ(other.statements(), one.statements());
    }
    for (int order = 0; order < 2; ++order) {
      std::ranges::shuffle(said_, random_);
      Roster fresh = *Roster::found(founding_);
      for (bool news = true; news;) {  // a few at a time; what was not yet understood comes again
        news = false;
        for (std::size_t at = 0, few = 0; at < said_.size(); at += few) {
          few = std::min(1 + below(8), said_.size() - at);
          news |= !fresh.merge(std::span(said_).subspan(at, few)).fresh.empty();
        }
      }
      ASSERT_EQ(fresh.view(), one.view());
      ASSERT_EQ(only_in(fresh, one), "");
      ASSERT_EQ(only_in(one, fresh), "");
    }
    expect_sound(one.view());
  }

  /// Whoever was removed, and knows what was known at some time, is shown that by what it is told. Who knows a great
  /// deal that was overruled later may not believe it at first: counted in `doubted`; but by what it is told then.
  void expect_told(std::size_t& told, std::size_t& doubted) const {
    const Roster& now = replicas_[0];
    for (const MemberId& member : now.view().removed) {
      const auto removals = now.taken_out(member, {});
      ASSERT_FALSE(removals.empty());
      const wire::Statements grounds = now.grounds_of(removals);
      for (Roster then : past_) {
        while (!then.merge(grounds.statements).fresh.empty()) continue;
        // Nobody here has a removal any more that its signer has said anew.
        if (only_in(then, now).find(" act 8 ") != std::string::npos) continue;
        ++told;
        const wire::Statements further = now.further_grounds_of(removals, then.digest());
        const bool believes = then.view().removed.contains(member);
        if (believes) continue;
        ++doubted;
        while (!then.merge(further.statements).fresh.empty()) continue;
        ASSERT_TRUE(then.view().removed.contains(member));
      }
    }
  }

  std::size_t removals() const { return replicas_[0].view().removed.size(); }
  std::size_t members() const { return replicas_[0].view().members.size(); }
  std::size_t twice_used() const { return twice_; }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }
  const Person& anyone() { return people()[below(kPeople)]; }
  template <class Wanted>
  const Person* someone(Wanted wanted) {
    for (std::size_t tries = 0; tries < 20; ++tries)
      if (const Person& one = anyone(); wanted(one)) return &one;
    return nullptr;
  }

  /// What one has and the other has not: kinds of act, and when.
  static std::string only_in(const Roster& one, const Roster& other) {
    std::string out;
    for (const Bytes& encoded : one.missing_of(other.digest()).statements) {
      const auto statement = wire::parse_statement(wire::parse_signed(encoded, encoded.size())->body);
      out += " act " + std::to_string(statement->act.index()) + " at " + std::to_string(statement->at);
    }
    return out;
  }

  static void expect_sound(const View& view) {
    for (const auto& [id, member] : view.members) {
      ASSERT_FALSE(view.removed.contains(id));
      ASSERT_FALSE(member.name.empty());
    }
    for (const auto& [id, home] : view.homes) {
      ASSERT_TRUE(view.members.contains(home.member));
      ASSERT_FALSE(home.addresses.empty());
    }
    for (const auto& [by, ticket] : view.tickets) ASSERT_TRUE(view.members.contains(by.first));
  }

  /// Said as someone would whose computer knows `base`, which is then merged into a replica with the rest of it.
  void say(const Roster& base, std::size_t replica, const primitives::SigningKey& key, const Person& person,
           wire::Act act) {
    std::vector<Bytes> all = base.statements().statements;
    all.push_back(base.say(key, person.id(), std::move(act)));
    const StatementId id = wire::statement_id(*wire::parse_signed(all.back(), all.back().size()));
    const Merged merged = replicas_[replica].merge(all);
    if (std::ranges::count(merged.fresh, id) > 0) said_.push_back(all.back());  // else nobody has it
  }

  void act() {
    const std::size_t replica = below(kReplicas);
    // Now and then someone speaks from what he knew long ago, perhaps since he was removed.
    if (below(5) == 0) past_.push_back(replicas_[replica]);
    const Roster base = !past_.empty() && below(5) == 0 ? past_[below(past_.size())] : replicas_[replica];
    const std::size_t what = below(16);
    if (what < 4) {
      meet(replica);
    } else if (what == 4) {
      for (std::size_t& part : parts_) part = below(2);
    } else if (what < 8) {
      join(base, replica);
    } else if (what < 10) {
      remove(base, replica);
    } else {
      speak(base, replica, what);
    }
  }

  void meet(std::size_t replica) {
    const std::size_t other = below(kReplicas);
    if (other != replica && parts_[other] == parts_[replica]) exchange(replicas_[other], replicas_[replica]);
  }

  void join(const Roster& base, std::size_t replica) {
    const View& view = base.view();
    const Person* host = someone([&](const Person& one) { return view.is_admin(one.id()); });
    if (host == nullptr) return;
    if (invitations_.empty() || below(2) == 0) {
      const Role role = below(2) == 0 ? Role::admin : Role::member;
      const Wish wish{.inviter = host->id(), .role = role, .expires_s = kNowS + 10};
      const auto invited = invite(view, base.cloud(), wish, test_secret(random_()));
      if (!invited) return;
      say(base, replica, host->key, *host, invited->ticket);
      invitations_.push_back(invited->invitation);
    }
    const Person& joiner = anyone();
    const auto request = ask_to_join(invitations_[below(invitations_.size())], joiner.id(), joiner.name, kNowS);
    const Roster& knows = replicas_[replica];
    if (!request || answer(knows, host->id(), *request, kNowS) != Answer::admit) return;
    twice_ += !used_.insert(request->admission.ticket).second;
    say(knows, replica, host->key, *host, request->admission);
    say(replicas_[replica], replica, joiner.key, joiner, wire::HomeKey{joiner.home_key(), joiner.name, 1, false});
    say(replicas_[replica], replica, joiner.home, joiner, wire::HomeAddresses{{"a:1"}});
  }

  void remove(const Roster& base, std::size_t replica) {
    const View& view = base.view();
    const Person* by = someone([&](const Person& one) { return view.is_admin(one.id()); });
    const Person* subject = someone([&](const Person& one) { return view.members.contains(one.id()); });
    if (by == nullptr || subject == nullptr) return;
    const std::size_t what = below(6);
    Removal removal = base.removal(what == 0 ? Removal::What::admin_rights : Removal::What::member, subject->id());
    if (what == 1)
      removal =
          base.removal(Removal::What::key, subject->id(), below(2) == 0 ? subject->home_key() : subject->device_key());
    if (what == 2 && !removal.kept.empty())
      removal.kept.erase(removal.kept.begin() + static_cast<std::ptrdiff_t>(below(removal.kept.size())));
    say(base, replica, by->key, *by, std::move(removal));
  }

  void speak(const Roster& base, std::size_t replica, std::size_t what) {
    const Person* by = someone([&](const Person& one) { return base.view().members.contains(one.id()); });
    if (by == nullptr) return;
    if (what == 10) say(base, replica, by->key, *by, wire::Promotion{anyone().id()});
    if (what == 11)
      say(base, replica, by->key, *by, wire::RuleChange{{.take_percent = static_cast<unsigned>(below(99))}});
    if (what == 12) say(base, replica, by->key, *by, wire::DeviceKey{by->device_key(), "laptop"});
    if (what == 13) say(base, replica, by->device, *by, wire::HomeKey{by->home_key(), "attic", below(9), true});
    if (what == 14) say(base, replica, by->home, *by, wire::HomeAddresses{{std::to_string(below(99)) + ":1"}});
    if (what == 15) {
      const Person& subject = below(4) == 0 ? *by : anyone();  // leaves, or has no right to
      say(base, replica, by->key, *by, base.removal(Removal::What::member, subject.id()));
    }
  }

  std::mt19937_64 random_;
  std::vector<Roster> replicas_;
  std::vector<std::size_t> parts_;
  std::vector<Roster> past_;
  std::vector<Bytes> said_;
  Bytes founding_;
  std::vector<wire::Invitation> invitations_;
  std::set<TicketId> used_;
  std::size_t twice_ = 0;
};

TEST(RosterProperty, OneResultEverywhere) {
  const std::uint64_t seed = test_run::seed();
  const std::uint64_t worlds = (test_run::is_long() ? 100'000 : 1'000) / (2 * test_run::stride() - 1);
  std::size_t removals = 0;
  std::size_t members = 0;
  std::size_t twice = 0;
  std::size_t told = 0;
  std::size_t doubted = 0;
  for (std::uint64_t i = 0; i < worlds; ++i) {
    SCOPED_TRACE("MHP_SEED=" + std::to_string(seed + i));
    Village world(seed + i);
    world.run();
    world.expect_one_result();
    if (i % 4 == 0) world.expect_told(told, doubted);
    if (HasFatalFailure()) return;
    removals += world.removals();
    members += world.members();
    twice += world.twice_used();
  }
  // Not a world in which nothing happens.
  EXPECT_GT(removals, worlds);
  EXPECT_GT(members, worlds / 10);
  EXPECT_GT(told, worlds / 4);
  EXPECT_LT(doubted, told / 100);
  if (test_run::stride() == 1) EXPECT_GT(doubted, 0U);
  EXPECT_GE(twice, worlds / 100);
  test_run::tried_of_sweep(19, "interleavings of what happens in a cloud", worlds, seed);
}

}  // namespace
}  // namespace mhp::cloud
