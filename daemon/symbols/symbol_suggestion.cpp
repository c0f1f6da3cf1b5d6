// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/symbol_suggestion.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "daemon/symbols/debug_file.h"
#include "daemon/symbols/demangle.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/symbol_table.h"

namespace raceguard::symbols {
namespace {

constexpr std::size_t kSuggestions = 3;

// Levenshtein's distance, or `limit` + 1 as soon as it is certain to be more.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
  if ((a.size() > b.size() ? a.size() - b.size() : b.size() - a.size()) > limit) {
    return limit + 1;
  }
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    std::size_t least = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
      least = std::min(least, row[j]);
    }
    if (least > limit) {
      return limit + 1;
    }
  }
  return row[b.size()];
}

// "ns::Type::method" -> "method"
std::string_view last_part(std::string_view name) {
  const std::size_t scope = name.substr(0, name.find('<')).rfind("::");
  return scope == std::string_view::npos ? name : name.substr(scope + 2);
}

// Keeps the few best of the names that it is shown.
class NearestNames {
 public:
  explicit NearestNames(std::string wanted)
      : wanted_(std::move(wanted)), limit_(std::max<std::size_t>(1, last_part(wanted_).size() / 4)) {}

  void consider(std::string_view name) {
    // A forgotten scope is the commonest mistake: "f" for "ns::f" is nearer than any misspelling.
    const std::size_t distance = edit_distance(last_part(wanted_), last_part(name), limit_);
    if (distance <= limit_ && name != wanted_) {
      best_.emplace(distance, std::string(name));
      if (best_.size() > kSuggestions) {
        best_.erase(std::prev(best_.end()));
      }
    }
  }

  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [distance, name] : best_) {
      result.push_back(name);
    }
    return result;
  }

 private:
  std::string wanted_;
  std::size_t limit_;
  std::set<std::pair<std::size_t, std::string>> best_;
};

std::string describe_search(const ElfFile& file, const SearchedTables& searched) {
  std::string text = fmt::format("searched .symtab ({} functions), .dynsym ({})", searched.symtab, searched.dynsym);
  if (searched.symtab > 0) {
    return text;
  }
  if (!searched.debug_file.empty()) {
    return text + fmt::format(", {} ({})", searched.debug_file, searched.debug);
  }
  text += fmt::format(", .gnu_debugdata ({})", searched.mini_debug);
  if (file.build_id().empty()) {
    return text + "; the binary has no build-id, so no separate debug file can be found";
  }
  const std::string root = file.root() == "/" ? "" : file.root();
  return text + fmt::format("; no debug file at {}/{}", root, debug_path(file.build_id()));
}

std::string describe_remedy(const ElfFile& file, const SearchedTables& searched,
                            const std::vector<std::string>& nearest) {
  std::string text;
  if (!nearest.empty()) {
    text = fmt::format("Did you mean {}? ", fmt::join(nearest, ", "));
  }
  if (searched.symtab + searched.debug == 0) {
    const std::string inside = file.root() == "/" ? file.path() : file.path().substr(file.root().size());
    const std::string package = owning_package(file.root(), inside);
    text += package.empty()
                ? "The binary is stripped: only exported functions can be named. Install its debug symbols below "
                  "/usr/lib/debug/.build-id, or link it without -s."
                : fmt::format(
                      "The binary is stripped: only exported functions can be named. Its debug symbols are "
                      "usually in the package {}-dbgsym (Debian's debug archive).",
                      package);
  }
  while (!text.empty() && text.back() == ' ') {
    text.pop_back();
  }
  return text;
}

}  // namespace

std::vector<std::string> nearest_names(const SymbolTable& table, const std::string& glob) {
  NearestNames nearest(std::string(without_parameters(glob)));
  table.for_each([&](const TableEntry&, std::string_view symbol) {
    const std::string readable = demangle(std::string(symbol));
    nearest.consider(without_parameters(readable));
  });
  return nearest.names();
}

std::vector<std::string> nearest_of(const std::vector<std::string>& names, const std::string& wanted) {
  NearestNames nearest(wanted);
  for (const std::string& name : names) {
    nearest.consider(name);
  }
  return nearest.names();
}

std::string owning_package(const std::string& root, const std::string& path) {
  // With a merged /usr, dpkg's lists may have either name of a file.
  const std::string other = path.starts_with("/usr/") ? path.substr(4) : "/usr" + path;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root + "/var/lib/dpkg/info", error)) {
    if (entry.path().extension() != ".list") {
      continue;
    }
    std::ifstream list(entry.path());
    for (std::string line; std::getline(list, line);) {
      if (line == path || line == other) {
        const std::string package = entry.path().stem().string();
        return package.substr(0, package.find(':'));  // "libc6:amd64"
      }
    }
  }
  return {};
}

Error symbol_not_found(const ElfFile& file, const std::string& glob, const SymbolTable& table,
                       const SearchedTables& searched) {
  return Error(ErrorCode::kSymbolNotFound,
               fmt::format("no function matches \"{}\" in {}: {}", glob, file.path(), describe_search(file, searched)),
               describe_remedy(file, searched, nearest_names(table, glob)));
}

}  // namespace raceguard::symbols
