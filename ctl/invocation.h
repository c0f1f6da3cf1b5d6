// SPDX-License-Identifier: Apache-2.0
// One call of raceguardctl, parsed: what the commands get.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ctl/text.h"
#include "raceguard/error.h"

namespace raceguard::ctl {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;  // the daemon cannot be reached or refuses, a file is not what it should be
inline constexpr int kUsage = 2;

struct Invocation {
  std::string command;
  std::string run_directory = "/run/raceguard";
  bool json = false;
  bool html = false;
  Style style;
  std::map<std::string, std::vector<std::string>, std::less<>> values;  // by the argument's name

  [[nodiscard]] bool given(std::string_view argument) const { return values.contains(argument); }
  // The (first) value; empty if it was not given.
  [[nodiscard]] std::string value(std::string_view argument) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view argument) const;
  [[nodiscard]] std::string socket_path() const { return run_directory + "/control.sock"; }
};

// "10m", "90s", "1.5h", "500ms", "50us", "2d" in seconds. Error: kUsage.
[[nodiscard]] Result<double> parse_duration(const std::string& text);
// "1%", "0.01": a share from 0 to 1. Error: kUsage.
[[nodiscard]] Result<double> parse_share(const std::string& text);
// A whole number from `least` to `most`. Error: kUsage, which names the argument.
[[nodiscard]] Result<long> parse_number(const std::string& argument, const std::string& text, long least, long most);

// "raceguardctl: RG-C101 ..." on stderr; kUsage for that code, kFailed for all others.
int report(const Error& error);

}  // namespace raceguard::ctl
