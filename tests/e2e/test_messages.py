#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the daemon says when it cannot do what it was asked: code, what, why, and what to do. And what systemd hears."""
import os
import shutil
import signal
import socket
import subprocess
import unittest
import urllib.error
import urllib.request

from harness import BIN, Daemon, EndToEnd, checkout_policy, lifecycle_policy


def listening_socket():
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken


def free_port():
    with listening_socket() as taken:
        return taken.getsockname()[1]


def http(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None, ""


class Messages(EndToEnd):
    def refused(self, text, status=1, **arguments):
        """Starts a daemon that must end by itself, saying each of `text`."""
        daemon = self.keep(Daemon(self.scratch, lifecycle_policy(self.lifecycle_path()), **arguments))
        self.assertEqual(daemon.wait(30), status, daemon.text())
        for part in text:
            self.assertIn(part, daemon.text())
        return daemon

    def check(self, policy):
        """--check on a policy: status and output."""
        file = self.scratch / "checked.yaml"
        file.write_text(policy)
        done = subprocess.run([str(BIN / "raceguardd"), "--check", "--config", str(file)], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_not_root(self):
        self.scratch.chmod(0o755)
        # Only what the test needs is readable for nobody: a copy of the daemon.
        shutil.copy(BIN / "raceguardd", self.scratch / "copy")
        nobody = 65534
        mine = self.scratch / "nobody"
        mine.mkdir()
        os.chown(mine, nobody, nobody)
        config = mine / "d.yaml"
        config.write_text(f"apiVersion: raceguard/v1\ndaemon:\n  run_directory: {mine}/run\n"
                          f"  evidence_file: {mine}/e.jsonl\n  listen_port: 0\n")
        done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                               str(self.scratch / "copy"), "--config", str(config)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("RG-A106", done.stderr)
        self.assertIn("EPERM", done.stderr)
        self.assertIn("CAP_BPF", done.stderr)

    def test_missing_configuration(self):
        done = subprocess.run([str(BIN / "raceguardd"), "--config", "/nonexistent/raceguard.yaml"], capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^/nonexistent/raceguard.yaml: cannot be read.*RG-P101\]\n\Z")

    def test_evidence_directory_is_missing(self):
        self.refused(["RG-X101", "/proc/nonexistent/evidence.jsonl", "ENOENT", "daemon.evidence_file"],
                     settings={"evidence_file": "/proc/nonexistent/evidence.jsonl"})

    def test_evidence_file_is_a_directory(self):
        self.refused(["RG-X101", str(self.scratch), "EISDIR", "daemon.evidence_file"],
                     settings={"evidence_file": self.scratch})

    def test_run_directory_is_a_file(self):
        (self.scratch / "file").write_text("")
        self.refused(["RG-M102", "ENOTDIR", "daemon.run_directory"], settings={"run_directory": self.scratch / "file"})

    def test_port_in_use(self):
        with listening_socket() as taken:
            port = taken.getsockname()[1]
            self.refused(["RG-X103", f"127.0.0.1 port {port}", "EADDRINUSE", "listen_port"], settings={"listen_port": port})

    def test_check_shows_where_a_glob_matches_nothing(self):
        checkout = self.start_checkout()
        policy = checkout_policy(checkout.path)
        lines = policy.splitlines()
        line = next(number for number, text in enumerate(lines, 1) if "symbol:" in text)
        status, text = self.check(policy.replace('symbol: "recommend*"', 'symbol: "recomend"'))
        self.assertEqual(status, 2, text)
        self.assertRegex(text, rf"(?m)^error: .*checked.yaml:{line}:\d+: .*RG-P108 .*recomend.*Did you mean recommend\?$")
        status, text = self.check(policy.replace("binary: exe", 'binary: "*/libnone.so"'))
        self.assertEqual(status, 2, text)
        self.assertRegex(text, rf"(?m)^error: .*checked.yaml:{line}:\d+: .*RG-P108 .*libc.so")
        status, text = self.check(policy)
        self.assertEqual(status, 0, text)
        self.assertIn("would probe recommend", text)

    def test_target_is_not_running(self):
        policy = checkout_policy("/nonexistent/checkout")
        status, text = self.check(policy)
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"(?m)^warning: .*checked.yaml:\d+:\d+: policy checkout: no running process")
        daemon = self.start_daemon(policy)
        self.assertRegex(daemon.text(), r"policy\.yaml:\d+:\d+: policy checkout: no running process matches its target yet")

    def test_glob_of_a_later_target_matches_nothing(self):
        path = self.lifecycle_path()
        daemon = self.start_daemon(lifecycle_policy(path).replace("guarded_work", "garded_work"))
        self.assertNotIn("RG-P108", daemon.text())
        for number in range(3):  # told once, not for each process
            target = self.start_lifecycle("locks", 1)
            self.await_that("it is a target", lambda: target.pid in daemon.targets(), 10, daemon)
            target.end()
        self.assertRegex(daemon.text(), r"warning left out: .*policy\.yaml:\d+:\d+: .*RG-P108 .*Did you mean guarded_work\?")
        self.assertEqual(daemon.text().count("RG-P108"), 1, daemon.text())
        self.await_that("nothing is left out when no target is there", lambda: not daemon.status()["omissions"], 10, daemon)

    def test_decisions_are_one_line_each(self):
        checkout, daemon = self.guarded_checkout()
        daemon.force("recommendations", "open")
        daemon.ctl("release", "recommendations")
        daemon.force("recommendations", "closed")
        lines = daemon.text().splitlines()
        for line in lines:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} (info|warning|error) \S")
        told = [line for line in lines if "switch recommendations" in line]
        self.assertEqual(len(told), 3, daemon.text())
        self.assertIn("closed -> open: test", told[0])

    def test_ready_only_when_ready(self):
        checkout = self.start_checkout()
        port = free_port()
        daemon = self.keep(Daemon(self.scratch, checkout_policy(checkout.path), settings={"listen_port": port}))
        seen = []

        def ready():
            seen.append(http(port, "/-/ready")[0])
            return seen[-1] == 200
        self.await_that("/-/ready says yes", ready, 30, daemon)
        self.assertLessEqual(set(seen), {None, 503, 200})
        status, body = http(port, "/api/v1/targets")  # at once: ready means that what runs is guarded
        self.assertEqual(status, 200)
        self.assertIn('"functions_probed":1', body.replace(" ", ""))
        self.assertEqual(http(port, "/-/healthy")[0], 200)
        self.assertEqual(daemon.end(), 0)
        self.assertEqual(http(port, "/-/ready")[0], None)

    def test_tells_systemd(self):
        path = self.scratch / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(path))
            notify.settimeout(30)
            daemon = self.keep(Daemon(self.scratch, lifecycle_policy(self.lifecycle_path()),
                                      environment={"NOTIFY_SOCKET": str(path)}))

            def message():
                return dict(line.split("=", 1) for line in notify.recv(65536).decode().splitlines())
            self.assertEqual(message()["READY"], "1")
            daemon.policy_file.write_text("apiVersion: raceguard/v1\npolicies:\n  - nmae: x\n    trget: y\n")
            daemon.send(signal.SIGHUP)
            reloading = message()
            self.assertEqual(reloading["RELOADING"], "1")
            self.assertGreater(int(reloading["MONOTONIC_USEC"]), 0)
            done = message()
            self.assertEqual(done["READY"], "1", "systemd would wait for ever")
            self.assertIn("policy.yaml:3", done["STATUS"])
            daemon.send(signal.SIGTERM)
            self.assertEqual(message(), {"STOPPING": "1"})
            self.assertEqual(daemon.wait(20), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
