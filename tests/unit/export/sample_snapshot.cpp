// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/export/sample_snapshot.h"

#include "daemon/detect/deadlock_finding.h"
#include "raceguard/abi/drop_reasons.h"

namespace raceguard::exporting {

detect::Histogram histogram_of(const std::vector<std::uint64_t>& durations_ns) {
  detect::Histogram histogram;
  for (const std::uint64_t duration : durations_ns) {
    ++histogram.counts.at(rg_histogram_bucket(duration));
  }
  return histogram;
}

detect::LockFigures sample_lock(const std::string& name, std::uint64_t address, std::uint64_t waits,
                                std::uint64_t wait_ns) {
  detect::LockFigures lock;
  lock.pid = 812;
  lock.address = address;
  lock.guard = "checkout";
  lock.name = name;
  lock.waits = waits;
  lock.waiting_now = 2;
  lock.total_wait_ns = static_cast<std::int64_t>(waits * wait_ns);
  lock.longest_wait_ns = static_cast<std::int64_t>(wait_ns);
  lock.wait = histogram_of(std::vector<std::uint64_t>(waits, wait_ns));
  return lock;
}

detect::FunctionFigures sample_function(std::uint32_t id, const std::string& name, std::uint64_t calls,
                                        std::uint64_t duration_ns) {
  detect::FunctionFigures figures;
  figures.function_id = id;
  figures.guard = "checkout";
  figures.name = name;
  figures.symbol = name + "(int)";
  figures.calls = calls;
  figures.returns = calls;
  figures.errors = calls / 4;
  figures.slow = calls / 2;
  figures.total_ns = static_cast<std::int64_t>(calls * duration_ns);
  figures.max_ns = static_cast<std::int64_t>(duration_ns);
  figures.latency = histogram_of(std::vector<std::uint64_t>(calls, duration_ns));
  return figures;
}

namespace {

breaker::Decision sample_decision() {
  breaker::Decision decision;
  decision.switch_name = "recommend";
  decision.to = breaker::State::kOpen;
  decision.enforced = true;
  decision.reason = "slow ratio 0.62 of 40 calls is above 0.5";
  decision.actor = "breaker";
  decision.evidence = {{"slow_ratio", 0.62, 0.5, 40}};
  decision.time_ns = kSampleMonotonicNs - 2'000'000'000;
  decision.realtime_ns = kSampleRealtimeNs - 2'000'000'000;
  decision.generation = 1;
  decision.allow_share = 0;
  decision.next_change_ns = kSampleMonotonicNs + 3'000'000'000;
  return decision;
}

SwitchView sample_switch() {
  SwitchView view;
  view.name = "recommend";
  view.guard = "checkout";
  view.enforce = true;
  view.state = breaker::State::kOpen;
  view.applied_state = breaker::State::kOpen;
  view.allow_share = 0;
  view.transitions = 1;
  view.transitions_to[1].enforced = 1;
  view.openings_enforced = 1;
  view.current = {{"slow_ratio", 0.1, 0.5, 12}};
  view.history = {sample_decision()};
  return view;
}

BudgetView sample_budget() {
  GuardBudgetView guard;
  guard.guard = "checkout";
  guard.limit = 0.01;
  guard.share = 0.004;
  guard.cost_ns = 2'500'000'000;
  guard.cpu_ns = 600'000'000'000;
  guard.hits = 1'000'000;
  guard.steps.at(static_cast<std::size_t>(breaker::BudgetStep::Kind::kExempt)) = 1;
  BudgetView budget;
  budget.calibrated = true;
  budget.guards = {guard};
  budget.contention = {{.guard = "checkout",
                        .limit = 0.01,
                        .share = 0.02,
                        .watched_share = 0.25,
                        .resting = true,
                        .cost_ns = 1'500'000'000,
                        .cpu_ns = 60'000'000'000,
                        .calls = 7,
                        .steps_less = 2,
                        .steps_more = 1}};
  budget.exemptions = {{.guard = "checkout",
                        .name = "hash",
                        .symbol = "hash(int)",
                        .reason = "its probe took 60 % of the CPU time of checkout",
                        .since_realtime_ns = kSampleRealtimeNs,
                        .next_change_ns = kSampleMonotonicNs + 60'000'000'000}};
  return budget;
}

InterceptionsView sample_interceptions() {
  InterceptionView view;
  view.guard = "checkout";
  view.cause = InterceptionCause::kFinding;
  view.name = "1f0c22a94b7e";
  view.pid = 812;
  view.state = InterceptionState::kRunning;
  view.begun = 1;
  view.begun_realtime_ns = kSampleRealtimeNs - 60'000'000'000;
  view.until_realtime_ns = kSampleRealtimeNs + 60'000'000'000;
  view.figures.pid = 812;
  view.figures.exe = "/usr/bin/checkout";
  view.figures.budget = 0.1;
  detect::InterceptedCalls& put = view.figures.functions.emplace_back();
  put.name = "put(Table*, int)";
  put.key = "none";
  put.figures.calls = 100;
  put.figures.taken = 90;
  put.figures.open[RG_OPEN_TIME_OUT] = 10;
  ProofCounts phases{};
  phases[0] = {.proofs = 12, .watched_ns = 2'000'000'000};
  phases[1] = {.proofs = 0, .watched_ns = 30'000'000'000};
  view.races.push_back({.id = "1f0c22a94b7e", .variable = "stock", .phases = phases});
  GuardInterceptionsView guard;
  guard.guard = "checkout";
  guard.running = 1;
  guard.events[static_cast<std::size_t>(InterceptionEvent::kBegun)] = 1;
  guard.calls = 100;
  guard.opened[RG_OPEN_TIME_OUT] = 10;
  guard.proofs = phases;
  ProposalView proposal;
  proposal.guard = "checkout";
  proposal.finding = "abcdef012345";
  proposal.pid = 812;
  proposal.functions = {"get"};
  proposal.command = "raceguardctl intercept abcdef012345 --enforce --for 1h";
  return {.list = {view}, .guards = {guard}, .proposals = {proposal}};
}

}  // namespace

Snapshot sample_snapshot() {
  Snapshot snapshot;
  snapshot.time_ns = kSampleMonotonicNs;
  snapshot.realtime_ns = kSampleRealtimeNs;
  snapshot.started_realtime_ns = kSampleRealtimeNs - 60'000'000'000;
  snapshot.version = "0.1.0";
  snapshot.pid = 4711;
  snapshot.ready = true;
  snapshot.policy_generation = 1;
  TargetView target;
  target.target.id = {812, 99};
  target.target.guard = "checkout";
  target.target.comm = std::string("che\xffkout");  // a process names itself as it likes
  target.target.exe = "/usr/bin/checkout";
  target.functions_probed = 1;
  snapshot.targets = {target};
  snapshot.functions = {sample_function(1, "recommend", 40, 30'000'000)};
  plan::FunctionProbe probe;
  probe.function_id = 1;
  probe.guard = "checkout";
  probe.name = "recommend";
  probe.site.kind = symbols::SiteKind::kEmulated;
  probe.slow_ns = 20'000'000;
  snapshot.probes = {probe};
  snapshot.omissions = {{"checkout", "function ghost*", "RG-P108 nothing matches"}};
  snapshot.locks = {sample_lock("inventory_mutex", 0x7f00, 10, 5'000'000),
                    sample_lock("orders", 0x8f00, 100, 5'000'000)};
  detect::RankedSite site;
  site.count = 7;
  events::Stack stack;
  stack.trust = events::StackTrust::kUnwound;
  stack.frames = {{"reserve_stock", 16, "/usr/bin/checkout", 0x1234, symbols::SourceLine{"checkout.cpp", 42}}};
  site.stack = std::make_shared<const events::Stack>(std::move(stack));
  snapshot.locks[0].waiters = {site};
  snapshot.findings = {{}};
  snapshot.findings[0].guard = "checkout";
  snapshot.findings[0].subject = "orders";
  snapshot.findings[0].first_seen_ns = kSampleRealtimeNs;
  snapshot.budget = sample_budget();
  snapshot.interceptions = sample_interceptions();
  snapshot.switches = {sample_switch()};
  snapshot.drops.assign(RG_DROP_REASON_COUNT, 0);
  snapshot.drops[RG_DROP_RING_FULL] = 3;
  return snapshot;
}

detect::Finding sample_deadlock(std::int64_t realtime_ns) {
  detect::DeadlockedThread thread{.tid = 813, .name = "worker", .lock = "account_lock", .lock_address = 0x1000};
  thread.owner_tid = thread.tid;
  thread.since_ns = kSampleRealtimeNs;
  for (const char* function : {"pthread_mutex_lock", "transfer"}) {
    symbols::CodeSite site;
    site.function = function;
    site.binary = "/srv/bank";
    thread.stack.frames.push_back(site);
  }
  thread.stack.trust = events::StackTrust::kUnwound;
  thread.stack.reliable_frames = 2;
  detect::Deadlock deadlock{.pid = 812, .process = "bank (812)"};
  deadlock.threads = {thread};
  return detect::deadlock_finding(std::move(deadlock), "checkout", realtime_ns);
}

}  // namespace raceguard::exporting
