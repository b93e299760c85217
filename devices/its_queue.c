// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "devices/its_priv.h"

/*
 * From the guest's queue to the sink, a bounded batch at a time on the loop thread:
 *
 *   take     under the lock: the registers as they are
 *   read     the commands, once, from guest memory
 *   hold     vCPUs parked, if the sink has to hear of any of it
 *   look up  the first levels of indirect tables, from guest memory
 *   run      under the lock: what they do, what the sink hears, GITS_CREADR
 *   release
 *
 * If the guest has changed what the batch stands on in between, it is thrown away: nothing of it has
 * happened.
 */

enum { COMMAND_SIZE = sizeof(struct its_command), ENTRY_SIZE = 8 };
#define TABLE_PAGE 0x10000ULL /* the only size that GITS_BASERn has here */

uint64_t its_queue_size(uint64_t cbaser)
{
	return ((cbaser & 0xff) + 1) << 12;
}

static gpa_t queue_base(uint64_t cbaser)
{
	return cbaser & 0x000ffffffffff000ULL;
}

/* With pages of 64 KiB, bits 15:12 are the address's 51:48. */
static gpa_t table_base(uint64_t baser)
{
	return (baser & 0x0000ffffffff0000ULL) | (baser >> 12 & 0xf) << 48;
}

bool its_table_holds(const struct guest_mem *mem, uint64_t baser, uint32_t id)
{
	const uint32_t per_page = TABLE_PAGE / ENTRY_SIZE;
	uint64_t size = ((baser & 0xff) + 1) * TABLE_PAGE;
	gpa_t base = table_base(baser);
	uint64_t first;

	if (id >= ITS_IDS)
		return false;
	if (!(baser & GITS_BASER_INDIRECT))
		return id < size / ENTRY_SIZE &&
		       guest_mem_ptr(mem, base + (gpa_t)id * ENTRY_SIZE, ENTRY_SIZE);
	if (id / per_page >= size / sizeof(first) ||
	    guest_mem_read(mem, base + id / per_page * sizeof(first), &first, sizeof(first)))
		return false;
	return first & GITS_BASER_VALID &&
	       guest_mem_ptr(mem,
			     (first & 0x000fffffffff0000ULL) + (gpa_t)(id % per_page) * ENTRY_SIZE,
			     ENTRY_SIZE);
}

/* --- for the sink ------------------------------------------------------------------------------ */

/* What was not heard of before is told with the first of it. */
static int flush(struct its *its)
{
	const struct its_change change = {
		.restart = its->restart,
		.commands = its->out,
		.n = its->nout,
		.enabled = its->regs.enabled,
	};
	int err = 0;

	if (change.restart || change.n || its->toggled)
		err = its->cfg.sink.apply(its->cfg.sink.arg, &change);
	its->nout = 0;
	its->restart = its->toggled = false;
	return err;
}

/* Room for one more command, when those before it had to be given away. */
static int make_room(struct its *its)
{
	int err = its->nout < ITS_OUT_SOON ? 0 : flush(its);

	return err ? err : its_out_reserve(its, 1);
}

/* The events of all devices that are in a collection, or in none. */
static int rebuild_events(struct its *its, bool in_none, bool *any)
{
	int err = 0;

	for (uint32_t device = 0; !err && device < its->ndevs; device++) {
		const struct its_dev *dev = its_find_dev(its, device);

		for (uint32_t event = 0; !err && dev && dev->live && event < 1U << dev->bits;
		     event++) {
			const struct ite *ite = its_find_ite(its, device, event);

			if (!ite || !ite->coll != in_none)
				continue;
			*any = true;
			err = make_room(its);
			if (!err)
				its_out_mapti(its, device, event, ite);
		}
	}
	return err;
}

static int rebuild_devs(struct its *its)
{
	int err = 0;

	for (uint32_t device = 0; !err && device < its->ndevs; device++) {
		if (!its_find_dev(its, device))
			continue;
		err = make_room(its);
		if (!err)
			its_out_mapd(its, device);
	}
	return err;
}

static int rebuild_colls(struct its *its)
{
	int err = 0;

	for (uint32_t icid = 0; !err && icid < its->ncolls; icid++) {
		if (!its->colls[icid].valid)
			continue;
		err = make_room(its);
		if (!err)
			its_out_mapc(its, icid, true);
	}
	return err;
}

/* Events in no collection are mapped into one, any, that is then unmapped. */
int its_rebuild(struct its *its)
{
	bool any = false;
	int err;

	its->restart = true;
	its->nout = 0;
	err = rebuild_devs(its);
	if (!err)
		err = rebuild_events(its, true, &any);
	if (!err && any)
		err = make_room(its);
	if (!err && any)
		its_out_mapc(its, 0, false);
	if (!err)
		err = rebuild_colls(its);
	if (!err)
		err = rebuild_events(its, false, &any);
	return err ? err : flush(its);
}

static void say_error(struct its *its, int err)
{
	log_guest(
		its->dev.env.log, &its->limit,
		"%s: the host's interrupt controller refuses what is mapped (error %d): interrupts "
		"may be missing",
		its->dev.name, -err);
}

