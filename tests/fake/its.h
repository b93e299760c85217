/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_ITS_H
#define TESTS_FAKE_ITS_H

#include "devices/its.h"
#include "vmm/core/bus.h"
#include "vmm/core/log.h"
#include "vmm/core/loop.h"
#include "vmm/core/mem.h"

/*
 * An ITS with a guest in front of it and, behind it, a sink: a second, much simpler ITS that takes
 * the commands which the first one sends on, and aborts at one that could fail. Its LPIs are as the
 * kernel's: a target, a pending bit, and a byte of configuration that INV and INVALL read again.
 */
enum {
	FAKE_ITS_BASE = 0x8080000,
	FAKE_ITS_RAM = 0x40000000,
	FAKE_ITS_RAM_SIZE = 4 << 20,
	/* Offsets in RAM. */
	FAKE_ITS_QUEUE = 0,
	FAKE_ITS_QUEUE_SIZE = 0x10000,
	FAKE_ITS_DEVICES = 0x100000,
	FAKE_ITS_COLLECTIONS = 0x180000,
	FAKE_ITS_CONFIG = 0x200000, /* of LPI 8192 */
	FAKE_ITS_CPUS = 4,
	FAKE_ITS_IDS = 1 << 16,
};

struct fake_sink_event {
	uint32_t intid; /* 0: not mapped */
	int32_t icid; /* -1: in no collection */
};

struct fake_sink_dev {
	unsigned int bits; /* 0: not mapped */
	struct fake_sink_event *events;
};

struct fake_its {
	struct guest_mem mem;
	uint8_t *ram;
	struct bus bus;
	struct loop *loop;
	struct log log;
	struct its_config cfg;
	struct device *dev;
	uint64_t written; /* offset of the next command in the queue */

	/* The sink. */
	struct fake_sink_dev devs[FAKE_ITS_IDS];
	int16_t colls[FAKE_ITS_IDS]; /* the CPU; -1: not mapped */
	int16_t target[FAKE_ITS_IDS]; /* of LPIs */
	uint8_t pending[FAKE_ITS_IDS], config[FAKE_ITS_IDS];
	uint32_t ndevs, nintids; /* above these none was used */
	uint32_t intids; /* what hold() says */
	bool held, enabled;
	int hold_err, apply_err;
	unsigned int holds, restarts, messages;
	uint64_t commands, reads; /* reads: of configuration */
};

/* With `cpus` CPUs; queue and tables are in their registers, and the ITS is enabled. */
void fake_its_init(struct fake_its *f, unsigned int cpus);
void fake_its_fini(struct fake_its *f);
/* Made anew, with f->cfg as it is now: nothing is in its registers. */
void fake_its_recreate(struct fake_its *f);
/* As after fake_its_init(), by the device's reset. */
void fake_its_reset(struct fake_its *f);
void fake_its_enable(struct fake_its *f);

uint64_t fake_its_read(struct fake_its *f, uint64_t off, unsigned int size);
void fake_its_write(struct fake_its *f, uint64_t off, unsigned int size, uint64_t val);

/* Puts a command into the queue, and lets the ITS take all that was put. Whether it has taken it. */
void fake_its_put(struct fake_its *f, const struct its_command *cmd);
bool fake_its_go(struct fake_its *f);
/* Runs the loop until there is nothing to do. */
void fake_its_settle(struct fake_its *f);

/* What a message is for the sink: 0 or -ENOENT. */
int fake_its_sent(const struct fake_its *f, uint32_t device, uint32_t event, uint32_t *intid,
		  uint32_t *cpu);

/* --- commands ---------------------------------------------------------------------------------- */

static inline struct its_command its_event_cmd(unsigned int op, uint32_t device, uint32_t event)
{
	return (struct its_command){ { op | (uint64_t)device << 32, event, 0, 0 } };
}

static inline struct its_command its_mapd_cmd(uint32_t device, unsigned int bits, bool valid)
{
	return (struct its_command){ { 0x08 | (uint64_t)device << 32, bits - 1,
				       (uint64_t)valid << 63 | 0x40300000, 0 } };
}

static inline struct its_command its_mapc_cmd(uint32_t icid, uint64_t cpu, bool valid)
{
	return (struct its_command){ { 0x09, 0, icid | cpu << 16 | (uint64_t)valid << 63, 0 } };
}

static inline struct its_command its_mapti_cmd(uint32_t device, uint32_t event, uint32_t intid,
					       uint32_t icid)
{
	return (struct its_command){ { 0x0a | (uint64_t)device << 32, event | (uint64_t)intid << 32,
				       icid, 0 } };
}

static inline struct its_command its_mapi_cmd(uint32_t device, uint32_t event, uint32_t icid)
{
	return (struct its_command){ { 0x0b | (uint64_t)device << 32, event, icid, 0 } };
}

static inline struct its_command its_movi_cmd(uint32_t device, uint32_t event, uint32_t icid)
{
	return (struct its_command){ { 0x01 | (uint64_t)device << 32, event, icid, 0 } };
}

static inline struct its_command its_movall_cmd(uint64_t from, uint64_t to)
{
	return (struct its_command){ { 0x0e, 0, from << 16, to << 16 } };
}

static inline struct its_command its_invall_cmd(uint32_t icid)
{
	return (struct its_command){ { 0x0d, 0, icid, 0 } };
}

#endif
