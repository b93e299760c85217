/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_PCI_H
#define VMM_CORE_PCI_H

#include "vmm/core/device.h"
#include "vmm/core/state.h"

/*
 * A PCI function as its device makes it: configuration space, memory BARs, capabilities, MSI-X and
 * pin INTA (PCI Local Bus Specification 3.0, chapters 6 and 6.8.2). The bus that it sits on is
 * devices/pci; neither knows the other's inside.
 *
 * Everything here is called under the lock of the function's device. The bus takes it around config
 * and BAR accesses, with its own held: lock order is bus, device, interrupt controller.
 */
enum { PCI_BARS = 6, PCI_CONFIG_SIZE = 256, PCI_VECTORS_MAX = 128, PCI_MSIX_SIZE = 0x1000 };
#define PCI_NOWHERE (~0ULL)

struct pci_bus;
struct pci_func;

struct pci_func_ops {
	/* Accesses to a BAR, but for the one of MSI-X; 1, 2, 4 or 8 bytes within it, aligned. */
	uint64_t (*read)(struct pci_func *func, unsigned int bar, uint64_t off, unsigned int size);
	void (*write)(struct pci_func *func, unsigned int bar, uint64_t off, unsigned int size,
		      uint64_t val);
	/* bars[bar].addr has changed; may be NULL. */
	void (*moved)(struct pci_func *func, unsigned int bar);
	/* What a vector sends, or whether it does, may have changed; may be NULL. */
	void (*vectors)(struct pci_func *func);
	/* Config space at and above `own_config` is the device's; NULL without it. */
	uint32_t (*config_read)(struct pci_func *func, unsigned int off, unsigned int size);
	void (*config_write)(struct pci_func *func, unsigned int off, unsigned int size,
			     uint32_t val);
};

struct pci_ids {
	uint16_t vendor, device, subvendor, subdevice;
	uint32_t class; /* 24 bits */
	uint8_t revision;
};

struct pci_vector {
	uint64_t addr;
	uint32_t data;
	uint32_t masked;
	bool pending;
};

struct pci_func {
	const struct pci_func_ops *ops;
	struct device *dev;
	struct pci_bus *bus;
	unsigned int slot; /* the device number; the bus's */
	uint8_t config[PCI_CONFIG_SIZE], initial[PCI_CONFIG_SIZE];
	uint8_t writable[PCI_CONFIG_SIZE]; /* masks */
	struct {
		uint64_t size; /* 0: none */
		uint64_t addr; /* where it answers now, or PCI_NOWHERE */
	} bars[PCI_BARS];
	unsigned int next_cap, last_cap;
	unsigned int own_config; /* see config_read */
	unsigned int msix_cap, msix_bar, nvectors; /* nvectors 0: no MSI-X */
	struct pci_vector *vectors;
	bool wants; /* its pin */
	bool drives; /* what the bus was told of it */
};

/* --- for devices ------------------------------------------------------------------------------ */

void pci_func_init(struct pci_func *func, const struct pci_func_ops *ops, struct device *dev,
		   const struct pci_ids *ids);
/* A 32-bit memory BAR: a power of two, at least 16 bytes. */
void pci_func_bar(struct pci_func *func, unsigned int bar, uint32_t size);
/* Appends a capability of `len` bytes, the two of id and next included, of which `body` are what
 * follows. Returns its offset. */
unsigned int pci_func_cap(struct pci_func *func, uint8_t id, const void *body, unsigned int len);
/* MSI-X with `n` vectors (1 to PCI_VECTORS_MAX), in a BAR of its own. 0 or -ENOMEM. */
int pci_func_msix(struct pci_func *func, unsigned int bar, unsigned int n);
/* On the bus, when all of that is there. 0, or -ENOSPC. */
int pci_func_attach(struct pci_func *func, struct pci_bus *bus);
/* Accepts what is half built, or all zero. */
void pci_func_fini(struct pci_func *func);

void pci_func_reset(struct pci_func *func);
/* After loading, BARs, messages and the pin are as they were. */
void pci_func_state(struct pci_func *func, struct state *s);

/* Whether messages take the place of the pin. */
bool pci_msix_enabled(const struct pci_func *func);
/* Sends the vector's message, or remembers it while it is masked. Others do nothing. */
void pci_msix_fire(struct pci_func *func, unsigned int vector);
/* Whether the vector would send a message now, and which. */
bool pci_msix_message(const struct pci_func *func, unsigned int vector, struct msi *msi);
/* Drives pin INTA, where the guest has not disabled it. */
void pci_pin(struct pci_func *func, bool level);

/* --- for the bus ------------------------------------------------------------------------------ */

struct pci_bus_ops {
	/* Gives func->slot: 0, or -ENOSPC. */
	int (*add)(struct pci_bus *bus, struct pci_func *func);
	void (*remove)(struct pci_bus *bus, struct pci_func *func);
	void (*pin)(struct pci_bus *bus, struct pci_func *func, bool level);
	void (*message)(struct pci_bus *bus, const struct msi *msi);
	/* As in vmm/core/irqchip.h. */
	int (*route)(struct pci_bus *bus, struct msi_route *route, const struct msi *msi);
};

struct pci_bus {
	const struct pci_bus_ops *ops;
	/* BARs answer in here alone, wherever the guest puts them. */
	gpa_t window;
	uint64_t window_size;
};

/* 1, 2 or 4 bytes, aligned, below PCI_CONFIG_SIZE. */
uint32_t pci_config_read(struct pci_func *func, unsigned int off, unsigned int size);
void pci_config_write(struct pci_func *func, unsigned int off, unsigned int size, uint32_t val);
uint64_t pci_bar_read(struct pci_func *func, unsigned int bar, uint64_t off, unsigned int size);
void pci_bar_write(struct pci_func *func, unsigned int bar, uint64_t off, unsigned int size,
		   uint64_t val);
/* The BAR that has all of these bytes, or -1. */
int pci_bar_at(const struct pci_func *func, gpa_t addr, unsigned int size);

/* Private: pci.c and pci_msix.c. */
uint64_t pci_msix_read(const struct pci_func *func, uint64_t off, unsigned int size);
void pci_msix_write(struct pci_func *func, uint64_t off, unsigned int size, uint64_t val);
void pci_msix_changed(struct pci_func *func);
void pci_msix_reset(struct pci_func *func);
void pci_msix_state(struct pci_func *func, struct state *s);

#endif
