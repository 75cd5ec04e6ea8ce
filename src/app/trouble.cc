// A service in front of the honest one.
#include "app/trouble.h"

#include <fmt/format.h>

#include <charconv>
#include <sstream>

namespace mhp::app {

constexpr std::chrono::hours kForEver{24};
constexpr std::uint64_t kMaxTroubleBytes = 64_KiB;

Result<Trouble> parse_trouble(const std::string& text) {
  Trouble out;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (word == "hangs") {
      out.hangs = true;
    } else if (word == "lies") {
      out.lies = true;
    } else if (word.starts_with("slow=")) {
      unsigned milliseconds = 0;
      const auto [end, error] = std::from_chars(word.data() + 5, word.data() + word.size(), milliseconds);
      if (error != std::errc() || end != word.data() + word.size())
        return fail(Errc::usage, "slow=N takes a number of milliseconds");
      out.slow = std::chrono::milliseconds(milliseconds);
    } else if (word.starts_with("cut_off=")) {
      std::istringstream ids(word.substr(8));
      for (std::string id; std::getline(ids, id, ',');) out.cut_off.insert(id);
    } else {
      return fail(Errc::usage, "no trouble is called '" + word + "'");
    }
  }
  return out;
}

std::string to_text(const Trouble& trouble) {
  std::string out;
  if (trouble.slow.count() > 0) out += fmt::format("slow={} ", trouble.slow.count());
  if (trouble.hangs) out += "hangs ";
  if (trouble.lies) out += "lies ";
  if (!trouble.cut_off.empty()) out += fmt::format("cut_off={} ", fmt::join(trouble.cut_off, ","));
  return out + "\n";
}

/// Of a fragment's bytes; everything else a liar would be found out by at once.
static bool asks_for_rows(const std::string& path) { return path.find("/rows/") != std::string::npos; }

class TroubledService::Answers final : public net::Served {
 public:
  Answers(const TroubledService& service, net::Peer peer, std::unique_ptr<net::Served> honest)
      : service_(service), peer_(std::move(peer)), honest_(std::move(honest)) {}

  Task<net::Reply> answer(net::Request request) override {
    const Trouble trouble = service_.now();
    platform::Clock& clock = service_.platform_.clock();
    if (trouble.hangs || trouble.cut_off.contains(peer_.id.hex())) co_await clock.sleep(kForEver);
    if (trouble.slow.count() > 0) co_await clock.sleep(trouble.slow);
    const bool is_spoiled = trouble.lies && asks_for_rows(request.path);
    net::Reply reply = co_await honest_->answer(std::move(request));
    if (is_spoiled && reply.status == 200 && !reply.body.empty()) reply.body[reply.body.size() / 2] ^= std::byte{1};
    co_return reply;
  }

 private:
  const TroubledService& service_;
  const net::Peer peer_;
  const std::unique_ptr<net::Served> honest_;
};

TroubledService::TroubledService(platform::Platform& platform, net::Service& honest, std::string path)
    : platform_(platform), honest_(honest), path_(std::move(path)) {}

std::unique_ptr<net::Served> TroubledService::serve(const net::Peer& peer) {
  return std::make_unique<Answers>(*this, peer, honest_.serve(peer));
}

Trouble TroubledService::now() const {
  const auto content = platform::read_file(platform_.disk(), path_, kMaxTroubleBytes);
  if (!content) return {};
  return parse_trouble(std::string(as_text(*content))).value_or(Trouble{});
}

}  // namespace mhp::app
