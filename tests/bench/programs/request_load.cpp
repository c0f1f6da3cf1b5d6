// SPDX-License-Identifier: Apache-2.0
// request_load memcached|redis|http PORT CONNECTIONS: clients on loopback that send a request, await its answer and
// send the next, until standard input ends; each line there is answered by what was done since the last one
// (window_report.h).
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/bench/programs/window_report.h"

namespace raceguard::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Whether the bytes so far are the whole answer.
bool is_line(std::string_view answer) { return answer.ends_with("\r\n"); }

bool is_memcached_answer(std::string_view answer) {
  return answer.ends_with("END\r\n") || (!answer.starts_with("VALUE") && is_line(answer));
}

bool is_http_answer(std::string_view answer) {
  constexpr std::string_view kLength = "Content-Length: ";
  const auto body = answer.find("\r\n\r\n");
  const auto length = answer.find(kLength);
  return body != std::string_view::npos && length < body &&
         answer.size() >= body + 4 + std::strtoul(answer.data() + length + kLength.size(), nullptr, 10);
}

struct Protocol {
  const char* name;
  std::string (*request)(unsigned number);
  bool (*is_whole)(std::string_view answer);
};

// One key in ten is everybody's; of four requests one writes.
std::string memcached_request(unsigned number) {
  const std::string key = "k" + std::to_string(number % 10 == 0 ? 0 : number % 1000);
  return number % 4 == 0 ? "set " + key + " 0 0 64\r\n" + std::string(64, 'x') + "\r\n" : "get " + key + "\r\n";
}

std::string redis_request(unsigned number) {
  const std::string key = "k" + std::to_string(number % 1000);
  return number % 4 == 0 ? "INCR " + key + "\r\n" : "STRLEN " + key + "\r\n";
}

std::string http_request(unsigned /*number*/) { return "GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n"; }

constexpr std::array kProtocols = {Protocol{"memcached", memcached_request, is_memcached_answer},
                                   Protocol{"redis", redis_request, is_line},
                                   Protocol{"http", http_request, is_http_answer}};

int connect_to(std::uint16_t port) {
  const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connection < 0 || ::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("cannot connect to port " + std::to_string(port) + ": " + std::strerror(errno));
  }
  const int on = 1;
  ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return connection;
}

void exchange(int connection, const std::string& request, bool (*is_whole)(std::string_view), std::string& answer) {
  if (::send(connection, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    throw std::runtime_error("the server takes no request");
  }
  answer.clear();
  std::array<char, 65536> part;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
  do {
    const ssize_t length = ::recv(connection, part.data(), part.size(), 0);
    if (length <= 0) {
      throw std::runtime_error("the server closed the connection");
    }
    answer.append(part.data(), static_cast<std::size_t>(length));
  } while (!is_whole(answer));
}

void run_client(const Protocol& protocol, int connection, unsigned number, WindowReport& report) {
  Operations own;
  std::string answer;
  auto handed_over = Clock::now();
  try {
    while (true) {
      const auto start = Clock::now();
      exchange(connection, protocol.request(number++), protocol.is_whole, answer);
      const auto end = Clock::now();
      own.delays.add(std::chrono::duration_cast<std::chrono::nanoseconds>(end - start).count());
      ++own.done;
      if (end - handed_over > std::chrono::milliseconds(5)) {
        report.hand_over(own);
        handed_over = end;
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "request_load: %s\n", error.what());
    std::_Exit(1);
  }
}

int run(const Protocol& protocol, std::uint16_t port, unsigned connections) {
  WindowReport report;
  for (unsigned i = 0; i < connections; ++i) {
    std::thread([&protocol, connection = connect_to(port), i, &report] {
      run_client(protocol, connection, i * 7919, report);
    }).detach();
  }
  report.answer_lines();
  std::fflush(nullptr);
  std::_Exit(0);  // the clients never end
}

}  // namespace
}  // namespace raceguard::bench

int main(int argc, char** argv) {
  using namespace raceguard::bench;
  try {
    for (const Protocol& protocol : kProtocols) {
      if (argc == 4 && std::strcmp(argv[1], protocol.name) == 0) {
        return run(protocol, static_cast<std::uint16_t>(std::stoul(argv[2])),
                   static_cast<unsigned>(std::stoul(argv[3])));
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "request_load: %s\n", error.what());
    return 1;
  }
  std::fprintf(stderr, "usage: request_load memcached|redis|http PORT CONNECTIONS\n");
  return 2;
}
