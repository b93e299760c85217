// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stands in for libFuzzer's main: runs every file of a corpus through the target, and reports as a
 * Check suite does. The folder is the argument, or tests/fuzz/corpus/NAME for a program fuzz_NAME.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { FILE_MAX = 1 << 20 };

static int replay(const char *folder, const char *name)
{
	static uint8_t data[FILE_MAX];
	char path[512];
	uint8_t *copy;
	size_t len;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	in = fopen(path, "rb");
	if (!in)
		return 1;
	len = fread(data, 1, sizeof(data), in);
	fclose(in);
	/* Exactly as long, so that a sanitizer sees where it ends. */
	copy = malloc(len ? len : 1);
	memcpy(copy, data, len);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	return 0;
}

int main(int argc, char **argv)
{
	const char *self = strrchr(argv[0], '/');
	char folder[256];
	unsigned int files = 0, failed = 0;
	struct dirent *entry;
	DIR *dir;

	self = self ? self + 1 : argv[0];
	if (argc > 1)
		snprintf(folder, sizeof(folder), "%s", argv[1]);
	else
		snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%s", strchr(self, '_') + 1);
	dir = opendir(folder);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		files++;
		failed += replay(folder, entry->d_name);
	}
	if (dir)
		closedir(dir);
	/* No file is no test. */
	if (!files)
		failed = files = 1;
	printf("%u%%: Checks: %u, Failures: %u, Errors: 0\n", 100 * (files - failed) / files, files,
	       failed);
	return failed > 0;
}
