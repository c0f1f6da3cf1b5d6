# SPDX-License-Identifier: Apache-2.0
"""Work that tools are put on: WORKLOADS[name](scratch, prefix) is a context with `pid` and window(seconds).

`prefix` is a command that the program runs under (valgrind); `binary` replaces the program (a ThreadSanitizer build)."""
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import socket
import subprocess
import time

from harness import BIN, Program, await_that
from mariadb import MariaDb, free_port

PROGRAMS = BIN
TICKS = os.sysconf("SC_CLK_TCK")
LISTEN = "127.0.0.1"


@dataclasses.dataclass
class Window:
    rate: float     # operations a second
    p99_us: float   # of an operation's delay
    cpu_us: float   # of the server, an operation


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Asked:
    """A program that answers each line with what it did since the last one."""

    def __init__(self, command, scratch):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=open(scratch / "asked.log", "ab"), text=True, cwd=scratch)
        self.pid = self.process.pid

    def ask(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the program or its load ended with status {self.process.wait()}")
        return json.loads(answer)

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Workload:
    def __init__(self, pid, asked, text=lambda: ""):
        self.pid = pid
        self.asked = asked
        self.text = text  # what the program, or the tool that it runs under, said so far

    def window(self, seconds):
        self.asked.ask()
        cpu = cpu_seconds(self.pid)
        time.sleep(seconds)
        cpu = cpu_seconds(self.pid) - cpu
        answer = self.asked.ask()
        return Window(answer["operations"] / answer["seconds"], answer["p99_ns"] / 1e3, 1e6 * cpu / max(1, answer["operations"]))


@contextlib.contextmanager
def lock_work(kind, scratch, prefix=(), binary=None):
    asked = Asked([*prefix, binary or PROGRAMS / "lock_work", kind], scratch)
    try:
        yield Workload(asked.pid, asked, (scratch / "asked.log").read_text)
    finally:
        asked.end()


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection((LISTEN, port), 1):
        return True


@contextlib.contextmanager
def requested(protocol, connections, command, port, scratch):
    with Program(protocol, command, scratch) as server:
        await_that(f"{command[0]} listens at port {port}", lambda: answers(port) or not server.alive(), 60, server.text)
        asked = Asked([PROGRAMS / "request_load", protocol, port, connections], scratch)
        try:
            yield Workload(server.pid, asked, server.text)
        finally:
            asked.end()


def memcached(scratch, prefix=()):
    port = free_port()
    return requested("memcached", 16, [*prefix, "memcached", "-u", "root", "-l", LISTEN, "-p", port, "-t", "4", "-m", "64"],
                     port, scratch)


def redis(scratch, prefix=()):
    port = free_port()
    return requested("redis", 16, [*prefix, "redis-server", "--bind", LISTEN, "--port", port, "--save", "", "--io-threads", "3",
                                   "--io-threads-do-reads", "yes", "--dir", scratch], port, scratch)


NGINX = """worker_processes 1; daemon off; master_process off; pid {scratch}/nginx.pid; error_log {scratch}/error.log;
thread_pool default threads=4;
events {{ worker_connections 512; }}
http {{ access_log off; sendfile off; aio threads; keepalive_requests 1000000000;
  client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy; fastcgi_temp_path {scratch}/fastcgi;
  uwsgi_temp_path {scratch}/uwsgi; scgi_temp_path {scratch}/scgi;
  server {{ listen {listen}:{port}; root {scratch}/www; output_buffers 2 32k; }} }}
"""


def nginx(scratch, prefix=()):
    port = free_port()
    (scratch / "www").mkdir(exist_ok=True)
    (scratch / "www/page").write_bytes(b"x" * 50_000)
    (scratch / "nginx.conf").write_text(NGINX.format(scratch=scratch, listen=LISTEN, port=port))
    return requested("http", 16, [*prefix, "nginx", "-c", scratch / "nginx.conf", "-e", scratch / "error.log"], port, scratch)


class SysbenchLoad:
    """Answers as programs do that are asked by lines: questions by the server's counters, delays by sysbench's lines."""
    LINE = re.compile(r"lat \(ms,99%\): ([0-9.]+)")

    def __init__(self, server, scratch):
        self.server = server
        command = server.sysbench("--threads=24", "--time=100000", "--report-interval=1", "--percentile=99", "run")
        self.program = Program("sysbench", command, scratch)
        self.asked, self.read, self.questions = time.monotonic(), 0, 0

    def ask(self):
        now, questions = time.monotonic(), self.server.counters()["Questions"]
        delays = [float(each) for each in self.LINE.findall(self.program.text()[self.read:])]
        answer = {"operations": questions - self.questions, "seconds": now - self.asked,
                  "p99_ns": 1e6 * sorted(delays)[len(delays) // 2] if delays else 0}
        self.asked, self.read, self.questions = now, len(self.program.text()), questions
        return answer


@contextlib.contextmanager
def mariadb(scratch, prefix=()):
    assert not prefix, "the server is not started under another program"
    with MariaDb(scratch) as server:
        server.prepare()
        load = SysbenchLoad(server, scratch)
        try:
            await_that("the load runs", lambda: server.counters()["Com_update"] > 1000, 30, load.program.text)
            yield Workload(server.pid, load, server.text)
        finally:
            load.program.process.kill()
            load.program.wait()


WORKLOADS = {
    "uncontended": lambda scratch, *rest: lock_work("uncontended", scratch, *rest),
    "convoy": lambda scratch, *rest: lock_work("convoy", scratch, *rest),
    "MariaDB": mariadb, "memcached": memcached, "Redis": redis, "nginx": nginx}
