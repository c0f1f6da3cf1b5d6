// SPDX-License-Identifier: Apache-2.0
#include "daemon/intercept_request.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include <fmt/format.h>

namespace raceguard::app {
namespace {

// "+0x1c" or "+28"
std::optional<std::uint64_t> offset_of(std::string_view text) {
  if (!text.starts_with('+')) {
    return std::nullopt;
  }
  const bool hex = text.starts_with("+0x");
  text.remove_prefix(hex ? 3 : 1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// What is in the brackets leaves the name. Other brackets are the name's: "operator[]", "[a-z]*".
bool cut_accesses(RequestedFunction& function) {
  std::string& name = function.name;
  const std::size_t open = name.ends_with(']') ? name.rfind("[+") : std::string::npos;
  if (open == std::string::npos) {
    return true;
  }
  std::string_view rest = std::string_view(name).substr(open + 1, name.size() - open - 2);
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const auto offset = offset_of(rest.substr(0, comma));
    if (!offset) {
      return false;
    }
    function.accesses.push_back(*offset);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  name.resize(open);
  std::ranges::sort(function.accesses);
  function.accesses.erase(std::unique(function.accesses.begin(), function.accesses.end()), function.accesses.end());
  return !name.empty();
}

}  // namespace

std::string name_with_accesses(const RequestedFunction& function) {
  std::string offsets;
  for (const std::uint64_t offset : function.accesses) {
    offsets += fmt::format("{}+{:#x}", offsets.empty() ? "" : ",", offset);
  }
  return offsets.empty() ? function.name : fmt::format("{}[{}]", function.name, offsets);
}

Result<std::vector<RequestedFunction>> parse_requested(const std::string& text, const InterceptKey& fallback) {
  auto parsed = policy::parse_intercepted(text, fallback);
  if (!parsed) {
    return fail(std::move(parsed).error());
  }
  std::vector<RequestedFunction> functions;
  for (policy::RequestedFunction& each : *parsed) {
    RequestedFunction function(std::move(each));
    if (!cut_accesses(function)) {
      return fail(ErrorCode::kUsage, fmt::format("'{}' names no instructions of a function", function.name),
                  "Give their offsets from its entry: NAME[+0x1c,+0x24]");
    }
    functions.push_back(std::move(function));
  }
  return functions;
}

}  // namespace raceguard::app
