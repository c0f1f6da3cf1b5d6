# SPDX-License-Identifier: Apache-2.0
"""Targets that are large: many functions, threads, contended locks."""
from harness import BIN, Daemon, Program, await_that, copy_program

FUNCTIONS = 500


def start(scratch, threads):
    path = scratch / "many"
    if not path.exists():
        copy_program(BIN / "many", path)
    program = Program(f"many-{threads}", [path, threads], scratch)
    await_that("all threads run", lambda: program.text().strip() == "running" or not program.alive(), 60)
    if not program.alive():
        raise RuntimeError(program.text())
    return program


def start_locks(scratch, locks):
    """Each lock was waited for once."""
    path = scratch / "lifecycle"
    if not path.exists():
        copy_program(BIN / "lifecycle", path)
    return Program(f"locks-{locks}", [path, "locks", locks], scratch)


def policy(pid, functions=FUNCTIONS):
    """Contention, and 1 or all 500 functions of `many`; none of a program that is not it."""
    text = f"""apiVersion: raceguard/v1
policies:
  - name: many
    target:
      pid: {pid}
    contention:
      enabled: true
    budget: 100%
"""
    if functions:
        symbol = "*many::step<*>(unsigned int)" if functions == FUNCTIONS else "*many::step<7ul>(unsigned int)"
        text += f'    functions:\n      - name: step\n        symbol: "{symbol}"\n        may_throw: false\n        slow: 1s\n'
    return text


def await_figures(daemon, pid, functions):
    await_that("all functions are probed", lambda: daemon.targets()[pid]["functions_probed"] == functions, 60, daemon.text)
    await_that("each was called", lambda: all(each["calls"] for each in daemon.ctl("functions")["functions"]), 60, daemon.text)
