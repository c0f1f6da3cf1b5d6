// SPDX-License-Identifier: Apache-2.0
// The search for data races beside the loop.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "daemon/race_search.h"
#include "raceguard/clock.h"

namespace raceguard::app {

struct SearchNews {
  std::map<targets::ProcessId, ProcessFindings> findings;  // of the processes that were searched since the last news
  SearchState state;
};

// Has a thread of its own, "rg-races", from the first process on that is to be searched: it reads the code and
// variables of whole programs (half a second of a MariaDB without debug information), and the loop has to beat the
// switch page's heart every 0.2 s. Sleeps without a wake-up while nothing is to be searched.
class RaceThread {
 public:
  // `clock` must outlive it.
  explicit RaceThread(const Clock& clock) : clock_(clock) {}
  ~RaceThread();  // waits for a step's end; the address registers are free then
  RaceThread(const RaceThread&) = delete;
  RaceThread& operator=(const RaceThread&) = delete;

  // Starts the thread, so not before the daemon has given up its rights: threads keep theirs.
  void set_work(SearchWork work);
  // Beyond kMostHints that wait, they are dropped: the next tick tells them again while they are in use.
  void add_hints(std::vector<SeenLock> locks, std::vector<SeenObject> objects);
  // Never waits for a step. Nothing: no news since.
  [[nodiscard]] std::optional<SearchNews> take();

 private:
  static constexpr std::size_t kMostHints = 256;
  void run(const std::stop_token& stop);
  void publish(RaceSearch& search);

  const Clock& clock_;
  std::mutex lock_;
  std::condition_variable_any changed_;
  std::optional<SearchWork> work_;  // this and the next three are guarded by lock_
  std::vector<SeenLock> locks_;
  std::vector<SeenObject> objects_;
  std::optional<SearchNews> news_;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace raceguard::app
