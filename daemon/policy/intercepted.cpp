// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/intercepted.h"

#include <charconv>
#include <optional>
#include <string_view>

#include <fmt/format.h>

namespace raceguard::policy {
namespace {

constexpr std::string_view kGlobal = "global:";

std::optional<std::uint64_t> number(std::string_view text) {
  const bool hex = text.starts_with("0x");
  text.remove_prefix(hex ? 2 : 0);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// "1+24:4"
bool parse_argument(std::string_view text, InterceptKey& key) {
  if (text.empty() || text[0] < '1' || text[0] > '6') {
    return false;
  }
  key.argument = static_cast<std::uint8_t>(text[0] - '0');
  text.remove_prefix(1);
  if (text.empty()) {
    key.kind = RG_KEY_ARGUMENT;
    return true;
  }
  if (text[0] != '+') {
    return false;
  }
  key.kind = RG_KEY_MEMBER;
  const std::size_t colon = text.find(':');
  const auto offset = number(text.substr(1, colon == std::string_view::npos ? colon : colon - 1));
  const auto bytes = colon == std::string_view::npos ? std::optional<std::uint64_t>(8) : number(text.substr(colon + 1));
  if (!offset || !bytes || (*bytes != 1 && *bytes != 2 && *bytes != 4 && *bytes != 8)) {
    return false;
  }
  key.offset = *offset;
  key.bytes = static_cast<std::uint8_t>(*bytes);
  return true;
}

// Commas between <>, (), [] and {} belong to a name: "Table<int, long>::put".
std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char byte : text) {
    constexpr std::string_view kOpening = "<([{";
    constexpr std::string_view kClosing = ">)]}";
    depth += kOpening.find(byte) != kOpening.npos ? 1 : kClosing.find(byte) != kClosing.npos ? -1 : 0;
    if (byte == ',' && depth <= 0) {
      parts.emplace_back();
    } else {
      parts.back() += byte;
    }
  }
  return parts;
}

bool cut_end(std::string& text, std::string_view end) {
  if (!text.ends_with(end)) {
    return false;
  }
  text.resize(text.size() - end.size());
  return true;
}

}  // namespace

Result<InterceptKey> parse_intercept_key(const std::string& text) {
  InterceptKey key;
  key.text = text;
  if (text == "none") {
    return key;
  }
  if (text.starts_with(kGlobal) && text.size() > kGlobal.size()) {
    key.kind = RG_KEY_GLOBAL;
    key.global = text.substr(kGlobal.size());
    return key;
  }
  if (text.starts_with("arg") && parse_argument(std::string_view(text).substr(3), key)) {
    return key;
  }
  return fail(ErrorCode::kUsage, fmt::format("key '{}' is none that calls can be told apart by", text),
              fmt::format("Give {}", kInterceptKeyForms));
}

Result<RequestedFunction> parse_intercepted_function(std::string text, const InterceptKey& fallback) {
  RequestedFunction function;
  function.key = fallback;
  const std::size_t at = text.rfind('@');
  if (at != std::string::npos) {
    auto key = parse_intercept_key(text.substr(at + 1));
    if (!key) {
      return fail(std::move(key).error());
    }
    function.key = std::move(*key);
    text.resize(at);
  }
  function.is_reader = cut_end(text, "=read");
  if (!function.is_reader) {
    cut_end(text, "=write");
  }
  if (text.empty()) {
    return fail(ErrorCode::kUsage, "a function to intercept has no name", "Give NAME, NAME=read or NAME=write@arg1");
  }
  function.name = std::move(text);
  return function;
}

Result<std::vector<RequestedFunction>> parse_intercepted(const std::string& text, const InterceptKey& fallback) {
  std::vector<RequestedFunction> functions;
  for (std::string& part : split(text)) {
    auto function = parse_intercepted_function(std::move(part), fallback);
    if (!function) {
      return fail(std::move(function).error());
    }
    functions.push_back(std::move(*function));
  }
  return functions;
}

}  // namespace raceguard::policy
