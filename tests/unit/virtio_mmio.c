// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <libfdt.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/driver.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "virtio/mmio.h"
#include "virtio/rng.h"
#include "vmm/core/fdt.h"

/* The transport and the state machine, by the simplest device. */

enum { QUEUE_RESET = 0x0c0, NUM_MAX = 8, NUM = 8, SECOND_BASE = FAKE_DEV_BASE + 0x200 };

enum {
	ACK = VIRTIO_CONFIG_S_ACKNOWLEDGE,
	DRIVER = VIRTIO_CONFIG_S_DRIVER,
	FEATURES_OK = VIRTIO_CONFIG_S_FEATURES_OK,
	DRIVER_OK = VIRTIO_CONFIG_S_DRIVER_OK,
	NEEDS_RESET = VIRTIO_CONFIG_S_NEEDS_RESET,
	RUNNING = ACK | DRIVER | FEATURES_OK | DRIVER_OK,
};

static struct fake_guest g;
static const struct rng_config config = { .transport = &virtio_mmio };

static void setup(void)
{
	struct fail fail = { 0 };

	fake_guest_init(&g);
	ck_assert_int_eq(rng_create(&g.env, &config, &g.dev, &fail), 0);
}

static void teardown(void)
{
	fake_guest_fini(&g);
}

static uint32_t status(void)
{
	return fake_read(&g, VIRTIO_MMIO_STATUS);
}

static void add_request(struct fake_guest *guest)
{
	const struct fake_buf buf = { FAKE_DATA, 32, true };

	fake_ring_add(&guest->rings[0], &buf, 1);
	fake_guest_kick(guest, 0);
}

static bool served(struct fake_guest *guest)
{
	uint32_t id, len;

	fake_guest_run(guest);
	return fake_ring_used(&guest->rings[0], &id, &len) && len == 32;
}

/* --- registers --------------------------------------------------------------------------------- */

START_TEST(identity)
{
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_VERSION), 2);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_RNG);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_QUEUE_NUM_MAX), NUM_MAX);
	ck_assert_uint_eq(status(), 0);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	/* No shared memory region has a length or a base. */
	for (uint32_t id = 0; id < 3; id++) {
		fake_write(&g, VIRTIO_MMIO_SHM_SEL, id);
		for (uint64_t reg = VIRTIO_MMIO_SHM_LEN_LOW; reg <= VIRTIO_MMIO_SHM_BASE_HIGH;
		     reg += 4)
			ck_assert_uint_eq(fake_read(&g, reg), UINT32_MAX);
	}
}
END_TEST

static bool readable(uint64_t reg)
{
	switch (reg) {
	case VIRTIO_MMIO_MAGIC_VALUE:
	case VIRTIO_MMIO_VERSION:
	case VIRTIO_MMIO_DEVICE_ID:
	case VIRTIO_MMIO_VENDOR_ID:
	case VIRTIO_MMIO_DEVICE_FEATURES:
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
	case VIRTIO_MMIO_QUEUE_READY:
	case VIRTIO_MMIO_INTERRUPT_STATUS:
	case VIRTIO_MMIO_STATUS:
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return true;
	default:
		return false;
	}
}

/* Every offset in every width gives the bytes that are there. What is no register reads as zero. */
START_TEST(read_sweep)
{
	uint8_t bytes[VIRTIO_MMIO_SIZE];
	uint64_t val;

	ck_assert(fake_guest_start(&g, ~0ULL, 1, NUM));
	for (uint64_t reg = 0; reg < VIRTIO_MMIO_SIZE; reg += 4) {
		uint32_t word = fake_read(&g, reg);

		memcpy(bytes + reg, &word, 4);
		if (!readable(reg))
			ck_assert_uint_eq(word, 0);
	}
	for (uint64_t reg = 0; reg < VIRTIO_MMIO_SIZE; reg++) {
		for (unsigned int size = 1; size <= 8; size *= 2) {
			int ret = bus_read(&g.bus, FAKE_DEV_BASE + reg, size, &val);

			if (reg + size > VIRTIO_MMIO_SIZE) {
				ck_assert_int_eq(ret, -ENOENT);
				continue;
			}
			ck_assert_int_eq(ret, 0);
			ck_assert_msg(!memcmp(&val, bytes + reg, size), "%#lx/%u reads %#lx", reg,
				      size, val);
		}
	}
	ck_assert_uint_eq(status(), RUNNING);
}
END_TEST

