# SPDX-License-Identifier: Apache-2.0
"""raceguard beside its peers on the same work: workloads, tools that attach to them, tools that they run under."""
