// SPDX-License-Identifier: Apache-2.0
// top: asks again and again, and shows what changed between two answers.
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ctl/commands.h"
#include "ctl/daemon_client.h"
#include "ctl/screen.h"
#include "ctl/terminal.h"
#include "ctl/top_frame.h"
#include "daemon/export/client/control_client.h"

namespace raceguard::ctl {
namespace {

using nlohmann::json;
using Answer = std::shared_ptr<const json>;
using std::chrono::milliseconds;

constexpr long kMostMembers =
    500;  // of locks and of functions: more than any terminal shows, with those on their way up

struct TopOptions {
  milliseconds delay{2000};
  std::optional<long> views;
  bool plain = false;
};

Result<TopOptions> options_of(const Invocation& invocation) {
  TopOptions options;
  options.plain = invocation.given("once") || invocation.json || terminal_size().rows == 0;
  options.delay = milliseconds(options.plain ? 1000 : 2000);
  if (invocation.given("d")) {
    const std::string text = invocation.value("d");
    double seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size() || !(seconds >= 0.1 && seconds <= 3600)) {
      return fail(ErrorCode::kUsage, fmt::format("--delay '{}' is not a number of seconds from 0.1 to 3600", text));
    }
    options.delay = milliseconds(static_cast<long>(seconds * 1000));
  }
  if (invocation.given("n")) {
    const auto views = parse_number("--count", invocation.value("n"), 1, 1'000'000'000);
    if (!views) {
      return fail(views.error());
    }
    options.views = *views;
  } else if (options.plain) {
    options.views = 1;
  }
  return options;
}

Result<TopSample> take_sample(const Invocation& invocation) {
  auto client = exporting::ControlClient::connect(invocation.socket_path());
  if (!client) {
    return fail(std::move(client.error()));
  }
  TopSample sample;
  const std::array<std::pair<const char*, Answer*>, 4> wanted = {{{"status", &sample.status},
                                                                  {"locks", &sample.locks},
                                                                  {"functions", &sample.functions},
                                                                  {"switches", &sample.switches}}};
  for (const auto& [view, place] : wanted) {
    const bool limited = place == &sample.locks || place == &sample.functions;
    auto answer = client->call(view, limited ? json{{"limit", kMostMembers}} : json::object());
    if (!answer) {
      return fail(std::move(answer.error()));
    }
    *place = std::make_shared<const json>(std::move(*answer));
  }
  return sample;
}

json sample_json(const TopSample& sample) {
  return {{"status", *sample.status},
          {"locks", *sample.locks},
          {"functions", *sample.functions},
          {"switches", *sample.switches}};
}

// For pipes, and with --once: waits once before the first view, so that it has rates.
int run_plain(const Invocation& invocation, const TopOptions& options) {
  auto before = take_sample(invocation);
  if (!before) {
    return report(before.error());
  }
  for (long view = 0; view < options.views.value_or(1); ++view) {
    std::this_thread::sleep_for(options.delay);
    auto now = take_sample(invocation);
    if (!now) {
      return report(now.error());
    }
    const int written = invocation.json
                            ? put(sample_json(*now))
                            : put(top_frame({.before = &*before, .now = &*now, .trouble = {}}, invocation.style, 0));
    if (written != kOk) {
      return written;
    }
    before = std::move(now);
  }
  return kOk;
}

// The daemon may be restarted while somebody looks: the last answer stays on the screen, with the reason above it.
class LiveView {
 public:
  LiveView(const Invocation& invocation, TopSample first) : invocation_(invocation), now_(std::move(first)) {}

  void ask() {
    auto sample = take_sample(invocation_);
    trouble_ = sample ? std::string() : sample.error().what();
    if (sample && *sample->status != *now_.status) {
      before_ = std::exchange(now_, std::move(*sample));
    }
  }
  [[nodiscard]] std::string frame() const {
    return top_frame({.before = before_ ? &*before_ : nullptr, .now = &now_, .trouble = trouble_}, output_style(),
                     terminal_size().rows);
  }

 private:
  const Invocation& invocation_;
  std::optional<TopSample> before_;
  TopSample now_;
  std::string trouble_;
};

int run_live(const Invocation& invocation, const TopOptions& options) {
  auto first = take_sample(invocation);
  if (!first) {
    return report(first.error());
  }
  LiveView view(invocation, std::move(*first));
  auto screen = Screen::open();
  if (!screen) {
    return report(screen.error());
  }
  auto next = std::chrono::steady_clock::now() + options.delay;
  for (long shown = 0;;) {
    screen->draw(view.frame());
    const auto left = std::chrono::ceil<milliseconds>(next - std::chrono::steady_clock::now());
    const Screen::Woken woken = screen->wait(std::max(left, milliseconds(0)));
    if (woken == Screen::Woken::kQuit) {
      return kOk;
    }
    if (woken == Screen::Woken::kRedraw) {
      continue;
    }
    if (options.views && ++shown >= *options.views) {
      return kOk;
    }
    view.ask();
    next = std::chrono::steady_clock::now() + options.delay;
  }
}

}  // namespace

int run_top(const Invocation& invocation) {
  const auto options = options_of(invocation);
  if (!options) {
    return report(options.error());
  }
  return options->plain ? run_plain(invocation, *options) : run_live(invocation, *options);
}

}  // namespace raceguard::ctl
