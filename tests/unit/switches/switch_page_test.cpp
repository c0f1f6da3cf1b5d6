// SPDX-License-Identifier: Apache-2.0
// The page from both sides: what the daemon writes, and what an application's reader makes of it, of a dead daemon's
// page and of a hostile one.
#include "daemon/switches/switch_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "raceguard/clock.h"
#include "raceguard/switch_page.h"
#include "tests/unit/switches/build_app.h"

namespace raceguard::switches {
namespace {

constexpr std::int64_t kNow = 1'000'000 * kNsPerSecond;
constexpr std::int64_t kPeriod = 200 * kNsPerMs;
constexpr auto kReaderNow = static_cast<rg_u64>(kNow);

SwitchEntry entry(const std::string& name, breaker::State state, double share) {
  return {.name = name, .state = state, .allow_share = share, .generation = 7, .since_ns = kNow, .reason = "too slow"};
}

class SwitchPageTest : public testing::Test {
 protected:
  ~SwitchPageTest() override { rg_page_close(&view_); }

  SwitchPage make() {
    auto page = SwitchPage::create(scratch_.path(), kPeriod, kNow);
    EXPECT_TRUE(page) << page.error().to_string();
    return *std::move(page);
  }
  int open() { return rg_page_open(path_.c_str(), &view_); }
  // What the page says of a switch: its reading, or nothing.
  std::optional<rg_page_reading> read(const char* name, rg_u64 now_ns = kReaderNow) {
    rg_page_reading reading{};
    if (rg_page_check(&view_, rg_page_find(&view_, name), name, now_ns, &reading) == 0) {
      return std::nullopt;
    }
    return reading;
  }
  void overwrite(std::streamoff offset, const std::string& bytes) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file << bytes;
    ASSERT_TRUE(file.flush());
  }

  ScratchDirectory scratch_;
  std::string path_ = scratch_ / "switches";
  rg_page_view view_{};
};

TEST_F(SwitchPageTest, ReaderSeesWhatWasWritten) {
  SwitchPage page = make();
  ASSERT_EQ(open(), 0);
  EXPECT_FALSE(read("a"));
  ASSERT_TRUE(page.write(entry("a", breaker::State::kOpen, 0)));
  ASSERT_TRUE(page.write(entry("b", breaker::State::kHalfOpen, 0.1)));
  ASSERT_TRUE(read("a"));
  EXPECT_EQ(read("a")->state, RG_SWITCH_OPEN);
  EXPECT_EQ(read("a")->allow_permyriad, 0U);
  EXPECT_EQ(read("a")->generation, 7U);
  EXPECT_STREQ(read("a")->reason, "too slow");
  EXPECT_EQ(read("b")->state, RG_SWITCH_HALF_OPEN);
  EXPECT_EQ(read("b")->allow_permyriad, 1000U);
  ASSERT_TRUE(page.write(entry("a", breaker::State::kClosed, 1)));
  EXPECT_EQ(read("a")->state, RG_SWITCH_CLOSED);
}

TEST_F(SwitchPageTest, FileIsWholeReadableAndNotWritableByOthers) {
  const SwitchPage page = make();
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0644U);
  EXPECT_EQ(status.st_size, static_cast<off_t>(sizeof(rg_page)));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch_.path()), {}), 1) << "no temporary file is left";
}

TEST_F(SwitchPageTest, DeadDaemonMeansClosedAfterThreePeriods) {
  SwitchPage page = make();
  ASSERT_TRUE(page.write(entry("a", breaker::State::kOpen, 0)));
  ASSERT_EQ(open(), 0);
  EXPECT_TRUE(read("a", kReaderNow + 3 * kPeriod));
  EXPECT_FALSE(read("a", kReaderNow + 3 * kPeriod + 1));
  page.heartbeat(kNow + kPeriod);
  EXPECT_TRUE(read("a", kReaderNow + 4 * kPeriod));
}

