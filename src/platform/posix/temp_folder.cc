// Making and removing the folder of one test.
#include "platform/posix/temp_folder.h"

#include <cstdlib>
#include <filesystem>

#include "base/check.h"

namespace mhp::platform {

static std::string temp_root() {
  const char* wanted = std::getenv("TMPDIR");
  return wanted != nullptr && *wanted != '\0' ? wanted : "/tmp";
}

TempFolder::TempFolder() : TempFolder(temp_root()) {}

TempFolder::TempFolder(const std::string& parent) : path_(parent + "/mhp-test-XXXXXX") {
  MHP_CHECK(::mkdtemp(path_.data()) != nullptr);
}

TempFolder::~TempFolder() {
  std::error_code ignored;  // a test that made a folder unreadable leaves it behind
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace mhp::platform
