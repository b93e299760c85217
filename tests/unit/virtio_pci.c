// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <string.h>

#include "devices/pci.h"
#include "tests/fake/driver.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "virtio/pci.h"
#include "virtio/rng.h"

/* The transport as a driver sees it, from configuration space on, by the simplest device. */

enum { NUM = 8, WINDOW_SIZE = 0x100000, WIDTHS = 4 };
#define ECAM   0x3f000000ULL
#define WINDOW 0x10000000ULL
#define BAR0   (WINDOW + 0x4000)
#define BAR1   (WINDOW + 0x10000)

enum { ACK = VIRTIO_CONFIG_S_ACKNOWLEDGE, DRIVER = VIRTIO_CONFIG_S_DRIVER };
enum { FEATURES_OK = VIRTIO_CONFIG_S_FEATURES_OK, DRIVER_OK = VIRTIO_CONFIG_S_DRIVER_OK };
enum { QUEUE_RESET = 58 };

/* A guest, its bus and what comes out of it. */
struct rig {
	struct fake_guest g;
	struct irqchip chip;
	struct device *bridge;
	struct fake_irq lines[PCI_LINES];
	struct msi last;
	unsigned int nsent;
	struct msi routed; /* where the last route leads */
	unsigned int nroutes, recalls;
	bool no_routes;
	/* Where the driver found the parts. */
	uint64_t common, isr, notify;
	unsigned int window; /* the capability in configuration space */
};

static struct rig rig, other;

static int message(struct irqchip *chip, const struct msi *msi)
{
	struct rig *r = container_of(chip, struct rig, chip);

	r->last = *msi;
	r->nsent++;
	return 0;
}

static int route(struct irqchip *chip, struct msi_route *route, const struct msi *msi)
{
	struct rig *r = container_of(chip, struct rig, chip);

	r->nroutes++;
	route->connected = msi && !r->no_routes;
	if (msi)
		r->routed = *msi;
	return msi && r->no_routes ? -ENOSPC : 0;
}

static const struct irqchip_ops chip_ops = { .message = message, .route = route };

/* A class whose queue is served by others. */
static void recall(struct virtio_dev *vdev, unsigned int q)
{
	ck_assert_uint_eq(q, 0);
	rig.recalls++;
	virtio_pci.callfd(vdev, q);
}

static void rig_init(struct rig *r)
{
	static const struct rng_config config = { .transport = &virtio_pci };
	struct pci_config cfg = { WINDOW, WINDOW_SIZE, &r->chip };
	struct fail fail = { 0 };
	struct device_env env;

	memset(r, 0, sizeof(*r));
	fake_guest_init(&r->g);
	r->chip.ops = &chip_ops;
	env = r->g.env;
	env.base = ECAM;
	ck_assert_int_eq(pci_create(&env, &cfg, &r->bridge, &fail), 0);
	for (unsigned int i = 0; i < PCI_LINES; i++)
		*pci_irq(r->bridge, i) = fake_irq(&r->lines[i]);
	env = r->g.env;
	env.pci = pci_bus(r->bridge);
	ck_assert_msg(!rng_create(&env, &config, &r->g.dev, &fail), "%s", fail.text);
}

static void rig_fini(struct rig *r)
{
	r->g.dev->ops->destroy(r->g.dev);
	r->g.dev = NULL;
	r->bridge->ops->destroy(r->bridge);
	fake_guest_fini(&r->g);
}

/* --- a driver ---------------------------------------------------------------------------------- */

static uint64_t rd(struct rig *r, uint64_t addr, unsigned int size)
{
	uint64_t val;

	ck_assert_int_eq(bus_read(&r->g.bus, addr, size, &val), 0);
	return val;
}

static void wr(struct rig *r, uint64_t addr, unsigned int size, uint64_t val)
{
	ck_assert_int_eq(bus_write(&r->g.bus, addr, size, val), 0);
}

static uint64_t cfg(unsigned int reg)
{
	return ECAM + (1 << 15) + reg;
}

