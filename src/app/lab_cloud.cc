// Every step is a command that a person could type, in a process of its own.
#include "app/lab_cloud.h"

#include <fmt/format.h>

#include "app/text.h"

namespace mhp::app {

namespace {

constexpr const char* kCloud = "Lab";
constexpr std::uint64_t kMaxText = 16_MiB;
constexpr std::chrono::milliseconds kSoon{50};
constexpr int kPatience = 1200;  // looks: a minute

}  // namespace

LabCloud::LabCloud(Session& session, std::string folder, std::string lend, std::string level)
    : session_(session), folder_(std::move(folder)), lend_(std::move(lend)), level_(std::move(level)) {}

LabCloud::~LabCloud() = default;

std::string LabCloud::of(int number) const { return fmt::format("{}/{}", folder_, number); }

std::string LabCloud::name(int number) { return fmt::format("computer {}", number); }

Task<Result<std::string>> LabCloud::command(int number, std::vector<std::string> words, std::string input) {
  platform::Program program{.words = {program_, "--state", state(number), "--json"},
                            .output = of(number) + "/out",
                            .errors = of(number) + "/errors",
                            .input = std::move(input)};
  const std::string what = fmt::format("{}: mhp {}", name(number), words.front());
  program.words.insert(program.words.end(), words.begin(), words.end());
  platform::Disk& disk = session_.platform.disk();
  (void)disk.remove(program.errors);
  MHP_CO_TRY(auto child, platform::start_program(session_.platform.executor(), program));
  const int code = co_await child->ended();
  if (code != 0) {
    const auto errors = platform::read_file(disk, program.errors, kMaxText);
    const std::string said = errors ? printable(as_text(*errors)) : std::string();
    co_return fail(Errc::unavailable, fmt::format("{} ended with {}: {}", what, code, said));
  }
  MHP_CO_TRY(const Bytes out, platform::read_file(disk, program.output, kMaxText));
  co_return std::string(as_text(out));
}

Task<Result<void>> LabCloud::add(int number) {
  if (program_.empty()) {
    MHP_CO_TRY(program_, platform::own_program());
  }
  MHP_CO_TRY_VOID(session_.platform.disk().make_folder(of(number)));
  MHP_CO_TRY_VOID(co_await command(number, {"init", name(number), "--level", level_, "--phrase-file", phrase(number)}));
  if (number == 1) {
    MHP_CO_TRY_VOID(co_await command(number, {"cloud", "new", kCloud}));
  } else {
    MHP_CO_TRY_VOID(co_await join(number));
  }
  co_return co_await start(number);
}

/// The code goes from the first computer's output to the newcomer's input, by a file that nobody else can read.
Task<Result<void>> LabCloud::join(int number) {
  MHP_CO_TRY(const std::string told, co_await command(1, {"invite"}));
  const auto object = nlohmann::json::parse(told, nullptr, false);
  if (!object.is_object() || !object.contains("code")) co_return fail(Errc::corrupt, "mhp invite gave no code");
  const std::string path = of(number) + "/code";
  const std::string code = object["code"].get<std::string>();
  MHP_CO_TRY_VOID(platform::replace_file(session_.platform.disk(), path, as_bytes(code)));
  MHP_CO_TRY_VOID(co_await command(number, {"join", "-", "--lend", lend_, "--home-name", name(number)}, path));
  co_return Result<void>();
}

std::string LabCloud::logged(int number, const std::string& mark) const {
  const auto log = platform::read_file(session_.platform.disk(), this->log(number), kMaxText);
  if (!log) return "";
  const std::string_view text = as_text(*log);
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = text.substr(at + mark.size());
  return std::string(rest.substr(0, rest.find_first_of(" \n")));
}

Task<Result<void>> LabCloud::start(int number) {
  const std::string listen = logged(number, "listen=");  // at the same place as before
  (void)session_.platform.disk().remove(log(number));
  const platform::Program program{
      .words = {program_, "--state", state(number), "up", "--listen", listen.empty() ? "127.0.0.1:0" : listen, "--lend",
                lend_, "--name", name(number), "--trouble-file", trouble(number)},
      .output = "",
      .errors = log(number)};
  MHP_CO_TRY(up_[number], platform::start_program(session_.platform.executor(), program));
  for (int look = 0; look < kPatience; ++look) {
    if (!logged(number, "listen=").empty()) co_return Result<void>();
    co_await session_.platform.clock().sleep(kSoon);
  }
  co_return fail(Errc::timed_out, fmt::format("{} does not come up: see {}", name(number), log(number)));
}

Task<Result<void>> LabCloud::settle() {
  for (const auto& [number, child] : up_) {
    if (!child) continue;
    std::size_t reached = 0;
    for (int look = 0; look < kPatience && reached + 1 < up_.size(); ++look) {
      if (look > 0) co_await session_.platform.clock().sleep(kSoon);
      MHP_CO_TRY(const std::string told, co_await command(number, {"homes"}));
      const auto object = nlohmann::json::parse(told, nullptr, false);
      reached = 0;
      for (const auto& home : object["homes"]) reached += home["state"] == "up" ? 1 : 0;
    }
    if (reached + 1 < up_.size())
      co_return fail(Errc::timed_out, fmt::format("{} reaches only {} of the others", name(number), reached));
  }
  co_return Result<void>();
}

Task<> LabCloud::kill(int number) {
  auto& child = up_[number];
  if (!child) co_return;
  child->kill();
  (void)co_await child->ended();
  child.reset();
}

Task<> LabCloud::stop_all() {
  for (const auto& [number, child] : up_) {
    if (child) child->stop();
  }
  for (const auto& [number, child] : up_) {
    if (child) (void)co_await child->ended();
  }
  up_.clear();
}

Result<std::string> LabCloud::address(int number) const {
  const std::string found = logged(number, "listen=");
  if (found.empty()) return fail(Errc::not_found, name(number) + " has not been up");
  return found;
}

}  // namespace mhp::app
