// SPDX-License-Identifier: Apache-2.0
#include "daemon/race_desk.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "daemon/detect/race_name.h"
#include "daemon/suppression_file.h"

namespace raceguard::app {
namespace {

constexpr std::size_t kMostTold = 1000;  // notes may name processes

// `raceguardctl findings --suppress` makes it.
bool is_not_there_yet(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) != 0 && errno == ENOENT;
}

// A symbol may hold any byte; a line break in one would make a suppression of its own of the rest.
bool is_one_line(const std::string& text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char byte) { return byte < ' ' || byte == 0x7f; });
}

}  // namespace

RaceDesk::RaceDesk(const policy::Policy& policy, const Clock& clock) : thread_(clock) { reload(policy); }

void RaceDesk::reload(const policy::Policy& policy) {
  guards_.clear();
  file_troubles_.clear();
  std::vector<std::string> names;
  for (const policy::Guard& guard : policy.guards) {
    if (guard.watch.wanted()) {
      guards_[guard.name] = guard.watch;
      names.push_back(guard.name);
      read_suppressions(guard.name);
    }
  }
  book_.keep_guards(names);
  std::erase_if(seen_, [&](const auto& entry) { return !guards_.contains(entry.first); });
  work_changed_ = true;
}

void RaceDesk::read_suppressions(const std::string& guard) {
  const std::string& path = guards_.at(guard).suppressions;
  if (path.empty() || is_not_there_yet(path)) {
    book_.set_suppressions(guard, {});
    return;
  }
  auto read = detect::Suppressions::read(path);
  if (!read) {
    file_troubles_[guard] = read.error().to_string();
    spdlog::error("policy {}: {}", guard, file_troubles_[guard]);
    return;
  }
  book_.set_suppressions(guard, std::move(*read));
}

void RaceDesk::follow(const targets::TargetSet& targets, const plan::ProbePlan& plan) {
  SearchWork work{.guards = guards_, .processes = {}, .wanted = std::move(work_.wanted)};
  if (!guards_.empty()) {
    for (const targets::Target& target : targets.list()) {
      if (guards_.contains(target.guard)) {
        work.processes.emplace(target.id, target.guard);
      }
    }
  }
  for (auto known = serials_.begin(); known != serials_.end();) {
    if (work.processes.contains(known->first)) {
      ++known;
      continue;
    }
    book_.forget_process(known->first);
    known = serials_.erase(known);
  }
  work_changed_ = work_changed_ || work.processes != work_.processes;
  work_ = std::move(work);
  follow_functions(plan);
}

void RaceDesk::follow_functions(const plan::ProbePlan& plan) {
  std::map<std::uint32_t, std::shared_ptr<const ObjectOrder>> orders;
  for (const plan::FunctionProbe& probe : plan.functions) {
    const auto guard = guards_.find(probe.guard);
    if (probe.object_argument == 0 || guard == guards_.end()) {
      continue;
    }
    const auto& objects = guard->second.objects;
    const auto object = std::ranges::find(objects, probe.name, &policy::WatchedObject::function);
    if (object == objects.end()) {
      continue;
    }
    const ObjectOrder order{.function = probe.symbol.name,
                            .shown = probe.symbol.demangled,
                            .argument = object->argument,
                            .members = object->members};
    const auto known = orders_.find(probe.function_id);
    const bool same = known != orders_.end() && *known->second == order;
    orders.emplace(probe.function_id, same ? known->second : std::make_shared<const ObjectOrder>(order));
  }
  orders_ = std::move(orders);
}

void RaceDesk::hand_over(const detect::LockTable& locks, const std::vector<kernel::ObjectReading>& objects) {
  std::vector<SeenLock> seen_locks;
  for (const detect::LockDelta& lock : locks.last_tick()) {
    if (lock.wait_kind == events::LockStackEvent::WaitKind::kLock && guards_.contains(lock.guard)) {
      seen_locks.push_back(
          {.pid = lock.id.pid, .lock = {.name = lock.name, .address = lock.id.address, .kind = RG_LOCK_PTHREAD_MUTEX}});
    }
  }
  std::vector<SeenObject> seen_objects;
  std::uint64_t newest_ns = objects_told_ns_;
  for (const kernel::ObjectReading& reading : objects) {
    const auto order = orders_.find(reading.key.function_id);
    if (order == orders_.end() || reading.object.last_ns <= objects_told_ns_) {
      continue;
    }
    newest_ns = std::max<std::uint64_t>(newest_ns, reading.object.last_ns);
    seen_objects.push_back({.pid = static_cast<pid_t>(reading.key.tgid),
                            .order = order->second,
                            .address = reading.key.address,
                            .seen_ns = static_cast<std::int64_t>(reading.object.last_ns),
                            .shared = reading.object.other_tid != 0});
  }
  objects_told_ns_ = newest_ns;
  // There may be more than are taken: first those that two threads had.
  std::ranges::stable_partition(seen_objects, [](const SeenObject& object) { return object.shared; });
  thread_.add_hints(std::move(seen_locks), std::move(seen_objects));
}

std::vector<detect::BookedRacePtr> RaceDesk::tick(const detect::LockTable& locks,
                                                  const std::vector<kernel::ObjectReading>& objects) {
  seen_.clear();
  if (std::exchange(work_changed_, false)) {
    thread_.set_work(work_);
  }
  if (work_.processes.empty() && state_.registers == 0) {
    return {};
  }
  hand_over(locks, objects);
  std::vector<detect::BookedRacePtr> told;
  if (auto news = thread_.take()) {
    state_ = std::move(news->state);
    tell_state();
    take_in(std::move(news->findings), told);
  }
  return told;
}

