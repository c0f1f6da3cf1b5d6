// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/critical_section.h"

#include <algorithm>
#include <set>
#include <vector>

#include "daemon/symbols/access.h"
#include "daemon/symbols/instruction.h"
#include "daemon/symbols/zydis_decoder.h"

namespace raceguard::symbols {
namespace {

constexpr std::size_t kMaxInstructions = 2000;
constexpr std::uint64_t kLongestInstruction = 15;
constexpr int kStackPointer = 7;  // DWARF numbers
constexpr int kFramePointer = 6;
constexpr std::uint8_t kPointerBytes = 8;

bool is_own(const EffectiveAddress& where) { return where.base == kStackPointer || where.base == kFramePointer; }

struct Stores {
  std::size_t words = 0;
  std::size_t others = 0;
};

// One section's ways, each instruction once.
class Walk {
 public:
  Walk(const ElfFile& file, std::uint64_t start, std::span<const std::uint64_t> ends,
       const std::set<std::uint64_t>& passed)
      : file_(file), start_(start), ends_(ends.begin(), ends.end()), passed_(passed) {}

  SectionKind run() {
    const auto begin = function_start(file_, start_);
    if (!begin || ends_.empty()) {
      return SectionKind::kUnknown;
    }
    first_ = *begin;
    last_ = function_end(file_, first_);
    open_.push_back(start_);
    while (!open_.empty()) {
      const std::uint64_t address = open_.back();
      open_.pop_back();
      if (seen_.insert(address).second && !visit(address)) {
        return SectionKind::kUnknown;
      }
    }
    if (!ended_) {
      return SectionKind::kUnknown;
    }
    if (stores_.words + stores_.others == 0) {
      return SectionKind::kReads;
    }
    return stores_.others == 0 && stores_.words == 1 ? SectionKind::kReplaces : SectionKind::kWrites;
  }

 private:
  // False: from here on nothing is known.
  bool visit(std::uint64_t address) {
    if (seen_.size() > kMaxInstructions || address < first_ || address >= last_) {
      return false;
    }
    const Bytes code = file_.read_code(address, kLongestInstruction);
    const auto flow = decode_flow(code, address);
    const auto full = decode_full(code);
    if (!flow || !full) {
      return false;
    }
    const std::uint64_t next = address + flow->length;
    switch (flow->flow) {
      case Flow::kCall:
        if (ends_.contains(next)) {  // the unlock itself
          ended_ = true;
          return true;
        }
        if (!passed_.contains(next)) {
          return false;
        }
        open_.push_back(next);
        return true;
      case Flow::kReturn:
      case Flow::kIndirectJump:
      case Flow::kTrap:
        return false;
      case Flow::kJump:
        if (is_release_by_jump(flow->target.value_or(0))) {
          ended_ = true;
          return true;
        }
        open_.push_back(flow->target.value_or(0));
        break;
      case Flow::kConditional:
        open_.push_back(flow->target.value_or(0));
        open_.push_back(next);
        break;
      case Flow::kNext:
        open_.push_back(next);
        break;
    }
    note_stores(*full, address);
    return true;
  }

  // A function whose last act is the unlock jumps to it: what is behind "its" call is in the caller.
  [[nodiscard]] bool is_release_by_jump(std::uint64_t target) const {
    return (target < first_ || target >= last_) &&
           std::any_of(ends_.begin(), ends_.end(), [&](std::uint64_t end) { return end < first_ || end > last_; });
  }

  void note_stores(const DecodedInstruction& instruction, std::uint64_t address) {
    for (const MemoryAccess& access : accesses_of(instruction, address)) {
      if (access.mode == AccessMode::kRead || is_own(access.where)) {
        continue;
      }
      const bool is_word = access.mode == AccessMode::kWrite && access.width_bytes == kPointerBytes && !access.vector &&
                           !access.string_instruction;
      ++(is_word ? stores_.words : stores_.others);
    }
  }

  const ElfFile& file_;
  std::uint64_t start_;
  std::set<std::uint64_t> ends_;
  const std::set<std::uint64_t>& passed_;
  std::uint64_t first_ = 0;
  std::uint64_t last_ = 0;
  std::vector<std::uint64_t> open_;
  std::set<std::uint64_t> seen_;
  Stores stores_;
  bool ended_ = false;
};

}  // namespace

SectionKind section_kind(const ElfFile& file, std::uint64_t start, std::span<const std::uint64_t> ends,
                         const std::set<std::uint64_t>& passed) {
  return Walk(file, start, ends, passed).run();
}

}  // namespace raceguard::symbols
