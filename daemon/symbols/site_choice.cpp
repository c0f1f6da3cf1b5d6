// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/site_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "daemon/symbols/access.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/entry_block.h"

namespace raceguard::symbols {
namespace {

// General registers by their number in an instruction, in the order of arguments.
constexpr std::array<std::uint8_t, 6> kSystemVArguments = {7, 6, 2, 1, 8, 9};        // rdi rsi rdx rcx r8 r9
constexpr std::array<std::uint8_t, 9> kGoArguments = {0, 3, 1, 7, 6, 8, 9, 10, 11};  // Go's ABIInternal
constexpr std::array<const char*, 16> kRegisterNames = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

std::span<const std::uint8_t> argument_registers(bool go) {
  return go ? std::span<const std::uint8_t>(kGoArguments) : std::span<const std::uint8_t>(kSystemVArguments);
}

std::uint8_t count_intact(unsigned written, std::span<const std::uint8_t> registers) {
  std::uint8_t count = 0;
  while (count < registers.size() && (written & (1U << registers[count])) == 0) {
    ++count;
  }
  return count;
}

// Of memory that other threads may use: not the stack by its own pointer, nor what is the thread's own.
bool accesses_shared_memory(const ElfFile& file, const Instruction& instruction) {
  constexpr std::int8_t kStackPointer = 7;  // DWARF's number of rsp
  const Bytes code = file.read_code(instruction.address, instruction.length);
  const auto decoded = decode_access(code, instruction.address);
  return !decoded || std::ranges::any_of(decoded->accesses, [](const MemoryAccess& access) {
    return !access.where.thread_local_segment && (access.where.base != kStackPointer || access.where.index != -1);
  });
}

// A probe on the first access itself still comes before it.
void keep_up_to_first_access(const ElfFile& file, EntryBlock& block) {
  const auto first = std::ranges::find_if(
      block.instructions, [&](const Instruction& instruction) { return accesses_shared_memory(file, instruction); });
  if (first != block.instructions.end()) {
    block.instructions.erase(first + 1, block.instructions.end());
  }
}

std::vector<Site> list_candidates(const ElfFile& file, const Symbol& function, const EntryBlock& block) {
  const auto registers = argument_registers(file.is_go());
  std::vector<Site> sites;
  std::int32_t cfa_offset = 8;
  unsigned written = 0;
  for (const Instruction& instruction : block.instructions) {
    Site site;
    site.address = instruction.address;
    site.file_offset = file.offset_of(instruction.address).value_or(0);
    site.function_offset = static_cast<std::uint32_t>(instruction.address - function.address);
    site.instruction = instruction.text;
    site.kind = instruction.kind;
    site.cfa_offset = static_cast<std::uint32_t>(cfa_offset);
    site.takes_return_probe = cfa_offset == 8;
    site.intact_arguments = count_intact(written, registers);
    site.arguments_intact = site.intact_arguments == registers.size();
    site.may_repeat = block.entry_is_target;
    site.why = instruction.kind_reason;
    sites.push_back(std::move(site));
    if (!instruction.stack_growth || cfa_offset + *instruction.stack_growth < 8) {
      break;  // from here on a call's frame cannot be told
    }
    cfa_offset += *instruction.stack_growth;
    written |= instruction.written_registers;
  }
  return sites;
}

// Why the site cannot be taken at all; empty if it can.
std::string objection(const Site& site, const SiteOptions& options, bool go) {
  if (site.kind == SiteKind::kRefused) {
    return site.why;
  }
  if (options.need_return_probe && !site.takes_return_probe) {
    return fmt::format("{}, but the return address is {} bytes up the stack: no return probe here", site.why,
                       site.cfa_offset - 8);
  }
  if (site.intact_arguments < options.arguments_needed) {
    return fmt::format("{}, but {} was overwritten: argument {} is lost", site.why,
                       kRegisterNames.at(argument_registers(go)[site.intact_arguments]), site.intact_arguments + 1);
  }
  return {};
}

std::optional<std::size_t> pick(const std::vector<Site>& sites, const SiteOptions& options, bool go) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    if (objection(sites[i], options, go).empty() && (!best || sites[i].kind < sites[*best].kind)) {
      best = i;
    }
  }
  return best;
}

void explain(SiteChoice& choice, const SiteOptions& options, bool go) {
  for (std::size_t i = 0; i < choice.candidates.size(); ++i) {
    Site& site = choice.candidates[i];
    if (choice.chosen == i) {
      site.why = fmt::format("chosen: {}{}", site.why, i == 0 ? "" : "; every call passes here once");
      if (site.may_repeat) {
        site.why += go ? "; a call that grows the stack passes twice"
                       : "; the function jumps back to its entry, so one call may count more than once";
      }
      continue;
    }
    const std::string against = objection(site, options, go);
    if (!against.empty()) {
      site.why = "passed over: " + against;
    } else if (choice.chosen) {
      const Site& chosen = choice.candidates[*choice.chosen];
      site.why = fmt::format("passed over: {}, {} +{:#x}", site.why,
                             site.kind == chosen.kind ? "no cheaper than" : "dearer than", chosen.function_offset);
    }
  }
}

}  // namespace

Result<SiteChoice> choose_site(const ElfFile& file, const Symbol& function, const SiteOptions& options) {
  if (options.need_return_probe && file.is_go()) {
    return fail(ErrorCode::kSymbolGoProgram,
                fmt::format("cannot time {} in {}: it is a Go program, whose goroutine stacks move, and a return probe "
                            "would crash it (golang/go issue 22008)",
                            function.demangled, file.path()),
                "Guard it without latency and error thresholds, or watch its contention only.");
  }
  SiteChoice choice;
  choice.symbol = function;
  EntryBlock block = read_entry_block(file, function, options.kernel);
  if (options.before_accesses) {
    keep_up_to_first_access(file, block);
  }
  choice.candidates = list_candidates(file, function, block);
  if (choice.candidates.empty()) {
    return fail(ErrorCode::kSymbolNoSite,
                fmt::format("cannot decode any instruction of {} at {:#x} in {}", function.demangled, function.address,
                            file.path()),
                "The symbol table names an address without code; is the file damaged or encrypted?");
  }
  choice.chosen = pick(choice.candidates, options, file.is_go());
  explain(choice, options, file.is_go());
  return choice;
}

Result<Site> chosen_site(const SiteChoice& choice, const ElfFile& file) {
  if (choice.chosen) {
    return choice.candidates.at(*choice.chosen);
  }
  std::string reasons;
  for (const Site& site : choice.candidates) {
    reasons +=
        fmt::format("{}+{:#x} {}: {}", reasons.empty() ? "" : "; ", site.function_offset, site.instruction, site.why);
  }
  return fail(
      ErrorCode::kSymbolNoSite,
      fmt::format("no instruction of {} in {} can be probed: {}", choice.symbol.demangled, file.path(), reasons),
      "Guard its caller, or a function that it calls.");
}

}  // namespace raceguard::symbols
