// Joins the vault records of several devices: nobody's word is lost, and nobody can take another's back.
#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <span>

#include "primitives/aead/box.h"
#include "primitives/hash/blake3.h"
#include "vault/impl/gone.h"
#include "vault/impl/record_contexts.h"
#include "vault/keys.h"

namespace mhp::vault {
namespace {

using impl::Role;
using primitives::Key;
using primitives::PublicKey;

/// Who opens, and with what.
struct Opener {
  VaultId vault;
  Role role;
  const Key& secret;
  std::optional<DeviceId> device;         // none: the phrase
  std::optional<PublicKey> recovery_key;  // none: the one in this device's own record
  std::set<RecordHash> late = {};         // came after the date that is asked for
};

/// What one record gives to who opens: of several wraps the one of the highest epoch; what others hold beside it may be
/// right where that is not.
struct Unwrapped {
  wire::VaultKeys keys;
  std::vector<wire::VaultKeys> more;
};

/// A genuine record, and what it gives to who opens.
struct Seen {
  Bytes signed_bytes;
  RecordHash hash;
  wire::VaultRecord record;
  Result<Unwrapped> opened = fail(Errc::denied, "not opened");
  bool is_own = false;
  bool is_late = false;
  bool is_shut_out = false;  // its author is
  bool is_far = false;       // its version is far above an older one
  bool is_whole = true;      // its private part opens with the keys that it gives, where it gives any
  std::int64_t enrolled_ns = 0;
};

Result<wire::VaultKeys> open_wrap(const wire::KeyWrap& wrap, ByteView context, const Key& secret) {
  auto plain = primitives::open_from(secret, context, wrap.sealed);
  if (!plain) return fail(Errc::corrupt, "vault record: the key wrap for this key does not open");
  auto keys = wire::parse_vault_keys(*plain);
  wipe(*plain);
  if (!keys) return pass(keys);
  if (keys->epochs.empty() || keys->epochs.back().epoch != wrap.epoch) {
    return fail(Errc::corrupt, "vault record: the key wrap names another epoch than it holds");
  }
  return keys;
}

Result<Unwrapped> unwrap(const wire::VaultRecord& record, Role role, const Key& secret) {
  PublicKey own = primitives::x25519_public(secret);
  std::vector<const wire::KeyWrap*> wraps;
  for (const wire::KeyWrap& wrap : record.wraps) {
    if (wrap.recipient == own && wrap.for_recovery == (role == Role::recovery)) wraps.push_back(&wrap);
  }
  std::ranges::sort(wraps, std::greater(), &wire::KeyWrap::epoch);
  Result<Unwrapped> out = fail(Errc::denied, "the vault's keys are not wrapped for this key");
  for (const wire::KeyWrap* wrap : wraps) {
    if (out && out->more.size() == kMaxCarriedKeys) break;
    auto keys = open_wrap(*wrap, impl::wrap_context(role, record.vault, wrap->epoch), secret);
    if (!keys && !out) out = pass(keys);
    if (!keys) continue;
    if (out)
      out->more.push_back(std::move(*keys));
    else
      out = Unwrapped{.keys = std::move(*keys), .more = {}};
  }
  return out;
}

std::vector<Seen> genuine(const std::vector<Bytes>& seen, const Opener& opener) {
  std::vector<Seen> out;
  for (const Bytes& bytes : seen) {
    if (std::ranges::find(out, bytes, &Seen::signed_bytes) != out.end()) continue;  // several homes have it
    auto record = check_record(bytes, opener.vault);
    if (!record) continue;
    Seen& one = out.emplace_back();
    one.signed_bytes = bytes;
    one.hash = RecordHash::from_array(primitives::blake3(bytes));
    one.record = std::move(*record);
    one.is_own = opener.device == one.record.device;
    one.is_late = opener.late.contains(one.hash);
  }
  return out;
}

void add_missing(std::vector<Bytes>& statements, const std::vector<Bytes>& more) {
  for (const Bytes& one : more) {
    if (std::ranges::find(statements, one) == statements.end()) statements.push_back(one);
  }
}

/// Certificates and revocations are the identity's word wherever they stand.
wire::VaultRecord joined_statements(const std::vector<Seen>& all) {
  wire::VaultRecord out;
  out.vault = all.front().record.vault;
  out.identity = all.front().record.identity;
  for (const Seen& one : all) {
    add_missing(out.devices, one.record.devices);
    add_missing(out.revocations, one.record.revocations);
  }
  return out;
}

/// In the order in which they are believed: the own ones, then by when their authors were enrolled, and last those
/// whose authors are shut out. Those of one author are together, the oldest first.
void sort_by_trust(std::vector<Seen>& all, const wire::VaultRecord& joined) {
  const auto revocations = revocations_of(joined);
  const auto devices = devices_of(joined);
  for (Seen& one : all) {
    one.is_shut_out = highest_of(revocations, one.record.device) != nullptr;
    auto certificate = std::ranges::find(devices, one.record.device, &wire::DeviceCertificate::device);
    one.enrolled_ns = certificate->created_ns;  // check_record() has found it in the record itself
  }
  std::ranges::sort(all, {}, [](const Seen& one) {
    return std::tuple(!one.is_own, one.is_shut_out, one.enrolled_ns, one.record.device, one.record.version, one.hash);
  });
}

/// Those of each author, in the same order.
std::vector<std::span<Seen>> by_author(std::vector<Seen>& all) {
  std::vector<std::span<Seen>> out;
  for (auto first = all.begin(); first != all.end();) {
    auto end =
        std::find_if(first, all.end(), [&](const Seen& one) { return one.record.device != first->record.device; });
    out.emplace_back(first, end);
    first = end;
  }
  return out;
}

/// Versions far above an older one of the same author nobody has come to honestly: the lower one counts.
void mark_far(std::vector<Seen>& all) {
  for (const std::span<Seen> of_author : by_author(all)) {
    std::uint64_t highest = of_author.front().record.version;
    for (Seen& one : of_author) {
      one.is_far = one.record.version != highest && !wire::takes_place_of(one.record.version, highest);
      if (!one.is_far) highest = one.record.version;
    }
  }
}

/// What records say about one thing, and who says it.
template <class T>
class Claims {
 public:
  /// What is only carried along is nobody's word. `turn`: rises from call to call.
  void take(const T& value, const Seen& by, bool is_carried, std::size_t turn) {
    auto known = std::ranges::find(claims_, value, &Claim::value);
    if (known == claims_.end()) known = claims_.insert(known, {.value = value, .before = SIZE_MAX - turn});
    if (is_carried) return;
    if (by.is_own) known->own_version = std::max(known->own_version, by.record.version);
    if (!by.is_shut_out) known->standing.insert(by.record.device);
    known->all.insert(by.record.device);
  }

