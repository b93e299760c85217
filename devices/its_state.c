// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "devices/its_priv.h"
#include "vmm/core/state.h"

/*
 * The registers, then collections, devices and events as records of up to ROWS rows, each list
 * behind its length. While loading, everything that the ITS's own commands would refuse is refused.
 */
enum { ROWS = 128, NO_COLLECTION = 0xffffffff };

struct coll_row {
	uint32_t icid, cpu;
};

struct dev_row {
	uint32_t device, bits;
	uint64_t itt;
};

struct ite_row {
	uint32_t device, event, intid, icid;
};

union rows {
	struct coll_row coll[ROWS];
	struct dev_row dev[ROWS];
	struct ite_row ite[ROWS];
};

/* Where saving is in a list. */
struct cursor {
	uint32_t id, event;
};

struct list {
	const char *count, *rows; /* names of records */
	uint32_t size; /* of a row */
	uint32_t max;
	/* Saving: the row behind the cursor; false: there is none. */
	bool (*next)(struct its *its, struct cursor *at, union rows *rows, unsigned int i);
	/* Loading: 0, -ERANGE, or -ENOMEM. */
	int (*add)(struct its *its, const union rows *rows, unsigned int i);
};

/* --- rows -------------------------------------------------------------------------------------- */

static bool next_coll(struct its *its, struct cursor *at, union rows *rows, unsigned int i)
{
	while (at->id < its->ncolls && !its->colls[at->id].valid)
		at->id++;
	if (at->id >= its->ncolls)
		return false;
	rows->coll[i] = (struct coll_row){ at->id, its->colls[at->id].cpu };
	at->id++;
	return true;
}

static int add_coll(struct its *its, const union rows *rows, unsigned int i)
{
	const struct coll_row *row = &rows->coll[i];

	if (row->icid >= ITS_IDS || row->cpu >= its->cfg.cpus || its->colls[row->icid].valid)
		return -ERANGE;
	its_coll_map(its, row->icid, row->cpu);
	return 0;
}

static bool next_dev(struct its *its, struct cursor *at, union rows *rows, unsigned int i)
{
	while (at->id < its->ndevs && !its_find_dev(its, at->id))
		at->id++;
	if (at->id >= its->ndevs)
		return false;
	rows->dev[i] = (struct dev_row){ at->id, its->devs[at->id].bits, its->devs[at->id].itt };
	at->id++;
	return true;
}

static int add_dev(struct its *its, const union rows *rows, unsigned int i)
{
	const struct dev_row *row = &rows->dev[i];

	if (row->device >= ITS_IDS || its_find_dev(its, row->device) || !row->bits ||
	    row->bits > ITS_ID_BITS || row->itt & ~0x000fffffffffff00ULL)
		return -ERANGE;
	its_dev_map(its, row->device, row->bits, row->itt);
	return 0;
}

static bool next_ite(struct its *its, struct cursor *at, union rows *rows, unsigned int i)
{
	for (; at->id < its->ndevs; at->id++, at->event = 0) {
		const struct its_dev *dev = its_find_dev(its, at->id);

		while (dev && dev->live && at->event < 1U << dev->bits) {
			const struct ite *ite = its_find_ite(its, at->id, at->event++);

			if (!ite)
				continue;
			rows->ite[i] = (struct ite_row){
				.device = at->id,
				.event = at->event - 1,
				.intid = ite->intid,
				.icid = ite->coll ? its_coll_id(its, ite->coll) : NO_COLLECTION,
			};
			return true;
		}
	}
	return false;
}

static int add_ite(struct its *its, const union rows *rows, unsigned int i)
{
	const struct ite_row *row = &rows->ite[i];
	struct its_dev *dev = its_find_dev(its, row->device);
	struct ite *ite;
	int err;

	if (!dev || row->event >> dev->bits || row->intid < ITS_LPI_FIRST ||
	    row->intid >> ITS_INTID_BITS || (row->icid >= ITS_IDS && row->icid != NO_COLLECTION) ||
	    its_lpi_taken(its, row->intid) || its_find_ite(its, row->device, row->event))
		return -ERANGE;
	err = its_ite_get(its, dev, row->event, &ite);
	if (err)
		return err == -ENOSPC ? -ERANGE : err;
	its_ite_map(its, dev, ite, row->intid, row->icid == NO_COLLECTION ? 0 : row->icid);
	if (row->icid == NO_COLLECTION)
		its_ite_detach(ite);
	return 0;
}

