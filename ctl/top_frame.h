// SPDX-License-Identifier: Apache-2.0
// One view of `top` as text. Pure: two successive answers in, at most `rows` lines out.
#pragma once

#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "ctl/text.h"

namespace raceguard::ctl {

// The answers of one moment.
struct TopSample {
  std::shared_ptr<const nlohmann::json> status;
  std::shared_ptr<const nlohmann::json> locks;
  std::shared_ptr<const nlohmann::json> functions;
  std::shared_ptr<const nlohmann::json> switches;
};

struct TopFrame {
  const TopSample* before = nullptr;  // null: rates are not known yet
  const TopSample* now = nullptr;
  std::string trouble;  // why `now` is old; empty: it is not
};

// `rows` 0: no limit.
[[nodiscard]] std::string top_frame(const TopFrame& frame, const Style& style, std::size_t rows);

}  // namespace raceguard::ctl
