// SPDX-License-Identifier: Apache-2.0
#include "ctl/top_frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "daemon/export/json_views.h"
#include "tests/unit/export/sample_snapshot.h"

namespace raceguard::ctl {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

TopSample sample_of(const exporting::Snapshot& snapshot) {
  return {.status = std::make_shared<json>(exporting::status_json(snapshot)),
          .locks = std::make_shared<json>(exporting::locks_json(snapshot)),
          .functions = std::make_shared<json>(exporting::functions_json(snapshot)),
          .switches = std::make_shared<json>(exporting::switches_json(snapshot))};
}

class Top : public ::testing::Test {
 protected:
  Top() {
    later_ = exporting::sample_snapshot();
    later_.realtime_ns += 2'000'000'000;  // two seconds and 100 calls on, of which 10 were slow
    later_.functions[0].calls += 100;
    later_.functions[0].returns += 100;
    later_.functions[0].slow += 10;
    later_.locks[0].waits += 50;
    later_.locks[0].total_wait_ns += 4'000'000'000;
  }
  [[nodiscard]] std::string frame(std::size_t rows, std::size_t width = 120) const {
    const TopSample before = sample_of(exporting::sample_snapshot());
    const TopSample now = sample_of(later_);
    return top_frame({.before = &before, .now = &now, .trouble = {}}, {.width = width, .colour = false}, rows);
  }
  exporting::Snapshot later_;
};

TEST_F(Top, RatesAreOfTwoSuccessiveAnswers) {
  const std::string text = frame(0);
  EXPECT_THAT(text, ContainsRegex("recommend +50 +0 .* 10 % +0 % +checkout"));
  EXPECT_THAT(text, ContainsRegex("inventory_mutex +25 +2.0 s +2 "));
  EXPECT_LT(text.find("inventory_mutex"), text.find("orders"));  // the busier one now, not the one with more in all
  EXPECT_THAT(text, HasSubstr("reserve_stock"));
}

TEST_F(Top, TheFirstViewHasNoRates) {
  const TopSample now = sample_of(later_);
  const std::string text = top_frame({.before = nullptr, .now = &now, .trouble = "gone"}, {}, 0);
  EXPECT_THAT(text, AllOf(ContainsRegex("recommend +- "), HasSubstr("gone")));
}

TEST_F(Top, AProcessThatTookAnothersPlaceIsCountedFromNothing) {
  later_.functions[0].calls = 6;  // less than before
  EXPECT_THAT(frame(0), ContainsRegex("recommend +3.0 "));
}

TEST_F(Top, NeverHigherOrWiderThanTheTerminal) {
  for (int i = 0; i < 60; ++i) {
    later_.locks.push_back(exporting::sample_lock("a_lock_with_quite_a_long_name_" + std::to_string(i),
                                                  1 + static_cast<std::uint64_t>(i), 5, 100));
    later_.functions.push_back(exporting::sample_function(10 + static_cast<std::uint32_t>(i), "f", 5, 100));
  }
  for (const std::size_t rows : {1U, 5U, 12U, 24U, 50U}) {
    const std::string text = frame(rows, 80);
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), static_cast<long>(rows));
    for (std::size_t from = 0; from < text.size(); from = text.find('\n', from) + 1) {
      EXPECT_LE(columns_of(text.substr(from, text.find('\n', from) - from)), 80U);
    }
  }
  // All three parts are there on the usual terminal.
  EXPECT_THAT(frame(24, 80), AllOf(HasSubstr("SWITCH"), HasSubstr("LOCK"), HasSubstr("FUNCTION")));
}

}  // namespace
}  // namespace raceguard::ctl
