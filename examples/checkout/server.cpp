// SPDX-License-Identifier: Apache-2.0
#include "examples/checkout/server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "examples/checkout/inventory.h"
#include "examples/checkout/recommend.h"
#include "examples/checkout/wire.h"

namespace {

constexpr auto kRestockPeriod = std::chrono::milliseconds(20);

}  // namespace

Server::Server(int listener, int workers) : listener_(listener), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  for (int i = 0; i < workers; ++i) {
    threads_.emplace_back([this] { work(); });
    pthread_setname_np(threads_.back().native_handle(), "worker");
  }
  threads_.emplace_back([this] { restock_now_and_then(); });
  pthread_setname_np(threads_.back().native_handle(), "restock");
}

Server::~Server() {
  {
    const std::lock_guard guard(queue_lock_);
    stopping_ = true;
  }
  queue_changed_.notify_all();
  stop_requested_.notify_all();
  {
    const std::lock_guard guard(connections_lock_);
    for (const auto& [connection, owner] : connections_) {
      shutdown(connection->fd, SHUT_RDWR);  // a worker may be reading from it
    }
  }
  for (std::thread& thread : threads_) {
    thread.join();
  }
  for (const auto& [connection, owner] : connections_) {
    close(connection->fd);
  }
  close(epoll_);
  close(listener_);
}

void Server::run(int stop) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, stop, &event);
  event.data.ptr = this;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
  while (epoll_wait(epoll_, &event, 1, -1) != 0) {
    if (event.data.ptr == nullptr) {
      return;
    }
    if (event.data.ptr == this) {
      accept_one();
      continue;
    }
    {
      const std::lock_guard guard(queue_lock_);
      queue_.push_back(static_cast<Connection*>(event.data.ptr));
    }
    queue_changed_.notify_one();
  }
}

void Server::work() {
  while (true) {
    Connection* next = nullptr;
    {
      std::unique_lock guard(queue_lock_);
      queue_changed_.wait(guard, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) {
        return;
      }
      next = queue_.front();
      queue_.pop_front();
    }
    serve(next);
  }
}

void Server::restock_now_and_then() {
  std::unique_lock guard(queue_lock_);
  while (!stop_requested_.wait_for(guard, kRestockPeriod, [this] { return stopping_; })) {
    guard.unlock();
    restock(backend_trouble());
    guard.lock();
  }
}

void Server::accept_one() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) {
    return;
  }
  auto owner = std::make_unique<Connection>();
  Connection* connection = owner.get();
  connection->fd = fd;
  {
    const std::lock_guard guard(connections_lock_);
    connections_.emplace(connection, std::move(owner));
  }
  watch(connection, EPOLL_CTL_ADD);
}

// One shot: a connection is with one worker at a time, and back in the poll set when that is done with it.
void Server::watch(Connection* connection, int operation) const {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.ptr = connection;
  epoll_ctl(epoll_, operation, connection->fd, &event);
}

void Server::drop(Connection* connection) {
  const std::lock_guard guard(connections_lock_);
  close(connection->fd);
  connections_.erase(connection);
}

void Server::serve(Connection* connection) {
  do {
    const auto line = read_line(connection->fd, &connection->buffer);
    if (!line || !write_all(connection->fd, answer(*line) + "\n")) {
      drop(connection);
      return;
    }
  } while (connection->buffer.find('\n') != std::string::npos);
  watch(connection, EPOLL_CTL_MOD);
}

std::string Server::answer(const std::string& line) {
  if (line.starts_with("buy ")) {
    return buy(line);
  }
  if (line == "trouble on" || line == "trouble off") {
    set_backend_trouble(line == "trouble on");
    return "ok trouble=" + line.substr(8);
  }
  if (line == "stats") {
    return "ok requests=" + std::to_string(requests_) + " degraded=" + std::to_string(degraded_);
  }
  return "error unknown request; known: buy ITEM QUANTITY, trouble on|off, stats";
}

std::string Server::buy(const std::string& line) {
  int item = 0;
  int quantity = 0;
  if (std::sscanf(line.c_str(), "buy %d %d", &item, &quantity) != 2 || item < 0 || item >= kItems || quantity < 1) {
    return "error expected: buy ITEM QUANTITY with 0 <= ITEM < " + std::to_string(kItems) + ", QUANTITY >= 1";
  }
  ++requests_;
  const int left = reserve(item, quantity);
  if (left < 0) {
    return "error sold out";
  }
  const Suggestions recommended = suggestions_for(item);
  degraded_ += recommended.degraded ? 1U : 0U;
  return "ok left=" + std::to_string(left) + " recommended=" + std::to_string(recommended.count) +
         " degraded=" + (recommended.degraded ? "1" : "0");
}
