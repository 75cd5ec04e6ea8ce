// Chains are checked one by one, then compared: the one that fits what was seen and reaches furthest is believed.
#include "vault/impl/heads.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "primitives/hash/blake3.h"

namespace mhp::vault::impl {
namespace {

using dispersal::TroubleKind;

constexpr std::size_t kNobody = SIZE_MAX;

/// A device's chain as one home, or nobody's home, shows it.
struct Candidate {
  std::size_t member = kNobody;
  std::vector<CheckedHead> chain;
};

const CheckedHead* at_seq(const std::vector<CheckedHead>& chain, std::uint64_t seq) {
  auto found = std::ranges::lower_bound(chain, seq, {}, [](const CheckedHead& head) { return head.head.seq; });
  return found == chain.end() || found->head.seq != seq ? nullptr : &*found;
}

/// True where both have a head of one number, and not the same.
bool conflict(const std::vector<CheckedHead>& a, const std::vector<CheckedHead>& b) {
  return std::ranges::any_of(a, [&](const CheckedHead& head) {
    const CheckedHead* same = at_seq(b, head.head.seq);
    return same != nullptr && same->hash != head.hash;
  });
}

/// True where the newest of `older` is in `newer`, or the one before one that is.
bool leads_to(const std::vector<CheckedHead>& older, const std::vector<CheckedHead>& newer) {
  const CheckedHead& last = older.back();
  if (at_seq(newer, last.head.seq) != nullptr) return true;
  const CheckedHead* after = at_seq(newer, last.head.seq + 1);
  return after != nullptr && after->head.previous == last.hash;
}

/// True where `head` links to what is in `chain` on both sides.
bool links(const CheckedHead& head, const std::vector<CheckedHead>& chain) {
  const CheckedHead* before = at_seq(chain, head.head.seq - 1);
  const CheckedHead* after = at_seq(chain, head.head.seq + 1);
  return (before == nullptr || head.head.previous == before->hash) &&
         (after == nullptr || after->head.previous == head.hash);
}

/// What `from` has of `chain`'s history and `chain` has not; who took what when.
void merge(std::vector<CheckedHead>& chain, const std::vector<CheckedHead>& from) {
  for (const CheckedHead& head : from) {
    auto at = std::ranges::lower_bound(chain, head.head.seq, {}, [](const CheckedHead& own) { return own.head.seq; });
    if (at == chain.end()) return;  // newer than what is believed
    if (at->head.seq != head.head.seq) {
      if (links(head, chain)) chain.insert(at, head);
    } else if (head.received_s && (!at->received_s || *head.received_s < *at->received_s)) {
      at->received_s = head.received_s;
    }
  }
}

bool fits_seen(const std::vector<CheckedHead>& chain, const wire::SeenHead* seen) {
  if (seen == nullptr) return true;
  const CheckedHead* same = at_seq(chain, seen->seq);
  return same == nullptr || same->hash == seen->hash;
}

/// Where a device that is shut out is believed to. Several recoveries may have shut it out, each at what it saw: what
/// any of them calls good is, unless the owner distrusts it: then the lowest such word holds.
class Cut {
 public:
  Cut() = default;
  Cut(const std::vector<wire::Revocation>& all, const DeviceId& device) {
    for (const wire::Revocation& one : all) {
      if (one.device == device) take(one);
    }
  }

  bool revoked() const { return !revocations_.empty(); }
  bool distrusted() const { return distrusted_; }
  std::uint64_t last_good_seq() const { return last_good_seq_; }
  bool is_named(const CheckedHead& head) const {
    return std::ranges::any_of(revocations_, [&](const wire::Revocation& one) {
      return one.last_good_seq == head.head.seq && one.last_good == head.hash;
    });
  }

