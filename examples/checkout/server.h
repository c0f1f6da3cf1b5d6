// SPDX-License-Identifier: Apache-2.0
// The line protocol, and a pool of threads that serve it.
//   buy ITEM QUANTITY   -> ok left=N recommended=N degraded=0|1   or   error TEXT
//   trouble on|off      -> ok trouble=on|off
//   stats               -> ok requests=N degraded=N
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

class Server {
 public:
  // Takes over `listener`. `workers` threads serve requests; one more restocks.
  Server(int listener, int workers);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Serves until the descriptor `stop` becomes readable.
  void run(int stop);

 private:
  struct Connection {
    int fd = -1;
    std::string buffer;
  };

  void work();
  void restock_now_and_then();
  void accept_one();
  void serve(Connection* connection);
  void watch(Connection* connection, int operation) const;
  void drop(Connection* connection);
  std::string answer(const std::string& line);
  std::string buy(const std::string& line);

  int listener_;
  int epoll_;
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> degraded_{0};

  std::mutex connections_lock_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;

  std::mutex queue_lock_;
  std::condition_variable queue_changed_;  // idle workers wait here: idling, not contention
  std::deque<Connection*> queue_;          // connections with something to read
  bool stopping_ = false;                  // guarded by queue_lock_
  std::condition_variable stop_requested_;

  std::vector<std::thread> threads_;
};
