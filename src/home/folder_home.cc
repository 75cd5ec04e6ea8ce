// A folder as a home: made, opened, and its tasks, each a blocking job in a lane.
#include "home/folder_home.h"

#include <algorithm>

#include "home/impl/folder_store.h"
#include "platform/patience.h"

namespace mhp::home {
namespace {

using impl::FolderStore;

/// What may already be in a folder that becomes a home: leavings of a creation that was cut off, and what file systems
/// put there.
bool may_stand_in_new_home(const std::string& name) {
  static constexpr std::string_view kNames[] = {"logs", "vaults", "lock", "mhp-home.new", "lost+found"};
  return std::ranges::find(kNames, name) != std::end(kNames);
}

Result<void> check_empty(platform::Disk& disk, const std::string& path) {
  MHP_TRY(const auto names, disk.list(path));
  for (const std::string& name : names) {
    if (!may_stand_in_new_home(name)) return fail(Errc::usage, path + ": not empty and not a home (" + name + ")");
  }
  for (const char* inside : {"/logs", "/vaults"}) {
    const auto held = disk.list(path + inside);
    if (held && !held->empty()) return fail(Errc::usage, path + ": holds data of a home whose identity file is lost");
  }
  return {};
}

/// Tasks over a FolderStore. Writing and reading have a lane each, so that a read does not queue behind big writes.
/// Lanes may be left behind with a job that hangs: what jobs use they share.
class FolderHome : public SharedHome {
 public:
  FolderHome(platform::Platform& platform, const HomeId& id, std::shared_ptr<FolderStore> store)
      : id_(id),
        clock_(platform.clock()),
        store_(std::move(store)),
        writes_(platform.make_lane()),
        reads_(platform.make_lane()) {}

  ~FolderHome() override {
    writes_->post([store = store_] { store->close(); });
    writes_.reset();  // waits for it, but not for ever
    reads_.reset();
    store_->close_if_idle();  // where the lane is the loop, that job has not run yet
  }

  const HomeId& id() const override { return id_; }

  Task<Result<void>> begin_writing(std::string who) override {
    auto job = [store = store_, who = std::move(who)] { return store->begin_writing(who); };
    co_return co_await writes_->run_detachable(std::move(job));
  }

  Task<Result<void>> put(MutableBytes record, std::shared_ptr<void> owner) override {
    if (!owner) {
      auto borrowing = [store = store_, record] { return store->put(record); };
      co_return co_await writes_->run(std::move(borrowing));
    }
    auto job = [store = store_, record, owner = std::move(owner)] { return store->put(record); };
    co_return co_await writes_->run_detachable(std::move(job));
  }

  Task<Result<void>> commit() override {
    auto job = [store = store_] { return store->commit(); };
    co_return co_await writes_->run_detachable(std::move(job));
  }

  Task<Result<Holding>> find(SegmentId segment) override {
    auto job = [store = store_, segment] { return store->log().find(segment); };
    co_return co_await reads_->run_detachable(std::move(job));
  }

  Task<Result<std::vector<std::uint8_t>>> rows_at_risk(SegmentId segment) override {
    auto job = [store = store_, segment] { return store->log().rows_at_risk(segment); };
    co_return co_await reads_->run_detachable(std::move(job));
  }

  Task<Result<std::pair<SegmentId, std::uint8_t>>> find_fragment(FragmentId fragment) override {
    auto job = [store = store_, fragment] { return store->log().find_fragment(fragment); };
    co_return co_await reads_->run_detachable(std::move(job));
  }

  Task<Result<HeldPage>> list(VaultId vault, SegmentId after, std::size_t limit) override {
    auto job = [store = store_, vault, after, limit] { return store->list(vault, after, limit); };
    co_return co_await reads_->run_detachable(std::move(job));
  }

  Task<Result<Bytes>> read(SegmentId segment, std::uint8_t row, std::uint64_t offset, std::uint64_t bytes) override {
    auto job = [store = store_, segment, row, offset, bytes] { return store->log().read(segment, row, offset, bytes); };
    co_return co_await reads_->run_detachable(std::move(job));
  }

