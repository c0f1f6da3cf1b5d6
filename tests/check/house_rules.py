#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The house rules that a machine can hold. Usage: house_rules.py ROOT [--rule NAME]. Prints file:line: rule: text."""
import pathlib
import re
import subprocess
import sys

STAGES = ["policy", "targets", "symbols", "plan", "kernel", "events", "detect", "breaker", "switches", "export"]
SOURCE = {".h", ".cpp", ".c", ".S"}
# Headers of third-party libraries that stay inside one part of the tree.
CONFINED = {
    "yaml-cpp/": ("daemon/policy/",),
    "prometheus/": ("daemon/export/", "tests/unit/export/"),
    "bpf/libbpf.h": ("daemon/kernel/", "tests/bpf/"),
    "Zydis/": ("daemon/symbols/",),
    "systemd/": ("daemon/export/", "daemon/service_loop", "tests/unit/export/", "tests/unit/ctl/fake_daemon"),
}
MAX_LINES = 500


def spdx(path, lines):
    if path.suffix in SOURCE | {".py", ".sh"} and not any("SPDX-License-Identifier:" in line for line in lines[:3]):
        yield 1, "no SPDX-License-Identifier in the first three lines"


def short_files(path, lines):
    if path.suffix in SOURCE | {".py", ".sh"} and len(lines) > MAX_LINES:
        yield len(lines), f"{len(lines)} lines; split above {MAX_LINES}"


def stage_order(path, lines):
    match = re.match(r"daemon/(\w+)/", str(path))
    if not match or match.group(1) not in STAGES:
        return
    rank = STAGES.index(match.group(1))
    for number, line in enumerate(lines, 1):
        included = re.match(r'\s*#\s*include\s+"daemon/(\w+)/', line)
        if included and included.group(1) in STAGES and STAGES.index(included.group(1)) > rank:
            yield number, f"stage {match.group(1)} includes the later stage {included.group(1)}"


def confined_includes(path, lines):
    for number, line in enumerate(lines, 1):
        included = re.match(r'\s*#\s*include\s+[<"]([^>"]+)', line)
        for prefix, places in CONFINED.items():
            if included and included.group(1).startswith(prefix) and not str(path).startswith(places):
                yield number, f"{included.group(1)} belongs to {' and '.join(places)}"


def no_leftovers(path, lines):
    if path.suffix not in SOURCE | {".py", ".sh", ".txt", ".md", ".yaml"} or path.name == "house_rules.py":
        return
    for number, line in enumerate(lines, 1):
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
            yield number, "unfinished work belongs into an issue, not into the tree"


def no_sleep_in_tests(path, lines):
    if not str(path).startswith(("tests/unit/", "tests/bpf/", "tests/replay/")) or "/programs/" in str(path):
        return
    for number, line in enumerate(lines, 1):
        if re.search(r"\bsleep_for\(std::chrono::seconds|\bsleep\([1-9]", line):
            yield number, "a test waits for a condition, not for a fixed time of seconds"


RULES = {
    "spdx": spdx,
    "short-files": short_files,
    "stage-order": stage_order,
    "confined-includes": confined_includes,
    "no-leftovers": no_leftovers,
    "no-sleep-in-tests": no_sleep_in_tests,
}


def tracked_files(root):
    listing = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True)
    if listing.returncode == 0 and listing.stdout:
        return [pathlib.Path(name) for name in listing.stdout.decode().split("\0") if name]
    return [path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_file()]


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    chosen = sys.argv[3:4] if sys.argv[2:3] == ["--rule"] else list(RULES)
    found = 0
    for path in tracked_files(root):
        if str(path).startswith("tests/check/samples/") or not (root / path).is_file():
            continue
        try:
            lines = (root / path).read_text().splitlines()
        except UnicodeDecodeError:
            continue
        for name in chosen:
            for number, text in RULES[name](path, lines):
                print(f"{path}:{number}: {name}: {text}")
                found += 1
    print(f"{found} violation(s) of {len(chosen)} rule(s)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
