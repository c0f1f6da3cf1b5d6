// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/site_choice.h"

#include <gmock/gmock.h>

#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

using testing::HasSubstr;

constexpr SiteOptions kEntryOnly{};
constexpr SiteOptions kWithReturn{.need_return_probe = true, .arguments_needed = 0, .kernel = {}};

Result<SiteChoice> choose(const ElfFile& file, const std::string& name, const SiteOptions& options) {
  return choose_site(file, only_function(file, name), options);
}

Site chosen(const ElfFile& file, const std::string& name, const SiteOptions& options = kEntryOnly) {
  const auto choice = choose(file, name, options);
  EXPECT_TRUE(choice) << (choice ? "" : choice.error().to_string());
  const auto site = chosen_site(*choice, file);
  EXPECT_TRUE(site) << (site ? "" : site.error().to_string());
  return site.value_or(Site{});
}

TEST(SiteChoice, TakesAnEmulatedFirstInstruction) {
  const ElfFile file = open_program("entries");
  const Site site = chosen(file, "push_first", kWithReturn);
  EXPECT_EQ(site.function_offset, 0U);
  EXPECT_EQ(site.kind, SiteKind::kEmulated);
  EXPECT_TRUE(site.takes_return_probe);
  EXPECT_TRUE(site.arguments_intact);
  EXPECT_EQ(site.instruction, "push rbp");
}

TEST(SiteChoice, StopsBeforeALoop) {
  const ElfFile file = open_program("entries");
  const auto choice = choose(file, "loop_after_first", kEntryOnly);
  ASSERT_EQ(choice->candidates.size(), 1U);
  EXPECT_EQ(choice->candidates[0].kind, SiteKind::kSingleStepped);
  EXPECT_FALSE(choice->candidates[0].may_repeat);
}

TEST(SiteChoice, SaysWhenTheEntryItselfIsALoop) {
  const ElfFile file = open_program("entries");
  const Site site = chosen(file, "loop_to_entry", {.need_return_probe = false, .arguments_needed = 0, .kernel = {}});
  EXPECT_TRUE(site.may_repeat);
  EXPECT_THAT(site.why, HasSubstr("more than once"));
}

TEST(SiteChoice, SeesColdCodeThatJumpsBack) {
  const ElfFile file = open_program("entries");
  EXPECT_EQ(choose(file, "back_from_cold", kEntryOnly)->candidates.size(), 1U);
}

TEST(SiteChoice, TrustsNop5OnlyAtTheEntryAndOnlyWhereTheKernelOptimisesIt) {
  const ElfFile file = open_program("entries");
  SiteOptions options;
  EXPECT_EQ(chosen(file, "nop5_first", options).kind, SiteKind::kSingleStepped);
  options.kernel.emulates_long_nops = true;
  EXPECT_EQ(chosen(file, "nop5_first", options).kind, SiteKind::kEmulated);
  options.kernel.optimises_nop5 = true;
  EXPECT_EQ(chosen(file, "nop5_first", options).kind, SiteKind::kNop5);
  EXPECT_EQ(chosen(file, "nop5_first", options).function_offset, 0U);

  const auto inside = choose(file, "nop5_inside", options);
  EXPECT_EQ(inside->candidates.at(1).kind, SiteKind::kRefused);
  EXPECT_THAT(inside->candidates.at(1).why, HasSubstr("red zone"));
  EXPECT_EQ(inside->chosen, 0U);
}

TEST(SiteChoice, KeepsTheArgumentsThatAreNeeded) {
  const ElfFile file = open_program("entries");
  const Site with_argument = chosen(file, "argument_lost");
  EXPECT_EQ(with_argument.function_offset, 0U);
  const Site without = chosen(file, "argument_lost", {.need_return_probe = false, .arguments_needed = 0, .kernel = {}});
  EXPECT_EQ(without.instruction, "nop");
  EXPECT_EQ(without.intact_arguments, 0);
  EXPECT_FALSE(without.arguments_intact);
}

