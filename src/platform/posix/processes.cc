// fork, exec, and a descriptor that tells when the child has ended.
#include "platform/processes.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

namespace mhp::platform {
namespace {

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

class PosixChild final : public Child {
 public:
  PosixChild(asio::any_io_executor executor, int process, int descriptor)
      : process_(process), descriptor_(std::move(executor), descriptor) {}
  ~PosixChild() override {
    if (code_) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  int number() const override { return process_; }
  void stop() override {
    if (!code_) ::kill(process_, SIGTERM);
  }
  void kill() override {
    if (!code_) ::kill(process_, SIGKILL);
  }
  Task<int> ended() override {
    while (!code_) {
      co_await descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
      int status = 0;
      if (::waitpid(process_, &status, WNOHANG) != process_) continue;
      code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    co_return *code_;
  }

 private:
  const int process_;
  asio::posix::stream_descriptor descriptor_;
  std::optional<int> code_;
};

/// Between fork and exec: nothing but system calls.
[[noreturn]] void become(char* const* words, std::array<int, 3> streams, int parent, int problem) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  bool fine = ::getppid() == parent;
  for (int i = 0; i < 3; ++i) fine = fine && ::dup2(streams[static_cast<std::size_t>(i)], i) >= 0;
  if (fine) ::execv(words[0], words);
  const int why = errno;
  (void)!::write(problem, &why, sizeof why);
  ::_exit(127);
}

tl::unexpected<Error> failed(const std::string& what, int why) {
  const bool lack = why == EMFILE || why == ENFILE || why == ENOMEM || why == EAGAIN;
  const Errc code = lack ? Errc::exhausted : why == ENOENT ? Errc::not_found : Errc::unavailable;
  return fail(code, what + ": " + std::strerror(why));
}

}  // namespace

Result<std::unique_ptr<Child>> start_program(asio::any_io_executor executor, const Program& program) {
  const auto open = [](const std::string& path, int how) {
    return Descriptor(::open(path.empty() ? "/dev/null" : path.c_str(), how | O_CLOEXEC, 0600));
  };
  const Descriptor in = open(program.input, O_RDONLY);
  const Descriptor out = open(program.output, O_WRONLY | O_CREAT | O_TRUNC);
  const Descriptor errors = open(program.errors, O_WRONLY | O_CREAT | O_APPEND);
  if (in.number() < 0 || out.number() < 0 || errors.number() < 0) return failed("files of " + program.words[0], errno);
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return failed("pipe", errno);
  const Descriptor told(pipe[0]);
  Descriptor tells(pipe[1]);
  std::vector<char*> words;
  for (const std::string& word : program.words) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const int parent = ::getpid();
  const int process = ::fork();
  if (process < 0) return failed("fork", errno);
  if (process == 0) become(words.data(), {in.number(), out.number(), errors.number()}, parent, tells.number());
  ::close(tells.release());
  int why = 0;
  const auto got = ::read(told.number(), &why, sizeof why);  // nothing where exec closed it
  if (got == static_cast<ssize_t>(sizeof why)) {
    ::waitpid(process, nullptr, 0);
    return failed(program.words[0], why);
  }
  const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
  if (descriptor < 0) {
    const int reason = errno;
    ::kill(process, SIGKILL);
    ::waitpid(process, nullptr, 0);
    return failed("pidfd_open", reason);
  }
  return std::make_unique<PosixChild>(std::move(executor), process, descriptor);
}

Result<std::string> own_program() {
  std::array<char, PATH_MAX> path{};
  const auto length = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (length < 0) return failed("/proc/self/exe", errno);
  return std::string(path.data(), static_cast<std::size_t>(length));
}

}  // namespace mhp::platform
