// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/exceptions.h"

#include <gtest/gtest.h>

#include "daemon/symbols/elf_file.h"

namespace raceguard::symbols {
namespace {

TEST(Exceptions, AreTakenForPossibleInCppAndNotInC) {
  const auto own = ElfFile::open("/proc/self/exe");
  ASSERT_TRUE(own);
  EXPECT_TRUE(may_see_exceptions(*own));
  const auto c_program = ElfFile::open("/usr/bin/env");  // coreutils
  ASSERT_TRUE(c_program);
  EXPECT_FALSE(may_see_exceptions(*c_program));
}

}  // namespace
}  // namespace raceguard::symbols