  /// What is left of `chain`: last good heads, those that a home says it took before the revocation (it was away when
  /// the vault was recovered, and what the lost computer had saved there is not lost), and what comes before such a one
  /// without a gap. A number below the last good one alone says nothing: who is shut out chooses his numbers. Of a
  /// chain that has others at the places of all last good heads nothing stays. The newest that was cut off at the end.
  std::optional<CheckedHead> cut(std::vector<CheckedHead>& chain) const {
    std::optional<CheckedHead> newest_cut;
    if (!revoked() || chain.empty()) return newest_cut;
    const CheckedHead newest = chain.back();
    const std::vector<CheckedHead> whole = std::exchange(chain, {});
    const bool differs = is_of_another_history(whole);
    for (auto head = whole.rbegin(); head != whole.rend(); ++head) {
      const bool is_before_good = !chain.empty() && chain.back().head.seq == head->head.seq + 1;
      const bool is_last_good = head->head.seq <= last_good_seq_ && is_named(*head);
      if (is_before_good || is_last_good || was_taken_before(*head)) chain.push_back(*head);
    }
    std::ranges::reverse(chain);
    if (differs) chain.clear();
    if (chain.empty() || chain.back().hash != newest.hash) newest_cut = newest;
    return newest_cut;
  }

  /// What recoveries called good, and nobody an enemy's.
  std::vector<wire::SeenHead> called_good() const {
    std::vector<wire::SeenHead> out;
    for (const wire::Revocation& one : revocations_) {
      if (!one.distrusted && one.last_good_seq > 0)
        out.push_back({.device = one.device, .seq = one.last_good_seq, .hash = one.last_good});
    }
    return out;
  }

  bool was_taken_before(const CheckedHead& head) const { return head.received_s && *head.received_s <= time_s_; }

  /// Up to the highest last good head that is in it: what a recovery has seen and called good.
  std::span<const CheckedHead> good_part(const std::vector<CheckedHead>& chain) const {
    auto named =
        std::ranges::find_if(chain.rbegin(), chain.rend(), [this](const auto& head) { return is_named(head); });
    return std::span(chain).first(static_cast<std::size_t>(chain.rend() - named));
  }

 private:
  static constexpr std::int64_t kSecond = 1'000'000'000;

  void take(const wire::Revocation& one) {
    const std::int64_t time_s = one.time_ns / kSecond;
    // What is distrusted was not to be believed from the first time on that the device was shut out.
    earliest_s_ = std::min(earliest_s_.value_or(time_s), time_s);
    if (one.distrusted && !distrusted_) revocations_.clear();
    distrusted_ = distrusted_ || one.distrusted;
    if (one.distrusted == distrusted_) {
      const bool is_first = revocations_.empty();
      auto holding = [&](auto known, auto said) { return distrusted_ ? std::min(known, said) : std::max(known, said); };
      last_good_seq_ = is_first ? one.last_good_seq : holding(last_good_seq_, one.last_good_seq);
      time_s_ = is_first ? time_s : holding(time_s_, time_s);
      revocations_.push_back(one);
    }
    if (distrusted_) time_s_ = std::min(time_s_, *earliest_s_);
  }

  /// As far as it is believed at all: what is beyond the last good number and was not taken in time does not count.
  bool is_of_another_history(const std::vector<CheckedHead>& chain) const {
    bool differs = false;
    for (const wire::Revocation& one : revocations_) {
      const CheckedHead* there = at_seq(chain, one.last_good_seq);
      if (there != nullptr && there->hash == one.last_good) return false;
      differs = differs || there != nullptr;
    }
    return differs;
  }

  std::vector<wire::Revocation> revocations_;
  bool distrusted_ = false;
  std::uint64_t last_good_seq_ = 0;
  std::int64_t time_s_ = 0;
  std::optional<std::int64_t> earliest_s_;
};

struct DeviceFacts {
  DeviceId device;
  Cut cut = {};
  const wire::SeenHead* seen = nullptr;
};

std::string number_of(const DeviceId& device, std::uint64_t seq) {
  return std::to_string(seq) + " of device " + device.short_hex();
}

class DeviceJudge {
 public:
  DeviceJudge(const DeviceFacts& facts, HeadsView& out) : facts_(facts), out_(out) {}

  void take(std::size_t member, std::vector<CheckedHead> chain) {
    const auto late = facts_.cut.cut(chain);
    if (late && member != kNobody) note_late(member, *late);
    if (!chain.empty()) candidates_.push_back({.member = member, .chain = std::move(chain)});
  }

