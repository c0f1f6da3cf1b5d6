// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/ctl/fake_daemon.h"

#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>

#include <nlohmann/json.hpp>

#include "daemon/export/json_views.h"
#include "raceguard/unique_fd.h"
#include "tests/unit/export/sample_snapshot.h"

namespace raceguard::ctl {
namespace {

Result<nlohmann::json> act(const std::string& method, const nlohmann::json& params, const exporting::Peer& peer) {
  if (method == "reload") {
    return fail(ErrorCode::kPolicyUnknownKey, "a.yaml:3:5: unknown key \"foo\"", "The old policy stays in force");
  }
  breaker::Decision decision;
  decision.switch_name = params.value("switch", "");
  if (decision.switch_name != "recommend") {
    return fail(ErrorCode::kSwitchUnknown, "no switch is called '" + decision.switch_name + "'",
                "The switches are: recommend");
  }
  decision.forced = method == "force";
  decision.to = params.value("state", "") == "open" ? breaker::State::kOpen : breaker::State::kClosed;
  decision.actor = peer.actor();
  // The time-to-live is shown back, so that a test sees what was asked for.
  decision.reason =
      params.value("reason", "released by hand") + " ttl " + std::to_string(params.value("ttl_seconds", 0.0));
  return exporting::decision_json(decision);
}

}  // namespace

struct FakeDaemon::Impl {
  UniqueFd stop{::eventfd(0, EFD_CLOEXEC)};
  exporting::SnapshotSource source;
  sd_event* loop = nullptr;
  std::unique_ptr<exporting::ControlServer> server;
  std::thread thread;
};

FakeDaemon::FakeDaemon(const std::string& run_directory) : FakeDaemon(run_directory, {}) {}

FakeDaemon::FakeDaemon(const std::string& run_directory, const std::string& evidence_last_hash)
    : impl_(std::make_unique<Impl>()) {
  exporting::Snapshot snapshot = exporting::sample_snapshot();
  snapshot.pid = ::getpid();  // a client may look at what the daemon has open
  snapshot.evidence_last_hash = evidence_last_hash;
  snapshot.evidence_last_seq = 3;
  impl_->source.publish(std::make_shared<const exporting::Snapshot>(std::move(snapshot)));
  sd_event_new(&impl_->loop);
  auto server = exporting::ControlServer::create(
      impl_->loop, {.path = run_directory + "/control.sock", .group = "no-such-group-here"}, impl_->source, act);
  if (!server) {
    throw std::runtime_error(server.error().to_string());
  }
  impl_->server = std::move(*server);
  sd_event_add_io(
      impl_->loop, nullptr, impl_->stop.get(), EPOLLIN,
      [](sd_event_source* source, int, std::uint32_t, void*) {
        return sd_event_exit(sd_event_source_get_event(source), 0);
      },
      nullptr);
  impl_->thread = std::thread([loop = impl_->loop] { sd_event_loop(loop); });
}

FakeDaemon::~FakeDaemon() {
  eventfd_write(impl_->stop.get(), 1);
  impl_->thread.join();
  impl_->server.reset();
  sd_event_unref(impl_->loop);
}

}  // namespace raceguard::ctl
