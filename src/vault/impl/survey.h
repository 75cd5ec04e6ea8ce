// What the reachable homes hold of segments, and the cards that describe them.
#pragma once

#include <map>
#include <unordered_map>

#include "dispersal/card_choice.h"
#include "vault/impl/bad_rows.h"
#include "vault/impl/vault_impl.h"

namespace mhp::vault::impl {

/// Borrows the vault; on the loop.
class Survey {
 public:
  explicit Survey(VaultImpl& vault) : vault_(vault), bad_rows_(vault.state_) {}

  /// Asks every reachable home for its list; keeps what it says of `wanted`, or of all segments where there is none
  /// given. Homes that do not give it within a time limit count as away.
  Task<> take(std::optional<std::vector<SegmentId>> wanted);
  /// Those wanted, or all that were found; in rising order of their ids.
  const std::vector<SegmentId>& segments() const { return segments_; }
  /// Members that gave their list.
  const std::vector<std::size_t>& members() const { return members_; }
  /// What homes list of a segment, unchecked; empty where none has it.
  const std::vector<dispersal::Holder>& holders(const SegmentId& segment) const;
  bool some_known_bad(const SegmentId& segment) const { return !known_bad(segment, holders(segment)).empty(); }
  /// Segments, of those kept, that members were told may go.
  const std::map<std::size_t, std::vector<SegmentId>>& condemned() const { return condemned_; }
  /// A member's rows of these do not count any more.
  void leave_out(std::size_t member, const std::vector<SegmentId>& segments);
  /// True where a member listed the segment.
  bool holds(std::size_t member, const SegmentId& segment) const;
  /// Card and holders of a segment; rows that the card does not know are left out. Errors: not_found (no home has a
  /// good card).
  Task<Result<dispersal::Located>> locate(SegmentId segment);

  /// Rows of these holders that an earlier reading found bad.
  std::vector<dispersal::RowsFor> known_bad(const dispersal::Located& located) const;
  /// These rows were made again.
  void forget_bad(const SegmentId& segment, const dispersal::RowsFor& rows);
  /// Writes down what verify() found and what was made again. A state folder that takes no writes keeps what it had.
  void save_bad_rows();

  /// True where at least as many rows as every plan needs are listed, and none is known to be bad.
  bool surely_can_be_read(const SegmentId& segment) const;
  /// True where at least k rows are listed and not known to be bad.
  Task<bool> can_be_read(SegmentId segment);

  /// Reads every row of a segment, and learns which are bad.
  struct Verdict {
    std::vector<dispersal::RowsFor> bad;     // differ from the card
    std::vector<dispersal::RowsFor> unread;  // of homes that could not be read: unknown, not bad
    std::uint64_t bytes_read = 0;
  };
  Task<Verdict> verify(const dispersal::Located& located);

 private:
  std::vector<dispersal::RowsFor> known_bad(const SegmentId& segment,
                                            const std::vector<dispersal::Holder>& holders) const;
  void believe(std::size_t member, const std::vector<home::Home::BadRow>& bad);
  void keep(std::size_t member, std::vector<home::HeldSegment> held, bool all);
  struct VersionedCard {
    wire::Card card;
    Bytes signed_bytes;
    std::size_t homes = 0;  // that say they hold this version
  };
  Task<std::vector<VersionedCard>> read_cards(SegmentId segment, std::vector<dispersal::Holder> holders);
  void name_who_has(const wire::Card& wrong, const std::vector<dispersal::Holder>& holders);
  Task<Result<wire::Card>> read_card(const dispersal::Holder& holder, SegmentId segment, Bytes& signed_card);

  VaultImpl& vault_;
  BadRows bad_rows_;
  std::vector<SegmentId> segments_;
  std::vector<std::size_t> members_;
  std::unordered_map<SegmentId, std::vector<dispersal::Holder>, IdHash> holders_;
  std::map<std::size_t, std::vector<SegmentId>> condemned_;  // by member
};

/// True where a segment can be put together from these rows by its card, whatever is said of them.
Task<bool> can_be_gathered(VaultImpl& vault, dispersal::Located located);
/// Distinct rows over all holders.
std::vector<std::uint8_t> rows_of(const std::vector<dispersal::Holder>& holders);
/// Takes rows out of the holders.
void take_out(std::vector<dispersal::Holder>& holders, const std::vector<dispersal::RowsFor>& rows);

}  // namespace mhp::vault::impl
