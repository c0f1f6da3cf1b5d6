// SPDX-License-Identifier: Apache-2.0
#include "daemon/race_thread.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace raceguard::app {
namespace {

constexpr std::chrono::milliseconds kStep{4};
constexpr std::int64_t kPublishPeriodNs = 100 * kNsPerMs;

}  // namespace

RaceThread::~RaceThread() = default;

void RaceThread::set_work(SearchWork work) {
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

void RaceThread::add_locks(std::vector<SeenLock> locks) {
  const std::lock_guard held(lock_);
  const std::size_t room = kMostLocks - std::min(kMostLocks, locks_.size());
  locks.resize(std::min(locks.size(), room));
  std::move(locks.begin(), locks.end(), std::back_inserter(locks_));
}

std::optional<SearchNews> RaceThread::take() {
  const std::lock_guard held(lock_);
  return std::exchange(news_, std::nullopt);
}

void RaceThread::run(const std::stop_token& stop) {
  pthread_setname_np(pthread_self(), "rg-races");
  RaceSearch search(clock_);
  std::int64_t next_publish_ns = 0;
  while (!stop.stop_requested()) {
    std::optional<SearchWork> work;
    std::vector<SeenLock> locks;
    {
      std::unique_lock held(lock_);
      const auto has_work = [this] { return work_.has_value(); };
      if (search.idle()) {
        changed_.wait(held, stop, has_work);
      } else {
        changed_.wait_for(held, stop, kStep, has_work);
      }
      work = std::exchange(work_, std::nullopt);
      locks = std::exchange(locks_, {});
    }
    if (work) {
      search.set_work(std::move(*work));
      next_publish_ns = 0;
    }
    search.add_locks(locks);
    search.step();
    if (const std::int64_t now_ns = clock_.monotonic_ns(); now_ns >= next_publish_ns || search.idle()) {
      next_publish_ns = now_ns + kPublishPeriodNs;
      publish(search);
    }
  }
}

// What the loop has not taken yet is replaced, process by process.
void RaceThread::publish(RaceSearch& search) {
  auto findings = search.take_findings();
  SearchState state = search.state();
  const std::lock_guard held(lock_);
  if (!news_) {
    news_.emplace();
  }
  for (auto& [process, found] : findings) {
    news_->findings.insert_or_assign(process, std::move(found));
  }
  news_->state = std::move(state);
}

}  // namespace raceguard::app
