/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_DEVICE_H
#define VMM_CORE_DEVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "vmm/core/fail.h"
#include "vmm/core/irq.h"
#include "vmm/core/mem.h"

struct bus;
struct device;
struct fdt;
struct json_out;
struct log;
struct loop;
struct pci_bus;
struct regpage;
struct state;
struct stores;

/*
 * What every device can do. The caller holds the device's lock for reset and state, and no vCPU
 * runs and the loop is idle for describe and destroy.
 */
struct device_ops {
	/* Back to power-on state; host resources (files, taps) stay open. */
	void (*reset)(struct device *dev);
	/* Saves or loads everything the guest could tell apart, in one function (state.h).
	 * After loading, derived things (interrupt level, doorbells, timers) are set anew. */
	void (*state)(struct device *dev, struct state *s);
	/* Adds its device-tree node at the root; may be NULL for what has none. */
	void (*describe)(struct device *dev, struct fdt *fdt);
	/* Adds members that count what it has done since its reset; may be NULL. Loop thread, lock
	 * held. */
	void (*stat)(struct device *dev, struct json_out *out);
	/* Takes what only one machine of a host can have (the lock of a disk, a tap), or gives it
	 * back; what is so already stays. Nothing is under way, nor is begun before it is taken
	 * again. 0 or -errno with `fail` set. NULL: it has none. The lock is held. */
	int (*hold)(struct device *dev, bool on, struct fail *fail);
	/* Frees everything; accepts a half-built object. Its regions are left on the bus, which
	 * is torn down with it. */
	void (*destroy)(struct device *dev);
	/* Adds members (json.h, at most 20) that tell a person of its insides; may be NULL. The caller
	 * holds the device's lock; no vCPU runs. */
	void (*debug)(struct device *dev, struct json_out *out);
};

/* What the machine gives a device at creation. Everything is borrowed and outlives the device. */
struct device_env {
	struct guest_mem *mem;
	struct bus *bus;
	struct loop *loop;
	struct log *log;
	gpa_t base; /* where its registers go */
	struct regpage *page; /* what the guest can read of them without an exit; NULL: nothing */
	struct stores *stores; /* a queue of stores for this device alone; NULL: none */
	/* It is not to be taken at creation, but by hold(). */
	bool held_elsewhere;
	struct irq irq; /* copied into the device */
	struct pci_bus *pci; /* for functions of it, which have no irq and no base; or NULL */
};

struct device {
	const struct device_ops *ops;
	char name[24]; /* unique in the machine, as in the device tree: "pl011@9000000" */
	/* Taken by bus and loop around each callback; device authors take none. */
	pthread_mutex_t lock;
	unsigned int initiator; /* the vCPU whose access a handler serves; the bus sets it */
	struct device_env env;
};

/* Fills the common part: name "TYPE@BASE", lock, env. */
void device_init(struct device *dev, const struct device_ops *ops, const char *type,
		 const struct device_env *env);

/* The lock's end; `destroy` calls it last, before freeing. Accepts what device_init never saw
 * (all zero). */
void device_fini(struct device *dev);

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