  /// The likeliest first: the own device's newest word, then what more devices say, then who is believed first. One
  /// stolen device has one voice, however many records it writes.
  std::vector<T> likeliest_first() {
    std::ranges::sort(claims_, std::greater(), [](const Claim& claim) {
      return std::tuple(claim.own_version, claim.standing.size(), claim.all.size(), claim.before);
    });
    std::vector<T> out;
    for (const Claim& claim : claims_) out.push_back(claim.value);
    return out;
  }

  /// How likely the likeliest is beside those of other things, where `said` is how much each device says: who says
  /// little is believed first, and of two alike what was said first.
  auto weight(const std::map<DeviceId, std::size_t>& said) const {
    const Claim& claim = claims_.front();
    std::size_t least = SIZE_MAX;
    for (const DeviceId& device : claim.all) least = std::min(least, said.at(device));
    return std::tuple(claim.own_version > 0, SIZE_MAX - least, claim.standing.size(), claim.all.size(), claim.before);
  }
  const std::set<DeviceId>& who_says_the_likeliest() const { return claims_.front().all; }

 private:
  struct Claim {
    T value;
    std::uint64_t own_version = 0;
    std::set<DeviceId> standing = {};
    std::set<DeviceId> all = {};
    std::size_t before = 0;  // of two alike the one that was taken first
  };
  std::vector<Claim> claims_;
};

using EpochClaims = std::map<std::uint32_t, Claims<wire::EpochKey>>;

/// Nobody recovers as often as a record has room for epochs, but a device in wrong hands can claim them. Then the
/// unlikeliest wait among the others, where they still open what they open; not the one of the highest number, by which
/// wraps are told apart.
void leave_what_fits(const EpochClaims& claims, OpenRecord& out) {
  std::vector<wire::EpochKey>& epochs = out.keys.epochs;
  if (epochs.size() <= wire::kMaxEpochs) return;
  std::map<DeviceId, std::size_t> said;
  for (const auto& [number, of_epoch] : claims)
    for (const DeviceId& device : of_epoch.who_says_the_likeliest()) said[device] += 1;
  const auto weight = [&](const wire::EpochKey& key) { return claims.at(key.epoch).weight(said); };
  std::ranges::sort(epochs.begin(), epochs.end() - 1, std::greater(), weight);
  const auto unlikely = epochs.begin() + (wire::kMaxEpochs - 1);
  out.others.epochs.insert(out.others.epochs.begin(), unlikely, epochs.end() - 1);
  epochs.erase(unlikely, epochs.end() - 1);
  std::ranges::sort(epochs, {}, &wire::EpochKey::epoch);
}

/// All that opened. No key that any record gives is dropped: which of several is right only what was sealed can show.
void join_keys(const std::vector<Seen>& all, OpenRecord& out) {
  EpochClaims epochs;
  Claims<Secrets> secrets;
  std::size_t turn = 0;
  auto take = [&](const wire::VaultKeys& keys, const Seen& by, bool is_carried) {
    secrets.take({.dedup = keys.dedup_secret, .chunker = keys.chunker_secret}, by, is_carried, turn);
    for (const wire::EpochKey& key : keys.epochs) epochs[key.epoch].take(key, by, is_carried, ++turn);
  };
  for (const Seen& one : all) {
    if (one.opened) take(one.opened->keys, one, one.is_far);
  }
  for (const Seen& one : all) {
    if (!one.opened) continue;
    for (const wire::VaultKeys& more : one.opened->more) take(more, one, true);
  }
  for (auto& [number, claims] : epochs) {
    const auto keys = claims.likeliest_first();
    out.keys.epochs.push_back(keys.front());
    out.others.epochs.insert(out.others.epochs.end(), keys.begin() + 1, keys.end());
  }
  leave_what_fits(epochs, out);
  const auto sorted = secrets.likeliest_first();
  out.keys.dedup_secret = sorted.front().dedup;
  out.keys.chunker_secret = sorted.front().chunker;
  out.others.secrets.assign(sorted.begin() + 1, sorted.end());
}

/// True where it gives nothing else than what is believed.
bool agrees(const wire::VaultKeys& said, const wire::VaultKeys& believed) {
  return said.dedup_secret == believed.dedup_secret && said.chunker_secret == believed.chunker_secret &&
         std::ranges::includes(believed.epochs, said.epochs, [](const auto& a, const auto& b) {
           return std::tie(a.epoch, a.data_key, a.record_key) < std::tie(b.epoch, b.data_key, b.record_key);
         });
}

/// True where nothing that `older` may give to a recovery is lost by `newer` in its place. `own`: keys that a record of
/// the opener's own holds; none: the opener has the phrase.
bool replaces(const Seen& newer, const Seen& older, const wire::VaultKeys* own) {
  if (!newer.opened) return false;
  if (older.opened) {
    return std::ranges::includes(newer.opened->keys.epochs, older.opened->keys.epochs, {}, &wire::EpochKey::epoch,
                                 &wire::EpochKey::epoch);
  }
  if (own == nullptr) return true;  // it gives the phrase nothing
  auto is_known = [&](std::uint32_t epoch) {
    return std::ranges::binary_search(own->epochs, epoch, {}, &wire::EpochKey::epoch);
  };
  return is_known(older.record.epoch) &&
         std::ranges::all_of(older.record.wraps, [&](const wire::KeyWrap& wrap) { return is_known(wrap.epoch); });
}

/// The record of another device that is kept here and given to homes: the newest that takes no key from who recovers.
/// Whoever has stolen that device can sign newer ones; where they do not open, or say something else, they are refused.
/// Null where all are.
const Seen* choose_kept(std::span<const Seen> of_author, const wire::VaultKeys& believed, const wire::VaultKeys* own,
                        std::vector<RecordHash>& refused) {
  const Seen* kept = nullptr;
  for (const Seen& one : of_author) {
    const bool is_false = one.is_far || (one.opened && !(one.is_whole && agrees(one.opened->keys, believed)));
    if (!is_false && (kept == nullptr || replaces(one, *kept, own))) {
      kept = &one;
    } else if (is_false || kept->opened) {
      refused.push_back(one.hash);
    }
  }
  return kept;
}

/// The highest that any of these authors, none of whom is shut out, writes with.
std::uint32_t epoch_to_write(const std::vector<const Seen*>& kept, const wire::VaultKeys& keys) {
  std::uint32_t highest = 0;
  for (const Seen* one : kept) {
    if (!one->opened) continue;
    if (std::ranges::binary_search(keys.epochs, one->record.epoch, {}, &wire::EpochKey::epoch))
      highest = std::max(highest, one->record.epoch);
  }
  return highest == 0 ? keys.epochs.back().epoch : highest;
}

Result<wire::VaultPrivate> open_private(const wire::VaultRecord& record, const OpenRecord& keys) {
  const auto of_epoch = keys_of_epoch(keys, record.epoch);
  if (of_epoch.empty()) return fail(Errc::corrupt, "vault record: of an epoch that does not open");
  for (const wire::EpochKey* key : of_epoch) {
    auto plain = primitives::open_box(key->record_key, impl::private_context(record), record.sealed_private);
    if (!plain) continue;
    auto content = wire::parse_vault_private(*plain);
    wipe(*plain);
    return content;
  }
  return fail(Errc::corrupt, "vault record: its private part does not open");
}

using Time = std::pair<std::int64_t, DeviceId>;  // of a change: of two at one time the higher device's counts

/// Of each thing the newest word: what it is now, or that it is gone.
template <class Id, class Value>
class Newest {
 public:
  struct Word {
    Time time;
    std::optional<Value> value;  // none: it is gone
  };
  void take(const Id& id, Word word) {
    auto known = words_.find(id);
    if (known == words_.end()) {
      order_.push_back(id);
      words_.emplace(id, std::move(word));
    } else if (word.time > known->second.time) {
      known->second = std::move(word);
    }
  }
  /// In the order in which they were met.
  template <class There, class Gone>
  void end(There there, Gone gone) {
    for (const Id& id : order_) {
      Word& word = words_.at(id);
      if (word.value) {
        there(std::move(*word.value));
      } else {
        gone(id, word.time.first);
      }
    }
  }