/* Places the BARs and finds the parts by their capabilities. */
static void find_parts(struct rig *r)
{
	unsigned int seen = 0;

	wr(r, cfg(PCI_BASE_ADDRESS_0), 4, BAR0);
	wr(r, cfg(PCI_BASE_ADDRESS_1), 4, BAR1);
	wr(r, cfg(PCI_COMMAND), 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	for (unsigned int at = (unsigned int)rd(r, cfg(PCI_CAPABILITY_LIST), 1); at;
	     at = (unsigned int)rd(r, cfg(at + 1), 1)) {
		unsigned int type = (unsigned int)rd(r, cfg(at + 3), 1);
		uint64_t addr = BAR0 + rd(r, cfg(at + 8), 4);

		if (rd(r, cfg(at), 1) != PCI_CAP_ID_VNDR)
			continue;
		ck_assert_uint_eq(rd(r, cfg(at + 4), 1), 0);
		seen |= 1U << type;
		if (type == VIRTIO_PCI_CAP_COMMON_CFG)
			r->common = addr;
		else if (type == VIRTIO_PCI_CAP_ISR_CFG)
			r->isr = addr;
		else if (type == VIRTIO_PCI_CAP_NOTIFY_CFG)
			r->notify = addr;
		else if (type == VIRTIO_PCI_CAP_PCI_CFG)
			r->window = at;
	}
	/* The rng has no configuration of its own. */
	ck_assert_uint_eq(seen, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5);
}

static uint64_t field(struct rig *r, unsigned int off, unsigned int size)
{
	return rd(r, r->common + off, size);
}

static void set_field(struct rig *r, unsigned int off, unsigned int size, uint64_t val)
{
	wr(r, r->common + off, size, val);
}

static bool negotiate(struct rig *r)
{
	set_field(r, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	set_field(r, VIRTIO_PCI_COMMON_STATUS, 1, ACK | DRIVER);
	for (uint32_t sel = 0; sel < 2; sel++) {
		set_field(r, VIRTIO_PCI_COMMON_DFSELECT, 4, sel);
		set_field(r, VIRTIO_PCI_COMMON_GFSELECT, 4, sel);
		/* A split ring, without event index. */
		set_field(r, VIRTIO_PCI_COMMON_GF, 4,
			  field(r, VIRTIO_PCI_COMMON_DF, 4) &
				  (sel ? 1 | 1 << (VIRTIO_F_RING_RESET - 32) : 0));
	}
	set_field(r, VIRTIO_PCI_COMMON_STATUS, 1, ACK | DRIVER | FEATURES_OK);
	return field(r, VIRTIO_PCI_COMMON_STATUS, 1) & FEATURES_OK;
}

static void open_queue(struct rig *r)
{
	struct fake_ring *ring = &r->g.rings[0];

	fake_ring_init(ring, &r->g.mem, FAKE_RAM_BASE, NUM);
	set_field(r, VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	set_field(r, VIRTIO_PCI_COMMON_Q_SIZE, 2, NUM);
	set_field(r, VIRTIO_PCI_COMMON_Q_DESCLO, 8, ring->desc);
	set_field(r, VIRTIO_PCI_COMMON_Q_AVAILLO, 4, ring->avail);
	set_field(r, VIRTIO_PCI_COMMON_Q_AVAILHI, 4, 0);
	set_field(r, VIRTIO_PCI_COMMON_Q_USEDLO, 8, ring->used);
	set_field(r, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	ck_assert_uint_eq(field(r, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
	set_field(r, VIRTIO_PCI_COMMON_STATUS, 1, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
}

static unsigned int msix_on(struct rig *r)
{
	unsigned int at = (unsigned int)rd(r, cfg(PCI_CAPABILITY_LIST), 1);

	while (rd(r, cfg(at), 1) != PCI_CAP_ID_MSIX)
		at = (unsigned int)rd(r, cfg(at + 1), 1);
	wr(r, cfg(at + PCI_MSIX_FLAGS), 2, PCI_MSIX_FLAGS_ENABLE);
	for (unsigned int i = 0; i < 2; i++) {
		wr(r, BAR1 + 16 * i, 8, 0x8080040);
		wr(r, BAR1 + 16 * i + 8, 8, 500 + i);
	}
	set_field(r, VIRTIO_PCI_COMMON_MSIX, 2, 0);
	set_field(r, VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	set_field(r, VIRTIO_PCI_COMMON_Q_MSIX, 2, 1);
	return at;
}

static void request(struct rig *r)
{
	const struct fake_buf buf = { FAKE_DATA, 32, true };

	fake_ring_add(&r->g.rings[0], &buf, 1);
	wr(r, r->notify, 2, 0);
}

static bool served(struct rig *r)
{
	uint32_t id, len;

	fake_guest_run(&r->g);
	return fake_ring_used(&r->g.rings[0], &id, &len) && len == 32;
}

static void start(struct rig *r)
{
	find_parts(r);
	ck_assert(negotiate(r));
	open_queue(r);
}

static void setup(void)
{
	rig_init(&rig);
}

static void teardown(void)
{
	rig_fini(&rig);
}

/* --- registers --------------------------------------------------------------------------------- */

START_TEST(identity)
{
	ck_assert_uint_eq(rd(&rig, cfg(PCI_VENDOR_ID), 4), 0x10401af4 + (VIRTIO_ID_RNG << 16));
	ck_assert_uint_eq(rd(&rig, cfg(PCI_REVISION_ID), 1), 1);
	find_parts(&rig);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_NUMQ, 2), 1);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_Q_SIZE, 2), NUM);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_STATUS, 1), 0);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_Q_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
}
END_TEST

/* Any access to BAR 0, of any width: a field has its own, the rest is nothing. */
START_TEST(sweep)
{
	static const uint64_t values[] = { 0, 1, 0xa5a5a5a5a5a5a5a5, UINT64_MAX };
	static const unsigned int widths[WIDTHS] = { 1, 2, 4, 8 };

	start(&rig);
	for (uint64_t at = BAR0; at < BAR0 + 0x4000; at += at - BAR0 < 0x40 ? 1 : 0x33)
		for (unsigned int w = 0; w < WIDTHS; w++)
			for (unsigned int i = 0; i < 4; i++) {
				uint64_t val;

				bus_write(&rig.g.bus, at, widths[w], values[i]);
				bus_read(&rig.g.bus, at, widths[w], &val);
			}
	/* A field with another width. */
	set_field(&rig, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	set_field(&rig, VIRTIO_PCI_COMMON_STATUS, 2, 1);
	set_field(&rig, VIRTIO_PCI_COMMON_Q_SELECT, 4, 0);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_STATUS, 1), 0);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_DF, 2), 0);
	ck_assert(negotiate(&rig));
	open_queue(&rig);
	request(&rig);
	ck_assert(served(&rig));
}
END_TEST

