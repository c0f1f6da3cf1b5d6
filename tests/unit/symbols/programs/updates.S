/* SPDX-License-Identifier: Apache-2.0 */
/* Read-modify-writes and what only looks like one; read_modify_write_test.cpp says which is which. */
	.intel_syntax noprefix
	.data
	.balign 8
cell:	.quad 0
other:	.quad 0
	.text
.macro function name
	.globl \name
	.type \name, @function
\name:
.endm
.macro done name
	ret
	.size \name, . - \name
.endm

function yes_one_instruction
	add dword ptr [rdi], 1
	done yes_one_instruction
function yes_through_a_register
	mov eax, [rip + cell]
	add eax, 1
	mov [rip + cell], eax
	done yes_through_a_register
function yes_by_lea
	mov rax, [rdi + rcx * 8]
	lea rdx, [rax + 1]
	mov [rdi + rcx * 8], rdx
	done yes_by_lea
function yes_added_to_a_register
	add eax, [rdi]
	mov [rdi], eax
	done yes_added_to_a_register
/* `this->n++` at -O0. */
function yes_base_loaded_again
	mov [rbp - 8], rdi
	mov rax, [rbp - 8]
	mov eax, [rax + 16]
	lea edx, [rax + 1]
	mov rax, [rbp - 8]
	mov [rax + 16], edx
	done yes_base_loaded_again
/* Rust's overflow check, with the sum spilled to the stack. */
function yes_past_a_branch_not_taken
	mov eax, [rip + cell]
	inc eax
	mov [rsp + 4], eax
	je 1f
	mov eax, [rsp + 4]
	mov [rip + cell], eax
	ret
1:	nop
	done yes_past_a_branch_not_taken
function yes_floating_point
	movsd xmm0, [rip + cell]
	addsd xmm0, [rip + other]
	movsd [rip + cell], xmm0
	done yes_floating_point
function yes_with_an_operand_from_the_stack
	mov edx, [rip + cell]
	mov eax, [rbp - 4]
	add eax, edx
	mov [rip + cell], eax
	done yes_with_an_operand_from_the_stack

function no_locked
	lock add dword ptr [rdi], 1
	done no_locked
function no_only_a_store
	mov eax, 1
	mov [rip + cell], eax
	done no_only_a_store
function no_another_cell
	mov eax, [rip + cell]
	add eax, 1
	mov [rip + other], eax
	done no_another_cell
function no_base_changed
	mov eax, [rdi]
	add eax, 1
	add rdi, 8
	mov [rdi], eax
	done no_base_changed
function no_slot_changed
	mov rax, [rbp - 8]
	mov edx, [rax]
	add edx, 1
	mov [rbp - 8], rsi
	mov rax, [rbp - 8]
	mov [rax], edx
	done no_slot_changed
function no_value_cleared
	mov eax, [rip + cell]
	xor eax, eax
	add eax, 1
	mov [rip + cell], eax
	done no_value_cleared
function no_same_value
	mov eax, [rip + cell]
	mov [rip + cell], eax
	done no_same_value
function no_another_width
	mov eax, [rip + cell]
	add eax, 1
	mov [rip + cell], ax
	done no_another_width
function no_across_a_call
	mov ebx, [rip + cell]
	add ebx, 1
	call no_same_value
	mov [rip + cell], ebx
	done no_across_a_call
function no_across_a_branch_target
	mov eax, [rip + cell]
	add eax, 1
1:	mov [rip + cell], eax
	dec eax
	jne 1b
	done no_across_a_branch_target
function no_through_an_address
	mov rax, [rip + cell]
	mov rdx, [rax]
	add rdx, 1
	mov [rip + cell], rdx
	done no_through_an_address

	.globl main
	.type main, @function
main:	xor eax, eax
	ret
	.size main, . - main
	.section .note.GNU-stack, "", @progbits
