#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""seccomp.py [PROFILE]: prints podman's (or docker's) default seccomp profile with bpf and perf_event_open allowed.

The default profile allows these two only together with CAP_SYS_ADMIN, from the time before CAP_BPF and CAP_PERFMON.
The kernel still checks the capabilities."""
import json
import sys

DEFAULT = "/usr/share/containers/seccomp.json"
NEEDED = ["bpf", "perf_event_open"]


def main():
    with open(sys.argv[1] if len(sys.argv) > 1 else DEFAULT) as file:
        profile = json.load(file)
    for rule in profile["syscalls"]:
        rule["names"] = [name for name in rule.get("names", []) if name not in NEEDED]
    profile["syscalls"] = [rule for rule in profile["syscalls"] if rule["names"]]
    profile["syscalls"].append({"names": NEEDED, "action": "SCMP_ACT_ALLOW"})
    json.dump(profile, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
