// SPDX-License-Identifier: Apache-2.0
// What the commands share that look at a process by themselves, for a while: record, locks --advise, intercept.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "ctl/invocation.h"

namespace raceguard::ctl {

// Errors of all four: kUsage.
[[nodiscard]] Result<pid_t> pid_of(const Invocation& invocation);
[[nodiscard]] Result<std::int64_t> parse_duration_ns(const std::string& text);
// Where the argument was given; else the value stays.
[[nodiscard]] Result<void> take_duration(const Invocation& invocation, std::string_view argument, std::int64_t& ns);
[[nodiscard]] Result<void> take_share(const Invocation& invocation, std::string_view argument, double& share);

// From the first call on SIGINT and SIGTERM end nothing by themselves: ended_by_user() says that one came.
void catch_end_signals();
[[nodiscard]] bool ended_by_user();

// One line on stderr that is written over and gone in the end; nothing where that is no terminal.
class ProgressLine {
 public:
  ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine();

  [[nodiscard]] bool is_shown() const { return shown_; }
  void show(const std::string& text);

 private:
  bool shown_;
  bool dirty_ = false;
};

}  // namespace raceguard::ctl
