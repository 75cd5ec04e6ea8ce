// The vault as its parts see it: what was read from the homes, the index in memory, and the devices' heads.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "vault/impl/former_parts.h"
#include "vault/impl/home_calls.h"
#include "vault/impl/index.h"
#include "vault/impl/index_loader.h"
#include "vault/impl/objects.h"
#include "vault/impl/reader.h"
#include "vault/vault.h"

namespace mhp::vault::impl {

class Survey;

/// The top that a device's newest believed head names.
struct KnownTop {
  DeviceId device;
  wire::PhysicalRef ref;
};

/// How long a forgotten snapshot is remembered as such: a device that had not heard of it may list it until then.
constexpr std::chrono::nanoseconds kForgottenKept = std::chrono::hours(24 * 60);

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
  const OpenRecord& record() const override { return record_; }
  const wire::VaultKeys& keys() const override { return record_.keys; }
  dispersal::Level level() const override { return static_cast<dispersal::Level>(record_.content.level); }
  const std::vector<wire::SnapshotRecord>& snapshots() const override { return snapshots_; }
  NewestHead newest_head() const override;
  std::vector<wire::SeenHead> believed_heads() const override;
  std::optional<std::int64_t> newest_receipt_s() const override;
  const std::vector<UnreadHead>& unread_heads() const override { return unread_; }
  const std::vector<LateState>& late_states() const override { return late_; }
  std::vector<LoneHead> shown_only_by(std::size_t member) const override;
  std::vector<OlderRecord> older_records() const override;
  const std::vector<std::string>& damaged_files() const override { return damaged_files_; }
  bool is_forked() const override;
  bool joins_histories() const override;
  bool has(const ChunkId& chunk) const override { return index_.can_refer_to(chunk); }
  Result<ChunkPlace> place_of(const ChunkId& chunk) const override;
  Result<ChunkPlace> other_place_of(const ChunkId& chunk, const std::vector<std::uint32_t>& without) const override;
  Task<Result<std::shared_ptr<const OpenSegment>>> fetch(std::uint32_t segment,
                                                         std::vector<std::uint32_t> bundles) override;
  Task<Result<Bytes>> read(ChunkId chunk) override;
  Task<Result<std::unique_ptr<Writer>>> begin_write(const WriteOptions& options) override;
  Task<Result<std::unique_ptr<Collector>>> begin_collect(CollectOptions options) override;
  std::uint64_t reprieved_segments() const override { return reprieved_.size(); }
  const Displaced& displaced() const override { return displaced_; }
  Task<> collect_due(Collected& report) override;
  Task<Result<std::uint64_t>> reprieve_all(const primitives::SigningKey& identity) override;
  Task<Result<CheckReport>> check(unsigned read_percent, Progress progress) override;
  Task<Result<CheckReport>> standing() override;
  Task<Result<RepairReport>> repair(bool read_all, std::vector<std::size_t> without, bool dry_run,
                                    Progress progress) override;

  /// Reads everything from the homes anew.
  Task<Result<void>> load();
  /// Under the lock: reads anew where another process of this device wrote meanwhile, then gives homes what they lack.
  Task<Result<void>> refresh_for_write();
  /// Errors: corrupt where this device is forked.
  Result<void> may_write() const;
  /// Errors: unavailable where this device may have signed more than is at hand.
  Result<void> has_own_newest() const;
  /// Homes give back what is due, before anything is written: on one that is full nothing could be written else.
  Task<> make_room();
  /// Where there is reason to, finds out which segments cannot be brought back now, so that their chunks are stored
  /// again.
  Task<Result<void>> find_gone_segments();
  /// Takes up the index that the parts at hand make, from the cache as far as it is there. Segment numbers change.
  Task<Result<void>> load_index();
  using ClaimIds = std::unordered_set<ClaimId, IdHash>;
  struct Confirmed {
    ClaimIds is_false{};            // what is not so
    std::string contradiction{};    // who says the first of it in the index; empty: nobody does
    std::optional<Error> unread{};  // why something could not be compared
  };
  /// Compares what the index says of these segments, of which nothing is known, with what each says of itself. Nothing
  /// relies any more on what was found to be false. Errors: those of the index.
  Task<Result<Confirmed>> confirm(std::vector<std::uint32_t> numbers);
  /// Takes up what is known of the claims of the index; segments of which only what is false was listed are listed anew
  /// by their own word with the next head. Errors: those of the index.
  Task<Result<void>> take_up_claims();
  /// After that: what this device has proven and the index lists no more stays, where the index says of other segments,
  /// which this device has not proven, that they have any chunk of it. Up to `reread_bytes` of those are read and
  /// compared; what is proven then takes the place of the former. Errors: those of the index.
  Task<Result<void>> keep_proven(std::uint64_t reread_bytes);
  /// Parts that the top of this device's newest head lists; none where it cannot be read.
  Task<std::vector<wire::PhysicalRef>> own_parts();
  /// After all that is needed was found: of what is listed no more nothing is.
  void forget_former_parts();
  /// Whose parts of the index make these claims, as far as that can be read.
  Task<std::vector<FalseClaims>> who_makes(ClaimIds claims);

