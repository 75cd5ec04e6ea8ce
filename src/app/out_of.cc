// Asking a roster about oneself, and saying what it answers.
#include "app/out_of.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/output.h"
#include "app/text.h"

namespace mhp::app {

bool can_answer(const cloud::Roster& roster, const primitives::SigningKey& member, const std::set<MemberId>& others) {
  const MemberId self = cloud::as_member(member.public_key());
  std::vector<Bytes> said;
  for (const MemberId& other : others) said.push_back(roster.say(member, self, roster.removal_in_answer(self, other)));
  cloud::Roster then = roster;
  then.merge(said);
  return then.view().members.contains(self);
}

std::optional<OutOf> out_of(const cloud::Roster& roster, const primitives::SigningKey& member, const KeyId& computer) {
  const MemberId self = cloud::as_member(member.public_key());
  auto removals = roster.taken_out(self, computer);
  if (removals.empty()) return std::nullopt;
  OutOf out{.cloud = roster.cloud(), .name = roster.view().name};
  out.is_computer = !roster.view().removed.contains(self);
  if (!out.is_computer)
    std::erase_if(removals, [](const cloud::TakenOut& one) { return one.what == wire::Removal::What::key; });
  std::set<MemberId> by;
  for (const cloud::TakenOut& one : removals)
    if (one.by != self && by.insert(one.by).second) {
      out.by.push_back(roster.name_of(one.by));
      out.by_ids.push_back(one.by);
    }
  out.can_answer = !out.is_computer && !by.empty() && can_answer(roster, member, by);
  return out;
}

std::optional<OutOf> not_in(const cloud::Roster& roster, const primitives::SigningKey& member, const KeyId& computer) {
  auto out = out_of(roster, member, computer);
  if (out || roster.view().members.contains(cloud::as_member(member.public_key()))) return out;
  // Only who was in it before knows the roster of a cloud that he is not in.
  return OutOf{.cloud = roster.cloud(), .name = roster.view().name, .is_joining = true};
}

std::string names_of_removers(const OutOf& out) {
  std::string names;
  for (const std::string& name : out.by) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", printable(name));
  return names.empty() ? "you" : names;
}

std::string out_sentence(const OutOf& out) {
  const std::string cloud = printable(out.name);
  if (out.is_computer) {
    return fmt::format(
        "This computer was taken out of the cloud '{}' by {}, for good: its homes refuse it. You are in it still. To "
        "come in again from here: 'mhp recover --state NEW-FOLDER --from HOST:PORT' with your 24 words "
        "(--keep-devices where another computer of yours is to stay); then it is a new computer to the others.",
        cloud, names_of_removers(out));
  }
  if (out.is_joining) {
    return fmt::format(
        "You are not in the cloud '{}' (yet): you were removed from it, and no home of it has taken the code that you "
        "joined with since. Run 'mhp join' again, with that code or a new one.",
        cloud);
  }
  if (out.by.empty()) {
    return fmt::format(
        "You have left the cloud '{}', from another computer of yours: 'mhp cloud leave' does it here, too.", cloud);
  }
  std::string sentence = fmt::format(
      "You were removed from the cloud '{}' by {}. Its homes take nothing more from you; what they hold of yours they "
      "give back: 'mhp restore' reads it. To be in it again, ask for a new code: 'mhp join' makes you a new member. To "
      "be done with it: 'mhp cloud leave'.",
      cloud, names_of_removers(out));
  if (out.can_answer) {
    std::string ids;  // not names, which the others chose and a shell would read
    for (const MemberId& id : out.by_ids) ids += " " + id.hex().substr(0, 8);
    sentence +=
        fmt::format(" You were there first: 'mhp members remove{}' takes {} out instead, and you are in it as before.",
                    ids, names_of_removers(out));
  }
  return sentence;
}

nlohmann::json json_out(const std::optional<OutOf>& out) {
  if (!out) return nullptr;
  return {{"cloud", json_text(out->name)},
          {"what", out->is_joining    ? "joining"
                   : out->is_computer ? "computer"
                                      : "member"},
          {"by", json_texts(out->by)},
          {"can_answer", out->can_answer}};
}

}  // namespace mhp::app
