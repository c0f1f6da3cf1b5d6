// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: versions[0].limit
// builds: O0-g O2-g O2-stripped
// rate: 4000 a second a thread
// Read-copy-update: readers take no lock. The writer fills the version that nobody can see, publishes it by an atomic
// pointer, and fills the old one again only when each reader has said that he is done with it.
#include <atomic>

#include "support/pace.h"

struct Config {
  long limit;
  long burst;
};
Config versions[2];
std::atomic<Config*> current{&versions[0]};
std::atomic<long> inside[2];  // a reader's mark: odd while he reads

static void* reader(void* number) {
  std::atomic<long>& mark = inside[reinterpret_cast<long>(number)];
  for (;;) {
    mark.fetch_add(1);
    const Config* config = current.load();
    use(config->limit + config->burst);
    mark.fetch_add(1);
    pause_us(150);
  }
}

static void wait_for_readers() {
  for (auto& mark : inside) {
    long seen = mark.load();
    while (seen % 2 != 0 && mark.load() == seen) sched_yield();
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(reader, reinterpret_cast<void*>(0));
  start_thread(reader, reinterpret_cast<void*>(1));
  for (long number = 1;; number++) {
    Config* next = &versions[number % 2];
    wait_for_readers();
    next->limit = number;
    next->burst = -number;
    current.store(next);
    pause_us(200);
  }
}
