// The progress line: what is done, how fast, how long still; drawn on a terminal only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/session.h"
#include "snapshot/backup.h"

namespace mhp::app {

/// Draws `line()` twice a second until it goes; on no terminal it does nothing. Awaits nothing: lives beside the work.
class ProgressLine {
 public:
  ProgressLine(Session& session, std::function<std::string()> line);
  ~ProgressLine();
  /// Ends the drawing and clears the line. Must be awaited before the object goes.
  Task<> stop();

 private:
  Task<> draw();
  Session& session_;
  std::function<std::string()> line_;
  platform::Nursery nursery_;
};

/// "1,204 of 12,431 files, 0.4 of 3.1 GB, 310 MB/s, 9 s left": fields that are not known are left out.
class TransferLine {
 public:
  TransferLine(platform::Clock& clock, const snapshot::Counters& counters, std::string verb);
  std::string operator()() const;

 private:
  platform::Clock* clock_;
  const snapshot::Counters* counters_;
  std::string verb_;
  std::chrono::nanoseconds start_;
};

}  // namespace mhp::app
