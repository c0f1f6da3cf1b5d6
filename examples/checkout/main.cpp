// SPDX-License-Identifier: Apache-2.0
// checkout: the server that scripts/quickstart guards. Start it, and it says where it listens.
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "examples/checkout/server.h"
#include "examples/checkout/wire.h"

namespace {

constexpr const char* kUsage =
    "usage: checkout [--listen 127.0.0.1:PORT|unix:PATH] [--workers N]\n"
    "  Serves line requests (buy ITEM QUANTITY, trouble on|off, stats). Port 0, the default, takes any free one;\n"
    "  the first line of output says where the server is.\n";

struct Options {
  Address address;
  int workers = 8;
};

bool parse(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--listen") {
      const auto address = parse_address(value);
      if (!address) {
        return false;
      }
      options->address = *address;
    } else if (name == "--workers") {
      options->workers = std::atoi(value.c_str());
      if (options->workers < 1 || options->workers > 256) {
        return false;
      }
    } else {
      return false;
    }
  }
  return true;
}

// SIGTERM and SIGINT as a readable descriptor. Blocked before the first thread starts, so that all inherit it.
int stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, &options)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const int stop = stop_signals();
  int port = options.address.port;
  const int listener = listen_on(options.address, &port);
  if (listener < 0) {
    std::fprintf(stderr, "checkout: cannot listen: %s\n", std::strerror(errno));
    return 1;
  }
  {
    Server server(listener, options.workers);
    if (options.address.unix_path.empty()) {
      std::printf("checkout: listening on %s:%d\n", options.address.host.c_str(), port);
    } else {
      std::printf("checkout: listening on unix:%s\n", options.address.unix_path.c_str());
    }
    std::fflush(stdout);
    server.run(stop);
  }
  if (!options.address.unix_path.empty()) {
    unlink(options.address.unix_path.c_str());
  }
  close(stop);
  return 0;
}