/* INT alone is but a message. */
static void send_messages(struct its *its)
{
	for (size_t i = 0; i < its->nout; i++)
		its->cfg.sink.message(its->cfg.sink.arg,
				      (uint32_t)its_field_of(&its->out[i], FIELD_DEVICE),
				      (uint32_t)its_field_of(&its->out[i], FIELD_EVENT));
	its->nout = 0;
}

/* --- a batch ----------------------------------------------------------------------------------- */

static bool pending(const struct its *its)
{
	return its->regs.enabled && !its->stalled && its->regs.creadr != its->regs.cwriter;
}

void its_kick(struct its *its)
{
	if (pending(its) || its->restart || its->toggled)
		loop_post(its->dev.env.loop, &its->work);
}

/* False: there is nothing to do. */
static bool take(struct its *its)
{
	struct its_batch *b = &its->batch;

	b->regs = its->regs;
	b->generation = its->generation;
	b->changed = its->restart || its->toggled;
	b->n = 0;
	return b->changed || pending(its);
}

/* Up to the queue's end, or what was written last; each command once. */
static void read_commands(struct its *its)
{
	struct its_batch *b = &its->batch;
	const struct its_regs *regs = &b->regs;
	uint64_t end = regs->creadr < regs->cwriter ? regs->cwriter : its_queue_size(regs->cbaser);
	gpa_t at = queue_base(regs->cbaser) + regs->creadr;
	const struct guest_mem *mem = its->dev.env.mem;
	bool bad;

	if (!regs->enabled || its->stalled || regs->creadr == regs->cwriter)
		return;
	b->n = (unsigned int)((end - regs->creadr) / COMMAND_SIZE);
	if (b->n > ITS_BATCH)
		b->n = ITS_BATCH;
	bad = guest_mem_read(mem, at, b->queue, b->n * COMMAND_SIZE);
	for (unsigned int i = 0; i < b->n; i++) {
		b->calls[i] = (struct its_call){ .unreadable = bad };
		if (bad)
			b->calls[i].unreadable = guest_mem_read(mem, at + i * COMMAND_SIZE,
								&b->queue[i], COMMAND_SIZE);
		if (!b->calls[i].unreadable)
			b->calls[i].cmd = b->queue[i];
	}
}

static bool parks(const struct its_batch *b)
{
	bool any = b->changed;

	for (unsigned int i = 0; !any && i < b->n; i++)
		any = !b->calls[i].unreadable && its_op_of(&b->calls[i].cmd)->parks;
	return any;
}

static void look_up(struct its *its)
{
	static const enum its_field keys[ITS_TABLES] = { FIELD_DEVICE, FIELD_COLLECTION };
	struct its_batch *b = &its->batch;

	for (unsigned int i = 0; i < b->n; i++) {
		struct its_call *call = &b->calls[i];
		int table = its_op_of(&call->cmd)->table;
		uint32_t id;

		if (call->unreadable || table < 0)
			continue;
		id = (uint32_t)its_field_of(&call->cmd, keys[table]);
		call->in_table = its_table_holds(its->dev.env.mem, b->regs.baser[table], id);
	}
}

/* 0, or -ENOMEM, and then it has not happened. */
static int run_one(struct its *its, const struct its_call *call)
{
	const struct its_op *op = its_op_of(&call->cmd);
	bool injected = false;
	int64_t result;

	if (call->unreadable)
		result = ITS_UNREADABLE;
	else if (!op->name)
		result = ITS_UNKNOWN;
	else if (its->cfg.inject && its->cfg.inject(its->cfg.inject_arg, op->name, &result))
		injected = true;
	else
		result = op->run(its, call);
	if (result == -ENOMEM && !injected)
		return -ENOMEM;
	its_result(its, call, result, injected);
	return 0;
}

/* A host that is out of memory for a command stalls the queue, until the guest writes
 * GITS_CWRITER.Retry (12.19.6). */
static void run_commands(struct its *its)
{
	struct its_batch *b = &its->batch;
	uint64_t size = its_queue_size(b->regs.cbaser);
	unsigned int done = 0;

	while (done < b->n && its->nout < ITS_OUT_SOON) {
		its->stalled = run_one(its, &b->calls[done]);
		if (its->stalled)
			break;
		done++;
	}
	its->regs.creadr = (b->regs.creadr + done * COMMAND_SIZE) % size;
	its->rounds++;
}

static void run(struct its *its, bool held)
{
	int err = its->restart ? its_rebuild(its) : 0;

	run_commands(its);
	if (!held)
		send_messages(its);
	else if (!err)
		err = flush(its);
	its->holds += held;
	its->nout = 0;
	if (err)
		say_error(its, err);
}

void its_work(struct loop_work *work)
{
	struct its *its = container_of(work, struct its, work);
	const struct its_sink *sink = &its->cfg.sink;
	uint32_t intids = its->intids;
	bool any, held;

	pthread_mutex_lock(&its->dev.lock);
	any = take(its);
	pthread_mutex_unlock(&its->dev.lock);
	if (!any)
		return;
	read_commands(its);
	held = parks(&its->batch);
	if (held && sink->hold(sink->arg, &intids))
		return;
	look_up(its);
	pthread_mutex_lock(&its->dev.lock);
	its->intids = intids;
	if (its->batch.generation == its->generation)
		run(its, held);
	its_kick(its);
	pthread_mutex_unlock(&its->dev.lock);
	if (held)
		sink->release(sink->arg);
}