/* Nothing but a word changes anything. */
START_TEST(narrow_writes_are_ignored)
{
	ck_assert(fake_guest_start(&g, 0, 1, NUM));
	for (uint64_t reg = 0; reg < VIRTIO_MMIO_CONFIG; reg++)
		for (unsigned int size = 1; size <= 8; size *= 2)
			if (size != 4 || reg % 4)
				bus_write(&g.bus, FAKE_DEV_BASE + reg, size, 0);
	ck_assert_uint_eq(status(), RUNNING);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_QUEUE_READY), 1);
	add_request(&g);
	ck_assert(served(&g));
}
END_TEST

/* Nonsense everywhere, from a device at rest and from one that runs. */
START_TEST(write_sweep)
{
	static const uint64_t values[] = {
		0, 1, 2, 0xff, 0x80, 0xffffffff, 0x40000000, UINT64_MAX
	};
	unsigned int seed = 42;

	for (unsigned int n = 0; n < 2; n++) {
		for (uint64_t reg = 0; reg < VIRTIO_MMIO_SIZE; reg++)
			for (unsigned int size = 1; size <= 8; size *= 2)
				for (unsigned int v = 0; v < sizeof(values) / sizeof(values[0]);
				     v++)
					bus_write(&g.bus, FAKE_DEV_BASE + reg, size, values[v]);
		ck_assert(fake_guest_start(&g, ~0ULL, 1, NUM));
	}
	for (unsigned int n = 0; n < 200000; n++) {
		uint64_t reg = rand_r(&seed) % VIRTIO_MMIO_SIZE, val = rand_r(&seed);

		/* Often something that gets further. */
		if (rand_r(&seed) % 2)
			reg &= ~3, val &= 0x4000f00f;
		bus_write(&g.bus, FAKE_DEV_BASE + reg, 1u << rand_r(&seed) % 4, val);
		if (n % 100 == 0)
			fake_guest_run(&g);
	}
	ck_assert(fake_guest_start(&g, ~0ULL, 1, NUM));
	add_request(&g);
	ck_assert(served(&g));
}
END_TEST

/* --- negotiation ------------------------------------------------------------------------------- */

START_TEST(features_need_version_1)
{
	ck_assert(!fake_guest_negotiate(&g, 0));
	ck_assert_uint_eq(status(), ACK | DRIVER);
	ck_assert(fake_guest_negotiate(&g, 1ULL << VIRTIO_F_VERSION_1));
}
END_TEST

