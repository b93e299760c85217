// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "devices/its_priv.h"

/*
 * What each command does (IHI 0069, 5.3). Where that is UNPREDICTABLE:
 *   MAPD of a mapped device      unmaps it first, as if by V = 0
 *   MAPTI, MAPI of a mapped one  leaves the mapping as it is
 *   MAPC with V = 0              its events are in no collection until they are mapped anew
 *   MAPTI, MAPI of an LPI that another event is mapped to: nothing; Linux allows it up to 6.12, then no more
 * The first two are counted. MOVALL moves the collections, too: what is mapped into them later goes
 * where their LPIs have gone.
 *
 * An ITE ends with its LPI no longer pending, which the sink is told by CLEAR.
 */

/* --- fields ------------------------------------------------------------------------------------ */

#define VALID (1ULL << 63)

uint64_t its_field_of(const struct its_command *cmd, enum its_field field)
{
	const uint64_t *w = cmd->word;

	switch (field) {
	case FIELD_DEVICE:
		return w[0] >> 32;
	case FIELD_EVENT:
		return (uint32_t)w[1];
	case FIELD_INTID:
		return w[1] >> 32;
	case FIELD_COLLECTION:
		return (uint16_t)w[2];
	case FIELD_CPU:
		return (uint32_t)(w[2] >> 16);
	case FIELD_CPU2:
		return (uint32_t)(w[3] >> 16);
	case FIELD_ITT:
		return w[2] & 0x000fffffffffff00ULL;
	case FIELD_VALID:
		return w[2] >> 63;
	}
	return 0;
}

static uint32_t get(const struct its_call *call, enum its_field field)
{
	return (uint32_t)its_field_of(&call->cmd, field);
}

static struct ite *ite_of(struct its *its, const struct its_call *call)
{
	return its_find_ite(its, get(call, FIELD_DEVICE), get(call, FIELD_EVENT));
}

/* --- for the sink ------------------------------------------------------------------------------ */

int its_out_reserve(struct its *its, size_t n)
{
	size_t cap = its->out_cap ? its->out_cap : 2 * ITS_BATCH;
	struct its_command *out;

	if (n <= its->out_cap - its->nout)
		return 0;
	while (cap - its->nout < n)
		cap *= 2;
	out = realloc(its->out, cap * sizeof(*out));
	if (!out)
		return -ENOMEM;
	its->out = out;
	its->out_cap = cap;
	return 0;
}

/* Into room that was reserved. */
static void put(struct its *its, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3)
{
	its->out[its->nout++] = (struct its_command){ { w0, w1, w2, w3 } };
}

static void put_event(struct its *its, unsigned int op, uint32_t device, uint32_t event)
{
	put(its, op | (uint64_t)device << 32, event, 0, 0);
}

static void put_clear(struct its *its, uint32_t device, uint32_t event)
{
	put_event(its, CMD_CLEAR, device, event);
}

void its_out_mapc(struct its *its, uint32_t icid, bool valid)
{
	put(its, CMD_MAPC, 0, icid | (valid ? VALID | (uint64_t)its->colls[icid].cpu << 16 : 0), 0);
}

void its_out_mapd(struct its *its, uint32_t device)
{
	const struct its_dev *dev = &its->devs[device];

	put(its, CMD_MAPD | (uint64_t)device << 32, dev->bits ? dev->bits - 1U : 0,
	    dev->bits ? VALID | dev->itt : 0, 0);
}

void its_out_mapti(struct its *its, uint32_t device, uint32_t event, const struct ite *ite)
{
	put(its, CMD_MAPTI | (uint64_t)device << 32, event | (uint64_t)ite->intid << 32,
	    ite->coll ? its_coll_id(its, ite->coll) : 0, 0);
}

/* A command about one event goes on as it is. */
static int pass_event(struct its *its, const struct its_call *call, unsigned int op)
{
	int err = its_out_reserve(its, 1);

	if (!err)
		put_event(its, op, get(call, FIELD_DEVICE), get(call, FIELD_EVENT));
	return err;
}

/* --- commands ---------------------------------------------------------------------------------- */

static int cmd_movi(struct its *its, const struct its_call *call)
{
	uint32_t icid = get(call, FIELD_COLLECTION);
	struct ite *ite = ite_of(its, call);
	int err;

	if (!ite)
		return E_ITS_MOVI_UNMAPPED_INTERRUPT;
	if (!ite->coll || !ite->coll->valid || !its->colls[icid].valid)
		return E_ITS_MOVI_UNMAPPED_COLLECTION;
	err = its_out_reserve(its, 1);
	if (err)
		return err;
	its_ite_move(its, ite, icid);
	put(its, CMD_MOVI | (uint64_t)get(call, FIELD_DEVICE) << 32, get(call, FIELD_EVENT), icid,
	    0);
	return 0;
}

