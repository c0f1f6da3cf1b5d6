// SPDX-License-Identifier: Apache-2.0
// A finding that is no data race: one sentence, and below that of a deadlock its threads, who waits where;
// of an order of locks its steps.
#include <algorithm>

#include <fmt/format.h>

#include "ctl/view_parts.h"
#include "ctl/views.h"

namespace raceguard::ctl {
namespace {

constexpr std::size_t kFramesShown = 6;   // from the one who called the lock on; -o json has all
constexpr std::size_t kThreadsShown = 8;  // the daemon takes no more stacks

void add_stack(std::string& text, const Doc& stack, const Style& style) {
  const std::vector<Doc> frames = stack.list("frames");
  if (frames.empty()) {
    text += style.paint("      its stack could not be read", Tone::kWarn) + "\n";
    return;
  }
  const std::size_t room = std::max<std::size_t>(style.width, 60) - 12;
  const std::size_t first = first_caller(stack, frames.size());
  for (std::size_t i = first; i < std::min(frames.size(), first + kFramesShown); ++i) {
    text += style.paint(fmt::format("      {} {}", i == first ? "in  " : "from", frame_text(frames[i], room)),
                        i == first ? Tone::kBold : Tone::kDim) +
            "\n";
  }
  if (stack.text("trust") == "untrusted") {
    text += style.paint("      this stack cannot be trusted beyond its first lines", Tone::kWarn) + "\n";
  }
}

std::string threads_text(const Doc& finding, const Style& style) {
  std::string text;
  const std::vector<Doc> threads = finding.list("threads");
  for (std::size_t i = 0; i < std::min(threads.size(), kThreadsShown); ++i) {
    const Doc& thread = threads[i];
    const Doc lock = thread.at("waits_for");
    text += fmt::format("  thread {:.0f} ({}) waits for {} {} at {}, held by {:.0f}\n", thread.number("tid"),
                        thread.text("name", "?"), lock.text("kind"), lock.text("name"), lock.text("address"),
                        thread.number("owner_tid"));
    add_stack(text, thread.at("stack"), style);
  }
  if (threads.size() > kThreadsShown) {
    text += fmt::format("  and {} more\n", threads.size() - kThreadsShown);
  }
  return text;
}

}  // namespace

std::string measured_finding_text(const Doc& finding, const Style& style) {
  const std::string guard = finding.text("guard");
  return style.paint(fmt::format("{} ({}) {}{}", measured_name(finding.text("kind")), finding.text("verdict"),
                                 finding.text("subject"), guard.empty() ? "" : " in " + guard),
                     Tone::kBold) +
         "\n" + wrap(finding.text("text"), style.width, 2) + threads_text(finding, style) + orders_text(finding, style);
}

}  // namespace raceguard::ctl
