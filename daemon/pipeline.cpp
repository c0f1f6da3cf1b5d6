// SPDX-License-Identifier: Apache-2.0
#include "daemon/pipeline.h"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "daemon/burst_source.h"
#include "daemon/control_request.h"
#include "daemon/detect/race_name.h"
#include "daemon/detect/site_text.h"
#include "daemon/export/json_views.h"
#include "daemon/export/race_views.h"
#include "daemon/omission_text.h"
#include "daemon/policy/load.h"
#include "daemon/process_cpu.h"
#include "daemon/version.h"

namespace raceguard::app {
namespace {

constexpr std::int64_t kExpiryPeriodNs = kNsPerSecond;   // walking the calls in flight costs a system call each
constexpr std::size_t kLocksPublished = 200;             // the dearest; metrics and views show fewer
constexpr std::int64_t kPublishPeriodNs = kNsPerSecond;  // while nobody reads; a snapshot copies every figure and name

// Two programs of one guard have different files: the probes of one are none of the other's.
bool maps(const targets::Target& target, const plan::BinaryId& file) {
  return std::ranges::any_of(target.binaries, [&](const targets::MappedBinary& binary) {
    return binary.device == file.device && binary.inode == file.inode;
  });
}

}  // namespace

Pipeline::Pipeline(policy::Policy policy, std::vector<std::filesystem::path> config, Prober& prober, SwitchDesk& desk,
                   exporting::SnapshotSource& source, const Clock& clock, std::uint64_t seed)
    : policy_(std::move(policy)),
      config_(std::move(config)),
      prober_(prober),
      observer_(prober_.targets(), policy_.daemon.max_locks),
      races_(policy_, clock),
      budget_(policy_, clock, seed, BudgetSources::of_this_machine(prober.attachment().uses_uprobe_session())),
      contention_(policy_, clock, process_cpu_ns),
      interceptions_(policy_, clock),
      bursts_(policy_, clock, [](const Clock& of) { return std::make_unique<KernelBurstSource>(of); }),
      desk_(desk),
      source_(source),
      clock_(clock),
      started_realtime_ns_(clock.realtime_ns()) {}

Result<void> Pipeline::start() {
  budget_.learn_costs();
  auto changes = prober_.scan();
  if (!changes) {
    return fail(std::move(changes.error()));
  }
  follow(*changes);
  attach_postponed();
  for (const std::string& text : guards_without_target(policy_, prober_.plan())) {
    spdlog::info("{} yet", text);
  }
  desk_.note("start", {{"version", kVersion}, {"pid", getpid()}, {"targets", prober_.targets().size()}});
  desk_.flush_evidence();
  ready_ = true;
  publish();
  return {};
}

void Pipeline::follow(const ProbeChanges& changes) {
  changed_since_publish_ = true;
  observer_.follow(changes);
  if (changes.replanned) {
    races_.follow(prober_.targets(), prober_.plan());
    interceptions_.follow(prober_.targets());
    budget_.follow(prober_.plan());
    contention_.follow(prober_.plan());
    bursts_.follow(prober_.targets());
  }
  for (const pid_t pid : changes.forget_processes) {
    if (auto forgotten = prober_.attachment().forget_process(pid); !forgotten) {
      report("forgetting a process", forgotten.error());
    }
  }
  for (const Error& error : changes.errors) {
    spdlog::error("{}", error.to_string());
  }
  if (!changes.difference.add_words.empty()) {
    desk_.reapply_words();
  }
  const auto& difference = changes.difference;
  if (!difference.add_functions.empty() || !difference.remove_functions.empty()) {
    spdlog::info("probes: {} set, {} removed; {}", detect::count_text(difference.add_functions.size(), "function"),
                 difference.remove_functions.size(), detect::count_text(prober_.targets().size(), "target"));
  }
  if (!difference.add_functions.empty()) {
    expect_costs();
  }
  tell_omissions();
}

// Each once for a policy, however many processes it holds for: what differs between them is the pid in the text.
void Pipeline::tell_omissions() {
  for (const plan::Omission& omission : prober_.plan().omissions) {
    if (omission.code == ErrorCode::kBudgetExceeded) {
      continue;  // told when it was decided, each time
    }
    const std::string what = omission.what.substr(0, omission.what.find(" of pid "));
    if (told_omissions_.emplace(omission.guard, what, omission.code).second) {
      spdlog::warn("left out: {}", omission_text(policy_, omission));
    }
  }
}

// The same trouble at every tick is one line in the log.
void Pipeline::report(const char* what, const Error& error) {
  const std::string text = fmt::format("{}: {}", what, error.to_string());
  if (text != last_report_) {
    spdlog::error("{}", text);
    last_report_ = text;
  }
}

void Pipeline::drain() {
  if (auto drained = observer_.drain(prober_.attachment(), [this](const auto& event) { prober_.on_event(event); });
      !drained) {
    report("reading the ring", drained.error());
  }
}

void Pipeline::tick() {
  const std::int64_t begin_ns = clock_.monotonic_ns();
  drain();
  follow(prober_.update());
  if (auto read = observer_.read(prober_.attachment(), begin_ns); !read) {
    report("reading the kernel's counters", read.error());
  } else {
    charge(observer_.function_readings());
    charge_contention();
  }
  if (begin_ns >= next_expiry_ns_) {
    next_expiry_ns_ = begin_ns + kExpiryPeriodNs;
    if (auto expired = prober_.attachment().expire_calls(begin_ns, policy_.daemon.call_expiry_ns); !expired) {
      report("expiring calls", expired.error());
    }
  }
  for (const detect::Finding& finding : observer_.judge(begin_ns, clock_.realtime_ns())) {
    spdlog::warn("{}", finding.text);
  }
  look_for_deadlocks(begin_ns);
  look_for_races();
  look_for_lock_orders();
  desk_.tick([this](const detect::SwitchFeed& feed) {
    detect::SwitchSums sums = observer_.sums(feed);
    sums.races = races_.seen(feed.guard);
    return sums;
  });
  keep_apart(begin_ns);
  desk_.flush_evidence();
  ++ticks_;
  longest_tick_ns_ = std::max(longest_tick_ns_, clock_.monotonic_ns() - begin_ns);
  changed_since_publish_ = true;
  if (source_.was_read() || begin_ns >= next_publish_ns_) {
    publish();
  }
}

void Pipeline::look_for_deadlocks(std::int64_t now_ns) {
  const auto found = observer_.look_for_deadlocks(prober_.attachment(), now_ns, clock_.realtime_ns());
  if (!found) {
    report("reading the waits in progress", found.error());
    return;
  }
  for (const detect::Finding& finding : *found) {
    spdlog::warn("{} deadlock: {}", detect::kVerdictNames.at(static_cast<std::size_t>(finding.verdict)), finding.text);
    desk_.note("deadlock", exporting::finding_json(finding));
  }
}

// Each race once, and again when a likely one is proven.
void Pipeline::look_for_races() {
  std::vector<kernel::ObjectReading> objects;
  if (races_.wants_objects()) {
    if (auto read = prober_.attachment().read_objects()) {
      objects = std::move(*read);
    } else {
      report("reading the objects of functions", read.error());
    }
  }
  for (const detect::BookedRacePtr& race : races_.tick(observer_.locks(), objects)) {
    spdlog::warn("{} (id {}, policy {}, process {})", detect::race_sentence(race->finding), race->id, race->guard,
                 race->pid);
    desk_.note("race", exporting::booked_race_json(*race));
  }
}

// Each once: minutes may lie between two bursts, and one that is back after them is no news.
void Pipeline::look_for_lock_orders() {
  for (const detect::Finding& finding : observer_.remember(bursts_.tick(budget_.fuse_open()))) {
    if (finding.count > 1) {
      continue;
    }
    spdlog::warn("likely deadlock: {}", finding.text);
    desk_.note("lock_order", exporting::finding_json(finding));
  }
}

void Pipeline::refresh() {
  if (changed_since_publish_) {
    publish();
  }
}

void Pipeline::heartbeat() { desk_.heartbeat(); }

void Pipeline::rescan() {
  auto changes = prober_.scan();
  if (!changes) {
    report("scanning /proc", changes.error());
    return;
  }
  follow(*changes);
}

Result<void> Pipeline::reload() {
  changed_since_publish_ = true;
  desk_.reopen_evidence();
  auto loaded = policy::load_policy(config_);
  if (!loaded) {
    ++reload_failures_;
    policy_error_ = loaded.error().to_string();
    policy_error_.erase(policy_error_.find_last_not_of('\n') + 1);
    spdlog::error("reload refused, the old policy stays in force");
    for (const policy::PolicyError& error : loaded.error().list()) {
      spdlog::error("{}", error.error.to_string());
    }
    desk_.note("reload", {{"ok", false}, {"error", policy_error_}});
    return fail(loaded.error().to_error());
  }
  auto changes = prober_.reload(*loaded);
  if (!changes) {
    ++reload_failures_;
    policy_error_ = changes.error().to_string();
    spdlog::error("reload refused, the old policy stays in force: {}", policy_error_);
    return fail(std::move(changes.error()));
  }
  const policy::DaemonSettings kept = policy_.daemon;  // sizes and paths are fixed when the daemon starts
  policy_ = std::move(*loaded);
  if (policy_.daemon != kept) {
    spdlog::warn("changes of the daemon: section take effect at the next start");
    policy_.daemon = kept;
  }
  ++policy_generation_;
  policy_error_.clear();
  told_omissions_.clear();
  races_.reload(policy_);
  budget_.reload(policy_);
  contention_.reload(policy_);
  interceptions_.reload(policy_);
  bursts_.reload(policy_);
  follow(*changes);
  leave_out();
  attach_postponed();
  desk_.reload(policy_);
  desk_.note("reload", {{"ok", true}, {"generation", policy_generation_}});
  spdlog::info("policy reloaded: {}", status_line());
  return {};
}

Result<nlohmann::json> Pipeline::control(const std::string& method, const nlohmann::json& params,
                                         const exporting::Peer& peer) {
  if (method == "reload") {
    if (auto reloaded = reload(); !reloaded) {
      return fail(std::move(reloaded.error()));
    }
    return nlohmann::json{{"generation", policy_generation_}};
  }
  if (method == "suppress") {
    return suppress(params, peer);
  }
  auto request = decode_switch_request(method, params);
  if (!request) {
    return fail(std::move(request.error()));
  }
  auto decision = method == "force"
                      ? desk_.force(request->name, request->state, peer.actor(), request->reason, request->ttl_ns)
                      : desk_.release(request->name, peer.actor(), request->reason);
  if (!decision) {
    return fail(std::move(decision.error()));
  }
  desk_.flush_evidence();
  publish();
  return exporting::decision_json(*decision);
}

Result<nlohmann::json> Pipeline::suppress(const nlohmann::json& params, const exporting::Peer& peer) {
  auto request = decode_suppress_request(params);
  if (!request) {
    return fail(std::move(request.error()));
  }
  const std::string actor = peer.actor();
  auto done = races_.suppress(request->id, fmt::format("by {}: {}", actor, request->reason));
  if (!done) {
    return fail(std::move(done.error()));
  }
  nlohmann::json answer = {{"id", request->id}, {"suppressed", nlohmann::json::array()}};
  for (const SuppressedRace& one : *done) {
    answer["suppressed"].push_back(
        {{"guard", one.race->guard}, {"file", one.file}, {"line", one.line}, {"added", one.added}});
    if (one.added) {
      spdlog::info("race {} is suppressed by {}: '{}' in {}", one.race->id, actor, one.line, one.file);
      desk_.note("suppress", {{"id", one.race->id},
                              {"guard", one.race->guard},
                              {"finding", detect::race_sentence(one.race->finding)},
                              {"file", one.file},
                              {"line", one.line},
                              {"actor", actor},
                              {"reason", request->reason}});
    }
  }
  desk_.flush_evidence();
  publish();
  return answer;
}

void Pipeline::stop(const std::string& why) {
  tell(interceptions_.end("the daemon ends: " + why));
  desk_.note("stop", {{"reason", why}});
  desk_.flush_evidence();
}

std::string Pipeline::status_line() const {
  return fmt::format("{}, {} probed, {}", detect::count_text(prober_.targets().size(), "target"),
                     detect::count_text(prober_.attachment().attached_functions(), "function"),
                     detect::count_text(desk_.size(), "switch"));
}

std::vector<exporting::TargetView> Pipeline::target_views() const {
  std::vector<exporting::TargetView> views;
  for (targets::Target& target : prober_.targets().list()) {
    const auto probed = std::ranges::count_if(prober_.plan().functions, [&](const plan::FunctionProbe& probe) {
      return probe.guard_index == target.guard_index && maps(target, probe.binary);
    });
    views.push_back({.target = std::move(target), .functions_probed = static_cast<std::uint64_t>(probed)});
  }
  return views;
}

void Pipeline::publish() {
  auto snapshot = std::make_shared<exporting::Snapshot>();
  snapshot->time_ns = clock_.monotonic_ns();
  snapshot->realtime_ns = clock_.realtime_ns();
  snapshot->started_realtime_ns = started_realtime_ns_;
  snapshot->version = kVersion;
  snapshot->pid = getpid();
  snapshot->ready = ready_;
  snapshot->not_ready_reason = ready_ ? "" : "starting";
  snapshot->policy_generation = policy_generation_;
  snapshot->policy_reload_failures = reload_failures_;
  snapshot->policy_error = policy_error_;
  snapshot->uprobe_multi = prober_.attachment().uses_uprobe_multi();
  snapshot->targets = target_views();
  snapshot->functions = observer_.functions().figures();
  publish_budget(*snapshot);
  snapshot->probes = prober_.plan().functions;
  snapshot->omissions = prober_.plan().omissions;
  snapshot->locks = observer_.locks().figures(kLocksPublished);
  snapshot->findings = observer_.findings();
  snapshot->watch = races_.view();
  snapshot->interceptions = interceptions_.view();
  snapshot->bursts = bursts_.view();
  snapshot->switches = desk_.views();
  for (exporting::SwitchView& view : snapshot->switches) {
    view.words = prober_.words_of(view.name);
    view.unprobed = unprobed(snapshot->budget, view);
  }
  if (auto drops = prober_.attachment().read_drops(); drops) {
    snapshot->drops = std::move(*drops);
    races_.add_drops(snapshot->drops);
    bursts_.add_drops(snapshot->drops);
  } else {
    report("reading the loss counters", drops.error());
  }
  const exporting::EvidenceWriter& evidence = desk_.evidence();
  snapshot->evidence_records = evidence.written();
  snapshot->evidence_lost = evidence.lost();
  snapshot->evidence_pending = evidence.pending();
  snapshot->evidence_last_seq = evidence.last_seq();
  snapshot->evidence_last_hash = evidence.last_hash();
  snapshot->events_decoded = observer_.decoder_counters().decoded;
  snapshot->stacks_untrusted = observer_.decoder_counters().untrusted;
  snapshot->ticks = ticks_;
  snapshot->tick_ns_max = longest_tick_ns_;
  source_.publish(std::move(snapshot));
  changed_since_publish_ = false;
  next_publish_ns_ = clock_.monotonic_ns() + kPublishPeriodNs;
}

}  // namespace raceguard::app
