// What a computer that is up answers others: about its clouds' rosters, and about the vaults it keeps for others.
#pragma once

#include <memory>

#include "cloud/book.h"
#include "cloud/home_service.h"

namespace mhp::cloud {

/// Answers by the rosters of a Book, in every cloud that is in it (docs/protocol/cloud.md). A home that one of them
/// names is a member's. Everybody else is a stranger: may ask to join, may show to be a member (of a home that is new,
/// say), and may ask the HomeService. So is whoever was removed, also on connections that it has already; it may ask
/// for the removal, and say what overrules that. What a cloud's roster says is given to members of that cloud alone.
/// Who waits for news awaits Book::changed(). No secret of an invitation comes here, and none of a ticket's proofs is
/// in any error.
class CloudService final : public net::Service {
 public:
  /// `home_key`: of this computer, as in its net::Identity; where an admin's roster names it, it admits. `home`: what
  /// answers about vaults; null where this computer lends nothing. All must outlive it.
  CloudService(platform::Platform& platform, Book& book, const primitives::SigningKey& home_key, HomeService* home);
  ~CloudService() override;

  Standing standing(const net::Peer& peer) override;
  /// Whose a computer is in the clouds here: by the rosters, and as whom it has shown itself on connections that are
  /// up.
  std::vector<Book::Belonging> belongings(const HomeId& peer) const;
  /// Decides who may speak to the home: who is in one of the clouds here, by the above, is a member, whatever others
  /// say of its computer; who is in none, and whose computer was taken out of one, is that.
  Who who(const net::Peer& peer) const;
  /// Must be gone before this.
  std::unique_ptr<net::Served> serve(const net::Peer& peer) override;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace mhp::cloud
