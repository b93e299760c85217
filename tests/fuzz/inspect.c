// SPDX-License-Identifier: GPL-2.0-only
/*
 * What `vmm inspect` shows of a snapshot whose checksums hold, whatever is in it: JSON that is JSON, or
 * text that is text. The first byte says which of both, and whether registers are wanted.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fake/snapfile.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/core/json.h"
#include "vmm/core/text.h"
#include "vmm/inspect.h"

enum { FILE_MAX_LEN = 1 << 20 };

static void check_text(char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		char *plain = strdup(line);

		text_plain(plain);
		FUZZ_CHECK(!strcmp(plain, line));
		free(plain);
	}
}

static void show(int fd, bool json, bool registers)
{
	struct json_object obj;
	struct fail fail = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int err = inspect_file(fd, json, registers, out, &fail);

	fclose(out);
	FUZZ_CHECK(!err == !fail.text[0]);
	FUZZ_CHECK(!err == !!len);
	FUZZ_CHECK(strlen(text) == len);
	if (json && !err)
		FUZZ_CHECK(!json_parse(text, &obj));
	else
		check_text(text);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint64_t file_len;
	uint8_t *file;
	int fd;

	if (len < SNAPFILE_HEADER + 1)
		return 0;
	fd = memfd_create("inspect", MFD_CLOEXEC);
	file = malloc(--len);
	memcpy(file, data + 1, len);
	file_len = snapfile_mend(file, len);
	if (file_len < len || file_len > FILE_MAX_LEN)
		file_len = len;
	FUZZ_CHECK(write(fd, file, len) == (ssize_t)len);
	FUZZ_CHECK(!ftruncate(fd, (off_t)file_len));
	show(fd, *data & 1, *data & 2);
	free(file);
	close(fd);
	return 0;
}
