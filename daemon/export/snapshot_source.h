// SPDX-License-Identifier: Apache-2.0
// Hands the newest Snapshot from the daemon's loop to every reader. A mutex and not std::atomic<std::shared_ptr>: g++
// 12's takes a lock as well, and ThreadSanitizer does not understand it. It is held for the copy of one pointer.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace raceguard::exporting {

struct Snapshot;

class SnapshotSource {
 public:
  void publish(std::shared_ptr<const Snapshot> snapshot) {
    const std::lock_guard lock(mutex_);
    snapshot_.swap(snapshot);
  }

  // Null until the first publish().
  [[nodiscard]] std::shared_ptr<const Snapshot> get() const {
    const std::lock_guard lock(mutex_);
    return snapshot_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace raceguard::exporting
