// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/commands.h"
#include "vmm/config.h"
#include "vmm/foreground.h"

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

int cmd_run(int argc, char **argv)
{
	const struct foreground how = { .client_fd = -1 };
	struct config cfg;
	struct fail fail = { 0 };
	int code, words;

	if (wants_help(argc, argv)) {
		puts("usage: vmm run --kernel FILE [OPTIONS]\n");
		opts_help(config_options, stdout);
		return EXIT_OK;
	}
	config_init(&cfg);
	words = opts_parse(config_options, argc, argv, &cfg, &fail);
	if (words > 0)
		fail_set(&fail, EXIT_CONFIG, -EINVAL,
			 "'%s' is no option; options of several words need quotes (vmm run --help)",
			 argv[0]);
	code = words ? (int)fail.code : foreground_run(&cfg, &how, &fail);
	config_fini(&cfg);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return code;
}
