// SPDX-License-Identifier: GPL-2.0-only
/* MSI-X (PCI Local Bus Specification 3.0, 6.8.2): the table at offset 0 of its BAR, the pending bits
 * in the upper half. */
#include <linux/pci_regs.h>

#include "vmm/core/pci.h"

enum { ENTRY = PCI_MSIX_ENTRY_SIZE, PBA = PCI_MSIX_SIZE / 2 };

static uint16_t control(const struct pci_func *func)
{
	const uint8_t *at = func->config + func->msix_cap + PCI_MSIX_FLAGS;

	return (uint16_t)(at[0] | at[1] << 8);
}

/* A message is a write to memory, which a function may do only as a master. */
static bool can_send(const struct pci_func *func, const struct pci_vector *v)
{
	return !(control(func) & PCI_MSIX_FLAGS_MASKALL) && !v->masked &&
	       func->config[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

static struct msi message_of(const struct pci_func *func, const struct pci_vector *v)
{
	return (struct msi){ v->addr, v->data, func->slot << 3 };
}

static void send(struct pci_func *func, struct pci_vector *v)
{
	const struct msi msi = message_of(func, v);

	v->pending = false;
	func->bus->ops->message(func->bus, &msi);
}

bool pci_msix_message(const struct pci_func *func, unsigned int vector, struct msi *msi)
{
	if (vector >= func->nvectors || !pci_msix_enabled(func) ||
	    !can_send(func, &func->vectors[vector]))
		return false;
	*msi = message_of(func, &func->vectors[vector]);
	return true;
}

void pci_msix_fire(struct pci_func *func, unsigned int vector)
{
	struct pci_vector *v;

	if (vector >= func->nvectors || !pci_msix_enabled(func))
		return;
	v = &func->vectors[vector];
	if (can_send(func, v))
		send(func, v);
	else
		v->pending = true;
}

void pci_msix_changed(struct pci_func *func)
{
	if (func->ops->vectors)
		func->ops->vectors(func);
	for (unsigned int i = 0; pci_msix_enabled(func) && i < func->nvectors; i++)
		if (func->vectors[i].pending && can_send(func, &func->vectors[i]))
			send(func, &func->vectors[i]);
}

void pci_msix_reset(struct pci_func *func)
{
	for (unsigned int i = 0; i < func->nvectors; i++)
		func->vectors[i] = (struct pci_vector){ .masked = PCI_MSIX_ENTRY_CTRL_MASKBIT };
}

/* A word of the table, or of the pending bits. */
static uint32_t read_word(const struct pci_func *func, uint64_t off)
{
	const struct pci_vector *v = &func->vectors[off / ENTRY];
	uint32_t bits = 0;

	if (off >= PBA) {
		unsigned int first = (unsigned int)(off - PBA) * 8;

		for (unsigned int i = first; i < first + 32 && i < func->nvectors; i++)
			bits |= (uint32_t)func->vectors[i].pending << (i - first);
		return bits;
	}
	if (off / ENTRY >= func->nvectors)
		return 0;
	switch (off % ENTRY) {
	case PCI_MSIX_ENTRY_LOWER_ADDR:
		return (uint32_t)v->addr;
	case PCI_MSIX_ENTRY_UPPER_ADDR:
		return (uint32_t)(v->addr >> 32);
	case PCI_MSIX_ENTRY_DATA:
		return v->data;
	default:
		return v->masked;
	}
}

static void write_word(struct pci_func *func, uint64_t off, uint32_t val)
{
	struct pci_vector *v = &func->vectors[off / ENTRY];

	if (off / ENTRY >= func->nvectors)
		return;
	switch (off % ENTRY) {
	case PCI_MSIX_ENTRY_LOWER_ADDR:
		v->addr = (v->addr & ~(uint64_t)UINT32_MAX) | (val & ~3U);
		break;
	case PCI_MSIX_ENTRY_UPPER_ADDR:
		v->addr = (v->addr & UINT32_MAX) | (uint64_t)val << 32;
		break;
	case PCI_MSIX_ENTRY_DATA:
		v->data = val;
		break;
	default:
		v->masked = val & PCI_MSIX_ENTRY_CTRL_MASKBIT;
	}
}

uint64_t pci_msix_read(const struct pci_func *func, uint64_t off, unsigned int size)
{
	uint64_t val;

	if (size < 4)
		return 0;
	val = read_word(func, off);
	return size == 8 ? val | (uint64_t)read_word(func, off + 4) << 32 : val;
}

void pci_msix_write(struct pci_func *func, uint64_t off, unsigned int size, uint64_t val)
{
	if (size < 4)
		return;
	write_word(func, off, (uint32_t)val);
	if (size == 8)
		write_word(func, off + 4, (uint32_t)(val >> 32));
	pci_msix_changed(func);
}

void pci_msix_state(struct pci_func *func, struct state *s)
{
	for (unsigned int i = 0; i < func->nvectors; i++) {
		struct pci_vector *v = &func->vectors[i];

		state_u64(s, "msix_addr", &v->addr);
		state_u32(s, "msix_data", &v->data);
		state_u32(s, "msix_masked", &v->masked);
		state_bool(s, "msix_pending", &v->pending);
		state_check(s, v->masked <= PCI_MSIX_ENTRY_CTRL_MASKBIT && !(v->addr & 3), "msix");
	}
}
