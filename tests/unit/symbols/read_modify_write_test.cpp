// SPDX-License-Identifier: Apache-2.0
// The functions of updates.S and updates.c say by their name what is expected of them.
#include "daemon/symbols/read_modify_write.h"

#include <gmock/gmock.h>

#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

struct Seen {
  std::size_t accesses = 0;
  std::size_t updates = 0;
};

bool is_on_stack(const MemoryAccess& access) { return access.where.base == 6 || access.where.base == 7; }

// Accesses in the function to memory off the stack, and how many of them are part of a read-modify-write.
Seen look_at(const ElfFile& file, const Symbol& function) {
  Seen seen;
  for (std::uint64_t ip = function.address + 1; ip <= file.function_end(function); ++ip) {
    const auto access = access_before(file, ip);
    if (!access || is_on_stack(access->accesses[0])) {
      continue;
    }
    ++seen.accesses;
    seen.updates += writes_what_it_read(file, *access) ? 1 : 0;
  }
  return seen;
}

class Updates : public testing::TestWithParam<const char*> {};

TEST_P(Updates, AreRecognised) {
  const ElfFile file = open_program(GetParam());
  const auto functions = file.find_functions("yes_*");
  ASSERT_TRUE(functions);
  ASSERT_GE(functions->size(), 5U);
  for (const Symbol& function : *functions) {
    const Seen seen = look_at(file, function);
    EXPECT_GE(seen.updates, 1U) << function.name;
    // Both the load and the store, beside what may be loaded for the sum.
    EXPECT_GE(seen.updates, std::min<std::size_t>(seen.accesses, 2)) << function.name;
  }
}

TEST_P(Updates, AreNotInvented) {
  const ElfFile file = open_program(GetParam());
  const auto functions = file.find_functions("no_*");
  ASSERT_TRUE(functions);
  ASSERT_GE(functions->size(), 3U);
  for (const Symbol& function : *functions) {
    const Seen seen = look_at(file, function);
    EXPECT_GE(seen.accesses, 1U) << function.name;
    EXPECT_EQ(seen.updates, 0U) << function.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, Updates,
                         testing::Values("updates", "updates_O0", "updates_O2", "updates_clang_O0",
                                         "updates_clang_O2"));

}  // namespace
}  // namespace raceguard::symbols
