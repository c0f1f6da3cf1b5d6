// SPDX-License-Identifier: Apache-2.0
#include "ctl/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace raceguard::ctl {
namespace {

constexpr std::size_t kNarrowest = 40;
constexpr std::size_t kWidest = 160;  // eyes lose the row in wider tables

bool wants_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  return (no_colour == nullptr || *no_colour == '\0') && kind != nullptr && std::string_view(kind) != "dumb";
}

}  // namespace

TerminalSize terminal_size() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
    return {};
  }
  return {.columns = size.ws_col, .rows = size.ws_row};
}

Style output_style() {
  const TerminalSize size = terminal_size();
  if (size.columns == 0) {
    return {};
  }
  return {.width = std::clamp(size.columns, kNarrowest, kWidest), .colour = wants_colour()};
}

}  // namespace raceguard::ctl
