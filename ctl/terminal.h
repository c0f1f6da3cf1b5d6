// SPDX-License-Identifier: Apache-2.0
// What the standard output is.
#pragma once

#include <cstddef>

#include "ctl/text.h"

namespace raceguard::ctl {

struct TerminalSize {
  std::size_t columns = 0;
  std::size_t rows = 0;
};

// 0 x 0 if stdout is no terminal.
[[nodiscard]] TerminalSize terminal_size();

// The terminal's width; 120 columns without colour where there is none. No colour with NO_COLOR (no-color.org) or
// TERM=dumb.
[[nodiscard]] Style output_style();

}  // namespace raceguard::ctl
