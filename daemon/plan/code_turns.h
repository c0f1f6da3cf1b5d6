// SPDX-License-Identifier: Apache-2.0
// Whose address is learned next: the memory instructions of the functions that run, in turn, the hot functions more
// often. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace raceguard::plan {

class CodeTurns {
 public:
  explicit CodeTurns(std::size_t max_functions = 1024) : max_functions_(max_functions) {}

  // A thread was seen in the function. False: its instructions are not known, add() them.
  bool see(std::uint64_t function);
  void add(std::uint64_t function, std::vector<std::uint64_t> instructions);
  // What it touches was computed otherwise: no turn for it.
  void know(std::uint64_t instruction);

  // Nothing: there is none left, all are known.
  std::optional<std::uint64_t> next();

  [[nodiscard]] std::size_t functions() const { return functions_.size(); }

 private:
  struct Function {
    std::vector<std::uint64_t> instructions;
    std::size_t next = 0;
    double seen = 0;
    double turns = 0;
  };
  std::optional<std::uint64_t> next_of(Function& function);
  void make_room();

  std::size_t max_functions_;
  std::map<std::uint64_t, Function> functions_;
  std::set<std::uint64_t> known_;
};

}  // namespace raceguard::plan
