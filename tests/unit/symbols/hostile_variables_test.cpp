// SPDX-License-Identifier: Apache-2.0
// Damaged DWARF: the index answers with less, and it ends.
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "daemon/symbols/elf_layout.h"
#include "daemon/symbols/variable.h"
#include "raceguard/unique_fd.h"
#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

struct Asked {
  std::size_t globals = 0;
  std::size_t scalars = 0;
};

Asked ask_everything(const std::string& path) {
  Asked asked;
  const auto file = ElfFile::open(path, "/dev");
  const auto index = file ? VariableIndex::build(*file, 64U << 20U) : fail(ErrorCode::kInternal, "");
  if (!index) {
    return asked;
  }
  asked.globals = index->globals().size();
  for (const Variable& variable : index->globals()) {
    const auto scalars = index->scalars(variable, 200);
    EXPECT_LE(scalars.size(), 200U);
    asked.scalars += scalars.size();
    (void)index->at(variable.address + variable.size / 2);
  }
  for (const char* name : {"shop::config.counters[3].hits", "shop::derived.tag", "shop::config.state.busy"}) {
    (void)index->find(name);
  }
  (void)index->member("shop::Config", "counters[2].misses");
  (void)index->pointee_of_argument("shop::deposit", 0);
  return asked;
}

TEST(HostileVariables, RandomBytesInTheDebugSections) {
  const UniqueFd memory(::memfd_create("hostile", MFD_CLOEXEC));
  const std::string path = "/proc/self/fd/" + std::to_string(memory.get());
  std::mt19937 random(7);  // a fixed seed: a failure can be repeated
  for (const char* name : {"variables_O0", "variables_dwarf4", "variables_clang"}) {
    const ElfFile whole = open_program(name);
    const Bytes content = *whole.source().read(0, whole.source().size());
    Asked undamaged = ask_everything(program_path(name));
    ASSERT_GT(undamaged.scalars, 30U);
    std::size_t damaged_but_read = 0;
    for (const char* section_name : {".debug_info", ".debug_abbrev", ".debug_addr", ".debug_str_offsets"}) {
      const Section* section = whole.layout().section(section_name);
      for (int round = 0; section != nullptr && round < 60; ++round) {
        Bytes damaged = content;
        for (int change = 0; change < 8; ++change) {
          const std::size_t place = section->offset + random() % section->size;
          damaged[place] = static_cast<std::byte>(round % 3 == 0 ? 0xff : random());
        }
        ASSERT_EQ(::pwrite(memory.get(), damaged.data(), damaged.size(), 0), static_cast<ssize_t>(damaged.size()));
        damaged_but_read += ask_everything(path).globals > 0 ? 1 : 0;
      }
    }
    EXPECT_GT(damaged_but_read, 50U) << "most damage must not hide everything, or nothing was tested";
  }
}

// A typedef of itself, a structure that is its own member, an array of itself, a pointer to itself.
TEST(HostileVariables, CyclesOfTypesEnd) {
  EXPECT_GE(ask_everything(program_path("cycles")).globals, 4U);
  const ElfFile file = open_program("cycles");
  const auto index = VariableIndex::build(file, 1U << 20U);
  EXPECT_TRUE(index->has_types());
  for (const char* path : {"of_typedef", "of_structure.self.self.self", "of_array[1]", "of_pointer"}) {
    (void)index->find(path);
  }
}

}  // namespace
}  // namespace raceguard::symbols
