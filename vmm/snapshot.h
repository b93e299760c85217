/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_SNAPSHOT_H
#define VMM_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/fail.h"
#include "vmm/core/mem.h"
#include "vmm/core/state.h"
#include "vmm/snapshot_crew.h"

/*
 * A machine at rest: sections, each a named, versioned and checksummed run of state records, and
 * the guest's RAM. vmm/snapshot.md draws the file. Everything read is untrusted: lengths are
 * bounded by the file's own, nothing is believed before its checksum holds.
 */

enum {
	SNAPSHOT_VERSION = 1,
	SNAPSHOT_SECTIONS_MAX = 4096,
	SNAPSHOT_META_MAX = 256 << 20, /* bytes of all sections */
	SNAPSHOT_CHUNK = 256 << 10, /* bytes of RAM that share a checksum */
};

struct section {
	char name[32];
	uint32_t version;
	bool optional; /* a reader that does not know it goes on without */
	uint8_t *data; /* owned */
	uint64_t len;
	bool taken; /* snapshot_get() has read it */
};

/* Where a run of RAM lies in the file. */
struct snapshot_ram {
	gpa_t gpa;
	uint64_t size; /* bytes, whole pages */
	uint64_t offset; /* in the file */
	uint32_t first; /* its first checksum */
};

struct snapshot {
	struct section *sections;
	unsigned int n;
	struct snapshot_ram ram[GUEST_RAM_MAX];
	unsigned int nram;
	uint32_t *sums; /* owned: CRC-32C of each chunk; the last of a run may be shorter */
	uint32_t nsums;
	uint64_t len; /* bytes of all sections that came by stream */
	uint32_t zeros; /* checksum of a whole chunk of zeros */
	int fd; /* borrowed: the file that it was opened from, or -1 */
	uint64_t file_len;
};

void snapshot_init(struct snapshot *snap);
void snapshot_free(struct snapshot *snap);

/* --- sections --------------------------------------------------------------------------------- */

/* Appends a section of what `save` writes. 0, or -errno with a sentence that names it. */
int snapshot_add(struct snapshot *snap, const char *name, uint32_t version,
		 void (*save)(void *arg, struct state *s), void *arg, struct fail *fail);

/* NULL when it is not there. */
const struct section *snapshot_find(const struct snapshot *snap, const char *name);

/* Lets `load` read the section to its end. EXIT_SNAPSHOT with a sentence that names section and
 * record: one that is missing, of a later version than `version`, or that does not hold. */
int snapshot_get(struct snapshot *snap, const char *name, uint32_t version,
		 void (*load)(void *arg, struct state *s), void *arg, struct fail *fail);

/* The same of a section that nobody looks into: it is known. */
int snapshot_take(struct snapshot *snap, const char *name, uint32_t version, struct fail *fail);

/* The next section from *at on, which moves behind it, that nobody took and that is not optional: part of
 * a machine that this one is not. NULL when there is none. */
const char *snapshot_left(const struct snapshot *snap, unsigned int *at);

/* --- files ------------------------------------------------------------------------------------ */

/*
 * Writes sections and RAM to `fd`, an empty file that can seek; pages of zeros become holes. The
 * header comes last: a file that is not whole is none. No vCPU or device writes to RAM meanwhile.
 * Threads of its own share the work; `progress`, or NULL, is told by the caller's.
 * EXIT_HOST with a sentence. `written`: bytes that the file has of its own, holes left out.
 */
int snapshot_write(struct snapshot *snap, const struct guest_mem *mem, int fd,
		   const struct snapshot_progress *progress, uint64_t *written, struct fail *fail);

/* Reads and checks everything but RAM. EXIT_SNAPSHOT. `fd` is kept, and stays the caller's. */
int snapshot_open(struct snapshot *snap, int fd, struct fail *fail);

/* Whether the RAM in the file is exactly that of `mem`: EXIT_SNAPSHOT. */
int snapshot_fits(const struct snapshot *snap, const struct guest_mem *mem, struct fail *fail);

/*
 * Reading RAM, by threads of its own, while the caller sets up the machine; all of `mem` is fresh.
 * NULL: it is only verified, for who shows it with snapshot_map(), or asks whether it is whole.
 * snapshot_load_wait() returns when all is read and its checksums hold: 0, or EXIT_SNAPSHOT naming
 * the first chunk that does not.
 */
struct snapshot_load {
	const struct snapshot *snap;
	const struct guest_mem *mem; /* or NULL */
	_Atomic uint64_t read; /* bytes that are no holes */
	_Atomic uint64_t hole; /* private: chunks that are one, [hole >> 32, (uint32_t)hole) */
	struct snapshot_crew crew; /* its progress is the caller's to set */
};

int snapshot_load_start(struct snapshot_load *load, const struct snapshot *snap,
			const struct guest_mem *mem, struct fail *fail);
int snapshot_load_wait(struct snapshot_load *load, struct fail *fail);

/* Shows the file's RAM in `mem`, privately, instead of reading it: whoever runs on it has to verify
 * it meanwhile. The file may be unlinked, and must not be written to. */
int snapshot_map(const struct snapshot *snap, struct guest_mem *mem, struct fail *fail);

#endif
