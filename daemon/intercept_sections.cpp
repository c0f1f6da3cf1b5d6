// SPDX-License-Identifier: Apache-2.0
#include "daemon/intercept_sections.h"

#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <ranges>
#include <utility>

#include <fmt/format.h>

#include "daemon/intercept_inner.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/function_exits.h"
#include "daemon/symbols/inlined_copies.h"
#include "daemon/symbols/site_choice.h"
#include "daemon/symbols/variable.h"
#include "daemon/targets/process_reader.h"

namespace raceguard::app {
namespace {

constexpr std::uint64_t kMostDebugBytes = 64U << 20U;

struct Binary {
  targets::MappedBinary mapped;
  symbols::ElfFile file;
};

class Finder {
 public:
  Finder(const InterceptRequest& request, InterceptSections& found) : request_(request), found_(found) {}

  Result<void> open(const std::vector<targets::MappedBinary>& mapped, const std::string& root) {
    for (const targets::MappedBinary& each : mapped) {
      const bool known = std::ranges::any_of(binaries_, [&](const Binary& one) {
        return std::pair(one.mapped.device, one.mapped.inode) == std::pair(each.device, each.inode);
      });
      if (known || each.host_path.empty()) {
        continue;
      }
      auto file = symbols::ElfFile::open(each.host_path, root);
      if (file) {
        binaries_.push_back({each, std::move(*file)});
      } else if (binaries_.empty()) {
        return fail(std::move(file).error());
      }
    }
    if (binaries_.empty()) {
      return fail(ErrorCode::kTargetUnreadable, fmt::format("pid {} maps no binary that can be opened", request_.pid),
                  "Run as root, in the host's mount namespace");
    }
    look_for_unwinding();
    return {};
  }

  // `index`: its place in the request.
  Result<void> add(const RequestedFunction& wanted, std::size_t index) {
    const Binary* looked_at = nullptr;
    auto located = locate(wanted, looked_at);
    if (located) {
      return add_all(wanted, index, *located->binary, located->symbols);
    }
    const auto copies = looked_at == nullptr ? symbols::InlinedCopies{}
                                             : symbols::inlined_copies(looked_at->file, wanted.name, kMostDebugBytes);
    return copies.count == 0 ? fail(std::move(located).error()) : fail(inlined(wanted.name, copies));
  }

  // The same with only those accesses left that are better kept apart than the whole function; none where that is.
  [[nodiscard]] RequestedFunction narrowed(RequestedFunction wanted) {
    if (wanted.accesses.empty()) {
      return wanted;
    }
    const Binary* looked_at = nullptr;
    const auto located = locate(wanted, looked_at);
    const bool is_one = located && located->symbols.size() == 1;
    wanted.accesses = is_one ? app::narrowed(located->binary->file, located->symbols.front(), wanted.accesses)
                             : std::vector<std::uint64_t>{};
    return wanted;
  }

 private:
  struct Located {
    Binary* binary = nullptr;
    std::vector<symbols::Symbol> symbols;
  };

  // `looked_at`: the first binary that was meant.
  Result<Located> locate(const RequestedFunction& wanted, const Binary*& looked_at) {
    Error first(ErrorCode::kSymbolNotFound,
                fmt::format("cannot intercept {}: pid {} maps no file {}", wanted.name, request_.pid, wanted.binary),
                "See /proc/PID/maps for what it maps");
    for (Binary& binary : binaries_) {
      if (!is_meant(binary, wanted.binary)) {
        continue;
      }
      auto symbols = binary.file.find_functions(wanted.name);
      if (symbols) {
        return Located{.binary = &binary, .symbols = std::move(*symbols)};
      }
      if (looked_at == nullptr) {
        looked_at = &binary;
        first = std::move(symbols).error();
      }
    }
    return fail(std::move(first));
  }

  [[nodiscard]] static Error inlined(const std::string& name, const symbols::InlinedCopies& copies) {
    return Error(
        ErrorCode::kSymbolNoSite,
        fmt::format("cannot intercept {}: the compiler put its code into its callers, {} times", name, copies.count),
        copies.into.empty() ? "Name a function that calls it"
                            : fmt::format("Name a function that it is in: {}", fmt::join(copies.into, ", ")));
  }

  [[nodiscard]] bool is_meant(const Binary& binary, const std::string& wanted) const {
    const std::string& path = binary.mapped.path;
    return wanted.empty() || (wanted == "exe" && &binary == &binaries_.front()) || wanted == path ||
           ::fnmatch(wanted.c_str(), path.c_str(), 0) == 0;
  }

  // Whoever has an unwinder may throw; one that is stripped and linked statically has it without a name.
  void look_for_unwinding() {
    may_unwind_ = std::ranges::any_of(binaries_, [](const Binary& binary) {
      return binary.file.find_functions("_Unwind_RaiseException").has_value();
    });
    may_unwind_ = may_unwind_ || (binaries_.size() == 1 && !binaries_.front().file.find_functions("*").has_value());
    for (const Binary& binary : binaries_) {
      const auto symbols = binary.file.find_functions("__cxa_begin_catch");
      if (symbols && binary.file.read_code(symbols->front().address, 1).size() == 1) {
        found_.catches.push_back({.binary = id_of(binary),
                                  .host_path = binary.mapped.host_path,
                                  .file_offset = symbols->front().file_offset});
      }
    }
  }

