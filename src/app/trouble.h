// Troubles that a home can be told to make, for `mhp lab`: it is slow, it lies, it hangs, it is cut off from others.
#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <string>

#include "net/call.h"
#include "platform/platform.h"

namespace mhp::app {

struct Trouble {
  std::chrono::milliseconds slow{0};  // before each answer
  bool hangs = false;                 // never answers
  bool lies = false;                  // gives other bytes of rows than it holds
  std::set<std::string> cut_off;      // ids (hex) of computers whose requests never arrive
  friend bool operator==(const Trouble&, const Trouble&) = default;
};

/// "slow=500 lies hangs cut_off=ID,ID", as in the file that `mhp up --trouble-file` reads; empty: none. Errors: usage.
Result<Trouble> parse_trouble(const std::string& text);
std::string to_text(const Trouble& trouble);

/// A service that does to others what the file says at the time of each request.
class TroubledService final : public net::Service {
 public:
  /// All outlive it. `path` need not exist.
  TroubledService(platform::Platform& platform, net::Service& honest, std::string path);
  Standing standing(const net::Peer& peer) override { return honest_.standing(peer); }
  std::unique_ptr<net::Served> serve(const net::Peer& peer) override;

 private:
  class Answers;
  Trouble now() const;

  platform::Platform& platform_;
  net::Service& honest_;
  const std::string path_;
};

}  // namespace mhp::app
