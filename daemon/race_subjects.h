// SPDX-License-Identifier: Apache-2.0
// What lies where in one process: its writable globals as candidates for a watch, and for each address the variable's
// name and type and the locks that may guard it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/detect/race_judge.h"
#include "daemon/kernel/memory_activity.h"
#include "daemon/plan/watch_rotation.h"
#include "daemon/race_objects.h"
#include "daemon/symbols/resolver.h"
#include "daemon/symbols/variable.h"
#include "daemon/targets/target.h"
#include "raceguard/error.h"

namespace raceguard::app {

class RaceSubjects {
 public:
  explicit RaceSubjects(symbols::Resolver& resolver) : resolver_(resolver) {}

  // Reads the variables of binaries that were not there before (dlopen); the C library's own are left out.
  void follow(const std::vector<targets::MappedBinary>& binaries);

  // Every scalar of the writable globals that is neither atomic nor a lock; of a long array its head.
  [[nodiscard]] std::vector<plan::WatchCandidate> globals() const;
  // A variable or member by name, in the executable first. kSymbolNotFound.
  [[nodiscard]] Result<std::vector<plan::WatchCandidate>> named(const std::string& path) const;
  // The scalars in an aligned word that changed; the word itself where no variable is known. Empty: atomic, a lock.
  [[nodiscard]] std::vector<plan::WatchCandidate> in_word(std::uint64_t address) const;

  // The members that an order names, by offset, one for each address register that they take. kSymbolNotFound.
  [[nodiscard]] Result<ObjectMembers> members(const ObjectOrder& order) const;

  [[nodiscard]] detect::WatchSubject subject(const plan::WatchCandidate& candidate) const;
  // The lock that has to be held at accesses to these, by name. kSymbolNotFound.
  [[nodiscard]] Result<void> guard(const std::vector<plan::WatchCandidate>& candidates, const std::string& lock);
  // A lock that was seen contended; its kind is guessed by how it is waited for.
  void add_lock(detect::CandidateLock lock);

  // Of the globals of all binaries, as the process has them.
  [[nodiscard]] const std::vector<kernel::MemoryRange>& writable_ranges() const { return ranges_; }
  [[nodiscard]] bool has_types() const;
  // What could not be read, and why; for the report.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

  // The C and C++ libraries: their globals are guarded by means of their own (futex words, atomics without types), and
  // they are not the user's.
  [[nodiscard]] static bool is_system_library(const std::string& path);

  // The file of a code address's binary, by the path that the process sees; null: unknown.
  [[nodiscard]] const symbols::ElfFile* file(const std::string& path) const;

 private:
  struct Module {
    std::string path;
    std::string build_id;
    std::shared_ptr<const symbols::ElfFile> file;
    std::unique_ptr<symbols::VariableIndex> variables;  // null: the C library's
    std::vector<symbols::Variable> unnamed;             // what its code writes beside these, by address
    std::uint64_t bias = 0;
    std::uint64_t start = 0;  // of its writable segments, in the process
    std::uint64_t end = 0;
  };
  void add_module(const targets::MappedBinary& binary);
  void add_variables(Module& module);
  [[nodiscard]] const Module* module_of(std::uint64_t address) const;
  // The scalar at an address of the file; nothing: the code reaches it through registers only.
  [[nodiscard]] static std::optional<symbols::Variable> variable_at(const Module& module, std::uint64_t address);
  [[nodiscard]] std::vector<detect::CandidateLock> locks_near(std::uint64_t address) const;

  symbols::Resolver& resolver_;
  std::vector<Module> modules_;  // the executable first
  std::vector<kernel::MemoryRange> ranges_;
  std::vector<detect::CandidateLock> locks_;                   // of globals, by address
  std::vector<detect::CandidateLock> contended_;               // seen at work, the last first
  std::map<std::uint64_t, detect::CandidateLock> guarded_by_;  // by the address that it guards
  std::vector<std::string> notes_;
};

}  // namespace raceguard::app
