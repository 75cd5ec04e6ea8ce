// A real cloud on this computer: processes of `mhp up` with folders of their own, for `mhp lab` and `mhp demo`.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/session.h"
#include "platform/processes.h"

namespace mhp::app {

/// Computers are numbered from 1; the first founds the cloud and invites the others. All processes end with this.
class LabCloud {
 public:
  /// `folder` must exist and be empty. `lend`: what each lends ("1G"). `level`: of the first computer's vault.
  LabCloud(Session& session, std::string folder, std::string lend, std::string level = "normal");
  ~LabCloud();
  LabCloud(const LabCloud&) = delete;
  LabCloud& operator=(const LabCloud&) = delete;

  std::string of(int number) const;
  std::string state(int number) const { return of(number) + "/state"; }
  std::string phrase(int number) const { return of(number) + "/phrase.txt"; }
  std::string log(int number) const { return of(number) + "/up.log"; }
  std::string trouble(int number) const { return of(number) + "/trouble"; }
  static std::string name(int number);

  /// One computer more: its vault, the cloud, `mhp up`; until it answers. Errors: what the command said that failed.
  Task<Result<void>> add(int number);
  /// Until all know the addresses of all, as far as they are up. Errors: timed_out.
  Task<Result<void>> settle();
  Task<Result<void>> start(int number);
  Task<> kill(int number);
  /// In order.
  Task<> stop_all();
  /// Where it answers, "127.0.0.1:PORT". Errors: not_found (it has not been up).
  Result<std::string> address(int number) const;
  int computers() const { return static_cast<int>(up_.size()); }

 private:
  Task<Result<std::string>> command(int number, std::vector<std::string> words, std::string input = "");
  Task<Result<void>> join(int number);
  /// What follows `mark` in the log, up to a space.
  std::string logged(int number, const std::string& mark) const;

  Session& session_;
  const std::string folder_;
  const std::string lend_;
  const std::string level_;
  std::string program_;
  std::map<int, std::unique_ptr<platform::Child>> up_;  // null: it was killed
};

}  // namespace mhp::app
