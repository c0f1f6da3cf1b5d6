// SPDX-License-Identifier: Apache-2.0
#include "daemon/control_request.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace raceguard::app {
namespace {

using nlohmann::json;

const json kGood = {{"switch", "recommendations"}, {"state", "open"}, {"reason", "incident 42"}, {"ttl_seconds", 1.5}};

json without(const char* key) {
  json changed = kGood;
  changed.erase(key);
  return changed;
}

json with(const char* key, json value) {
  json changed = kGood;
  changed[key] = std::move(value);
  return changed;
}

TEST(ControlRequest, ForceCarriesEveryValue) {
  const auto request = decode_switch_request("force", kGood);
  ASSERT_TRUE(request) << request.error().to_string();
  EXPECT_EQ(request->name, "recommendations");
  EXPECT_EQ(request->state, breaker::State::kOpen);
  EXPECT_EQ(request->reason, "incident 42");
  EXPECT_EQ(request->ttl_ns, 1'500'000'000);
}

TEST(ControlRequest, ForceWithoutTimeToLiveHoldsUntilReleased) {
  const auto request = decode_switch_request("force", without("ttl_seconds"));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->ttl_ns, 0);
}

TEST(ControlRequest, ReleaseNeedsOnlyTheSwitch) {
  const auto request = decode_switch_request("release", {{"switch", "s"}});
  ASSERT_TRUE(request);
  EXPECT_EQ(request->name, "s");
  EXPECT_FALSE(request->reason.empty());
}

TEST(ControlRequest, WhatIsMissingOrWrongIsNamed) {
  const std::vector<std::pair<json, std::string>> cases = {
      {without("switch"), "\"switch\""}, {without("reason"), "\"reason\""},   {with("reason", ""), "\"reason\""},
      {with("switch", 7), "\"switch\""}, {without("state"), "\"state\""},     {with("state", "half_open"), "\"state\""},
      {with("ttl_seconds", -1), "ttl"},  {with("ttl_seconds", "10m"), "ttl"}, {with("ttl_seconds", 1e30), "ttl"},
      {json::array(), "\"switch\""},     {json(nullptr), "\"switch\""},       {with("ttl_seconds", nullptr), "ttl"},
  };
  for (const auto& [params, named] : cases) {
    const auto request = decode_switch_request("force", params);
    ASSERT_FALSE(request) << params;
    EXPECT_EQ(request.error().code(), ErrorCode::kControlRequest);
    EXPECT_NE(request.error().what().find(named), std::string::npos) << request.error().what();
  }
}

TEST(ControlRequest, ReleaseWithAReasonThatIsNoTextIsRefused) {
  EXPECT_FALSE(decode_switch_request("release", {{"switch", "s"}, {"reason", 7}}));
}

TEST(ControlRequest, AnUnknownMethodIsRefused) { EXPECT_FALSE(decode_switch_request("explode", kGood)); }

TEST(ControlRequest, SuppressNeedsAnId) {
  const auto request = decode_suppress_request({{"id", "1f0c22a94b7e"}, {"reason", "a statistic"}});
  ASSERT_TRUE(request) << request.error().to_string();
  EXPECT_EQ(request->id, "1f0c22a94b7e");
  EXPECT_EQ(request->reason, "a statistic");
  EXPECT_FALSE(decode_suppress_request({{"id", "1f0c22a94b7e"}})->reason.empty());
  for (const json& wrong : {json::object(), json{{"id", 5}}, json{{"id", ""}}, json{{"id", "1"}, {"reason", ""}}}) {
    const auto refused = decode_suppress_request(wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().code(), ErrorCode::kControlRequest);
  }
}

}  // namespace
}  // namespace raceguard::app
