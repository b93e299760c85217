// SPDX-License-Identifier: GPL-2.0-only
/* A stream by somebody who knows the checksums: each frame's is made to hold, unless the first byte
 * is odd. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fake/snapfile.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/snapshot_priv.h"
#include "vmm/snapshot_stream.h"

enum { HEAD = 16, PAGE = 4096, RAM = 4 * PAGE, BASE = 0x40000000 };

static void mend(uint8_t *at, size_t len)
{
	uint32_t version = SNAPSHOT_VERSION, sum;

	if (len < HEAD)
		return;
	memcpy(at, "VMMSTRM\x1a", 8);
	memcpy(at + 8, &version, sizeof(version));
	sum = crc32c(0, at, 12);
	memcpy(at + 12, &sum, sizeof(sum));
	snapfile_mend_sections(at + HEAD, len - HEAD, UINT64_MAX);
}

static int receive(int fd, const struct guest_mem *mem, struct fail *fail)
{
	struct snapshot snap;
	struct frames f;
	uint64_t bytes;
	int err;

	snapshot_init(&snap);
	err = frames_open(&f, fd, fail);
	if (!err)
		err = frames_sections(&f, &snap, fail);
	if (!err)
		err = frames_rest(&f, &snap, mem, NULL, &bytes, fail);
	for (unsigned int i = 0; i < snap.n; i++)
		FUZZ_CHECK(snapshot_find(&snap, snap.sections[i].name) == &snap.sections[i]);
	frames_close(&f);
	snapshot_free(&snap);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static _Alignas(PAGE) uint8_t ram[RAM];
	struct guest_mem mem = { 0 };
	struct fail fail = { 0 };
	uint8_t *copy;
	int fd, err;

	if (!len)
		return 0;
	fd = memfd_create("stream", MFD_CLOEXEC);
	copy = malloc(len);
	memcpy(copy, data + 1, len - 1);
	if (!(*data & 1))
		mend(copy, len - 1);
	FUZZ_CHECK(write(fd, copy, len - 1) == (ssize_t)(len - 1));
	lseek(fd, 0, SEEK_SET);
	FUZZ_CHECK(!guest_mem_add(&mem, BASE, RAM, ram));
	err = receive(fd, &mem, &fail);
	FUZZ_CHECK(!err == !fail.text[0]);
	guest_mem_destroy(&mem);
	free(copy);
	close(fd);
	return 0;
}