  /// Takes back what homes were told may go of the segments in `survey`. A home that cannot be told may not purge in
  /// this run, and its rows of these do not count in `survey` any more.
  Task<> reprieve(Survey& survey);
  /// The same for all that the believed heads need: homes that gave their lists may purge after it.
  Task<> reprieve_needed(Survey& survey);
  /// The same once more before a head is published, where homes were told something since find_gone_segments().
  Task<Result<void>> reprieve_condemned_meanwhile(std::vector<SegmentId> more);
  /// Why this computer's view may lack what another device has written; empty where it cannot.
  std::string why_view_may_lack() const;
  /// Condemns on all homes what no believed head needs and what is not under way; then homes give back what is due.
  /// `before`: what was live before this device's newest head.
  Task<Result<void>> condemn_dead(const std::vector<SegmentId>& before, Collected& report);

  /// Heads, in memory and in the state folder, after this device signed a new one. Durable when it returns.
  Result<void> take_own_head(CheckedHead head);
  /// This device's chain, empty where it has none.
  std::vector<CheckedHead> own_chain() const;
  /// The same with what reached no home: the next head links to that, so that no number is used twice.
  std::vector<CheckedHead> signed_chain() const;
  /// Names the homes whose files of former vault records are damaged. Nothing else opens them while the newest are
  /// whole.
  Task<> name_damaged_former();
  /// Has homes keep anew what is whole in such files. Members that did.
  Task<std::vector<std::size_t>> mend_former();
  /// Notes which homes are about to be given this device's newest head: before they are, so that it holds after a crash
  /// too. Without it no head may be called saved. Errors: those of the state folder.
  Result<void> remember_taken();
  /// Gives every home that answered the records and heads it lacks. Members that have all now.
  Task<std::vector<std::size_t>> bring_homes_up_to_date();
  /// In words for a person: what becomes of a new head that too few homes have.
  std::string why_not_saved(unsigned homes, int margin) const;
  /// Members that have all vault records and all heads: each of them is enough to begin a recovery with.
  std::vector<std::size_t> complete_members() const;
  /// How many homes may be lost, in the worst case, with one of `members` left; -1 where there is none.
  int margin_of_members(const std::vector<std::size_t>& members) const;
  /// Raises what was seen to what is believed, and homes show; a full disk does not matter here.
  void remember_seen();
  /// The top of this device's newest head: it was made from all others, which do not count any more.
  void set_own_top(const wire::PhysicalRef& ref);
  void add_snapshot(const wire::SnapshotRecord& snapshot);
  /// What a top that is written now says it was made from: heads of other devices, and those of this one that homes
  /// were left behind at.
  std::vector<wire::SeenHead> seen_for_top() const;
  /// Another device may write beside this one.
  bool has_other_devices() const;
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
  /// The last own heads, which no home was given before this computer was interrupted: nothing that they list counts.
  std::vector<CheckedHead> undelivered_;
  std::vector<UnreadHead> unread_;
  std::vector<LateState> late_;
  std::vector<std::string> damaged_files_;
  Index index_;
  std::vector<wire::SnapshotRecord> snapshots_;
  std::vector<wire::ForgottenSnapshot> forgotten_;
  std::vector<wire::SeenHead> covered_;    // heads that tops which are followed were made from
  std::vector<wire::SeenHead> made_from_;  // heads whose tops, or tops that were made from them, this view is
  std::vector<KnownTop> tops_;
  std::vector<KnownPart> parts_;
  std::vector<KnownPart> snapshot_parts_;
  /// Live segments that cannot be brought back now, as far as anybody looked.
  std::unordered_set<SegmentId, IdHash> gone_;
  /// Durable on homes and in index_, but in no index part yet: segments of an interrupted session.
  std::vector<wire::IndexedSegment> unlisted_;
  std::optional<int> unlisted_margin_;  // worst case over them
  KnownClaims claims_;
  /// Segments of which the index says what is not so: all that it says of them is left out of the next one, but for
  /// what is in unlisted_.
  std::unordered_set<SegmentId, IdHash> belied_;
  FormerParts former_parts_;
  /// Numbers of segments that keep_proven() listed again. What they have is also said to be in others.
  std::unordered_set<std::uint32_t> relisted_;
  /// Segments among them of which all is in others, as far as the index says: whoever moved it may well have condemned
  /// them.
  std::unordered_set<SegmentId, IdHash> only_moved_;
  Displaced displaced_;
  std::unordered_set<SegmentId, IdHash> reprieved_;
  /// Members whose condemned segments were compared with what is needed in this run: only they may purge.
  std::set<std::size_t> compared_;
  Collected room_made_;  // by make_room(), and not told of yet
  /// By member: what was condemned when that was done.
  std::map<std::size_t, std::uint64_t> condemned_before_;

