# SPDX-License-Identifier: Apache-2.0
"""memcached_load.py PORT SECONDS CONNECTIONS: gets, sets, deletes, touches and increments of some 2,000 keys."""
import random
import socket
import sys
import threading
import time

KEYS = 2000
COUNTERS = 10
BATCH = 50


def command(chance, key):
    if chance < 0.25:
        return f"set k{key} 0 60 100\r\n{'x' * 100}\r\n"
    if chance < 0.35:
        return f"incr c{key % COUNTERS} 1\r\n"
    if chance < 0.40:
        return f"delete k{key}\r\n"
    if chance < 0.42:
        return f"touch k{key} 60\r\n"
    if chance < 0.421:
        return "stats\r\n"
    return f"get k{key}\r\n"


def read_answer(lines):
    """VALUE and STAT lines belong to an answer that ends with END."""
    while True:
        line = lines.readline()
        if line.startswith(b"VALUE"):
            lines.readline()
        elif not line.startswith(b"STAT"):
            return line


def work(port, deadline):
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb", 65536) as lines:
        while time.monotonic() < deadline:
            connection.sendall("".join(command(random.random(), random.randrange(KEYS)) for _ in range(BATCH)).encode())
            for _ in range(BATCH):
                if not read_answer(lines):
                    sys.exit("memcached closed the connection")


def main():
    port, seconds, connections = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as lines:
        for counter in range(COUNTERS):
            connection.sendall(f"set c{counter} 0 0 1\r\n0\r\n".encode())
            read_answer(lines)
    threads = [threading.Thread(target=work, args=(port, time.monotonic() + seconds)) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