START_TEST(features_must_be_offered)
{
	fake_write(&g, VIRTIO_MMIO_STATUS, ACK | DRIVER);
	fake_write(&g, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	fake_write(&g, VIRTIO_MMIO_DRIVER_FEATURES, 1 | 1u << 20);
	fake_write(&g, VIRTIO_MMIO_STATUS, ACK | DRIVER | FEATURES_OK);
	ck_assert_uint_eq(status(), ACK | DRIVER);
	/* DRIVER_OK without an agreement is no start. */
	fake_write(&g, VIRTIO_MMIO_STATUS, ACK | DRIVER | DRIVER_OK);
	ck_assert_uint_eq(status(), ACK | DRIVER);
	fake_write(&g, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	fake_write(&g, VIRTIO_MMIO_STATUS, ACK | DRIVER | FEATURES_OK);
	ck_assert_uint_eq(status(), ACK | DRIVER | FEATURES_OK);
}
END_TEST

START_TEST(features_are_final)
{
	ck_assert(fake_guest_start(&g, 1ULL << VIRTIO_RING_F_EVENT_IDX, 1, NUM));
	fake_write(&g, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	fake_write(&g, VIRTIO_MMIO_DRIVER_FEATURES, 0);
	/* The ring still goes by the event index. */
	fake_ring_used_event(&g.rings[0], 1);
	add_request(&g);
	ck_assert(served(&g));
	ck_assert_uint_eq(g.irq.pulses, 0);
	add_request(&g);
	ck_assert(served(&g));
	ck_assert_uint_eq(g.irq.pulses, 1);
}
END_TEST

START_TEST(feature_selectors)
{
	fake_write(&g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_DEVICE_FEATURES) & 1, 1);
	for (uint32_t sel = 2; sel; sel <<= 1) {
		fake_write(&g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, sel);
		ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_DEVICE_FEATURES), 0);
		fake_write(&g, VIRTIO_MMIO_DRIVER_FEATURES_SEL, sel);
		fake_write(&g, VIRTIO_MMIO_DRIVER_FEATURES, UINT32_MAX);
	}
	ck_assert(fake_guest_negotiate(&g, ~0ULL));
}
END_TEST

START_TEST(status_bits_stay_until_reset)
{
	ck_assert(fake_guest_start(&g, 0, 1, NUM));
	fake_write(&g, VIRTIO_MMIO_STATUS, ACK);
	ck_assert_uint_eq(status(), RUNNING);
	fake_write(&g, VIRTIO_MMIO_STATUS, NEEDS_RESET | 0xffffff00);
	ck_assert_uint_eq(status(), RUNNING);
	fake_write(&g, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_FAILED);
	ck_assert_uint_eq(status(), RUNNING | VIRTIO_CONFIG_S_FAILED);
	fake_write(&g, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(status(), 0);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_QUEUE_READY), 0);
}
END_TEST

/* --- queues ------------------------------------------------------------------------------------ */

START_TEST(queue_selector)
{
	fake_write(&g, VIRTIO_MMIO_QUEUE_SEL, 1);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	fake_write(&g, VIRTIO_MMIO_QUEUE_NUM, NUM);
	fake_write(&g, VIRTIO_MMIO_QUEUE_READY, 1);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_QUEUE_READY), 0);
	fake_write(&g, VIRTIO_MMIO_QUEUE_SEL, UINT32_MAX);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	fake_write(&g, VIRTIO_MMIO_QUEUE_SEL, 0);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_QUEUE_NUM_MAX), NUM_MAX);
}
END_TEST

START_TEST(queue_waits_for_features)
{
	fake_ring_init(&g.rings[0], &g.mem, FAKE_RAM_BASE, NUM);
	fake_guest_queue(&g, 0, &g.rings[0]);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_QUEUE_READY), 0);
	ck_assert_uint_eq(status(), 0);
}
END_TEST

START_TEST(bad_queue_needs_reset)
{
	ck_assert(fake_guest_negotiate(&g, ~0ULL));
	fake_write(&g, VIRTIO_MMIO_QUEUE_NUM, NUM);
	fake_write(&g, VIRTIO_MMIO_QUEUE_READY, 1);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_QUEUE_READY), 0);
	ck_assert_uint_eq(status(), ACK | DRIVER | FEATURES_OK | NEEDS_RESET);
	/* Nobody listens before DRIVER_OK. */
	ck_assert_uint_eq(g.irq.pulses, 0);
	ck_assert(fake_guest_start(&g, ~0ULL, 1, NUM));
}
END_TEST

