/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_BUS_H
#define VMM_CORE_BUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/device.h"

/*
 * MMIO dispatch. Width, end and overlap are checked here once; handlers get an offset and a value,
 * under their device's lock. Regions are added while the machine is built and stay until it is
 * torn down, so vCPU threads look them up without a lock.
 *
 * Policy: a width that the region does not allow reads as zero and ignores the write (RAZ/WI);
 * an access that crosses the region's end counts as unclaimed. What nobody claims is -ENOENT and
 * the vCPU's --unmapped policy decides.
 */

/* Allowed access widths, as a mask of the sizes themselves; and whether unaligned ones are taken. */
enum {
	WIDTH_1 = 1,
	WIDTH_2 = 2,
	WIDTH_4 = 4,
	WIDTH_8 = 8,
	WIDTH_ALL = 15,
	WIDTH_UNALIGNED = 16,
};

struct region {
	gpa_t base;
	uint64_t size;
	/* Mask of WIDTH_n. Without WIDTH_UNALIGNED such accesses are refused like a bad width. */
	unsigned int widths;
	struct device *dev;
	/* NULL reads as zero, or ignores writes. Values are truncated to `size` both ways. */
	uint64_t (*read)(struct device *dev, uint64_t off, unsigned int size);
	void (*write)(struct device *dev, uint64_t off, unsigned int size, uint64_t val);
};

/*
 * A doorbell: a write of `size` bytes at `addr` (and of `value` if `match`) signals `fd` instead of
 * calling the region's handler. The VM registers it with KVM as an ioeventfd; where that is not
 * possible, and in tests, bus_write() matches it.
 */
struct doorbell {
	gpa_t addr;
	unsigned int size; /* 1, 2, 4, 8; 0 is any size */
	bool match;
	uint64_t value;
	int fd; /* eventfd, borrowed */
	bool in_kernel; /* private: the hook took it */
};

enum { BUS_REGIONS_MAX = 64, BUS_DOORBELLS_MAX = 512 };

struct bus {
	struct region regions[BUS_REGIONS_MAX]; /* sorted by base, disjoint */
	unsigned int nregions;
	/* Under doorbell_lock: they come and go while vCPUs run (driver reset). */
	pthread_mutex_t doorbell_lock;
	struct doorbell doorbells[BUS_DOORBELLS_MAX];
	unsigned int ndoorbells;
	atomic_uint nsoft; /* private: those that bus_write() has to match */
	/* Set by the VM: registers (on) or removes a doorbell with the kernel. 0, or -errno: then
	 * the bus matches it itself. NULL in tests. Called with doorbell_lock held. */
	int (*doorbell_hook)(void *arg, const struct doorbell *db, bool on);
	void *doorbell_arg;
};

void bus_init(struct bus *bus);
void bus_fini(struct bus *bus);

/* Copies the region: 0, -EINVAL (empty, wraps, no width, no device), -EEXIST (overlap), -ENOSPC. */
int bus_add(struct bus *bus, const struct region *region);

/* Who accesses: a thread's own. */
struct bus_user {
	unsigned int cpu; /* the vCPU; handlers find it in dev->initiator */
	const struct region *last; /* private: what it accessed last, it mostly does again */
};

/* One access of `size` 1, 2, 4 or 8 bytes: 0, or -ENOENT when nobody claims all of it (then *val
 * reads 0). Any thread that holds no device lock. */
int bus_read_by(struct bus *bus, struct bus_user *user, gpa_t addr, unsigned int size,
		uint64_t *val);
int bus_write_by(struct bus *bus, struct bus_user *user, gpa_t addr, unsigned int size,
		 uint64_t val);

/* The same where it does not matter who accesses. */
static inline int bus_read(struct bus *bus, gpa_t addr, unsigned int size, uint64_t *val)
{
	return bus_read_by(bus, &(struct bus_user){ 0 }, addr, size, val);
}

static inline int bus_write(struct bus *bus, gpa_t addr, unsigned int size, uint64_t val)
{
	return bus_write_by(bus, &(struct bus_user){ 0 }, addr, size, val);
}

/* Callable under a device lock. 0, -EEXIST, -ENOSPC. */
int bus_doorbell_add(struct bus *bus, const struct doorbell *db);
/* Removes the doorbell with the same addr, size, match and value; absent is fine. */
void bus_doorbell_del(struct bus *bus, const struct doorbell *db);
/* Offers every doorbell to the hook again, for a new kernel VM under an old machine. */
void bus_doorbells_replay(struct bus *bus);

#endif