  [[nodiscard]] static plan::BinaryId id_of(const Binary& binary) {
    return {.device = binary.file.device(), .inode = binary.file.inode(), .build_id = binary.file.build_id()};
  }

  Result<void> add_all(const RequestedFunction& wanted, std::size_t index, Binary& binary,
                       const std::vector<symbols::Symbol>& symbols) {
    if (found_.functions.size() + symbols.size() > RG_SECTIONS_MAX) {
      return fail(ErrorCode::kPlanLimit,
                  fmt::format("{} matches {} functions in {}, and {} can be intercepted at once", wanted.name,
                              symbols.size(), binary.mapped.path, RG_SECTIONS_MAX),
                  "Name fewer of them");
    }
    if (!wanted.accesses.empty() && symbols.size() > 1) {
      return fail(
          ErrorCode::kUsage,
          fmt::format("{} matches {} functions, and instructions are those of one", wanted.name, symbols.size()),
          "Name one of them");
    }
    for (const symbols::Symbol& symbol : symbols) {
      auto function = place(wanted, binary, symbol);
      if (!function) {
        return fail(std::move(function).error());
      }
      found_.functions.push_back(std::move(*function));
      found_.requested.push_back(index);
    }
    const auto copies = symbols::inlined_copies(binary.file, wanted.name, kMostDebugBytes);
    if (copies.count > 0) {
      found_.notes.push_back(
          fmt::format("{} is also inlined into its callers {} times ({}): those calls are not intercepted", wanted.name,
                      copies.count, fmt::join(copies.into, ", ")));
    }
    return {};
  }

  Result<kernel::InterceptedFunction> place(const RequestedFunction& wanted, Binary& binary,
                                            const symbols::Symbol& symbol) {
    kernel::InterceptedFunction function{
        .binary = id_of(binary), .host_path = binary.mapped.host_path, .symbol = symbol};
    const bool is_known = std::ranges::any_of(found_.functions, [&](const kernel::InterceptedFunction& other) {
      return other.binary == function.binary && other.symbol.address == symbol.address &&
             (other.is_inside || !wanted.accesses.empty());
    });
    if (is_known) {
      return fail(ErrorCode::kUsage, fmt::format("{} is named twice, and has one section at a time", symbol.demangled),
                  "Name all of its instructions at once: NAME[+0x1c,+0x24]");
    }
    const auto inside = place_accesses(wanted, binary, function);
    if (!inside) {
      return fail(inside.error());
    }
    if (!*inside) {
      if (auto placed = place_whole(wanted, binary, function); !placed) {
        return fail(std::move(placed).error());
      }
    }
    function.section.is_reader = wanted.is_reader ? 1 : 0;
    if (auto keyed = set_key(wanted.key, binary, function.section); !keyed) {
      return fail(std::move(keyed).error());
    }
    return function;
  }

  // False: all of the function is to be kept apart.
  Result<bool> place_accesses(const RequestedFunction& wanted, const Binary& binary,
                              kernel::InterceptedFunction& function) {
    if (wanted.accesses.empty()) {
      return false;
    }
    const auto sites = place_inside(function, binary.file, wanted.accesses, wanted.key.argument);
    if (sites) {
      found_.notes.push_back(fmt::format("{} is kept apart inside only: {}", function.symbol.demangled, sites->text()));
      return true;
    }
    if (sites.error().code() != ErrorCode::kSymbolNoSite) {
      return fail(sites.error());
    }
    found_.notes.push_back(
        fmt::format("{} is kept apart from its entry to its return, though instructions of it were named: {}",
                    function.symbol.demangled, sites.error().what()));
    return false;
  }

  Result<void> place_whole(const RequestedFunction& wanted, const Binary& binary,
                           kernel::InterceptedFunction& function) {
    const symbols::Symbol& symbol = function.symbol;
    function.exit_way = may_unwind_ ? kernel::ExitWay::kExits : kernel::ExitWay::kReturnProbe;
    const symbols::SiteOptions options{
        .need_return_probe = true, .arguments_needed = wanted.key.argument, .before_accesses = true, .kernel = {}};
    auto choice = symbols::choose_site(binary.file, symbol, options);
    if (!choice) {
      return fail(std::move(choice).error());
    }
    auto site = symbols::chosen_site(*choice, binary.file);
    if (!site) {
      return fail(std::move(site).error());
    }
    function.site = std::move(*site);
    if (function.site.kind == symbols::SiteKind::kSingleStepped) {
      found_.notes.push_back(fmt::format(
          "{} has no cheap place for its entry probe ({}): each call steps over an exception with the slot taken",
          symbol.demangled, function.site.instruction));
    }
    auto exits = symbols::find_exits(binary.file, symbol);
    if (exits && exits->empty()) {
      return fail(ErrorCode::kSymbolNoSite,
                  fmt::format("cannot intercept {} in {}: it never returns, so it would never give its slot back",
                              symbol.demangled, binary.mapped.path),
                  "Name a function that it calls");
    }
    if (may_unwind_) {
      if (!exits) {
        return fail(std::move(exits).error());
      }
      function.exits = std::move(*exits);
    }
    function.section.cfa_offset = function.site.cfa_offset;
    return {};
  }

