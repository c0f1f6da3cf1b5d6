// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/touched_address.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <utility>

#include "daemon/symbols/instruction.h"
#include "daemon/symbols/value_state.h"

namespace raceguard::symbols {
namespace {

constexpr std::size_t kMostInstructions = 64;
constexpr std::uint64_t kWindowBytes = 512;
constexpr std::uint64_t kLongestInstruction = 15;
constexpr std::uint64_t kRedZone = 128;
constexpr std::uint64_t kOwnFrames = 16384;  // above the stack pointer
constexpr std::uint64_t kMaxFunctionBytes = 1U << 20U;
constexpr std::int8_t kStackPointer = 7;  // by DWARF number
constexpr std::int8_t kFramePointer = 6;

// An instruction's number of a register, by DWARF's.
constexpr std::array<std::size_t, 16> kEncoding = {0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15};

std::size_t index_of(std::int8_t number) { return static_cast<std::size_t>(number); }

ValueState::Registers by_encoding(const KnownRegisters& registers) {
  ValueState::Registers result;
  for (std::size_t i = 0; i < kEncoding.size(); ++i) {
    result.at(kEncoding.at(i)) = registers.at(i);
  }
  return result;
}

// The code that is followed, read in pieces.
class Code {
 public:
  explicit Code(const ElfFile& file) : file_(file) {}

  std::span<const std::byte> at(std::uint64_t address) {
    auto window = windows_.upper_bound(address);
    if (window != windows_.begin()) {
      --window;
      const std::uint64_t into = address - window->first;
      if (into + kLongestInstruction <= window->second.size()) {
        return std::span(window->second).subspan(into);
      }
    }
    Bytes& bytes = windows_[address] = file_.read_code(address, kWindowBytes);
    return bytes;
  }

 private:
  const ElfFile& file_;
  std::map<std::uint64_t, Bytes> windows_;
};

class Walk {
 public:
  Walk(const ElfFile& file, const KnownRegisters& registers, std::uint64_t load_bias, const WordReader& read)
      : code_(file), bias_(load_bias), read_(read), stack_(registers.at(kStackPointer)) {}

  std::vector<TouchedAddress> run(std::uint64_t ip, const ValueState& state) {
    open_.emplace_back(ip, state);
    while (!open_.empty() && steps_ < kMostInstructions) {
      auto [next, from] = std::move(open_.back());
      open_.pop_back();
      follow(next, std::move(from));
    }
    return std::move(found_);
  }

 private:
  // Up to a place that was seen already, or where the way goes out of sight.
  void follow(std::uint64_t ip, ValueState state) {
    while (steps_ < kMostInstructions && seen_.insert(ip).second) {
      const std::span<const std::byte> code = code_.at(ip);
      const auto flow = decode_flow(code, ip);
      const auto decoded = decode_full(code);
      if (!flow || !decoded) {
        return;
      }
      ++steps_;
      const std::uint64_t next = ip + flow->length;
      if (flow->flow == Flow::kNext) {
        note(*decoded, ip, state);
        state.step(*decoded, next + bias_, read_);
      } else if (flow->flow == Flow::kCall) {
        state.return_from_call();
      } else if (flow->flow == Flow::kConditional && flow->target) {
        open_.emplace_back(*flow->target, state);
      } else if (flow->flow == Flow::kJump && flow->target) {
        ip = *flow->target;
        continue;
      } else {
        return;
      }
      ip = next;
    }
  }

  void note(const DecodedInstruction& decoded, std::uint64_t ip, const ValueState& state) {
    for (const MemoryAccess& access : accesses_of(decoded, ip)) {
      const KnownValue address = address_of(access.where, state);
      if (address && !access.atomic && access.where.base != kStackPointer && !is_own_stack(*address)) {
        found_.push_back({*address, ip, access});
      }
    }
  }

  // "Lost" is of the registers behind the instruction; these are the ones in front of it.
  [[nodiscard]] KnownValue address_of(const EffectiveAddress& where, const ValueState& state) const {
    const bool has_register = where.base >= 0 || where.index >= 0;
    if (where.thread_local_segment || (where.lost && !has_register)) {
      return std::nullopt;
    }
    const KnownValue base = where.base < 0 ? KnownValue(bias_) : state.known(kEncoding.at(index_of(where.base)));
    const KnownValue index = where.index < 0 ? KnownValue(0) : state.known(kEncoding.at(index_of(where.index)));
    if (!base || !index) {
      return std::nullopt;
    }
    return *base + *index * where.scale + static_cast<std::uint64_t>(where.displacement);
  }

  [[nodiscard]] bool is_own_stack(std::uint64_t address) const {
    return stack_ && address + kRedZone >= *stack_ && address < *stack_ + kOwnFrames;
  }

  Code code_;
  std::uint64_t bias_;
  const WordReader& read_;
  KnownValue stack_;
  std::size_t steps_ = 0;
  std::vector<std::pair<std::uint64_t, ValueState>> open_;
  std::set<std::uint64_t> seen_;
  std::vector<TouchedAddress> found_;
};

// push rbp; mov rbp,rsp: what is addressed by rbp from then on is the stack.
bool sets_frame_pointer(const DecodedInstruction& decoded) {
  const auto is = [&](std::size_t i, ZydisRegister reg) {
    return decoded.operands.at(i).type == ZYDIS_OPERAND_TYPE_REGISTER && decoded.operands.at(i).reg.value == reg;
  };
  return decoded.raw.mnemonic == ZYDIS_MNEMONIC_MOV && is(0, ZYDIS_REGISTER_RBP) && is(1, ZYDIS_REGISTER_RSP);
}

bool is_worth_learning(const MemoryAccess& access, bool has_frame_pointer) {
  const EffectiveAddress& where = access.where;
  const bool on_stack = where.base == kStackPointer || (has_frame_pointer && where.base == kFramePointer);
  return !access.atomic && !where.thread_local_segment && (where.base >= 0 || where.index >= 0) && !on_stack;
}

}  // namespace

std::vector<TouchedAddress> touched_next(const ElfFile& file, std::uint64_t ip, const KnownRegisters& registers,
                                         std::uint64_t load_bias, const WordReader& read) {
  return Walk(file, registers, load_bias, read).run(ip, ValueState(by_encoding(registers)));
}

std::vector<std::uint64_t> memory_instructions(const ElfFile& file, std::uint64_t address) {
  std::vector<std::uint64_t> found;
  const auto start = function_start(file, address);
  if (!start) {
    return found;
  }
  const Bytes bytes = file.read_code(*start, std::min(function_end(file, *start) - *start, kMaxFunctionBytes));
  std::span<const std::byte> code(bytes);
  bool has_frame_pointer = false;
  for (std::uint64_t at = *start; !code.empty();) {
    const auto flow = decode_flow(code, at);
    const auto decoded = decode_full(code);
    if (!flow || !decoded) {
      break;  // data among the code: where the next instruction starts is not certain
    }
    has_frame_pointer = has_frame_pointer || sets_frame_pointer(*decoded);
    const auto accesses = flow->flow == Flow::kNext ? accesses_of(*decoded, at) : std::vector<MemoryAccess>{};
    if (std::ranges::any_of(accesses, [&](const auto& one) { return is_worth_learning(one, has_frame_pointer); })) {
      found.push_back(at);
    }
    code = code.subspan(flow->length);
    at += flow->length;
  }
  return found;
}

}  // namespace raceguard::symbols