START_TEST(selectors)
{
	find_parts(&rig);
	set_field(&rig, VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
	set_field(&rig, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	set_field(&rig, VIRTIO_PCI_COMMON_Q_MSIX, 2, 1);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_Q_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
	set_field(&rig, VIRTIO_PCI_COMMON_DFSELECT, 4, 2);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_DF, 4), 0);
	set_field(&rig, VIRTIO_PCI_COMMON_GFSELECT, 4, UINT32_MAX);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_GF, 4), 0);
	/* Vectors that are not there cannot be chosen, and that is told (4.1.5.1.2). */
	set_field(&rig, VIRTIO_PCI_COMMON_MSIX, 2, 2);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
	set_field(&rig, VIRTIO_PCI_COMMON_MSIX, 2, 1);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_MSIX, 2), 1);
}
END_TEST

/* --- requests ---------------------------------------------------------------------------------- */

START_TEST(by_message)
{
	start(&rig);
	msix_on(&rig);
	for (unsigned int i = 0; i < 100; i++) {
		request(&rig);
		ck_assert(served(&rig));
		ck_assert_uint_eq(rig.nsent, i + 1);
		ck_assert(rig.last.data == 501 && rig.last.addr == 0x8080040 &&
			  rig.last.device == 1 << 3);
	}
	ck_assert_uint_eq(rig.lines[1].sets, 0);
	/* No vector, no interrupt. */
	set_field(&rig, VIRTIO_PCI_COMMON_Q_MSIX, 2, VIRTIO_MSI_NO_VECTOR);
	request(&rig);
	ck_assert(served(&rig));
	ck_assert_uint_eq(rig.nsent, 100);
}
END_TEST

