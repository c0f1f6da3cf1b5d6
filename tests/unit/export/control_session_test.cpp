// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/control_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace raceguard::exporting {
namespace {

using nlohmann::json;
using testing::HasSubstr;

ControlSession echo_session(std::size_t line_max = 64) {
  return {line_max, [](const std::string& method, const json& params) -> Result<json> {
            return json{{"method", method}, {"params", params}};
          }};
}

// Everything that the session has to say, taken in pieces of `piece` bytes.
std::string drain(ControlSession& session, std::size_t piece = 1000) {
  std::string text;
  while (!session.outgoing().empty()) {
    const std::string_view part = session.outgoing().substr(0, piece);
    text += part;
    session.sent(part.size());
  }
  return text;
}

TEST(ControlSession, AnswersALineThatComesByteByByte) {
  ControlSession session = echo_session();
  for (const char byte : std::string("{\"method\":\"a\"}")) {
    session.receive({&byte, 1});
    EXPECT_TRUE(session.outgoing().empty());
  }
  session.receive("\n");
  EXPECT_EQ(drain(session, 1), "{\"ok\":true,\"result\":{\"method\":\"a\",\"params\":{}}}\n");
}

TEST(ControlSession, AnswersPipelinedLinesInOrderAndOneAtATime) {
  ControlSession session = echo_session();
  session.receive("{\"method\":\"a\"}\n{\"method\":\"b\"}\n");
  EXPECT_EQ(session.answered(), 1U);  // the second waits until the first is sent: memory stays bounded
  EXPECT_FALSE(session.wants_input());
  const std::string text = drain(session);
  EXPECT_LT(text.find("\"a\""), text.find("\"b\""));
  EXPECT_TRUE(session.wants_input());
}

TEST(ControlSession, MalformedLineIsAnAnsweredErrorAndTheNextOneWorks) {
  for (const std::string line : {"", "nonsense", "[]", "{\"method\":1}", "{\"params\":{}}"}) {
    ControlSession session = echo_session();
    session.receive(line + "\n{\"method\":\"b\"}\n");
    const std::string text = drain(session);
    EXPECT_THAT(text, HasSubstr("RG-X106")) << line;
    EXPECT_THAT(text, HasSubstr("\"method\":\"b\"")) << line;
    EXPECT_FALSE(session.closing());
  }
}

TEST(ControlSession, LineBeyondTheLimitIsAnsweredAndEndsTheConnection) {
  ControlSession session = echo_session(64);
  session.receive(std::string(65, 'x'));
  EXPECT_THAT(drain(session), HasSubstr("longer than 64 bytes"));
  EXPECT_TRUE(session.closing());
  EXPECT_FALSE(session.wants_input());
}

TEST(ControlSession, DeepNestingIsRefusedBeforeItIsParsed) {
  ControlSession session = echo_session(1U << 20U);
  session.receive(std::string(1U << 19U, '[') + "\n");
  EXPECT_THAT(drain(session), HasSubstr("RG-X106"));
}

}  // namespace
}  // namespace raceguard::exporting