 private:
  std::map<Id, Word> words_;
  std::vector<Id> order_;
};

const HomeId& id_of(const wire::HomeEntry& home) { return home.id; }
const HomeId& id_of(const wire::RemovedHome& home) { return home.id; }
const CloudId& id_of(const wire::Membership& cloud) { return cloud.cloud; }
const CloudId& id_of(const wire::LeftCloud& cloud) { return cloud.cloud; }

/// Of each home and cloud, of the name and of the level the newest change counts.
class ContentJoin {
 public:
  void take(wire::VaultPrivate from, const DeviceId& author) {
    if (!any_) content_.later = std::move(from.later);
    if (!any_ || Time(from.name_changed_ns, author) > name_) {
      content_.name = std::move(from.name);
      content_.name_changed_ns = from.name_changed_ns;
      name_ = Time(from.name_changed_ns, author);
    }
    if (!any_ || Time(from.level_changed_ns, author) > level_) {
      content_.level = from.level;
      content_.level_changed_ns = from.level_changed_ns;
      level_ = Time(from.level_changed_ns, author);
    }
    any_ = true;
    for (wire::HomeEntry& home : from.homes) {
      const HomeId id = home.id;
      const Time time(home.changed_ns, author);
      homes_.take(id, {.time = time, .value = std::move(home)});
    }
    for (const wire::RemovedHome& gone : from.removed)
      homes_.take(gone.id, {.time = Time(gone.changed_ns, author), .value = std::nullopt});
    for (wire::Membership& cloud : from.clouds) {
      const CloudId id = cloud.cloud;
      const Time time(cloud.changed_ns, author);
      clouds_.take(id, {.time = time, .value = std::move(cloud)});
    }
    for (const wire::LeftCloud& gone : from.left_clouds)
      clouds_.take(gone.cloud, {.time = Time(gone.changed_ns, author), .value = std::nullopt});
  }

