// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/guard_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <utility>

namespace raceguard::plan {
namespace {

constexpr std::string_view kExecutable = "exe";

// A switch's marker never runs, and the kernel refuses a second probe on it that does not name its word too
// (kernel/events/uprobes.c, ref_ctr_mismatch): a glob such as "*" does not mean it.
bool is_marker(const PlanFile& file, const symbols::Symbol& function) {
  return std::ranges::any_of(file.facts->markers(), [&](const symbols::SwitchMarker& marker) {
    return marker.marker_offset >= function.file_offset && marker.marker_offset - function.file_offset < function.size;
  });
}

}  // namespace

GuardPlan::GuardPlan(const policy::Guard& guard, std::uint32_t guard_index, std::vector<const targets::Target*> targets,
                     PlanFiles& files)
    : guard_(guard), guard_index_(guard_index), targets_(std::move(targets)), files_(files) {}

void GuardPlan::omit(std::string what, const Error& error) {
  omissions.push_back(
      {.guard = guard_.name, .what = std::move(what), .reason = error.to_string(), .code = error.code()});
}

void GuardPlan::omit_file(const PlanFile& file) {
  if (omitted_files_.insert(&file).second) {
    omit(fmt::format("binary {} of {}", file.binary.path, file.process), *file.error);
  }
}

std::vector<PlanFile*> GuardPlan::select(const std::string& binary) {
  std::vector<PlanFile*> result;
  const auto take = [&](const targets::MappedBinary& mapped) {
    PlanFile* file = &files_.open(mapped);
    if (std::ranges::find(result, file) == result.end()) {
      result.push_back(file);
    }
  };
  for (const targets::Target* target : targets_) {
    if (binary.empty() || binary == kExecutable) {
      if (!target->binaries.empty()) {
        take(target->binaries.front());
      }
      continue;
    }
    for (const targets::MappedBinary& mapped : target->binaries) {
      if (::fnmatch(binary.c_str(), mapped.path.c_str(), 0) == 0) {
        take(mapped);
      }
    }
  }
  return result;
}

std::string GuardPlan::mapped_names() const {
  std::set<std::string> names;
  for (const targets::Target* target : targets_) {
    for (const targets::MappedBinary& mapped : target->binaries) {
      names.insert(mapped.path);
    }
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

std::uint8_t GuardPlan::object_argument(const policy::FunctionGuard& function, const FoundFunction& found) {
  const auto& objects = guard_.watch.objects;
  const auto object = std::ranges::find(objects, function.name, &policy::WatchedObject::function);
  if (object == objects.end()) {
    return 0;
  }
  if (object->argument >= found.site->intact_arguments) {
    omit(fmt::format("objects of function {}", found.symbol.demangled),
         Error(ErrorCode::kSymbolNoSite,
               fmt::format("argument {} is not in its register any more where the probe sits (+{:#x} {})",
                           object->argument, found.site->function_offset, found.site->instruction),
               "Name a function that is called with the object earlier, see 'raceguardctl sites'"));
    return 0;
  }
  // Single-stepped out of line: a watchpoint's hit then names the copy, in a page of the kernel's.
  const bool steps_access =
      found.site->kind == symbols::SiteKind::kSingleStepped && found.site->instruction.find('[') != std::string::npos;
  if (steps_access) {
    omit(fmt::format("accesses at +{:#x} of {}", found.site->function_offset, found.symbol.demangled),
         Error(ErrorCode::kSymbolNoSite,
               fmt::format("the probe sits on {}, and what a probed instruction touches cannot be told",
                           found.site->instruction),
               "Races of the function's other instructions are found; a caller may be the better guard"));
  }
  return static_cast<std::uint8_t>(object->argument + 1);
}

// A return probe puts an address of the kernel's onto the stack: an exception that passes by ends the process.
Result<std::vector<symbols::FunctionExit>> GuardPlan::returns_of(const policy::FunctionGuard& function,
                                                                 const PlanFile& file, const FoundFunction& found) {
  if (!function.may_throw || !file.facts->may_see_exceptions()) {
    return {};
  }
  const auto& returns = file.facts->find_returns(found.symbol);
  if (!returns) {
    return fail(
        ErrorCode::kSymbolMayThrow,
        fmt::format("{} ({}) is a C++ or Rust program: an exception that passed through a call while its return is "
                    "probed would end the process, and the function's own ends cannot be probed instead: {}",
                    file.binary.path, file.process, returns.error().what()),
        "If no exception passes through it, say may_throw: false in the policy; or name its caller");
  }
  return *returns;
}

void GuardPlan::add_probe(const policy::FunctionGuard& function, const PlanFile& file, const FoundFunction& found) {
  if (!found.site) {
    omit("function " + found.symbol.demangled, found.site.error());
    return;
  }
  auto returns = returns_of(function, file, found);
  if (!returns) {
    omit("function " + found.symbol.demangled, returns.error());
    return;
  }
  FunctionProbe probe{.guard_index = guard_index_,
                      .guard = guard_.name,
                      .name = function.name,
                      .symbol = found.symbol,
                      .site = *found.site,
                      .binary = file.id(),
                      .host_path = file.binary.host_path,
                      .slow_ns = function.slow_ns,
                      .error = {},
                      .returns = std::move(*returns),
                      .object_argument = object_argument(function, found)};
  if (function.error) {
    probe.error.push_back(*function.error);
  }
  functions.push_back(std::move(probe));
}

bool GuardPlan::search(const policy::FunctionGuard& function, const PlanFile& file, std::optional<Error>& not_found) {
  if (file.error) {
    omit_file(file);
    return false;
  }
  if (file.facts->is_go()) {
    omit("function " + function.symbol_glob,
         Error(ErrorCode::kSymbolGoProgram,
               fmt::format("{} ({}) is a Go program: a return probe would crash it when a goroutine's stack moves "
                           "(golang/go 22008)",
                           file.binary.path, file.process),
               "Guard its contention only"));
    return true;
  }
  const auto& matching = file.facts->find_functions(function.symbol_glob);
  if (matching) {
    for (const FoundFunction& found : *matching) {
      if (!is_marker(file, found.symbol)) {
        add_probe(function, file, found);
      }
    }
    return true;
  }
  const Error& error = matching.error();
  if (error.code() != ErrorCode::kSymbolNotFound) {
    omit("function " + function.symbol_glob, error);
    return true;
  }
  if (!not_found) {
    not_found = Error(ErrorCode::kPolicyMatchesNothing, error.what(), error.remedy());
  }
  return false;
}

// A glob has to match in one of the binaries, not in each: a guard may hold several versions of a program.
void GuardPlan::plan_function(const policy::FunctionGuard& function) {
  const std::vector<PlanFile*> files = select(function.binary);
  bool found = false;
  std::optional<Error> not_found;
  for (const PlanFile* file : files) {
    found = search(function, *file, not_found) || found;
  }
  if (!found && not_found) {
    omit("function " + function.symbol_glob, *not_found);
  }
  const bool mapped_any = std::ranges::any_of(targets_, [](const auto* target) { return !target->binaries.empty(); });
  if (files.empty() && mapped_any) {
    omit("function " + function.symbol_glob,
         Error(ErrorCode::kPolicyMatchesNothing,
               fmt::format("no running target of guard {} maps a file that matches {}; they map {}", guard_.name,
                           function.binary, mapped_names())));
  }
}

void GuardPlan::plan_functions() {
  for (const policy::FunctionGuard& function : guard_.functions) {
    plan_function(function);
  }
}

void GuardPlan::plan_words() {
  if (guard_.switches.empty()) {
    return;
  }
  for (PlanFile* file : select("*")) {
    if (file->error) {
      // Not every mapped file is an ELF file (fonts, JIT caches): they just carry no marker.
      if (file->error->code() != ErrorCode::kSymbolNotElf) {
        omit_file(*file);
      }
      continue;
    }
    for (const Error& rejected : file->facts->rejected_markers()) {
      omit("switch word in " + file->binary.path, rejected);
    }
    for (const symbols::SwitchMarker& marker : file->facts->markers()) {
      if (std::ranges::find(guard_.switches, marker.name, &policy::SwitchPolicy::name) != guard_.switches.end()) {
        words.push_back(
            {.switch_name = marker.name, .marker = marker, .binary = file->id(), .host_path = file->binary.host_path});
      }
    }
  }
}

}  // namespace raceguard::plan