TEST_F(SwitchPageTest, CleanStopClosesEverySwitchAndRemovesTheFile) {
  {
    SwitchPage page = make();
    ASSERT_TRUE(page.write(entry("a", breaker::State::kOpen, 0)));
    ASSERT_EQ(open(), 0);
    ASSERT_TRUE(read("a"));
  }
  EXPECT_FALSE(read("a"));
  EXPECT_EQ(view_.page->slots[0].state, static_cast<rg_u32>(RG_SWITCH_CLOSED));
  EXPECT_EQ(view_.page->heartbeat_ns, 0U);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(SwitchPageTest, StopLeavesAnotherDaemonsPageAlone) {
  auto first = std::make_unique<SwitchPage>(make());
  const SwitchPage second = make();
  first.reset();
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(SwitchPageTest, ReaderFollowsToANewPageAtAnUnchangedAddress) {
  auto first = std::make_unique<SwitchPage>(make());
  ASSERT_TRUE(first->write(entry("a", breaker::State::kOpen, 0)));
  ASSERT_EQ(open(), 0);
  const rg_page* address = view_.page;
  SwitchPage second = make();
  ASSERT_TRUE(second.write(entry("other", breaker::State::kClosed, 1)));
  ASSERT_TRUE(second.write(entry("a", breaker::State::kHalfOpen, 0.5)));
  rg_page_poll(&view_, kReaderNow);
  EXPECT_EQ(view_.page, address);
  EXPECT_EQ(view_.epoch, 2U);
  ASSERT_TRUE(read("a"));
  EXPECT_EQ(read("a")->state, RG_SWITCH_HALF_OPEN);
}

TEST_F(SwitchPageTest, ReaderFindsAPageThatAppearsLaterButLooksOnlyNowAndThen) {
  EXPECT_EQ(open(), -ENOENT);
  EXPECT_FALSE(read("a"));
  rg_page_poll(&view_, kReaderNow);
  SwitchPage page = make();
  ASSERT_TRUE(page.write(entry("a", breaker::State::kOpen, 0)));
  rg_page_poll(&view_, kReaderNow + RG_PAGE_POLL_NS - 1);
  EXPECT_FALSE(read("a"));
  rg_page_poll(&view_, kReaderNow + RG_PAGE_POLL_NS);
  EXPECT_TRUE(read("a"));
}

TEST_F(SwitchPageTest, RefusesWhatIsNoPage) {
  std::optional<SwitchPage> page(make());
  overwrite(offsetof(rg_page, magic), "x");
  EXPECT_EQ(open(), -EINVAL) << "magic";
  page.emplace(make());
  overwrite(offsetof(rg_page, version), "x");
  EXPECT_EQ(open(), -EINVAL) << "version";
  page.emplace(make());
  overwrite(offsetof(rg_page, slot_count), std::string(4, '\xff'));
  EXPECT_EQ(open(), -EINVAL) << "slot_count";
  page.emplace(make());
  std::filesystem::permissions(path_, std::filesystem::perms::others_write, std::filesystem::perm_options::add);
  EXPECT_EQ(open(), -EPERM) << "who can write it can truncate it";
  page.reset();
  std::ofstream(path_) << "short";
  EXPECT_EQ(open(), -EINVAL) << "a mapping past the end of the file would be a SIGBUS";
  std::filesystem::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0644), 0);
  EXPECT_EQ(open(), -EPERM) << "and a FIFO must not block";
  EXPECT_FALSE(read("a"));
}

TEST_F(SwitchPageTest, SurvivesAPageThatTurnsHostileWhileMapped) {
  SwitchPage page = make();
  ASSERT_TRUE(page.write(entry("a", breaker::State::kOpen, 0)));
  ASSERT_EQ(open(), 0);
  const auto slot = static_cast<std::streamoff>(offsetof(rg_page, slots));
  overwrite(offsetof(rg_page, slot_count), std::string(4, '\xff'));
  EXPECT_FALSE(read("no such"));
  EXPECT_TRUE(read("a"));
  overwrite(slot + static_cast<std::streamoff>(offsetof(rg_page_slot, reason)), std::string(RG_SWITCH_REASON_LEN, 'r'));
  EXPECT_EQ(std::string(read("a")->reason).size(), RG_SWITCH_REASON_LEN - 1U);
  overwrite(slot + static_cast<std::streamoff>(offsetof(rg_page_slot, state)), "\x09");
  EXPECT_FALSE(read("a")) << "no such state";
  overwrite(slot, "\x01");
  EXPECT_FALSE(read("a")) << "a writer that never ends";
  overwrite(slot + static_cast<std::streamoff>(offsetof(rg_page_slot, name)), std::string(RG_SWITCH_NAME_LEN, 'n'));
  EXPECT_FALSE(read("a"));
  overwrite(offsetof(rg_page, heartbeat_period_ns), std::string(8, '\xff'));
  EXPECT_FALSE(rg_page_is_live(&view_, kReaderNow));
}

