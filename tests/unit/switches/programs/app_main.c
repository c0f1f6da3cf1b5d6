/* SPDX-License-Identifier: Apache-2.0 */
/* An application with a switch that two files use. Without arguments: exits 0 if both see it closed.
 * With "serve": for each line on stdin, prints what the switch says: value of the word, then of N calls how many went to
 * the real function, by rg_allow and by rg_switch_is_open. */
#include <raceguard/switch.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app_other.h"

RG_SWITCH_DEFINE(app, "test.app");

static int serve(void)
{
	char line[32];

	while (fgets(line, sizeof(line), stdin)) {
		int calls = atoi(line);
		int by_allow = 0, by_word = 0, i;

		for (i = 0; i < calls; i++) {
			by_allow += rg_allow(app);
			by_word += !rg_switch_is_open(app);
		}
		printf("%u %d %d\n", rg_word_load(&raceguard_word_app), by_allow, by_word);
		if (fflush(stdout) != 0)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return serve();
	return rg_allow(app) && !rg_switch_is_open(app) && other_file_allows() ? 0 : 1;
}
