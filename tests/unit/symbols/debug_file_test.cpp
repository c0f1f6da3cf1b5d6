// SPDX-License-Identifier: Apache-2.0
// Symbols and lines of stripped binaries: from a debug file below a root, and from .gnu_debugdata.
#include "daemon/symbols/debug_file.h"

#include <gmock/gmock.h>

#include <fstream>

#include "daemon/symbols/source_resolver.h"
#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;

// A root directory as a container has one: /app/shop stripped, its debug file in /usr/lib/debug.
class StrippedShop : public testing::Test {
 protected:
  StrippedShop() {
    fs::create_directories(root() + "/app");
    binary_ = root() + "/app/shop";
    run({"strip", "-o", binary_, program_path("shop_O2")});
    const ElfFile original = open_program("shop_O2");
    debug_ = root() + "/" + debug_path(original.build_id());
    plain_ = only_function(original, "plain_c");
  }

  void install_debug_file() {
    fs::create_directories(fs::path(debug_).parent_path());
    run({"objcopy", "--only-keep-debug", program_path("shop_O2"), debug_});
  }

  [[nodiscard]] std::string root() const { return scratch_.path(); }

  ScratchDirectory scratch_;
  std::string binary_;
  std::string debug_;
  Symbol plain_;
};

TEST_F(StrippedShop, IsNamedByItsDebugFile) {
  install_debug_file();
  const ElfFile file = *ElfFile::open(binary_, root());
  EXPECT_EQ(file.debug_file(), debug_);
  const Symbol symbol = only_function(file, "plain_c");
  EXPECT_EQ(symbol.address, plain_.address);
  EXPECT_EQ(symbol.file_offset, plain_.file_offset) << "offsets are the binary's, not the debug file's";
  EXPECT_EQ(file.read_code(symbol.address, 4).size(), 4U);
}

TEST_F(StrippedShop, HasLinesFromItsDebugFile) {
  install_debug_file();
  const ElfFile file = *ElfFile::open(binary_, root());
  EXPECT_EQ(file.function_at(plain_.address)->name, "plain_c");
  SourceResolver sources(file, 1U << 20U);
  const SourcePlace place = sources.find(plain_.address);
  ASSERT_TRUE(place.line);
  EXPECT_THAT(place.line->file, EndsWith("shop.cpp"));
}

TEST_F(StrippedShop, SaysWhereItsDebugFileWouldBe) {
  const auto found = ElfFile::open(binary_, root())->find_functions("plain_c");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::kSymbolNotFound);
  EXPECT_THAT(found.error().what(), HasSubstr(".symtab (0 functions)"));
  EXPECT_THAT(found.error().what(), HasSubstr("no debug file at " + debug_));
  EXPECT_THAT(found.error().remedy(), HasSubstr("stripped"));
}

TEST_F(StrippedShop, NamesThePackageThatOwnsIt) {
  fs::create_directories(root() + "/var/lib/dpkg/info");
  std::ofstream(root() + "/var/lib/dpkg/info/shop-server:amd64.list") << "/.\n/app\n/app/shop\n";
  EXPECT_THAT(ElfFile::open(binary_, root())->find_functions("plain_c").error().remedy(),
              HasSubstr("shop-server-dbgsym"));
}

TEST_F(StrippedShop, DoesNotTakeTheDebugFileOfAnotherBuild) {
  fs::create_directories(fs::path(debug_).parent_path());
  run({"objcopy", "--only-keep-debug", program_path("shop_O0"), debug_});
  EXPECT_EQ(ElfFile::open(binary_, root())->debug_file(), "");
}

TEST_F(StrippedShop, FollowsLinksOnlyInsideTheRoot) {
  install_debug_file();
  // In the container the link means /store/debug below its root; on the host it means a file that is not there.
  fs::create_directories(root() + "/store");
  fs::rename(debug_, root() + "/store/debug");
  fs::create_symlink("/store/debug", debug_);
  EXPECT_EQ(ElfFile::open(binary_, root())->debug_file(), debug_);
  // A link that climbs out of the root ends at the root.
  const ScratchDirectory outside;
  fs::rename(root() + "/store/debug", outside.path() / "debug");
  fs::remove(debug_);
  fs::create_symlink("../../../../../../../../../../.." + std::string(outside.path() / "debug"), debug_);
  EXPECT_EQ(ElfFile::open(binary_, root())->debug_file(), "");
}

TEST_F(StrippedShop, IsNamedByMiniDebugInfo) {
  const std::string mini = root() + "/mini";
  run({"objcopy", "--only-keep-debug", "--remove-section=.debug_*", program_path("shop_O2"), mini});
  run({"xz", "-f", mini});
  run({"objcopy", "--add-section", ".gnu_debugdata=" + mini + ".xz", binary_});
  const ElfFile file = *ElfFile::open(binary_, root());
  EXPECT_EQ(only_function(file, "plain_c").address, plain_.address);
  // Cut short, it is as if it were not there.
  fs::resize_file(mini + ".xz", fs::file_size(mini + ".xz") / 2);
  run({"objcopy", "--update-section", ".gnu_debugdata=" + mini + ".xz", binary_});
  EXPECT_FALSE(ElfFile::open(binary_, root())->find_functions("plain_c"));
}

TEST(DebugFile, FindsTheRootInAPath) {
  EXPECT_EQ(root_of("/proc/812/root/usr/sbin/mariadbd"), "/proc/812/root");
  EXPECT_EQ(root_of("/usr/sbin/mariadbd"), "/");
  EXPECT_EQ(root_of("/proc/812/map_files/1-2"), "/");
  EXPECT_EQ(debug_path("ab"), "");
  EXPECT_EQ(debug_path("abcdef"), "usr/lib/debug/.build-id/ab/cdef.debug");
}

}  // namespace
}  // namespace raceguard::symbols