  void judge(const std::vector<ShownHeads>& shown) {
    cut_beside_good();
    choose(shown);
    // What one home took too late another may have taken in time.
    std::erase_if(late_.shown, [this](const LateHeads::Shown& late) { return is_followed(late.head.hash); });
    if (!late_.shown.empty()) out_.late.push_back(std::move(late_));
  }

 private:
  struct Rank {
    bool fits_seen;
    std::uint64_t seq;
    unsigned homes;
    HeadHash hash;  // so that the choice is always the same
    auto operator<=>(const Rank&) const = default;
  };

  void choose(const std::vector<ShownHeads>& shown) {
    note_hidden(shown);
    if (candidates_.empty()) return;
    const Candidate& best =
        *std::ranges::max_element(candidates_, [this](const auto& a, const auto& b) { return rank(a) < rank(b); });
    BelievedDevice believed;
    believed.device = facts_.device;
    believed.revoked = facts_.cut.revoked();
    believed.chain = whole(best);
    believed.homes_agree = agreeing(best);
    believed.members = members_at(best.chain.back());
    for (const ShownHeads& home : shown) blame(home, believed);
    note_branches(believed);
    believed.forked = std::ranges::find(out_.branches, facts_.device, &BelievedDevice::device) != out_.branches.end();
    out_.devices.push_back(std::move(believed));
  }

  Rank rank(const Candidate& candidate) const {
    return {.fits_seen = fits_seen(candidate.chain, facts_.seen),
            .seq = candidate.chain.back().head.seq,
            .homes = agreeing(candidate),
            .hash = candidate.chain.back().hash};
  }

  void note_late(std::size_t member, const CheckedHead& newest) {
    late_.device = facts_.device;
    late_.distrusted = facts_.cut.distrusted();
    std::erase_if(late_.shown, [member](const LateHeads::Shown& one) { return one.member == member; });
    const wire::SeenHead head{.device = facts_.device, .seq = newest.head.seq, .hash = newest.hash};
    late_.shown.push_back({.member = member, .head = head, .time_ns = newest.head.time_ns});
  }

  bool is_followed(const HeadHash& hash) const {
    for (const auto* histories : {&out_.devices, &out_.branches}) {
      for (const BelievedDevice& history : *histories) {
        if (history.device == facts_.device &&
            std::ranges::find(history.chain, hash, &CheckedHead::hash) != history.chain.end())
          return true;
      }
    }
    return false;
  }

  /// Who is shut out can still sign a second history below its last good head: of a chain that contradicts what a
  /// recovery called good only what was taken before stays.
  void cut_beside_good() {
    if (!facts_.cut.revoked()) return;
    std::map<std::uint64_t, std::set<HeadHash>> good;  // by number
    for (const Candidate& one : candidates_) {
      for (const CheckedHead& head : facts_.cut.good_part(one.chain)) good[head.head.seq].insert(head.hash);
    }
    for (Candidate& one : candidates_) {
      auto is_good = [&](const CheckedHead& head) {
        const auto there = good.find(head.head.seq);
        return there != good.end() && there->second.contains(head.hash);
      };
      const auto first = std::ranges::find_if(
          one.chain, [&](const CheckedHead& head) { return good.contains(head.head.seq) && !is_good(head); });
      if (first == one.chain.end()) continue;
      const std::uint64_t first_seq = first->head.seq;
      const CheckedHead newest = one.chain.back();
      while (!one.chain.empty() && one.chain.back().head.seq >= first_seq && !is_good(one.chain.back()) &&
             !facts_.cut.was_taken_before(one.chain.back())) {
        one.chain.pop_back();
      }
      if ((one.chain.empty() || one.chain.back().hash != newest.hash) && one.member != kNobody)
        note_late(one.member, newest);
    }
    std::erase_if(candidates_, [](const Candidate& one) { return one.chain.empty(); });
  }

