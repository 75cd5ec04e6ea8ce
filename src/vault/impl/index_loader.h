// Makes an index from what the cache has of it and from the parts that it lacks.
#pragma once

#include <string>
#include <vector>

#include "vault/impl/index.h"
#include "vault/state.h"

namespace mhp::vault::impl {

/// An index or snapshot part that a believed head's top lists.
struct KnownPart {
  wire::PhysicalRef ref;
  std::size_t bytes = 0;  // encoded
};

/// When parts of the index become files, and these one.
struct IndexLimits {
  std::size_t young_chunks = 32'768;    // held in memory at most; more become a run
  std::size_t chunks_of_run = 196'608;  // held in memory while parts are read, at most, beside those of one batch
  std::size_t runs = 4;                 // more are merged, so that each chunk is written a few times in all
  std::uint64_t growth = 3;             // a run is merged with smaller ones that are together at least a third of it
};

/// Parts that are merged with others before long, see IndexSession, are kept apart from those that stay, so that few
/// runs become useless.
constexpr std::size_t kSmallPartBytes = 1_MiB;

/// One way: begin(), take() for each part that begin() says is missing, end(). Blocking and CPU: runs in a worker. A
/// cache that cannot be read or written costs memory and time, nothing else.
class IndexLoader {
 public:
  explicit IndexLoader(const State& state, const IndexLimits& limits = {}) : state_(state), limits_(limits) {}

  /// Opens the runs that hold nothing but what is in `parts`, and fills in how long these are. The positions of the
  /// parts that are in none.
  std::vector<std::size_t> begin(std::vector<KnownPart>& parts);
  /// Errors: corrupt.
  Result<void> take(const KnownPart& known, wire::IndexPart part);
  Result<Index> end();

  /// True for names in the cache folder that are runs.
  static bool is_run(const std::string& name) { return name.starts_with("index-"); }

 private:
  std::string path_of(const std::vector<RunPart>& parts) const;
  /// Makes a run of what is in `young_` and forgets it there; leaves it where that fails.
  void make_run();
  /// Merges the smaller ones where there are more than `most`.
  void merge(std::vector<std::unique_ptr<IndexRun>>& runs, std::size_t most);

  const State& state_;
  const IndexLimits limits_;
  std::vector<std::unique_ptr<IndexRun>> lasting_;  // of parts that stay
  std::vector<std::unique_ptr<IndexRun>> passing_;
  std::vector<std::pair<KnownPart, wire::IndexPart>> small_;  // parts that wait for the big ones
  YoungIndex young_;
  std::vector<RunPart> young_parts_;
};

}  // namespace mhp::vault::impl
