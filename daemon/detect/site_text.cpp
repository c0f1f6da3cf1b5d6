// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/site_text.h"

#include <fmt/format.h>

#include "daemon/events/lock_functions.h"
#include "raceguard/clock.h"

namespace raceguard::detect {
namespace {

using symbols::file_name;

std::string scaled(double value, const char* unit) {
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  std::string digits = fmt::format("{:.{}f}", value, decimals);
  if (decimals > 0) {
    digits.erase(digits.find_last_not_of('0') + 1);
    digits.erase(digits.find_last_not_of('.') + 1);
  }
  return digits + " " + unit;
}

// "void ns::f<int>(Foo const&)" -> "void ns::f<int>()": arguments make a sentence unreadable.
std::string without_arguments(const std::string& function) {
  if (!function.ends_with(')') && !function.ends_with("const")) {
    return function + "()";
  }
  const std::size_t close = function.rfind(')');
  int depth = 0;
  for (std::size_t i = close + 1; i-- > 0;) {
    depth += function[i] == ')' ? 1 : function[i] == '(' ? -1 : 0;
    if (depth == 0) {
      return function.substr(0, i) + "()";
    }
  }
  return function;
}

// A caller as an addition to a site: the function is enough where the binary is the site's and no line is known.
std::string outer_text(const symbols::CodeSite& site, const std::string& binary) {
  return site.source || site.binary != binary ? site_text(site) : without_arguments(site.function);
}

}  // namespace

std::string site_text(const symbols::CodeSite& site) {
  if (site.function.empty()) {
    return fmt::format("{:#x} in {}", site.address, file_name(site.binary));
  }
  if (site.source) {
    return fmt::format("{} at {}:{}", without_arguments(site.function), file_name(site.source->file),
                       site.source->line);
  }
  return fmt::format("{}+{:#x} in {}", without_arguments(site.function), site.function_offset, file_name(site.binary));
}

std::string caller_text(const events::Stack& stack) {
  const std::size_t caller = events::first_caller(stack);
  if (caller >= stack.reliable_frames) {
    return {};
  }
  const symbols::CodeSite& site = stack.frames[caller];
  // A stripped binary names only what it exports: the next name outwards tells more than an address.
  for (std::size_t i = caller + 1; site.function.empty() && i < stack.reliable_frames; ++i) {
    if (!stack.frames[i].function.empty()) {
      return fmt::format("{}, called by {}", site_text(site), outer_text(stack.frames[i], site.binary));
    }
  }
  return site_text(site);
}

std::string duration_text(std::int64_t ns) {
  const auto value = static_cast<double>(ns);
  if (ns < kNsPerUs) {
    return fmt::format("{} ns", ns);
  }
  if (ns < kNsPerMs) {
    return scaled(value / kNsPerUs, "us");
  }
  if (ns < kNsPerSecond) {
    return scaled(value / kNsPerMs, "ms");
  }
  return scaled(value / kNsPerSecond, "s");
}

std::string count_text(std::uint64_t count, const std::string& noun) {
  std::string digits = std::to_string(count);
  for (std::size_t i = digits.size(); i > 3; i -= 3) {
    digits.insert(i - 3, 1, ',');
  }
  return digits + " " + noun + (count == 1 ? "" : noun.ends_with("ch") ? "es" : "s");
}

}  // namespace raceguard::detect
