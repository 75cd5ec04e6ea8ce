// A reader of one line of HTTP: no more is needed for numbers that change nothing.
#include "app/metrics.h"

#include <fmt/format.h>

#include <set>

#include "platform/patience.h"

namespace mhp::app {
namespace {

constexpr std::size_t kMaxRequestBytes = 4_KiB;
constexpr std::chrono::seconds kScrapeLimit{5};
constexpr std::size_t kAtOnce = 8;

std::string reply_of(std::string_view status, std::string_view type, const std::string& body) {
  return fmt::format("HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", status,
                     type, body.size(), body);
}

}  // namespace

std::string metrics_text(const std::vector<Metric>& metrics) {
  std::string out;
  std::set<std::string> shown;
  for (const Metric& first : metrics) {
    if (!shown.insert(first.name).second) continue;
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", first.name, first.help, first.name,
                       first.is_counter ? "counter" : "gauge");
    for (const Metric& one : metrics) {
      if (one.name != first.name) continue;
      out += fmt::format("{}{} {}\n", one.name, one.label.empty() ? "" : "{" + one.label + "}", one.value);
    }
  }
  return out;
}

std::string metrics_reply(std::string_view request, const std::string& text) {
  const std::string_view line = request.substr(0, request.find("\r\n"));
  const std::size_t method_end = line.find(' ');
  const std::size_t path_end = line.find(' ', method_end + 1);
  if (method_end == std::string_view::npos || path_end == std::string_view::npos)
    return reply_of("400 Bad Request", "text/plain", "not a request\n");
  const std::string_view method = line.substr(0, method_end);
  std::string_view path = line.substr(method_end + 1, path_end - method_end - 1);
  path = path.substr(0, path.find('?'));
  if (path != "/metrics") return reply_of("404 Not Found", "text/plain", "there is /metrics here, nothing else\n");
  if (method != "GET") return reply_of("405 Method Not Allowed", "text/plain", "GET alone\n");
  return reply_of("200 OK", "text/plain; version=0.0.4; charset=utf-8", text);
}

static Task<> answer(platform::Stream& stream, MetricsSource& source, platform::Nursery& both) {
  std::string request;
  Bytes room(kMaxRequestBytes);
  while (request.find("\r\n\r\n") == std::string::npos && request.size() < kMaxRequestBytes) {
    const auto got = co_await stream.read_some(MutableBytes(room).first(kMaxRequestBytes - request.size()));
    if (!got || *got == 0) break;
    request += as_text(ByteView(room).first(*got));
  }
  if (request.find("\r\n\r\n") != std::string::npos) {
    const auto metrics = co_await source.metrics();
    const std::string reply = metrics_reply(request, metrics_text(metrics));
    (void)co_await stream.write_all(as_bytes(reply));
  }
  both.cancel();
}

static Task<> look_after(platform::Clock& clock, std::unique_ptr<platform::Stream> stream, MetricsSource& source,
                         platform::Semaphore& places) {
  co_await places.take();
  platform::Permit place(places);
  platform::Nursery both(co_await asio::this_coro::executor);
  both.start(answer(*stream, source, both));
  both.start(platform::impl::stop_after(clock, kScrapeLimit, both));
  co_await both.join();
  stream->close();
}

/// Connections beyond four times those that are answered at once are dropped.
static Task<> accept_all(platform::Clock& clock, platform::Listener& listener, MetricsSource& source,
                         platform::Semaphore& places, platform::Nursery& connections) {
  for (;;) {
    auto stream = co_await listener.accept();
    if (!stream && stream.error().code != Errc::exhausted) co_return;
    if (!stream) co_await clock.sleep(std::chrono::seconds(1));
    if (stream && connections.running() <= 4 * kAtOnce)
      connections.start(look_after(clock, std::move(*stream), source, places));
  }
}

Task<> serve_metrics(platform::Clock& clock, asio::any_io_executor executor, platform::Listener& listener,
                     MetricsSource& source) {
  platform::Semaphore places(executor, kAtOnce);
  platform::Nursery connections(executor);
  connections.start(accept_all(clock, listener, source, places, connections));
  co_await connections.join();
}

}  // namespace mhp::app
