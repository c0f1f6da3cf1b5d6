// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/entry_block.h"

#include <algorithm>
#include <set>
#include <span>

#include "daemon/symbols/elf_file.h"

namespace raceguard::symbols {
namespace {

constexpr std::uint64_t kMaxFunctionBytes = 256U << 10U;
constexpr std::size_t kMaxBlockInstructions = 64;
constexpr std::uint64_t kOutlinedBytes = 2048;  // how much is scanned where a branch leaves the function
constexpr std::size_t kMaxOutlined = 16;

// Direct branches of a stretch of code: those into [first, last] and those that leave [begin, end).
struct BranchScan {
  std::uint64_t begin, end;   // the function
  std::uint64_t first, last;  // its entry block
  std::set<std::uint64_t> into_block;
  std::set<std::uint64_t> outside;

  void scan(std::span<const std::byte> code, std::uint64_t address) {
    while (!code.empty()) {
      const auto instruction = decode_flow(code, address);
      const std::size_t length = instruction ? instruction->length : 1;  // data among code: try on at the next byte
      if (instruction && instruction->target) {
        note(*instruction);
      }
      code = code.subspan(std::min(length, code.size()));
      address += length;
    }
  }

  void note(const Instruction& instruction) {
    const std::uint64_t target = *instruction.target;
    const bool is_call = instruction.flow == Flow::kCall;
    if (target >= first && target <= last && !(is_call && target == begin)) {
      into_block.insert(target);  // a recursive call of the entry is a call of its own
    } else if (!is_call && (target < begin || target >= end)) {
      outside.insert(target);
    }
  }
};

std::vector<Instruction> decode_block(std::span<const std::byte> code, std::uint64_t address,
                                      const KernelTreatment& kernel) {
  std::vector<Instruction> block;
  while (block.size() < kMaxBlockInstructions) {
    auto instruction = decode(code, address, block.empty(), kernel);
    if (!instruction) {
      break;
    }
    code = code.subspan(instruction->length);
    address += instruction->length;
    block.push_back(std::move(*instruction));
    if (block.back().flow != Flow::kNext) {
      break;
    }
  }
  return block;
}

}  // namespace

EntryBlock read_entry_block(const ElfFile& file, const Symbol& function, const KernelTreatment& kernel) {
  const std::uint64_t begin = function.address;
  const std::uint64_t size = std::min(file.function_end(function) - begin, kMaxFunctionBytes);
  const Bytes code = file.read_code(begin, size);
  EntryBlock block{.instructions = decode_block(code, begin, kernel), .entry_is_target = false};
  if (block.instructions.empty()) {
    return block;
  }
  BranchScan scan{.begin = begin,
                  .end = begin + code.size(),
                  .first = begin,
                  .last = block.instructions.back().address,
                  .into_block = {},
                  .outside = {}};
  scan.scan(code, begin);
  // Compilers move unlikely code out of a function (".cold"), and it may jump back in. In a stripped binary such a part
  // has no symbol; scanning a tail-called function as well does no harm.
  const auto leaving = scan.outside;
  std::size_t scanned = 0;
  for (const std::uint64_t target : leaving) {
    if (++scanned > kMaxOutlined) {
      break;
    }
    scan.scan(file.read_code(target, kOutlinedBytes), target);
  }
  block.entry_is_target = scan.into_block.contains(begin);
  const auto back = scan.into_block.upper_bound(begin);
  if (back != scan.into_block.end()) {
    // Also where the target is in the middle of an instruction: what follows is not certain any more.
    std::erase_if(block.instructions, [target = *back](const Instruction& i) { return i.address + i.length > target; });
  }
  return block;
}

}  // namespace raceguard::symbols
