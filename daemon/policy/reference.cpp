// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/reference.h"

#include <algorithm>

#include <fmt/format.h>

#include "daemon/policy/key.h"
#include "daemon/policy/value.h"

namespace raceguard::policy {
namespace {

constexpr std::size_t kLineWidth = 110;

bool is_structure(const Key& key) { return key.kind == Kind::kMapping || is_list_of_mappings(key.kind); }

// "a duration such as ...; 10ms to 10s; default 100ms"
std::string facts(const Key& key) {
  std::string text = expectation(key);
  const std::string range = range_text(key);
  if (!range.empty() && text.find(range) == std::string::npos) {
    text += "; " + range;
  }
  if (key.required) {
    return text + "; required";
  }
  if (!key.fallback.empty()) {
    return text + fmt::format("; default {}", key.fallback);
  }
  return text + "; no default";
}

// Prose as comment lines of bounded width.
std::string comment(std::string_view text, const std::string& indent) {
  std::string result;
  std::string line;
  while (!text.empty()) {
    const std::size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    if (!line.empty() && indent.size() + line.size() + word.size() > kLineWidth) {
      result += fmt::format("{}#{}\n", indent, line);
      line.clear();
    }
    line += fmt::format(" {}", word);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return result + fmt::format("{}#{}\n", indent, line);
}

std::string sample_value(const Key& key) {
  return std::string(!key.sample.empty() || key.fallback.starts_with('(') ? key.sample : key.fallback);
}

std::string sample_mapping(const Mapping& mapping, std::size_t depth, bool list_item) {
  std::string result;
  for (const Key& key : mapping.keys) {
    const bool first_of_item = list_item && &key == mapping.keys.data();
    const std::string indent(depth * 2, ' ');
    result += comment(key.help, indent);
    if (!is_structure(key) || key.required) {
      result += comment(facts(key) + ".", indent);
    }
    const std::string marker = depth == 0 && key.required ? "" : "#";  // apiVersion alone is live
    // The item's dash takes the place of the two columns before its first key.
    const std::string lead = first_of_item ? std::string(depth * 2 - 2, ' ') + marker + "- " : indent + marker;
    if (is_structure(key)) {
      result += fmt::format("{}{}:\n", lead, key.name);
      result +=
          sample_mapping(*key.mapping, depth + (is_list_of_mappings(key.kind) ? 2 : 1), is_list_of_mappings(key.kind));
    } else {
      result += fmt::format("{}{}: {}\n", lead, key.name, sample_value(key));
    }
    if (depth <= 1 && !is_structure(key)) {
      result += "\n";
    }
  }
  return result;
}

std::string cell(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    result += letter == '|' ? "\\|" : std::string(1, letter);
  }
  return result;
}

std::string table(const Mapping& mapping, const std::string& path) {
  std::string result = fmt::format("### {}\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
                                   path.empty() ? "A file" : fmt::format("`{}`", path));
  for (const Key& key : mapping.keys) {
    std::string value = expectation(key);
    if (const std::string range = range_text(key); !range.empty() && value.find(range) == std::string::npos) {
      value += "; " + range;
    }
    const std::string fallback = key.required             ? "required"
                                 : key.fallback.empty()   ? ""
                                 : key.fallback[0] == '(' ? std::string(key.fallback.substr(1, key.fallback.size() - 2))
                                                          : fmt::format("`{}`", key.fallback);
    result += fmt::format("| `{}` | {} | {} | {} |\n", key.name, cell(value), cell(fallback), cell(key.help));
  }
  result += "\n";
  for (const Key& key : mapping.keys) {
    if (key.mapping != nullptr) {
      const std::string suffix = is_list_of_mappings(key.kind) ? "[]" : "";
      result += table(*key.mapping, (path.empty() ? "" : path + ".") + std::string(key.name) + suffix);
    }
  }
  return result;
}

}  // namespace

std::string sample_file() {
  return "# raceguard: every key of raceguardd's configuration, with its default, units and range.\n"
         "# To change one, remove the # before it and before the keys that it stands under.\n"
         "# Policies may stand here or in files of their own; each file begins with apiVersion.\n"
         "# Check a file before use: raceguardctl check FILE...\n\n" +
         sample_mapping(kFileMapping, 0, false);
}

std::string reference_tables() { return table(kFileMapping, ""); }

std::string uncomment(std::string_view sample) {
  std::string result;
  while (!sample.empty()) {
    const std::size_t end = std::min(sample.find('\n'), sample.size() - 1) + 1;
    std::string line(sample.substr(0, end));
    sample.remove_prefix(end);
    const std::size_t hash = line.find_first_not_of(' ');
    const bool setting = hash != std::string::npos && line[hash] == '#' && hash + 1 < line.size() &&
                         line[hash + 1] != ' ' && line[hash + 1] != '\n';
    if (setting) {
      line.erase(hash, 1);
    }
    result += line;
  }
  return result;
}

}  // namespace raceguard::policy
