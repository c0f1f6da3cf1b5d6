// SPDX-License-Identifier: Apache-2.0
// raceguard/switch.h as applications build it: languages, compilers, kinds of executable; what the daemon needs to find
// in the result must be there after strip.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/switches/build_app.h"

namespace raceguard::switches {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

struct Kind {
  const char* name;
  const char* compiler;
  const char* link_flags;
};

class SwitchHeader : public testing::TestWithParam<Kind> {};

TEST_P(SwitchHeader, BuildsRunsClosedAndKeepsItsNoteAndWordThroughStrip) {
  const ScratchDirectory scratch;
  const auto app = scratch / "app";
  const CommandResult built = build_app(GetParam().compiler, GetParam().link_flags, app);
  ASSERT_EQ(built.status, 0) << built.output;
  ASSERT_EQ(run("strip " + app.string()).status, 0);
  EXPECT_EQ(run("RACEGUARD_PAGE=/nonexistent " + app.string()).status, 0) << "a switch without a daemon is closed";

  const std::string notes = run("readelf -nW " + app.string()).output;
  EXPECT_THAT(notes, HasSubstr("Provider: raceguard"));
  EXPECT_THAT(notes, HasSubstr("Name: test.app"));
  EXPECT_THAT(notes, Not(ContainsRegex("(Location|Semaphore): 0x0+[, \n]")));
  EXPECT_THAT(run("readelf -SW " + app.string()).output, ContainsRegex("\\.probes +PROGBITS .* WA"))
      << "the kernel needs a word that is backed by the file";
}

INSTANTIATE_TEST_SUITE_P(
    All, SwitchHeader,
    testing::Values(Kind{"gcc_c99_O0", "gcc -std=c99 -O0", ""},  //
                    Kind{"gcc_c99_O2_static", "gcc -std=c99 -O2", "-static"},
                    Kind{"gcc_c17_O2_nopie", "gcc -std=c17 -O2 -fno-pie", "-no-pie"},
                    Kind{"gcc_c99_lto", "gcc -std=c99 -O2 -flto", "-flto"},
                    Kind{"gcc_c99_gc_sections", "gcc -std=c99 -O2 -ffunction-sections -fdata-sections",
                         "-Wl,--gc-sections"},
                    Kind{"gcc_c99_tsan", "gcc -std=c99 -O1 -fsanitize=thread", ""},
                    Kind{"clang_c99_O0", "clang -std=c99 -O0", ""},
                    Kind{"clang_c99_O2_static", "clang -std=c99 -O2", "-static"},
                    Kind{"clang_lld_gc_sections", "clang -std=c11 -O2 -ffunction-sections -fdata-sections",
                         "-fuse-ld=lld -Wl,--gc-sections"},
                    Kind{"gxx_cxx11_O0", "g++ -x c++ -std=c++11 -O0 -Wold-style-cast", ""},
                    Kind{"gxx_cxx20_O2", "g++ -x c++ -std=c++20 -O2 -Wold-style-cast", ""},
                    Kind{"clangxx_cxx11_O2", "clang++ -x c++ -std=c++11 -O2 -Wold-style-cast", ""},
                    Kind{"clangxx_cxx20_O2", "clang++ -x c++ -std=c++20 -O2", ""}),
    [](const testing::TestParamInfo<Kind>& kind) { return kind.param.name; });

TEST(SwitchHeaderInLibrary, LibraryHasItsOwnWord) {
  const ScratchDirectory scratch;
  const auto library = scratch / "libapp.so";
  const CommandResult built = build_app("gcc -std=c99 -O2 -fPIC", "-shared -Wl,-z,defs", library);
  ASSERT_EQ(built.status, 0) << built.output;
  EXPECT_THAT(run("readelf -nW " + library.string()).output, HasSubstr("Name: test.app"));
  EXPECT_THAT(run("nm -D --defined-only " + library.string()).output, Not(HasSubstr("raceguard_")))
      << "an exported word could be moved by a copy relocation";
  EXPECT_THAT(run("nm " + library.string()).output, HasSubstr("raceguard_word_app"));
}

TEST(SwitchHeaderMisuse, NameThatDoesNotFitThePageIsACompileError) {
  const ScratchDirectory scratch;
  const std::string name(64, 'x');
  const CommandResult built =
      run("printf '#include <raceguard/switch.h>\\nRG_SWITCH_DEFINE(a, \"" + name + "\");\\n' | gcc -std=c99 -I" +
          std::string(RG_SOURCE_DIR) + "/include -x c -c - -o " + (scratch / "a.o").string());
  EXPECT_NE(built.status, 0);
  EXPECT_THAT(built.output, HasSubstr("the switch's name is too long"));
}

}  // namespace
}  // namespace raceguard::switches
