// SPDX-License-Identifier: Apache-2.0
// What is followed through the instructions, held against what the compiler wrote down for unwinders.
#include "daemon/symbols/frame_state.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <libelf.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

class Unwinding {
 public:
  explicit Unwinding(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    elf_version(EV_CURRENT);
    elf_ = elf_begin(fd_, ELF_C_READ, nullptr);
    table_ = dwarf_getcfi_elf(elf_);
  }
  Unwinding(const Unwinding&) = delete;
  Unwinding& operator=(const Unwinding&) = delete;
  ~Unwinding() {
    dwarf_cfi_end(table_);
    elf_end(elf_);
    ::close(fd_);
  }

  struct Rule {
    unsigned reg = 0;  // DWARF's number
    std::int32_t offset = 0;
  };
  // CFA = register + offset; nothing: not known, or by an expression.
  [[nodiscard]] std::optional<Rule> at(std::uint64_t address) const {
    Dwarf_Frame* raw = nullptr;
    if (table_ == nullptr || dwarf_cfi_addrframe(table_, address, &raw) != 0) {
      return std::nullopt;
    }
    const std::unique_ptr<Dwarf_Frame, decltype(&std::free)> frame(raw, &std::free);
    Dwarf_Op* operations = nullptr;
    std::size_t count = 0;
    if (dwarf_frame_cfa(raw, &operations, &count) != 0 || count != 1) {
      return std::nullopt;
    }
    const Dwarf_Op& operation = operations[0];
    if (operation.atom == DW_OP_bregx) {
      return Rule{.reg = static_cast<unsigned>(operation.number),
                  .offset = static_cast<std::int32_t>(operation.number2)};
    }
    return Rule{.reg = static_cast<unsigned>(operation.atom - DW_OP_breg0),
                .offset = static_cast<std::int32_t>(operation.number)};
  }

 private:
  int fd_;
  Elf* elf_ = nullptr;
  Dwarf_CFI* table_ = nullptr;
};

struct Compared {
  std::size_t same = 0;
  std::size_t different = 0;
  std::size_t unknown = 0;
};

Compared compare(const std::string& program) {
  constexpr unsigned kRbp = 6;
  constexpr unsigned kRsp = 7;
  const ElfFile file = open_program(program);
  const Unwinding unwinding(program_path(program));
  Compared compared;
  const auto functions = file.find_functions("*");
  for (const Symbol& function : *functions) {
    const auto graph = read_flow_graph(file, function);
    if (!graph || function.name == "_start") {  // has no caller, and takes its arguments from the stack
      continue;
    }
    const auto states = frame_states(*graph);
    for (NodeIndex node = 0; node < graph->size(); ++node) {
      const auto rule = unwinding.at(graph->instructions[node].address);
      if (!rule || !graph->reachable[node] || (rule->reg != kRsp && rule->reg != kRbp)) {
        continue;
      }
      const auto offset = rule->reg == kRsp ? states[node].cfa_offset : states[node].frame_cfa_offset;
      compared.unknown += offset ? 0 : 1;
      compared.same += offset == rule->offset ? 1 : 0;
      if (offset && *offset != rule->offset) {
        ++compared.different;
        ADD_FAILURE() << program << ": " << function.demangled << " at " << std::hex
                      << graph->instructions[node].address - function.address << ": " << std::dec << *offset
                      << ", the compiler says " << rule->offset;
      }
    }
  }
  return compared;
}

TEST(FrameStates, AsTheCompilerSays) {
  for (const char* program : {"narrow_O0", "narrow_O2", "shop_O0", "shop_O2", "variables_O2"}) {
    const Compared compared = compare(program);
    EXPECT_GT(compared.same, 100U) << program;
    EXPECT_LT(compared.unknown * 50, compared.same) << program << ": " << compared.unknown;
  }
}

}  // namespace
}  // namespace raceguard::symbols