static int cmd_int(struct its *its, const struct its_call *call)
{
	const struct ite *ite = ite_of(its, call);

	if (!ite || !ite->coll || !ite->coll->valid)
		return E_ITS_INT_UNMAPPED_INTERRUPT;
	return pass_event(its, call, CMD_INT);
}

static int cmd_clear(struct its *its, const struct its_call *call)
{
	if (!ite_of(its, call))
		return E_ITS_CLEAR_UNMAPPED_INTERRUPT;
	return pass_event(its, call, CMD_CLEAR);
}

/* Everything before it has taken effect when it is looked at. */
static int cmd_sync(struct its *its, const struct its_call *call)
{
	(void)its, (void)call;
	return 0;
}

/* Maps or unmaps a device; to unmap one that is not mapped is no error. */
static int cmd_mapd(struct its *its, const struct its_call *call)
{
	uint32_t device = get(call, FIELD_DEVICE), bits = (get(call, FIELD_EVENT) & 0x1f) + 1;
	bool valid = get(call, FIELD_VALID);
	const struct its_dev *dev;
	int err;

	if (!call->in_table)
		return E_ITS_MAPD_DEVICE_OOR;
	if (valid && bits > ITS_ID_BITS)
		return E_ITS_MAPD_ITTSIZE_OOR;
	dev = its_find_dev(its, device);
	if (!valid && !dev)
		return 0;
	err = its_out_reserve(its, 2 + (dev ? dev->live : 0));
	if (err)
		return err;
	its->remapped_devices += dev && valid;
	its_dev_unmap(its, device, put_clear);
	if (valid)
		its_dev_map(its, device, bits, its_field_of(&call->cmd, FIELD_ITT));
	its_out_mapd(its, device);
	return 0;
}

/* RDbase means something only with V = 1. */
static int cmd_mapc(struct its *its, const struct its_call *call)
{
	uint32_t icid = get(call, FIELD_COLLECTION), cpu = get(call, FIELD_CPU);
	bool valid = get(call, FIELD_VALID);
	int err;

	if (valid && cpu >= its->cfg.cpus)
		return E_ITS_MAPC_PROCNUM_OOR;
	if (valid && !call->in_table)
		return E_ITS_MAPC_COLLECTION_OOR;
	err = its_out_reserve(its, 1);
	if (err)
		return err;
	if (valid)
		its_coll_map(its, icid, cpu);
	else
		its_coll_unmap(its, icid);
	its_out_mapc(its, icid, valid);
	return 0;
}

static int map_event(struct its *its, const struct its_call *call, uint32_t intid)
{
	uint32_t device = get(call, FIELD_DEVICE), event = get(call, FIELD_EVENT);
	struct its_dev *dev = its_find_dev(its, device);
	struct ite *ite;
	int err;

	if (!dev)
		return E_ITS_MAPTI_UNMAPPED_DEVICE;
	if (event >> dev->bits)
		return E_ITS_MAPTI_ID_OOR;
	if (intid < ITS_LPI_FIRST || intid >= its->intids)
		return E_ITS_MAPTI_PHYSICALID_OOR;
	if (its_find_ite(its, device, event)) {
		its->remapped_events++;
		return 0;
	}
	if (its_lpi_taken(its, intid))
		return ITS_LPI_TAKEN;
	if (!call->in_table)
		return E_ITS_MAPTI_COLLECTION_OOR;
	err = its_out_reserve(its, 1);
	if (!err)
		err = its_ite_get(its, dev, event, &ite);
	if (err)
		return err == -ENOSPC ? ITS_NO_ROOM : err;
	its_ite_map(its, dev, ite, intid, get(call, FIELD_COLLECTION));
	its_out_mapti(its, device, event, ite);
	return 0;
}

static int cmd_mapti(struct its *its, const struct its_call *call)
{
	return map_event(its, call, get(call, FIELD_INTID));
}

static int cmd_mapi(struct its *its, const struct its_call *call)
{
	return map_event(its, call, get(call, FIELD_EVENT));
}