  /// The newest of each history that is not, or not for certain, the believed one.
  void note_branches(const BelievedDevice& believed) {
    const std::size_t first = out_.branches.size();
    for (const Candidate& other : candidates_) {
      if (is_same_history(other.chain, believed.chain)) continue;
      auto same =
          std::find_if(out_.branches.begin() + static_cast<std::ptrdiff_t>(first), out_.branches.end(),
                       [&](const BelievedDevice& branch) { return is_same_history(branch.chain, other.chain); });
      if (same == out_.branches.end()) {
        same = out_.branches.insert(
            same, {.device = facts_.device, .revoked = believed.revoked, .chain = other.chain, .members = {}});
      } else if (same->newest().head.seq < other.chain.back().head.seq) {
        same->chain = other.chain;
      }
      same->contradicts = same->contradicts || conflict(other.chain, believed.chain);
      same->members = members_at(same->newest());
    }
  }

  std::vector<std::size_t> members_at(const CheckedHead& newest) const {
    std::vector<std::size_t> members;
    for (const Candidate& one : candidates_) {
      if (one.member != kNobody && one.chain.back().hash == newest.hash) members.push_back(one.member);
    }
    return members;
  }

  unsigned agreeing(const Candidate& candidate) const {
    auto same = [&](const Candidate& other) {
      return other.member != kNobody && other.chain.back().hash == candidate.chain.back().hash;
    };
    return static_cast<unsigned>(std::ranges::count_if(candidates_, same));
  }

  /// With all older heads that others have of the same history. What one has may show that another is of it too.
  std::vector<CheckedHead> whole(const Candidate& best) const {
    std::vector<CheckedHead> chain = best.chain;
    std::vector<const Candidate*> left;
    for (const Candidate& other : candidates_) left.push_back(&other);
    for (std::size_t before = 0; before != left.size();) {
      before = left.size();
      std::erase_if(left, [&](const Candidate* other) {
        if (!is_same_history(other->chain, chain)) return false;
        merge(chain, other->chain);
        return true;
      });
    }
    return chain;
  }

  /// What was signed and is not at hand. What came after a revocation's last good head is not missed.
  void note_hidden(const std::vector<ShownHeads>& shown) {
    HiddenHeads hidden{.device = facts_.device, .missed = facts_.cut.called_good(), .members = {}};
    if (facts_.seen != nullptr && !(facts_.cut.revoked() && facts_.seen->seq > facts_.cut.last_good_seq()))
      hidden.missed.push_back(*facts_.seen);
    std::erase_if(hidden.missed, [this](const wire::SeenHead& head) {
      return std::ranges::any_of(candidates_, [&](const Candidate& one) {
        return one.chain.back().head.seq >= head.seq && fits_seen(one.chain, &head);
      });
    });
    for (const ShownHeads& home : shown) {
      if (candidates_.empty() && shows_damage(home)) hidden.members.push_back(home.member);
    }
    if (!hidden.missed.empty() || !hidden.members.empty()) out_.hidden.push_back(std::move(hidden));
  }

  /// Every home is older than what this computer has seen.
  bool rolled_back() const {
    if (facts_.seen == nullptr) return false;
    if (facts_.cut.revoked() && facts_.seen->seq > facts_.cut.last_good_seq()) return false;
    return std::ranges::none_of(candidates_, [this](const Candidate& candidate) {
      return candidate.member != kNobody && candidate.chain.back().head.seq >= facts_.seen->seq;
    });
  }

  /// Said already.
  bool shows_damage(const ShownHeads& home) const {
    auto own = std::ranges::find(home.devices, facts_.device, &home::Home::DeviceHeads::device);
    return own != home.devices.end() && own->chain.empty();
  }