static const struct list lists[] = {
	{ "ncollections", "collections", sizeof(struct coll_row), ITS_IDS, next_coll, add_coll },
	{ "ndevices", "devices", sizeof(struct dev_row), ITS_IDS, next_dev, add_dev },
	{ "nevents", "events", sizeof(struct ite_row), ITS_MEMORY_MAX / sizeof(struct ite),
	  next_ite, add_ite },
};

/* --- lists ------------------------------------------------------------------------------------- */

static uint32_t count_rows(struct its *its, const struct list *list)
{
	struct cursor at = { 0, 0 };
	union rows row;
	uint32_t n = 0;

	while (list->next(its, &at, &row, 0))
		n++;
	return n;
}

static void state_list(struct its *its, const struct list *list, struct state *s)
{
	uint32_t left = s->loading ? 0 : count_rows(its, list);
	struct cursor at = { 0, 0 };

	state_u32(s, list->count, &left);
	state_check(s, left <= list->max, list->count);
	while (left && !s->err) {
		uint32_t n = left < ROWS ? left : ROWS;
		union rows rows;
		int err = 0;

		for (uint32_t i = 0; !s->loading && i < n; i++)
			list->next(its, &at, &rows, i);
		state_bytes(s, list->rows, &rows, n * list->size);
		for (uint32_t i = 0; s->loading && !s->err && !err && i < n; i++)
			err = list->add(its, &rows, i);
		if (err == -ENOMEM && !s->err)
			s->err = err;
		state_check(s, !err, list->rows);
		left -= n;
	}
}

/* --- registers --------------------------------------------------------------------------------- */

static bool offset_ok(const struct its_regs *regs, uint64_t offset)
{
	return !(offset % sizeof(struct its_command)) && offset < its_queue_size(regs->cbaser);
}

static void state_regs(struct its *its, struct state *s)
{
	struct its_regs regs = its->regs;
	bool tables = true;

	state_bool(s, "enabled", &regs.enabled);
	state_u64(s, "cbaser", &regs.cbaser);
	state_u64(s, "creadr", &regs.creadr);
	state_u64(s, "cwriter", &regs.cwriter);
	state_u64(s, "device_table", &regs.baser[ITS_TABLE_DEVICES]);
	state_u64(s, "collection_table", &regs.baser[ITS_TABLE_COLLECTIONS]);
	state_bool(s, "stalled", &its->stalled);
	for (int i = 0; i < ITS_TABLES; i++)
		tables &= its_baser_ok(i, regs.baser[i]);
	state_check(s, tables, "table");
	state_check(s, its_cbaser_ok(regs.cbaser), "cbaser");
	state_check(s, !regs.enabled || its_may_enable(&regs), "enabled");
	state_check(s, offset_ok(&regs, regs.creadr), "creadr");
	state_check(s, offset_ok(&regs, regs.cwriter), "cwriter");
	if (s->loading && !s->err)
		its->regs = regs;
}

/* The sink has to know all of it before a device sends its first message. */
static int tell_all(struct its *its)
{
	const struct its_sink *sink = &its->cfg.sink;
	int err = sink->hold(sink->arg, &its->intids);

	if (err)
		return err;
	err = its_rebuild(its);
	sink->release(sink->arg);
	return err;
}

void its_state(struct device *dev, struct state *s)
{
	struct its *its = its_of(dev);

	if (s->loading)
		dev->ops->reset(dev);
	state_regs(its, s);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		state_list(its, &lists[i], s);
	if (!s->loading)
		return;
	if (!s->err)
		s->err = tell_all(its);
	if (s->err)
		dev->ops->reset(dev);
	else
		its_kick(its);
}