  Task<Result<void>> put_vault_record(Bytes signed_record) override {
    auto job = [store = store_, bytes = std::move(signed_record)] { return store->put_vault_record(bytes); };
    co_return co_await writes_->run_detachable(std::move(job));
  }

  Task<Result<std::vector<DeviceRecord>>> vault_records(VaultId vault) override {
    auto job = [store = store_, vault] { return store->vaults().records(vault); };
    co_return co_await reads_->run_detachable(std::move(job));
  }

  Task<Result<FormerRecords>> former_records(VaultId vault, DeviceId device) override {
    auto job = [store = store_, vault, device] { return store->vaults().former_records(vault, device); };
    co_return co_await reads_->run_detachable(std::move(job));
  }

  Task<Result<std::vector<VaultId>>> vaults() override {
    auto job = [store = store_] { return store->vaults().vaults(); };
    co_return co_await reads_->run_detachable(std::move(job));
  }

  Task<Result<void>> put_heads(VaultId vault, DeviceId device, std::vector<Bytes> chain) override {
    const std::int64_t now_s = clock_.unix_ns() / 1'000'000'000;
    auto job = [store = store_, vault, device, chain = std::move(chain), now_s]() mutable {
      return store->put_heads(vault, device, std::move(chain), now_s);
    };
    co_return co_await writes_->run_detachable(std::move(job));
  }

  Task<Result<std::vector<DeviceHeads>>> heads(VaultId vault) override {
    auto job = [store = store_, vault] { return store->vaults().heads(vault); };
    co_return co_await reads_->run_detachable(std::move(job));
  }

  Task<Result<void>> put_tombstone(Bytes signed_tombstone) override {
    return condemn(std::move(signed_tombstone), /*least_hold_s=*/0);
  }

  Task<Result<void>> condemn(Bytes signed_tombstone, std::uint64_t least_hold_s) override {
    auto job = [store = store_, bytes = std::move(signed_tombstone), least_hold_s] {
      return store->put_tombstone(bytes, least_hold_s);
    };
    co_return co_await writes_->run(std::move(job));
  }

  Task<Result<void>> put_reprieve(Bytes signed_reprieve) override {
    auto job = [store = store_, bytes = std::move(signed_reprieve)] { return store->put_reprieve(bytes); };
    co_return co_await writes_->run(std::move(job));
  }

  Task<Result<CollectReport>> collect() override {
    auto job = [store = store_] { return about(Subject::home, store->collect()); };
    co_return co_await writes_->run(std::move(job));
  }

  Task<Result<Usage>> usage() override {
    auto job = [store = store_] { return store->usage(); };
    co_return co_await reads_->run_detachable(std::move(job));
  }

  Task<Result<ScrubReport>> scrub(VaultId vault, unsigned percent, std::uint64_t seed) override;

  Task<Result<Holding>> find_of(VaultId vault, SegmentId segment) override {
    auto job = [store = store_, key = impl::HeldKey{vault, segment}] { return store->log().find(key); };
    co_return co_await reads_->run_detachable(std::move(job));
  }

  Task<Result<Bytes>> read_of(VaultId vault, SegmentId segment, std::uint8_t row, std::uint64_t offset,
                              std::uint64_t bytes) override {
    auto job = [store = store_, key = impl::HeldKey{vault, segment}, row, offset, bytes] {
      return store->log().read(key, row, offset, bytes);
    };
    co_return co_await reads_->run_detachable(std::move(job));
  }

  Task<Result<Usage>> usage_of(VaultId vault) override {
    auto job = [store = store_, vault] { return store->usage_of(vault); };
    co_return co_await reads_->run_detachable(std::move(job));
  }

  Task<Result<ScrubPage>> scrub_some(VaultId vault, SegmentId after, std::size_t limit, unsigned percent,
                                     std::uint64_t seed) override;

  std::uint64_t losses() const override { return store_->log().losses(); }
  std::uint64_t record_changes() const override { return store_->record_changes(); }

