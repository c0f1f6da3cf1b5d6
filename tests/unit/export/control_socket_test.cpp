// SPDX-License-Identifier: Apache-2.0
// Server and client over a real socket, the server on a real sd_event loop in its own thread.
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <thread>

#include <nlohmann/json.hpp>

#include "daemon/export/client/control_client.h"
#include "daemon/export/control_server.h"
#include "tests/unit/export/sample_snapshot.h"
#include "tests/unit/export/temporary_directory.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr uid_t kNobody = 65534;
constexpr gid_t kSomeGroup = 54321;

// A server on a loop of its own, until the end of the test.
class RunningServer {
 public:
  explicit RunningServer(ControlOptions options, ControlHandler handler = {}) : stop_(::eventfd(0, EFD_CLOEXEC)) {
    auto first = sample_snapshot();
    first.ticks = 0;
    source_.publish(std::make_shared<const Snapshot>(std::move(first)));
    options.before_view = [this] {
      auto next = sample_snapshot();
      next.ticks = source_.get()->ticks + 1;
      source_.publish(std::make_shared<const Snapshot>(std::move(next)));
    };
    sd_event_new(&loop_);
    auto server = ControlServer::create(loop_, std::move(options), source_, std::move(handler));
    if (!server) {
      error_ = server.error();
      return;
    }
    server_ = std::move(*server);
    sd_event_add_io(
        loop_, nullptr, stop_.get(), EPOLLIN,
        [](sd_event_source* source, int, std::uint32_t, void*) {
          return sd_event_exit(sd_event_source_get_event(source), 0);
        },
        nullptr);
    thread_ = std::thread([this] { sd_event_loop(loop_); });
  }
  ~RunningServer() {
    if (thread_.joinable()) {
      eventfd_write(stop_.get(), 1);
      thread_.join();
    }
    server_.reset();
    sd_event_unref(loop_);
  }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  UniqueFd stop_;
  SnapshotSource source_;
  sd_event* loop_ = nullptr;
  std::optional<Error> error_;
  std::unique_ptr<ControlServer> server_;
  std::thread thread_;
};

class ControlSocket : public testing::Test {
 protected:
  [[nodiscard]] ControlOptions options() const { return {.path = path_, .group = "no-such-group-here"}; }

  // A raw connection, for clients that misbehave.
  [[nodiscard]] UniqueFd connect_raw() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", path_.c_str());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }

  // Everything up to the end of the connection; "" and a failure if that does not come in 10 s.
  static std::string read_to_end(const UniqueFd& fd) {
    std::string text;
    char byte[512];
    for (;;) {
      pollfd entry{.fd = fd.get(), .events = POLLIN, .revents = 0};
      if (::poll(&entry, 1, 10'000) != 1) {
        ADD_FAILURE() << "the server did not close the connection";
        return text;
      }
      const ssize_t count = ::read(fd.get(), byte, sizeof(byte));
      if (count <= 0) return text;
      text.append(byte, static_cast<std::size_t>(count));
    }
  }

  // Runs `what` in a child that gave up root; true if it returned true.
  template <typename What>
  static bool as_user(uid_t uid, gid_t gid, const std::vector<gid_t>& groups, What what) {
    const pid_t child = ::fork();
    if (child == 0) {
      const bool switched = ::setgroups(groups.size(), groups.data()) == 0 && ::setgid(gid) == 0 && ::setuid(uid) == 0;
      ::_exit(switched && what() ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "control.sock";
};

TEST_F(ControlSocket, AnswersViewsOverOneConnection) {
  const RunningServer server(options());
  Result<ControlClient> client = ControlClient::connect(path_);
  ASSERT_TRUE(client) << client.error().to_string();
  const Result<json> status = client->call("status", json::object());
  ASSERT_TRUE(status) << status.error().to_string();
  EXPECT_EQ((*status)["version"], "0.1.0");
  const Result<json> locks = client->call("locks", {{"limit", 1}});
  ASSERT_TRUE(locks);
  EXPECT_EQ((*locks)["locks"].size(), 1U);
}

TEST_F(ControlSocket, AViewIsOfTheSnapshotThatWasMadeForIt) {
  const RunningServer server(options());
  Result<ControlClient> client = ControlClient::connect(path_);
  ASSERT_TRUE(client);
  for (int ticks = 1; ticks <= 3; ++ticks) {
    const Result<json> status = client->call("status", json::object());
    ASSERT_TRUE(status);
    EXPECT_EQ((*status)["loop"]["ticks"], ticks);
  }
}

TEST_F(ControlSocket, TheDaemonsErrorArrivesWhole) {
  const RunningServer server(options());
  Result<ControlClient> client = ControlClient::connect(path_);
  ASSERT_TRUE(client);
  const Result<json> answer = client->call("explain", {{"switch", "ghost"}});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kSwitchUnknown);
  EXPECT_THAT(answer.error().remedy(), HasSubstr("recommend"));
  EXPECT_THAT(client->call("dance", nullptr).error().remedy(), HasSubstr("force"));
}

TEST_F(ControlSocket, ActingMethodsGoToTheHandlerWithThePeer) {
  const RunningServer server(
      options(), [](const std::string& method, const json& params, const Peer& peer) -> Result<json> {
        return json{{"method", method}, {"switch", params["switch"]}, {"actor", peer.actor()}, {"pid", peer.pid}};
      });
  Result<ControlClient> client = ControlClient::connect(path_);
  ASSERT_TRUE(client);
  const Result<json> answer = client->call("force", {{"switch", "recommend"}});
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["pid"], ::getpid());
  EXPECT_THAT((*answer)["actor"].get<std::string>(), HasSubstr("uid "));
}

TEST_F(ControlSocket, ModeKeepsOthersOut) {
  const RunningServer server(options());
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0660U);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
}

TEST_F(ControlSocket, StrangerIsRefusedByAnAnswer) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  const RunningServer server(options());
  ::chmod((directory_ / ".").c_str(), 0755);
  ::chmod(path_.c_str(), 0666);  // past the file's rights, so that the peer check is what refuses
  EXPECT_TRUE(as_user(kNobody, kNobody, {}, [&] {
    Result<ControlClient> client = ControlClient::connect(path_);
    if (!client) return false;
    const Result<json> answer = client->call("status", json::object());
    return !answer && answer.error().code() == ErrorCode::kControlRefused;
  }));
}

