// SPDX-License-Identifier: Apache-2.0
#include "daemon/startup.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <random>

#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "daemon/export/control_server.h"
#include "daemon/export/http_routes.h"
#include "daemon/export/http_server.h"
#include "daemon/export/metrics.h"
#include "daemon/instance_lock.h"
#include "daemon/pipeline.h"
#include "daemon/privileges.h"
#include "daemon/service_loop.h"
#include "daemon/switch_desk.h"
#include "daemon/switches/switch_page.h"

namespace raceguard::app {
namespace {

// Each tick drains the ring, and what it says is acted upon at ticks only. Woken by every record, the loop ran at each
// exec on the machine. At slower ticks it is drained between them: 40 stacks of 16 KiB a second fill 4 MiB in 6 s.
constexpr std::int64_t kDrainPeriodNs = kNsPerSecond;
// Slower than this, and a function that is called a million times a second would hurt its callers for longer.
constexpr std::int64_t kGovernPeriodNs = kNsPerSecond / 10;
constexpr std::int64_t kRescanPeriodNs = 10 * kNsPerSecond;  // 200 processes: 10 ms of reading /proc

Result<exporting::EvidenceWriter> open_evidence(const policy::DaemonSettings& settings, const Clock& clock) {
  const std::filesystem::path path(settings.evidence_file);
  std::error_code failure;
  std::filesystem::create_directories(path.parent_path(), failure);  // a failure shows when the file is opened
  return exporting::EvidenceWriter::open({.path = settings.evidence_file}, clock);
}

// The rate limit stands in the BPF object's read-only data: one for all targets, fixed when it is loaded.
std::uint32_t stack_samples_per_second(const policy::Policy& policy) {
  double most = 0;
  for (const policy::Guard& guard : policy.guards) {
    most = std::max(most, guard.contention.enabled ? guard.contention.stack_samples_per_second : 0);
  }
  return static_cast<std::uint32_t>(std::ceil(most));
}

Result<kernel::Attachment> load_kernel(const policy::Policy& policy, const Options& options) {
  const policy::DaemonSettings& settings = policy.daemon;
  return kernel::Attachment::open({.max_functions = settings.max_functions,
                                   .max_locks = settings.max_locks,
                                   .max_targets = settings.max_targets,
                                   .max_calls_in_flight = settings.max_calls_in_flight,
                                   .ring_bytes = settings.ring_bytes,
                                   .stack_samples_per_second = stack_samples_per_second(policy),
                                   .allow_uprobe_multi = !options.single_perf_events});
}

// The page is one transport of several: without it the kernel-held words still work.
std::optional<switches::SwitchPage> make_page(const policy::DaemonSettings& settings, const Clock& clock) {
  auto page = switches::SwitchPage::create(settings.run_directory, settings.heartbeat_ns, clock.monotonic_ns());
  if (!page) {
    spdlog::error("{}", page.error().to_string());
    return std::nullopt;
  }
  return std::move(*page);
}

// Null if the settings want no HTTP.
Result<std::unique_ptr<exporting::HttpServer>> start_http(const policy::DaemonSettings& settings,
                                                          const exporting::HttpRoutes& routes) {
  if (settings.listen_port == 0) {
    return nullptr;
  }
  auto server =
      exporting::HttpServer::start({.address = settings.listen_address, .port = settings.listen_port}, routes);
  if (server) {
    spdlog::info("metrics and API on http://{}:{}/metrics", settings.listen_address, (*server)->port());
  }
  return server;
}

Result<void> give_up_rights(const Options& options, bool uprobe_multi) {
  if (options.keep_capabilities) {
    return {};
  }
  auto rights = drop_privileges({.perf_uprobes = !uprobe_multi});
  if (!rights) {
    return fail(std::move(rights.error()));
  }
  for (const std::string& missing : rights->missing) {
    spdlog::warn("{}", missing);
  }
  spdlog::info("rights kept: {}", rights->kept);
  return {};
}

Result<void> drive(ServiceLoop& loop, Pipeline& pipeline, const policy::DaemonSettings& settings) {
  auto added = loop.add_timer(settings.tick_ns, [&pipeline] { pipeline.tick(); });
  if (added) {
    added = loop.add_timer(settings.heartbeat_ns, [&pipeline] { pipeline.heartbeat(); });
  }
  if (added) {
    added = loop.add_timer(kRescanPeriodNs, [&pipeline] { pipeline.rescan(); });
  }
  if (added && settings.tick_ns > kDrainPeriodNs) {
    added = loop.add_timer(kDrainPeriodNs, [&pipeline] { pipeline.drain(); });
  }
  if (added && settings.tick_ns > kGovernPeriodNs) {
    added = loop.add_timer(kGovernPeriodNs, [&pipeline] { pipeline.govern(); });
  }
  if (added) {
    added = loop.on_hangup([&pipeline] {
      notify_reloading();
      const auto reloaded = pipeline.reload();
      notify_ready(reloaded ? pipeline.status_line() : "reload refused: " + reloaded.error().to_string());
    });
  }
  return added;
}

}  // namespace

Result<void> run_daemon(const Options& options, policy::Policy policy) {
  const SystemClock clock;
  const policy::DaemonSettings settings = policy.daemon;

  // ---- start: each step may fail, and the ones before it are taken back by their destructors, last first -----------
  auto lock = InstanceLock::take(settings.run_directory);
  if (!lock) {
    return fail(std::move(lock.error()));
  }
  auto loop = ServiceLoop::create();
  if (!loop) {
    return fail(std::move(loop.error()));
  }
  auto evidence = open_evidence(settings, clock);
  if (!evidence) {
    return fail(std::move(evidence.error()));
  }
  auto attachment = load_kernel(policy, options);
  if (!attachment) {
    return fail(std::move(attachment.error()));
  }
  const bool uprobe_multi = attachment->uses_uprobe_multi();
  Prober prober(policy, std::move(*attachment), {});
  const auto set_word = [&prober](const std::string& name, unsigned value) {
    return prober.attachment().set_word(name, value);
  };
  SwitchDesk desk(policy, switches::SwitchBoard(make_page(settings, clock), set_word, clock), std::move(*evidence),
                  clock, std::random_device{}());
  exporting::SnapshotSource source;
  Pipeline pipeline(std::move(policy), options.config, prober, desk, source, clock, std::random_device{}());
  auto alarm = loop->add_alarm([&pipeline] { pipeline.look_at_new_probes(); });
  if (!alarm) {
    return fail(std::move(alarm.error()));
  }
  pipeline.set_alarm(std::move(*alarm));
  if (auto started = pipeline.start(); !started) {
    return started;
  }
  auto control = exporting::ControlServer::create(
      loop->native(),
      {.path = settings.run_directory + "/control.sock",
       .group = settings.control_group,
       .before_view = [&pipeline] { pipeline.refresh(); }},
      source, [&pipeline](const std::string& method, const nlohmann::json& params, const exporting::Peer& peer) {
        return pipeline.control(method, params, peer);
      });
  if (!control) {
    return fail(std::move(control.error()));
  }
  exporting::Metrics metrics(settings.metrics_top_k);
  const exporting::HttpRoutes routes(source, metrics, clock);
  auto http = start_http(settings, routes);
  if (!http) {
    return fail(std::move(http.error()));
  }
  if (auto dropped = give_up_rights(options, uprobe_multi); !dropped) {
    return dropped;
  }
  if (auto driven = drive(*loop, pipeline, settings); !driven) {
    return driven;
  }
  notify_ready(pipeline.status_line());
  spdlog::info("ready: {}", pipeline.status_line());

  const auto ended = loop->run();

  // ---- end: readers first, then the switches (closed on the page, words taken back), then the kernel ---------------
  notify_stopping();
  if (!ended) {
    return fail(ended.error());
  }
  spdlog::info("{}: detaching everything", *ended);
  pipeline.stop(*ended);
  return {};
}

}  // namespace raceguard::app
