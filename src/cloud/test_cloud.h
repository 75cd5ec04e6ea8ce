// For tests: people with keys of their own, and what they say in a cloud.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "cloud/invitation.h"
#include "cloud/roster.h"

namespace mhp::cloud {

constexpr std::int64_t kNowS = 1'767'225'600;  // 2026-01-01

inline primitives::SigningKey test_key(const std::string& name) {
  primitives::init_sodium();
  return primitives::SigningKey(primitives::blake3_derive("mhp test key", as_bytes(name)));
}

/// One person with one device and one home; the same name gives the same keys.
struct Person {
  explicit Person(std::string person_name)
      : name(std::move(person_name)),
        key(test_key(name)),
        device(test_key(name + "'s device")),
        home(test_key(name + "'s home")) {}
  MemberId id() const { return as_member(key.public_key()); }
  KeyId home_key() const { return as_key(home.public_key()); }
  KeyId device_key() const { return as_key(device.public_key()); }
  HomeId home_id() const { return primitives::home_id_of(home.public_key()); }
  std::string name;
  primitives::SigningKey key, device, home;
};

/// The same object each time: keys take a while.
inline const Person& person(const char* name) {
  static std::map<std::string, Person> people;
  return people.try_emplace(name, name).first->second;
}
inline const Person& ann() { return person("Ann"); }
inline const Person& ben() { return person("Ben"); }
inline const Person& cem() { return person("Cem"); }
inline const Person& dora() { return person("Dora"); }
inline const Person& emil() { return person("Emil"); }
inline const Person& fay() { return person("Fay"); }

inline wire::Invitation::Secret test_secret(std::uint64_t number) {
  const auto hash = primitives::blake3_derive("mhp test secret", as_bytes(std::to_string(number)));
  wire::Invitation::Secret out;
  std::copy_n(hash.begin(), out.size(), out.begin());
  return out;
}

inline Merged take(Roster& roster, const Bytes& statement) { return roster.merge(std::span(&statement, 1)); }

/// Each sends the other what is missing there. True where anything was taken in.
inline bool exchange(Roster& a, Roster& b) {
  const wire::Statements to_b = a.missing_of(b.digest());
  const wire::Statements to_a = b.missing_of(a.digest());
  const bool news_at_b = !b.merge(to_b.statements).fresh.empty();
  return !a.merge(to_a.statements).fresh.empty() || news_at_b;
}

/// A cloud as one computer knows it. Each act must count, or the test fails.
class Cloud {
 public:
  explicit Cloud(const Person& founder, const wire::Rules& rules = {})
      : roster(*Roster::found(found_cloud(founder.key, {"Lindenweg", founder.name, rules, kNowS, {}}))) {
    settle_in(founder);
  }
  void say(const primitives::SigningKey& key, const MemberId& member, wire::Act act) {
    const Merged merged = take(roster, roster.say(key, member, std::move(act)));
    EXPECT_EQ(merged.fresh.size(), 1u) << (merged.refused.empty() ? "" : merged.refused[0].why);
    EXPECT_TRUE(merged.idle.empty());
  }
  void say(const Person& person, wire::Act act) { say(person.key, person.id(), std::move(act)); }
  /// Why it was refused; "idle" where it is taken in and does not count.
  std::string refused(const primitives::SigningKey& key, const Person& person, wire::Act act) {
    const Merged merged = take(roster, roster.say(key, person.id(), std::move(act)));
    if (!merged.refused.empty()) return merged.refused[0].why;
    return merged.idle.empty() ? "" : "idle";
  }
  /// Device, home and its address.
  void settle_in(const Person& person) {
    say(person, wire::DeviceKey{person.device_key(), person.name + "'s laptop"});
    say(person, wire::HomeKey{person.home_key(), person.name + "'s attic", 50'000'000'000, false});
    tell_address(person, person.name + ".example:7070");
  }
  void tell_address(const Person& person, const std::string& address) {
    say(person.home, person.id(), wire::HomeAddresses{{address}});
  }
  wire::Invitation invite(const Person& inviter, wire::Role role = wire::Role::member) {
    const Wish wish{.inviter = inviter.id(), .role = role, .expires_s = kNowS + 86'400};
    auto invited = cloud::invite(roster.view(), roster.cloud(), wish, test_secret(++secrets_));
    EXPECT_TRUE(invited) << (invited ? "" : invited.error().detail);
    say(inviter, invited->ticket);
    return invited->invitation;
  }
  /// Invites and admits in one go.
  void let_in(const Person& inviter, const Person& joiner, wire::Role role = wire::Role::member) {
    const auto request = ask_to_join(invite(inviter, role), joiner.id(), joiner.name, kNowS);
    ASSERT_TRUE(request);
    ASSERT_TRUE(answer(roster, inviter.id(), *request, kNowS));
    say(inviter.home, inviter.id(), request->admission);
    settle_in(joiner);
  }
  void remove(const Person& remover, const Person& removed) { say(remover, removal_of(removed)); }
  wire::Removal removal_of(const Person& person) const {
    return roster.removal(wire::Removal::What::member, person.id());
  }
  bool has(const Person& person) const { return roster.view().members.contains(person.id()); }
  bool is_admin(const Person& person) const { return roster.view().is_admin(person.id()); }

  Roster roster;

 private:
  std::uint64_t secrets_ = 0;
};

}  // namespace mhp::cloud
