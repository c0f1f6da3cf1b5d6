// SPDX-License-Identifier: Apache-2.0
#include "daemon/interception_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/detect/race_name.h"
#include "raceguard/clock.h"

namespace raceguard::app {
namespace {

using exporting::InterceptionEvent;
using exporting::InterceptionState;
using exporting::InterceptionView;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr targets::ProcessId kShop{.pid = 812, .start_ticks = 7};
constexpr targets::ProcessId kOther{.pid = 900, .start_ticks = 9};

policy::Policy policy_with(policy::OnProvenRace on_proven_race) {
  policy::Policy policy;
  policy::Guard& guard = policy.guards.emplace_back();
  guard.name = "shop";
  guard.watch.automatic = true;
  guard.watch.on_proven_race = on_proven_race;
  guard.watch.serialize_for_ns = 60 * kNsPerSecond;
  policy::SwitchPolicy& one = guard.switches.emplace_back();
  one.name = "careful";
  one.serialize.emplace();
  one.serialize->parsed.push_back({.name = "put", .binary = "exe", .is_reader = false, .key = {}});
  return policy;
}

detect::RaceFinding race_between(const std::string& one, const std::string& other) {
  detect::RaceFinding race;
  race.verdict = detect::Verdict::kProven;
  race.variable = {
      .name = "counter", .type = {}, .declared = {}, .address = 0x1000, .binary = {}, .build_id = {}, .object_of = {}};
  race.variable.global = true;
  for (const std::string& name : {one, other}) {
    detect::RaceSite& site = race.sites.emplace_back();
    site.code.function = name;
    site.code.address = 0x400 + race.sites.size();
    site.stack.frames = {site.code};
    site.stack.frames.emplace_back().function = "serve";
  }
  race.count = 1;
  return race;
}

detect::Interception figures_of(std::vector<std::string> functions, std::uint64_t calls = 0) {
  detect::Interception figures;
  for (std::string& name : functions) {
    detect::InterceptedCalls& function = figures.functions.emplace_back();
    function.name = std::move(name);
    function.key = "none";
    function.figures.calls = calls;
    function.figures.open[RG_OPEN_TIME_OUT] = calls / 10;
  }
  return figures;
}

class Book : public ::testing::Test {
 protected:
  explicit Book(policy::OnProvenRace what = policy::OnProvenRace::kSerialize)
      : policy(policy_with(what)), book(policy) {
    book.follow({{kShop, "shop"}});
  }

  void pass(std::int64_t ns) { now.monotonic_ns += ns, now.realtime_ns += ns; }

  void step(breaker::State applied = breaker::State::kClosed, breaker::State state = breaker::State::kClosed,
            bool fuse_open = false) {
    InterceptionInput input;
    input.now = now;
    input.switches = {{.name = "careful", .state = std::max(state, applied), .applied = applied}};
    input.fuse_open = fuse_open;
    const auto seen = races.take_seen("shop").proven;
    for (const std::uint64_t hash : seen) {
      input.proven.push_back(races.find("shop", hash));
    }
    book.step(input, races);
  }

  void prove(std::uint64_t count, std::int64_t watched_ns, targets::ProcessId process = kShop) {
    detect::RaceFinding race = race_between("put", "get");
    race.count = count;
    race.watched_ns = watched_ns;
    races.merge("shop", process, {race});
  }

  // What the thread tells of the one order that there is.
  void tell(InterceptionNews::What what, detect::Interception figures = {}, std::string failure = {}) {
    if (!book.work().orders.empty()) {
      id = book.work().orders.begin()->first;
      attempt = book.work().orders.begin()->second.attempt;
    }
    book.take_in(
        {{.id = id, .attempt = attempt, .what = what, .figures = std::move(figures), .failure = std::move(failure)}},
        {}, now);
  }

  void end_with(const std::string& why, bool withdrawn = false) {
    detect::Interception figures = figures_of({"put", "get"}, 100);
    figures.ended = why;
    figures.withdrawn = withdrawn;
    tell(InterceptionNews::What::kEnded, figures);
  }

  std::vector<InterceptionEvent> events() {
    std::vector<InterceptionEvent> all;
    for (const InterceptionRecord& record : book.take_records()) {
      all.push_back(record.event);
    }
    return all;
  }

