// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/detacher.h"

#include <pthread.h>

#include <iterator>
#include <utility>

namespace raceguard::kernel {

Detacher::~Detacher() { wait(); }

void Detacher::take(std::vector<Link> links) {
  if (links.empty()) {
    return;
  }
  std::unique_lock held(lock_);
  changed_.wait(held, [this] { return waiting_.size() <= kMostWaiting; });
  std::move(links.begin(), links.end(), std::back_inserter(waiting_));
  if (!thread_.joinable()) {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  changed_.notify_all();
}

void Detacher::wait() {
  std::unique_lock held(lock_);
  changed_.wait(held, [this] { return waiting_.empty() && !busy_; });
}

bool Detacher::idle() const {
  const std::lock_guard held(lock_);
  return waiting_.empty() && !busy_;
}

void Detacher::run(const std::stop_token& stop) {
  pthread_setname_np(pthread_self(), "rg-detach");
  std::unique_lock held(lock_);
  while (changed_.wait(held, stop, [this] { return !waiting_.empty(); })) {
    std::vector<Link> links = std::exchange(waiting_, {});
    busy_ = true;
    held.unlock();
    detach(std::move(links));
    held.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace raceguard::kernel
