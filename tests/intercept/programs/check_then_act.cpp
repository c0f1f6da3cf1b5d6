// SPDX-License-Identifier: Apache-2.0
// Sessions in a std::map without a lock: looked up, and added if they are not there, or removed. The tree's links
// break, and as a rule the program crashes or does not end. Wrong: entries that the tree counts and does not have.
#include "rounds.h"

#include <map>
#include <string>

static std::map<long, std::string> sessions;

REAL bool add_session(long id) {
  if (sessions.find(id) != sessions.end()) {
    return false;
  }
  sessions.emplace(id, "session");
  return true;
}

REAL bool remove_session(long id) { return sessions.erase(id) == 1; }

static void work(long index, long rounds) {
  unsigned long random = 88172645463325252UL + static_cast<unsigned long>(index);
  for (long i = 0; i < rounds; i++) {
    random ^= random << 13U;
    random ^= random >> 7U;
    random ^= random << 17U;
    const long id = static_cast<long>(random % 64);
    (random & 1024U) != 0 ? add_session(id) : remove_session(id);
  }
}

static long run(int threads, long rounds) {
  sessions.clear();
  run_threads(threads, rounds, work);
  long walked = 0;
  for (auto it = sessions.begin(); it != sessions.end() && walked < 1000; ++it) {
    walked++;
  }
  return static_cast<long>(sessions.size()) - walked;
}

int main() { return serve(run); }
