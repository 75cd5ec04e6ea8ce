// A number that tells the states of a disk apart, for tests that count how many they have seen.
#pragma once

#include <string_view>

#include "platform/disk.h"

namespace mhp::platform::testing {

/// Of all names below `path` and the contents of files: equal disks have equal ones, others nearly never.
inline std::uint64_t fingerprint(Disk& disk, const std::string& path = "/") {
  std::uint64_t sum = 0;
  const auto add = [&sum](std::string_view text) {
    sum = (sum ^ std::hash<std::string_view>()(text)) * 0x9E3779B97F4A7C15 + text.size();
  };
  add(path);
  const auto names = disk.list(path);
  if (!names) {
    const auto content = read_file(disk, path, 1_GiB);
    if (content) add(as_text(*content));
    return sum;
  }
  for (const std::string& name : *names)
    sum = sum * 31 + fingerprint(disk, path == "/" ? path + name : path + "/" + name);
  return sum;
}

}  // namespace mhp::platform::testing
