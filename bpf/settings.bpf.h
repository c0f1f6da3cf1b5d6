/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the daemon sets before it loads the object. */
#ifndef RACEGUARD_SETTINGS_BPF_H
#define RACEGUARD_SETTINGS_BPF_H

#include "raceguard/abi/bpf.h"

/* Read by the daemon from the opened object; it refuses an object of another version. */
const volatile rg_u32 rg_abi_version = RG_BPF_ABI_VERSION;

/* Mean distance of two stack samples on one CPU; 50 ms are 20 a second. 0: no samples. */
const volatile rg_u64 rg_sample_interval_ns = 50000000;

#endif