  InterceptionView only() const {
    const auto list = book.view().list;
    return list.size() == 1 ? list.front() : InterceptionView{};
  }

  policy::Policy policy;
  InterceptionBook book;
  detect::RaceBook races;
  breaker::Instant now{.monotonic_ns = 1000 * kNsPerSecond, .realtime_ns = 5000 * kNsPerSecond};
  InterceptionId id;
  std::uint64_t attempt = 0;
};

class ProposingBook : public Book {
 protected:
  ProposingBook() : Book(policy::OnProvenRace::kPropose) {}
};

TEST_F(Book, AnOpenSwitchKeepsItsFunctionsApartUntilItIsTried) {
  step();
  EXPECT_THAT(book.work().orders, IsEmpty());
  step(breaker::State::kOpen);
  ASSERT_EQ(book.work().orders.size(), 1U);
  const auto& [order_id, order] = *book.work().orders.begin();
  EXPECT_EQ(order_id.name, "careful");
  EXPECT_EQ(order_id.process, kShop);
  ASSERT_EQ(order.request.functions.size(), 1U);
  EXPECT_EQ(order.request.functions[0].name, "put");
  tell(InterceptionNews::What::kBegun, figures_of({"put"}));
  step(breaker::State::kOpen);
  EXPECT_EQ(only().state, InterceptionState::kRunning);
  EXPECT_THAT(events(), ElementsAre(InterceptionEvent::kBegun));

  step(breaker::State::kHalfOpen);
  EXPECT_THAT(book.work().orders, IsEmpty());
  EXPECT_EQ(book.work().ends.at(order_id), "the switch is half-open");
  EXPECT_EQ(only().state, InterceptionState::kOver);
  end_with("the switch is half-open");
  EXPECT_THAT(events(), ElementsAre(InterceptionEvent::kEnded));

  step(breaker::State::kOpen);
  ASSERT_EQ(book.work().orders.size(), 1U);
  EXPECT_EQ(book.work().orders.begin()->second.attempt, 2U) << "the trial failed: it begins anew";
}

TEST_F(Book, InModeObserveItIsOnlyTold) {
  step();
  step(breaker::State::kClosed, breaker::State::kOpen);
  step(breaker::State::kClosed, breaker::State::kOpen);
  EXPECT_THAT(book.work().orders, IsEmpty());
  EXPECT_THAT(events(), ElementsAre(InterceptionEvent::kObserved)) << "once";
}

TEST_F(Book, EachProcessOfTheSwitchIsOne) {
  step(breaker::State::kOpen);
  book.follow({{kShop, "shop"}, {kOther, "shop"}, {{.pid = 5, .start_ticks = 1}, "mail"}});
  step(breaker::State::kOpen);
  EXPECT_EQ(book.work().orders.size(), 2U);
  book.follow({{kOther, "shop"}});
  step(breaker::State::kOpen);
  ASSERT_EQ(book.work().orders.size(), 1U);
  EXPECT_EQ(book.work().orders.begin()->first.process, kOther);
}

TEST_F(Book, AProvenRaceIsKeptApartForItsTimeAndAgainWhenItIsProvenAgain) {
  prove(1, kNsPerSecond);
  step();
  ASSERT_EQ(book.work().orders.size(), 1U);
  const InterceptionOrder& order = book.work().orders.begin()->second;
  EXPECT_THAT(order.request.functions, IsEmpty());
  ASSERT_EQ(order.sides.size(), 2U);
  EXPECT_EQ(order.sides[0].front().name, "put");
  EXPECT_EQ(order.sides[1].front().name, "get");
  EXPECT_EQ(order.sides[1].back().name, "serve") << "who called it, if it cannot be kept apart itself";
  tell(InterceptionNews::What::kBegun, figures_of({"put", "get"}));
  pass(59 * kNsPerSecond);
  step();
  EXPECT_EQ(book.work().orders.size(), 1U);
  pass(kNsPerSecond);
  step();
  EXPECT_THAT(book.work().orders, IsEmpty());
  EXPECT_EQ(only().why, "its time was over");
  end_with("its time was over");
  pass(kNsPerSecond);
  step();
  EXPECT_THAT(book.work().orders, IsEmpty()) << "not proven since";
  prove(2, 2 * kNsPerSecond);
  step();
  EXPECT_EQ(book.work().orders.size(), 1U);
}

TEST_F(Book, AProvenRaceHasTheBoundsOfItsWatchAndBeginsAnewWithOthers) {
  policy.guards[0].watch.serialize_wait_ns = 2 * kNsPerMs;
  policy.guards[0].watch.serialize_budget = 0.25;
  book.reload(policy);
  prove(1, kNsPerSecond);
  step();
  ASSERT_EQ(book.work().orders.size(), 1U);
  const InterceptionOrder& order = book.work().orders.begin()->second;
  EXPECT_EQ(order.request.wait_ns, 2 * kNsPerMs);
  EXPECT_DOUBLE_EQ(order.request.budget, 0.25);
  tell(InterceptionNews::What::kBegun, figures_of({"put", "get"}));
  book.reload(policy);
  EXPECT_EQ(order.attempt, 1U) << "nothing changed";
  policy.guards[0].watch.serialize_wait_ns = kNsPerMs;
  book.reload(policy);
  ASSERT_EQ(book.work().orders.size(), 1U);
  EXPECT_EQ(book.work().orders.begin()->second.request.wait_ns, kNsPerMs);
  EXPECT_EQ(book.work().orders.begin()->second.attempt, 2U);
}

TEST_F(Book, ProofsAreCountedBeforeDuringAndAfter) {
  prove(12, kNsPerSecond);
  step();
  pass(kNsPerSecond);
  step();
  tell(InterceptionNews::What::kBegun, figures_of({"put", "get"}));
  pass(5 * kNsPerSecond);
  step();
  prove(13, 4 * kNsPerSecond);
  pass(kNsPerSecond);
  step();
  pass(60 * kNsPerSecond);
  step();
  end_with("its time was over");
  pass(5 * kNsPerSecond);
  step();
  prove(30, 10 * kNsPerSecond);
  static_cast<void>(races.take_seen("shop"));  // not to begin it anew
  pass(kNsPerSecond);
  step();
  const InterceptionView view = only();
  ASSERT_EQ(view.races.size(), 1U);
  EXPECT_EQ(view.races[0].variable, "counter");
  EXPECT_EQ(view.races[0].phases[0].proofs, 12U);
  EXPECT_EQ(view.races[0].phases[0].watched_ns, kNsPerSecond);
  EXPECT_EQ(view.races[0].phases[1].proofs, 1U);
  EXPECT_EQ(view.races[0].phases[1].watched_ns, 3 * kNsPerSecond);
  EXPECT_EQ(view.races[0].phases[2].proofs, 17U);
  EXPECT_EQ(book.view().guards.at(0).proofs[2].proofs, 17U);
}

TEST_F(Book, VariablesAreToBeWatchedWhileTheyAreCounted) {
  prove(1, kNsPerSecond);
  step();
  pass(kNsPerSecond);
  step();
  const auto wanted = book.wanted();
  ASSERT_TRUE(wanted.contains(kShop));
  EXPECT_EQ(wanted.at(kShop).at(0).name, "counter");
  book.follow({});
  pass(2000 * kNsPerSecond);
  step();
  EXPECT_THAT(book.wanted(), IsEmpty());
}

TEST_F(Book, WithdrawnItRestsLongerEachTime) {
  prove(1, kNsPerSecond);
  policy.guards[0].watch.serialize_for_ns = 24 * 3600 * kNsPerSecond;
  book.reload(policy);
  step();
  tell(InterceptionNews::What::kBegun, figures_of({"put", "get"}));
  end_with("withdrawn: it took 12 %", true);
  EXPECT_THAT(events(), ElementsAre(InterceptionEvent::kBegun, InterceptionEvent::kWithdrawn));
  EXPECT_EQ(only().state, InterceptionState::kResting);
  EXPECT_EQ(only().next_try_realtime_ns, now.realtime_ns + 60 * kNsPerSecond);
  prove(2, kNsPerSecond);
  pass(59 * kNsPerSecond);
  step();
  EXPECT_THAT(book.work().orders, IsEmpty()) << "proven again or not";
  pass(kNsPerSecond);
  step();
  ASSERT_EQ(book.work().orders.size(), 1U);
  tell(InterceptionNews::What::kBegun, figures_of({"put", "get"}));
  end_with("withdrawn: it took 12 %", true);
  EXPECT_EQ(only().next_try_realtime_ns, now.realtime_ns + 120 * kNsPerSecond);
}

TEST_F(Book, AFailureIsToldOnceAndTriedAgain) {
  step(breaker::State::kOpen);
  tell(InterceptionNews::What::kFailed, {}, "RG-S102 no function put");
  EXPECT_EQ(only().why, "RG-S102 no function put");
  pass(5 * kNsPerSecond);
  step(breaker::State::kOpen);
  ASSERT_EQ(book.work().orders.size(), 1U);
  tell(InterceptionNews::What::kFailed, {}, "RG-S102 no function put");
  EXPECT_THAT(events(), ElementsAre(InterceptionEvent::kFailed));
  pass(5 * kNsPerSecond);
  step(breaker::State::kOpen);
  EXPECT_THAT(book.work().orders, IsEmpty()) << "twice as long now";
}

TEST_F(Book, TheOpenFuseEndsAllAndLetsThemBeginAgain) {
  step(breaker::State::kOpen);
  tell(InterceptionNews::What::kBegun, figures_of({"put"}));
  step(breaker::State::kOpen, breaker::State::kOpen, true);
  EXPECT_THAT(book.work().orders, IsEmpty());
  EXPECT_THAT(only().why, HasSubstr("the fuse is open"));
  end_with("the fuse is open");
  step(breaker::State::kOpen);
  EXPECT_EQ(book.work().orders.size(), 1U);
}

TEST_F(Book, APolicyThatAsksForItOtherwiseBeginsAnewOneThatDoesNotEndsIt) {
  step(breaker::State::kOpen);
  tell(InterceptionNews::What::kBegun, figures_of({"put"}));
  book.reload(policy);
  step(breaker::State::kOpen);
  EXPECT_EQ(book.work().orders.begin()->second.attempt, 1U) << "the same policy changes nothing";
  policy.guards[0].switches[0].serialize->wait_ns = 77;
  book.reload(policy);
  step(breaker::State::kOpen);
  EXPECT_EQ(book.work().orders.begin()->second.attempt, 2U);
  EXPECT_EQ(book.work().orders.begin()->second.request.wait_ns, 77);
  policy.guards[0].switches[0].serialize.reset();
  book.reload(policy);
  step(breaker::State::kOpen);
  EXPECT_THAT(book.work().orders, IsEmpty());
  EXPECT_EQ(only().why, "the policy asks for it no longer");
}

TEST_F(Book, ARaceThatIsClosedAlreadyNeedsNoOther) {
  step(breaker::State::kOpen);
  tell(InterceptionNews::What::kBegun, figures_of({"put", "get"}));
  prove(1, kNsPerSecond);
  pass(kNsPerSecond);
  step(breaker::State::kOpen);
  EXPECT_EQ(book.work().orders.size(), 1U);
  EXPECT_EQ(only().races.size(), 1U) << "but it is counted";
}

TEST_F(Book, OtherRacesOfTheSameFunctionsGoWithTheFirst) {
  prove(1, kNsPerSecond);
  step();
  detect::RaceFinding other = race_between("get", "put");
  other.variable.name = "another";
  races.merge("shop", kShop, {other});
  step();
  EXPECT_EQ(book.work().orders.size(), 1U) << "it is being begun";
  tell(InterceptionNews::What::kBegun, figures_of({"put", "get"}));
  end_with("withdrawn: it took 12 %", true);
  other.count = 2;
  races.merge("shop", kShop, {other});
  step();
  EXPECT_THAT(book.work().orders, IsEmpty()) << "it costs too much, for whichever race";
  pass(60 * kNsPerSecond);
  step();
  EXPECT_EQ(only().why, "its time was over");
  other.count = 3;
  races.merge("shop", kShop, {other});
  step();
  ASSERT_EQ(book.work().orders.size(), 1U);
  EXPECT_EQ(book.work().orders.begin()->first, id) << "the same one, which has both";
  pass(kNsPerSecond);
  step();
  EXPECT_EQ(only().races.size(), 2U);
}

TEST_F(Book, ARaceElsewhereInFunctionsKeptApartInsideWidensTheirSections) {
  detect::RaceFinding race = race_between("put", "get");
  for (detect::RaceSite& site : race.sites) {
    site.instruction = "mov rax, [rdi]";
    site.code.function_offset = 0x1c;
  }
  races.merge("shop", kShop, {race});
  step();
  EXPECT_EQ(book.work().orders.begin()->second.sides[0].front().accesses, std::vector<std::uint64_t>{0x1c});
  detect::Interception figures = figures_of({"put", "get"});
  figures.functions[1].is_whole = false;
  tell(InterceptionNews::What::kBegun, figures);
  race.variable.name = "another";
  race.sites[1].code.function_offset = 0x10;
  races.merge("shop", kShop, {race});
  step();
  ASSERT_EQ(book.work().orders.size(), 1U);
  const InterceptionOrder& order = book.work().orders.begin()->second;
  EXPECT_EQ(order.attempt, attempt + 1);
  EXPECT_EQ(order.sides[0].front().accesses, std::vector<std::uint64_t>{0x1c});
  EXPECT_EQ(order.sides[1].front().accesses, (std::vector<std::uint64_t>{0x10, 0x1c}));
  tell(InterceptionNews::What::kBegun, figures);
  race.count = 2;
  races.merge("shop", kShop, {race});
  step();
  EXPECT_EQ(book.work().orders.begin()->second.attempt, attempt) << "it has them";
}

TEST_F(Book, AReaderClosesNothing) {
  step(breaker::State::kOpen);
  detect::Interception figures = figures_of({"put", "get"});
  figures.functions[1].is_reader = true;
  tell(InterceptionNews::What::kBegun, figures);
  prove(1, kNsPerSecond);
  step(breaker::State::kOpen);
  EXPECT_EQ(book.work().orders.size(), 2U);
}

TEST_F(Book, NoMoreThanEightAtOnce) {
  std::map<targets::ProcessId, std::string> processes;
  for (int pid = 1; pid <= 10; ++pid) {
    processes[{.pid = pid, .start_ticks = 1}] = "shop";
  }
  book.follow(processes);
  step(breaker::State::kOpen);
  EXPECT_EQ(book.work().orders.size(), InterceptionBook::kMostAtOnce);
  EXPECT_THAT(book.view().list.back().why, HasSubstr("no more at once"));
  processes.erase(processes.begin());
  book.follow(processes);
  step(breaker::State::kOpen);
  pass(kNsPerSecond);
  step(breaker::State::kOpen);
  EXPECT_EQ(book.work().orders.size(), InterceptionBook::kMostAtOnce);
}

TEST_F(Book, SumsGrowOverRuns) {
  step(breaker::State::kOpen);
  tell(InterceptionNews::What::kBegun, figures_of({"put"}));
  tell(InterceptionNews::What::kGoesOn, figures_of({"put"}, 100));
  tell(InterceptionNews::What::kGoesOn, figures_of({"put"}, 150));
  step();
  end_with("the switch is closed");
  step(breaker::State::kOpen);
  tell(InterceptionNews::What::kBegun, figures_of({"put"}));
  tell(InterceptionNews::What::kGoesOn, figures_of({"put"}, 1000));
  const auto guard = book.view().guards.at(0);
  EXPECT_EQ(guard.calls, 1000U + 200U) << "two functions of 100 calls at its end";
  EXPECT_EQ(guard.running, 1U);
  EXPECT_EQ(guard.events[static_cast<std::size_t>(InterceptionEvent::kBegun)], 2U);
}

TEST_F(ProposingBook, OnlyProposesAndOnce) {
  prove(1, kNsPerSecond);
  step();
  prove(2, kNsPerSecond);
  step();
  EXPECT_THAT(book.work().orders, IsEmpty());
  const auto orders = book.take_proposals();
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].process, kShop);
  EXPECT_THAT(book.view().proposals, IsEmpty());
  book.take_in({},
               {{.guard = "shop",
                 .finding = orders[0].finding,
                 .pid = 812,
                 .functions = {policy::RequestedFunction{.name = "put", .binary = {}, .is_reader = false, .key = {}}},
                 .failure = {}}},
               now);
  ASSERT_EQ(book.view().proposals.size(), 1U);
  EXPECT_EQ(book.view().proposals[0].command, "raceguardctl intercept " + orders[0].finding + " --enforce --for 1h");
  EXPECT_THAT(events(), ElementsAre(InterceptionEvent::kProposed));
}

}  // namespace
}  // namespace raceguard::app