  void blame(const ShownHeads& home, const BelievedDevice& believed) {
    auto own = std::ranges::find(candidates_, home.member, &Candidate::member);
    std::uint64_t newest = believed.newest().head.seq;
    auto find = [&](TroubleKind kind, std::string detail) {
      out_.findings.push_back({.member = home.member, .kind = kind, .detail = std::move(detail)});
    };
    if (own == candidates_.end()) {
      if (home.record_versions.empty() || believed.revoked || shows_damage(home)) return;
      return find(TroubleKind::old_heads,
                  "has none of the heads up to " + number_of(facts_.device, newest) + " (it may have been away)");
    }
    std::uint64_t seq = own->chain.back().head.seq;
    if (conflict(own->chain, believed.chain)) {
      if (facts_.cut.is_named(own->chain.back())) return;  // both histories were taken in by a recovery
      return find(TroubleKind::forked_heads,
                  "shows another head " + number_of(facts_.device, std::min(seq, newest)) + " than the one believed");
    }
    if (rolled_back()) {
      return find(TroubleKind::old_heads, "shows an older state than this computer has seen");
    }
    // More than a revocation's last good head is given to no home.
    const bool has_all_it_may = facts_.cut.revoked() && seq >= facts_.cut.last_good_seq();
    if (seq < newest && !has_all_it_may) {
      find(TroubleKind::old_heads,
           "has head " + std::to_string(seq) + " of " + std::to_string(newest) + " (it may have been away)");
    }
  }

