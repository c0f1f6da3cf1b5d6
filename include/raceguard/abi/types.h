/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fixed-width names that mean the same in BPF programs (no libc there) and in C++. */
#ifndef RACEGUARD_ABI_TYPES_H
#define RACEGUARD_ABI_TYPES_H

#ifdef __bpf__
typedef unsigned char rg_u8;
typedef unsigned short rg_u16;
typedef unsigned int rg_u32;
typedef unsigned long long rg_u64;
typedef int rg_s32;
typedef long long rg_s64;
#else
#include <stdint.h>
typedef uint8_t rg_u8;
typedef uint16_t rg_u16;
typedef uint32_t rg_u32;
typedef uint64_t rg_u64;
typedef int32_t rg_s32;
typedef int64_t rg_s64;
#endif

#ifdef __cplusplus
#define RG_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
/* __extension__: applications include this with -std=c99 -pedantic */
#define RG_STATIC_ASSERT(condition, text) __extension__ _Static_assert(condition, text)
#endif

#endif
