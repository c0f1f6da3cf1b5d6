// SPDX-License-Identifier: Apache-2.0
#include "raceguard/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace raceguard {
namespace {

TEST(Error, ReadsAsOneLineWithCodeCauseAndRemedy) {
  const Error error = Error::from_errno(ErrorCode::kKernelAttach, "cannot attach uprobe to f in /bin/x", EPERM,
                                        "Give the service CAP_PERFMON");
  EXPECT_EQ(
      error.to_string(),
      "RG-A104 cannot attach uprobe to f in /bin/x: EPERM (Operation not permitted). Give the service CAP_PERFMON");
  EXPECT_EQ(error.errno_value(), EPERM);
}

TEST(Error, ContextGoesInFront) {
  Error error(ErrorCode::kPolicySyntax, "unexpected end");
  EXPECT_EQ(std::move(error).within("reading a.yaml").to_string(), "RG-P102 reading a.yaml: unexpected end");
}

TEST(Error, CodesAreUnique) {
  std::set<std::string_view> ids;
  for (const auto& text : kErrorCodeTexts) {
    EXPECT_TRUE(ids.insert(text.id).second) << text.id;
    EXPECT_FALSE(text.title.empty());
  }
}

}  // namespace
}  // namespace raceguard
