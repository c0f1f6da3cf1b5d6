# SPDX-License-Identifier: Apache-2.0
"""MariaDB's throughput under guard over its throughput without: tests/bench/mariadb_overhead, and its figures here."""
import json
import os
import pathlib
import subprocess

from harness import BUILD
from overhead_rows.figures import Section, at_least, mean, median, spread

COMMAND = "tests/bench/overhead --only throughput"
PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "mariadb_overhead"
GUARDS = (("contention", "contention watch only", 0.99), ("functions", "contention watch and `dispatch_command`", 0.97))


def run_bench(scratch, settings):
    result = scratch / "mariadb_overhead.json"
    command = [PROGRAM, "--build", BUILD, "--rounds", settings.rounds(15), "--seconds", settings.seconds(3),
               "--idle-seconds", settings.seconds(1), "--json", result]
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "TMPDIR": str(scratch)})
    if done.returncode != 0:
        raise RuntimeError(f"mariadb_overhead: status {done.returncode}: {done.stdout}")
    return json.loads(result.read_text())


def measure(scratch, settings):
    section = Section("throughput", "MariaDB under guard", COMMAND)
    result = run_bench(scratch, settings)
    bare = result["throughput"]["none"]
    section.row("without raceguard", f"{bare['median']:.0f} queries/s", bare["median"],
                samples=f"{result['rounds']} windows of {result['window_seconds']:g} s, {spread(bare['runs'], 0)}; "
                        f"{result['clients']} clients of sysbench on {result['cpus']} CPUs with the server")
    for kind, told, goal in GUARDS:
        runs = result["ratio"][kind]["runs"]
        ratio = median(runs)
        section.row(f"{told}: throughput over that without", f"{ratio:.3f}", ratio, goal=f">= {goal}",
                    met=at_least(ratio, goal),
                    samples=f"median of {len(runs)} pairs of windows, {mean(runs)} (95 %), "
                            f"from {spread(runs)}; {result['throughput'][kind]['median']:.0f} queries/s")
    cpu = result["server_cpu"]
    for kind, told, _ in GUARDS:
        runs = result["server_cpu_ratio"][kind]["runs"]
        section.row(f"{told}: the server's CPU time a query over that without", f"{median(runs):.3f}", median(runs),
                    samples=f"median of {len(runs)} pairs, {mean(runs)} (95 %), from {spread(runs)}; "
                            f"{cpu[kind]['median']:.1f} us a query after {cpu['none']['median']:.1f} us")
    section.details["mariadb_overhead"] = result
    return section
