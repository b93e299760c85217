// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "vmm/commands.h"
#include "vmm/foreground.h"
#include "vmm/test_session.h"

/* In a process of its own. A machine without a name gets that of its process. */
static int machine(const struct test *test, const char *name, int control_fd)
{
	const struct foreground how = { .client_fd = control_fd, .dump = true };
	struct config cfg = test->run;
	struct fail fail = { 0 };
	int code;

	cfg.name = cfg.name ? name : NULL;
	code = foreground_run(&cfg, &how, &fail);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return code;
}

int cmd_test(int argc, char **argv)
{
	struct fail fail = { 0 };
	int code;

	for (int i = 0; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			puts("usage: vmm test --kernel FILE [--expect REGEX]... [OPTIONS]\n"
			     "       vmm test --plan FILE [OPTIONS]\n");
			opts_help(test_session_options, stdout);
			return EXIT_OK;
		}
	code = test_session(argc, argv, machine, &fail);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return code;
}
