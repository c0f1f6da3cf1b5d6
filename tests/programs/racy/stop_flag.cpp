// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: Engine::stopping
// pairs: 1-2
// builds: O0-g O2-g O2-nopie
// rate: 4000 a second a thread
// A bool that asks a thread to stop, and to go on again.
#include "support/pace.h"

struct Engine {
  static bool stopping;
};
bool Engine::stopping = false;

static void* engine(void*) {
  for (;;) {
    if (!Engine::stopping) use(1);  // race:1
    pause_us(100);
  }
}

static void* control(void*) {
  for (bool stop = true;; stop = !stop) {
    Engine::stopping = stop;  // race:2
    pause_us(250);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(engine, nullptr);
  control(nullptr);
}
