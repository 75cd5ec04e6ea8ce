// The cache is asked first; what it gives is checked against its id.
#include "vault/impl/objects.h"

#include <map>

#include "platform/nursery.h"
#include "primitives/hash/blake3.h"
#include "vault/impl/former_parts.h"

namespace mhp::vault::impl {
namespace {

constexpr std::size_t kLoadsAtOnce = 4;

}  // namespace

std::string Objects::name_of(const ChunkId& id) const {
  return to_hex(primitives::blake3_derive("mhp 1 cache name", id.bytes())).substr(0, 32);
}

bool Objects::is_genuine(const ChunkId& id, ByteView bytes) const { return is_id_of(record_, id, bytes); }

Result<Bytes> Objects::copy_of(const ChunkId& id) const {
  std::string path = state_.cache_folder() + "/" + name_of(id);
  auto copy = platform::read_file(state_.disk(), path, wire::kMaxIndexObjectBytes);
  if (copy && !is_genuine(id, *copy)) return fail(Errc::corrupt, "cache: " + path);
  return copy;
}

Task<Result<Bytes>> Objects::load(wire::PhysicalRef ref) {
  std::vector<wire::PhysicalRef> refs{ref};
  MHP_CO_TRY(auto objects, co_await load_all(std::move(refs)));
  co_return std::move(objects.front());
}

/// All but `wanted` borrowed: the caller joins.
Task<> Objects::load_group(SegmentId segment, const std::vector<wire::PhysicalRef>& refs,
                           std::vector<std::size_t> wanted, std::vector<Result<Bytes>>& out,
                           platform::Semaphore& turns) {
  co_await turns.take();
  std::vector<ChunkId> chunks;
  for (std::size_t i : wanted) chunks.push_back(refs[i].chunk);
  auto objects = co_await reader_.objects(segment, std::move(chunks));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!objects) {
      out[wanted[i]] = tl::unexpected<Error>(objects.error());
      continue;
    }
    keep(refs[wanted[i]].chunk, (*objects)[i]);
    out[wanted[i]] = std::move((*objects)[i]);
  }
  turns.give();
}

Task<Result<std::vector<Bytes>>> Objects::load_all(std::vector<wire::PhysicalRef> refs) {
  std::vector<Result<Bytes>> results(refs.size(), fail(Errc::canceled, "index: not read"));
  auto job = [&] {
    for (std::size_t i = 0; i < refs.size(); ++i) results[i] = copy_of(refs[i].chunk);
  };
  co_await platform_.workers().run(job);
  std::map<SegmentId, std::vector<std::size_t>> missing;
  for (std::size_t i = 0; i < refs.size(); ++i) {
    const bool is_on_homes = !refs[i].segment.is_zero();  // else it was kept in the cache alone
    if (!results[i] && is_on_homes) missing[refs[i].segment].push_back(i);
  }
  auto executor = co_await asio::this_coro::executor;
  platform::Semaphore turns(executor, kLoadsAtOnce);
  platform::Nursery scope(executor);
  for (auto& [segment, wanted] : missing) scope.start(load_group(segment, refs, std::move(wanted), results, turns));
  co_await scope.join();
  std::vector<Bytes> out;
  for (auto& result : results) {
    if (!result) co_return pass(result);
    out.push_back(std::move(*result));
  }
  co_return out;
}

void Objects::keep(const ChunkId& id, ByteView bytes) {
  platform::Disk& disk = state_.disk();
  std::string path = state_.cache_folder() + "/" + name_of(id);
  if (!disk.make_folder(state_.cache_folder())) return;
  auto file = disk.open(path, platform::Open::create);  // what a crash leaves of it does not fit its id
  if (!file) return;
  if (!(*file)->write_at(0, bytes)) (void)disk.remove(path);
}

void Objects::keep_once(const ChunkId& id, ByteView bytes) {
  if (!copy_of(id)) keep(id, bytes);
}

void Objects::keep_only(const std::vector<wire::PhysicalRef>& refs,
                        const std::vector<std::unique_ptr<IndexRun>>& runs) {
  std::unordered_set<std::string> wanted;
  for (const auto& ref : refs) wanted.insert(state_.cache_folder() + "/" + name_of(ref.chunk));
  for (const auto& run : runs) wanted.insert(run->path());
  for (const char* name : {KnownClaims::kFileName, FormerParts::kFileName})
    wanted.insert(state_.cache_folder() + "/" + name);
  auto names = state_.disk().list(state_.cache_folder());
  if (!names) return;
  for (const std::string& name : *names) {
    std::string path = state_.cache_folder() + "/" + name;
    if (!wanted.contains(path)) (void)state_.disk().remove(path);
  }
}

}  // namespace mhp::vault::impl
