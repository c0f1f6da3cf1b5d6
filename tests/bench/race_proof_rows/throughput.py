# SPDX-License-Identifier: Apache-2.0
"""What being recorded costs: windows with and without record, in turns. A program that touches the racy variable 100,000
times a second from each of two threads and computes in between, by its accesses a second; and MariaDB under sysbench, by
its own count of queries."""
import statistics
import time

import recording
from mariadb import MariaDb

from harness import Program

RATE = 100_000
PAIRS = 10
WINDOW_SECONDS = 6


def window(lines, seconds):
    """The median of the next seconds' counts."""
    return statistics.median(float(lines.readline()) for _ in range(seconds))


def counter_ratios(chosen, pairs):
    counter = chosen.build / "tests/programs/rate/paced_counter"
    ctl = chosen.build / "bin/raceguardctl"
    ratios = []
    with recording.running([counter, (pairs + 1) * WINDOW_SECONDS * 4, RATE, "work"], capture=True) as process:
        window(process.stdout, 2)
        for turn in range(pairs):
            without = window(process.stdout, WINDOW_SECONDS)
            with recording.recording_meanwhile(ctl, process.pid, WINDOW_SECONDS + 3):
                window(process.stdout, 2)  # it reads the program's symbols
                under = window(process.stdout, WINDOW_SECONDS)
            window(process.stdout, 1)  # in which record ended
            ratios.append(round(under / without, 4))
            print(f"throughput under record over that without, pair {turn + 1} of {pairs}: {ratios[-1]:.3f}", flush=True)
    return ratios


def queries(server, seconds):
    """A second, by the server's own count."""
    begin, start = server.counters()["Questions"], time.monotonic()
    time.sleep(seconds)
    return (server.counters()["Questions"] - begin) / (time.monotonic() - start)


def mariadb_ratios(chosen, scratch, pairs):
    ctl = chosen.build / "bin/raceguardctl"
    ratios = []
    with MariaDb(scratch) as server:
        server.prepare()
        with Program("sysbench", server.load((pairs + 1) * WINDOW_SECONDS * 5), scratch):
            queries(server, WINDOW_SECONDS)
            for turn in range(pairs):
                without = queries(server, WINDOW_SECONDS)
                with recording.recording_meanwhile(ctl, server.pid, WINDOW_SECONDS + 8):
                    time.sleep(6)  # it reads the program's symbols
                    under = queries(server, WINDOW_SECONDS)
                time.sleep(1)
                ratios.append(round(under / without, 4))
                print(f"MariaDB under record over that without, pair {turn + 1} of {pairs}: {ratios[-1]:.3f}", flush=True)
    return ratios


def measure(chosen, scratch):
    pairs = max(1, round(PAIRS * chosen.scale))
    return [{"what": f"{RATE:,} accesses a second from each of two threads", "goal": 0.99, "ratios": counter_ratios(chosen, pairs)},
            {"what": "MariaDB, sysbench with 24 clients on four rows", "goal": 0.97, "ratios": mariadb_ratios(chosen, scratch, pairs)}]
