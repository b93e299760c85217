// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/pci.h"

#include <assert.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

static void put(uint8_t *at, uint32_t val, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++)
		at[i] = (uint8_t)(val >> 8 * i);
}

static uint32_t get(const uint8_t *at, unsigned int size)
{
	uint32_t val = 0;

	for (unsigned int i = 0; i < size; i++)
		val |= (uint32_t)at[i] << 8 * i;
	return val;
}

static uint32_t command(const struct pci_func *func)
{
	return get(func->config + PCI_COMMAND, 2);
}

/* --- building --------------------------------------------------------------------------------- */

void pci_func_init(struct pci_func *func, const struct pci_func_ops *ops, struct device *dev,
		   const struct pci_ids *ids)
{
	*func = (struct pci_func){ .ops = ops, .dev = dev, .next_cap = PCI_STD_HEADER_SIZEOF };
	func->own_config = PCI_CONFIG_SIZE;
	put(func->initial + PCI_VENDOR_ID, ids->vendor, 2);
	put(func->initial + PCI_DEVICE_ID, ids->device, 2);
	put(func->initial + PCI_CLASS_REVISION, ids->class << 8 | ids->revision, 4);
	put(func->initial + PCI_SUBSYSTEM_VENDOR_ID, ids->subvendor, 2);
	put(func->initial + PCI_SUBSYSTEM_ID, ids->subdevice, 2);
	func->initial[PCI_INTERRUPT_PIN] = 1;
	put(func->writable + PCI_COMMAND,
	    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE, 2);
	func->writable[PCI_INTERRUPT_LINE] = 0xff;
	for (unsigned int i = 0; i < PCI_BARS; i++)
		func->bars[i].addr = PCI_NOWHERE;
}

void pci_func_bar(struct pci_func *func, unsigned int bar, uint32_t size)
{
	assert(bar < PCI_BARS && size >= 16 && !(size & (size - 1)));
	func->bars[bar].size = size;
	put(func->writable + PCI_BASE_ADDRESS_0 + 4 * bar, -size, 4);
}

unsigned int pci_func_cap(struct pci_func *func, uint8_t id, const void *body, unsigned int len)
{
	unsigned int at = func->next_cap;

	assert(at + len <= PCI_CONFIG_SIZE);
	func->initial[at] = id;
	memcpy(func->initial + at + 2, body, len - 2);
	func->initial[func->last_cap ? func->last_cap + 1 : PCI_CAPABILITY_LIST] = (uint8_t)at;
	put(func->initial + PCI_STATUS, PCI_STATUS_CAP_LIST, 2);
	func->last_cap = at;
	func->next_cap = (at + len + 3) & ~3U;
	return at;
}

int pci_func_msix(struct pci_func *func, unsigned int bar, unsigned int n)
{
	struct {
		uint16_t control;
		uint32_t table, pba;
	} __attribute__((packed)) body = { (uint16_t)(n - 1), bar, PCI_MSIX_SIZE / 2 | bar };

	assert(n && n <= PCI_VECTORS_MAX);
	func->vectors = calloc(n, sizeof(*func->vectors));
	if (!func->vectors)
		return -ENOMEM;
	func->nvectors = n;
	func->msix_bar = bar;
	pci_func_bar(func, bar, PCI_MSIX_SIZE);
	func->msix_cap = pci_func_cap(func, PCI_CAP_ID_MSIX, &body, PCI_CAP_MSIX_SIZEOF);
	put(func->writable + func->msix_cap + PCI_MSIX_FLAGS,
	    PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 2);
	return 0;
}

int pci_func_attach(struct pci_func *func, struct pci_bus *bus)
{
	int err = bus->ops->add(bus, func);

	if (err)
		return err;
	func->bus = bus;
	pci_func_reset(func);
	return 0;
}

void pci_func_fini(struct pci_func *func)
{
	if (func->bus)
		func->bus->ops->remove(func->bus, func);
	func->bus = NULL;
	free(func->vectors);
	func->vectors = NULL;
	func->nvectors = 0;
}

/* --- what follows from config space ------------------------------------------------------------ */

