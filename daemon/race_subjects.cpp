// SPDX-License-Identifier: Apache-2.0
#include "daemon/race_subjects.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "daemon/symbols/elf_layout.h"
#include "daemon/symbols/static_access.h"

namespace raceguard::app {
namespace {

using symbols::Variable;
using symbols::VariableKind;

constexpr std::uint64_t kMaxDebugBytes = 512U << 20U;
constexpr std::size_t kScalarsOfOne = 64;  // of one variable; the rest of an array is found by its changes
constexpr std::size_t kContendedLocks = 32;
constexpr std::uint64_t kWord = 8;

bool watchable(VariableKind kind) {
  return kind == VariableKind::kPlain || kind == VariableKind::kVolatile || kind == VariableKind::kUnknown;
}

// The aligned pieces that an address register can cover: a scalar is one, unless it is packed or longer than a word.
std::vector<plan::WatchCandidate> pieces(std::uint64_t address, std::uint64_t size, plan::WatchSource source) {
  std::vector<plan::WatchCandidate> found;
  while (size > 0 && found.size() < kScalarsOfOne) {
    std::uint32_t length = 8;
    while (length > size || address % length != 0) {
      length /= 2;
    }
    found.push_back({.address = address, .length = length, .source = source});
    address += length;
    size -= length;
  }
  return found;
}

void append(std::vector<plan::WatchCandidate>& to, std::vector<plan::WatchCandidate> more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

bool RaceSubjects::is_system_library(const std::string& path) {
  const std::string_view name = symbols::file_name(path);
  constexpr std::array<std::string_view, 6> kPrefixes = {"libc.so", "libc-",      "ld-linux",
                                                         "ld-2.",   "libpthread", "libstdc++"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(), [name](std::string_view p) { return name.starts_with(p); });
}

void RaceSubjects::follow(const std::vector<targets::MappedBinary>& binaries) {
  for (const targets::MappedBinary& binary : binaries) {
    const bool known =
        std::any_of(modules_.begin(), modules_.end(), [&](const Module& module) { return module.path == binary.path; });
    if (!known && !binary.host_path.empty()) {
      add_module(binary);
    }
  }
}

void RaceSubjects::add_module(const targets::MappedBinary& binary) {
  auto file = resolver_.file(binary.host_path);
  if (!file) {
    notes_.push_back(fmt::format("variables of {} are not known: {}", binary.path, file.error().to_string()));
    return;
  }
  const auto bias = (*file)->load_bias(binary.start, binary.file_offset);
  if (!bias) {
    return;
  }
  Module module{
      .path = binary.path, .build_id = (*file)->build_id(), .file = *file, .variables = nullptr, .bias = *bias};
  for (const symbols::Segment& segment : (*file)->layout().segments()) {
    if (segment.type == PT_LOAD && segment.writable) {
      const std::uint64_t start = segment.address + *bias;
      const std::uint64_t end = start + segment.memory_size;
      module.start = module.end == 0 ? start : std::min(module.start, start);
      module.end = std::max(module.end, end);
    }
  }
  if (!is_system_library(binary.path)) {
    add_variables(module);
  }
  modules_.push_back(std::move(module));
}

void RaceSubjects::add_variables(Module& module) {
  auto index = symbols::VariableIndex::build(*module.file, kMaxDebugBytes);
  if (!index) {
    notes_.push_back(fmt::format("variables of {} are not known: {}", module.path, index.error().to_string()));
    return;
  }
  module.variables = std::make_unique<symbols::VariableIndex>(std::move(*index));
  module.unnamed = symbols::unnamed_variables(symbols::static_accesses(*module.file), *module.variables, *module.file);
  ranges_.push_back({.start = module.start & ~(kWord - 1), .end = module.end});
  for (const Variable& global : module.variables->globals()) {
    for (const Variable& scalar : module.variables->scalars(global, kScalarsOfOne)) {
      if (scalar.lock != RG_LOCK_NONE) {
        locks_.push_back({.name = scalar.name, .address = scalar.address + module.bias, .kind = scalar.lock});
      }
    }
  }
  std::sort(locks_.begin(), locks_.end(), [](const auto& a, const auto& b) { return a.address < b.address; });
}

std::vector<plan::WatchCandidate> RaceSubjects::globals() const {
  std::vector<plan::WatchCandidate> found;
  for (const Module& module : modules_) {
    if (module.variables == nullptr) {
      continue;
    }
    std::vector<Variable> scalars = module.unnamed;
    for (const Variable& global : module.variables->globals()) {
      std::vector<Variable> parts = module.variables->scalars(global, kScalarsOfOne);
      scalars.insert(scalars.end(), std::make_move_iterator(parts.begin()), std::make_move_iterator(parts.end()));
    }
    for (const Variable& scalar : scalars) {
      if (watchable(scalar.kind)) {
        append(found, pieces(scalar.address + module.bias, scalar.size, plan::WatchSource::kGlobal));
      }
    }
  }
  return found;
}

std::optional<Variable> RaceSubjects::variable_at(const Module& module, std::uint64_t address) {
  if (auto known = module.variables->at(address)) {
    return known;
  }
  auto next = std::upper_bound(module.unnamed.begin(), module.unnamed.end(), address,
                               [](std::uint64_t at, const Variable& variable) { return at < variable.address; });
  if (next == module.unnamed.begin()) {
    return std::nullopt;
  }
  --next;
  return address - next->address < next->size ? std::optional(*next) : std::nullopt;
}

Result<std::vector<plan::WatchCandidate>> RaceSubjects::named(const std::string& path) const {
  std::optional<Error> first_error;
  for (const Module& module : modules_) {
    if (module.variables == nullptr) {
      continue;
    }
    auto variable = module.variables->find(path);
    if (!variable) {
      first_error = first_error ? first_error : std::optional(std::move(variable.error()));
      continue;
    }
    std::vector<plan::WatchCandidate> found;
    for (const Variable& scalar : module.variables->scalars(*variable, kScalarsOfOne)) {
      if (watchable(scalar.kind)) {
        append(found, pieces(scalar.address + module.bias, scalar.size, plan::WatchSource::kNamed));
      }
    }
    if (found.empty()) {
      return fail(ErrorCode::kSymbolNotFound,
                  fmt::format("{} in {} is an atomic, a lock or a constant ({}): nothing of it can race", path,
                              module.path, variable->type));
    }
    return found;
  }
  if (first_error) {
    return fail(std::move(*first_error));
  }
  return fail(ErrorCode::kSymbolNotFound, fmt::format("no binary of the process has a variable {}", path));
}

Result<void> RaceSubjects::guard(const std::vector<plan::WatchCandidate>& candidates, const std::string& lock) {
  Error why(ErrorCode::kSymbolNotFound, fmt::format("no binary of the process has a lock {}", lock));
  for (const Module& module : modules_) {
    const auto found = module.variables == nullptr ? Result<Variable>(fail(why)) : module.variables->find(lock);
    if (!found) {
      why = module.variables == nullptr ? why : found.error();
      continue;
    }
    if (found->lock == RG_LOCK_NONE) {
      return fail(ErrorCode::kSymbolNotFound,
                  fmt::format("{} ({}) is no lock whose holder can be read", lock, found->type),
                  "Name a pthread mutex or rwlock, a std::mutex, or a spin lock");
    }
    for (const plan::WatchCandidate& candidate : candidates) {
      guarded_by_[candidate.address] = {
          .name = found->name, .address = found->address + module.bias, .kind = found->lock};
    }
    return {};
  }
  return fail(std::move(why));
}

std::vector<plan::WatchCandidate> RaceSubjects::in_word(std::uint64_t address) const {
  const Module* module = module_of(address);
  if (module == nullptr) {
    return {{.address = address, .length = kWord, .source = plan::WatchSource::kChanged}};
  }
  if (module->variables == nullptr) {
    return {};
  }
  std::vector<plan::WatchCandidate> found;
  bool known = false;
  for (std::uint64_t at = address; at < address + kWord;) {
    const auto variable = variable_at(*module, at - module->bias);
    if (!variable || variable->size == 0) {
      ++at;
      continue;
    }
    known = true;
    const std::uint64_t start = variable->address + module->bias;
    if (watchable(variable->kind)) {
      const std::uint64_t from = std::max(start, address);
      const std::uint64_t to = std::min(start + variable->size, address + kWord);
      const bool whole = variable->size <= kWord;
      append(found, whole ? pieces(start, variable->size, plan::WatchSource::kChanged)
                          : pieces(from, to - from, plan::WatchSource::kChanged));
    }
    at = std::max(start + variable->size, at + 1);
  }
  if (!known) {
    found.push_back({.address = address, .length = kWord, .source = plan::WatchSource::kChanged});
  }
  return found;
}

const RaceSubjects::Module* RaceSubjects::module_of(std::uint64_t address) const {
  const auto found = std::find_if(modules_.begin(), modules_.end(), [address](const Module& module) {
    return address >= module.start && address < module.end;
  });
  return found == modules_.end() ? nullptr : &*found;
}

// The nearest globals, and what was seen contended: a structure's lock is beside what it guards.
std::vector<detect::CandidateLock> RaceSubjects::locks_near(std::uint64_t address) const {
  const auto named = guarded_by_.find(address);
  std::vector<detect::CandidateLock> near = locks_;
  for (const detect::CandidateLock& lock : contended_) {
    const bool known = std::any_of(near.begin(), near.end(), [&](const auto& l) { return l.address == lock.address; });
    if (!known) {
      near.push_back(lock);
    }
  }
  const auto distance = [address](const detect::CandidateLock& lock) {
    return lock.address > address ? lock.address - address : address - lock.address;
  };
  std::stable_sort(near.begin(), near.end(), [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
  if (named != guarded_by_.end()) {
    std::erase_if(near, [&](const auto& lock) { return lock.address == named->second.address; });
    near.insert(near.begin(), named->second);
  }
  near.resize(std::min<std::size_t>(near.size(), RG_CANDIDATE_LOCKS));
  return near;
}

Result<ObjectMembers> RaceSubjects::members(const ObjectOrder& order) const {
  for (const Module& module : modules_) {
    const std::string type =
        module.variables == nullptr ? "" : module.variables->pointee_of_argument(order.function, order.argument);
    if (type.empty()) {
      continue;
    }
    ObjectMembers members;
    for (const std::string& path : order.members) {
      const auto member = module.variables->member(type, path);
      if (!member) {
        return fail(member.error());
      }
      if (!watchable(member->kind)) {
        return fail(
            ErrorCode::kSymbolNotFound,
            fmt::format("{} of {} is an atomic, a lock or a constant ({}): it cannot race", path, type, member->type));
      }
      for (const plan::WatchCandidate& piece : pieces(member->address, member->size, plan::WatchSource::kObject)) {
        members.push_back({.name = fmt::format("{}::{}", type, path),
                           .type = member->type,
                           .declared = member->declared,
                           .address = piece.address,
                           .size = piece.length,
                           .kind = member->kind,
                           .binary = module.path,
                           .build_id = module.build_id,
                           .object_of = order.shown});
      }
    }
    return members;
  }
  return fail(
      ErrorCode::kSymbolNotFound,
      fmt::format("no binary of the process says what argument {} of {} points to", order.argument, order.function),
      "Install its debug symbols");
}

detect::WatchSubject RaceSubjects::subject(const plan::WatchCandidate& candidate) const {
  detect::WatchSubject subject;
  subject.address = candidate.address;
  subject.length = candidate.length;
  subject.locks = locks_near(candidate.address);
  detect::RaceVariable& variable = subject.variable;
  variable.address = candidate.address;
  variable.size = candidate.length;
  variable.name = fmt::format("word at {:#x}", candidate.address);
  const Module* module = module_of(candidate.address);
  if (module == nullptr || module->variables == nullptr) {
    return subject;
  }
  variable.binary = module->path;
  variable.build_id = module->build_id;
  if (const auto known = variable_at(*module, candidate.address - module->bias)) {
    variable.name = known->name;
    variable.type = known->type;
    variable.declared = known->declared;
    variable.address = known->address + module->bias;
    variable.size = known->size;
    variable.kind = known->kind;
    variable.global = true;
  }
  return subject;
}

void RaceSubjects::add_lock(detect::CandidateLock lock) {
  std::erase_if(contended_, [&](const auto& known) { return known.address == lock.address; });
  contended_.insert(contended_.begin(), std::move(lock));
  contended_.resize(std::min(contended_.size(), kContendedLocks));
}

bool RaceSubjects::has_types() const {
  return std::any_of(modules_.begin(), modules_.end(),
                     [](const Module& module) { return module.variables != nullptr && module.variables->has_types(); });
}

const symbols::ElfFile* RaceSubjects::file(const std::string& path) const {
  const auto found =
      std::find_if(modules_.begin(), modules_.end(), [&](const Module& module) { return module.path == path; });
  return found == modules_.end() ? nullptr : found->file.get();
}

}  // namespace raceguard::app
