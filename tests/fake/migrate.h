/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_MIGRATE_H
#define TESTS_FAKE_MIGRATE_H

#include <stdatomic.h>

#include "vmm/migrate.h"

/*
 * A migration of a machine that is only RAM and a number, between two processes over a link that
 * can be made to fail at any frame. What becomes of either side is in memory that both share.
 */

enum { FAKE_PAGES = 40, FAKE_BASE = 0x40000000 };

/* What happens, when the nth frame of a direction is about to be passed on. */
enum fake_fault {
	FAULT_NONE,
	FAULT_CUT, /* the link ends instead */
	FAULT_HALF, /* half of the frame, then the link ends */
	FAULT_AFTER, /* the frame, then the link ends */
	FAULT_GARBAGE, /* a byte of it is another */
	FAULT_STALL, /* nothing is passed on any more */
	FAULT_KILL_SOURCE,
	FAULT_KILL_DESTINATION,
	FAULT_STOP_SOURCE, /* stands still for a tenth of a second */
	FAULT_STOP_DESTINATION,
	FAULTS,
};

struct fake_plan {
	enum fake_fault fault;
	bool back; /* of a frame from the destination */
	unsigned int nth; /* the head is 0 */
	unsigned int silence_ms;
	uint64_t downtime_ns, bandwidth;
	uint64_t timeout_ns;
	unsigned int writes; /* pages that the guest writes a round; 0: a few, and fewer */
	bool verify, cancel;
	const char *reasons; /* of the destination's, with `fails` */
	const char *fails; /* of the machine: "begin", "stop", "make", "load"; or NULL */
	void (*begins)(bool destination); /* in each side's process, before all else; or NULL */
};

struct fake_side {
	_Atomic bool ended; /* by itself */
	enum migrate_end end;
	bool runs; /* the guest, when all is over */
	uint32_t sum; /* of its RAM, when it stood still */
	uint32_t value; /* of its state */
	struct fail fail;
	struct sender_stats stats;
	char reasons[MIGRATE_LIST_MAX + 1]; /* as the source has heard them */
};

struct fake_result {
	struct fake_side source, destination;
	_Atomic bool gave_up;
	unsigned int frames, frames_back; /* that came to the link */
	bool reached; /* the fault has happened */
};

/* Runs one to its end: what both sides came to, in `result`. */
void fake_migrate(const struct fake_plan *plan, struct fake_result *result);
/* The same in this process, without anything between the two: no fault, and no `begins`. */
void fake_migrate_here(const struct fake_plan *plan, struct fake_result *result);

#endif