START_TEST(open_queue_is_fixed)
{
	ck_assert(fake_guest_start(&g, 0, 1, NUM));
	fake_write(&g, VIRTIO_MMIO_QUEUE_NUM, 1);
	fake_write(&g, VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
	fake_write(&g, VIRTIO_MMIO_QUEUE_READY, 1);
	fake_write(&g, VIRTIO_MMIO_QUEUE_READY, 2);
	add_request(&g);
	ck_assert(served(&g));
}
END_TEST

START_TEST(queue_stop_and_reset)
{
	const uint64_t reg = _i ? QUEUE_RESET : VIRTIO_MMIO_QUEUE_READY;

	ck_assert(fake_guest_start(&g, 1ULL << VIRTIO_F_RING_RESET, 1, NUM));
	ck_assert_uint_eq(g.bus.ndoorbells, 1);
	fake_write(&g, reg, _i);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_QUEUE_READY), 0);
	ck_assert_uint_eq(fake_read(&g, QUEUE_RESET), 0);
	ck_assert_uint_eq(g.bus.ndoorbells, 0);
	add_request(&g);
	ck_assert(!served(&g));
	/* And again, from position 0. */
	fake_ring_init(&g.rings[0], &g.mem, FAKE_RAM_BASE + 0x10000, NUM);
	fake_guest_queue(&g, 0, &g.rings[0]);
	add_request(&g);
	ck_assert(served(&g));
}
END_TEST

START_TEST(queue_reset_is_a_feature)
{
	ck_assert(fake_guest_start(&g, 0, 1, NUM));
	fake_write(&g, QUEUE_RESET, 1);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_QUEUE_READY), 1);
}
END_TEST

/* Buffers that were there before DRIVER_OK need no notification. */
START_TEST(filled_before_driver_ok)
{
	const struct fake_buf buf = { FAKE_DATA, 32, true };

	ck_assert(fake_guest_negotiate(&g, 1ULL << VIRTIO_F_VERSION_1));
	fake_ring_init(&g.rings[0], &g.mem, FAKE_RAM_BASE, NUM);
	fake_guest_queue(&g, 0, &g.rings[0]);
	fake_ring_add(&g.rings[0], &buf, 1);
	fake_write(&g, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	ck_assert(!served(&g));
	fake_write(&g, VIRTIO_MMIO_STATUS, RUNNING);
	ck_assert(served(&g));
}
END_TEST

/* --- notifications and interrupts -------------------------------------------------------------- */

START_TEST(interrupt_and_ack)
{
	ck_assert(fake_guest_start(&g, 0, 1, NUM));
	add_request(&g);
	ck_assert(served(&g));
	ck_assert_uint_eq(g.irq.pulses, 1);
	ck_assert_uint_eq(g.irq.sets, 0);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_ISR_QUEUE);
	fake_write(&g, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_ISR_CONFIG);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_ISR_QUEUE);
	/* One that is not acknowledged yet holds no other back. */
	add_request(&g);
	ck_assert(served(&g));
	ck_assert_uint_eq(g.irq.pulses, 2);
	fake_write(&g, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_ISR_QUEUE);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}
END_TEST

START_TEST(batch_is_one_interrupt)
{
	const struct fake_buf buf = { FAKE_DATA, 32, true };
	unsigned int n = 0;
	uint32_t id, len;

	ck_assert(fake_guest_start(&g, _i ? 1ULL << VIRTIO_RING_F_EVENT_IDX : 0, 1, NUM));
	for (unsigned int i = 0; i < NUM; i++)
		fake_ring_add(&g.rings[0], &buf, 1);
	fake_guest_kick(&g, 0);
	fake_guest_run(&g);
	while (fake_ring_used(&g.rings[0], &id, &len))
		n++;
	ck_assert_uint_eq(n, NUM);
	ck_assert_uint_eq(g.irq.pulses, 1);
}
END_TEST

