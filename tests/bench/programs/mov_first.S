/* SPDX-License-Identifier: Apache-2.0 */
/* A function as compilers make most of them: its first instruction is one that the kernel single-steps under a uprobe,
 * a later one of the entry block is one that it emulates. */
	.text
	.globl	rg_bench_mov_first
	.type	rg_bench_mov_first, @function
	.balign	64
rg_bench_mov_first:
	mov	%edi, %eax
	test	%edi, %edi
	js	1f
	ret
1:	neg	%eax
	ret
	.size	rg_bench_mov_first, . - rg_bench_mov_first
	.section .note.GNU-stack, "", @progbits
