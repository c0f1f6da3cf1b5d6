// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: progress.bytes
// builds: O0-g O2-g O2-stripped O2-clang
// rate: 5000 a second a thread
// An atomic with one writer, who needs no locked instruction: load, add and store are plain movs on both sides.
#include <atomic>

#include "support/pace.h"

struct Progress {
  std::atomic<long> bytes{0};
  std::atomic<int> percent{0};
};
Progress progress;

static void* download(void*) {
  for (;;) {
    long bytes = progress.bytes.load(std::memory_order_relaxed) + 1500;
    progress.bytes.store(bytes, std::memory_order_relaxed);
    progress.percent.store(static_cast<int>(bytes / 1500 % 101), std::memory_order_relaxed);
    pause_us(120);
  }
}

static void* display(void*) {
  for (;;) {
    use(progress.bytes.load(std::memory_order_relaxed));
    use(progress.percent.load(std::memory_order_relaxed));
    pause_us(120);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(download, nullptr);
  display(nullptr);
}
