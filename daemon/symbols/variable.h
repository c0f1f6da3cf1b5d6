// SPDX-License-Identifier: Apache-2.0
// Global variables of a binary and the members of their types: C, C++ and Rust, by DWARF where there is any, else by
// the symbol table.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/symbol.h"
#include "raceguard/abi/race.h"
#include "raceguard/error.h"

namespace raceguard::symbols {

enum class VariableKind {
  kPlain,     // DWARF says so
  kVolatile,  // volatile, not atomic
  kAtomic,    // std::atomic, _Atomic, core::sync::atomic
  kLock,      // a mutex, rwlock, spin lock, semaphore, condition, barrier, once flag
  kThreadLocal,
  kConstant,  // not writable, or written before main only (.data.rel.ro, vtables)
  kUnknown,   // from the symbol table: may be any of these
};

struct Variable {
  std::string name;                    // "config.counters[3].hits", "shop::total" (demangled)
  std::string type;                    // "long", "std::atomic<int>"; empty: unknown
  std::optional<SourceLine> declared;  // of the member, or of the variable where the type does not say
  std::uint64_t address = 0;           // virtual address in the file; of a member: offset in its object
  std::uint64_t size = 0;              // bytes
  VariableKind kind = VariableKind::kUnknown;
  rg_lock_kind lock = RG_LOCK_NONE;  // of a kLock whose owner can be read
};

class VariableIndex {
 public:
  // Reads DWARF of the file or of its debug file, at most `max_debug_bytes` of it; beyond, symbols only. `file` must
  // outlive the index. It never fails for want of variables.
  static Result<VariableIndex> build(const ElfFile& file, std::uint64_t max_debug_bytes);
  VariableIndex(VariableIndex&&) noexcept;
  VariableIndex& operator=(VariableIndex&&) noexcept;
  ~VariableIndex();

  [[nodiscard]] bool has_types() const;
  // Why there are no types: no .debug_info, too much of it, a shared file (dwz) that is missing; empty: there are.
  [[nodiscard]] const std::string& why_no_types() const;
  // Writable globals and statics, also those of functions, by address; thread-locals and constants are left out. Those
  // of the symbol table that DWARF does not name come with kUnknown. Without `declared`, which costs a line table.
  [[nodiscard]] const std::vector<Variable>& globals() const;
  // "counter", "shop::total", "next_id::last" (a static of a function), "config.counters[3].hits"; scopes in front may
  // be left out where the rest is unique, and "orders.c:count" tells statics of several files apart. Also thread-locals
  // and constants, which say so. Not through pointers. kSymbolNotFound names the nearest, or the member where the path
  // breaks off.
  [[nodiscard]] Result<Variable> find(const std::string& path) const;
  // The scalars that `variable` is made of (itself, if it is one), at most `limit`; arrays element by element.
  [[nodiscard]] std::vector<Variable> scalars(const Variable& variable, std::size_t limit) const;
  // The scalar at the address, or the part of the symbol ("table+0x28") where there are no types; nothing: no global.
  [[nodiscard]] std::optional<Variable> at(std::uint64_t address) const;
  // A member of a type, "Account", "balance.cents": `address` is its offset. kSymbolNotFound.
  [[nodiscard]] Result<Variable> member(const std::string& type, const std::string& path) const;
  // The type that parameter `index` of a function (`this` is 0; name mangled or not) points to; empty: unknown.
  [[nodiscard]] std::string pointee_of_argument(const std::string& function, std::size_t index) const;

 private:
  struct Impl;
  explicit VariableIndex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace raceguard::symbols
