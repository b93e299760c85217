// SPDX-License-Identifier: GPL-2.0-only
/*
 * A snapshot by somebody who knows the checksums: the input is a file whose sums are made to hold, so
 * that what is behind them is reached. An odd first byte leaves them as they are.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fake/snapfile.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/snapshot.h"

enum { FILE_MAX_LEN = 1 << 20 };

/* One record of each kind, whatever they are called. */
static void some_state(void *arg, struct state *s)
{
	uint8_t blob[64];
	uint32_t len = 0, word = 0;

	(void)arg;
	state_u32(s, "v", &word);
	state_optional_u32(s, "w", &word);
	state_blob(s, "b", blob, &len, sizeof(blob));
}

static void use(struct snapshot *snap)
{
	struct snapshot_load load;
	struct fail fail = { 0 };

	for (unsigned int i = 0; i < snap->n; i++) {
		FUZZ_CHECK(snapshot_find(snap, snap->sections[i].name) == &snap->sections[i]);
		snapshot_get(snap, snap->sections[i].name, 1, some_state, NULL, &fail);
	}
	for (unsigned int i = 0; i < snap->nram; i++)
		FUZZ_CHECK(snap->ram[i].offset + snap->ram[i].size <= snap->file_len);
	fail = (struct fail){ 0 };
	FUZZ_CHECK(!snapshot_load_start(&load, snap, NULL, &fail));
	snapshot_load_wait(&load, &fail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fail fail = { 0 };
	struct snapshot snap;
	uint64_t file_len = 0;
	uint8_t *file;
	int fd, err;

	if (len < SNAPFILE_HEADER + 1)
		return 0;
	fd = memfd_create("snapshot", MFD_CLOEXEC);
	file = malloc(--len);
	memcpy(file, data + 1, len);
	if (!(*data & 1))
		file_len = snapfile_mend(file, len);
	if (file_len < len || file_len > FILE_MAX_LEN)
		file_len = len;
	FUZZ_CHECK(write(fd, file, len) == (ssize_t)len);
	FUZZ_CHECK(!ftruncate(fd, (off_t)file_len));
	err = snapshot_open(&snap, fd, &fail);
	FUZZ_CHECK(!err == !fail.text[0]);
	if (!err)
		use(&snap);
	snapshot_free(&snap);
	free(file);
	close(fd);
	return 0;
}
