// Joins the vault records of several devices: nobody's word is lost, and nobody can take another's back.
#include <algorithm>
#include <map>

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
};

/// A genuine record, and what it gives to who opens.
struct Seen {
  Bytes signed_bytes;
  RecordHash hash;
  wire::VaultRecord record;
  Result<wire::VaultKeys> keys = fail(Errc::denied, "not opened");
  bool is_own = false;
  bool is_shut_out = false;  // its author is
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

/// Of several the one of the highest epoch that opens.
Result<wire::VaultKeys> unwrap(const wire::VaultRecord& record, Role role, const Key& secret) {
  PublicKey own = primitives::x25519_public(secret);
  std::vector<const wire::KeyWrap*> wraps;
  for (const wire::KeyWrap& wrap : record.wraps) {
    if (wrap.recipient == own && wrap.for_recovery == (role == Role::recovery)) wraps.push_back(&wrap);
  }
  std::ranges::sort(wraps, std::greater(), &wire::KeyWrap::epoch);
  Result<wire::VaultKeys> keys = fail(Errc::denied, "the vault's keys are not wrapped for this key");
  for (const wire::KeyWrap* wrap : wraps) {
    keys = open_wrap(*wrap, impl::wrap_context(role, record.vault, wrap->epoch), secret);
    if (keys) break;
  }
  return keys;
}

std::vector<Seen> genuine(const std::vector<Bytes>& seen, const Opener& opener) {
  std::vector<Seen> out;
  for (const Bytes& bytes : seen) {
    auto record = check_record(bytes, opener.vault);
    if (!record) continue;
    Seen& one = out.emplace_back();
    one.signed_bytes = bytes;
    one.hash = RecordHash::from_array(primitives::blake3(bytes));
    one.record = std::move(*record);
    one.is_own = opener.device == one.record.device;
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

/// The newest of each device. In the order in which they are believed: the own one, then by when their authors were
/// enrolled, and last those whose authors are shut out.
void keep_newest(std::vector<Seen>& all, const wire::VaultRecord& joined) {
  std::ranges::sort(all, std::greater(),
                    [](const Seen& one) { return std::tuple(one.record.device, one.record.version, one.hash); });
  auto same_author = [](const Seen& a, const Seen& b) { return a.record.device == b.record.device; };
  all.erase(std::unique(all.begin(), all.end(), same_author), all.end());
  const auto revocations = revocations_of(joined);
  const auto devices = devices_of(joined);
  for (Seen& one : all) {
    one.is_shut_out = highest_of(revocations, one.record.device) != nullptr;
    auto certificate = std::ranges::find(devices, one.record.device, &wire::DeviceCertificate::device);
    one.enrolled_ns = certificate->created_ns;  // check_record() has found it in the record itself
  }
  std::ranges::sort(all, {}, [](const Seen& one) {
    return std::tuple(!one.is_own, one.is_shut_out, one.enrolled_ns, one.record.device);
  });
}

/// All that opened; where two give one epoch, the one that is believed first.
wire::VaultKeys joined_keys(const std::vector<Seen>& all) {
  wire::VaultKeys out;
  for (const Seen& one : all) {
    if (!one.keys) continue;
    if (out.epochs.empty()) out = *one.keys;
    for (const wire::EpochKey& key : one.keys->epochs) {
      const auto at = std::ranges::lower_bound(out.epochs, key.epoch, {}, &wire::EpochKey::epoch);
      if (at == out.epochs.end() || at->epoch != key.epoch) out.epochs.insert(at, key);
    }
  }
  return out;
}

/// The highest that an author who is not shut out writes with; who is shut out must not say with which key others do.
std::uint32_t epoch_to_write(const std::vector<Seen>& all, const wire::VaultKeys& keys) {
  std::uint32_t highest = 0;
  for (const Seen& one : all) {
    if (!one.keys || one.is_shut_out) continue;
    if (std::ranges::binary_search(keys.epochs, one.record.epoch, {}, &wire::EpochKey::epoch))
      highest = std::max(highest, one.record.epoch);
  }
  return highest == 0 ? keys.epochs.back().epoch : highest;
}

Result<wire::VaultPrivate> open_private(const wire::VaultRecord& record, const wire::VaultKeys& keys) {
  auto key = std::ranges::find(keys.epochs, record.epoch, &wire::EpochKey::epoch);
  if (key == keys.epochs.end()) return fail(Errc::corrupt, "vault record: of an epoch that does not open");
  auto plain = primitives::open_box(key->record_key, impl::private_context(record), record.sealed_private);
  if (!plain) return fail(Errc::corrupt, "vault record: its private part does not open");
  auto content = wire::parse_vault_private(*plain);
  wipe(*plain);
  return content;
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

/// Only where nobody else says anything the word of who is shut out counts: of all that a recovery finds, say.
wire::VaultPrivate joined_content(const std::vector<Seen>& all, const wire::VaultKeys& keys) {
  ContentJoin join;
  for (const bool shut_out : {false, true}) {
    for (const Seen& one : all) {
      if (one.is_shut_out != shut_out || (shut_out && join.any())) continue;
      auto content = open_private(one.record, keys);
      if (content) join.take(std::move(*content), one.record.device);
    }
  }
  return join.end();
}

/// What has to open, or nothing can be done: a device's own record, or any for the phrase.
Result<void> check_opened(const std::vector<Seen>& all, const Opener& opener) {
  if (opener.device && !all.front().keys) return tl::unexpected<Error>(all.front().keys.error());
  if (opener.device) return {};
  Error problem{Errc::denied, "the vault's keys are not wrapped for this phrase"};
  for (const Seen& one : all) {
    if (one.keys) return {};
    if (one.keys.error().code != Errc::denied) problem = one.keys.error();
  }
  return tl::unexpected<Error>(std::move(problem));
}

Result<OpenRecord> join(const std::vector<Bytes>& seen, const Opener& opener) {
  std::vector<Seen> all = genuine(seen, opener);
  if (all.empty()) return fail(Errc::denied, "vault record: none of this vault is genuine");
  OpenRecord out;
  out.record = joined_statements(all);
  if (opener.device && highest_of(revocations_of(out.record), *opener.device) != nullptr) {
    return fail(Errc::denied, Subject::vault,
                "this computer is shut out of the vault: its keys do not open it any more");
  }
  keep_newest(all, out.record);
  if (opener.device && !all.front().is_own) return fail(Errc::corrupt, "vault record: this computer's own is missing");
  out.record.recovery_x25519 = opener.recovery_key.value_or(all.front().record.recovery_x25519);
  std::erase_if(all, [&](const Seen& one) { return one.record.recovery_x25519 != out.record.recovery_x25519; });
  if (all.empty()) return fail(Errc::denied, "vault record: names another recovery key than the phrase gives");
  for (Seen& one : all) one.keys = unwrap(one.record, opener.role, opener.secret);
  MHP_TRY_VOID(check_opened(all, opener));
  out.keys = joined_keys(all);
  out.epoch = epoch_to_write(all, out.keys);
  out.content = joined_content(all, out.keys);
  if (opener.device) {
    Seen& own = all.front();
    MHP_TRY_VOID(open_private(own.record, out.keys));
    out.record.device = own.record.device;
    out.record.version = own.record.version;
    out.record.later = own.record.later;
    out.signed_bytes = own.signed_bytes;
    out.hash = own.hash;
  }
  for (Seen& one : all) {
    if (!one.is_shut_out)
      out.records.push_back({.device = one.record.device, .signed_record = std::move(one.signed_bytes)});
  }
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

Result<OpenRecord> join_records(const std::vector<Bytes>& seen, const Root& root) {
  const Opener opener{.vault = root.vault(),
                      .role = Role::recovery,
                      .secret = root.recovery_secret(),
                      .device = std::nullopt,
                      .recovery_key = root.recovery_public()};
  return join(seen, opener);
}

}  // namespace mhp::vault
