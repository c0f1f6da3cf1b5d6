// SPDX-License-Identifier: Apache-2.0
// checkout-load: customers. Each client sends one request at a time and waits for the reply; a latency is the time
// from sending to having the whole reply. With --rate, a client that is late does not catch up.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "examples/checkout/wire.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kUsage =
    "usage: checkout-load --connect 127.0.0.1:PORT|unix:PATH [--clients N] [--rate R] [--seconds S] [--format "
    "text|json]\n"
    "       checkout-load --connect ADDRESS --send 'REQUEST'\n"
    "  N clients (default 8) send R requests a second in all (default 0: as fast as replies come) for S seconds\n"
    "  (default 10) and print each second's requests, latencies and degraded replies.\n"
    "  --send sends one request, prints the reply, and ends with 0 if it begins with 'ok'.\n";

struct Options {
  std::optional<Address> address;
  int clients = 8;
  double rate = 0;
  double seconds = 10;
  bool json = false;
  std::string send;
};

// What one client saw since the reporter last asked.
struct Tally {
  std::vector<std::int64_t> latencies_ns;
  std::uint64_t degraded = 0;
  std::uint64_t errors = 0;  // replies that are not "ok", and broken connections
};

class Client {
 public:
  Client(const Options& options, Clock::time_point end, int index)
      : options_(options), end_(end), index_(index), thread_([this] { run(); }) {}
  void join() { thread_.join(); }

  Tally take() {
    const std::lock_guard guard(lock_);
    return std::exchange(tally_, {});
  }

 private:
  void run() {
    const int fd = connect_to(*options_.address);
    std::string buffer;
    auto next = Clock::now();
    const auto pause = std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(options_.rate > 0 ? options_.clients / options_.rate : 0));
    next += pause * index_ / options_.clients;  // clients are spread over the period
    for (int item = index_; Clock::now() < end_; ++item) {
      std::this_thread::sleep_until(next);
      if (!request(fd, item % 64, &buffer)) {
        break;
      }
      next = std::max(next + pause, Clock::now() - pause);
    }
    if (fd >= 0) {
      close(fd);
    }
  }

  bool request(int fd, int item, std::string* buffer) {
    const auto sent = Clock::now();
    std::optional<std::string> reply;
    if (fd >= 0 && write_all(fd, "buy " + std::to_string(item) + " 1\n")) {
      reply = read_line(fd, buffer);
    }
    const std::int64_t took_ns = std::chrono::nanoseconds(Clock::now() - sent).count();
    const std::lock_guard guard(lock_);
    if (!reply || !reply->starts_with("ok")) {
      ++tally_.errors;
      return reply.has_value();
    }
    tally_.latencies_ns.push_back(took_ns);
    tally_.degraded += reply->ends_with("degraded=1") ? 1U : 0U;
    return true;
  }

  const Options& options_;
  const Clock::time_point end_;
  const int index_;
  std::mutex lock_;
  Tally tally_;
  std::thread thread_;
};

// The smallest value that is not below the share q of all; 0 if there is none.
double quantile_ms(std::vector<std::int64_t>* values, double q) {
  if (values->empty()) {
    return 0;
  }
  const auto rank = static_cast<std::ptrdiff_t>(std::ceil(q * static_cast<double>(values->size()))) - 1;
  const auto at = values->begin() + std::max<std::ptrdiff_t>(rank, 0);
  std::nth_element(values->begin(), at, values->end());
  return static_cast<double>(*at) / 1e6;
}

void print(const Options& options, const std::string& when, Tally* tally) {
  const double p50 = quantile_ms(&tally->latencies_ns, 0.50);
  const double p99 = quantile_ms(&tally->latencies_ns, 0.99);
  const char* format =
      options.json
          ? "{\"second\":%s,\"requests\":%zu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"degraded\":%llu,\"errors\":%llu}\n"
          : "second %5s: %6zu requests, p50 %8.3f ms, p99 %8.3f ms, %6llu degraded, %llu errors\n";
  std::printf(format, when.c_str(), tally->latencies_ns.size(), p50, p99,
              static_cast<unsigned long long>(tally->degraded), static_cast<unsigned long long>(tally->errors));
  std::fflush(stdout);
}

int run_load(const Options& options) {
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds));
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < options.clients; ++i) {
    clients.push_back(std::make_unique<Client>(options, end, i));
  }
  std::uint64_t errors = 0;
  std::uint64_t served = 0;
  for (int second = 1; Clock::now() < end; ++second) {
    std::this_thread::sleep_until(std::min(begin + std::chrono::seconds(second), end));
    Tally all;
    for (const auto& client : clients) {
      const Tally one = client->take();
      all.latencies_ns.insert(all.latencies_ns.end(), one.latencies_ns.begin(), one.latencies_ns.end());
      all.degraded += one.degraded;
      all.errors += one.errors;
    }
    errors += all.errors;
    served += all.latencies_ns.size();
    print(options, std::to_string(second), &all);
  }
  for (const auto& client : clients) {
    client->join();
  }
  return errors == 0 && served > 0 ? 0 : 1;
}

int send_one(const Options& options) {
  const int fd = connect_to(*options.address);
  std::string buffer;
  std::optional<std::string> reply;
  if (fd >= 0 && write_all(fd, options.send + "\n")) {
    reply = read_line(fd, &buffer);
  }
  if (fd >= 0) {
    close(fd);
  }
  if (!reply) {
    std::fprintf(stderr, "checkout-load: no reply; is the server there?\n");
    return 1;
  }
  std::printf("%s\n", reply->c_str());
  return reply->starts_with("ok") ? 0 : 1;
}

bool parse(int argc, char** argv, Options* options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--connect") {
      options->address = parse_address(value);
    } else if (name == "--clients") {
      options->clients = std::atoi(value.c_str());
    } else if (name == "--rate") {
      options->rate = std::atof(value.c_str());
    } else if (name == "--seconds") {
      options->seconds = std::atof(value.c_str());
    } else if (name == "--format" && (value == "text" || value == "json")) {
      options->json = value == "json";
    } else if (name == "--send") {
      options->send = value;
    } else {
      return false;
    }
  }
  return argc % 2 == 1 && options->address && options->clients > 0 && options->rate >= 0 && options->seconds > 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, &options)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  return options.send.empty() ? run_load(options) : send_one(options);
}
