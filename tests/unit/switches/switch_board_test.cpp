// SPDX-License-Identifier: Apache-2.0
#include "daemon/switches/switch_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raceguard/switch_page.h"
#include "tests/unit/switches/build_app.h"

namespace raceguard::switches {
namespace {

using breaker::Decision;
using breaker::State;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class ManualClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t monotonic_ns() const override { return now_ns; }
  [[nodiscard]] std::int64_t realtime_ns() const override { return now_ns; }
  std::int64_t now_ns = 1000 * kNsPerSecond;
};

Decision decision(const std::string& name, State from, State to, bool enforced, std::int64_t time_ns) {
  return {.switch_name = name,
          .from = from,
          .to = to,
          .enforced = enforced,
          .reason = "because",
          .actor = "breaker",
          .evidence = {},
          .time_ns = time_ns,
          .generation = 1,
          .allow_share = to == State::kClosed ? 1.0
                         : to == State::kOpen ? 0.0
                                              : 0.25};
}

class SwitchBoardTest : public testing::Test {
 protected:
  SwitchBoard board(bool with_page = true) {
    std::optional<SwitchPage> page;
    if (with_page) {
      page = SwitchPage::create(scratch_.path(), 200 * kNsPerMs, clock_.now_ns).value();
    }
    return SwitchBoard(
        std::move(page),
        [this](const std::string& name, unsigned value) {
          words_.emplace_back(name, value);
          clock_.now_ns += 8 * kNsPerMs;
          return word_errors_;
        },
        clock_);
  }
  Decision now(const std::string& name, State from, State to, bool enforced = true) {
    return decision(name, from, to, enforced, clock_.now_ns);
  }
  rg_u32 page_state(const char* name) {
    rg_page_view view{};
    rg_page_reading reading{};
    EXPECT_EQ(rg_page_open((scratch_ / "switches").c_str(), &view), 0);
    const int known =
        rg_page_check(&view, rg_page_find(&view, name), name, static_cast<rg_u64>(clock_.now_ns), &reading);
    rg_page_close(&view);
    return known != 0 ? reading.state : 99;
  }

