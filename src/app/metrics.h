// What a computer that is up counts, in Prometheus' text format, for programs on this computer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "platform/clock.h"
#include "platform/network.h"
#include "platform/nursery.h"

namespace mhp::app {

/// One number with its name, what it is, and perhaps a label ("home", an id).
struct Metric {
  std::string name;  // "mhp_requests_total"
  std::string help;
  bool is_counter = false;  // else a gauge
  std::string label = {};   // "home=\"3f2a91bc\""; empty: none
  double value = 0;
};

/// Text format 0.0.4; metrics of one name stand together, in the order given.
std::string metrics_text(const std::vector<Metric>& metrics);

/// The answer to an HTTP/1.1 request (its first line and headers): 200 with `text` for GET /metrics, else 404, 405,
/// 400.
std::string metrics_reply(std::string_view request, const std::string& text);

/// Where the numbers come from.
class MetricsSource {
 public:
  virtual ~MetricsSource() = default;
  virtual Task<std::vector<Metric>> metrics() = 0;
};

/// Answers one request a connection, at most 4 KiB in at most 5 s, 8 connections at once; until it is canceled. All are
/// borrowed.
Task<> serve_metrics(platform::Clock& clock, asio::any_io_executor executor, platform::Listener& listener,
                     MetricsSource& source);

}  // namespace mhp::app
