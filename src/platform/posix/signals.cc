// One thread that does nothing but wait for signals.
#include "platform/posix/signals.h"

#include <pthread.h>
#include <unistd.h>

#include <utility>

namespace mhp::platform {
namespace {

bool is_ignored(int signal) {
  struct sigaction now{};
  return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

}  // namespace

sigset_t SignalWatch::watched() const {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  if (hears_hangup_) sigaddset(&set, SIGHUP);
  return set;
}

SignalWatch::SignalWatch(std::function<void()> on_first, int second_code) : hears_hangup_(!is_ignored(SIGHUP)) {
  // A shell starts what runs in its background with SIGINT ignored, and what is ignored is not even held back.
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGTERM, SIG_DFL);
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before_);  // the new thread inherits it
  thread_ = std::thread([this, first = std::move(on_first), second_code] { watch(first, second_code); });
  sigset_t here = before_;
  sigaddset(&here, SIGINT);
  sigaddset(&here, SIGTERM);
  if (hears_hangup_) sigaddset(&here, SIGHUP);
  pthread_sigmask(SIG_SETMASK, &here, nullptr);
}

SignalWatch::~SignalWatch() {
  closing_ = true;
  pthread_kill(thread_.native_handle(), SIGTERM);
  thread_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void SignalWatch::watch(const std::function<void()>& on_first, int second_code) {
  const sigset_t set = watched();
  for (bool again = false;; again = true) {
    int which = 0;
    ::sigwait(&set, &which);
    if (closing_) return;
    if (again && which == SIGHUP) continue;
    if (again) ::_exit(second_code);
    on_first();
  }
}

}  // namespace mhp::platform