static int cmd_inv(struct its *its, const struct its_call *call)
{
	if (!ite_of(its, call))
		return E_ITS_INV_UNMAPPED_INTERRUPT;
	return pass_event(its, call, CMD_INV);
}

static int cmd_invall(struct its *its, const struct its_call *call)
{
	uint32_t icid = get(call, FIELD_COLLECTION);
	int err;

	if (!its->colls[icid].valid)
		return E_ITS_INVALL_UNMAPPED_COLLECTION;
	err = its_out_reserve(its, 1);
	if (!err)
		put(its, CMD_INVALL, 0, icid, 0);
	return err;
}

static int cmd_movall(struct its *its, const struct its_call *call)
{
	uint32_t from = get(call, FIELD_CPU), to = get(call, FIELD_CPU2);
	size_t n = 1;
	int err;

	if (from >= its->cfg.cpus || to >= its->cfg.cpus)
		return E_ITS_MOVALL_PROCNUM_OOR;
	if (from == to)
		return 0;
	for (const struct coll *coll = its->of_cpu[from]; coll; coll = coll->next)
		n++;
	err = its_out_reserve(its, n);
	if (err)
		return err;
	while (its->of_cpu[from]) {
		uint32_t icid = its_coll_id(its, its->of_cpu[from]);

		its_coll_map(its, icid, to);
		its_out_mapc(its, icid, true);
	}
	put(its, CMD_MOVALL, 0, (uint64_t)from << 16, (uint64_t)to << 16);
	return 0;
}

/* An event whose collection was unmapped cannot be discarded, only its device unmapped. */
static int cmd_discard(struct its *its, const struct its_call *call)
{
	uint32_t device = get(call, FIELD_DEVICE), event = get(call, FIELD_EVENT);
	struct ite *ite = ite_of(its, call);
	int err;

	if (!ite || !ite->coll || !ite->coll->valid)
		return E_ITS_DISCARD_UNMAPPED_INTERRUPT;
	err = its_out_reserve(its, 2);
	if (err)
		return err;
	its_ite_free(its, its_find_dev(its, device), ite);
	put_clear(its, device, event);
	put_event(its, CMD_DISCARD, device, event);
	return 0;
}

/* --- which there are --------------------------------------------------------------------------- */

#define EVENT (FIELD_DEVICE | FIELD_EVENT)
enum { NO_TABLE = -1 };

static const struct its_op ops[] = {
	[CMD_MOVI] = { "MOVI", EVENT | FIELD_COLLECTION, true, NO_TABLE, cmd_movi },
	[CMD_INT] = { "INT", EVENT, false, NO_TABLE, cmd_int },
	[CMD_CLEAR] = { "CLEAR", EVENT, true, NO_TABLE, cmd_clear },
	[CMD_SYNC] = { "SYNC", FIELD_CPU, false, NO_TABLE, cmd_sync },
	[CMD_MAPD] = { "MAPD", FIELD_DEVICE | FIELD_ITT | FIELD_VALID, true, ITS_TABLE_DEVICES,
		       cmd_mapd },
	[CMD_MAPC] = { "MAPC", FIELD_COLLECTION | FIELD_CPU | FIELD_VALID, true,
		       ITS_TABLE_COLLECTIONS, cmd_mapc },
	[CMD_MAPTI] = { "MAPTI", EVENT | FIELD_INTID | FIELD_COLLECTION, true,
			ITS_TABLE_COLLECTIONS, cmd_mapti },
	[CMD_MAPI] = { "MAPI", EVENT | FIELD_COLLECTION, true, ITS_TABLE_COLLECTIONS, cmd_mapi },
	[CMD_INV] = { "INV", EVENT, true, NO_TABLE, cmd_inv },
	[CMD_INVALL] = { "INVALL", FIELD_COLLECTION, true, NO_TABLE, cmd_invall },
	[CMD_MOVALL] = { "MOVALL", FIELD_CPU | FIELD_CPU2, true, NO_TABLE, cmd_movall },
	[CMD_DISCARD] = { "DISCARD", EVENT, true, NO_TABLE, cmd_discard },
};

enum { NOPS = sizeof(ops) / sizeof(ops[0]) };

const struct its_op *its_op_of(const struct its_command *cmd)
{
	uint8_t op = (uint8_t)cmd->word[0];

	/* ops[0] is none. */
	return &ops[op < NOPS ? op : 0];
}

const char *its_command_at(unsigned int n)
{
	for (unsigned int op = 0; op < NOPS; op++)
		if (ops[op].name && !n--)
			return ops[op].name;
	return NULL;
}
