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
    read_ = false;
  }

  // Null until the first publish().
  [[nodiscard]] std::shared_ptr<const Snapshot> get() const {
    const std::lock_guard lock(mutex_);
    read_ = true;
    return snapshot_;
  }

  // True if somebody has read the newest one, and may come again for the next.
  [[nodiscard]] bool was_read() const {
    const std::lock_guard lock(mutex_);
    return read_;
  }

 private:
  mutable std::mutex mutex_;
  mutable bool read_ = false;
  std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace raceguard::exporting
