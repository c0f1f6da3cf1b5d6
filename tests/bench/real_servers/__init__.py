# SPDX-License-Identifier: Apache-2.0
"""Servers by name: SERVERS[name](sources, scratch) is a context with `pid` and load(seconds)."""
import contextlib
import socket
import sys
import time

from harness import Program
from mariadb import MariaDb, free_port
from real_servers import build

LISTEN = "127.0.0.1"


def await_port(port, program):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and program.alive():
        with contextlib.suppress(OSError), socket.create_connection((LISTEN, port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nobody answers at port {port}: {program.text()}")


class Server:
    """A process that listens at `port`; `loader(seconds)` is the command of a load that ends by itself."""

    def __init__(self, program, scratch, loader):
        self.pid = program.pid
        self.scratch = scratch
        self.loader = loader

    @contextlib.contextmanager
    def load(self, seconds):
        with Program("load", self.loader(seconds), self.scratch) as load:
            yield load
            if not load.alive() and load.process.returncode != 0:
                raise RuntimeError(f"the load failed: {load.text()}")


@contextlib.contextmanager
def memcached(sources, scratch):
    binary, port = build.memcached(sources), free_port()
    command = [binary, "-u", "root", "-l", LISTEN, "-p", port, "-t", "4", "-m", "64"]
    with Program("memcached", command, scratch) as program:
        await_port(port, program)
        yield Server(program, scratch, lambda seconds: [
            sys.executable, "-B", build.HERE / "memcached_load.py", port, seconds, "4"])


@contextlib.contextmanager
def redis(sources, scratch):
    binary, port = build.redis(sources), free_port()
    command = [binary, "--bind", LISTEN, "--port", port, "--save", "", "--io-threads", "3", "--io-threads-do-reads", "yes",
               "--dir", scratch]
    with Program("redis", command, scratch) as program:
        await_port(port, program)
        # Without pipelining; -l: until it is ended. Threads take part from four waiting clients on.
        yield Server(program, scratch, lambda seconds: [
            "timeout", "--preserve-status", str(seconds), "redis-benchmark", "-p", str(port), "-c", "50", "-q", "-l",
            "-t", "set,get,incr,lpush,lpop,sadd,hset,zadd"])


NGINX = """worker_processes 1; daemon off; master_process off; pid {scratch}/nginx.pid; error_log {scratch}/error.log;
thread_pool default threads=4;
events {{ worker_connections 512; }}
http {{ access_log {scratch}/access.log; sendfile off; aio threads; aio_write on;
  client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy; fastcgi_temp_path {scratch}/fastcgi;
  uwsgi_temp_path {scratch}/uwsgi; scgi_temp_path {scratch}/scgi;
  open_file_cache max=100; open_file_cache_errors on;
  server {{ listen {listen}:{port}; root {scratch}/www; output_buffers 2 32k; }} }}
"""


@contextlib.contextmanager
def nginx(sources, scratch):
    binary, port = build.nginx(sources), free_port()
    (scratch / "www").mkdir()
    (scratch / "www/page").write_bytes(b"x" * 200_000)
    configuration = scratch / "nginx.conf"
    configuration.write_text(NGINX.format(scratch=scratch, listen=LISTEN, port=port))
    with Program("nginx", [binary, "-c", configuration, "-e", scratch / "error.log"], scratch) as program:
        await_port(port, program)
        yield Server(program, scratch, lambda seconds: [
            "ab", "-q", "-r", "-c", "16", "-t", str(int(seconds)), "-n", "100000000", f"http://{LISTEN}:{port}/page"])


@contextlib.contextmanager
def mariadb(_, scratch):
    with MariaDb(scratch) as server:
        server.prepare()
        yield Server(server, scratch, lambda seconds: server.load(int(seconds)))


SERVERS = {"mariadb": mariadb, "memcached": memcached, "redis": redis, "nginx": nginx}
