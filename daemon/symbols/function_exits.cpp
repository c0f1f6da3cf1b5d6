// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/function_exits.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <span>

#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/function_parts.h"
#include "daemon/symbols/instruction.h"

namespace raceguard::symbols {
namespace {

constexpr std::uint64_t kLargestPart = 1U << 20U;
constexpr std::size_t kTableReach = 6;  // instructions before an indirect jump in which a switch loads its table

class ExitScan {
 public:
  ExitScan(const ElfFile& file, const Symbol& function)
      : file_(file), function_(function), parts_(function_parts(file, function)) {}

  Result<std::vector<FunctionExit>> run() {
    for (const CodeRange& part : parts_) {
      if (auto scanned = scan(part); !scanned) {
        return fail(std::move(scanned).error());
      }
    }
    return std::move(exits_);
  }

 private:
  Result<void> scan(const CodeRange& part) {
    const Bytes code = file_.read_code(part.begin, std::min(part.end - part.begin, kLargestPart));
    std::deque<std::string> before;
    for (std::size_t at = 0; at < code.size();) {
      const auto instruction = decode(std::span(code).subspan(at), part.begin + at, false, {});
      if (!instruction) {
        return refuse(part.begin + at, "no instruction can be decoded there");
      }
      if (auto taken = take(*instruction, before); !taken) {
        return taken;
      }
      before.push_back(instruction->text);
      if (before.size() > kTableReach) {
        before.pop_front();
      }
      at += instruction->length;
    }
    return {};
  }

  Result<void> take(const Instruction& instruction, const std::deque<std::string>& before) {
    if (instruction.flow == Flow::kConditional && leaves(instruction)) {
      return refuse(
          instruction.address,
          fmt::format("'{}' leaves it for another function, or does not: a probe cannot tell which", instruction.text));
    }
    const bool is_exit = instruction.flow == Flow::kReturn ||
                         (instruction.flow == Flow::kJump && leaves(instruction)) ||
                         (instruction.flow == Flow::kIndirectJump && !is_switch(instruction, before));
    if (!is_exit) {
      return {};
    }
    if (instruction.kind == SiteKind::kRefused) {
      return refuse(instruction.address, fmt::format("the kernel refuses a probe on '{}'", instruction.text));
    }
    exits_.push_back({.address = instruction.address,
                      .file_offset = file_.offset_of(instruction.address).value_or(0),
                      .instruction = instruction.text,
                      .kind = instruction.kind,
                      .is_return = instruction.flow == Flow::kReturn});
    return {};
  }

  bool leaves(const Instruction& instruction) const {
    return !instruction.target ||
           std::ranges::none_of(parts_, [&](const CodeRange& part) { return part.holds(*instruction.target); });
  }

  // gcc and clang: movsxd of the table's entry and add of its base, or `jmp [table+reg*8]`, or with -fcf-protection
  // `notrack jmp`.
  static bool is_switch(const Instruction& instruction, const std::deque<std::string>& before) {
    return instruction.text.find("notrack") != std::string::npos || instruction.text.find("*8") != std::string::npos ||
           std::ranges::any_of(before, [](const std::string& text) { return text.find("movsxd") == 0; });
  }

  tl::unexpected<Error> refuse(std::uint64_t address, const std::string& why) const {
    return fail(ErrorCode::kSymbolNoSite,
                fmt::format("cannot see every exit of {} in {}: at +{:#x} {}", function_.demangled, file_.path(),
                            address - function_.address, why),
                "Name its caller, or a function that it calls.");
  }

  const ElfFile& file_;
  const Symbol& function_;
  std::vector<CodeRange> parts_;
  std::vector<FunctionExit> exits_;
};

}  // namespace

Result<std::vector<FunctionExit>> find_exits(const ElfFile& file, const Symbol& function) {
  return ExitScan(file, function).run();
}

Result<std::vector<FunctionExit>> find_returns(const ElfFile& file, const Symbol& function) {
  const auto refuse = [&](const std::string& why) {
    return fail(ErrorCode::kSymbolNoSite,
                fmt::format("cannot see calls of {} in {} end: {}", function.demangled, file.path(), why));
  };
  auto exits = find_exits(file, function);
  if (!exits) {
    return exits;
  }
  if (exits->empty()) {
    return refuse("it never returns");
  }
  if (exits->size() > kMostReturns) {
    return refuse(fmt::format("it returns from {} places, {} are the most", exits->size(), kMostReturns));
  }
  const auto jump = std::ranges::find(*exits, false, &FunctionExit::is_return);
  if (jump != exits->end()) {
    return refuse(fmt::format("at +{:#x} '{}' leaves it for another function in last place",
                              jump->address - function.address, jump->instruction));
  }
  return exits;
}

}  // namespace raceguard::symbols