/* A bus without room for the doorbell: the register does the same. */
START_TEST(notify_without_doorbell)
{
	for (unsigned int i = 0; i < BUS_DOORBELLS_MAX; i++) {
		const struct doorbell db = {
			.addr = 0x1000, .size = 4, .match = true, .value = i, .fd = -1
		};

		ck_assert_int_eq(bus_doorbell_add(&g.bus, &db), 0);
	}
	ck_assert(fake_guest_start(&g, 0, 1, NUM));
	fake_write(&g, VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	fake_write(&g, VIRTIO_MMIO_QUEUE_NOTIFY, UINT32_MAX);
	add_request(&g);
	ck_assert(served(&g));
}
END_TEST

static void *virtio_of(struct device *dev)
{
	return container_of(dev, struct virtio_dev, dev);
}

START_TEST(config_change)
{
	uint32_t before = fake_read(&g, VIRTIO_MMIO_CONFIG_GENERATION);

	virtio_config_changed(virtio_of(g.dev));
	ck_assert_uint_ne(fake_read(&g, VIRTIO_MMIO_CONFIG_GENERATION), before);
	ck_assert_uint_eq(g.irq.pulses, 0);
	ck_assert(fake_guest_start(&g, 0, 1, NUM));
	virtio_config_changed(virtio_of(g.dev));
	ck_assert_uint_eq(g.irq.pulses, 1);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_ISR_CONFIG);
}
END_TEST

/* A guest that breaks one device has the others still. */
START_TEST(broken_device_stands_alone)
{
	struct device *second;
	struct fail fail = { 0 };
	struct device_env env = g.env;
	uint64_t val;

	env.base = SECOND_BASE;
	ck_assert_int_eq(rng_create(&env, &config, &second, &fail), 0);
	ck_assert(fake_guest_start(&g, 0, 1, NUM));
	/* A chain that loops. */
	fake_ring_desc(&g.rings[0], 0, FAKE_DATA, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 0);
	fake_ring_avail(&g.rings[0], 0);
	fake_guest_kick(&g, 0);
	fake_guest_run(&g);
	ck_assert_uint_eq(status(), RUNNING | NEEDS_RESET);
	ck_assert_uint_eq(g.irq.pulses, 1);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_ISR_CONFIG);
	/* It stands still ... */
	add_request(&g);
	ck_assert(!served(&g));
	/* ... while the other one works. */
	bus_write(&g.bus, SECOND_BASE + VIRTIO_MMIO_STATUS, 4, ACK);
	bus_read(&g.bus, SECOND_BASE + VIRTIO_MMIO_STATUS, 4, &val);
	ck_assert_uint_eq(val, ACK);
	second->ops->destroy(second);
	/* A reset heals. */
	ck_assert(fake_guest_start(&g, 0, 1, NUM));
	add_request(&g);
	ck_assert(served(&g));
}
END_TEST

/* --- life -------------------------------------------------------------------------------------- */

START_TEST(address_taken)
{
	struct fail fail = { 0 };
	struct device *dev = NULL;

	ck_assert_int_eq(rng_create(&g.env, &config, &dev, &fail), -EEXIST);
	ck_assert_ptr_null(dev);
	ck_assert_ptr_nonnull(strstr(fail.text, "virtio-rng@a000000"));
}
END_TEST

START_TEST(machine_reset)
{
	struct stream fresh, after;

	fresh = device_saved(g.dev);
	ck_assert(fake_guest_start(&g, ~0ULL, 1, NUM));
	add_request(&g);
	ck_assert(served(&g));
	virtio_config_changed(virtio_of(g.dev));
	pthread_mutex_lock(&g.dev->lock);
	g.dev->ops->reset(g.dev);
	pthread_mutex_unlock(&g.dev->lock);
	ck_assert_uint_eq(g.bus.ndoorbells, 0);
	after = device_saved(g.dev);
	ck_assert_uint_eq(fresh.len, after.len);
	ck_assert_mem_eq(fresh.buf, after.buf, fresh.len);
	stream_close(&fresh);
	stream_close(&after);
}
END_TEST

