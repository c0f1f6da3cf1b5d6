// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/variable_lookup.h"

#include <dwarf.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "daemon/symbols/demangle.h"
#include "daemon/symbols/dwarf_walk.h"
#include "daemon/symbols/symbol_suggestion.h"

namespace raceguard::symbols {
namespace {

constexpr std::size_t kMaxListed = 5;

std::optional<SourceLine> declared(const FoundVariable& one) {
  Dwarf_Die die = one.die;
  return die.addr != nullptr ? declaration_of(die) : std::nullopt;
}

bool is_in_file(const FoundVariable& one, const std::string& file) {
  const auto line = declared(one);
  return line && (line->file == file || line->file.ends_with("/" + file));
}

// Exact names before those that end with "::" and what was asked for.
std::vector<const FoundVariable*> matches(const std::vector<FoundVariable>& found, const VariablePath& path) {
  std::vector<const FoundVariable*> exact;
  std::vector<const FoundVariable*> ending;
  const std::string suffix = "::" + path.name;
  for (const FoundVariable& one : found) {
    const bool same = one.variable.name == path.name;
    if ((same || one.variable.name.ends_with(suffix)) && (path.file.empty() || is_in_file(one, path.file))) {
      (same ? exact : ending).push_back(&one);
    }
  }
  auto& chosen = exact.empty() ? ending : exact;
  // A static program has libc's own "lock" besides: those in the source come first.
  const auto in_source = [](const FoundVariable* one) { return one->die.addr != nullptr; };
  if (std::ranges::any_of(chosen, in_source)) {
    std::erase_if(chosen, std::not_fn(in_source));
  }
  return chosen;
}

std::string describe(const FoundVariable& one) {
  const auto line = declared(one);
  return line ? fmt::format("{} ({}:{})", one.variable.name, line->file, line->line) : one.variable.name;
}

std::string join_nearest(const std::vector<std::string>& nearest) {
  return nearest.empty() ? std::string() : fmt::format("Did you mean {}?", fmt::join(nearest, ", "));
}

std::string qualified_name_without_parameters(const std::string& function) {
  const std::string readable = demangle(function);
  return std::string(without_parameters(readable));
}

std::string linkage_name(Dwarf_Die& die) {
  Dwarf_Attribute attribute;
  const char* name = dwarf_formstring(dwarf_attr_integrate(&die, DW_AT_linkage_name, &attribute));
  return name != nullptr ? name : "";
}

std::optional<Dwarf_Die> parameter(Dwarf_Die& function, std::size_t index) {
  Dwarf_Die child;
  if (dwarf_child(&function, &child) != 0) {
    return std::nullopt;
  }
  do {
    if (dwarf_tag(&child) == DW_TAG_formal_parameter && index-- == 0) {
      return child;
    }
  } while (dwarf_siblingof(&child, &child) == 0);
  return std::nullopt;
}

}  // namespace

Result<const FoundVariable*> look_up(const ElfFile& file, const std::vector<FoundVariable>& found,
                                     const VariablePath& path, const std::string& why_no_types) {
  const auto candidates = matches(found, path);
  if (candidates.size() == 1) {
    return candidates.front();
  }
  if (candidates.empty()) {
    std::vector<std::string> names;
    for (const FoundVariable& one : found) {
      names.push_back(one.variable.name);
    }
    return fail(ErrorCode::kSymbolNotFound,
                fmt::format("no variable \"{}\"{} in {} ({} variables known{}{})", path.name,
                            path.file.empty() ? "" : " of " + path.file, file.path(), found.size(),
                            why_no_types.empty() ? "" : "; symbols only: ", why_no_types),
                join_nearest(nearest_of(names, path.name)));
  }
  std::vector<std::string> listed;
  for (std::size_t i = 0; i < std::min(candidates.size(), kMaxListed); ++i) {
    listed.push_back(describe(*candidates[i]));
  }
  return fail(ErrorCode::kSymbolNotFound,
              fmt::format("{} variables of {} are called \"{}\": {}", candidates.size(), file.path(), path.name,
                          fmt::join(listed, ", ")),
              "Write its scopes, or its file and a colon in front.");
}

Result<Dwarf_Die> find_type(const TypeIndex& types, const std::string& name, const std::string& why_no_types) {
  if (const auto exact = types.definition(name)) {
    return *exact;
  }
  const auto ending = types.ending_with(name);
  if (ending.size() == 1) {
    return *types.definition(ending.front());
  }
  if (!why_no_types.empty()) {
    return fail(ErrorCode::kSymbolNotFound, fmt::format("no type \"{}\": {}", name, why_no_types),
                "Build it with -g, or install its debug symbols.");
  }
  if (ending.size() > 1) {
    return fail(
        ErrorCode::kSymbolNotFound,
        fmt::format("{} types are called \"{}\": {}", ending.size(), name,
                    fmt::join(ending.begin(), ending.begin() + std::min<std::ptrdiff_t>(std::ssize(ending), 5), ", ")),
        "Write its scopes.");
  }
  return fail(ErrorCode::kSymbolNotFound, fmt::format("no type \"{}\"", name),
              join_nearest(nearest_of(types.names(), name)));
}

std::string pointee_type(Dwarf* dwarf, const TypeReader& reader, const std::string& function, std::size_t index) {
  const std::string plain = qualified_name_without_parameters(function);
  std::string result;
  bool certain = false;
  walk(dwarf, [&](Dwarf_Die& die, int tag, const std::string& name) {
    if (tag != DW_TAG_subprogram || certain || (!result.empty() && name != plain)) {
      return;
    }
    const std::string linkage = linkage_name(die);
    const bool same_symbol = !linkage.empty() && (linkage == function || demangle(linkage) == function);
    if (!same_symbol && (name != plain || !result.empty())) {
      return;
    }
    auto found = parameter(die, index);
    const Type type = found ? reader.type_of(*found) : Type{};
    Dwarf_Die pointer = type.die;
    if (TypeReader::is_pointer(type)) {
      const Type target = reader.type_of(pointer);
      result = target.tag != 0 ? target.name : "";
      certain = same_symbol;
    }
  });
  return result;
}

}  // namespace raceguard::symbols
