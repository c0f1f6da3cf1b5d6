# SPDX-License-Identifier: Apache-2.0
"""Debian's MariaDB on a scratch directory, and sysbench on one hot table. Reachable by its socket and on loopback;
nothing of an installed server (settings, data, service) is touched."""
import json
import os
import pathlib
import socket
import subprocess
import urllib.parse
import urllib.request

from harness import SLOWNESS, SOURCE, CommandFailed, Program, await_that

SERVER = pathlib.Path("/usr/sbin/mariadbd")
HOT_ROWS = 4
CLIENTS = 24


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class MariaDb(Program):
    """Buffers are small and commits do not wait for the disk, so that locks are what its clients wait for."""

    def __init__(self, directory, name="mariadb"):
        self.scratch = directory / name
        self.scratch.mkdir()
        # A path of a socket has 107 characters at most; a scratch folder of a test stays below that.
        self.socket = self.scratch / "socket"
        self.port = free_port()
        data = self.scratch / "data"
        run(["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root", "--skip-test-db",
             "--auth-root-authentication-method=normal"])
        super().__init__(name, [
            SERVER, "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={self.socket}",
            "--bind-address=127.0.0.1", f"--port={self.port}", f"--pid-file={self.scratch / 'pid'}",
            "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", "--max-connections=200",
            "--skip-log-bin", "--thread-handling=one-thread-per-connection"], directory)
        await_that("MariaDB answers", lambda: self.sql("SELECT 1"), 60, self.text)
        self.sql("CREATE DATABASE sbtest")

    def sql(self, statement):
        """The rows of the answer, as lists of texts."""
        done = run(["mariadb", "--no-defaults", "--user=root", f"--socket={self.socket}", "--batch",
                    "--skip-column-names", "--execute", statement])
        return [line.split("\t") for line in done.splitlines()]

    def counters(self):
        """SHOW GLOBAL STATUS: what the server counted since its start."""
        return {name: int(value) for name, value in self.sql("SHOW GLOBAL STATUS") if value.isdigit()}

    def sysbench(self, *arguments):
        return ["sysbench", "oltp_update_non_index", "--tables=1", f"--table-size={HOT_ROWS}", "--db-driver=mysql",
                "--mysql-user=root", "--mysql-db=sbtest", f"--mysql-socket={self.socket}", "--db-ps-mode=disable",
                *arguments]

    def prepare(self):
        run(self.sysbench("prepare"))

    def load(self, seconds, clients=CLIENTS):
        """The command of a load that ends by itself. Without prepared statements each update is one COM_QUERY."""
        return self.sysbench(f"--threads={clients}", f"--time={seconds}", "--report-interval=0", "run")


class Prometheus(Program):
    """Debian's Prometheus with the scrape configuration that raceguard ships, at another port and a shorter interval."""

    def __init__(self, directory, target_port):
        shipped = (SOURCE / "deploy/prometheus/prometheus.yml").read_text()
        own = shipped.replace("127.0.0.1:19750", f"127.0.0.1:{target_port}").replace("15s", "1s")
        assert f":{target_port}" in own, "the shipped scrape configuration names another port than 19750"
        home = directory / "prometheus"
        home.mkdir()
        (home / "prometheus.yml").write_text(own)
        (home / "raceguard.rules.yml").write_text((SOURCE / "deploy/prometheus/raceguard.rules.yml").read_text())
        self.port = free_port()
        super().__init__("prometheus-server", [
            "prometheus", f"--config.file={home / 'prometheus.yml'}", f"--storage.tsdb.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"], directory)

    def query(self, expression):
        """The instant vector: label sets with their values."""
        address = f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            answer = json.loads(fetch_text(address))
        except OSError as error:
            raise CommandFailed(f"{address}: {error}") from error
        return [(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]


def fetch_text(address):
    with urllib.request.urlopen(address, timeout=10 * SLOWNESS) as answer:
        return answer.read().decode()


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120 * SLOWNESS,
                          stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"})
    if done.returncode != 0:
        raise CommandFailed(f"{' '.join(map(str, command))}: status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def mariadb_policy(pid, functions=True):
    """config/policies/mariadb.yaml, narrowed to one process; without its functions and switches if they are unwanted."""
    lines = []
    section = None
    for line in (SOURCE / "config/policies/mariadb.yaml").read_text().splitlines():
        if line.startswith("    ") and not line.startswith("     ") and line.strip().endswith(":"):
            section = line.strip()
        if not functions and section in ("functions:", "switches:"):
            continue
        lines.append(line)
        if line.strip().startswith("exe:"):
            lines.append(f"      pid: {pid}")
    return "\n".join(lines) + "\n"
