// SPDX-License-Identifier: Apache-2.0
// The recording was made by record_events on a mariadbd under load (docs/stacks.md). It carries the names of its
// frames, so it replays to the same text on a machine with another mariadbd, or none.
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "daemon/detect/lock_table.h"
#include "daemon/events/recording.h"
#include "tests/replay/event_text.h"

namespace raceguard::events {
namespace {

std::string file_text(const std::string& name) {
  std::ifstream file(std::string(RG_REPLAY_DIR) + "/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Event> replay() {
  auto replayer = Replayer::open(std::string(RG_REPLAY_DIR) + "/mariadbd.rgrec").value();
  std::vector<Event> all;
  for (auto event = replayer.next().value(); event; event = replayer.next().value()) {
    all.push_back(std::move(*event));
  }
  return all;
}

TEST(Replay, GivesTheEventsThatWereRecorded) {
  std::string text;
  for (const Event& event : replay()) {
    text += event_text(event);
  }
  const std::string expected = file_text("mariadbd.txt");
  if (text != expected) {
    const std::string made = ::testing::TempDir() + "/mariadbd.txt";
    std::ofstream(made) << text;
    FAIL() << "the replayed events differ: diff " << RG_REPLAY_DIR << "/mariadbd.txt " << made;
  }
}

TEST(Replay, DetectionFindsTheSameLocksEachTime) {
  const auto names = [] {
    detect::LockTable table(detect::LockTableOptions{});
    for (const Event& event : replay()) {
      if (const auto* sample = std::get_if<LockStackEvent>(&event)) {
        table.add(*sample);
      }
    }
    std::multiset<std::string> found;
    for (const detect::LockFigures& lock : table.figures(1000)) {
      found.insert(lock.name);
    }
    return found;
  };
  EXPECT_FALSE(names().empty());
  EXPECT_EQ(names(), names());
}

}  // namespace
}  // namespace raceguard::events