 private:
  /// By member, of those that say.
  Task<std::map<std::size_t, std::uint64_t>> condemned_bytes(std::vector<std::size_t> members);
  /// Whose head is followed.
  struct Followed {
    const BelievedDevice* device = nullptr;
    const CheckedHead* head = nullptr;
  };

  /// Joins what homes show with what this computer knows, and names homes that lie or have damaged ones.
  Result<void> take_records();
  void name_bad_records();
  void note_late();
  void note_hidden();
  /// Tells branches that are histories of their own from those that homes have thinned out.
  Task<> settle_branches();
  /// Ids of all snapshots that a head's top lists, those that were forgotten among them.
  Task<Result<std::set<SnapshotId>>> listed_by(const CheckedHead& head);
  Task<bool> has_nothing_own(const BelievedDevice& branch);
  /// This device's own heads that members that are away, or do not follow, may have as their newest.
  std::vector<wire::SeenHead> own_heads_left_behind() const;
  /// Records of devices that are shut out, whose newest heads open with no key that this one has: who has the words may
  /// need them.
  std::vector<home::Home::DeviceRecord> records_for_the_words() const;
  /// True where that is certain: a write was interrupted before any home was given this own head. Nothing was said to
  /// be saved by it, and other devices could not know that it needs anything. `shown`: the newest own head by member,
  /// nothing of one that does not say.
  bool has_reached_no_home(const CheckedHead& head, const wire::SeenHeads& seen, const wire::TakenHeads& taken,
                           const std::vector<std::optional<std::uint64_t>>& shown) const;
  /// Takes such heads from the end of this device's chain, as its state folder has it.
  void set_undelivered_aside(std::vector<Bytes>& own, const wire::SeenHeads& seen);
  bool shows_another(std::size_t than, const DeviceId& device, const Bytes& signed_head) const;
  void look_at_state();
  /// Where records give several keys of one epoch, or several secrets: those are believed that open what was saved.
  Task<> try_keys();
  void try_record_keys();
  /// Writes this device's next record where that is due. Errors: those of the state folder.
  Result<void> renew_record();
  bool opens(const CheckedHead& head) const;
  void forget_index();
  Result<wire::RootRef> open_root(const CheckedHead& head) const;
  Task<Result<void>> load_state();
  Task<Result<void>> follow(std::vector<Followed> heads);
  Task<Result<void>> load_snapshots();
  Result<std::vector<SegmentId>> list_live_segments() const;
  /// True where a home that was away brings heads of a shut-out device that its revocation does not know of.
  bool is_late(const BelievedDevice& device) const;
  /// True of a shut-out device where another's top was made from its newest: all that counts of it is there.
  bool is_covered(const BelievedDevice& device) const;
  std::vector<const BelievedDevice*> all_histories() const;
  /// Homes show another history of it beside the one that is believed.
  bool has_branch(const DeviceId& device) const;
  void drop_superseded(std::vector<wire::SeenHead>& heads) const;
  Task<Result<wire::IndexTop>> load_top(wire::RootRef root);
  /// Whether all that a head reaches is there.
  Task<Result<std::vector<wire::SeenHead>>> try_head(const CheckedHead& head);
  Task<Result<std::vector<Followed>>> choose_readable(Error problem);
  void report_findings();
  /// As read(), from one place.
  Task<Result<Bytes>> read_at(ChunkId chunk, ChunkPlace place);
  /// Whose part of the index makes a false claim, in words.
  Task<std::string> who_says(ClaimId claim);

  BundleCache bundles_;
};

}  // namespace mhp::vault::impl
