// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/resolver.h"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

// The number of the first line of shop.cpp that holds `text`.
std::uint32_t line_with(const std::string& text) {
  std::ifstream source(std::string(RG_SOURCE_DIR) + "/tests/unit/symbols/programs/shop.cpp");
  std::uint32_t number = 0;
  for (std::string line; std::getline(source, line);) {
    ++number;
    if (line.find(text) != std::string::npos) {
      return number;
    }
  }
  return 0;
}

TEST(Resolver, NamesFunctionFileAndLine) {
  Resolver resolver;
  const std::string path = program_path("shop_O0");
  const Symbol plain = only_function(open_program("shop_O0"), "plain_c");
  const CodeSite site = resolver.resolve(path, plain.address, AddressKind::kExact, "/app/shop");
  EXPECT_EQ(site.function, "plain_c");
  EXPECT_EQ(site.function_offset, 0U);
  EXPECT_EQ(site.binary, "/app/shop");
  ASSERT_TRUE(site.source);
  EXPECT_THAT(site.source->file, EndsWith("shop.cpp"));
  EXPECT_EQ(site.source->line, line_with("long plain_c("));
  const CodeSite by_offset = resolver.resolve_offset(path, plain.file_offset, AddressKind::kExact, "");
  EXPECT_EQ(by_offset.function, "plain_c");
  EXPECT_EQ(by_offset.address, plain.address);
}

TEST(Resolver, TellsInlinedFunctionsEachWithItsOwnLine) {
  Resolver resolver;
  const std::string path = program_path("shop_O2");
  const Symbol pay = only_function(open_program("shop_O2"), "pay");
  CodeSite site;
  for (std::uint64_t at = pay.address; site.inlined.empty() && at < pay.address + pay.size; ++at) {
    site = resolver.resolve(path, at, AddressKind::kExact, "");
  }
  ASSERT_EQ(site.inlined.size(), 1U);
  EXPECT_EQ(site.inlined[0].function, "charge(long)");
  ASSERT_TRUE(site.inlined[0].source);
  EXPECT_EQ(site.inlined[0].source->line, line_with("the innermost line"));
  EXPECT_EQ(site.function, "pay(long)");
  ASSERT_TRUE(site.source);
  EXPECT_EQ(site.source->line, line_with("the caller's line"));
  EXPECT_THAT(site.source->file, EndsWith("shop.cpp"));
}

TEST(Resolver, TakesTheCallForAReturnAddress) {
  Resolver resolver;
  const std::string path = program_path("shop_O0");
  const Symbol plain = only_function(open_program("shop_O0"), "plain_c");
  // The byte behind a function's last one belongs to it only as a return address (a call that never returns).
  const std::uint64_t end = plain.address + plain.size;
  EXPECT_EQ(resolver.resolve(path, end, AddressKind::kReturnAddress, "").function, "plain_c");
  EXPECT_NE(resolver.resolve(path, end, AddressKind::kExact, "").function, "plain_c");
}

TEST(Resolver, SharesOneEntryBetweenPathsAndForgetsTheOldest) {
  const ScratchDirectory scratch;
  const std::string link = scratch.path() / "same";
  std::filesystem::create_symlink(program_path("shop_O2"), link);
  Resolver resolver({.files = 2, .sites_per_file = 16, .dwarf_bytes = 1U << 20U});
  const auto first = resolver.file(program_path("shop_O2"));
  EXPECT_EQ(*resolver.file(link), *first);
  EXPECT_EQ(resolver.open_files(), 1U);
  ASSERT_TRUE(resolver.file(program_path("shop_O0")));
  ASSERT_TRUE(resolver.file(program_path("entries")));
  EXPECT_EQ(resolver.open_files(), 2U);
}

TEST(Resolver, NoticesAReplacedFileAndOutlivesARemovedOne) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path() / "binary";
  std::filesystem::copy_file(program_path("shop_O0"), path);
  Resolver resolver;
  const auto before = resolver.file(path);
  ASSERT_TRUE(before);
  std::filesystem::copy_file(program_path("shop_O2"), scratch.path() / "new");
  std::filesystem::rename(scratch.path() / "new", path);
  const auto after = resolver.file(path);
  ASSERT_TRUE(after);
  EXPECT_NE((*before)->build_id(), (*after)->build_id());
  std::filesystem::remove(path);
  EXPECT_EQ((*resolver.file(path))->build_id(), (*after)->build_id());
}

TEST(Resolver, KeepsDwarfWithinItsLimit) {
  const std::string path = program_path("shop_O2");
  const Symbol plain = only_function(open_program("shop_O2"), "plain_c");
  Resolver small({.files = 4, .sites_per_file = 16, .dwarf_bytes = 64});
  const CodeSite site = small.resolve(path, plain.address, AddressKind::kExact, "");
  EXPECT_EQ(site.function, "plain_c");
  EXPECT_FALSE(site.source);
  EXPECT_EQ(small.dwarf_bytes(), 0U);
  Resolver normal;
  EXPECT_TRUE(normal.resolve(path, plain.address, AddressKind::kExact, "").source);
  EXPECT_GT(normal.dwarf_bytes(), 0U);
}

TEST(Resolver, AnswersEmptyForWhatItCannotOpen) {
  Resolver resolver;
  const CodeSite site = resolver.resolve("/nonexistent", 0x1234, AddressKind::kExact, "[vdso]");
  EXPECT_TRUE(site.function.empty());
  EXPECT_EQ(site.binary, "[vdso]");
  EXPECT_EQ(resolver.file("/nonexistent").error().code(), ErrorCode::kSymbolFileUnreadable);
  EXPECT_EQ(resolver.name_data("/nonexistent", 1), "");
}

}  // namespace
}  // namespace raceguard::symbols
