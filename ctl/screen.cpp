// SPDX-License-Identifier: Apache-2.0
#include "ctl/screen.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>

namespace raceguard::ctl {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH};

void put_now(const char* text) {
  std::fputs(text, stdout);
  std::fflush(stdout);
}

}  // namespace

Result<Screen> Screen::open() {
  termios before{};
  if (::tcgetattr(STDOUT_FILENO, &before) != 0) {
    return fail_errno(ErrorCode::kUsage, "the standard output is no terminal", errno, "Use --once");
  }
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kSignals) {
    sigaddset(&set, number);
  }
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) {
    return fail_errno(ErrorCode::kInternal, "cannot wait for signals", errno);
  }
  return Screen(std::move(signals), before);
}

Screen::Screen(Screen&& other) noexcept
    : signals_(std::move(other.signals_)), before_(other.before_), input_ended_(other.input_ended_) {}

Screen::~Screen() {
  if (signals_) {
    leave();
  }
}

void Screen::enter() const {
  termios quiet = before_;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  ::tcsetattr(STDOUT_FILENO, TCSANOW, &quiet);
  put_now("\x1b[?1049h\x1b[?25l\x1b[2J");  // alternate screen, no cursor
}

void Screen::leave() const {
  put_now("\x1b[?25h\x1b[?1049l");
  ::tcsetattr(STDOUT_FILENO, TCSANOW, &before_);
}

void Screen::draw(const std::string& frame) const {
  std::string out = "\x1b[H";
  std::size_t from = 0;
  while (from < frame.size()) {
    const std::size_t end = std::min(frame.find('\n', from), frame.size());
    out += from == 0 ? "" : "\r\n";  // not behind the last line: the screen would scroll
    out += frame.substr(from, end - from) + "\x1b[K";
    from = end + 1;
  }
  put_now((out + "\x1b[J").c_str());
}

Screen::Woken Screen::take_signal() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof(info)) != sizeof(info)) {
    return Woken::kTime;
  }
  if (info.ssi_signo == SIGTSTP) {
    leave();
    ::raise(SIGSTOP);
    enter();
    return Woken::kRedraw;
  }
  return info.ssi_signo == SIGWINCH ? Woken::kRedraw : Woken::kQuit;
}

Screen::Woken Screen::take_key() {
  std::array<char, 64> keys{};
  const ssize_t length = ::read(STDIN_FILENO, keys.data(), keys.size());
  input_ended_ = length <= 0;
  for (ssize_t i = 0; i < length; ++i) {
    if (keys.at(static_cast<std::size_t>(i)) == 'q') {
      return Woken::kQuit;
    }
  }
  return length > 0 ? Woken::kAskNow : Woken::kRedraw;
}

Screen::Woken Screen::wait(std::chrono::milliseconds at_most) {
  std::array<pollfd, 2> entries = {pollfd{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                                   pollfd{.fd = input_ended_ ? -1 : STDIN_FILENO, .events = POLLIN, .revents = 0}};
  if (::poll(entries.data(), entries.size(), static_cast<int>(at_most.count())) <= 0) {
    return Woken::kTime;
  }
  return entries[0].revents != 0 ? take_signal() : take_key();
}

}  // namespace raceguard::ctl
