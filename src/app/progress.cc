// Drawing the progress line.
#include "app/progress.h"

#include <fmt/format.h>

#include <cstdio>

#include "app/text.h"

namespace mhp::app {

using std::chrono::milliseconds;

ProgressLine::ProgressLine(Session& session, std::function<std::string()> line)
    : session_(session), line_(std::move(line)), nursery_(session.platform.executor()) {
  if (session_.out.draws_progress()) nursery_.start(draw());
}

ProgressLine::~ProgressLine() = default;

Task<> ProgressLine::draw() {
  for (;;) {
    co_await session_.platform.clock().sleep(milliseconds(500));
    fmt::print(stderr, "\r\033[K{}", line_());
    std::fflush(stderr);
  }
}

Task<> ProgressLine::stop() {
  nursery_.cancel();
  co_await nursery_.join();
  if (session_.out.draws_progress()) fmt::print(stderr, "\r\033[K");
}

TransferLine::TransferLine(platform::Clock& clock, const snapshot::Counters& counters, std::string verb)
    : clock_(&clock), counters_(&counters), verb_(std::move(verb)), start_(clock.steady()) {}

std::string TransferLine::operator()() const {
  const std::uint64_t files = counters_->files, bytes = counters_->bytes;
  const std::uint64_t files_total = counters_->files_total, bytes_total = counters_->bytes_total;
  const double seconds = std::chrono::duration<double>(clock_->steady() - start_).count();
  const double speed = seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
  std::string line = verb_ + " ";
  line += files_total > files ? fmt::format("{} of about {} files", format_count(files), format_count(files_total))
                              : plural(files, "file", "files");
  line += bytes_total > bytes ? fmt::format(", {} of about {}", format_bytes(bytes), format_bytes(bytes_total))
                              : ", " + format_bytes(bytes);
  line += fmt::format(", {}/s", format_bytes(static_cast<std::uint64_t>(speed)));
  if (bytes_total > bytes && speed > 0) {
    line += fmt::format(", {} left", format_seconds(static_cast<double>(bytes_total - bytes) / speed));
  }
  return line;
}

}  // namespace mhp::app