  ScratchDirectory scratch_;
  ManualClock clock_;
  std::vector<std::pair<std::string, unsigned>> words_;
  std::vector<Error> word_errors_;
};

TEST_F(SwitchBoardTest, CarriesADecisionToPageAndWordAndTimesEach) {
  SwitchBoard board = this->board();
  EXPECT_THAT(board.announce({"a"}), IsEmpty());
  EXPECT_EQ(page_state("a"), RG_SWITCH_CLOSED);
  const auto deliveries = board.carry({now("a", State::kClosed, State::kOpen)});
  ASSERT_THAT(deliveries, SizeIs(2));
  EXPECT_EQ(deliveries[0].transport, Transport::kPage);
  EXPECT_EQ(deliveries[0].visible_after_ns, 0);
  EXPECT_EQ(deliveries[1].transport, Transport::kWord);
  EXPECT_EQ(deliveries[1].visible_after_ns, 8 * kNsPerMs);
  EXPECT_EQ(page_state("a"), RG_SWITCH_OPEN);
  EXPECT_THAT(words_, ElementsAre(Pair("a", 1U)));
  EXPECT_EQ(board.find("a")->state, State::kOpen);
}

TEST_F(SwitchBoardTest, NoPageWaitsForAWord) {
  SwitchBoard board = this->board();
  const auto deliveries = board.carry({now("a", State::kClosed, State::kOpen), now("b", State::kClosed, State::kOpen)});
  ASSERT_THAT(deliveries, SizeIs(4));
  EXPECT_EQ(deliveries[1].transport, Transport::kPage);
  EXPECT_EQ(deliveries[1].visible_after_ns, 0);
  EXPECT_EQ(deliveries[3].visible_after_ns, 16 * kNsPerMs);
}

TEST_F(SwitchBoardTest, WhatIsNotEnforcedIsNotCarried) {
  SwitchBoard board = this->board();
  EXPECT_THAT(board.carry({now("a", State::kClosed, State::kOpen, false)}), IsEmpty());
  EXPECT_THAT(words_, IsEmpty());
  EXPECT_EQ(board.find("a")->state, State::kClosed);
  ASSERT_THAT(board.carry({now("a", State::kOpen, State::kOpen, true)}), SizeIs(2));
  ASSERT_THAT(board.carry({now("a", State::kOpen, State::kOpen, false)}), SizeIs(2)) << "from enforce to observe";
  EXPECT_EQ(board.find("a")->state, State::kClosed);
  EXPECT_EQ(page_state("a"), RG_SWITCH_CLOSED);
  EXPECT_THAT(words_, ElementsAre(Pair("a", 1U), Pair("a", 0U)));
}

TEST_F(SwitchBoardTest, FailingWordStopsNeitherPageNorOthersAndIsRetried) {
  SwitchBoard board = this->board();
  word_errors_ = {Error(ErrorCode::kSwitchWord, "no")};
  const auto deliveries = board.carry({now("a", State::kClosed, State::kOpen)});
  EXPECT_EQ(page_state("a"), RG_SWITCH_OPEN);
  EXPECT_THAT(deliveries.at(1).errors, SizeIs(1));
  EXPECT_EQ(board.pending(), 1U);
  EXPECT_THAT(board.tick(), IsEmpty()) << "the same failure is said once";
  word_errors_ = {Error(ErrorCode::kSwitchWord, "another")};
  EXPECT_THAT(board.tick(), SizeIs(1));
  word_errors_ = {};
  const auto recovered = board.tick();
  ASSERT_THAT(recovered, SizeIs(1));
  EXPECT_TRUE(recovered[0].retried);
  EXPECT_EQ(recovered[0].visible_after_ns, 4 * 8 * kNsPerMs) << "since the decision";
  EXPECT_EQ(board.pending(), 0U);
  EXPECT_THAT(board.tick(), IsEmpty());
}

TEST_F(SwitchBoardTest, RetryCarriesTheNewestState) {
  SwitchBoard board = this->board();
  word_errors_ = {Error(ErrorCode::kSwitchWord, "no")};
  (void)board.carry({now("a", State::kClosed, State::kOpen)});
  (void)board.carry({now("a", State::kOpen, State::kHalfOpen)});
  words_.clear();
  word_errors_ = {};
  (void)board.tick();
  EXPECT_THAT(words_, ElementsAre(Pair("a", 2U)));
}

TEST_F(SwitchBoardTest, FullPageStopsNoWord) {
  SwitchBoard board = this->board();
  std::vector<std::string> names;
  for (int i = 0; i < RG_PAGE_SLOTS; ++i) {
    names.push_back("s" + std::to_string(i));
  }
  EXPECT_THAT(board.announce(names), IsEmpty());
  EXPECT_THAT(board.announce({"one more"}), SizeIs(1));
  const auto deliveries = board.carry({now("one more", State::kClosed, State::kOpen)});
  EXPECT_THAT(deliveries.at(0).errors, SizeIs(1));
  EXPECT_THAT(deliveries.at(1).errors, IsEmpty());
}

TEST_F(SwitchBoardTest, WordsAloneAreEnough) {
  SwitchBoard board = this->board(false);
  EXPECT_THAT(board.announce({"a"}), IsEmpty());
  EXPECT_THAT(board.carry({now("a", State::kClosed, State::kHalfOpen)}), SizeIs(1));
  EXPECT_THAT(words_, ElementsAre(Pair("a", 2U)));
}

TEST_F(SwitchBoardTest, NewBinariesGetTheWordsThatAreNotClosed) {
  SwitchBoard board = this->board();
  (void)board.carry({now("a", State::kClosed, State::kOpen), now("b", State::kClosed, State::kOpen)});
  (void)board.carry({now("b", State::kOpen, State::kClosed)});
  words_.clear();
  EXPECT_THAT(board.reapply_words(), SizeIs(1));
  EXPECT_THAT(words_, ElementsAre(Pair("a", 1U)));
}

TEST_F(SwitchBoardTest, TickBeatsTheHeart) {
  SwitchBoard board = this->board();
  EXPECT_THAT(board.announce({"a"}), IsEmpty());
  clock_.now_ns += kNsPerSecond;
  EXPECT_EQ(page_state("a"), 99U);
  (void)board.tick();
  EXPECT_EQ(page_state("a"), RG_SWITCH_CLOSED);
}

}  // namespace
}  // namespace raceguard::switches