 private:
  const HomeId id_;
  platform::Clock& clock_;
  const std::shared_ptr<FolderStore> store_;  // shared with jobs that outlive a caller who gave up
  std::unique_ptr<platform::WorkerPool> writes_;
  std::unique_ptr<platform::WorkerPool> reads_;
};

void add(ScrubReport& sum, const ScrubReport& one) {
  sum.rows += one.rows;
  sum.bytes += one.bytes;
  sum.bad.insert(sum.bad.end(), one.bad.begin(), one.bad.end());
}

/// One job a segment, so that reads come in between and a cancellation is heard.
Task<Result<SharedHome::ScrubPage>> FolderHome::scrub_some(VaultId vault, SegmentId after, std::size_t limit,
                                                           unsigned percent, std::uint64_t seed) {
  auto next = [store = store_, vault, after, limit] { return store->log().segments(vault, after, limit); };
  MHP_CO_TRY(const std::vector<SegmentId> page, co_await reads_->run_detachable(std::move(next)));
  ScrubPage out;
  for (const SegmentId& segment : page) {
    auto job = [store = store_, key = impl::HeldKey{vault, segment}, percent, seed] {
      return store->log().scrub_segment(key, percent, seed);
    };
    MHP_CO_TRY(const ScrubReport one, co_await reads_->run_detachable(std::move(job)));
    add(out.report, one);
  }
  out.more = page.size() == limit;
  if (!page.empty()) out.last = page.back();
  co_return out;
}

Task<Result<ScrubReport>> FolderHome::scrub(VaultId vault, unsigned percent, std::uint64_t seed) {
  constexpr std::size_t kPage = 1'000;
  ScrubReport sum;
  SegmentId after;
  for (bool more = true; more;) {
    MHP_CO_TRY(const ScrubPage page, co_await scrub_some(vault, after, kPage, percent, seed));
    add(sum, page.report);
    more = page.more;
    after = page.last;
  }
  co_return sum;
}

}  // namespace

std::uint64_t default_min_free(std::uint64_t disk_bytes, bool same_disk) {
  if (same_disk) return std::min(256_MiB, disk_bytes / 100);
  return std::max<std::uint64_t>(5'000'000'000, disk_bytes / 20);
}

Result<std::optional<HomeId>> look_for_new_home(platform::Disk& disk, const std::string& path) {
  const std::string parent = platform::parent_of(path);
  const auto around = disk.info(parent);
  if (!around && around.error().code == Errc::not_found) return fail(Errc::not_found, parent + ": no such folder");
  if (!around) return tl::unexpected<Error>(around.error());
  if (!around->is_folder) return fail(Errc::usage, parent + ": not a folder");
  const auto there = disk.info(path);
  if (!there && there.error().code == Errc::not_found) return std::nullopt;
  if (!there) return tl::unexpected<Error>(there.error());
  if (!there->is_folder) return fail(Errc::usage, path + ": not a folder");
  if (disk.info(impl::identity_path(path))) {
    MHP_TRY(const HomeId known, folder_home_id(disk, path));
    return known;
  }
  MHP_TRY_VOID(check_empty(disk, path));
  return std::nullopt;
}

/// A damaged identity file is written anew from what the logs say.
static Result<HomeId> mend_identity(platform::Disk& disk, const std::string& path) {
  MHP_TRY(const wire::HomeFile identity, impl::read_identity(disk, path));
  const Bytes right = wire::encode(identity);
  const auto there = platform::read_file(disk, impl::identity_path(path), wire::kLogBlockBytes);
  if (there && *there == right) return identity.home;
  MHP_TRY(const auto lock, disk.lock(path + "/lock", "mhp"));
  MHP_TRY_VOID(impl::replace_damaged(disk, impl::identity_path(path), right));
  return identity.home;
}

/// Where none is there, one of id `id`.
static Result<HomeId> find_or_create(platform::Disk& disk, platform::Random& random, const std::string& path,
                                     const HomeId& id) {
  MHP_TRY(const std::optional<HomeId> known, look_for_new_home(disk, path));
  if (known) return mend_identity(disk, path);
  MHP_TRY_VOID(disk.make_folder(path));
  MHP_TRY_VOID(disk.sync_folder(platform::parent_of(path)));
  MHP_TRY(const auto lock, disk.lock(path + "/lock", "mhp"));
  if (disk.info(impl::identity_path(path))) return folder_home_id(disk, path);  // somebody was quicker
  MHP_TRY_VOID(disk.make_folder(path + "/logs"));
  MHP_TRY_VOID(disk.make_folder(path + "/vaults"));
  MHP_TRY_VOID(disk.sync_folder(path));
  wire::HomeFile identity;
  identity.home = id;
  identity.log_key = random.array<32>();
  MHP_TRY_VOID(platform::replace_file(disk, impl::identity_path(path), wire::encode(identity)));
  return identity.home;
}

Result<HomeId> create_folder_home(platform::Disk& disk, platform::Random& random, const std::string& path) {
  return find_or_create(disk, random, path, HomeId::from_array(random.array<HomeId::kSizeBytes>()));
}

Result<void> create_folder_home(platform::Disk& disk, platform::Random& random, const std::string& path,
                                const HomeId& id) {
  MHP_TRY(const HomeId there, find_or_create(disk, random, path, id));
  if (there == id) return {};
  return fail(Errc::usage, path + ": is home " + there.short_hex() + " already, not " + id.short_hex());
}

Result<HomeId> folder_home_id(platform::Disk& disk, const std::string& path) {
  MHP_TRY(const wire::HomeFile identity, impl::read_identity(disk, path));
  return identity.home;
}

namespace {

Result<wire::HomeFile> expect_identity(platform::Disk& disk, const std::string& path, const HomeId& expected) {
  MHP_TRY(const wire::HomeFile identity, impl::read_identity(disk, path));
  if (identity.home != expected) {
    return fail(Errc::invalid, path + ": home " + identity.home.short_hex() + " is here, not " + expected.short_hex());
  }
  return identity;
}

/// What must be known of a home before it is used.
struct Look {
  wire::HomeFile identity;
  FolderLimits limits;
  std::uint64_t device = 0;
  bool read_only = false;
};

Result<Look> look_at(platform::Disk& disk, const FolderAddress& address) {
  Look look;
  look.limits = address.limits;
  MHP_TRY(look.identity, expect_identity(disk, address.path, address.id));
  MHP_TRY(const platform::PathInfo info, disk.info(address.path));
  look.device = info.device;
  const auto space = disk.space(address.path);
  look.read_only = space && space->read_only;
  if (space && look.limits.min_free_bytes == 0)
    look.limits.min_free_bytes = default_min_free(space->total_bytes, address.same_disk);
  look.limits.min_free_bytes -= std::min(look.limits.min_free_bytes, address.reserve_bytes);
  if (look.limits.max_used_bytes > 0) look.limits.max_used_bytes += address.reserve_bytes;
  return look;
}

}  // namespace

Result<std::unique_ptr<SharedHome>> open_folder_home(platform::Platform& platform, const std::string& path,
                                                     const HomeId& expected, const FolderLimits& limits) {
  MHP_TRY(const wire::HomeFile identity, expect_identity(platform.disk(), path, expected));
  auto store = std::make_shared<FolderStore>(platform.disk(), platform.clock(), path, identity, limits);
  return std::make_unique<FolderHome>(platform, identity.home, std::move(store));
}

Task<Result<ReachedFolder>> reach_folder_home(platform::Platform& platform, FolderAddress address,
                                              std::chrono::nanoseconds limit) {
  auto job = [&disk = platform.disk(), address] { return look_at(disk, address); };
  std::optional<Result<Look>> look = co_await platform::run_within(platform, limit, std::move(job));
  if (!look) co_return fail(Errc::timed_out, address.path + ": does not answer");
  if (!*look) co_return pass(*look);
  auto store = std::make_shared<FolderStore>(platform.disk(), platform.clock(), address.path, (*look)->identity,
                                             (*look)->limits);
  ReachedFolder reached;
  reached.home = std::make_unique<FolderHome>(platform, address.id, std::move(store));
  reached.device = (*look)->device;
  reached.read_only = (*look)->read_only;
  co_return reached;
}

}  // namespace mhp::home
