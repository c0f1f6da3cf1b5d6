/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions that access memory; access_test.cpp says what is expected at each ip. The labels are functions' symbols
 * only so that the test can find the addresses in the unstripped build; the code is held together by the frame table. */
#include "functions_on_cell.inc"

function writes_behind_endbr
	endbr64
	mov %eax, cell(%rip)
	ret
	done writes_behind_endbr

/* 16 bytes of nops of several lengths in front of the access. */
function behind_alignment
	jmp 1f
	.balign 32
1:	mov cell+8(%rip), %rax
	ret
	done behind_alignment

/* A table among the code: 0xc7 0x05 begins an instruction of 10 bytes that swallows the access. */
function behind_a_table
	jmp 1f
	.byte 0xc7, 0x05
1:	mov %eax, cell(%rip)
	nop
	ret
	done behind_a_table

function calls_through_memory
	call *cell(%rip)
	nop
	jmp *cell(%rip)
	nop
	done calls_through_memory

function repeated
	xor %eax, %eax
	rep stosq
	ret
	done repeated

function store_then_repeated
	mov %eax, cell(%rip)
	rep movsb
	ret
	done store_then_repeated

/* The store is the function's last instruction; another function follows at once. */
	.globl ends_with_store
	.type ends_with_store, @function
	.p2align 4
	.skip 9, 0x90
ends_with_store:
	.cfi_startproc
	push %rbx
	mov %eax, cell(%rip)
	.cfi_endproc
	.size ends_with_store, . - ends_with_store
	.globl entered_behind_store
	.type entered_behind_store, @function
entered_behind_store:
	.cfi_startproc
	ret
	.cfi_endproc
	.size entered_behind_store, . - entered_behind_store

	.globl main
	.type main, @function
main:	xor %eax, %eax
	ret
	.size main, . - main
	.section .note.GNU-stack, "", @progbits
