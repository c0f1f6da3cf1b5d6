// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// All programs of raceguard in one object, so that they share one set of maps. Kernel floor: 6.1.
#include "bpf/kernel_types.bpf.h"

#include <bpf/bpf_helpers.h>

#include "bpf/settings.bpf.h"

#include "bpf/maps.bpf.h"

#include "bpf/contention.bpf.h"
#include "bpf/functions.bpf.h"
#include "bpf/task_life.bpf.h"

char rg_license[] SEC("license") = "Dual BSD/GPL";
