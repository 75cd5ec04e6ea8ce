// Parts of the index as objects in segments, with copies in the state folder so that an unchanged run reads almost
// nothing.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "vault/impl/index_run.h"
#include "vault/impl/reader.h"
#include "vault/state.h"

namespace mhp::vault::impl {

/// A copy that cannot be read, written or trusted is as good as none: nothing here fails because of the cache.
class Objects {
 public:
  Objects(platform::Platform& platform, SegmentReader& reader, const State& state, const OpenRecord& record)
      : platform_(platform), reader_(reader), state_(state), record_(record) {}

  /// From the cache, else from the homes. Errors: unavailable, corrupt.
  Task<Result<Bytes>> load(wire::PhysicalRef ref);
  /// The same for many, some segments at a time, each read once; in the order of `refs`.
  Task<Result<std::vector<Bytes>>> load_all(std::vector<wire::PhysicalRef> refs);
  /// Keeps a copy. Blocking, small.
  void keep(const ChunkId& id, ByteView bytes);
  /// The same, unless a whole one is there.
  void keep_once(const ChunkId& id, ByteView bytes);
  /// Removes everything from the cache but copies of these, and these runs. Blocking, small.
  void keep_only(const std::vector<wire::PhysicalRef>& refs, const std::vector<std::unique_ptr<IndexRun>>& runs);

 private:
  Task<> load_group(SegmentId segment, const std::vector<wire::PhysicalRef>& refs, std::vector<std::size_t> wanted,
                    std::vector<Result<Bytes>>& out, platform::Semaphore& turns);
  Result<Bytes> copy_of(const ChunkId& id) const;
  std::string name_of(const ChunkId& id) const;
  bool is_genuine(const ChunkId& id, ByteView bytes) const;

  platform::Platform& platform_;
  SegmentReader& reader_;
  const State& state_;
  const OpenRecord& record_;
};

}  // namespace mhp::vault::impl
