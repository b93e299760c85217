/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEVICES_ITS_PRIV_H
#define DEVICES_ITS_PRIV_H

#include "devices/its.h"
#include "vmm/core/log.h"
#include "vmm/core/loop.h"

/*
 * Private part of the ITS: its.c (frame), its_queue.c (from the queue to the sink), its_command.c
 * (what commands do), its_table.c (what is mapped), its_state.c, its_debug.c (for people).
 *
 * One lock, the device's own, is over everything here but what says otherwise. Guest memory is read
 * without it: the queue and the first levels of indirect tables are copied before, together with a
 * generation that every write to what they depend on changes. vCPUs are parked before it is taken,
 * since they may wait for it.
 */
enum {
	ITS_IDS = 1 << ITS_ID_BITS,
	ITS_CHUNK = 32, /* ITEs that are allocated together */
	ITS_MEMORY_MAX =
		64 << 20, /* bytes of ITEs: enough for every LPI, however they are strewn */
	ITS_OUT_SOON = 4096, /* commands for the sink after which a batch ends */
};

#define GITS_CBASER_VALID   (1ULL << 63)
#define GITS_BASER_VALID    (1ULL << 63)
#define GITS_BASER_INDIRECT (1ULL << 62)
enum { ITS_TABLE_DEVICES, ITS_TABLE_COLLECTIONS, ITS_TABLES };

/* Names of commands (5.3), as opcodes. */
enum {
	CMD_MOVI = 0x01,
	CMD_INT = 0x03,
	CMD_CLEAR = 0x04,
	CMD_SYNC = 0x05,
	CMD_MAPD = 0x08,
	CMD_MAPC = 0x09,
	CMD_MAPTI = 0x0a,
	CMD_MAPI = 0x0b,
	CMD_INV = 0x0c,
	CMD_INVALL = 0x0d,
	CMD_MOVALL = 0x0e,
	CMD_DISCARD = 0x0f,
};

/* An interrupt translation entry, in the list of its collection. */
struct ite {
	struct ite *next, **link;
	struct coll *coll; /* NULL: its collection was unmapped */
	uint32_t intid; /* 0: the event is not mapped */
};

struct coll {
	struct ite *ites;
	struct coll *next, **link; /* among those of its CPU, while valid */
	uint32_t cpu;
	bool valid;
};

struct its_dev {
	struct ite **chunks; /* 2^bits / ITS_CHUNK, or NULL until an event is mapped */
	uint64_t itt;
	uint32_t live; /* mapped events */
	uint8_t bits; /* of EventIDs; 0: the device is not mapped */
};

/* A command and what had to be looked up for it in the guest's memory. */
struct its_call {
	struct its_command cmd;
	bool unreadable;
	bool in_table; /* its device or collection has an entry in the guest's table */
};

struct its_regs {
	bool enabled;
	uint64_t cbaser, creadr, cwriter; /* the latter two: offsets */
	uint64_t baser[ITS_TABLES];
};

/* The loop thread's own. */
struct its_batch {
	struct its_regs regs;
	uint32_t generation;
	bool changed; /* the sink has to hear of more than commands */
	unsigned int n;
	struct its_call calls[ITS_BATCH];
	struct its_command queue[ITS_BATCH];
};

struct its {
	struct device dev;
	struct its_config cfg;
	struct its_regs regs;
	uint32_t generation;
	bool stalled; /* GITS_CREADR.Stalled: the host was out of memory for the command */
	/* What the sink has not heard of yet. */
	bool restart, toggled;
	uint32_t intids; /* as hold() said last */

	struct its_dev devs[ITS_IDS];
	struct coll colls[ITS_IDS];
	struct coll **of_cpu; /* cfg.cpus lists */
	unsigned int ndevs, ncolls; /* above these no entry was used since the reset */
	uint64_t
		taken[(1 << ITS_INTID_BITS) / 64]; /* a bit each: LPIs that an event is mapped to */
	size_t memory; /* bytes of ITEs */

	struct its_command *out;
	size_t nout, out_cap;

	/* Counted since the reset. */
	uint64_t commands, rounds, holds;
	uint64_t remapped_devices, remapped_events; /* UNPREDICTABLE: see its_command.c */
	uint64_t *errors; /* as its_error_at() numbers them */
	struct log_limit limit;
	uint64_t start_ns;

	struct loop_work work; /* without a device: takes the lock itself */
	struct its_batch batch;
};

