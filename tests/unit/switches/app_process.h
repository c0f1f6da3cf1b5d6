// SPDX-License-Identifier: Apache-2.0
// A running application of programs/app_main.c ("serve"), asked over its pipes.
#pragma once

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "raceguard/unique_fd.h"

namespace raceguard::switches {

struct Answer {
  unsigned word = 0;
  int by_allow = -1;  // of the calls, those that went to the real function
  int by_word = -1;
};

class AppProcess {
 public:
  AppProcess(const std::filesystem::path& program, const std::string& page_path) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      return;
    }
    ours_.reset(ends[0]);
    const UniqueFd theirs(ends[1]);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(theirs.get(), STDIN_FILENO);
      ::dup2(theirs.get(), STDOUT_FILENO);
      ::setenv("RACEGUARD_PAGE", page_path.c_str(), 1);
      ::execl(program.c_str(), program.c_str(), "serve", nullptr);
      ::_exit(127);
    }
  }
  AppProcess(const AppProcess&) = delete;
  AppProcess& operator=(const AppProcess&) = delete;
  ~AppProcess() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }

  [[nodiscard]] Answer ask(int calls) const {
    const std::string question = std::to_string(calls) + "\n";
    Answer answer;
    if (::write(ours_.get(), question.data(), question.size()) < 0) {
      return answer;
    }
    std::string line;
    char character = 0;
    while (::read(ours_.get(), &character, 1) == 1 && character != '\n') {
      line += character;
    }
    std::sscanf(line.c_str(), "%u %d %d", &answer.word, &answer.by_allow, &answer.by_word);
    return answer;
  }

 private:
  UniqueFd ours_;
  pid_t pid_ = -1;
};

}  // namespace raceguard::switches
