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

template <class Parse>
static void try_text(Parse parse, std::string_view text) {
  const auto read = parse(text);
  if (!read) return;
  const auto again = parse(app::to_text(*read));
  MHP_CHECK(again && *again == *read);
}

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
  try_text(app::parse_found_bad, text);
  try_text(app::parse_scrub_round, text);
  try_text(app::parse_presences, text);
  try_text(app::parse_vault_owners, text);
  try_text(app::parse_reached, text);
  try_settings(bytes);
  return 0;
}