TEST(SiteChoice, PassesOverWhatTheKernelRefuses) {
  const ElfFile file = open_program("entries");
  const auto choice = choose(file, "only_locked", kWithReturn);
  EXPECT_EQ(choice->candidates.at(0).kind, SiteKind::kRefused);
  EXPECT_THAT(choice->candidates.at(0).why, HasSubstr("lock"));
  EXPECT_EQ(choice->chosen, 1U);

  const auto nothing = choose(file, "nothing_to_probe", kEntryOnly);
  EXPECT_FALSE(nothing->chosen);
  const auto error = chosen_site(*nothing, file);
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().code(), ErrorCode::kSymbolNoSite);
  EXPECT_THAT(error.error().what(), HasSubstr("lock"));
}

TEST(SiteChoice, FollowsTheStackPointer) {
  const ElfFile file = open_program("entries");
  const auto choice = choose(file, "pushes_and_subtracts", kWithReturn);
  std::vector<std::uint32_t> offsets;
  for (const Site& site : choice->candidates) {
    offsets.push_back(site.cfa_offset);
  }
  EXPECT_THAT(offsets, testing::ElementsAre(8, 8, 16, 40, 16, 8));
  EXPECT_EQ(choice->candidates[*choice->chosen].instruction, "push r12");
  EXPECT_EQ(choose(file, "aligns_stack", kEntryOnly)->candidates.size(), 2U);
}

// glibc 2.36 as Debian 12 has it; another build's offsets differ, its properties do not.
TEST(SiteChoice, FindsTheCheapSitesOfLibcsMutex) {
  const auto libc = ElfFile::open("/lib/x86_64-linux-gnu/libc.so.6");
  ASSERT_TRUE(libc);
  const Site lock = chosen(*libc, "pthread_mutex_lock");
  EXPECT_EQ(lock.kind, SiteKind::kEmulated);
  EXPECT_TRUE(lock.takes_return_probe);
  EXPECT_GE(lock.intact_arguments, 1);
  const Site unlock = chosen(*libc, "pthread_mutex_unlock");
  EXPECT_EQ(unlock.kind, SiteKind::kEmulated);
  if (libc->build_id() == "93ac61ec5a8eb1396f9fbd350e3169a558528a40") {
    EXPECT_EQ(lock.function_offset, 14U) << lock.instruction;
    EXPECT_EQ(unlock.function_offset, 5U) << unlock.instruction;
  }
}

class CompiledSite : public testing::TestWithParam<const char*> {};

TEST_P(CompiledSite, IsEmulatedAndTakesAReturnProbe) {
  const ElfFile file = open_program(GetParam());
  const Site site = chosen(file, "shop::Inventory::reserve(long, char const\\*)", kWithReturn);
  EXPECT_EQ(site.kind, SiteKind::kEmulated) << site.instruction;
  EXPECT_TRUE(site.takes_return_probe);
  EXPECT_TRUE(site.arguments_intact);
  const bool cet = std::string(GetParam()).ends_with("_cet");
  EXPECT_EQ(site.function_offset, cet ? 4U : 0U) << "behind endbr64, or at once";
}

INSTANTIATE_TEST_SUITE_P(Flags, CompiledSite, testing::Values("shop_O0", "shop_O2", "shop_O0_cet", "shop_O2_cet"));

TEST(SiteChoice, RefusesAReturnProbeInGoAndTakesItsStackCheck) {
  if (!std::filesystem::exists(program_path("gopher"))) {
    GTEST_SKIP() << "no Go compiler was found when the tests were configured";
  }
  const ElfFile file = open_program("gopher");
  EXPECT_TRUE(file.is_go());
  const auto refused = choose(file, "main.Recommend", kWithReturn);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kSymbolGoProgram);
  const Site site = chosen(file, "main.Recommend");
  EXPECT_THAT(site.instruction, HasSubstr("jbe"));
  EXPECT_EQ(site.kind, SiteKind::kEmulated);
  EXPECT_TRUE(site.arguments_intact);
  EXPECT_TRUE(site.may_repeat);
}

}  // namespace
}  // namespace raceguard::symbols
