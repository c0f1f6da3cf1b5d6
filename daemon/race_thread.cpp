// SPDX-License-Identifier: Apache-2.0
#include "daemon/race_thread.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace raceguard::app {
namespace {

constexpr std::int64_t kPublishPeriodNs = 100 * kNsPerMs;

template <typename Hint>
void append(std::vector<Hint>& waiting, std::vector<Hint> more, std::size_t most) {
  more.resize(std::min(more.size(), most - std::min(most, waiting.size())));
  std::move(more.begin(), more.end(), std::back_inserter(waiting));
}

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

void RaceThread::add_hints(std::vector<SeenLock> locks, std::vector<SeenObject> objects) {
  const std::lock_guard held(lock_);
  append(locks_, std::move(locks), kMostHints);
  append(objects_, std::move(objects), kMostHints);
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
    std::vector<SeenObject> objects;
    {
      std::unique_lock held(lock_);
      const auto has_work = [this] { return work_.has_value(); };
      if (search.idle()) {
        changed_.wait(held, stop, has_work);
      } else {
        changed_.wait_for(held, stop, std::chrono::nanoseconds(search.pause_ns()), has_work);
      }
      work = std::exchange(work_, std::nullopt);
      locks = std::exchange(locks_, {});
      objects = std::exchange(objects_, {});
    }
    if (work) {
      search.set_work(std::move(*work));
      next_publish_ns = 0;
    }
    search.add_locks(locks);
    search.add_objects(objects);
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
