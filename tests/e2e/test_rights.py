#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The capabilities that raceguardd keeps after its start, by what the kernel has."""
import json
import os
import pathlib
import subprocess
import unittest

from harness import BIN, EndToEnd, checkout_policy

# linux/capability.h
ALWAYS = {"CAP_DAC_READ_SEARCH": 2, "CAP_SYS_PTRACE": 19, "CAP_PERFMON": 38, "CAP_BPF": 39}
FOR_PERF_UPROBES = {"CAP_SYS_ADMIN": 21}


def mask(*rights):
    return sum(1 << number for each in rights for number in each.values())


def rights_of(pid, kind="CapEff"):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{kind}:")[2].split()[0], 16)


class Rights(EndToEnd):
    def guards_with(self, rights, options=()):
        checkout = self.start_checkout()
        daemon = self.start_daemon(checkout_policy(checkout.path), options=options)
        for kind in ("CapEff", "CapPrm"):
            self.assertEqual(hex(rights_of(daemon.pid, kind)), hex(rights), daemon.text())
        # What comes after the start is probed with what is left.
        self.kill(checkout)
        self.await_that("the server that ended is none any more", lambda: not daemon.targets(), 10, daemon)
        self.await_probed(daemon, self.start_checkout(existing=checkout.path))

    def test_keeps_the_rights_that_this_kernel_needs(self):
        answer = subprocess.run([str(BIN / "raceguardctl"), "features", "-o", "json"], capture_output=True, check=False)
        multi = next(each for each in json.loads(answer.stdout)["features"] if each["name"] == "uprobe_multi")["available"]
        if "KERNEL" in os.environ:  # set by tests/vm
            self.assertEqual(multi, os.environ["KERNEL"] != "floor")
        self.guards_with(mask(ALWAYS) if multi else mask(ALWAYS, FOR_PERF_UPROBES))

    def test_features_measures_hits(self):
        answer = subprocess.run([str(BIN / "raceguardctl"), "features", "-o", "json"], capture_output=True, check=False)
        seconds = {each["instruction"]: each["seconds"] for each in json.loads(answer.stdout)["hit_costs"]}
        self.assertGreater(seconds["mov %edi,%eax"], seconds["push %rbp"], "single-stepped against emulated")
        self.assertIn("return", seconds)

    def test_keeps_what_perf_events_need(self):
        self.guards_with(mask(ALWAYS, FOR_PERF_UPROBES), options=["--no-uprobe-multi"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