  static Result<void> set_key(const InterceptKey& key, const Binary& binary, rg_section& section) {
    section.key = key.kind;
    section.argument = key.argument;
    section.offset = key.offset;
    section.bytes = key.bytes;
    if (key.kind != RG_KEY_GLOBAL) {
      return {};
    }
    const auto index = symbols::VariableIndex::build(binary.file, kMostDebugBytes);
    if (!index) {
      return fail(index.error());
    }
    const auto variable = index->find(key.global);
    if (!variable) {
      return fail(variable.error());
    }
    const auto bias = binary.file.load_bias(binary.mapped.start, binary.mapped.file_offset);
    const bool is_word = variable->size == 1 || variable->size == 2 || variable->size == 4 || variable->size == 8;
    if (!is_word || !bias || variable->kind == symbols::VariableKind::kThreadLocal) {
      return fail(ErrorCode::kUsage,
                  fmt::format("{} ({} bytes{}) is no key: calls are told apart by a value of 1, 2, 4 or 8 bytes",
                              variable->name, variable->size, variable->type.empty() ? "" : ", " + variable->type),
                  "Name a number or a pointer, or a member that is one");
    }
    section.offset = variable->address + *bias;
    section.bytes = static_cast<rg_u32>(variable->size);
    return {};
  }

  const InterceptRequest& request_;
  InterceptSections& found_;
  std::vector<Binary> binaries_;
  bool may_unwind_ = false;
};

Result<void> open(Finder& finder, pid_t pid, InterceptSections& found) {
  const targets::ProcessReader processes("/proc");
  const auto facts = processes.read_facts(pid);
  if (!facts) {
    return fail(facts.error());
  }
  const auto binaries = processes.read_binaries(facts->id);
  if (!binaries) {
    return fail(binaries.error());
  }
  found.process = facts->id;
  found.exe = facts->exe;
  return finder.open(*binaries, fmt::format("/proc/{}/root", pid));
}

Result<RequestedFunction> innermost(Finder& finder, InterceptSections& tried,
                                    const std::vector<RequestedFunction>& side) {
  Error last(ErrorCode::kSymbolNotFound, "a side of the race is in a function without a name",
             "Name functions by -p and -f; the stack in 'findings -o json' tells where it was");
  for (const RequestedFunction& each : side) {
    tried.functions.clear();  // of an attempt before
    RequestedFunction candidate = finder.narrowed(each);
    if (auto added = finder.add(candidate, 0)) {
      return candidate;
    } else {
      last = std::move(added).error();
    }
  }
  return fail(std::move(last));
}

// Both accesses, where both are in one function.
std::vector<RequestedFunction> with_accesses_of_all(const RaceSides& sides, std::vector<RequestedFunction> side) {
  for (RequestedFunction& function : side) {
    for (const RequestedFunction& other : sides | std::views::join) {
      if (&other != &function && other.name == function.name && other.binary == function.binary) {
        function.accesses.insert(function.accesses.end(), other.accesses.begin(), other.accesses.end());
      }
    }
    std::ranges::sort(function.accesses);
    function.accesses.erase(std::unique(function.accesses.begin(), function.accesses.end()), function.accesses.end());
  }
  return side;
}

}  // namespace

Result<InterceptSections> find_sections(const InterceptRequest& request) {
  InterceptSections found;
  Finder finder(request, found);
  if (auto opened = open(finder, request.pid, found); !opened) {
    return fail(std::move(opened).error());
  }
  for (std::size_t i = 0; i < request.functions.size(); ++i) {
    if (auto added = finder.add(request.functions[i], i); !added) {
      return fail(std::move(added).error());
    }
  }
  return found;
}

Result<std::vector<RequestedFunction>> find_innermost(pid_t pid, const RaceSides& sides) {
  InterceptRequest request;
  request.pid = pid;
  InterceptSections tried;
  Finder finder(request, tried);
  if (auto opened = open(finder, pid, tried); !opened) {
    return fail(std::move(opened).error());
  }
  std::vector<RequestedFunction> functions;
  for (const std::vector<RequestedFunction>& side : sides) {
    auto function = innermost(finder, tried, with_accesses_of_all(sides, side));
    if (!function) {
      return fail(std::move(function).error());
    }
    if (std::ranges::find(functions, *function) == functions.end()) {
      functions.push_back(std::move(*function));
    }
  }
  return functions;
}

}  // namespace raceguard::app
