// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/peer.h"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

namespace raceguard::exporting {

std::string Peer::actor() const {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  return found == nullptr ? fmt::format("uid {}", uid) : fmt::format("uid {} ({})", uid, found->pw_name);
}

Result<Peer> peer_of(int socket_fd) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return fail_errno(ErrorCode::kControlSocket, "cannot read the peer's credentials (SO_PEERCRED)", errno);
  }
  Peer peer{.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid, .groups = {}};
  socklen_t bytes = 0;  // the kernel answers ERANGE and says how many there are
  if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERGROUPS, nullptr, &bytes) != 0 && errno == ERANGE) {
    peer.groups.resize(bytes / sizeof(gid_t));
    if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &bytes) != 0) {
      peer.groups.clear();  // fewer rights, never more
    }
  }
  return peer;
}

Result<void> authorize(const Peer& peer, std::optional<gid_t> group, const std::string& group_name) {
  const bool member =
      group && (peer.gid == *group || std::find(peer.groups.begin(), peer.groups.end(), *group) != peer.groups.end());
  if (peer.uid == 0 || member) {
    return {};
  }
  const std::string what = fmt::format("uid {} (pid {}) may not use the control socket", peer.uid, peer.pid);
  return fail(ErrorCode::kControlRefused, what,
              group ? fmt::format("Run this as root or as a member of the group {}", group_name)
                    : fmt::format("Run this as root; the group {} does not exist here", group_name));
}

std::optional<gid_t> find_group(const std::string& name) {
  std::vector<char> buffer(16384);
  group entry{};
  group* found = nullptr;
  while (getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == ERANGE &&
         buffer.size() < (1U << 20U)) {
    buffer.resize(buffer.size() * 2);
  }
  return found == nullptr ? std::nullopt : std::optional<gid_t>(found->gr_gid);
}

}  // namespace raceguard::exporting
