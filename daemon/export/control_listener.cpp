// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/control_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

namespace raceguard::exporting {
namespace {

constexpr std::string_view kRemedy =
    "Check daemon.run_directory: it must exist and be writable (systemd makes it by RuntimeDirectory=)";

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::kControlSocket,
                fmt::format("cannot bind control socket {}: a path of {} bytes is too long for a unix socket", path,
                            path.size()),
                "Choose a shorter daemon.run_directory");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

bool somebody_answers(const sockaddr_un& address) {
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // EAGAIN: its queue is full, so somebody has it open.
  return probe &&
         (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 || errno == EAGAIN);
}

}  // namespace

Result<ControlListener> ControlListener::bind(const std::string& path, std::optional<gid_t> group) {
  // Bound under a second name, given its rights, then moved: rename() also replaces a dead daemon's socket at once.
  const std::string fresh = path + ".new";
  const Result<sockaddr_un> final_address = address_of(path);
  const Result<sockaddr_un> fresh_address = address_of(fresh);
  if (!final_address || !fresh_address) {
    return fail(final_address ? fresh_address.error() : final_address.error());
  }
  if (somebody_answers(*final_address)) {
    return fail(ErrorCode::kAlreadyRunning, fmt::format("another daemon answers on {}", path),
                "Stop it first, or set another daemon.run_directory");
  }
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) {
    return fail_errno(ErrorCode::kControlSocket, "cannot create a unix socket", errno);
  }
  ::unlink(fresh.c_str());
  struct stat made {};
  const bool ready =
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*fresh_address), sizeof(sockaddr_un)) == 0 &&
      ::chmod(fresh.c_str(), 0660) == 0 && (!group || ::chown(fresh.c_str(), static_cast<uid_t>(-1), *group) == 0) &&
      ::listen(fd.get(), 16) == 0 && ::stat(fresh.c_str(), &made) == 0 && ::rename(fresh.c_str(), path.c_str()) == 0;
  if (!ready) {
    const int error = errno;
    ::unlink(fresh.c_str());
    return fail_errno(ErrorCode::kControlSocket, fmt::format("cannot create control socket {}", path), error,
                      std::string(kRemedy));
  }
  return ControlListener(std::move(fd), path, made.st_ino);
}

ControlListener::~ControlListener() {
  struct stat now {};
  if (fd_ && ::stat(path_.c_str(), &now) == 0 && now.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

}  // namespace raceguard::exporting
