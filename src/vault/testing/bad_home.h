// A home that hangs, forgets or lies, around a good one.
#pragma once

#include <set>

#include "home/home.h"
#include "platform/platform.h"

namespace mhp::vault::testing {

enum class Fault {
  none,
  hangs,
  hangs_later,  // after some answers, see World::hang_home_after
  fails,
  shows_no_heads,
  shows_first_head_only,
  gives_wrong_bytes,
  gives_wrong_record,
  takes_nothing,
  takes_no_heads,
  takes_no_reprieve,
  makes_nothing_durable,
  turns_read_only,  // when it is to make durable what it took
  turns_busy
};

class BadHome : public home::Home {
 public:
  /// `rotten`: segments whose rows are wrong on it; `answers_left`: till it hangs, where that is its fault. Borrowed.
  BadHome(platform::Platform& platform, std::unique_ptr<home::Home> good, Fault fault,
          const std::set<SegmentId>& rotten, std::size_t& answers_left)
      : platform_(platform), good_(std::move(good)), fault_(fault), rotten_(rotten), answers_left_(answers_left) {}

  const HomeId& id() const override { return good_->id(); }
  Task<Result<void>> put(MutableBytes record, std::shared_ptr<void> owner) override {
    MHP_CO_TRY_VOID(co_await before());
    if (fault_ == Fault::takes_nothing) co_return fail(Errc::full, "the disk is full");
    co_return co_await good_->put(record, std::move(owner));
  }
  Task<Result<void>> commit() override {
    MHP_CO_TRY_VOID(co_await before());
    if (fault_ == Fault::makes_nothing_durable) co_return fail(Errc::unavailable, "the sync failed");
    if (fault_ == Fault::turns_read_only) co_return fail(Errc::denied, "the file system is read-only now");
    if (fault_ == Fault::turns_busy) co_return fail(Errc::busy, "another process took the lock");
    co_return co_await good_->commit();
  }
  Task<Result<home::Holding>> find(SegmentId segment) override {
    MHP_CO_TRY_VOID(co_await before());
    co_return co_await good_->find(segment);
  }
  Task<Result<std::pair<SegmentId, std::uint8_t>>> find_fragment(FragmentId fragment) override {
    co_return co_await good_->find_fragment(fragment);
  }
  Task<Result<home::HeldPage>> list(VaultId vault, SegmentId after, std::size_t limit) override {
    MHP_CO_TRY_VOID(co_await before());
    co_return co_await good_->list(vault, after, limit);
  }
  Task<Result<Bytes>> read(SegmentId segment, std::uint8_t row, std::uint64_t offset, std::uint64_t bytes) override {
    MHP_CO_TRY_VOID(co_await before());
    auto out = co_await good_->read(segment, row, offset, bytes);
    const bool is_wrong = fault_ == Fault::gives_wrong_bytes || rotten_.contains(segment);
    if (out && is_wrong) out->back() ^= std::byte{1};
    co_return out;
  }
  Task<Result<void>> put_vault_record(Bytes signed_record) override {
    MHP_CO_TRY_VOID(co_await before());
    co_return co_await good_->put_vault_record(std::move(signed_record));
  }
  Task<Result<std::vector<DeviceRecord>>> vault_records(VaultId vault) override {
    MHP_CO_TRY_VOID(co_await before());
    auto out = co_await good_->vault_records(vault);
    if (out && fault_ == Fault::gives_wrong_record) {
      for (DeviceRecord& record : *out) record.signed_record.back() ^= std::byte{1};
    }
    co_return out;
  }
  Task<Result<home::FormerRecords>> former_records(VaultId vault, DeviceId device) override {
    MHP_CO_TRY_VOID(co_await before());
    co_return co_await good_->former_records(vault, device);
  }
  Task<Result<std::vector<VaultId>>> vaults() override { co_return co_await good_->vaults(); }
  Task<Result<void>> put_heads(VaultId vault, DeviceId device, std::vector<Bytes> chain) override {
    MHP_CO_TRY_VOID(co_await before());
    if (fault_ == Fault::takes_no_heads) co_return fail(Errc::unavailable, "it went away");
    co_return co_await good_->put_heads(vault, device, std::move(chain));
  }
  Task<Result<std::vector<DeviceHeads>>> heads(VaultId vault) override {
    MHP_CO_TRY_VOID(co_await before());
    auto out = co_await good_->heads(vault);
    if (out && fault_ == Fault::shows_no_heads) out->clear();
    if (out && fault_ == Fault::shows_first_head_only) {
      for (auto& device : *out) device.chain.resize(1);
    }
    co_return out;
  }
  Task<Result<void>> put_tombstone(Bytes signed_tombstone) override {
    MHP_CO_TRY_VOID(co_await before());
    co_return co_await good_->put_tombstone(std::move(signed_tombstone));
  }
  Task<Result<void>> put_reprieve(Bytes signed_reprieve) override {
    MHP_CO_TRY_VOID(co_await before());
    if (fault_ == Fault::takes_no_reprieve) co_return fail(Errc::full, "the disk is full");
    co_return co_await good_->put_reprieve(std::move(signed_reprieve));
  }
  Task<Result<home::CollectReport>> collect() override {
    MHP_CO_TRY_VOID(co_await before());
    co_return co_await good_->collect();
  }
  Task<Result<home::Usage>> usage() override {
    MHP_CO_TRY_VOID(co_await before());
    co_return co_await good_->usage();
  }
  Task<Result<home::ScrubReport>> scrub(VaultId vault, unsigned percent, std::uint64_t seed) override {
    co_return co_await good_->scrub(vault, percent, seed);
  }

 private:
  Task<Result<void>> before() {
    const bool is_over = fault_ == Fault::hangs_later && answers_left_ == 0;
    if (fault_ == Fault::hangs_later && !is_over) --answers_left_;
    if (fault_ == Fault::hangs || is_over) co_await platform_.clock().sleep(std::chrono::hours(24));
    if (fault_ == Fault::fails) co_return fail(Errc::unavailable, "the drive gives errors");
    co_return Result<void>{};
  }

  platform::Platform& platform_;
  std::unique_ptr<home::Home> good_;
  Fault fault_;
  const std::set<SegmentId>& rotten_;
  std::size_t& answers_left_;
};

}  // namespace mhp::vault::testing
