/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef RACEGUARD_RAISE_BPF_H
#define RACEGUARD_RAISE_BPF_H

#include "raceguard/abi/types.h"

/* Raises *maximum to value. The compare-and-swap is repeated a few times only: the loser of more races than that
 * leaves a maximum that others have just raised. */
static __always_inline void rg_raise(rg_u64 *maximum, rg_u64 value)
{
	rg_u64 seen;
	int i;

#pragma unroll
	for (i = 0; i < 3; i++) {
		seen = *(volatile rg_u64 *)maximum;
		if (seen >= value || __sync_val_compare_and_swap(maximum, seen, value) == seen)
			return;
	}
}

#endif
