// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/commands.h"
#include "vmm/foreground.h"
#include "vmm/restore_config.h"
#include "vmm/restore_report.h"

static int restore(int fd, struct config *cfg, const struct restore_args *args, struct fail *fail)
{
	struct restore r = { 0 };
	const struct foreground how = { .client_fd = -1, .restore = &r };
	int err = restore_configure(&r, fd, args, cfg, fail);
	int code = err ? (int)fail->code : foreground_run(cfg, &how, fail);

	if (args->json && (args->check || fail->text[0]))
		restore_report(&r, fail, args->check ? stdout : stderr);
	else if (r.refused.text)
		fputs(r.refused.text, stderr);
	restore_close(&r);
	return code;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

static int open_file(const char *path, struct fail *fail)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_set(fail, EXIT_CONFIG, -errno, "cannot open %s: %s", path, strerror(errno));
	return fd;
}

int cmd_restore(int argc, char **argv)
{
	struct restore_args args = { .loglevel = 1 };
	struct fail fail = { 0 };
	struct config cfg;
	int code = EXIT_CONFIG, fd = -1, words;

	if (wants_help(argc, argv)) {
		puts("usage: vmm restore [OPTIONS] FILE|-\n");
		opts_help(restore_options, stdout);
		return EXIT_OK;
	}
	config_init(&cfg);
	words = opts_parse(restore_options, argc, argv, &args, &fail);
	if (words >= 0 && words != 1)
		fail_set(&fail, EXIT_CONFIG, -EINVAL, "which file? usage: vmm restore FILE");
	if (words == 1)
		fd = strcmp(argv[0], "-") ? open_file(argv[0], &fail) : dup(STDIN_FILENO);
	if (fd >= 0)
		code = restore(fd, &cfg, &args, &fail);
	if (fd >= 0)
		close(fd);
	config_fini(&cfg);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return code;
}
