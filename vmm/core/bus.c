// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/bus.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static uint64_t read_zero(struct device *dev, uint64_t off, unsigned int size)
{
	(void)dev, (void)off, (void)size;
	return 0;
}

static void write_ignored(struct device *dev, uint64_t off, unsigned int size, uint64_t val)
{
	(void)dev, (void)off, (void)size, (void)val;
}

void bus_init(struct bus *bus)
{
	memset(bus, 0, sizeof(*bus));
	pthread_mutex_init(&bus->doorbell_lock, NULL);
}

void bus_fini(struct bus *bus)
{
	pthread_mutex_destroy(&bus->doorbell_lock);
}

/* How many regions start at or below `addr`. */
static unsigned int upper_bound(const struct bus *bus, gpa_t addr)
{
	unsigned int at = 0, left = bus->nregions;

	while (left) {
		unsigned int half = left / 2;

		if (bus->regions[at + half].base <= addr) {
			at += half + 1;
			left -= half + 1;
		} else {
			left = half;
		}
	}
	return at;
}

int bus_add(struct bus *bus, const struct region *region)
{
	const struct region *r = bus->regions;
	unsigned int at = upper_bound(bus, region->base);

	if (region->size == 0 || region->size - 1 > UINT64_MAX - region->base)
		return -EINVAL;
	if (!region->dev || !(region->widths & WIDTH_ALL) ||
	    region->widths & ~(unsigned int)(WIDTH_ALL | WIDTH_UNALIGNED))
		return -EINVAL;
	if (at > 0 && region->base - r[at - 1].base < r[at - 1].size)
		return -EEXIST;
	if (at < bus->nregions && r[at].base - region->base < region->size)
		return -EEXIST;
	if (bus->nregions == BUS_REGIONS_MAX)
		return -ENOSPC;

	memmove(&bus->regions[at + 1], &bus->regions[at], (bus->nregions - at) * sizeof(*r));
	bus->regions[at] = *region;
	if (!region->read)
		bus->regions[at].read = read_zero;
	if (!region->write)
		bus->regions[at].write = write_ignored;
	bus->nregions++;
	return 0;
}

static bool contains(const struct region *r, gpa_t addr, unsigned int size)
{
	return addr - r->base < r->size && size <= r->size - (addr - r->base);
}

/* The region that claims all of the access, or NULL. */
static const struct region *claim(const struct bus *bus, struct bus_user *user, gpa_t addr,
				  unsigned int size)
{
	unsigned int at;

	if (user->last && contains(user->last, addr, size))
		return user->last;
	at = upper_bound(bus, addr);
	if (at == 0 || !contains(&bus->regions[at - 1], addr, size))
		return NULL;
	user->last = &bus->regions[at - 1];
	return user->last;
}

static bool refused(const struct region *r, uint64_t off, unsigned int size)
{
	return !(r->widths & size) || (off & (size - 1) && !(r->widths & WIDTH_UNALIGNED));
}

static uint64_t truncated(uint64_t val, unsigned int size)
{
	return val & UINT64_MAX >> (64 - 8 * size);
}

int bus_read_by(struct bus *bus, struct bus_user *user, gpa_t addr, unsigned int size,
		uint64_t *val)
{
	const struct region *r = claim(bus, user, addr, size);
	uint64_t off;

	*val = 0;
	if (!r)
		return -ENOENT;
	off = addr - r->base;
	if (refused(r, off, size))
		return 0;
	pthread_mutex_lock(&r->dev->lock);
	r->dev->initiator = user->cpu;
	*val = truncated(r->read(r->dev, off, size), size);
	pthread_mutex_unlock(&r->dev->lock);
	return 0;
}

/* Signals a doorbell that the kernel does not watch: whether there was one. */
static bool ring(struct bus *bus, gpa_t addr, unsigned int size, uint64_t val)
{
	const uint64_t one = 1;
	bool rung = false;

	pthread_mutex_lock(&bus->doorbell_lock);
	for (unsigned int i = 0; i < bus->ndoorbells && !rung; i++) {
		const struct doorbell *db = &bus->doorbells[i];

		rung = !db->in_kernel && db->addr == addr && (!db->size || db->size == size) &&
		       (!db->match || db->value == val);
		/* EAGAIN, a full counter, is as good as one more signal. */
		if (rung && write(db->fd, &one, sizeof(one)) < 0)
			break;
	}
	pthread_mutex_unlock(&bus->doorbell_lock);
	return rung;
}

int bus_write_by(struct bus *bus, struct bus_user *user, gpa_t addr, unsigned int size,
		 uint64_t val)
{
	const struct region *r;
	uint64_t off;

	val = truncated(val, size);
	if (atomic_load_explicit(&bus->nsoft, memory_order_acquire) && ring(bus, addr, size, val))
		return 0;
	r = claim(bus, user, addr, size);
	if (!r)
		return -ENOENT;
	off = addr - r->base;
	if (refused(r, off, size))
		return 0;
	pthread_mutex_lock(&r->dev->lock);
	r->dev->initiator = user->cpu;
	r->write(r->dev, off, size, val);
	pthread_mutex_unlock(&r->dev->lock);
	return 0;
}

/* --- doorbells: all under doorbell_lock ------------------------------------------------------- */

static struct doorbell *find_doorbell(struct bus *bus, const struct doorbell *db)
{
	for (struct doorbell *d = bus->doorbells; d < bus->doorbells + bus->ndoorbells; d++)
		if (d->addr == db->addr && d->size == db->size && d->match == db->match &&
		    (!db->match || d->value == db->value))
			return d;
	return NULL;
}

static void offer(struct bus *bus, struct doorbell *db)
{
	db->in_kernel = bus->doorbell_hook && bus->doorbell_hook(bus->doorbell_arg, db, true) == 0;
	if (!db->in_kernel)
		atomic_fetch_add(&bus->nsoft, 1);
}

int bus_doorbell_add(struct bus *bus, const struct doorbell *db)
{
	int err = 0;

	pthread_mutex_lock(&bus->doorbell_lock);
	if (find_doorbell(bus, db)) {
		err = -EEXIST;
	} else if (bus->ndoorbells == BUS_DOORBELLS_MAX) {
		err = -ENOSPC;
	} else {
		bus->doorbells[bus->ndoorbells] = *db;
		offer(bus, &bus->doorbells[bus->ndoorbells++]);
	}
	pthread_mutex_unlock(&bus->doorbell_lock);
	return err;
}

void bus_doorbell_del(struct bus *bus, const struct doorbell *db)
{
	struct doorbell *d;

	pthread_mutex_lock(&bus->doorbell_lock);
	d = find_doorbell(bus, db);
	if (d) {
		if (!d->in_kernel)
			atomic_fetch_sub(&bus->nsoft, 1);
		else if (bus->doorbell_hook)
			bus->doorbell_hook(bus->doorbell_arg, d, false);
		*d = bus->doorbells[--bus->ndoorbells];
	}
	pthread_mutex_unlock(&bus->doorbell_lock);
}

void bus_doorbells_replay(struct bus *bus)
{
	pthread_mutex_lock(&bus->doorbell_lock);
	atomic_store(&bus->nsoft, 0);
	for (unsigned int i = 0; i < bus->ndoorbells; i++)
		offer(bus, &bus->doorbells[i]);
	pthread_mutex_unlock(&bus->doorbell_lock);
}
