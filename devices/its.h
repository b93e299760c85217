/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEVICES_ITS_H
#define DEVICES_ITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/device.h"

struct fdt;

/*
 * A GICv3 Interrupt Translation Service (IHI 0069, chapter 5 and 12.19): its frame, its command queue
 * and the tables behind it, which turn a message (DeviceID, EventID) into an LPI of a CPU.
 *
 * The LPIs themselves, pending and configured, are the redistributors', which are somebody else's: the
 * sink. It hears of every change that has taken effect, as commands that cannot fail, and gets by
 * itself from a message to an interrupt. So a message needs nothing of what is here.
 *
 * What is mapped is kept in tables of its own, not in those that the guest provides, which only bound
 * how many devices and collections there may be.
 */
enum {
	ITS_SIZE = 0x20000,
	ITS_TRANSLATER = 0x10040, /* offset of GITS_TRANSLATER, where messages go */
	ITS_ID_BITS = 16, /* of DeviceIDs, EventIDs and collections */
	ITS_INTID_BITS = 16,
	ITS_LPI_FIRST = 8192,
	ITS_BATCH = 256, /* commands at a time */
};

/* What commands are answered with (IHI 0069, 5.3 and the list of error codes). A guest does not
 * see it: GITS_TYPER.SEIS is 0. */
#define ITS_ERRORS(X)                           \
	X(MOVI_UNMAPPED_INTERRUPT, 0x010107)    \
	X(MOVI_UNMAPPED_COLLECTION, 0x010109)   \
	X(INT_UNMAPPED_INTERRUPT, 0x010307)     \
	X(CLEAR_UNMAPPED_INTERRUPT, 0x010507)   \
	X(MAPD_DEVICE_OOR, 0x010801)            \
	X(MAPD_ITTSIZE_OOR, 0x010802)           \
	X(MAPC_PROCNUM_OOR, 0x010902)           \
	X(MAPC_COLLECTION_OOR, 0x010903)        \
	X(MAPTI_COLLECTION_OOR, 0x010a03)       \
	X(MAPTI_UNMAPPED_DEVICE, 0x010a04)      \
	X(MAPTI_ID_OOR, 0x010a05)               \
	X(MAPTI_PHYSICALID_OOR, 0x010a06)       \
	X(INV_UNMAPPED_INTERRUPT, 0x010c07)     \
	X(INVALL_UNMAPPED_COLLECTION, 0x010d09) \
	X(MOVALL_PROCNUM_OOR, 0x010e01)         \
	X(DISCARD_UNMAPPED_INTERRUPT, 0x010f07)

enum its_error {
	ITS_OK,
	/* Not the architecture's. */
	ITS_UNKNOWN, /* no such command */
	ITS_UNREADABLE, /* the queue is not in RAM */
	ITS_LPI_TAKEN, /* another event is mapped to it */
	ITS_NO_ROOM, /* more mappings than the tables here may hold (ITS_MEMORY_MAX) */
#define X(name, code) E_ITS_##name = (code),
	ITS_ERRORS(X)
#undef X
};

/* The nth error and its name, "E_ITS_MAPC_PROCNUM_OOR"; NULL behind the last. */
const char *its_error_at(unsigned int n, enum its_error *error);
/* The nth command's name, "MAPTI"; NULL behind the last. */
const char *its_command_at(unsigned int n);

/* As in the queue (5.3). */
struct its_command {
	uint64_t word[4];
};

/* What the sink is to take over, in this order. */
struct its_change {
	bool restart; /* it forgets everything first */
	const struct its_command *commands;
	size_t n;
	bool enabled; /* afterwards: GITS_CTLR.Enabled */
};

struct its_sink {
	void *arg;
	/*
	 * Parks every vCPU: no message is lost by it. Loop thread, no lock held but the ITS's own, and
	 * that only while its state is loaded. *intids: LPIs have to be below (GICR_PROPBASER.IDbits).
	 * 0, or -errno when the machine ends: then there is nothing to release.
	 */
	int (*hold)(void *arg, uint32_t *intids);
	/* In between. 0, or -errno: the guest may miss interrupts. */
	int (*apply)(void *arg, const struct its_change *change);
	void (*release)(void *arg);
	/* A message: 0, or -errno for one that is no interrupt. Any thread. */
	int (*message)(void *arg, uint32_t device, uint32_t event);
};

struct its_config {
	unsigned int cpus; /* targets are 0 to cpus - 1 (GITS_TYPER.PTA is 0) */
	struct its_sink sink;
	/* One decoded line a command; NULL: none. Loop thread. */
	void (*trace)(void *arg, const char *line);
	void *trace_arg;
	/* Whether this command is to do nothing but give *result; NULL: none is. */
	bool (*inject)(void *arg, const char *command, int64_t *result);
	void *inject_arg;
};

/* Makes the device and claims its frame, ITS_SIZE at env->base. Of env it uses mem, bus, loop, log.
 * 0, or -errno with `fail` set. */
int its_create(const struct device_env *env, const struct its_config *cfg, struct device **out,
	       struct fail *fail);

/* A message by a device: 0, -ENXIO if it is not to GITS_TRANSLATER, or the sink's error. Takes no
 * lock. */
int its_message(struct device *dev, const struct msi *msi);

/* Its node, a child of the interrupt controller's (arm,gic-v3.yaml), with phandle FDT_PHANDLE_MSI. */
void its_describe(const struct device *dev, struct fdt *fdt);

/* For tests: what a message would be now: 0, or -ENOENT. The caller holds the device's lock. */
int its_translate(struct device *dev, uint32_t device, uint32_t event, uint32_t *intid,
		  uint32_t *cpu);

#endif