  bool any() const { return any_; }

  wire::VaultPrivate end() {
    homes_.end(
        [this](wire::HomeEntry home) {
          if (content_.homes.size() < wire::kMaxHomes) content_.homes.push_back(std::move(home));
        },
        [this](const HomeId& id, std::int64_t time_ns) {
          content_.removed.push_back({.id = id, .changed_ns = time_ns});
        });
    clouds_.end(
        [this](wire::Membership cloud) {
          if (content_.clouds.size() < wire::kMaxClouds) content_.clouds.push_back(std::move(cloud));
        },
        [this](const CloudId& cloud, std::int64_t time_ns) {
          content_.left_clouds.push_back({.cloud = cloud, .changed_ns = time_ns});
        });
    impl::fit_what_is_gone(content_);
    return std::move(content_);
  }

 private:
  wire::VaultPrivate content_;
  bool any_ = false;
  Time name_, level_;
  Newest<HomeId, wire::HomeEntry> homes_;
  Newest<CloudId, wire::Membership> clouds_;
};

/// Of all records these authors wrote, older ones too: one device may have written two of one version, its state was
/// put back from a copy then, and each has what the other lacks.
std::optional<wire::VaultPrivate> join_content(std::vector<Seen>& all, const OpenRecord& keys,
                                               const std::function<bool(const Seen&)>& counts) {
  ContentJoin join;
  for (const std::span<Seen> of_author : by_author(all)) {
    for (auto one = of_author.rbegin(); one != of_author.rend(); ++one) {
      if (one->is_far || !counts(*one)) continue;
      auto content = open_private(one->record, keys);
      if (content) join.take(std::move(*content), one->record.device);
    }
  }
  if (!join.any()) return std::nullopt;
  return join.end();
}

/// Adds of `later` what neither `there` nor `gone` knows.
template <class There, class Gone>
void add_unknown(std::vector<There>& there, const std::vector<Gone>& gone, std::vector<There> later,
                 std::size_t limit) {
  for (There& one : later) {
    const bool is_known = std::ranges::any_of(there, [&](const There& known) { return id_of(known) == id_of(one); }) ||
                          std::ranges::any_of(gone, [&](const Gone& known) { return id_of(known) == id_of(one); });
    if (!is_known && there.size() < limit) there.push_back(std::move(one));
  }
}

/// Since when a device is shut out, as far as it is believed (docs/formats/head.md).
std::int64_t shut_out_since(const std::vector<wire::Revocation>& revocations, const DeviceId& device) {
  std::optional<std::int64_t> latest, distrusted;
  for (const wire::Revocation& one : revocations) {
    if (one.device != device) continue;
    latest = std::max(latest.value_or(one.time_ns), one.time_ns);
    if (one.distrusted) distrusted = std::min(distrusted.value_or(one.time_ns), one.time_ns);
  }
  return distrusted.value_or(latest.value_or(INT64_MAX));
}

/// As it was by a date: whoever was shut out later had a say. What only records of later know stays known: a cloud that
/// was joined since, a home.
void join_contents_by_date(std::vector<Seen>& all, OpenRecord& out) {
  auto by_then = join_content(all, out, [](const Seen& one) { return !one.is_late; });
  auto later = join_content(all, out, [](const Seen& one) { return one.is_late && !one.is_shut_out; });
  if (by_then && later) {
    add_unknown(by_then->homes, by_then->removed, std::move(later->homes), wire::kMaxHomes);
    add_unknown(by_then->clouds, by_then->left_clouds, std::move(later->clouds), wire::kMaxClouds);
  }
  out.content = std::move(by_then ? by_then : later).value_or(wire::VaultPrivate{});
}

/// Only where nobody else says anything the word of who is shut out counts. Homes that only they name are no homes of
/// the vault, but what the lost computer saved may be there: they are worth asking.
void join_contents(std::vector<Seen>& all, OpenRecord& out) {
  if (std::ranges::any_of(all, &Seen::is_late)) return join_contents_by_date(all, out);
  const auto revocations = revocations_of(out.record);
  auto standing = join_content(all, out, [](const Seen& one) { return !one.is_shut_out; });
  auto former = join_content(all, out, [&](const Seen& one) {
    return one.is_shut_out && (!standing || one.record.time_ns <= shut_out_since(revocations, one.record.device));
  });
  if (!standing) {
    out.content = std::move(former).value_or(wire::VaultPrivate{});
    return;
  }
  out.content = std::move(*standing);
  for (wire::HomeEntry& home : former ? former->homes : std::vector<wire::HomeEntry>()) {
    const auto gone = std::ranges::find(out.content.removed, home.id, &wire::RemovedHome::id);
    const bool is_listed =
        std::ranges::find(out.content.homes, home.id, &wire::HomeEntry::id) != out.content.homes.end();
    const bool is_removed = gone != out.content.removed.end() && gone->changed_ns >= home.changed_ns;
    if (!is_listed && !is_removed) out.former_homes.push_back(std::move(home));
  }
}

/// What has to open, or nothing can be done: one of a device's own, or any for the phrase.
Result<void> check_opened(const std::vector<Seen>& all, const Opener& opener) {
  Error problem{Errc::denied, "the vault's keys are not wrapped for this phrase"};
  for (const Seen& one : all) {
    if (opener.device && !one.is_own) continue;
    if (one.opened) return {};
    if (opener.device || one.opened.error().code != Errc::denied) problem = one.opened.error();
  }
  return tl::unexpected<Error>(std::move(problem));
}

/// Who has copied the state folder can sign a record with other keys for the phrase alone, which does not open here.
bool is_wrapped_as_own(const Seen& own, const Key& secret) {
  std::vector<wire::KeyWrap> expected;
  std::vector<wire::VaultKeys> sets = own.opened->more;
  sets.push_back(own.opened->keys);
  for (const wire::VaultKeys& keys : sets) {
    auto wrap = impl::wrap_keys(keys, own.record.vault, Role::recovery, own.record.recovery_x25519, secret);
    if (wrap) expected.push_back(std::move(*wrap));
  }
  auto is_for_recovery = [](const wire::KeyWrap& wrap) { return wrap.for_recovery; };
  return std::ranges::count_if(own.record.wraps, is_for_recovery) == std::ssize(expected) &&
         std::ranges::all_of(expected, [&](const wire::KeyWrap& wrap) {
           return std::ranges::find(own.record.wraps, wrap) != own.record.wraps.end();
         });
}

/// Of the own records the newest that opens, keys and private part. One that does not, or of a version that this
/// computer never comes to, is by who has copied its state folder: it stops nobody. Errors: corrupt.
Result<void> take_own(std::span<const Seen> own, const Key& secret, OpenRecord& out) {
  const Seen* newest = nullptr;
  for (const Seen& one : own) {
    if (!one.is_far && one.opened && one.is_whole) newest = &one;
  }
  if (newest == nullptr) return fail(Errc::corrupt, "vault record: its private part does not open");
  for (const Seen& one : own) {
    if (one.record.version > newest->record.version) out.refused.push_back(one.hash);
  }
  const std::uint64_t highest = out.record.version;
  const auto is_newest = [&](const Seen& one) { return one.record.version == highest; };
  // What its own record does not give, a recovery might find in no other: they are others' to overwrite.
  out.is_due = newest->record.version != highest || std::ranges::count_if(own, is_newest) > 1 ||
               !agrees(out.keys, newest->opened->keys) || !is_wrapped_as_own(*newest, secret);
  out.record.device = newest->record.device;
  out.record.later = newest->record.later;
  out.signed_bytes = newest->signed_bytes;
  out.hash = newest->hash;
  out.carried = newest->opened->more;
  return {};
}

/// With all but `records` and what is of the own device.
Result<OpenRecord> join_all(std::vector<Seen>& all, const Opener& opener) {
  OpenRecord out;
  out.record = joined_statements(all);
  if (opener.device && highest_of(revocations_of(out.record), *opener.device) != nullptr) {
    return fail(Errc::denied, Subject::vault,
                "this computer is shut out of the vault: its keys do not open it any more");
  }
  sort_by_trust(all, out.record);
  if (opener.device && !all.front().is_own) return fail(Errc::corrupt, "vault record: this computer's own is missing");
  out.record.recovery_x25519 = opener.recovery_key.value_or(all.front().record.recovery_x25519);
  mark_far(all);
  for (const Seen& one : all) {  // what is false of them too, so that the next one comes after it
    if (one.is_own && !one.is_far) out.record.version = one.record.version;
  }
  auto is_for_another = [&](const Seen& one) { return one.record.recovery_x25519 != out.record.recovery_x25519; };
  for (const Seen& one : all) {
    if (is_for_another(one)) out.refused.push_back(one.hash);
  }
  std::erase_if(all, is_for_another);
  if (all.empty()) return fail(Errc::denied, "vault record: names another recovery key than the phrase gives");
  for (Seen& one : all) one.opened = unwrap(one.record, opener.role, opener.secret);
  MHP_TRY_VOID(check_opened(all, opener));
  join_keys(all, out);
  for (Seen& one : all) one.is_whole = !one.opened || open_private(one.record, out).has_value();
  return out;
}

Result<OpenRecord> join(const std::vector<Bytes>& seen, const Opener& opener) {
  std::vector<Seen> all = genuine(seen, opener);
  if (all.empty()) return fail(Errc::denied, "vault record: none of this vault is genuine");
  MHP_TRY(OpenRecord out, join_all(all, opener));
  join_contents(all, out);
  std::vector<const Seen*> kept;
  const wire::VaultKeys* own = nullptr;
  for (const std::span<Seen> of_author : by_author(all)) {
    if (of_author.front().is_shut_out) continue;
    if (of_author.front().is_own) {
      MHP_TRY_VOID(take_own(of_author, opener.secret, out));
      kept.push_back(&*std::ranges::find(of_author, out.hash, &Seen::hash));
      own = &kept.back()->opened->keys;
    } else {
      const Seen* one = choose_kept(of_author, out.keys, own, out.refused);
      if (one != nullptr) kept.push_back(one);
    }
  }
  out.epoch = epoch_to_write(kept, out.keys);
  for (const Seen* one : kept)
    out.records.push_back({.device = one->record.device, .signed_record = one->signed_bytes});
  std::ranges::sort(out.records, {}, &home::Home::DeviceRecord::device);
  return out;
}

}  // namespace

Result<OpenRecord> join_records(const std::vector<Bytes>& seen, const Device& device) {
  const Opener opener{.vault = device.secret.vault,
                      .role = Role::device,
                      .secret = device.secret.x25519_secret,
                      .device = device.id,
                      .recovery_key = std::nullopt};
  return join(seen, opener);
}

Result<OpenRecord> join_records(const std::vector<Bytes>& seen, const Root& root, const std::set<RecordHash>& late) {
  const Opener opener{.vault = root.vault(),
                      .role = Role::recovery,
                      .secret = root.recovery_secret(),
                      .device = std::nullopt,
                      .recovery_key = root.recovery_public(),
                      .late = late};
  return join(seen, opener);
}

}  // namespace mhp::vault