TEST_F(ControlSocket, GroupMemberByEitherKindOfGroupIsAllowed) {
  const Peer by_primary{.pid = 1, .uid = kNobody, .gid = kSomeGroup, .groups = {}};
  const Peer by_supplementary{.pid = 1, .uid = kNobody, .gid = kNobody, .groups = {7, kSomeGroup}};
  const Peer stranger{.pid = 1, .uid = kNobody, .gid = kNobody, .groups = {7}};
  EXPECT_TRUE(authorize(by_primary, kSomeGroup, "g"));
  EXPECT_TRUE(authorize(by_supplementary, kSomeGroup, "g"));
  EXPECT_FALSE(authorize(stranger, kSomeGroup, "g"));
  EXPECT_FALSE(authorize(by_primary, std::nullopt, "g"));
  EXPECT_TRUE(authorize(Peer{}, std::nullopt, "g"));  // root
}

TEST_F(ControlSocket, TheKernelNamesThePeersSupplementaryGroups) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  EXPECT_TRUE(as_user(kNobody, kNobody, {kSomeGroup}, [] {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
    const Result<Peer> peer = peer_of(ends[0]);
    return peer && peer->uid == kNobody && authorize(*peer, kSomeGroup, "g").has_value();
  }));
}

TEST_F(ControlSocket, SecondServerIsRefusedAndAStaleSocketReplaced) {
  {
    const RunningServer first(options());
    const RunningServer second(options());
    ASSERT_TRUE(second.error());
    EXPECT_EQ(second.error()->code(), ErrorCode::kAlreadyRunning);
    EXPECT_TRUE(ControlClient::connect(path_));
  }
  EXPECT_NE(::access(path_.c_str(), F_OK), 0);  // taken away at the end
  {
    UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", path_.c_str());
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  EXPECT_EQ(ControlClient::connect(path_).error().errno_value(), ECONNREFUSED);
  const RunningServer third(options());
  EXPECT_FALSE(third.error());
  EXPECT_TRUE(ControlClient::connect(path_));
}

TEST_F(ControlSocket, SilentAndDrippingClientsAreClosed) {
  ControlOptions short_timeout = options();
  short_timeout.client_timeout_ns = 50'000'000;
  const RunningServer server(short_timeout);
  const UniqueFd silent = connect_raw();
  const UniqueFd dripping = connect_raw();
  ASSERT_EQ(::write(dripping.get(), "{", 1), 1);
  EXPECT_EQ(read_to_end(silent), "");
  EXPECT_EQ(read_to_end(dripping), "");
}

TEST_F(ControlSocket, OneClientTooManyIsToldSo) {
  ControlOptions few = options();
  few.clients_max = 1;
  const RunningServer server(few);
  Result<ControlClient> first = ControlClient::connect(path_);
  ASSERT_TRUE(first && first->call("status", nullptr));
  EXPECT_THAT(read_to_end(connect_raw()), HasSubstr("RG-X105"));
  EXPECT_TRUE(first->call("status", nullptr));
}

TEST_F(ControlSocket, OverlongLineIsAnsweredThenClosed) {
  const RunningServer server(options());
  const UniqueFd client = connect_raw();
  const std::string flood(80'000, 'x');
  ASSERT_GT(::send(client.get(), flood.data(), flood.size(), MSG_NOSIGNAL), 65536);
  EXPECT_THAT(read_to_end(client), HasSubstr("RG-X106"));
}

TEST_F(ControlSocket, ClientSaysWhatToDoWhenNobodyIsThere) {
  const Result<ControlClient> client = ControlClient::connect(path_);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code(), ErrorCode::kDaemonUnreachable);
  EXPECT_THAT(client.error().remedy(), HasSubstr("Is raceguardd running?"));
  EXPECT_FALSE(ControlClient::connect(std::string(200, 'x')));
}

}  // namespace
}  // namespace raceguard::exporting
