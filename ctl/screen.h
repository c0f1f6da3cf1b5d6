// SPDX-License-Identifier: Apache-2.0
// The terminal while `top` runs: the alternate screen without echo, given back in every way that `top` can end.
#pragma once

#include <termios.h>

#include <chrono>
#include <string>

#include "raceguard/error.h"
#include "raceguard/unique_fd.h"

namespace raceguard::ctl {

class Screen {
 public:
  // Blocks SIGINT, SIGTERM, SIGHUP, SIGTSTP and SIGWINCH: wait() takes them, so that no handler is needed.
  [[nodiscard]] static Result<Screen> open();
  Screen(Screen&& other) noexcept;
  Screen& operator=(Screen&&) = delete;
  ~Screen();

  void draw(const std::string& frame) const;

  enum class Woken { kTime, kAskNow, kRedraw, kQuit };
  // Until the time is over, a key (q ends, any other asks at once) or a signal comes. ^Z stops the program with the
  // terminal given back.
  [[nodiscard]] Woken wait(std::chrono::milliseconds at_most);

 private:
  Screen(UniqueFd signals, const termios& before) : signals_(std::move(signals)), before_(before) { enter(); }
  void enter() const;
  void leave() const;
  [[nodiscard]] Woken take_signal();
  [[nodiscard]] Woken take_key();

  UniqueFd signals_;
  termios before_;
  bool input_ended_ = false;
};

}  // namespace raceguard::ctl
