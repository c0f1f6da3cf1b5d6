# SPDX-License-Identifier: Apache-2.0
"""raceguard beside its peers on the same work: throughput, delays, CPU time, memory, and what each found."""
import contextlib
import pathlib
import shutil
import tempfile
import time

from overhead_rows.figures import Section, Table, at_least, at_most, duration, mean, median, spread
from peer_runs import attached, wrapped
from peer_runs.workloads import WORKLOADS, cpu_seconds

COMMAND = "tests/bench/overhead --only peers"
SETTLE_SECONDS = 0.5  # the first hits copy the pages that are probed
# Reading symbols and a first look at all memory come once, at the start of a search that goes on for weeks. They have a
# row of their own.
SEARCHES = "raceguard, everything"
SEARCH_SETTLES_WINDOWS = 4
AT_START = f"{SEARCHES}, its first seconds"
GOALS = {"raceguard, contention": (0.99, None), SEARCHES: (0.98, 1.05)}
NEEDED = ("bpftrace", "perf", "valgrind", "mariadbd", "sysbench", "memcached", "redis-server", "nginx")


def missing():
    return [name for name in NEEDED if not shutil.which(name)]


@contextlib.contextmanager
def scratch_folder():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="raceguard-bench."))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def pair(bare, guarded):
    """One window over its neighbour."""
    return {"rate": guarded.rate / bare.rate, "p99": guarded.p99_us / bare.p99_us if bare.p99_us else None,
            "cpu": guarded.cpu_us / bare.cpu_us if bare.cpu_us else None}


def guarded_window(workload, tool, seconds):
    own, begin = sum(map(cpu_seconds, tool.pids)), time.monotonic()
    window = workload.window(seconds)
    return window, {"own_cpu": (sum(map(cpu_seconds, tool.pids)) - own) / (time.monotonic() - begin), "memory_mib": tool.resident_mib()}


def sample(bare, window, own, tool):
    return {**pair(bare, window), **own, "found": tool.found(), "added_ns": 1e3 * (window.cpu_us - bare.cpu_us)}


def attached_pair(name, workload, attach, seconds):
    bare = workload.window(seconds)
    with scratch_folder() as scratch:
        with attach(name, workload.pid, scratch) as tool:
            time.sleep(SETTLE_SECONDS)
            window, own = guarded_window(workload, tool, seconds)
        return sample(bare, window, own, tool)


def search_pairs(name, workload, attach, seconds):
    """Its first window over the one before, and a later one over the one behind it."""
    before = workload.window(seconds)
    with scratch_folder() as scratch:
        with attach(name, workload.pid, scratch) as tool:
            begun = time.monotonic()
            time.sleep(SETTLE_SECONDS)
            first, first_own = guarded_window(workload, tool, seconds)
            time.sleep(max(0, begun + SEARCH_SETTLES_WINDOWS * seconds - time.monotonic()))
            later, later_own = guarded_window(workload, tool, seconds)
        time.sleep(SETTLE_SECONDS)
        behind = workload.window(seconds)
        return {AT_START: sample(before, first, first_own, tool), SEARCHES: sample(behind, later, later_own, tool)}


def samples_of(tool, name, workload, seconds):
    attach = attached.ATTACHED[tool]
    if tool == SEARCHES:
        return search_pairs(name, workload, attach, seconds)
    return {tool: attached_pair(name, workload, attach, seconds)}


def wrapped_pair(name, tool_name, seconds):
    with scratch_folder() as scratch:
        with WORKLOADS[name](scratch) as workload:
            time.sleep(SETTLE_SECONDS)
            bare = workload.window(seconds)
    with scratch_folder() as scratch:
        with wrapped.start(tool_name, WORKLOADS[name], scratch) as workload:
            time.sleep(SETTLE_SECONDS)
            guarded = workload.window(seconds)
            memory = wrapped.resident_mib(workload.pid)
        return {**pair(bare, guarded), "own_cpu": None, "memory_mib": memory, "found": wrapped.found(tool_name, workload.text())}


def told(name, tool, samples):
    ratio = median([each["rate"] for each in samples])
    print(f"peers {name}, {tool}: {ratio:.3f} of the throughput; {samples[-1]['found']}", flush=True)


