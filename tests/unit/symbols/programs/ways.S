/* SPDX-License-Identifier: Apache-2.0 */
/* Functions whose ways flow_graph_test.cpp and inner_sites_test.cpp follow. What is to be enclosed adds to (%rdi). */
	.text
.macro function name
	.globl \name
	.type \name, @function
\name:
.endm
.macro done name
	.size \name, . - \name
.endm

function helper
	ret
	done helper

/* if (rsi) rax = 1 else rax = 2; *rdi += rax */
function diamond
	test %rsi, %rsi
	je 1f
	mov $1, %eax
	jmp 2f
1:	mov $2, %eax
2:	add %rax, (%rdi)
	nop
	ret
	done diamond

/* One way leaves before the access. */
function early_return
	push %rbx
	call helper
	test %rax, %rax
	je 1f
	nop
	mov (%rdi), %rbx
	inc %rbx
	mov %rbx, (%rdi)
	nop
	call helper
1:	pop %rbx
	ret
	done early_return

/* One access on each arm, and a call before and behind. */
function both_arms
	push %rbp
	mov %rsp, %rbp
	call helper
	test %rax, %rax
	je 1f
	incq (%rdi)
	jmp 2f
1:	decq (%rdi)
2:	mov $3, %ecx
	call helper
	leave
	ret
	done both_arms

/* while (rsi--) { helper(); ++*rdi; } */
function loop_with_call
	push %rbx
	mov %rsi, %rbx
1:	call helper
	nop
	incq (%rdi)
	dec %rbx
	jne 1b
	pop %rbx
	ret
	done loop_with_call

/* while (rsi--) ++*rdi; */
function tight_loop
	nop
1:	incq (%rdi)
	dec %rsi
	jne 1b
	ret
	done tight_loop

/* for (;;) { helper(); ++*rdi; } */
function worker
	push %rbx
1:	call helper
	nop
	incq (%rdi)
	jmp 1b
	done worker

/* Computes for long before and behind, without a call. */
function long_loops
	mov $1000000, %eax
1:	dec %eax
	jne 1b
	nop
	mov (%rdi), %rcx
	add $1, %rcx
	mov %rcx, (%rdi)
	nop
	mov $1000000, %eax
2:	dec %eax
	jne 2b
	ret
	done long_loops

/* The access comes before a loop and in it: the only pair is around all. */
function before_and_in_loop
	nop
	mov (%rdi), %rax
1:	nop
	add %rax, (%rdi)
	dec %rsi
	jne 1b
	nop
	ret
	done before_and_in_loop

/* May stay within for ever. */
function may_hang
	nop
	mov (%rdi), %rax
	test %rax, %rax
	jne 1f
2:	nop
	jmp 2b
1:	mov %rax, (%rdi)
	nop
	ret
	done may_hang

/* Ends in a call that never comes back, on one way. */
function may_abort
	push %rbx
	call helper
	mov (%rdi), %rbx
	test %rbx, %rbx
	je 1f
	inc %rbx
	mov %rbx, (%rdi)
	jmp 2f
2:	call helper
	pop %rbx
	ret
1:	call helper
	done may_abort

/* Leaves by jumps to another function, one of them under a condition. */
function leaves_by_jumps
	incq (%rdi)
	test %rsi, %rsi
	je helper
	nop
	jmp helper
	done leaves_by_jumps

function through_table
	incq (%rdi)
	jmp *table(,%rsi,8)
.Lfirst:
	nop
	ret
.Lsecond:
	call helper
	ret
	done through_table

function through_register
	incq (%rdi)
	jmp *%rsi
	ret
	done through_register

function into_middle
	incq (%rdi)
	jmp . + 3
	mov $0x90909090, %eax
	ret
	done into_middle

/* The stack pointer is rounded and put back. */
function rounded_stack
	push %rbp
	mov %rsp, %rbp
	and $-64, %rsp
	sub $64, %rsp
	incq (%rdi)
	nop
	leave
	ret
	done rounded_stack

/* Nothing leads to what is behind the jump but an exception that helper throws; it goes on before the return. */
function catches
	push %rbx
	nop
	incq (%rdi)
	call helper
	decq (%rdi)
	nop
	xor %eax, %eax
1:	pop %rbx
	ret
	mov %rax, %rcx
	jmp 1b
	done catches

function argument_moved
	push %rbx
	mov %rdi, %rbx
	nop
	call helper
	nop
	incq (%rbx)
	nop
	call helper
	pop %rbx
	ret
	done argument_moved

	.globl main
main:	ret
	.section .rodata
	.quad helper
table:	.quad .Lfirst, .Lsecond, helper
	.section .note.GNU-stack, "", @progbits