  const DeviceFacts facts_;
  HeadsView& out_;
  std::vector<Candidate> candidates_;
  LateHeads late_;
};

/// A home is given a device's vault record before the heads that name it; what is of who is shut out it need not have.
void blame_old_record(const ShownHeads& home, const CheckedHead& newest, HeadsView& out) {
  auto held = home.record_versions.find(newest.head.device);
  if (held != home.record_versions.end() && held->second >= newest.head.vault_record_version) return;
  out.findings.push_back({.member = home.member,
                          .kind = TroubleKind::wrong_record,
                          .detail = "shows an older vault record than its own heads name"});
}

template <class List>
auto find_device(const List& list, const DeviceId& device) -> decltype(&*list.begin()) {
  for (const auto& entry : list) {
    if (entry.device == device) return &entry;
  }
  return nullptr;
}

}  // namespace

bool is_same_history(const std::vector<CheckedHead>& a, const std::vector<CheckedHead>& b) {
  if (conflict(a, b)) return false;
  const bool a_is_older = a.back().head.seq <= b.back().head.seq;
  return a_is_older ? leads_to(a, b) : leads_to(b, a);
}

Result<std::vector<CheckedHead>> check_chain(const std::vector<Bytes>& chain, const VaultId& vault,
                                             const DeviceId& device, const std::vector<std::int64_t>& received_s) {
  std::vector<CheckedHead> out;
  bool is_covered = false;  // by the signature of the one after it, which has its hash
  for (std::size_t i = chain.size(); i-- > 0;) {
    MHP_TRY(wire::Signed envelope, wire::parse_signed(chain[i], wire::kMaxHeadBytes));
    MHP_TRY(wire::Head head, wire::parse_head(envelope.body));
    if (head.vault != vault || head.device != device || DeviceId::from_array(envelope.signer) != device) {
      return fail(Errc::denied, "a head of another device or vault");
    }
    HeadHash hash = HeadHash::from_array(primitives::blake3(chain[i]));
    const wire::Head* after = out.empty() ? nullptr : &out.back().head;
    is_covered = after != nullptr && after->seq == head.seq + 1;
    if ((after != nullptr && after->seq <= head.seq) || (is_covered && after->previous != hash)) {
      return fail(Errc::corrupt, "heads that do not follow each other");
    }
    if (!is_covered && !wire::verify(envelope, wire::kSignHead)) {
      return fail(Errc::denied, "a head with a bad signature");
    }
    out.push_back({.head = std::move(head), .signed_bytes = chain[i], .hash = hash});
    if (i < received_s.size()) out.back().received_s = received_s[i];
  }
  if (out.empty()) return fail(Errc::invalid, "a chain without heads");
  std::ranges::reverse(out);
  return out;
}

static void keep_as_of(std::vector<BelievedDevice>& devices, std::int64_t unix_s) {
  for (BelievedDevice& device : devices) {
    std::size_t before = device.chain.size();
    while (!device.chain.empty() && device.chain.back().received_s.value_or(INT64_MAX) > unix_s)
      device.chain.pop_back();
    if (device.chain.size() != before) device.members.clear();
  }
  std::erase_if(devices, [](const BelievedDevice& device) { return device.chain.empty(); });
}

void keep_as_of(HeadsView& view, std::int64_t unix_s) {
  keep_as_of(view.devices, unix_s);
  keep_as_of(view.branches, unix_s);
}

void settle_branches(HeadsView& view, const std::function<bool(const BelievedDevice&)>& is_same) {
  for (BelievedDevice& device : view.devices) {
    std::erase_if(view.branches, [&](const BelievedDevice& branch) {
      if (branch.device != device.device || branch.contradicts || !is_same(branch)) return false;
      merge(device.chain, branch.chain);
      return true;
    });
    device.forked = std::ranges::find(view.branches, device.device, &BelievedDevice::device) != view.branches.end();
  }
}

/// Heads of devices that no record at hand names: another home may have it.
static void note_unnamed(const wire::VaultRecord& record, const std::vector<ShownHeads>& shown, HeadsView& out) {
  const auto certified = devices_of(record);
  for (const ShownHeads& home : shown) {
    for (const home::Home::DeviceHeads& heads : home.devices) {
      if (std::ranges::find(certified, heads.device, &wire::DeviceCertificate::device) != certified.end()) continue;
      if (!heads.chain.empty() && !check_chain(heads.chain, record.vault, heads.device)) continue;
      out.findings.push_back(
          {.member = home.member,
           .kind = TroubleKind::wrong_record,
           .detail = "has heads of device " + heads.device.short_hex() + ", but not its vault record"});
      auto known = std::ranges::find(out.hidden, heads.device, &HiddenHeads::device);
      if (known == out.hidden.end())
        known = out.hidden.insert(known, {.device = heads.device, .is_unnamed = true, .missed = {}, .members = {}});
      known->members.push_back(home.member);
    }
  }
}

HeadsView judge_heads(const wire::VaultRecord& record, const std::vector<ShownHeads>& shown,
                      const home::Home::DeviceHeads& own, const wire::SeenHeads& seen, bool with_late) {
  HeadsView out;
  auto revocations = revocations_of(record);
  for (const auto& certificate : devices_of(record)) {
    const DeviceId& device = certificate.device;
    DeviceFacts facts;
    facts.device = device;
    facts.cut = Cut(revocations, device);
    if (with_late && !facts.cut.distrusted()) facts.cut = Cut();
    facts.seen = find_device(seen.heads, device);
    DeviceJudge judge(facts, out);
    for (const ShownHeads& home : shown) {
      const auto* heads = find_device(home.devices, device);
      if (heads == nullptr) continue;
      if (heads->chain.empty()) {
        out.findings.push_back({.member = home.member,
                                .kind = TroubleKind::damaged,
                                .detail = "its file with the heads of device " + device.short_hex() +
                                          " cannot be read: without it the home does not count"});
        continue;
      }
      auto checked = check_chain(heads->chain, record.vault, device, heads->received_s);
      if (checked) {
        if (!facts.cut.revoked()) blame_old_record(home, checked->back(), out);
        judge.take(home.member, std::move(*checked));
      } else {
        out.findings.push_back(
            {.member = home.member, .kind = TroubleKind::wrong_bytes, .detail = "gives " + checked.error().detail});
      }
    }
    if (own.device == device && !own.chain.empty()) {
      auto checked = check_chain(own.chain, record.vault, device);
      if (checked) judge.take(kNobody, std::move(*checked));
    }
    judge.judge(shown);
  }
  note_unnamed(record, shown, out);
  return out;
}

wire::SeenHead seen_of(const BelievedDevice& device, const CheckedHead& head) {
  return {.device = device.device, .seq = head.head.seq, .hash = head.hash};
}

std::vector<Bytes> heads_after(const std::vector<CheckedHead>& chain, std::uint64_t held_seq) {
  std::vector<Bytes> out;
  for (const CheckedHead& head : chain) {
    if (head.head.seq > held_seq) out.push_back(head.signed_bytes);
  }
  return out;
}

}  // namespace mhp::vault::impl