void RaceDesk::take_in(std::map<targets::ProcessId, ProcessFindings> findings,
                       std::vector<detect::BookedRacePtr>& told) {
  for (auto& [process, found] : findings) {
    if (!guards_.contains(found.guard)) {
      continue;  // the policy changed meanwhile
    }
    const auto known = serials_.find(process);
    if (known != serials_.end() && known->second != found.serial) {
      book_.forget_process(process);
    }
    auto added = book_.merge(found.guard, process, std::move(found.findings));
    told.insert(told.end(), added.begin(), added.end());
    if (work_.processes.contains(process)) {
      serials_[process] = found.serial;
    } else {
      book_.forget_process(process);
    }
  }
  for (const auto& [guard, settings] : guards_) {
    seen_[guard] = book_.take_seen(guard);
  }
}

// Once each: a debugger that holds a register for days is one line.
void RaceDesk::tell_state() {
  if (state_.trouble.empty()) {
    told_.erase("");
  } else if (told_.insert("").second) {
    spdlog::warn("data races are not searched: {}", state_.trouble);
  }
  if (told_.size() > kMostTold) {
    told_.clear();
  }
  for (const auto& [name, guard] : state_.guards) {
    for (const std::string& note : guard.notes) {
      if (told_.insert(note).second) {
        spdlog::warn("search for races, policy {}: {}", name, note);
      }
    }
  }
}

std::vector<detect::BookedRacePtr> RaceDesk::proven() const {
  std::vector<detect::BookedRacePtr> races;
  for (const auto& [guard, seen] : seen_) {
    for (const std::uint64_t hash : seen.proven) {
      if (auto race = book_.find(guard, hash)) {
        races.push_back(std::move(race));
      }
    }
  }
  return races;
}

void RaceDesk::want(std::map<targets::ProcessId, std::vector<WantedVariable>> wanted) {
  if (wanted != work_.wanted) {
    work_.wanted = std::move(wanted);
    work_changed_ = true;
  }
}

detect::RacesSeen RaceDesk::seen(const std::string& guard) const {
  const auto found = seen_.find(guard);
  return found == seen_.end() ? detect::RacesSeen{} : found->second;
}

Result<SuppressedRace> RaceDesk::suppress(const detect::BookedRacePtr& race, const std::string& why) {
  if (race->finding.suppressed) {
    return SuppressedRace{.race = race, .file = {}, .line = race->finding.suppressed_by};
  }
  const std::string& file = guards_.at(race->guard).suppressions;
  const std::string line = detect::suppression_for(race->finding);
  if (file.empty()) {
    return fail(ErrorCode::kControlRequest,
                fmt::format("cannot suppress {}: policy {} names no file of suppressions", race->id, race->guard),
                fmt::format("Add 'suppressions: /var/lib/raceguard/{}.supp' to its watch and reload; the line is {}",
                            race->guard, line));
  }
  const auto rule = detect::Suppressions::parse(line, file);
  if (!is_one_line(line) || !rule || !rule->match(race->finding)) {
    return fail(ErrorCode::kSuppressionFile,
                fmt::format("cannot suppress {}: its names do not fit on a line of {}", race->id, file),
                "Add a line with a pattern of your own, and reload");
  }
  const std::string comment = fmt::format("{}: {}; {}", race->id, detect::race_sentence(race->finding), why);
  if (auto added = append_suppression(file, comment, line); !added) {
    return fail(std::move(added.error()));
  }
  return SuppressedRace{.race = race, .file = file, .line = line, .added = true};
}

Result<std::vector<SuppressedRace>> RaceDesk::suppress(const std::string& id, const std::string& why) {
  const std::vector<detect::BookedRacePtr> races = book_.find(id);
  if (races.empty()) {
    return fail(ErrorCode::kFindingUnknown, fmt::format("no data race has the id {}", id),
                "'raceguardctl findings' shows the ids; those that were not seen for long make room for others");
  }
  std::vector<SuppressedRace> done;
  for (const detect::BookedRacePtr& race : races) {
    // Another guard with the same file: its line is there by now.
    const auto twin = std::find_if(done.begin(), done.end(), [&](const SuppressedRace& one) {
      return one.added && one.file == guards_.at(race->guard).suppressions;
    });
    auto suppressed =
        twin == done.end() ? suppress(race, why) : SuppressedRace{.race = race, .file = twin->file, .line = twin->line};
    if (!suppressed) {
      return fail(std::move(suppressed.error()));
    }
    done.push_back(std::move(*suppressed));
    read_suppressions(race->guard);
  }
  return done;
}

exporting::WatchView RaceDesk::view() const {
  exporting::WatchView view{.wanted = !guards_.empty(),
                            .trouble = state_.trouble,
                            .registers = state_.registers,
                            .hits = state_.hits,
                            .holds = state_.holds,
                            .samples = state_.samples,
                            .hold_ns = state_.hold_ns,
                            .armed_ns = state_.armed_ns,
                            .guards = {},
                            .races = book_.list()};
  for (const auto& [name, settings] : guards_) {
    exporting::GuardWatchView guard{.guard = name,
                                    .coverage = {},
                                    .races = book_.counters(name),
                                    .suppressed = book_.suppressed(name),
                                    .notes = {}};
    if (const auto search = state_.guards.find(name); search != state_.guards.end()) {
      guard.processes = search->second.processes;
      guard.coverage = search->second.coverage;
      guard.notes = search->second.notes;
    }
    if (const auto trouble = file_troubles_.find(name); trouble != file_troubles_.end()) {
      guard.notes.push_back(trouble->second);
    }
    view.guards.push_back(std::move(guard));
  }
  return view;
}

void RaceDesk::add_drops(std::vector<std::uint64_t>& drops) const { app::add_drops(drops, state_.drops); }

}  // namespace raceguard::app
