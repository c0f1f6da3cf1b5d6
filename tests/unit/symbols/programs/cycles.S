/* SPDX-License-Identifier: Apache-2.0 */
/* Hand-written DWARF 4 whose types refer to themselves, as no compiler writes it. */
	.data
first:	.quad 0
second:	.quad 0
third:	.quad 0
fourth:	.quad 0
	.text
	.globl main
	.type main, @function
main:	xor %eax, %eax
	ret
	.size main, . - main

	.section .debug_abbrev, "", @progbits
.macro attribute name, form
	.uleb128 \name, \form
.endm
.macro abbreviation code, tag, children
	.uleb128 \code, \tag
	.byte \children
.endm
.macro end_abbreviation
	.byte 0, 0
.endm
.Labbrev:
	abbreviation 1, 0x11, 1       /* compile_unit */
	end_abbreviation
	abbreviation 2, 0x34, 0       /* variable: name, type, location */
	attribute 0x03, 0x08
	attribute 0x49, 0x13
	attribute 0x02, 0x18
	end_abbreviation
	abbreviation 3, 0x16, 0       /* typedef: name, type */
	attribute 0x03, 0x08
	attribute 0x49, 0x13
	end_abbreviation
	abbreviation 4, 0x13, 1       /* structure_type: name, byte_size */
	attribute 0x03, 0x08
	attribute 0x0b, 0x0b
	end_abbreviation
	abbreviation 5, 0x0d, 0       /* member: name, type, offset */
	attribute 0x03, 0x08
	attribute 0x49, 0x13
	attribute 0x38, 0x0b
	end_abbreviation
	abbreviation 6, 0x01, 1       /* array_type: type */
	attribute 0x49, 0x13
	end_abbreviation
	abbreviation 7, 0x21, 0       /* subrange_type: upper_bound */
	attribute 0x2f, 0x06
	end_abbreviation
	abbreviation 8, 0x0f, 0       /* pointer_type: type */
	attribute 0x49, 0x13
	end_abbreviation
	.byte 0

	.section .debug_info, "", @progbits
.macro variable name, type, address
	.uleb128 2
	.asciz "\name"
	.4byte \type - .Lunit
	.uleb128 9
	.byte 0x03
	.8byte \address
.endm
.Lunit:
	.4byte .Lend - .Lversion
.Lversion:
	.2byte 4
	.4byte .Labbrev
	.byte 8
	.uleb128 1
.Ltypedef:
	.uleb128 3
	.asciz "again"
	.4byte .Ltypedef - .Lunit
.Lstructure:
	.uleb128 4
	.asciz "node"
	.byte 8
	.uleb128 5
	.asciz "self"
	.4byte .Lstructure - .Lunit
	.byte 0
	.uleb128 5
	.asciz "other"
	.4byte .Lstructure - .Lunit
	.byte 4
	.byte 0
.Larray:
	.uleb128 6
	.4byte .Larray - .Lunit
	.uleb128 7
	.4byte 0xfffffff0
	.byte 0
.Lpointer:
	.uleb128 8
	.4byte .Lpointer - .Lunit
	variable of_typedef, .Ltypedef, first
	variable of_structure, .Lstructure, second
	variable of_array, .Larray, third
	variable of_pointer, .Lpointer, fourth
	.byte 0
.Lend:
	.section .note.GNU-stack, "", @progbits
