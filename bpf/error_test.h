/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether a call failed, by its return value. Pure arithmetic, tested on the host. */
#ifndef RACEGUARD_ERROR_TEST_H
#define RACEGUARD_ERROR_TEST_H

#include "raceguard/abi/bpf.h"

/* The low `bits` of a register, sign- or zero-extended; what is above them is not defined by the ABI. */
static inline rg_s64 rg_return_value(rg_u64 value, rg_u32 bits, rg_u32 is_signed)
{
	rg_u32 shift = bits == 8 ? 56 : bits == 16 ? 48 : bits == 32 ? 32 : 0;

	value <<= shift;
	return is_signed ? (rg_s64)value >> shift : (rg_s64)(value >> shift);
}

static inline int rg_less(rg_s64 a, rg_s64 b, rg_u32 is_signed)
{
	return is_signed ? a < b : (rg_u64)a < (rg_u64)b;
}

static inline int rg_is_error(const struct rg_function_config *config, rg_u64 register_value)
{
	rg_u32 is_signed = config->return_signed;
	rg_s64 operand = rg_return_value((rg_u64)config->error_operand, config->return_bits, is_signed);
	rg_s64 value = rg_return_value(register_value, config->return_bits, is_signed);

	switch (config->error_test) {
	case RG_ERROR_EQUAL:
		return value == operand;
	case RG_ERROR_NOT_EQUAL:
		return value != operand;
	case RG_ERROR_LESS:
		return rg_less(value, operand, is_signed);
	case RG_ERROR_LESS_EQUAL:
		return !rg_less(operand, value, is_signed);
	case RG_ERROR_GREATER:
		return rg_less(operand, value, is_signed);
	case RG_ERROR_GREATER_EQUAL:
		return !rg_less(value, operand, is_signed);
	default:
		return 0;
	}
}

#endif
