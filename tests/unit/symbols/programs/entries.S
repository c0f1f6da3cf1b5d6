/* SPDX-License-Identifier: Apache-2.0 */
/* Entry blocks with one property each; site_choice_test.cpp says what is expected of them. */
	.text
.macro function name
	.globl \name
	.type \name, @function
\name:
.endm
.macro done name
	.size \name, . - \name
	ret
.endm

function push_first
	push %rbp
	mov %rsp, %rbp
	pop %rbp
	ret
	.size push_first, . - push_first

/* The branch comes back to the second instruction: only the first is passed once. */
function loop_after_first
	mov %rdi, %rax
1:	nop
	dec %rax
	jne 1b
	ret
	.size loop_after_first, . - loop_after_first

function loop_to_entry
	dec %rdi
	jne loop_to_entry
	ret
	.size loop_to_entry, . - loop_to_entry

/* Cold code, outside of the function, jumps back into the entry block. */
function back_from_cold
	mov %rdi, %rax
.Lagain:
	nop
	test %rax, %rax
	je back_from_cold.cold
	ret
	.size back_from_cold, . - back_from_cold

function nop5_first
	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00
	mov %rdi, %rax
	ret
	.size nop5_first, . - nop5_first

function nop5_inside
	mov %rdi, %rax
	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00
	ret
	.size nop5_inside, . - nop5_inside

function argument_lost
	mov (%rsi), %rdi
	nop
	ret
	.size argument_lost, . - argument_lost

function only_locked
	lock incl (%rdi)
	jmp push_first
	.size only_locked, . - only_locked

function nothing_to_probe
	lock incl (%rdi)
	hlt
	.size nothing_to_probe, . - nothing_to_probe

function aligns_stack
	mov %rsp, %rax
	and $-32, %rsp
	push %rbp
	ret
	.size aligns_stack, . - aligns_stack

function pushes_and_subtracts
	mov %rdi, %rax
	push %r12
	sub $0x18, %rsp
	add $0x18, %rsp
	pop %r12
	jmp push_first
	.size pushes_and_subtracts, . - pushes_and_subtracts

	.type back_from_cold.cold, @function
back_from_cold.cold:
	inc %rax
	jmp .Lagain
	.size back_from_cold.cold, . - back_from_cold.cold

/* Never branched to; its size is not given. */
function unsized
	mov %rdi, %rax
	ret

function main
	xor %eax, %eax
	ret
	.size main, . - main
	.section .note.GNU-stack, "", @progbits
