// SPDX-License-Identifier: Apache-2.0
// A real application under each transport alone and under both: the page as the daemon writes it, and the word as the
// kernel increments it for perf uprobes on the marker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <regex>
#include <vector>

#include "daemon/switches/switch_page.h"
#include "raceguard/clock.h"
#include "tests/unit/switches/app_process.h"
#include "tests/unit/switches/build_app.h"

namespace raceguard::switches {
namespace {

constexpr int kCalls = 10'000;

// Asks until the answer is as wanted, and then once more: the change may have come amid the calls. The last answer
// either way. Ten seconds are for a machine that is busy.
Answer await(const AppProcess& app, int calls, const std::function<bool(const Answer&)>& wanted) {
  const SystemClock clock;
  const std::int64_t deadline_ns = clock.monotonic_ns() + 10 * kNsPerSecond;
  Answer answer = app.ask(calls);
  while (!wanted(answer) && clock.monotonic_ns() < deadline_ns) {
    ::poll(nullptr, 0, 1);
    answer = app.ask(calls);
  }
  return app.ask(calls);
}

class ApplicationTest : public testing::Test {
 protected:
  void SetUp() override {
    const CommandResult built = build_app("gcc -std=c99 -O2", "", program_);
    ASSERT_EQ(built.status, 0) << built.output;
    ::sync();  // a uprobe on pages that are not yet written back warns in the kernel's log on ext4
  }
  SwitchPage make_page() {
    return SwitchPage::create(scratch_.path(), 60 * kNsPerSecond, SystemClock().monotonic_ns()).value();
  }
  static SwitchEntry entry(breaker::State state, double share) {
    return {.name = "test.app", .state = state, .allow_share = share, .reason = {}};
  }

  ScratchDirectory scratch_;
  std::filesystem::path program_ = scratch_ / "app";
  std::string page_path_ = scratch_ / "switches";
};

TEST_F(ApplicationTest, FollowsThePageAlone) {
  const AppProcess app(program_, page_path_);
  EXPECT_EQ(app.ask(kCalls).by_allow, kCalls) << "no daemon";

  auto page = std::make_unique<SwitchPage>(make_page());
  ASSERT_TRUE(page->write(entry(breaker::State::kOpen, 0)));
  EXPECT_EQ(await(app, 1, [](const Answer& now) { return now.by_allow == 0; }).by_allow, 0) << "a page that came later";
  EXPECT_EQ(app.ask(kCalls).by_allow, 0);
  ASSERT_TRUE(page->write(entry(breaker::State::kHalfOpen, 0.25)));
  EXPECT_NEAR(app.ask(kCalls).by_allow, kCalls / 4, 5);
  ASSERT_TRUE(page->write(entry(breaker::State::kClosed, 1)));
  EXPECT_EQ(app.ask(kCalls).by_allow, kCalls);
  ASSERT_TRUE(page->write(entry(breaker::State::kOpen, 0)));
  EXPECT_EQ(app.ask(kCalls).by_allow, 0) << "at once, by the next call";

  page.reset();
  EXPECT_EQ(app.ask(kCalls).by_allow, kCalls) << "clean stop";

  SwitchPage next = make_page();
  ASSERT_TRUE(next.write({.name = "another.first", .reason = {}}));
  ASSERT_TRUE(next.write(entry(breaker::State::kOpen, 0)));
  EXPECT_EQ(await(app, 1, [](const Answer& now) { return now.by_allow == 0; }).by_allow, 0)
      << "the next daemon's page, in which the switch has another slot";
}

TEST_F(ApplicationTest, PageOfADeadDaemonIsClosed) {
  const auto page = SwitchPage::create(scratch_.path(), kNsPerMs, SystemClock().monotonic_ns());
  SwitchPage dead = make_page();
  ASSERT_TRUE(dead.write(entry(breaker::State::kOpen, 0)));
  dead.heartbeat(SystemClock().monotonic_ns() - 181 * kNsPerSecond);
  const AppProcess app(program_, page_path_);
  EXPECT_EQ(app.ask(kCalls).by_allow, kCalls);
  dead.heartbeat(SystemClock().monotonic_ns());
  EXPECT_EQ(app.ask(kCalls).by_allow, 0) << "it was the heartbeat";
}

// Uprobes on the marker with the word as reference counter, the way the daemon has them.
class Marker {
 public:
  static std::string why_not() {
    return std::ifstream("/sys/bus/event_source/devices/uprobe/type") ? "" : "this kernel has no uprobe event source";
  }
  explicit Marker(const std::filesystem::path& program) : program_(program) {
    const std::string notes = run("readelf -nW " + program.string()).output;
    std::smatch found;
    if (std::regex_search(notes, found, std::regex("Location: 0x([0-9a-f]+), .*Semaphore: 0x([0-9a-f]+)"))) {
      location_ = file_offset(std::stoull(found[1], nullptr, 16));
      word_ = file_offset(std::stoull(found[2], nullptr, 16));
    }
  }
  // `instruction`: 0 the first nop, 1 the one behind it. The kernel counts the word once for each.
  UniqueFd attach(unsigned instruction) const {
    std::uint32_t type = 0;
    std::ifstream("/sys/bus/event_source/devices/uprobe/type") >> type;
    perf_event_attr attributes{};
    attributes.size = sizeof(attributes);
    attributes.type = type;
    attributes.config = word_ << 32U;  // ref_ctr_offset
    attributes.config1 = reinterpret_cast<std::uint64_t>(program_.c_str());
    attributes.config2 = location_ + instruction;
    return UniqueFd(static_cast<int>(::syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)));
  }