START_TEST(state_round_trip)
{
	struct stream first, second;
	struct fake_guest to;
	struct fail fail = { 0 };

	fake_guest_init(&to);
	ck_assert_int_eq(rng_create(&to.env, &config, &to.dev, &fail), 0);
	ck_assert(fake_guest_start(&g, ~0ULL, 1, NUM));
	for (unsigned int i = 0; i < 11; i++) {
		fake_ring_used_event(&g.rings[0], i);
		add_request(&g);
		ck_assert(served(&g));
	}
	fake_ring_used_event(&g.rings[0], 11);
	/* A notification that the old machine has not seen yet. */
	add_request(&g);
	ck_assert_int_eq(fake_guest_move(&g, &to), 0);
	first = device_saved(g.dev);
	second = device_saved(to.dev);
	ck_assert_uint_eq(first.len, second.len);
	ck_assert_mem_eq(first.buf, second.buf, first.len);
	stream_close(&first);
	stream_close(&second);

	ck_assert_uint_eq(to.bus.ndoorbells, 1);
	/* The interrupt that may have been on its way. */
	ck_assert_uint_eq(to.irq.pulses, 1);
	ck_assert(served(&to));
	ck_assert_uint_eq(to.irq.pulses, 2);
	add_request(&to);
	ck_assert(served(&to));
	fake_guest_fini(&to);
}
END_TEST

/* Every byte of the state changed, and every length: refused or harmless, never worse. */
START_TEST(state_hostile)
{
	struct fake_guest to;
	struct fail fail = { 0 };
	struct stream saved;
	uint8_t *data;

	fake_guest_init(&to);
	ck_assert_int_eq(rng_create(&to.env, &config, &to.dev, &fail), 0);
	ck_assert(fake_guest_start(&g, ~0ULL, 1, NUM));
	saved = device_saved(g.dev);
	for (size_t len = 0; len < saved.len; len++) {
		ck_assert_int_lt(device_load(to.dev, saved.buf, len), 0);
		/* A refused state leaves a device at rest. */
		ck_assert_uint_eq(fake_read(&to, VIRTIO_MMIO_STATUS), 0);
	}
	data = malloc(saved.len);
	for (size_t i = 0; i < saved.len; i++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			memcpy(data, saved.buf, saved.len);
			data[i] ^= 1u << bit;
			device_load(to.dev, data, saved.len);
			fake_guest_run(&to);
		}
	}
	free(data);
	ck_assert_int_eq(device_load(to.dev, saved.buf, saved.len), 0);
	ck_assert_uint_eq(fake_read(&to, VIRTIO_MMIO_STATUS), RUNNING);
	stream_close(&saved);
	fake_guest_fini(&to);
}
END_TEST

START_TEST(device_tree)
{
	const uint32_t *cells;
	struct fdt fdt;
	uint32_t size;
	void *blob;
	int node, len;

	ck_assert_int_eq(dt_create(&fdt), 0);
	g.dev->ops->describe(g.dev, &fdt);
	ck_assert_int_eq(dt_finish(&fdt, &blob, &size), 0);
	node = fdt_path_offset(blob, "/virtio_mmio@a000000");
	ck_assert_int_gt(node, 0);
	ck_assert_str_eq(fdt_getprop(blob, node, "compatible", NULL), "virtio,mmio");
	ck_assert_ptr_nonnull(fdt_getprop(blob, node, "dma-coherent", NULL));
	cells = fdt_getprop(blob, node, "reg", &len);
	ck_assert_int_eq(len, 16);
	ck_assert_uint_eq(fdt32_to_cpu(cells[1]), FAKE_DEV_BASE);
	ck_assert_uint_eq(fdt32_to_cpu(cells[3]), VIRTIO_MMIO_SIZE);
	cells = fdt_getprop(blob, node, "interrupts", &len);
	ck_assert_int_eq(len, 12);
	ck_assert_uint_eq(fdt32_to_cpu(cells[0]), 0);
	ck_assert_uint_eq(fdt32_to_cpu(cells[1]), 16);
	ck_assert_uint_eq(fdt32_to_cpu(cells[2]), 1); /* rising edge */
	free(blob);
}
END_TEST