TEST_F(SwitchPageTest, NamesAreLimitedAndSlotsRunOut) {
  SwitchPage page = make();
  EXPECT_FALSE(page.write(entry("", breaker::State::kOpen, 0)));
  EXPECT_FALSE(page.write(entry(std::string(64, 'x'), breaker::State::kOpen, 0)));
  EXPECT_TRUE(page.write(entry(std::string(63, 'x'), breaker::State::kOpen, 0)));
  for (int i = 1; i < RG_PAGE_SLOTS; ++i) {
    ASSERT_TRUE(page.write(entry("s" + std::to_string(i), breaker::State::kOpen, 0)));
  }
  const auto full = page.write(entry("one more", breaker::State::kOpen, 0));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), ErrorCode::kSwitchPage);
  ASSERT_EQ(open(), 0);
  EXPECT_TRUE(read(std::string(63, 'x').c_str()));
  EXPECT_TRUE(read("s255"));
}

TEST_F(SwitchPageTest, LongReasonEndsAtAWholeCharacter) {
  SwitchPage page = make();
  SwitchEntry long_reason = entry("a", breaker::State::kOpen, 0);
  long_reason.reason = std::string(94, 'x') + "\u00fc";
  ASSERT_TRUE(page.write(long_reason));
  ASSERT_EQ(open(), 0);
  EXPECT_EQ(std::string(read("a")->reason), std::string(94, 'x'));
}

TEST(SwitchPageFailure, SaysWhatToDo) {
  const auto page = SwitchPage::create("/nonexistent", kPeriod, kNow);
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code(), ErrorCode::kSwitchPage);
  EXPECT_THAT(page.error().to_string(), testing::HasSubstr("/nonexistent/switches"));
  EXPECT_THAT(page.error().to_string(), testing::HasSubstr("ENOENT"));
}

SwitchEntry whole(bool open) {
  SwitchEntry value = entry("a", open ? breaker::State::kOpen : breaker::State::kHalfOpen, open ? 0 : 0.5);
  value.generation = open ? 1 : 2;
  value.since_ns = open ? 1 : 2;
  value.reason = std::string(RG_SWITCH_REASON_LEN - 1, open ? 'o' : 'h');
  return value;
}

bool is_torn(const rg_page_reading& reading) {
  const bool open = reading.state == RG_SWITCH_OPEN;
  const SwitchEntry expected = whole(open);
  return reading.generation != expected.generation || reading.since_ns != static_cast<rg_u64>(expected.since_ns) ||
         reading.allow_permyriad != (open ? 0U : 5000U) || expected.reason != reading.reason;
}

// A writer in another process flips between two contents, each of which is consistent in itself. The reader must see it
// flip often: else the two had one processor between them, and met nowhere.
TEST_F(SwitchPageTest, ReaderInAnotherProcessNeverSeesHalfAWrite) {
  constexpr int kFlips = 2'000;
  SwitchPage page = make();
  ASSERT_TRUE(page.write(whole(true)));
  const pid_t writer = ::fork();
  ASSERT_GE(writer, 0);
  if (writer == 0) {
    for (bool open = false;; open = !open) {
      (void)page.write(whole(open));
    }
  }
  ASSERT_EQ(open(), 0);
  const SystemClock clock;
  const std::int64_t deadline_ns = clock.monotonic_ns() + 20 * kNsPerSecond;
  const rg_page_slot* slot = rg_page_find(&view_, "a");
  rg_page_reading reading{};
  rg_u32 last = 0;
  int torn = 0;
  int flips = 0;
  while (flips < kFlips && clock.monotonic_ns() < deadline_ns) {
    slot = slot != nullptr ? slot : rg_page_find(&view_, "a");
    if (rg_page_check(&view_, slot, "a", kReaderNow, &reading) == 0) {
      continue;  // writes at every attempt: the reader does not wait
    }
    torn += is_torn(reading) ? 1 : 0;
    flips += reading.state != last ? 1 : 0;
    last = reading.state;
  }
  ::kill(writer, SIGKILL);
  ::waitpid(writer, nullptr, 0);
  EXPECT_EQ(torn, 0);
  if (flips < kFlips) {
    GTEST_SKIP() << "saw only " << flips << " flips in 20 s: needs two free processors";
  }
}

}  // namespace
}  // namespace raceguard::switches
