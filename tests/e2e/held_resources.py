# SPDX-License-Identifier: Apache-2.0
"""What a daemon holds: memory, descriptors, threads, entries of its BPF maps. For tests of its size and of its growth."""
import contextlib
import json
import pathlib
import re
import subprocess

# Maps that are as large as they are: their slots are always there.
FIXED = re.compile(r"array|ringbuf")


def memory_kib(pid):
    """By the names of /proc/PID/status: VmHWM is the most it ever had, RssAnon what it has of its own."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)
            if name in ("VmHWM", "VmRSS", "RssAnon", "RssFile")}


def descriptors(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))


def bpftool(*arguments):
    done = subprocess.run(["bpftool", "-j", *map(str, arguments)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def ids_of(pid, kind):
    """Of the BPF maps ("map") or programs ("prog") that a process has descriptors of."""
    ids = set()
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            ids.update(int(number) for number in re.findall(rf"^{kind}_id:\s*(\d+)", info.read_text(), re.M))
    return ids


def all_programs():
    """Ids of the BPF programs of this machine."""
    return {each["id"] for each in bpftool("prog", "show")}


def map_entries(pid):
    """Entries by the name of the map, of those maps that grow."""
    entries = {}
    for number in sorted(ids_of(pid, "map")):
        try:
            shown = bpftool("map", "show", "id", number)
            if not FIXED.search(shown["type"]):
                entries[shown["name"]] = len(bpftool("map", "dump", "id", number))
        except subprocess.CalledProcessError:
            if number in ids_of(pid, "map"):
                raise  # else it went with the search or the burst that it belonged to
    return entries


def held(pid):
    return {"memory_kib": memory_kib(pid)["RssAnon"], "descriptors": descriptors(pid), "threads": threads(pid),
            **{f"entries of {name}": count for name, count in map_entries(pid).items()}}