def run_workload(name, settings):
    """Samples by tool. Tools take turns; each has an untouched window just before its own."""
    samples = {}
    with scratch_folder() as scratch, WORKLOADS[name](scratch) as workload:
        workload.window(1)
        tools = list(attached.ATTACHED)
        for number in range(settings.rounds(9)):
            first = number % len(tools)
            for tool in tools[first:] + tools[:first]:
                if number % 3 and tool not in GOALS:
                    continue  # what is off by a factor needs fewer windows than what is to be told from nothing
                for row, each in samples_of(tool, name, workload, settings.seconds(3)).items():
                    samples.setdefault(row, []).append(each)
    for tool in wrapped.TOOLS:
        if name in wrapped.CAN[tool]:
            try:
                samples[tool] = [wrapped_pair(name, tool, settings.seconds(3)) for _ in range(settings.rounds(2))]
            except BrokenPipeError:  # the others' figures are worth keeping
                print(f"peers {name}, {tool}: no figures, the load lost its server", flush=True)
    for tool, each in samples.items():
        told(name, tool, each)
    return samples


def measure_hits(section, settings):
    """What a call of one function costs its caller while a tool counts and times each: CPU time of the program."""
    added = {tool: [] for tool in attached.ONE_FUNCTION}
    with scratch_folder() as scratch, WORKLOADS["uncontended"](scratch) as workload:
        for _ in range(settings.rounds(5)):
            for tool, attach in attached.ONE_FUNCTION.items():
                added[tool].append(attached_pair("uncontended", workload, attach, settings.seconds(2))["added_ns"])
    for tool, each in added.items():
        section.row(f"a call of `pthread_mutex_lock`, counted and timed by {tool}", f"{duration(median(each))} added", median(each),
                    samples=f"{len(each)} windows, {spread([ns / 1000 for ns in each])} us")
    ratios = [peer / own for own, peer in zip(added["raceguard"], added["bpftrace"])]
    section.row("the same: bpftrace over raceguard", f"{median(ratios):.1f} times", median(ratios), goal=">= 10 times",
                met=at_least(median(ratios), 10), samples=f"{len(ratios)} pairs, {spread(ratios, 1)}")
    section.details["one function, ns added"] = added


def middle(samples, key):
    values = [each[key] for each in samples if each[key] is not None]
    return median(values) if values else None


def table_row(tool, samples):
    def ratio(key):
        value = middle(samples, key)
        return "" if value is None else f"{value:.3f}" if value > 0.1 else f"{value:.4f}"
    own = middle(samples, "own_cpu")
    return [tool, ratio("rate"), spread([each["rate"] for each in samples], 3), ratio("p99"), ratio("cpu"),
            "" if own is None else f"{own:.1%}", f"{middle(samples, 'memory_mib'):.0f} MiB", samples[-1]["found"]]


def goals(section, name, samples):
    for tool, (throughput, p99) in GOALS.items():
        ratios = [each["rate"] for each in samples[tool]]
        section.row(f"{name}: {tool}: throughput over that without", f"{median(ratios):.3f}", median(ratios), goal=f">= {throughput}",
                    met=at_least(median(ratios), throughput),
                    samples=f"median of {len(ratios)} pairs of windows, {mean(ratios)} (95 %), from {spread(ratios)}")
        if p99:
            delays = [each["p99"] for each in samples[tool] if each["p99"]]
            section.row(f"{name}: {tool}: p99 over that without", f"{median(delays):.3f}", median(delays), goal=f"<= {p99}",
                        met=at_most(median(delays), p99), samples=f"{len(delays)} pairs, from {spread(delays)}")


def measure(_scratch, settings):
    if missing():
        raise SystemExit(f"not installed: {', '.join(missing())} (scripts/install-deps test)")
    unknown = set(settings.workloads or ()) - set(WORKLOADS)
    if unknown:
        raise SystemExit(f"no such workload: {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    section = Section("peers", "raceguard and its peers", COMMAND, details={"workloads": {}, "one function, ns added": {}}, workloads=settings.workloads or [])
    if not settings.workloads or "uncontended" in settings.workloads:
        measure_hits(section, settings)
    for name in settings.workloads or WORKLOADS:
        samples = run_workload(name, settings)
        goals(section, name, samples)
        section.tables.append(Table(name, ["tool", "throughput", "range", "p99", "CPU an operation", "tool's own CPU", "its memory",
                                           "what it found"], [table_row(tool, each) for tool, each in samples.items()]))
        section.details["workloads"][name] = samples
    section.notes.append("![throughput under each tool over that without](overhead.svg)")
    return section
