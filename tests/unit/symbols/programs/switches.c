/* SPDX-License-Identifier: Apache-2.0 */
/* Switches as raceguard/switch.h declares them (written out here, so that a change of the header cannot change what the
 * reader of the notes is held against), and one whose word the kernel could not write. */
#define SWITCH(name, word_section)                                   \
	__asm__(".pushsection .text\n"                                   \
		".type marker_" #name ", @function\n"                        \
		"marker_" #name ":\n"                                        \
		"990: nop\n ret\n"                                           \
		".size marker_" #name ", . - marker_" #name "\n"             \
		".popsection\n"                                              \
		".pushsection " word_section "\n"                            \
		".balign 2\n"                                                \
		"word_" #name ": .zero 2\n"                                  \
		".popsection\n"                                              \
		".pushsection .note.stapsdt, \"\", \"note\"\n"               \
		".balign 4\n"                                                \
		".4byte 992f-991f, 994f-993f, 3\n"                           \
		"991: .asciz \"stapsdt\"\n"                                  \
		"992: .balign 4\n"                                           \
		"993: .8byte 990b, _.stapsdt.base, word_" #name "\n"         \
		".asciz \"raceguard\"\n .asciz \"" #name "\"\n .asciz \"\"\n" \
		"994: .balign 4\n"                                           \
		".popsection\n")

__asm__(".pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n"
	".weak _.stapsdt.base\n .hidden _.stapsdt.base\n"
	"_.stapsdt.base: .space 1\n .size _.stapsdt.base, 1\n .popsection\n");

SWITCH(recommend, ".probes, \"aw\", \"progbits\"");
SWITCH(checkout, ".probes, \"aw\", \"progbits\"");
SWITCH(unbacked, ".bss");

/* The fallback for other languages: a pair of symbols. */
unsigned short raceguard_word_by_symbols __attribute__((section(".data"))) = 0;
__attribute__((noinline)) void raceguard_marker_by_symbols(void) { __asm__ volatile("nop"); }

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 100)
		raceguard_marker_by_symbols();
	return raceguard_word_by_symbols;
}
