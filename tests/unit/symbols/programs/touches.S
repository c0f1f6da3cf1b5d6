/* SPDX-License-Identifier: Apache-2.0 */
/* Code to be followed from each function's start; touched_address_test.cpp says what it touches. */
#include "functions_on_cell.inc"

function by_register
	mov 8(%rdi,%rsi,4), %eax
	addl $1, 16(%rdi)
	ret
	done by_register

/* rdi is another value from the second instruction on. */
function register_changes
	mov (%rdi), %rdi
	mov 8(%rdi), %rax
	imul %rdi, %rdi
	mov %rax, 24(%rdi)
	ret
	done register_changes

function computed
	lea 32(%rdi), %rdx
	mov %rdx, %rcx
	add $8, %rcx
	xor %eax, %eax
	mov %rax, (%rcx)
	ret
	done computed

/* A pointer that went through the stack, as at -O0. */
function through_the_stack
	push %rbp
	mov %rsp, %rbp
	mov %rdi, -8(%rbp)
	mov -8(%rbp), %rax
	addq $1, 40(%rax)
	pop %rbp
	ret
	done through_the_stack

function both_ways
	test %eax, %eax
	je 1f
	mov %rax, (%rdi)
	ret
1:	mov %rax, 8(%rdi)
	ret
	done both_ways

/* What the callee may change is not known behind it; what it keeps is. */
function over_a_call
	call by_register
	mov %rax, (%rdi)
	mov %rax, 8(%rbx)
	ret
	done over_a_call

function loops
1:	incq (%rdi)
	dec %ecx
	jne 1b
	ret
	done loops

function not_worth_it
	lock incq (%rdi)
	xchg %rax, (%rdi)
	mov %rax, 8(%rsp)
	mov %fs:0, %rax
	lea (%rdi), %rax
	nopl (%rdi)
	ret
	done not_worth_it

function static_cell
	incl cell+4(%rip)
	ret
	done static_cell

function moves_on
	rep movsb
	ret
	done moves_on

	.globl main
	.type main, @function
main:	xor %eax, %eax
	ret
	.size main, . - main
	.section .note.GNU-stack, "", @progbits