/* The eventfd of a queue that others serve follows its vector. */
START_TEST(by_eventfd)
{
	struct virtio_dev *vdev = container_of(rig.g.dev, struct virtio_dev, dev);
	static struct virtio_ops ops;
	unsigned int msix;
	int fd;

	ops = *vdev->ops;
	ops.recall = recall;
	vdev->ops = &ops;
	start(&rig);
	ck_assert_int_eq(virtio_pci.callfd(vdev, 0), -ENOTSUP);
	msix = msix_on(&rig);
	ck_assert_uint_eq(rig.recalls, 1);
	fd = virtio_pci.callfd(vdev, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(rig.routed.addr, 0x8080040);
	ck_assert_uint_eq(rig.routed.data, 501);
	ck_assert_uint_eq(rig.routed.device, 1 << 3);
	/* Another message, by the same eventfd; as it is already: nothing is done. */
	wr(&rig, BAR1 + 16 + PCI_MSIX_ENTRY_DATA, 4, 99);
	ck_assert_uint_eq(rig.routed.data, 99);
	ck_assert_int_eq(virtio_pci.callfd(vdev, 0), fd);
	ck_assert_uint_eq(rig.recalls, 1);
	ck_assert_uint_eq(rig.nroutes, 2);
	/* Masked, all masked, no master, no messages: the usual way. */
	for (unsigned int i = 0; i < 4; i++) {
		const struct {
			uint64_t addr;
			unsigned int size;
			uint64_t off, on;
		} ways[] = {
			{ BAR1 + 16 + PCI_MSIX_ENTRY_VECTOR_CTRL, 4, 1, 0 },
			{ cfg(msix + PCI_MSIX_FLAGS), 2, 0xc000, 0x8000 },
			{ cfg(PCI_COMMAND), 2, 2, 6 },
			{ cfg(msix + PCI_MSIX_FLAGS), 2, 0, 0x8000 },
		};

		rig.recalls = rig.nroutes = 0;
		wr(&rig, ways[i].addr, ways[i].size, ways[i].off);
		ck_assert_int_eq(virtio_pci.callfd(vdev, 0), -ENOTSUP);
		ck_assert_uint_eq(rig.recalls, 1);
		ck_assert_uint_eq(rig.nroutes, 1);
		wr(&rig, ways[i].addr, ways[i].size, ways[i].on);
		ck_assert_int_eq(virtio_pci.callfd(vdev, 0), fd);
		ck_assert_uint_eq(rig.recalls, 2);
	}
	/* A controller without room. */
	rig.no_routes = true;
	wr(&rig, BAR1 + 16 + PCI_MSIX_ENTRY_DATA, 4, 71);
	ck_assert_uint_eq(rig.recalls, 3);
	ck_assert_int_lt(virtio_pci.callfd(vdev, 0), 0);
}
END_TEST

START_TEST(by_pin)
{
	start(&rig);
	for (unsigned int i = 0; i < 10; i++) {
		request(&rig);
		ck_assert(served(&rig));
		ck_assert(rig.lines[1].level);
		ck_assert_uint_eq(rd(&rig, rig.isr, 1), VIRTIO_ISR_QUEUE);
		ck_assert(!rig.lines[1].level);
		ck_assert_uint_eq(rd(&rig, rig.isr, 1), 0);
	}
	ck_assert_uint_eq(rig.nsent, 0);
	/* A reset of the device lets go of it. */
	request(&rig);
	ck_assert(served(&rig) && rig.lines[1].level);
	set_field(&rig, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	ck_assert(!rig.lines[1].level);
}
END_TEST

/* The bell goes where the BAR goes; without decoding there is none. */
START_TEST(relocation)
{
	start(&rig);
	ck_assert_uint_eq(rig.g.bus.ndoorbells, 1);
	for (unsigned int i = 1; i < 5; i++) {
		wr(&rig, cfg(PCI_BASE_ADDRESS_0), 4, BAR0 + i * 0x20000);
		rig.notify += 0x20000;
		ck_assert_uint_eq(rig.g.bus.ndoorbells, 1);
		request(&rig);
		ck_assert(served(&rig));
	}
	wr(&rig, cfg(PCI_COMMAND), 2, 0);
	ck_assert_uint_eq(rig.g.bus.ndoorbells, 0);
	wr(&rig, cfg(PCI_BASE_ADDRESS_0), 4, FAKE_RAM_BASE);
	wr(&rig, cfg(PCI_COMMAND), 2, PCI_COMMAND_MEMORY);
	ck_assert_uint_eq(rig.g.bus.ndoorbells, 0);
	wr(&rig, cfg(PCI_BASE_ADDRESS_0), 4, BAR0);
	ck_assert_uint_eq(rig.g.bus.ndoorbells, 1);
	set_field(&rig, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	ck_assert_uint_eq(rig.g.bus.ndoorbells, 0);
}
END_TEST

/* The driver takes the size that it finds; a reset queue starts anew. */
START_TEST(queue_reset)
{
	start(&rig);
	msix_on(&rig);
	request(&rig);
	ck_assert(served(&rig));
	set_field(&rig, QUEUE_RESET, 2, 1);
	ck_assert_uint_eq(field(&rig, QUEUE_RESET, 2), 0);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_Q_SIZE, 2), NUM);
	ck_assert_uint_eq(rig.g.bus.ndoorbells, 0);
	open_queue(&rig);
	request(&rig);
	ck_assert(served(&rig));
}
END_TEST

/* A size or an address that is impossible breaks the device, which says so. */
START_TEST(bad_queue)
{
	find_parts(&rig);
	ck_assert(negotiate(&rig));
	set_field(&rig, VIRTIO_PCI_COMMON_Q_SIZE, 2, 3 * NUM);
	set_field(&rig, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	ck_assert(field(&rig, VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET);
	ck_assert(negotiate(&rig));
	open_queue(&rig);
	request(&rig);
	ck_assert(served(&rig));
}
END_TEST

/* --- the window in configuration space ---------------------------------------------------------- */

static void aim(uint8_t bar, uint32_t off, uint32_t len)
{
	wr(&rig, cfg(rig.window + 4), 1, bar);
	wr(&rig, cfg(rig.window + 8), 4, off);
	wr(&rig, cfg(rig.window + 12), 4, len);
}

START_TEST(config_window)
{
	unsigned int data;

	start(&rig);
	data = rig.window + 16;
	aim(0, VIRTIO_PCI_COMMON_NUMQ, 2);
	ck_assert_uint_eq(rd(&rig, cfg(data), 2), 1);
	ck_assert_uint_eq(rd(&rig, cfg(rig.window + 8), 4), VIRTIO_PCI_COMMON_NUMQ);
	aim(0, VIRTIO_PCI_COMMON_GFSELECT, 4);
	wr(&rig, cfg(data), 4, 1);
	ck_assert_uint_eq(field(&rig, VIRTIO_PCI_COMMON_GFSELECT, 4), 1);
	/* Other BARs, beyond the end, unaligned, other lengths: nothing. */
	aim(1, 0, 4);
	ck_assert_uint_eq(rd(&rig, cfg(data), 4), 0);
	aim(0, 0x4000, 4);
	ck_assert_uint_eq(rd(&rig, cfg(data), 4), 0);
	wr(&rig, cfg(data), 4, 1);
	aim(0, UINT32_MAX, 1);
	ck_assert_uint_eq(rd(&rig, cfg(data), 1), 0);
	aim(0, 2, 4);
	ck_assert_uint_eq(rd(&rig, cfg(data), 4), 0);
	aim(0, 0, 8);
	ck_assert_uint_eq(rd(&rig, cfg(data), 4), 0);
	aim(0, 0, 4);
	ck_assert_uint_eq(rd(&rig, cfg(data), 2), 0);
	/* What the capability is stays. */
	wr(&rig, cfg(rig.window), 4, UINT32_MAX);
	ck_assert_uint_eq(rd(&rig, cfg(rig.window), 1), PCI_CAP_ID_VNDR);
	ck_assert_uint_eq(rd(&rig, cfg(rig.window + 20), 4), 0);
	request(&rig);
	ck_assert(served(&rig));
}
END_TEST

/* --- state ------------------------------------------------------------------------------------- */

START_TEST(round_trip)
{
	struct stream saved, again;

	rig_init(&other);
	start(&rig);
	msix_on(&rig);
	aim(0, 8, 4);
	request(&rig);
	ck_assert(served(&rig));
	saved = device_saved(rig.g.dev);
	memcpy(other.g.ram, rig.g.ram, FAKE_RAM_SIZE);
	ck_assert_int_eq(device_load(other.g.dev, saved.buf, saved.len), 0);
	again = device_saved(other.g.dev);
	ck_assert(saved.len == again.len && !memcmp(saved.buf, again.buf, saved.len));
	other.common = rig.common;
	other.notify = rig.notify;
	other.g.rings[0] = rig.g.rings[0];
	other.g.rings[0].mem = &other.g.mem;
	other.nsent = 0;
	request(&other);
	ck_assert(served(&other));
	ck_assert(other.nsent && other.last.data == 501);
	for (size_t len = 0; len < saved.len; len += 11)
		ck_assert_int_ne(device_load(other.g.dev, saved.buf, len), 0);
	ck_assert_uint_eq(other.g.bus.ndoorbells, 0);
	ck_assert_uint_eq(rd(&other, cfg(PCI_COMMAND), 2), 0);
	stream_close(&saved);
	stream_close(&again);
	rig_fini(&other);
}
END_TEST

START_TEST(machine_reset)
{
	struct stream fresh, after;

	fresh = device_saved(rig.g.dev);
	start(&rig);
	msix_on(&rig);
	aim(0, 8, 4);
	rig.g.dev->ops->reset(rig.g.dev);
	after = device_saved(rig.g.dev);
	ck_assert(fresh.len == after.len && !memcmp(fresh.buf, after.buf, fresh.len));
	stream_close(&fresh);
	stream_close(&after);
	start(&rig);
	request(&rig);
	ck_assert(served(&rig));
}
END_TEST

/* --- a full bus -------------------------------------------------------------------------------- */

START_TEST(full_bus)
{
	static const struct rng_config config = { .transport = &virtio_pci };
	struct device *devices[32] = { 0 };
	struct device_env env = rig.g.env;
	struct fail fail = { 0 };
	unsigned int n = 0;

	env.pci = pci_bus(rig.bridge);
	while (n < 32 && !rng_create(&env, &config, &devices[n], &fail))
		n++;
	ck_assert_uint_eq(n, 30);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	while (n--)
		devices[n]->ops->destroy(devices[n]);
	start(&rig);
	request(&rig);
	ck_assert(served(&rig));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_pci");
	TCase *tc = tcase_create("pci");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, identity);
	tcase_add_test(tc, sweep);
	tcase_add_test(tc, selectors);
	tcase_add_test(tc, by_message);
	tcase_add_test(tc, by_eventfd);
	tcase_add_test(tc, by_pin);
	tcase_add_test(tc, relocation);
	tcase_add_test(tc, queue_reset);
	tcase_add_test(tc, bad_queue);
	tcase_add_test(tc, config_window);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, machine_reset);
	tcase_add_test(tc, full_bus);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
