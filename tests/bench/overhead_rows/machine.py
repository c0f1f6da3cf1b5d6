# SPDX-License-Identifier: Apache-2.0
"""What the figures were taken on."""
import datetime
import os
import pathlib
import platform
import subprocess


def output_of(*command):
    """The output's first line whatever the status (systemd-detect-virt says "none" with status 1); "" if it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip().partition("\n")[0]


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def virtualised():
    """Asked of the CPU: inside a container on a virtual machine the figures are those of the virtual machine."""
    kind = output_of("systemd-detect-virt", "--vm") or "unknown"
    if kind != "none":
        return f"yes ({kind})"
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    return "yes (the CPU says hypervisor)" if "hypervisor" in flags else "no"


def facts(source):
    memory_kib = next(int(line.split()[1]) for line in pathlib.Path("/proc/meminfo").read_text().splitlines()
                      if line.startswith("MemTotal"))
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "kernel": f"{platform.release()} {platform.machine()}",
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "memory_gib": round(memory_kib / 2**20, 1),
        "virtualised": virtualised(),
        "clock_source": pathlib.Path("/sys/devices/system/clocksource/clocksource0/current_clocksource").read_text().strip(),
        "distribution": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "commit": output_of("git", "-C", str(source), "describe", "--always", "--dirty"),
    }
