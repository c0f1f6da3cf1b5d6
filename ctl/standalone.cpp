// SPDX-License-Identifier: Apache-2.0
#include "ctl/standalone.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <limits>

#include <fmt/format.h>

namespace raceguard::ctl {
namespace {

volatile std::sig_atomic_t end_signal_came = 0;

}  // namespace

Result<pid_t> pid_of(const Invocation& invocation) {
  return parse_number("--pid", invocation.value("p"), 1, std::numeric_limits<int>::max()).map([](long pid) {
    return static_cast<pid_t>(pid);
  });
}

Result<std::int64_t> parse_duration_ns(const std::string& text) {
  return parse_duration(text).map([](double seconds) { return static_cast<std::int64_t>(seconds * 1e9); });
}

Result<void> take_duration(const Invocation& invocation, std::string_view argument, std::int64_t& ns) {
  if (!invocation.given(argument)) {
    return {};
  }
  return parse_duration_ns(invocation.value(argument)).map([&](std::int64_t given) { ns = given; });
}

Result<void> take_share(const Invocation& invocation, std::string_view argument, double& share) {
  if (!invocation.given(argument)) {
    return {};
  }
  return parse_share(invocation.value(argument)).map([&](double given) { share = given; });
}

void catch_end_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { end_signal_came = 1; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool ended_by_user() { return end_signal_came != 0; }

ProgressLine::ProgressLine() : shown_(::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  if (dirty_) {
    fmt::print(stderr, "\r\033[K");
  }
}

void ProgressLine::show(const std::string& text) {
  if (shown_) {
    fmt::print(stderr, "\r\033[K{}", text);
    std::fflush(stderr);
    dirty_ = true;
  }
}

}  // namespace raceguard::ctl
