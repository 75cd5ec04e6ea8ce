// Any bytes as a file that `mhp up` keeps: what is read is written back as what reads the same.
#include <cstdint>

#include "app/found_bad.h"
#include "app/presence.h"
#include "app/reached.h"
#include "app/steady_scrub.h"
#include "app/up_settings.h"
#include "app/vault_owners.h"
#include "base/check.h"
#include "platform/memory/memory_platform.h"

using namespace mhp;

static void try_settings(ByteView bytes) {
  platform::MemoryPlatform machine(1);
  platform::Disk& disk = machine.disk();
  MHP_CHECK(disk.make_folder("/state"));
  MHP_CHECK(platform::replace_file(disk, app::up_settings_path("/state"), bytes));
  const auto read = app::read_up_settings(disk, "/state");
  if (!read) return;
  MHP_CHECK(app::keep_up_settings(disk, "/state", *read));
  const auto again = app::read_up_settings(disk, "/state");
  MHP_CHECK(again && *again == *read);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes = std::as_bytes(std::span(data, size));
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto bad = app::parse_found_bad(text)) {
    const auto again = app::parse_found_bad(app::to_text(*bad));
    MHP_CHECK(again && *again == *bad);
  }
  if (const auto round = app::parse_scrub_round(text)) {
    const auto again = app::parse_scrub_round(app::to_text(*round));
    MHP_CHECK(again && *again == *round);
  }
  if (const auto presences = app::parse_presences(text)) {
    const auto again = app::parse_presences(app::to_text(*presences));
    MHP_CHECK(again && *again == *presences);
  }
  if (const auto owners = app::parse_vault_owners(text)) {
    const auto again = app::parse_vault_owners(app::to_text(*owners));
    MHP_CHECK(again && *again == *owners);
  }
  if (const auto reached = app::parse_reached(text)) {
    const auto again = app::parse_reached(app::to_text(*reached));
    MHP_CHECK(again && *again == *reached);
  }
  try_settings(bytes);
  return 0;
}
