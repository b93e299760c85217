// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/saved.h"
#include "devices/pci.h"

#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "virtio/pci.h"
#include "virtio/rng.h"

/* Two functions behind a bridge: any access to configuration space and to the window, with a ring
 * that the device may be started on. */
enum { ACTIONS_MAX = 300, WINDOW_SIZE = 0x40000, FUNCS = 2, ROUNDS = 4 };
#define ECAM   0x3f000000ULL
#define WINDOW 0x10000000ULL

struct target {
	struct fuzz f;
	struct irqchip chip;
	struct device *bridge, *devices[FUNCS];
	struct fake_irq lines[PCI_LINES];
};

static int message(struct irqchip *chip, const struct msi *msi)
{
	(void)chip;
	FUZZ_CHECK(msi->device == 1 << 3 || msi->device == 2 << 3);
	FUZZ_CHECK(!(msi->addr & 3));
	return -1;
}

static const struct irqchip_ops chip_ops = { .message = message };

static void write_at(struct target *t, uint64_t addr, unsigned int size, uint64_t val)
{
	bus_write(&t->f.g.bus, addr, size, val);
}

static uint64_t config(unsigned int slot, unsigned int reg)
{
	return ECAM + (slot << 15) + reg;
}

/* Where a driver would begin: BARs placed, decoding on. */
static void place(struct target *t, unsigned int slot, uint32_t at)
{
	write_at(t, config(slot, PCI_BASE_ADDRESS_0), 4, WINDOW + at);
	write_at(t, config(slot, PCI_BASE_ADDRESS_1), 4, WINDOW + at + 0x4000);
	write_at(t, config(slot, PCI_COMMAND), 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

/* The common configuration of the function at `at`, driven to DRIVER_OK. */
static void start(struct target *t, uint32_t at)
{
	const uint64_t common = WINDOW + at;
	struct fake_ring *ring = &t->f.g.rings[0];

	fake_ring_init(ring, &t->f.g.mem, FAKE_RAM_BASE, 8);
	write_at(t, common + VIRTIO_PCI_COMMON_STATUS, 1, 0);
	write_at(t, common + VIRTIO_PCI_COMMON_STATUS, 1, 3);
	write_at(t, common + VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	write_at(t, common + VIRTIO_PCI_COMMON_GF, 4, 1 | fuzz_u8(&t->f) << 1);
	write_at(t, common + VIRTIO_PCI_COMMON_STATUS, 1, 11);
	write_at(t, common + VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	write_at(t, common + VIRTIO_PCI_COMMON_Q_MSIX, 2, fuzz_u8(&t->f) % 4);
	write_at(t, common + VIRTIO_PCI_COMMON_Q_DESCLO, 8, ring->desc);
	write_at(t, common + VIRTIO_PCI_COMMON_Q_AVAILLO, 8, ring->avail);
	write_at(t, common + VIRTIO_PCI_COMMON_Q_USEDLO, 8, ring->used);
	write_at(t, common + VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	write_at(t, common + VIRTIO_PCI_COMMON_STATUS, 1, 15);
}

static void request(struct target *t, uint32_t at)
{
	const struct fake_buf buf = { FAKE_DATA, 16, true };

	fake_ring_add(&t->f.g.rings[0], &buf, 1);
	write_at(t, WINDOW + at + 0x3000, 2, 0);
	for (int i = 0; i < ROUNDS; i++)
		loop_poll(t->f.g.loop, 0);
}

/* What a device saves it loads, and it is the same then. */
static void save_and_load(struct target *t)
{
	struct device *dev = t->devices[fuzz_u8(&t->f) % FUNCS];
	struct stream saved, again;

	loop_drain(t->f.g.loop);
	saved = device_saved(dev);
	FUZZ_CHECK(!device_load(dev, saved.buf, saved.len));
	again = device_saved(dev);
	FUZZ_CHECK(saved.len == again.len && !memcmp(saved.buf, again.buf, saved.len));
	if (saved.len)
		saved.buf[fuzz_u16(&t->f) % saved.len] ^= fuzz_u8(&t->f);
	device_load(dev, saved.buf, saved.len);
	stream_close(&saved);
	stream_close(&again);
}

static void access(struct target *t, uint64_t base, uint64_t size)
{
	struct fuzz *f = &t->f;
	uint64_t addr = base + fuzz_u32(f) % size;
	uint8_t how = fuzz_u8(f);
	uint64_t val = how & 4 ? fuzz_u32(f) : fuzz_u8(f);

	if (how & 8)
		val += how & 16 ? WINDOW : FAKE_RAM_BASE;
	if (how & 32)
		bus_read(&f->g.bus, addr, 1U << (how & 3), &val);
	else
		write_at(t, addr, 1U << (how & 3), val);
}

static void act(struct target *t)
{
	uint8_t pick = fuzz_u8(&t->f);
	unsigned int slot = 1 + (pick >> 3) % FUNCS;
	uint32_t at = (uint32_t)(pick >> 4) * 0x4000;

	switch (pick & 7) {
	case 0:
		place(t, slot, at);
		break;
	case 1:
		start(t, at);
		break;
	case 2:
		request(t, at);
		break;
	case 3:
		access(t, config(slot, 0), 0x100);
		break;
	case 4:
		save_and_load(t);
		break;
	case 5:
		access(t, WINDOW + at, 0x40);
		break;
	case 6:
		access(t, ECAM, PCI_ECAM_SIZE);
		break;
	default:
		access(t, WINDOW, WINDOW_SIZE);
	}
	FUZZ_CHECK(t->f.g.bus.ndoorbells <= FUNCS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct rng_config rng = { .transport = &virtio_pci };
	static struct target t;
	const struct pci_config cfg = { WINDOW, WINDOW_SIZE, &t.chip };
	struct device_env env;

	fuzz_init(&t.f, data, len, 1);
	t.chip.ops = &chip_ops;
	env = t.f.g.env;
	env.base = ECAM;
	FUZZ_CHECK(!pci_create(&env, &cfg, &t.bridge, NULL));
	for (unsigned int i = 0; i < PCI_LINES; i++)
		*pci_irq(t.bridge, i) = fake_irq(&t.lines[i]);
	env = t.f.g.env;
	env.pci = pci_bus(t.bridge);
	for (int i = 0; i < FUNCS; i++)
		FUZZ_CHECK(!rng_create(&env, &rng, &t.devices[i], NULL));
	fake_ring_init(&t.f.g.rings[0], &t.f.g.mem, FAKE_RAM_BASE, 8);
	for (int i = 0; i < ACTIONS_MAX && t.f.at < t.f.end; i++)
		act(&t);
	for (int i = 0; i < FUNCS; i++)
		t.devices[i]->ops->destroy(t.devices[i]);
	FUZZ_CHECK(!t.f.g.bus.ndoorbells);
	for (unsigned int i = 0; i < PCI_LINES; i++)
		FUZZ_CHECK(!t.lines[i].level);
	t.bridge->ops->destroy(t.bridge);
	fuzz_fini(&t.f);
	return 0;
}