 private:
  std::uint64_t file_offset(std::uint64_t address) const {
    const std::string headers = run("readelf -lW " + program_).output;
    const std::regex load("LOAD +0x([0-9a-f]+) 0x([0-9a-f]+) 0x[0-9a-f]+ 0x([0-9a-f]+)");
    for (std::sregex_iterator it(headers.begin(), headers.end(), load), end; it != end; ++it) {
      const std::uint64_t offset = std::stoull((*it)[1], nullptr, 16);
      const std::uint64_t start = std::stoull((*it)[2], nullptr, 16);
      if (address >= start && address < start + std::stoull((*it)[3], nullptr, 16)) {
        return address - start + offset;
      }
    }
    return 0;
  }

  std::string program_;
  std::uint64_t location_ = 0;
  std::uint64_t word_ = 0;
};

TEST_F(ApplicationTest, FollowsTheKernelsWordAlone) {
  if (const std::string reason = Marker::why_not(); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  ASSERT_EQ(run("strip " + program_.string()).status, 0);
  ::sync();
  const Marker marker(program_);
  const AppProcess app(program_, page_path_);
  ASSERT_EQ(app.ask(kCalls).by_allow, kCalls);

  UniqueFd first = marker.attach(0);
  if (!first && (errno == EACCES || errno == EPERM)) {
    GTEST_SKIP() << "no right to open uprobes here: run as root with CAP_SYS_ADMIN";
  }
  ASSERT_TRUE(first) << std::strerror(errno);
  Answer answer = await(app, kCalls, [](const Answer& now) { return now.word == 1; });
  EXPECT_EQ(answer.word, 1U);
  EXPECT_EQ(answer.by_allow, 0);
  EXPECT_EQ(answer.by_word, 0);

  const AppProcess late(program_, page_path_);
  EXPECT_EQ(late.ask(kCalls).by_allow, 0) << "a new process starts already flipped";

  UniqueFd second = marker.attach(1);
  ASSERT_TRUE(second);
  answer = await(app, kCalls, [](const Answer& now) { return now.word == 2; });
  EXPECT_EQ(answer.word, 2U);
  EXPECT_NEAR(answer.by_allow, kCalls / 10, kCalls / 50);
  EXPECT_NEAR(answer.by_word, kCalls / 10, kCalls / 50);

  SwitchPage page = make_page();
  ASSERT_TRUE(page.write(entry(breaker::State::kHalfOpen, 0.5)));
  answer = await(app, kCalls, [](const Answer& now) { return now.by_allow > kCalls / 3; });
  EXPECT_NEAR(answer.by_allow, kCalls / 2, kCalls / 20) << "the page refines the share";

  first.reset();
  second.reset();
  answer = await(app, 1, [](const Answer& now) { return now.word == 0; });
  EXPECT_EQ(answer.word, 0U) << "the kernel takes the word back with the last uprobe";
}

}  // namespace
}  // namespace raceguard::switches
