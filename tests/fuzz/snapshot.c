// SPDX-License-Identifier: GPL-2.0-only
/*
 * A snapshot by somebody who knows the checksums: the input is a file whose sums are made to hold, so
 * that what is behind them is reached. An odd first byte leaves them as they are.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "vmm/core/stream.h"
#include "vmm/snapshot_priv.h"

enum { HEADER = 64, FILE_MAX_LEN = 1 << 20 };
/* Offsets in the header: vmm/snapshot.md. */
enum { AT_SECTIONS = 16, AT_META = 24, AT_FILE = 32, AT_META_SUM = 40, AT_SUM = 60 };

static void put32(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, sizeof(v));
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/* Sections lie one behind the other from `at` on. */
static void mend_sections(uint8_t *at, uint64_t len, uint32_t n)
{
	struct section_head head;

	while (n-- && len >= sizeof(head)) {
		memcpy(&head, at, sizeof(head));
		if (head.len > len - sizeof(head))
			return;
		head.sum = crc32c(0, &head, offsetof(struct section_head, sum));
		head.sum = crc32c(head.sum, at + sizeof(head), head.len);
		memcpy(at, &head, sizeof(head));
		at += sizeof(head) + head.len;
		len -= sizeof(head) + head.len;
	}
}

/* How long the file is to be. */
static uint64_t mend(uint8_t *file, size_t len)
{
	uint64_t meta = get64(file + AT_META), file_len = get64(file + AT_FILE);
	uint32_t n;

	memcpy(file, "VMMSNAP\x1a", 8);
	put32(file + 8, SNAPSHOT_VERSION);
	put32(file + 12, SNAPSHOT_CHUNK);
	memcpy(&n, file + AT_SECTIONS, sizeof(n));
	if (meta <= len - HEADER) {
		mend_sections(file + HEADER, meta, n);
		put32(file + AT_META_SUM, crc32c(0, file + HEADER, meta));
	}
	put32(file + AT_SUM, crc32c(0, file, AT_SUM));
	return file_len > len && file_len <= FILE_MAX_LEN ? file_len : len;
}

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
	uint64_t file_len = len;
	uint8_t *file;
	int fd, err;

	if (len < HEADER + 1)
		return 0;
	fd = memfd_create("snapshot", MFD_CLOEXEC);
	file = malloc(--len);
	memcpy(file, data + 1, len);
	file_len = *data & 1 ? len : mend(file, len);
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
