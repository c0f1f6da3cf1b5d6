// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/code_turns.h"

#include <algorithm>

namespace raceguard::plan {
namespace {

constexpr std::size_t kMostKnown = 65'536;

}  // namespace

bool CodeTurns::see(std::uint64_t function) {
  const auto found = functions_.find(function);
  if (found == functions_.end()) {
    return false;
  }
  found->second.seen += 1;
  return true;
}

void CodeTurns::make_room() {
  if (functions_.size() < max_functions_) {
    return;
  }
  functions_.erase(std::min_element(functions_.begin(), functions_.end(),
                                    [](const auto& a, const auto& b) { return a.second.seen < b.second.seen; }));
  for (auto& [start, function] : functions_) {
    function.seen /= 2;  // what was hot long ago makes room for what is hot now
  }
}

void CodeTurns::add(std::uint64_t function, std::vector<std::uint64_t> instructions) {
  make_room();
  functions_[function] = {.instructions = std::move(instructions), .next = 0, .seen = 1, .turns = 0};
}

void CodeTurns::know(std::uint64_t instruction) {
  if (known_.size() >= kMostKnown) {
    known_.clear();
  }
  known_.insert(instruction);
}

std::optional<std::uint64_t> CodeTurns::next_of(Function& function) {
  for (std::size_t tries = 0; tries < function.instructions.size(); ++tries) {
    const std::uint64_t instruction = function.instructions[function.next];
    function.next = (function.next + 1) % function.instructions.size();
    if (!known_.contains(instruction)) {
      return instruction;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> CodeTurns::next() {
  std::vector<Function*> order;
  order.reserve(functions_.size());
  for (auto& [start, function] : functions_) {
    order.push_back(&function);
  }
  const auto worth = [](const Function* function) { return function->seen / (function->turns + 1); };
  std::stable_sort(order.begin(), order.end(), [&](const auto* a, const auto* b) { return worth(a) > worth(b); });
  for (Function* function : order) {
    if (const auto instruction = next_of(*function)) {
      function->turns += 1;
      return instruction;
    }
  }
  return std::nullopt;
}

}  // namespace raceguard::plan
