/* SPDX-License-Identifier: Apache-2.0 */
/* One instruction each, to ask the running kernel what it does with a uprobe on it (kernel_treatment_test.cpp).
 * kind_*: called with a probe on the first instruction, rdi and rsi pointing at 64 writable bytes.
 * kindonly_*: only probed, never called. */
	.text
.macro kind name
	.type \name, @function
\name:
.endm
.macro end name
	ret
	.size \name, . - \name
.endm

kind kind_nop
	nop
end kind_nop
kind kind_nop_66
	.byte 0x66, 0x90
end kind_nop_66
kind kind_pause
	pause
end kind_pause
kind kind_nop3
	.byte 0x0f, 0x1f, 0x00
end kind_nop3
kind kind_nop4
	.byte 0x0f, 0x1f, 0x40, 0x00
end kind_nop4
kind kind_nop5
	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00
end kind_nop5
kind kind_nop6
	.byte 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00
end kind_nop6
kind kind_nop7
	.byte 0x0f, 0x1f, 0x80, 0, 0, 0, 0
end kind_nop7
kind kind_nop8
	.byte 0x0f, 0x1f, 0x84, 0x00, 0, 0, 0, 0
end kind_nop8
kind kind_nop9
	.byte 0x66, 0x0f, 0x1f, 0x84, 0x00, 0, 0, 0, 0
end kind_nop9
kind kind_push
	push %rbp
	pop %rbp
end kind_push
kind kind_push_r12
	push %r12
	pop %r12
end kind_push_r12
kind kind_push_rex_w
	.byte 0x48, 0x55
	pop %rbp
end kind_push_rex_w
kind kind_push_imm
	push $1
	pop %rax
end kind_push_imm
kind kind_jmp
	jmp 1f
1:
end kind_jmp
kind kind_jmp_near
	.byte 0xe9, 0, 0, 0, 0
end kind_jmp_near
kind kind_jcc
	je 1f
1:
end kind_jcc
kind kind_jcc_near
	.byte 0x0f, 0x84, 0, 0, 0, 0
end kind_jcc_near
kind kind_bnd_jmp
	.byte 0xf2, 0xe9, 0, 0, 0, 0
end kind_bnd_jmp
kind kind_call
	call kind_ret
end kind_call
kind kind_ret
end kind_ret
kind kind_mov
	mov %rdi, %rax
end kind_mov
kind kind_mov_fs
	mov %fs:0, %rax
end kind_mov_fs
kind kind_mov_rip
	mov kind_ret(%rip), %eax
end kind_mov_rip
kind kind_test
	test %edi, %edi
end kind_test
kind kind_endbr64
	endbr64
end kind_endbr64
kind kind_sub_rsp
	sub $8, %rsp
	add $8, %rsp
end kind_sub_rsp
kind kind_xchg_memory
	xchg %eax, (%rdi)
end kind_xchg_memory
kind kind_movdqu
	movdqu (%rdi), %xmm0
end kind_movdqu
kind kind_lock
	lock incl (%rdi)
end kind_lock
kind kind_cs_nop10
	.byte 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0, 0, 0, 0
end kind_cs_nop10
kind kindonly_jmp_66
	.byte 0x66, 0xe9, 0, 0, 0, 0
end kindonly_jmp_66
kind kindonly_notrack_jmp
	.byte 0x3e, 0xff, 0xe0
end kindonly_notrack_jmp
kind kindonly_jmp_register
	jmp *%rax
end kindonly_jmp_register
kind kindonly_mov_ss
	.byte 0x8e, 0xd0
end kindonly_mov_ss
kind kindonly_hlt
	hlt
end kindonly_hlt
kind kindonly_int_80
	int $0x80
end kindonly_int_80
kind kindonly_syscall
	syscall
end kindonly_syscall
kind kindonly_ud2
	ud2
end kindonly_ud2
kind kindonly_loop
	loop kindonly_loop
end kindonly_loop
kind kindonly_vmovdqu
	vmovdqu (%rdi), %ymm0
end kindonly_vmovdqu
kind kindonly_vmovdqu_store
	vmovdqu %ymm0, (%rdi)
end kindonly_vmovdqu_store
kind kindonly_vzeroupper
	vzeroupper
end kindonly_vzeroupper
kind kindonly_vucomisd
	vucomisd %xmm0, %xmm1
end kindonly_vucomisd
kind kindonly_vaddsd
	vaddsd %xmm0, %xmm1, %xmm2
end kindonly_vaddsd
	.section .note.GNU-stack, "", @progbits
