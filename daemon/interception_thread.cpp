// SPDX-License-Identifier: Apache-2.0
#include "daemon/interception_thread.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "daemon/interception_runner.h"

namespace raceguard::app {
namespace {

constexpr std::int64_t kStepNs = 100 * kNsPerMs;  // the budget is judged in windows of twice this

template <typename Item>
void append(std::vector<Item>& to, std::vector<Item> more) {
  std::move(more.begin(), more.end(), std::back_inserter(to));
}

}  // namespace

InterceptionThread::~InterceptionThread() = default;

void InterceptionThread::start() {
  if (!thread_.joinable()) {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
}

void InterceptionThread::set_work(InterceptionWork work) {
  const std::lock_guard held(lock_);
  if (!thread_.joinable() && work.orders.empty()) {
    return;
  }
  start();
  work_ = std::move(work);
  changed_.notify_all();
}

void InterceptionThread::add(std::vector<ProposalOrder> proposals) {
  const std::lock_guard held(lock_);
  if (proposals.empty()) {
    return;
  }
  start();
  append(proposals_, std::move(proposals));
  proposals_.resize(std::min(proposals_.size(), kMostProposals));
  changed_.notify_all();
}

std::pair<std::vector<InterceptionNews>, std::vector<ProposalNews>> InterceptionThread::take() {
  const std::lock_guard held(lock_);
  return {std::exchange(news_, {}), std::exchange(proposed_, {})};
}

void InterceptionThread::end(const std::string& why) {
  {
    const std::lock_guard held(lock_);
    end_reason_ = why;
  }
  thread_ = {};  // asks it to stop, and waits
}

void InterceptionThread::run(const std::stop_token& stop) {
  pthread_setname_np(pthread_self(), "rg-intercept");
  InterceptionRunner runner(clock_);
  while (!stop.stop_requested()) {
    {
      std::unique_lock held(lock_);
      const auto has_work = [this] { return work_.has_value() || !proposals_.empty(); };
      if (runner.is_idle()) {
        changed_.wait(held, stop, has_work);
      } else if (!runner.has_more()) {
        changed_.wait_for(held, stop, std::chrono::nanoseconds(kStepNs), has_work);
      }
      if (auto work = std::exchange(work_, std::nullopt)) {
        runner.set_work(std::move(*work));
      }
      runner.add(std::exchange(proposals_, {}));
    }
    if (!stop.stop_requested()) {
      runner.step();
    }
    const std::lock_guard held(lock_);
    append(news_, runner.take_news());
    append(proposed_, runner.take_proposals());
  }
  std::string why;
  {
    const std::lock_guard held(lock_);
    why = end_reason_;
  }
  runner.end(why);
  const std::lock_guard held(lock_);
  append(news_, runner.take_news());
}

}  // namespace raceguard::app