/* Nowhere unless decoding is on and all of it is in the bus's window. */
static uint64_t decoded(const struct pci_func *func, unsigned int bar)
{
	uint64_t size = func->bars[bar].size;
	uint64_t addr = get(func->config + PCI_BASE_ADDRESS_0 + 4 * bar, 4);
	uint64_t off = addr - func->bus->window;

	if (!size || !(command(func) & PCI_COMMAND_MEMORY) || off >= func->bus->window_size ||
	    size > func->bus->window_size - off)
		return PCI_NOWHERE;
	return addr;
}

static void settle_bars(struct pci_func *func)
{
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		uint64_t addr = decoded(func, i);

		if (addr == func->bars[i].addr)
			continue;
		func->bars[i].addr = addr;
		if (func->ops->moved)
			func->ops->moved(func, i);
	}
}

static void settle_pin(struct pci_func *func)
{
	bool drives = func->wants && !pci_msix_enabled(func) &&
		      !(command(func) & PCI_COMMAND_INTX_DISABLE);

	if (drives == func->drives)
		return;
	func->drives = drives;
	func->bus->ops->pin(func->bus, func, drives);
}

static void settle(struct pci_func *func)
{
	settle_bars(func);
	settle_pin(func);
	pci_msix_changed(func);
}

void pci_pin(struct pci_func *func, bool level)
{
	func->wants = level;
	settle_pin(func);
}

bool pci_msix_enabled(const struct pci_func *func)
{
	return func->nvectors &&
	       get(func->config + func->msix_cap + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_ENABLE;
}

void pci_func_reset(struct pci_func *func)
{
	memcpy(func->config, func->initial, sizeof(func->config));
	func->wants = false;
	pci_msix_reset(func);
	settle(func);
}

/* Bytes that nobody can write are what they were built as. */
static bool is_possible(const struct pci_func *func, const uint8_t *config)
{
	for (unsigned int i = 0; i < PCI_CONFIG_SIZE; i++)
		if ((config[i] ^ func->initial[i]) & ~func->writable[i])
			return false;
	return true;
}

void pci_func_state(struct pci_func *func, struct state *s)
{
	uint8_t config[PCI_CONFIG_SIZE];

	memcpy(config, func->config, sizeof(config));
	state_bytes(s, "config", config, sizeof(config));
	state_bool(s, "pin", &func->wants);
	pci_msix_state(func, s);
	if (!s->loading)
		return;
	if (!state_check(s, is_possible(func, config), "config")) {
		pci_func_reset(func);
		return;
	}
	memcpy(func->config, config, sizeof(config));
	settle(func);
}

/* --- accesses --------------------------------------------------------------------------------- */

uint32_t pci_config_read(struct pci_func *func, unsigned int off, unsigned int size)
{
	uint8_t bytes[4];

	if (off >= func->own_config)
		return func->ops->config_read(func, off, size);
	memcpy(bytes, func->config + off, size);
	if (off <= PCI_STATUS && off + size > PCI_STATUS && func->wants)
		bytes[PCI_STATUS - off] |= PCI_STATUS_INTERRUPT;
	return get(bytes, size);
}

void pci_config_write(struct pci_func *func, unsigned int off, unsigned int size, uint32_t val)
{
	if (off >= func->own_config) {
		func->ops->config_write(func, off, size, val);
		return;
	}
	for (unsigned int i = 0; i < size; i++) {
		uint8_t mask = func->writable[off + i];

		func->config[off + i] =
			(uint8_t)((func->config[off + i] & ~mask) | (val >> 8 * i & mask));
	}
	settle(func);
}

int pci_bar_at(const struct pci_func *func, gpa_t addr, unsigned int size)
{
	for (int i = 0; i < PCI_BARS; i++) {
		uint64_t off = addr - func->bars[i].addr;

		if (func->bars[i].addr != PCI_NOWHERE && off < func->bars[i].size &&
		    size <= func->bars[i].size - off)
			return i;
	}
	return -1;
}

uint64_t pci_bar_read(struct pci_func *func, unsigned int bar, uint64_t off, unsigned int size)
{
	if (func->nvectors && bar == func->msix_bar)
		return pci_msix_read(func, off, size);
	return func->ops->read(func, bar, off, size);
}

void pci_bar_write(struct pci_func *func, unsigned int bar, uint64_t off, unsigned int size,
		   uint64_t val)
{
	if (func->nvectors && bar == func->msix_bar)
		pci_msix_write(func, off, size, val);
	else
		func->ops->write(func, bar, off, size, val);
}
