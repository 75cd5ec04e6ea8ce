// Makes a vault with very many tiny chunks, by the real way of writing: what the index is measured with.
#include <charconv>
#include <cstdio>
#include <string_view>

#include "app/session.h"
#include "primitives/sign/sign.h"
#include "wire/tree_page.h"

namespace mhp {
namespace {

struct Wanted {
  std::uint64_t sessions = 0;
  std::uint64_t chunks = 0;  // new ones of each session
  std::uint64_t bytes = 0;   // of each chunk
};

/// The same bytes for the same number, and no two alike.
Bytes chunk_of(std::uint64_t number, std::uint64_t bytes) {
  Bytes chunk(bytes);
  for (std::size_t i = 0; i < sizeof number; ++i) chunk[i] = static_cast<std::byte>(number >> (8 * i) & 0xff);
  return chunk;
}

/// Adds chunks until the packer is full or `next` reaches `end`. CPU: runs in a worker.
void add_chunks(vault::Packer& packer, std::uint64_t& next, std::uint64_t end, std::uint64_t bytes) {
  for (; next < end && packer.fits(bytes); ++next) packer.add(chunk_of(next, bytes));
}

Task<Result<void>> send(platform::Platform& platform, vault::Writer& writer, vault::Packer& packer) {
  auto seal = [&] { return writer.seal(packer); };
  vault::FinishedSegment segment = co_await platform.workers().run(seal);
  co_return co_await writer.store(std::move(segment));
}

Task<Result<void>> run_session(app::Session& session, Wanted wanted, std::uint64_t number) {
  auto& platform = session.platform;
  MHP_CO_TRY(app::Opened opened, co_await app::open_vault(session, {}));
  vault::WriteOptions options;
  MHP_CO_TRY(auto writer, co_await opened.vault->begin_write(options));
  auto packer = writer->new_packer();
  std::uint64_t next = number * wanted.chunks;
  const std::uint64_t end = next + wanted.chunks;
  while (next < end) {
    auto add = [&] { add_chunks(*packer, next, end, wanted.bytes); };
    co_await platform.workers().run(add);
    MHP_CO_TRY_VOID(co_await send(platform, *writer, *packer));
  }
  wire::SnapshotRecord record;
  record.time_ns = platform.clock().unix_ns();
  record.host = "fill_index";
  record.paths = {"/"};
  record.page_list = packer->add(wire::encode(wire::PageList{}));
  if (!packer->empty()) {
    MHP_CO_TRY_VOID(co_await send(platform, *writer, *packer));
  }
  MHP_CO_TRY(auto committed, co_await writer->finish(std::move(record)));
  std::printf("session %llu: %llu segments\n", static_cast<unsigned long long>(number + 1),
              static_cast<unsigned long long>(committed.totals.segments));
  std::fflush(stdout);
  co_return Result<void>();
}

Task<int> fill(app::Session& session, Wanted wanted) {
  for (std::uint64_t i = 0; i < wanted.sessions; ++i) {
    const auto done = co_await run_session(session, wanted, i);
    if (!done) co_return session.out.fail(done.error());
  }
  co_return 0;
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  return end.ptr == text.data() + text.size() ? number : 0;
}

}  // namespace
}  // namespace mhp

int main(int argc, char** argv) {
  mhp::Wanted wanted;
  if (argc == 5) {
    wanted = {.sessions = mhp::number_of(argv[2]), .chunks = mhp::number_of(argv[3]), .bytes = mhp::number_of(argv[4])};
  }
  if (wanted.sessions == 0 || wanted.chunks == 0 || wanted.bytes < 8) {
    std::fputs("usage: fill_index STATE-FOLDER SESSIONS CHUNKS-OF-EACH BYTES-OF-A-CHUNK (at least 8)\n", stderr);
    return 2;
  }
  mhp::primitives::init_sodium();
  const auto platform = mhp::platform::make_posix_platform();
  mhp::app::Session session{.platform = *platform, .out = {}, .state_folder = argv[1], .command = "fill_index"};
  return platform->run(mhp::fill(session, wanted));
}
