// SPDX-License-Identifier: Apache-2.0
#include "daemon/burst_thread.h"

#include <pthread.h>

#include <chrono>
#include <utility>

namespace raceguard::app {

BurstThread::~BurstThread() = default;

void BurstThread::set_work(BurstWork work) {
  const std::lock_guard held(lock_);
  if (!thread_.joinable()) {
    if (work.processes.empty()) {
      return;
    }
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  work_ = std::move(work);
  changed_.notify_all();
}

void BurstThread::hold(bool held) {
  const std::lock_guard guard(lock_);
  if (std::exchange(held_, held) != held) {
    changed_.notify_all();
  }
}

std::optional<exporting::BurstView> BurstThread::take() {
  const std::lock_guard held(lock_);
  return std::exchange(news_, std::nullopt);
}

bool BurstThread::goes_on(const std::stop_token& stop) {
  const std::lock_guard held(lock_);
  return !stop.stop_requested() && !held_;
}

void BurstThread::wait(const std::stop_token& stop, const BurstRounds& rounds) {
  std::unique_lock held(lock_);
  const bool was_held = held_;
  const auto changed = [&] { return work_.has_value() || held_ != was_held; };
  if (held_ || rounds.idle()) {
    changed_.wait(held, stop, changed);
  } else {
    changed_.wait_for(held, stop, std::chrono::nanoseconds(rounds.pause_ns()), changed);
  }
}

void BurstThread::run(const std::stop_token& stop) {
  pthread_setname_np(pthread_self(), "rg-bursts");
  const std::unique_ptr<BurstSource> source = make_source_(clock_);
  BurstRounds rounds(*source, clock_);
  while (!stop.stop_requested()) {
    wait(stop, rounds);
    std::optional<BurstWork> work;
    {
      const std::lock_guard held(lock_);
      work = std::exchange(work_, std::nullopt);
    }
    if (work) {
      rounds.set_work(std::move(*work));
    }
    if (goes_on(stop)) {
      rounds.step([&] { return goes_on(stop); });
    }
    exporting::BurstView view = rounds.view();
    const std::lock_guard held(lock_);
    news_ = std::move(view);
  }
}

}  // namespace raceguard::app
