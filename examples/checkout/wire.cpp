// SPDX-License-Identifier: Apache-2.0
#include "examples/checkout/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>

namespace {

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  path.copy(where.sun_path, sizeof(where.sun_path) - 1);
  return where;
}

sockaddr_in inet_address(const Address& address) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<std::uint16_t>(address.port));
  inet_pton(AF_INET, address.host.c_str(), &where.sin_addr);
  return where;
}

int close_and_fail(int fd) {
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// Applies bind() or connect() to a new socket for the address.
template <typename Call>
int open_socket(const Address& address, Call call) {
  const int family = address.unix_path.empty() ? AF_INET : AF_UNIX;
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return -1;
  }
  int status = 0;
  if (family == AF_UNIX) {
    const sockaddr_un where = unix_address(address.unix_path);
    status = call(fd, reinterpret_cast<const sockaddr*>(&where), socklen_t{sizeof(where)});
  } else {
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const sockaddr_in where = inet_address(address);
    status = call(fd, reinterpret_cast<const sockaddr*>(&where), socklen_t{sizeof(where)});
  }
  return status == 0 ? fd : close_and_fail(fd);
}

}  // namespace

std::optional<Address> parse_address(const std::string& text) {
  Address address;
  if (text.starts_with("unix:")) {
    address.unix_path = text.substr(5);
    const bool fits = !address.unix_path.empty() && address.unix_path.size() < sizeof(sockaddr_un{}.sun_path);
    return fits ? std::optional(address) : std::nullopt;
  }
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) {
    return std::nullopt;
  }
  address.host = text.substr(0, colon);
  in_addr ignored{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  const bool is_port = error == std::errc{} && stop == end && address.port >= 0 && address.port <= 65535;
  return is_port && inet_pton(AF_INET, address.host.c_str(), &ignored) == 1 ? std::optional(address) : std::nullopt;
}

int listen_on(const Address& address, int* chosen_port) {
  const int fd = open_socket(address, bind);
  if (fd < 0) {
    return -1;
  }
  if (listen(fd, 128) != 0) {
    return close_and_fail(fd);
  }
  sockaddr_in bound{};
  socklen_t size = sizeof(bound);
  if (address.unix_path.empty() && getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) == 0) {
    *chosen_port = ntohs(bound.sin_port);
  }
  return fd;
}

int connect_to(const Address& address) { return open_socket(address, connect); }

std::optional<std::string> read_line(int fd, std::string* buffer) {
  while (true) {
    if (const auto end = buffer->find('\n'); end != std::string::npos) {
      std::string line = buffer->substr(0, end);
      buffer->erase(0, end + 1);
      return line;
    }
    char chunk[512];
    const ssize_t got = read(fd, chunk, sizeof(chunk));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return std::nullopt;
    }
    buffer->append(chunk, static_cast<std::size_t>(got));
  }
}

bool write_all(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t sent = send(fd, text.data() + done, text.size() - done, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) {
      continue;
    }
    if (sent <= 0) {
      return false;
    }
    done += static_cast<std::size_t>(sent);
  }
  return true;
}
