// SPDX-License-Identifier: Apache-2.0
// The full policy with each line and each byte damaged: the decoder gives a policy or errors with a place in the text,
// never anything else.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <sstream>

#include "tests/unit/policy/policy_texts.h"

namespace raceguard::policy {
namespace {

using test::decode;
using test::kFullPolicy;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line + "\n";
  }
  return text;
}

void expect_policy_or_placed_errors(const std::string& text) {
  const auto policy = decode(text);
  if (policy) {
    return;
  }
  ASSERT_FALSE(policy.error().empty()) << text;
  const auto last_line = static_cast<std::uint32_t>(std::count(text.begin(), text.end(), '\n') + 1);
  for (const PolicyError& entry : policy.error().list()) {
    EXPECT_GE(entry.position.line, 1U) << entry.error.to_string() << "\n" << text;
    EXPECT_LE(entry.position.line, last_line) << entry.error.to_string();
    EXPECT_GE(entry.position.column, 1U) << entry.error.to_string();
    EXPECT_TRUE(entry.error.what().starts_with("p.yaml:")) << entry.error.to_string();
    EXPECT_NE(entry.error.what().find(", expected "), std::string::npos) << entry.error.to_string();
  }
}

TEST(PolicyMutation, AnyLineRemoved) {
  const auto lines = lines_of(kFullPolicy);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto fewer = lines;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    expect_policy_or_placed_errors(joined(fewer));
  }
}

TEST(PolicyMutation, AnyLineTwice) {
  const auto lines = lines_of(kFullPolicy);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto more = lines;
    more.insert(more.begin() + static_cast<std::ptrdiff_t>(i), lines[i]);
    expect_policy_or_placed_errors(joined(more));
  }
}

TEST(PolicyMutation, AnyValueReplaced) {
  const auto lines = lines_of(kFullPolicy);
  for (const char* value :
       {"",           "~", "[]", "{}",     "[{}]", "[[a]]",   "{a: b}", "x",  "-1", "1e99", "99999999999999999999h",
        "0.0000001%", ".", "..", "1.2.3s", "\"\"", "\"\\n\"", "|",      "&a", "*a", "!t"}) {
    for (std::size_t i = 0; i < lines.size(); ++i) {
      auto other = lines;
      const std::size_t colon = other[i].find(':');
      other[i] = other[i].substr(0, colon + 1) + " " + value;
      expect_policy_or_placed_errors(joined(other));
    }
  }
}

// Every key with a letter changed is an unknown key, and the right one is suggested.
TEST(PolicyMutation, AnyKeyMisspelt) {
  const auto lines = lines_of(kFullPolicy);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t first = lines[i].find_first_not_of(" -");
    const std::string key = lines[i].substr(first, lines[i].find(':') - first);
    auto other = lines;
    other[i].insert(first + key.size(), "x");
    const auto policy = decode(joined(other));
    ASSERT_FALSE(policy) << joined(other);
    const auto& list = policy.error().list();
    EXPECT_TRUE(std::any_of(list.begin(), list.end(), [&](const PolicyError& entry) {
      return entry.error.code() == ErrorCode::kPolicyUnknownKey && entry.position.line == i + 1 &&
             entry.error.what().ends_with("did you mean \"" + key + "\"?");
    })) << policy.error().to_string();
  }
}

TEST(PolicyMutation, RandomBytes) {
  std::mt19937 random(20240501);
  constexpr std::string_view kBytes = " \n:-[]{},\"'&*!|>%#?@`~0123456789.abcxyz\t\r\x01\x80\xff";
  for (int round = 0; round < 3000; ++round) {
    std::string text = kFullPolicy;
    for (int edit = 0; edit < 1 + round % 4; ++edit) {
      text[random() % text.size()] = kBytes[random() % kBytes.size()];
    }
    expect_policy_or_placed_errors(text);
  }
}

}  // namespace
}  // namespace raceguard::policy
