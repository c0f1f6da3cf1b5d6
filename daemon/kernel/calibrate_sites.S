/* SPDX-License-Identifier: Apache-2.0 */
/* Functions to measure a probe's cost on: one for each way in which the kernel treats the first instruction. */
	.text

	.macro site name
	.globl	\name
	.type	\name, @function
	.balign	64
\name:
	.endm

	site rg_calibrate_nop5 /* nopl 0x0(%rax,%rax,1), first instruction of a function: the only safe place for it */
	.byte	0x0f, 0x1f, 0x44, 0x00, 0x00
	ret
	.size	rg_calibrate_nop5, . - rg_calibrate_nop5

	site rg_calibrate_nop
	nop
	ret
	.size	rg_calibrate_nop, . - rg_calibrate_nop

	site rg_calibrate_push
	push	%rbp
	pop	%rbp
	ret
	.size	rg_calibrate_push, . - rg_calibrate_push

	site rg_calibrate_mov
	mov	%edi, %eax
	ret
	.size	rg_calibrate_mov, . - rg_calibrate_mov

	site rg_calibrate_endbr
	endbr64
	ret
	.size	rg_calibrate_endbr, . - rg_calibrate_endbr

	site rg_calibrate_return /* the entry is emulated, so that the difference to rg_calibrate_push is the return's */
	push	%rbp
	pop	%rbp
	ret
	.size	rg_calibrate_return, . - rg_calibrate_return

	.section .note.GNU-stack, "", @progbits
