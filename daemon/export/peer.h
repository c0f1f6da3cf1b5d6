// SPDX-License-Identifier: Apache-2.0
// Who is at the other end of a unix socket, as the kernel knows it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "raceguard/error.h"

namespace raceguard::exporting {

struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary

  // "uid 0 (root)": the actor of a forced switch. Asks the user database, so only for requests that act.
  [[nodiscard]] std::string actor() const;
};

// SO_PEERCRED and SO_PEERGROUPS (Linux 4.13): what the process held when it connected. The group database
// (getgrouplist) was rejected: it may ask a directory server over the network, and the loop would wait for it.
[[nodiscard]] Result<Peer> peer_of(int socket_fd);

// Root, or a member of the group. Error: kControlRefused.
[[nodiscard]] Result<void> authorize(const Peer& peer, std::optional<gid_t> group, const std::string& group_name);

// Empty if there is no such group.
[[nodiscard]] std::optional<gid_t> find_group(const std::string& name);

}  // namespace raceguard::exporting
