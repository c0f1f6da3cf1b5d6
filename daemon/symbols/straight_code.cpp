// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/straight_code.h"

#include <algorithm>
#include <set>
#include <span>

#include "daemon/symbols/access.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/instruction.h"

namespace raceguard::symbols {
namespace {

constexpr std::uint64_t kMaxFunctionBytes = 1U << 20U;

struct Scan {
  std::vector<Instruction> instructions;
  std::set<std::uint64_t> targets;  // of branches within the function
};

Scan scan(std::span<const std::byte> code, std::uint64_t start) {
  Scan result;
  std::uint64_t address = start;
  while (!code.empty()) {
    auto instruction = decode_flow(code, address);
    if (!instruction) {
      break;
    }
    if (instruction->target && instruction->flow != Flow::kCall) {
      result.targets.insert(*instruction->target);
    }
    code = code.subspan(instruction->length);
    address += instruction->length;
    result.instructions.push_back(std::move(*instruction));
  }
  return result;
}

bool goes_on(const Instruction& instruction) {
  return instruction.flow == Flow::kNext || instruction.flow == Flow::kConditional;
}

}  // namespace

std::vector<PlacedInstruction> straight_code(const ElfFile& file, std::uint64_t address, std::size_t reach) {
  std::vector<PlacedInstruction> result;
  const auto start = function_start(file, address);
  if (!start) {
    return result;
  }
  const Bytes code = file.read_code(*start, std::min(function_end(file, *start) - *start, kMaxFunctionBytes));
  const Scan function = scan(code, *start);
  const auto& all = function.instructions;
  const auto here = std::ranges::lower_bound(all, address, {}, &Instruction::address);
  if (here == all.end() || here->address != address) {
    return result;
  }
  auto first = here;
  for (std::size_t back = 0; back < reach && first != all.begin(); ++back) {
    if (function.targets.contains(first->address) || !goes_on(*std::prev(first))) {
      break;
    }
    --first;
  }
  auto last = here;
  for (std::size_t ahead = 0; ahead < reach && goes_on(*last); ++ahead) {
    const auto next = std::next(last);
    if (next == all.end() || function.targets.contains(next->address)) {
      break;
    }
    last = next;
  }
  for (auto one = first; one <= last; ++one) {
    auto decoded = decode_full(std::span(code).subspan(one->address - *start));
    if (!decoded) {
      return {};
    }
    result.push_back({one->address, std::move(*decoded)});
  }
  return result;
}

}  // namespace raceguard::symbols
