// A real folder for one test, under TMPDIR or /tmp, that goes with all that is in it.
#pragma once

#include <string>

namespace mhp::platform {

class TempFolder {
 public:
  TempFolder();
  /// In the folder `parent` instead.
  explicit TempFolder(const std::string& parent);
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace mhp::platform
