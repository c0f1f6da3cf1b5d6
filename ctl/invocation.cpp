// SPDX-License-Identifier: Apache-2.0
#include "ctl/invocation.h"

#include <array>
#include <charconv>
#include <cstdio>

#include <fmt/format.h>

#include "ctl/document.h"

namespace raceguard::ctl {
namespace {

struct Unit {
  std::string_view name;
  double seconds;
};
constexpr std::array kUnits = {Unit{"us", 1e-6}, Unit{"ms", 1e-3}, Unit{"s", 1},
                               Unit{"m", 60},    Unit{"h", 3600},  Unit{"d", 86400}};

}  // namespace

std::string Invocation::value(std::string_view argument) const {
  const auto found = values.find(argument);
  return found == values.end() || found->second.empty() ? std::string() : found->second.front();
}

std::vector<std::string> Invocation::all(std::string_view argument) const {
  const auto found = values.find(argument);
  return found == values.end() ? std::vector<std::string>{} : found->second;
}

Result<double> parse_share(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit == "%") {
    value /= 100;
  }
  if (error != std::errc() || (!unit.empty() && unit != "%") || value <= 0 || value > 1) {
    return fail(ErrorCode::kUsage, fmt::format("'{}' is not a share", text), "Write 1% or 0.01, at most 100%");
  }
  return value;
}

Result<double> parse_duration(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error == std::errc() && value > 0) {
    for (const Unit& each : kUnits) {
      if (each.name == unit) {
        return value * each.seconds;
      }
    }
  }
  return fail(ErrorCode::kUsage, fmt::format("'{}' is not a time", text),
              "Write a number and its unit: 500ms, 90s, 10m, 1.5h, 2d");
}

Result<long> parse_number(const std::string& argument, const std::string& text, long least, long most) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    return fail(ErrorCode::kUsage,
                fmt::format("{} '{}' is not a whole number from {} to {}", argument, text, least, most));
  }
  return value;
}

int report(const Error& error) {
  fmt::print(stderr, "raceguardctl: {}\n", printable(error.to_string()));
  return error.code() == ErrorCode::kUsage ? kUsage : kFailed;
}

}  // namespace raceguard::ctl