/* --- rng itself -------------------------------------------------------------------------------- */

START_TEST(rng_fills_buffers)
{
	static const uint8_t zeros[32];
	const struct fake_buf bufs[] = {
		{ FAKE_DATA, 32, true },
		{ FAKE_DATA + 0x100, 200, true },
		{ FAKE_DATA + 0x1000, 0x40000, true },
	};
	uint8_t *end = fake_ptr(&g, FAKE_DATA + 0x1000 + 65536 - 232);
	uint32_t id, len;

	ck_assert(fake_guest_start(&g, ~0ULL, 1, NUM));
	fake_ring_add(&g.rings[0], bufs, 3);
	fake_guest_kick(&g, 0);
	fake_guest_run(&g);
	ck_assert(fake_ring_used(&g.rings[0], &id, &len));
	/* 64 KiB a request; not a byte more is touched. */
	ck_assert_uint_eq(len, 65536);
	ck_assert_mem_ne(fake_ptr(&g, FAKE_DATA), zeros, 32);
	ck_assert_mem_ne(fake_ptr(&g, FAKE_DATA + 0x100), zeros, 32);
	ck_assert_mem_ne(end - 32, zeros, 32);
	ck_assert_mem_eq(end, zeros, 32);
	ck_assert_uint_eq(*(uint8_t *)fake_ptr(&g, FAKE_DATA + 32), 0);
}
END_TEST

START_TEST(rng_refuses_output)
{
	const struct fake_buf buf = { FAKE_DATA, 32, false };

	ck_assert(fake_guest_start(&g, ~0ULL, 1, NUM));
	fake_ring_add(&g.rings[0], &buf, 1);
	fake_guest_kick(&g, 0);
	fake_guest_run(&g);
	ck_assert_uint_eq(status(), RUNNING | NEEDS_RESET);
}
END_TEST

static TCase *registers(void)
{
	TCase *tc = tcase_create("registers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, identity);
	tcase_add_test(tc, read_sweep);
	tcase_add_test(tc, narrow_writes_are_ignored);
	tcase_add_test(tc, write_sweep);
	tcase_add_test(tc, features_need_version_1);
	tcase_add_test(tc, features_must_be_offered);
	tcase_add_test(tc, features_are_final);
	tcase_add_test(tc, feature_selectors);
	tcase_add_test(tc, status_bits_stay_until_reset);
	tcase_add_test(tc, queue_selector);
	tcase_add_test(tc, queue_waits_for_features);
	tcase_add_test(tc, bad_queue_needs_reset);
	tcase_add_test(tc, open_queue_is_fixed);
	tcase_add_loop_test(tc, queue_stop_and_reset, 0, 2);
	tcase_add_test(tc, queue_reset_is_a_feature);
	tcase_add_test(tc, filled_before_driver_ok);
	return tc;
}

static TCase *device(void)
{
	TCase *tc = tcase_create("device");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, interrupt_and_ack);
	tcase_add_loop_test(tc, batch_is_one_interrupt, 0, 2);
	tcase_add_test(tc, notify_without_doorbell);
	tcase_add_test(tc, config_change);
	tcase_add_test(tc, broken_device_stands_alone);
	tcase_add_test(tc, address_taken);
	tcase_add_test(tc, machine_reset);
	tcase_add_test(tc, state_round_trip);
	tcase_add_test(tc, state_hostile);
	tcase_add_test(tc, device_tree);
	tcase_add_test(tc, rng_fills_buffers);
	tcase_add_test(tc, rng_refuses_output);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("virtio_mmio");

	suite_add_tcase(suite, registers());
	suite_add_tcase(suite, device());
	return run_suite(suite);
}
