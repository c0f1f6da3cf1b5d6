// SPDX-License-Identifier: Apache-2.0
#include "daemon/intercept_request.h"

#include <gmock/gmock.h>

namespace raceguard::app {
namespace {

using testing::ElementsAre;

TEST(InterceptRequest, InstructionsOfAFunction) {
  const auto parsed = parse_requested("put,count[+0x24,+28,+0x24]=read@arg1,Table::operator[],get[a-z]*", {});
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  ASSERT_EQ(parsed->size(), 4U);
  EXPECT_EQ((*parsed)[0].name, "put");
  EXPECT_TRUE((*parsed)[0].accesses.empty());
  EXPECT_EQ((*parsed)[1].name, "count");
  EXPECT_THAT((*parsed)[1].accesses, ElementsAre(0x1c, 0x24));
  EXPECT_TRUE((*parsed)[1].is_reader);
  EXPECT_EQ((*parsed)[1].key.argument, 1);
  EXPECT_EQ((*parsed)[2].name, "Table::operator[]");
  EXPECT_EQ((*parsed)[3].name, "get[a-z]*");
  EXPECT_EQ(name_with_accesses((*parsed)[1]), "count[+0x1c,+0x24]");
  EXPECT_EQ(name_with_accesses((*parsed)[0]), "put");
}

TEST(InterceptRequest, RefusesWhatIsNoOffset) {
  for (const char* text : {"count[+0x]", "count[+12,13]", "count[+]", "[+0x10]", "count[+0x1g]"}) {
    EXPECT_FALSE(parse_requested(text, {})) << text;
  }
}

}  // namespace
}  // namespace raceguard::app
