// SPDX-License-Identifier: Apache-2.0
#include "daemon/interception_runner.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace raceguard::app {
namespace {

constexpr std::int64_t kTellPeriodNs = kNsPerSecond;
constexpr const char* kWithdrawnOrder = "ended by the daemon";

Error gone(const targets::ProcessId& process) {
  return {ErrorCode::kTargetGone, fmt::format("process {} ended before it could be intercepted", process.pid)};
}

}  // namespace

void InterceptionRunner::add(std::vector<ProposalOrder> proposals) {
  std::move(proposals.begin(), proposals.end(), std::back_inserter(proposals_));
}

std::optional<InterceptionId> InterceptionRunner::next() const {
  for (const auto& [id, order] : work_.orders) {
    const auto tried = tried_.find(id);
    if (tried == tried_.end() || tried->second != order.attempt) {
      return id;
    }
  }
  return std::nullopt;
}

bool InterceptionRunner::has_more() const { return next().has_value() || !proposals_.empty(); }

void InterceptionRunner::step() {
  end_unwanted();
  drive();
  if (const auto id = next()) {
    begin(*id, work_.orders.at(*id));
  } else if (!proposals_.empty()) {
    const ProposalOrder order = std::move(proposals_.front());
    proposals_.erase(proposals_.begin());
    look_up(order);
  }
}

void InterceptionRunner::end(const std::string& why) {
  work_ = {};
  proposals_.clear();
  for (auto& [id, run] : running_) {
    run.interception->end(why);
    tell(id, run, InterceptionNews::What::kEnded);
  }
  running_.clear();
}

void InterceptionRunner::end_unwanted() {
  for (auto run = running_.begin(); run != running_.end();) {
    const auto order = work_.orders.find(run->first);
    if (order != work_.orders.end() && order->second.attempt == run->second.attempt) {
      ++run;
      continue;
    }
    const auto why = work_.ends.find(run->first);
    const bool is_anew = order != work_.orders.end();
    run->second.interception->end(is_anew                   ? "to begin anew, with what is to be kept apart now"
                                  : why == work_.ends.end() ? kWithdrawnOrder
                                                            : why->second);
    tell(run->first, run->second, InterceptionNews::What::kEnded);
    run = running_.erase(run);
  }
  std::erase_if(tried_, [&](const auto& one) { return !work_.orders.contains(one.first); });
}

void InterceptionRunner::drive() {
  for (auto run = running_.begin(); run != running_.end();) {
    Interception& interception = *run->second.interception;
    if (auto stepped = interception.step(); !stepped) {
      interception.end(stepped.error().to_string());
    }
    if (interception.ended()) {
      tell(run->first, run->second, InterceptionNews::What::kEnded);
      run = running_.erase(run);
      continue;
    }
    if (const std::int64_t now_ns = clock_.monotonic_ns(); now_ns - run->second.told_ns >= kTellPeriodNs) {
      run->second.told_ns = now_ns;
      tell(run->first, run->second, InterceptionNews::What::kGoesOn);
    }
    ++run;
  }
}

Result<std::unique_ptr<Interception>> InterceptionRunner::start(const InterceptionId& id,
                                                                const InterceptionOrder& order) {
  InterceptRequest request = order.request;
  if (request.functions.empty()) {
    auto functions = find_innermost(id.process.pid, order.sides);
    if (!functions) {
      return fail(std::move(functions).error());
    }
    request.functions = std::move(*functions);
  }
  if (!costs_) {
    costs_ = kernel::calibrate({.watchpoint = false});
  }
  auto interception = Interception::start(request, *costs_, clock_);
  if (interception && (*interception)->process() != id.process) {
    return fail(gone(id.process));
  }
  return interception;
}

void InterceptionRunner::begin(const InterceptionId& id, const InterceptionOrder& order) {
  tried_[id] = order.attempt;
  auto interception = start(id, order);
  if (!interception) {
    news_.push_back({.id = id,
                     .attempt = order.attempt,
                     .what = InterceptionNews::What::kFailed,
                     .figures = {},
                     .failure = interception.error().to_string()});
    return;
  }
  Run& run = running_[id];
  run = {.attempt = order.attempt, .interception = std::move(*interception), .told_ns = clock_.monotonic_ns()};
  tell(id, run, InterceptionNews::What::kBegun);
}

void InterceptionRunner::look_up(const ProposalOrder& order) {
  ProposalNews news{
      .guard = order.guard, .finding = order.finding, .pid = order.process.pid, .functions = {}, .failure = {}};
  if (auto functions = find_innermost(order.process.pid, order.sides)) {
    news.functions = std::move(*functions);
  } else {
    news.failure = functions.error().to_string();
  }
  proposed_.push_back(std::move(news));
}

void InterceptionRunner::tell(const InterceptionId& id, const Run& run, InterceptionNews::What what) {
  news_.push_back(
      {.id = id, .attempt = run.attempt, .what = what, .figures = run.interception->figures(), .failure = {}});
}

}  // namespace raceguard::app
