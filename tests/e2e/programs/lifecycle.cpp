// SPDX-License-Identifier: Apache-2.0
// A target that starts, calls guarded_work() and ends, or becomes itself again by exec.
//   lifecycle calls N        N calls, then the number done is printed
//   lifecycle exec TIMES N   so often: N calls, then exec; at last the sum is printed
//   lifecycle locks N        N mutexes, each contended by two threads until all were waited for; then waits for SIGTERM
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

extern "C" [[gnu::noinline]] int guarded_work(int value) {
  static std::atomic<int> sum{0};
  sum += value;
  return sum < 0 ? -1 : 0;
}

namespace {

int call(int times) {
  for (int i = 0; i < times; ++i) {
    guarded_work(i % 7);
  }
  return times;
}

int become_self(int times, int calls, int done) {
  done += call(calls);
  if (times == 0) {
    std::printf("%d\n", done);
    return 0;
  }
  const std::string left = std::to_string(times - 1);
  const std::string each = std::to_string(calls);
  const std::string sum = std::to_string(done);
  execl("/proc/self/exe", "lifecycle", "exec", left.c_str(), each.c_str(), sum.c_str(), nullptr);
  return 1;
}

// Holds each lock until another thread has announced that it wants it, and a little longer, so that this thread sleeps.
void contend(std::mutex* lock) {
  std::atomic<bool> wanted{false};
  lock->lock();
  std::thread waiter([&] {
    wanted = true;
    const std::lock_guard guard(*lock);
  });
  while (!wanted) {
    std::this_thread::yield();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  lock->unlock();
  waiter.join();
}

int contend_all(int count) {
  const auto locks = std::make_unique<std::mutex[]>(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    contend(&locks[static_cast<std::size_t>(i)]);
  }
  std::printf("%d\n", count);
  std::fflush(stdout);
  pause();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 2 ? argv[1] : "";
  const int first = argc > 2 ? std::atoi(argv[2]) : 0;
  if (mode == "calls") {
    std::printf("%d\n", call(first));
    return 0;
  }
  if (mode == "exec" && argc > 3) {
    return become_self(first, std::atoi(argv[3]), argc > 4 ? std::atoi(argv[4]) : 0);
  }
  if (mode == "locks") {
    return contend_all(first);
  }
  std::fputs("usage: lifecycle calls N | exec TIMES N | locks N\n", stderr);
  return 2;
}
