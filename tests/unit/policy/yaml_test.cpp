// SPDX-License-Identifier: Apache-2.0
// What YAML allows and a policy does not, and texts made to hurt.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/policy/document.h"
#include "tests/unit/policy/policy_texts.h"

namespace raceguard::policy {
namespace {

using test::decode;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kHead = "apiVersion: raceguard/v1\n";

std::string errors_of(const std::string& text) {
  const auto policy = decode(text);
  return policy ? "(valid)" : policy.error().to_string();
}

TEST(PolicyYaml, SyntaxErrorHasItsPlace) {
  EXPECT_THAT(errors_of("apiVersion: raceguard/v1\ndaemon: {tick: 1s\n"), StartsWith("p.yaml:3:1: "));
  EXPECT_THAT(errors_of("apiVersion: raceguard/v1\ndaemon: {tick: 1s\n"), HasSubstr("[RG-P102]"));
}

TEST(PolicyYaml, AnchorsAliasesAndMergesAreRefused) {
  EXPECT_THAT(errors_of("apiVersion: raceguard/v1\ndaemon: &d {tick: 1s}\n"),
              StartsWith("p.yaml:2:9: an anchor (\"&d\")"));
  EXPECT_THAT(errors_of("apiVersion: &v raceguard/v1\ndaemon: *v\n"), HasSubstr("an anchor (\"&v\")"));
  EXPECT_THAT(errors_of("apiVersion: raceguard/v1\ndaemon: {<<: {tick: 1s}}\n"), HasSubstr("unknown key \"<<\""));
}

TEST(PolicyYaml, BombOfAliasesCostsNothing) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) {
      text += "*a" + std::to_string(i - 1) + ",";
    }
    text += "]\n";
  }
  EXPECT_THAT(errors_of(text), StartsWith("p.yaml:1:5: an anchor (\"&a0\"), expected the value itself"));
}

TEST(PolicyYaml, TagsAreRefused) {
  EXPECT_THAT(errors_of("apiVersion: !!str raceguard/v1\n"), HasSubstr("a tag (\"tag:yaml.org,2002:str\")"));
}

TEST(PolicyYaml, OneDocumentAFile) {
  EXPECT_EQ(errors_of("---\napiVersion: raceguard/v1\n"), "(valid)");
  EXPECT_THAT(errors_of("apiVersion: raceguard/v1\n---\napiVersion: raceguard/v1\n"), HasSubstr("a second document"));
}

TEST(PolicyYaml, DepthIsBounded) {
  EXPECT_THAT(errors_of(kHead + std::string("daemon: ") + std::string(kMaxDepth, '[') + std::string(kMaxDepth, ']')),
              HasSubstr("nesting deeper than 16 levels"));
  EXPECT_THAT(errors_of(std::string(100'000, '[')), HasSubstr("[RG-P102]"));
  EXPECT_THAT(errors_of(std::string(100'000, '{')), HasSubstr("[RG-P102]"));
}

TEST(PolicyYaml, NodesAreBounded) {
  std::string text = "daemon: [";
  for (std::size_t i = 0; i <= kMaxNodes; ++i) {
    text += "a,";
  }
  EXPECT_THAT(errors_of(text + "]\n"), HasSubstr("more than 50000 values"));
}

TEST(PolicyYaml, SizeIsBounded) {
  EXPECT_EQ(errors_of(kHead + std::string(kMaxFileBytes, '#')),
            "p.yaml: 1048601 bytes, expected at most 1048576. Split it over several files of a drop-in directory "
            "[RG-P102]\n");
  EXPECT_EQ(errors_of(kHead + std::string(kMaxFileBytes - 25, '#')), "(valid)");
}

// yaml-cpp ends the text at a byte 0x04: the rest of the policy would be gone without a word.
TEST(PolicyYaml, ControlCharactersAndBrokenUtf8AreRefused) {
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1\n# \x04\npolicies: 5\n"),
            "p.yaml:2:3: byte 0x04, expected UTF-8 text without control characters [RG-P102]\n");
  EXPECT_THAT(errors_of(std::string("apiVersion\0: x", 14)), StartsWith("p.yaml:1:11: byte 0x00"));
  EXPECT_THAT(errors_of("# \xc3\n"), StartsWith("p.yaml:1:3: byte 0xc3"));
  EXPECT_THAT(errors_of("# \xed\xa0\x80\n"), StartsWith("p.yaml:1:3: byte 0xed"));
  EXPECT_THAT(errors_of("# \xf0\x9f"), StartsWith("p.yaml:1:3: byte 0xf0"));
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1 # \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\r\n"), "(valid)");
}

TEST(PolicyYaml, EscapesCannotBringControlCharactersIn) {
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1\ndaemon: {control_group: \"a\\e[2J\"}\n"),
            "p.yaml:2:25: \"a?[2J\" for control_group, expected one line without control characters [RG-P105]\n");
  EXPECT_THAT(errors_of("apiVersion: raceguard/v1\n\"a\\nb\": 1\n"), StartsWith("p.yaml:2:1: unknown key \"a?b\" in"));
}

TEST(PolicyYaml, ErrorsAreBounded) {
  std::string text = kHead;
  for (int i = 0; i < 5000; ++i) {
    text += "k" + std::to_string(i) + std::string(i == 0 ? 900 : 0, 'x') + ": 1\n";
  }
  const auto policy = decode(text);
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().list().size(), PolicyErrors::kMost);
  EXPECT_LT(policy.error().list()[0].error.what().size(), 300U);
}

TEST(PolicyYaml, KeysAreText) {
  EXPECT_THAT(errors_of("apiVersion: raceguard/v1\n? [a]\n: b\n"), HasSubstr("a key that is not text"));
}

}  // namespace
}  // namespace raceguard::policy
