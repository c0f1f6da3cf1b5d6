// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/variable_path.h"

#include <string_view>

namespace raceguard::symbols {
namespace {

// Where the name ends and the first step begins; dots inside of <> () {} belong to the name.
std::size_t end_of_name(std::string_view text) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '-' && i + 1 < text.size() && text[i + 1] == '>') {
      return i;
    }
    if (c == '<' || c == '(' || c == '{') {
      ++depth;
    } else if (c == '>' || c == ')' || c == '}') {
      --depth;
    } else if (depth <= 0 && (c == '.' || c == '[')) {
      return i;
    }
  }
  return text.size();
}

// "orders.c:count" but not "shop::total".
std::size_t end_of_file_name(std::string_view path) {
  const std::size_t colon = path.find(':');
  const bool single = colon != std::string_view::npos && colon + 1 < path.size() && path[colon + 1] != ':';
  return single && path.substr(0, colon).find('.') != std::string_view::npos ? colon : std::string_view::npos;
}

}  // namespace

std::vector<std::string> parse_member_path(const std::string& path) {
  std::vector<std::string> steps;
  std::string_view rest = path;
  while (!rest.empty()) {
    std::string prefix;
    if (rest.starts_with("->")) {
      prefix = "->";
      rest.remove_prefix(2);
    } else if (rest.front() == '.') {
      rest.remove_prefix(1);
    }
    if (!rest.empty() && rest.front() == '[') {
      const std::size_t end = rest.find(']');
      const std::size_t length = end == std::string_view::npos ? rest.size() : end + 1;
      steps.push_back(prefix + std::string(rest.substr(0, length)));
      rest.remove_prefix(length);
      continue;
    }
    const std::size_t length = end_of_name(rest);
    steps.push_back(prefix + std::string(rest.substr(0, length)));
    rest.remove_prefix(length);
  }
  return steps;
}

VariablePath parse_variable_path(const std::string& path) {
  VariablePath result;
  std::string rest = path;
  if (const std::size_t file = end_of_file_name(path); file != std::string::npos) {
    result.file = path.substr(0, file);
    rest = path.substr(file + 1);
  }
  const std::size_t end = end_of_name(rest);
  result.name = rest.substr(0, end);
  result.steps = parse_member_path(rest.substr(end));
  return result;
}

}  // namespace raceguard::symbols
