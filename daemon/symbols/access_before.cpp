// SPDX-License-Identifier: Apache-2.0
// The way back from a watchpoint's ip to the instruction: x86 code can be decoded forwards only.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "daemon/symbols/access.h"
#include "daemon/symbols/elf_layout.h"
#include "daemon/symbols/frame_table.h"
#include "daemon/symbols/instruction.h"

namespace raceguard::symbols {
namespace {

constexpr std::uint64_t kMaxFunctionBytes = 4U << 20U;
constexpr std::uint64_t kLongestInstruction = 15;
constexpr std::uint64_t kUnknownSizeReach = 4096;

// Where decoding may start to reach `address`: a function with a known size, then what the frame table says, last a
// symbol without a size, which may be another function's.
std::vector<std::uint64_t> starts_for(const ElfFile& file, std::uint64_t address) {
  const auto symbol = file.function_at(address);
  const auto range = frame_range(file, address);
  std::vector<std::uint64_t> starts;
  if (symbol && symbol->size != 0) {
    starts.push_back(symbol->address);
  }
  if (range) {
    starts.push_back(range->start);
  }
  if (symbol && symbol->size == 0) {
    starts.push_back(symbol->address);
  }
  return starts;
}

struct Neighbours {
  bool found = false;                       // decoding came exactly to ip
  std::optional<AccessInstruction> before;  // ends at ip and goes on there
  std::optional<AccessInstruction> at;      // starts at ip
};

Neighbours decode_up_to(const ElfFile& file, std::uint64_t start, std::uint64_t ip) {
  Neighbours result;
  if (ip < start || ip - start > kMaxFunctionBytes) {
    return result;
  }
  const Bytes bytes = file.read_code(start, ip - start + kLongestInstruction);
  std::span<const std::byte> code(bytes);
  std::span<const std::byte> last;
  std::uint64_t address = start;
  while (address < ip) {
    const auto instruction = decode_flow(code, address);
    if (!instruction) {
      return result;  // data among the code: nothing behind it is certain
    }
    // A jump or call that read its target did not go on here.
    last = instruction->flow == Flow::kNext ? code.first(instruction->length) : std::span<const std::byte>();
    code = code.subspan(instruction->length);
    address += instruction->length;
  }
  if (address != ip) {
    return result;
  }
  result.found = true;
  result.before = last.empty() ? std::nullopt : decode_access(last, ip - last.size());
  result.at = decode_access(code, ip);
  return result;
}

bool repeats(const std::optional<AccessInstruction>& instruction) {
  return instruction && instruction->text.starts_with("rep") &&
         std::ranges::any_of(instruction->accesses, &MemoryAccess::string_instruction);
}

tl::unexpected<Error> not_found(const ElfFile& file, std::uint64_t ip, std::string_view why) {
  return fail(
      ErrorCode::kSymbolNotFound,
      fmt::format("cannot tell which instruction before {:#x} of {} accessed memory: {}", ip, file.path(), why));
}

}  // namespace

std::uint64_t function_end(const ElfFile& file, std::uint64_t start) {
  const auto symbol = file.function_at(start);
  if (symbol && symbol->address == start && symbol->size != 0) {
    return start + symbol->size;
  }
  const auto range = frame_range(file, start);
  return range ? range->end : start + kUnknownSizeReach;
}

std::optional<std::uint64_t> function_start(const ElfFile& file, std::uint64_t address) {
  const auto starts = starts_for(file, address);
  return starts.empty() || !file.layout().executable(address) ? std::nullopt : std::optional(starts.front());
}

Result<std::vector<AccessInstruction>> access_candidates(const ElfFile& file, std::uint64_t ip) {
  if (ip == 0) {
    return not_found(file, ip, "no function holds the address");
  }
  // ip - 1: an access may be the last instruction of its function, with another function behind it.
  auto starts = starts_for(file, ip - 1);
  const auto at_ip = starts_for(file, ip);
  const bool is_entry = std::ranges::find(at_ip, ip) != at_ip.end();
  starts.insert(starts.end(), at_ip.begin(), at_ip.end());
  if (starts.empty()) {
    return not_found(file, ip, "no symbol and no entry of .eh_frame_hdr holds the address");
  }
  for (const std::uint64_t start : starts) {
    Neighbours near = decode_up_to(file, start, ip);
    if (!near.found) {
      continue;
    }
    std::vector<AccessInstruction> found;
    if (near.before && !is_entry && !near.before->accesses.empty()) {
      found.push_back(std::move(*near.before));
    }
    if (repeats(near.at)) {
      found.push_back(std::move(*near.at));
    }
    if (found.empty()) {
      return not_found(file, ip,
                       is_entry ? "the address is the entry of a function; a call or jump through memory came here"
                                : "the instruction that ends there accesses no data; a call or jump through memory "
                                  "came here");
    }
    return found;
  }
  return not_found(file, ip, "no instruction of its function ends there");
}

Result<AccessInstruction> access_before(const ElfFile& file, std::uint64_t ip) {
  auto found = access_candidates(file, ip);
  if (!found) {
    return tl::unexpected(std::move(found.error()));
  }
  if (found->size() != 1) {
    return not_found(file, ip, fmt::format("it may be \"{}\" or \"{}\"", (*found)[0].text, (*found)[1].text));
  }
  return std::move(found->front());
}

}  // namespace raceguard::symbols