static inline struct its *its_of(struct device *dev)
{
	return container_of(dev, struct its, dev);
}

/* --- its_table.c ------------------------------------------------------------------------------- */

/* The device, or NULL unless it is mapped. */
struct its_dev *its_find_dev(struct its *its, uint32_t device);
/* The ITE of a mapped event, or NULL. */
struct ite *its_find_ite(struct its *its, uint32_t device, uint32_t event);
void its_dev_map(struct its *its, uint32_t device, unsigned int bits, uint64_t itt);
/* Calls `fn` (or nothing) for each mapped event, then frees them and unmaps the device. */
void its_dev_unmap(struct its *its, uint32_t device,
		   void (*fn)(struct its *its, uint32_t device, uint32_t event));
/* A free ITE for an event that is not mapped and below 2^bits: 0, -ENOSPC (ITS_MEMORY_MAX) or
 * -ENOMEM. Nothing is mapped yet. */
int its_ite_get(struct its *its, struct its_dev *dev, uint32_t event, struct ite **ite);
void its_ite_map(struct its *its, struct its_dev *dev, struct ite *ite, uint32_t intid,
		 uint32_t icid);
/* The one end of an ITE. */
void its_ite_free(struct its *its, struct its_dev *dev, struct ite *ite);
bool its_lpi_taken(const struct its *its, uint32_t intid);
void its_ite_move(struct its *its, struct ite *ite, uint32_t icid);
/* `ite` is in no collection any more. */
void its_ite_detach(struct ite *ite);
uint32_t its_coll_id(const struct its *its, const struct coll *coll);
void its_coll_map(struct its *its, uint32_t icid, uint32_t cpu);
/* Its ITEs are in no collection then. */
void its_coll_unmap(struct its *its, uint32_t icid);
/* All devices, or all collections. */
void its_drop_devs(struct its *its);
void its_drop_colls(struct its *its);

/* --- its_command.c ----------------------------------------------------------------------------- */

enum its_field {
	FIELD_DEVICE = 1,
	FIELD_EVENT = 2,
	FIELD_INTID = 4,
	FIELD_COLLECTION = 8,
	FIELD_CPU = 16,
	FIELD_CPU2 = 32,
	FIELD_ITT = 64,
	FIELD_VALID = 128,
};

struct its_op {
	const char *name; /* NULL: no such command */
	unsigned int fields; /* mask of enum its_field */
	bool parks; /* the sink has to hear of it */
	int table; /* where its device or collection has to have an entry; -1: nowhere */
	/* 0, an error, or -ENOMEM, and then nothing is changed. */
	int (*run)(struct its *its, const struct its_call *call);
};

/* Never NULL: one without a name for what there is not. */
const struct its_op *its_op_of(const struct its_command *cmd);
/* The field as a number; `itt` is the address. */
uint64_t its_field_of(const struct its_command *cmd, enum its_field field);
/* Room for `n` commands more: 0 or -ENOMEM. */
int its_out_reserve(struct its *its, size_t n);
void its_out_mapc(struct its *its, uint32_t icid, bool valid);
void its_out_mapd(struct its *its, uint32_t device);
void its_out_mapti(struct its *its, uint32_t device, uint32_t event, const struct ite *ite);

/* --- its_queue.c ------------------------------------------------------------------------------- */

/* There may be something to do. Under the lock. */
void its_kick(struct its *its);
void its_work(struct loop_work *work);
/* Whether an ID has an entry in a table of the guest's, itself in RAM. Without the lock. */
bool its_table_holds(const struct guest_mem *mem, uint64_t baser, uint32_t id);
/* Tells the sink, from the beginning, of all that is mapped. With vCPUs held. */
int its_rebuild(struct its *its);
uint64_t its_queue_size(uint64_t cbaser);

/* --- its_state.c, its_debug.c ------------------------------------------------------------------ */

/* Whether a register may have this value (its.c). */
bool its_baser_ok(unsigned int table, uint64_t value);
bool its_cbaser_ok(uint64_t value);
/* Queue and tables are valid. */
bool its_may_enable(const struct its_regs *regs);
void its_state(struct device *dev, struct state *s);
void its_stat(struct device *dev, struct json_out *out);
void its_debug(struct device *dev, struct json_out *out);
/* Counts, logs and traces what a command came to. */
void its_result(struct its *its, const struct its_call *call, int64_t result, bool injected);
unsigned int its_error_count(void);

#endif
