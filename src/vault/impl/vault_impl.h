// The vault as its parts see it: what was read from the homes, the index in memory, and the devices' heads.
#pragma once

#include <list>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "vault/impl/home_calls.h"
#include "vault/impl/index.h"
#include "vault/impl/index_loader.h"
#include "vault/impl/objects.h"
#include "vault/impl/reader.h"
#include "vault/vault.h"

namespace mhp::vault::impl {

/// The top that a device's newest believed head names.
struct KnownTop {
  DeviceId device;
  wire::PhysicalRef ref;
};

/// The last few bundles read, as plain bytes.
class BundleCache {
 public:
  using Name = std::pair<std::uint32_t, std::uint32_t>;  // segment, bundle
  std::shared_ptr<const Bytes> find(const Name& name);
  void keep(const Name& name, std::shared_ptr<const Bytes> bytes);

 private:
  static constexpr std::size_t kMaxBytes = 16_MiB;
  std::list<std::pair<Name, std::shared_ptr<const Bytes>>> entries_;  // newest first; few
  std::size_t bytes_ = 0;
};

/// What a head's sealed root is bound to.
Bytes root_context(const wire::Head& head);

class VaultImpl : public Vault {
 public:
  VaultImpl(platform::Platform& platform, dispersal::HomeSet& homes, State& state, const Device& device,
            const OpenRecord& record, OpenHow how = {});

  dispersal::HomeSet& homes() override { return homes_; }
  const wire::VaultKeys& keys() const override { return record_.keys; }
  dispersal::Level level() const override { return static_cast<dispersal::Level>(record_.content.level); }
  const std::vector<wire::SnapshotRecord>& snapshots() const override { return snapshots_; }
  NewestHead newest_head() const override;
  std::vector<wire::SeenHead> believed_heads() const override;
  const std::vector<UnreadHead>& unread_heads() const override { return unread_; }
  bool has(const ChunkId& chunk) const override { return index_.can_refer_to(chunk); }
  Result<ChunkPlace> place_of(const ChunkId& chunk) const override;
  Task<Result<std::shared_ptr<const OpenSegment>>> fetch(std::uint32_t segment,
                                                         std::vector<std::uint32_t> bundles) override;
  Task<Result<Bytes>> read(ChunkId chunk) override;
  Task<Result<std::unique_ptr<Writer>>> begin_write(const WriteOptions& options) override;
  Task<Result<CheckReport>> check(unsigned read_percent, Progress progress) override;
  Task<Result<CheckReport>> standing() override;
  Task<Result<RepairReport>> repair(bool read_all, std::vector<std::size_t> without, bool dry_run,
                                    Progress progress) override;

  /// Reads everything from the homes anew.
  Task<Result<void>> load();
  /// Under the lock: reads anew where another process of this device wrote meanwhile, then gives homes what they lack.
  Task<Result<void>> refresh_for_write();
  /// Where there is reason to, finds out which segments cannot be brought back now, so that their chunks are stored
  /// again.
  Task<Result<void>> find_gone_segments();
  /// Takes up the index that the parts at hand make, from the cache as far as it is there. Segment numbers change.
  Task<Result<void>> load_index();

  /// Heads, in memory and in the state folder, after this device signed a new one. Durable when it returns.
  Result<void> take_own_head(CheckedHead head);
  /// This device's chain, empty where it has none.
  std::vector<CheckedHead> own_chain() const;
  /// Gives every home that answered the record and heads it lacks. Members that have all now.
  Task<std::vector<std::size_t>> bring_homes_up_to_date();
  /// Members that have the newest vault record and all heads: each of them is enough to begin a recovery with.
  std::vector<std::size_t> complete_members() const;
  /// How many homes may be lost, in the worst case, with one of `members` left; -1 where there is none.
  int margin_of_members(const std::vector<std::size_t>& members) const;
  /// Raises what was seen to what is believed; a full disk does not matter here.
  void remember_seen();
  void set_top(const DeviceId& device, const wire::PhysicalRef& ref);
  void add_snapshot(const wire::SnapshotRecord& snapshot);
  /// Segments that homes must keep: those of the index, and those that hold the index; in rising order. Where the cache
  /// turns out to be damaged, the index is loaded anew. Errors: as load_index().
  Task<Result<std::vector<SegmentId>>> live_segments();
  /// All objects that the believed heads reach.
  std::vector<wire::PhysicalRef> index_objects() const;

  platform::Platform& platform_;
  dispersal::HomeSet& homes_;
  State& state_;
  const Device device_;
  OpenRecord record_;
  const OpenHow how_;
  SegmentReader reader_;
  Objects objects_;

  std::vector<HomeView> views_;
  HeadsView heads_;
  std::vector<UnreadHead> unread_;
  Index index_;
  std::vector<wire::SnapshotRecord> snapshots_;
  std::vector<KnownTop> tops_;
  std::vector<KnownPart> parts_;
  std::vector<KnownPart> snapshot_parts_;
  /// Live segments that cannot be brought back now, as far as anybody looked.
  std::unordered_set<SegmentId, IdHash> gone_;
  /// Durable on homes and in index_, but in no index part yet: segments of an interrupted session.
  std::vector<wire::IndexedSegment> unlisted_;
  std::optional<int> unlisted_margin_;  // worst case over them

 private:
  /// Whose head is followed.
  struct Followed {
    const BelievedDevice* device = nullptr;
    const CheckedHead* head = nullptr;
  };

  Result<void> take_newest_record();
  void forget_index();
  Result<wire::RootRef> open_root(const CheckedHead& head) const;
  Task<Result<void>> load_state();
  Task<Result<void>> follow(std::vector<Followed> heads);
  Task<Result<void>> load_snapshots();
  Result<std::vector<SegmentId>> list_live_segments() const;
  /// True where another device's top lists all that this one's did: that device was enrolled when this one was revoked,
  /// by one recovery with one time, and so has read all of it before its own first head. `without`: devices that show
  /// nothing.
  bool is_covered(const BelievedDevice& device, const std::vector<DeviceId>& without = {}) const;
  Task<Result<wire::IndexTop>> load_top(wire::RootRef root);
  /// Whether all that a head reaches is there.
  Task<Result<void>> try_head(const CheckedHead& head);
  Task<Result<std::vector<Followed>>> choose_readable(Error problem);
  void report_findings();

  BundleCache bundles_;
};

}  // namespace mhp::vault::impl
