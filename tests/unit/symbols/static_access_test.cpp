// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/static_access.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

std::uint64_t object(const std::string& program, const std::string& name) {
  for (const Symbol& symbol : open_program(program).find_named(name, SymbolClass::kObject)) {
    if (symbol.name == name) {
      return symbol.address;
    }
  }
  throw std::runtime_error("no object " + name);
}

StaticAccess at(const std::vector<StaticAccess>& all, std::uint64_t address) {
  const auto found = std::ranges::find(all, address, &StaticAccess::address);
  return found != all.end() ? *found : StaticAccess{};
}

// The programs are looked up by the symbols of the build that was not stripped.
class StaticAccesses : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(StaticAccesses, CountWhatTheCodeDoes) {
  const auto& [stripped, named] = GetParam();
  const auto all = static_accesses(open_program(stripped));
  const StaticAccess counter = at(all, object(named, "counter"));
  EXPECT_EQ(counter.width_bytes, 8);
  EXPECT_TRUE(counter.is_written());
  EXPECT_EQ(counter.atomic, 0U);
  const StaticAccess total = at(all, object(named, "total"));
  EXPECT_GE(total.atomic, 1U) << "std::atomic, updated with a lock prefix";
  const StaticAccess flag = at(all, object(named, "flag"));
  EXPECT_EQ(flag.width_bytes, 4);
  EXPECT_GE(flag.reads, 1U);
  EXPECT_FALSE(flag.is_written());
  EXPECT_EQ(at(all, object(named, "_ZL5kName")).reads, 0U) << "a constant";
  EXPECT_TRUE(std::ranges::is_sorted(all, {}, &StaticAccess::address));
}

TEST_P(StaticAccesses, BecomeVariablesWhereNothingNamesThem) {
  const auto& [program, named] = GetParam();
  const ElfFile file = open_program(program);
  const VariableIndex index = std::move(*VariableIndex::build(file, 64U << 20U));
  const auto unnamed = unnamed_variables(static_accesses(file), index, file);
  const auto kind_at = [&](const char* name) -> std::optional<VariableKind> {
    const auto found = std::ranges::find(unnamed, object(named, name), &Variable::address);
    return found != unnamed.end() ? std::optional(found->kind) : std::nullopt;
  };
  const bool is_stripped = std::string(program) != named;
  EXPECT_EQ(kind_at("counter"), is_stripped ? std::optional(VariableKind::kUnknown) : std::nullopt);
  EXPECT_EQ(kind_at("total"), is_stripped ? std::optional(VariableKind::kAtomic) : std::nullopt);
  EXPECT_FALSE(kind_at("flag")) << "never written by the code";
  if (is_stripped) {
    ASSERT_FALSE(unnamed.empty());
    EXPECT_THAT(unnamed.front().name, testing::ContainsRegex("^\\.(data|bss)\\+0x"));
  }
}

INSTANTIATE_TEST_SUITE_P(Builds, StaticAccesses,
                         testing::Values(std::pair("variables_O2_stripped", "variables_O2"),
                                         std::pair("variables_static_stripped", "variables_static"),
                                         std::pair("variables_dwarf4", "variables_dwarf4"),
                                         std::pair("variables_static", "variables_static")));

}  // namespace
}  // namespace raceguard::symbols
