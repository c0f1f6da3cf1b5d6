// SPDX-License-Identifier: Apache-2.0
// Sockets and lines, shared by the server and the load generator.
#pragma once

#include <optional>
#include <string>

// Where the server is: "unix:/path" or "127.0.0.1:PORT" (a number, loopback or another IPv4 address).
struct Address {
  std::string unix_path;  // not empty: a unix socket
  std::string host = "127.0.0.1";
  int port = 0;
};

std::optional<Address> parse_address(const std::string& text);

// These return a descriptor, or -1 with errno set.
int listen_on(const Address& address, int* chosen_port);
int connect_to(const Address& address);

// Reads up to the next newline (not part of the answer); `buffer` keeps what came after it. Empty: the peer is gone.
std::optional<std::string> read_line(int fd, std::string* buffer);
bool write_all(int fd, const std::string& text);
