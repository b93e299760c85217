// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <linux/virtio_mmio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/fake/driver.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "virtio/mmio.h"

/* Registers that the guest reads as memory: equal to those that it reads by exits, in every mode. */

enum { QUEUE_RESET = 0x0c0, NUM = 8, ACK = VIRTIO_MMIO_INTERRUPT_ACK };
enum { CONFIG = VIRTIO_MMIO_CONFIG, CONFIG_SIZE = 14 /* no multiple of 4 */ };
enum { RESTING = 0xabcd, STARTED = 0x4321 };
enum { ROUNDS = 4000, STORES = 800 };

/* A device with a 64-bit field and one that the driver writes. */
struct plain {
	struct virtio_dev vdev;
	struct {
		uint64_t capacity;
		uint32_t actual;
		uint16_t odd;
	} config;
};

static int64_t plain_serve(struct virtio_dev *vdev, struct virtq_chain *chain)
{
	(void)vdev;
	return (int64_t)chain->in.left;
}

static void plain_notify(struct virtio_dev *vdev, unsigned int q)
{
	virtio_serve(vdev, q, plain_serve);
}

static void plain_config_write(struct virtio_dev *vdev, uint32_t off, unsigned int size,
			       uint64_t val)
{
	struct plain *plain = container_of(vdev, struct plain, vdev);

	if (off == 8 && size == 4)
		plain->config.actual = (uint32_t)val;
}

static void plain_reset(struct virtio_dev *vdev)
{
	container_of(vdev, struct plain, vdev)->config.actual = 0;
	container_of(vdev, struct plain, vdev)->config.odd = RESTING;
}

static void plain_start(struct virtio_dev *vdev)
{
	container_of(vdev, struct plain, vdev)->config.odd = STARTED;
}

static void plain_state(struct virtio_dev *vdev, struct state *s)
{
	state_u32(s, "actual", &container_of(vdev, struct plain, vdev)->config.actual);
}

static const struct virtio_ops plain_ops = {
	.type = "plain",
	.id = 42,
	.nqueues = 2,
	.queue_max = NUM,
	.notify = plain_notify,
	.start = plain_start,
	.reset = plain_reset,
	.state = plain_state,
	.config_write = plain_config_write,
};

static struct plain *make(struct fake_guest *g)
{
	struct plain *plain = calloc(1, sizeof(*plain));
	struct fail fail = { 0 };
	int err;

	plain->config.odd = RESTING;
	err = virtio_init(&plain->vdev, &plain_ops, &virtio_mmio, &g->env, 0, &plain->config,
			  CONFIG_SIZE, &fail);
	ck_assert_int_eq(virtio_finish(&plain->vdev, err, &g->dev, &fail), 0);
	return plain;
}

/* What the host does to a device, under its lock. */
static void resize(struct plain *plain, uint64_t capacity)
{
	pthread_mutex_lock(&plain->vdev.dev.lock);
	plain->config.capacity = capacity;
	virtio_config_changed(&plain->vdev);
	pthread_mutex_unlock(&plain->vdev.dev.lock);
}

static void use(struct fake_guest *g, unsigned int q)
{
	const struct fake_buf buf = { FAKE_DATA, 32, true };
	uint32_t id, len;

	fake_ring_add(&g->rings[q], &buf, 1);
	fake_guest_kick(g, q);
	fake_guest_run(g);
	ck_assert(fake_ring_used(&g->rings[q], &id, &len));
}

/* --- equal to trapped registers ---------------------------------------------------------------- */

/* The same device twice: in `seen` the guest sees the page, in `off` it does not. */
static struct fake_guest seen, off;
static struct plain *seen_dev, *off_dev;

static void setup(void)
{
	fake_guest_init(&seen);
	fake_guest_init(&off);
	seen_dev = make(&seen);
	off_dev = make(&off);
	fake_guest_show(&seen);
}

static void teardown(void)
{
	ck_assert(seen.shown);
	fake_guest_fini(&seen);
	fake_guest_fini(&off);
}

static void compare_all(void)
{
	for (uint64_t reg = 0; reg < VIRTIO_MMIO_SIZE; reg++)
		for (unsigned int size = 1; size <= 8 && reg + size <= VIRTIO_MMIO_SIZE; size *= 2)
			quick_assert(fake_see(&seen, reg, size) == fake_see(&off, reg, size),
				     "%#lx/%u: %#lx, trapped %#lx", reg, size,
				     fake_see(&seen, reg, size), fake_see(&off, reg, size));
}

static void both_write(uint64_t reg, unsigned int size, uint64_t val)
{
	ck_assert_int_eq(bus_write(&seen.bus, FAKE_DEV_BASE + reg, size, val),
			 bus_write(&off.bus, FAKE_DEV_BASE + reg, size, val));
}

START_TEST(life)
{
	compare_all();
	ck_assert_uint_eq(fake_see(&seen, CONFIG + 12, 2), RESTING);
	ck_assert_uint_eq(fake_see(&seen, CONFIG + 13, 4), 0xab);
	ck_assert(fake_guest_start(&seen, ~VIRTIO_BIT(VIRTIO_F_RING_PACKED), 2, NUM));
	ck_assert(fake_guest_start(&off, ~VIRTIO_BIT(VIRTIO_F_RING_PACKED), 2, NUM));
	compare_all();
	use(&seen, 1);
	use(&off, 1);
	ck_assert_uint_eq(fake_see(&seen, VIRTIO_MMIO_INTERRUPT_STATUS, 4), VIRTIO_ISR_QUEUE);
	compare_all();
	both_write(ACK, 4, VIRTIO_ISR_QUEUE);
	compare_all();
	both_write(CONFIG + 8, 4, 0x12345678);
	ck_assert_uint_eq(fake_see(&seen, CONFIG + 8, 4), 0x12345678);
	resize(seen_dev, 0x1122334455667788);
	resize(off_dev, 0x1122334455667788);
	ck_assert_uint_eq(fake_see(&seen, CONFIG, 8), 0x1122334455667788);
	ck_assert_uint_eq(fake_see(&seen, VIRTIO_MMIO_CONFIG_GENERATION, 4), 1);
	compare_all();
	/* Broken by the loop thread, not by a write. */
	fake_ring_set_avail_idx(&seen.rings[0], 100);
	fake_ring_set_avail_idx(&off.rings[0], 100);
	fake_write(&seen, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	fake_write(&off, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	fake_guest_run(&seen);
	fake_guest_run(&off);
	ck_assert(fake_see(&seen, VIRTIO_MMIO_STATUS, 4) & VIRTIO_CONFIG_S_NEEDS_RESET);
	compare_all();
	both_write(VIRTIO_MMIO_STATUS, 4, 0);
	ck_assert_uint_eq(fake_see(&seen, CONFIG + 8, 4), 0);
	compare_all();
}
END_TEST

/* Any store of any width anywhere, with values that get far: after each, every load is equal. */
START_TEST(random_stores)
{
	static const uint16_t likely[] = {
		VIRTIO_MMIO_STATUS,
		VIRTIO_MMIO_QUEUE_SEL,
		VIRTIO_MMIO_QUEUE_READY,
		VIRTIO_MMIO_QUEUE_NUM,
		VIRTIO_MMIO_DRIVER_FEATURES_SEL,
		QUEUE_RESET,
		VIRTIO_MMIO_DRIVER_FEATURES,
		VIRTIO_MMIO_DEVICE_FEATURES_SEL,
		CONFIG + 8,
	};
	static const uint32_t values[] = { 0, 1, 2, 3, 8, 11, 15, UINT32_MAX };
	unsigned int seed = 7;

	for (unsigned int n = 0; n < STORES; n++) {
		uint64_t reg = likely[rand_r(&seed) % (sizeof(likely) / sizeof(likely[0]))];
		uint64_t val = values[rand_r(&seed) % 8];
		unsigned int size = 4;

		if (rand_r(&seed) % 4 == 0) {
			reg = rand_r(&seed) % VIRTIO_MMIO_SIZE;
			size = 1u << rand_r(&seed) % 4;
		}
		both_write(reg, size, val);
		fake_guest_run(&seen);
		fake_guest_run(&off);
		compare_all();
	}
}
END_TEST

/* The page is derived: a device into which state is loaded shows it, whatever it showed before. */
START_TEST(state_is_shown)
{
	struct stream saved;

	ck_assert(fake_guest_start(&off, ~VIRTIO_BIT(VIRTIO_F_RING_PACKED), 2, NUM));
	use(&off, 0);
	both_write(CONFIG + 8, 4, 5);
	saved = device_saved(off.dev);
	memcpy(seen.ram, off.ram, FAKE_RAM_SIZE);
	ck_assert_int_eq(device_load(seen.dev, saved.buf, saved.len), 0);
	compare_all();
	/* A state that is refused leaves a device as after a reset, and shows that. */
	ck_assert_int_lt(device_load(seen.dev, saved.buf, saved.len - 1), 0);
	ck_assert_uint_eq(fake_see(&seen, VIRTIO_MMIO_STATUS, 4), 0);
	ck_assert_uint_eq(fake_see(&seen, VIRTIO_MMIO_QUEUE_READY, 4), 0);
	stream_close(&saved);
}
END_TEST

START_TEST(machine_reset)
{
	ck_assert(fake_guest_start(&seen, ~VIRTIO_BIT(VIRTIO_F_RING_PACKED), 2, NUM));
	resize(seen_dev, 3);
	resize(off_dev, 3);
	seen.dev->ops->reset(seen.dev);
	off.dev->ops->reset(off.dev);
	compare_all();
	ck_assert(fake_guest_start(&seen, ~VIRTIO_BIT(VIRTIO_F_RING_PACKED), 2, NUM));
	use(&seen, 0);
}
END_TEST

/* --- a racing resize --------------------------------------------------------------------------- */

struct race {
	struct fake_guest *g;
	struct plain *dev;
	atomic_bool done;
};

static void *resizer(void *arg)
{
	struct race *race = arg;

	for (uint64_t i = 1; i <= ROUNDS; i++)
		resize(race->dev, i << 32 | i);
	atomic_store(&race->done, true);
	return NULL;
}

/* What a driver reads between two equal generations (2.5.1), and every load of 8 bytes, is whole. */
static uint64_t read_capacity(struct fake_guest *g)
{
	uint64_t generation, low, high, whole;

	do {
		generation = fake_see(g, VIRTIO_MMIO_CONFIG_GENERATION, 4);
		low = fake_see(g, CONFIG, 4);
		whole = fake_see(g, CONFIG, 8);
		high = fake_see(g, CONFIG + 4, 4);
	} while (generation != fake_see(g, VIRTIO_MMIO_CONFIG_GENERATION, 4));
	ck_assert_uint_eq(low, high);
	ck_assert_uint_eq(whole >> 32, whole & UINT32_MAX);
	return low;
}

/* Each interrupt is acknowledged while the next change comes; the last change is never missed. */
START_TEST(racing_resize)
{
	struct race race = { .g = &seen, .dev = seen_dev };
	uint64_t last = 0, now;
	pthread_t thread;
	uint32_t isr;
	bool done;

	ck_assert(fake_guest_start(&seen, ~VIRTIO_BIT(VIRTIO_F_RING_PACKED), 2, NUM));
	ck_assert_int_eq(pthread_create(&thread, NULL, resizer, &race), 0);
	do {
		done = atomic_load(&race.done);
		read_capacity(&seen);
		isr = (uint32_t)fake_see(&seen, VIRTIO_MMIO_INTERRUPT_STATUS, 4);
		if (!(isr & VIRTIO_ISR_CONFIG))
			continue;
		fake_write(&seen, ACK, isr);
		now = read_capacity(&seen);
		ck_assert_uint_ge(now, last);
		last = now;
	} while (!done);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(last, ROUNDS);
	ck_assert_uint_eq(seen.irq.pulses, ROUNDS);
}
END_TEST

/* --- lazy -------------------------------------------------------------------------------------- */

static void lazy_setup(void)
{
	fake_guest_init(&seen);
	seen.page.sink = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	seen_dev = make(&seen);
	fake_guest_show(&seen);
}

static void lazy_teardown(void)
{
	fake_guest_fini(&seen);
}

static uint32_t isr(void)
{
	return (uint32_t)fake_see(&seen, VIRTIO_MMIO_INTERRUPT_STATUS, 4);
}

START_TEST(lazy_status)
{
	eventfd_t acks;

	ck_assert(fake_guest_negotiate(&seen, ~0ULL));
	ck_assert_uint_eq(isr(), 0);
	ck_assert(fake_guest_start(&seen, ~VIRTIO_BIT(VIRTIO_F_RING_PACKED), 2, NUM));
	ck_assert_uint_eq(isr(), VIRTIO_ISR_QUEUE);
	use(&seen, 0);
	ck_assert_uint_eq(seen.irq.pulses, 1);
	/* The acknowledgement of bit 0 goes nowhere. */
	fake_write(&seen, ACK, VIRTIO_ISR_QUEUE);
	ck_assert_int_eq(eventfd_read(seen.page.sink, &acks), 0);
	ck_assert_uint_eq(acks, 1);
	ck_assert_uint_eq(isr(), VIRTIO_ISR_QUEUE);
	/* That of a changed configuration arrives, with bit 0 or without. */
	for (uint32_t ack = VIRTIO_ISR_CONFIG; ack <= 3; ack++) {
		resize(seen_dev, ack);
		ck_assert_uint_eq(isr(), VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG);
		fake_write(&seen, ACK, ack);
		ck_assert_uint_eq(isr(), VIRTIO_ISR_QUEUE);
	}
	ck_assert_int_lt(eventfd_read(seen.page.sink, &acks), 0);
	fake_write(&seen, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(isr(), 0);
}
END_TEST

/* Without room for the doorbell the acknowledgement is a write like others. */
START_TEST(lazy_without_doorbell)
{
	const struct doorbell db = {
		.addr = FAKE_DEV_BASE + ACK, .size = 4, .match = true, .value = 1
	};

	bus_doorbell_del(&seen.bus, &db);
	ck_assert(fake_guest_start(&seen, 0, 2, NUM));
	use(&seen, 0);
	fake_write(&seen, ACK, VIRTIO_ISR_QUEUE);
	ck_assert_uint_eq(isr(), VIRTIO_ISR_QUEUE);
	use(&seen, 0);
	ck_assert_uint_eq(seen.irq.pulses, 2);
}
END_TEST

static int some_fd(struct irq *irq)
{
	(void)irq;
	return 77;
}

START_TEST(callfd)
{
	static const struct irq_ops with = { .eventfd = some_fd };

	/* A controller without irqfd. */
	ck_assert_int_eq(virtio_mmio.callfd(&seen_dev->vdev, 0), -ENOTSUP);
	seen.dev->env.irq.ops = &with;
	ck_assert_int_eq(virtio_mmio.callfd(&seen_dev->vdev, 0), 77);
	close(seen.page.sink);
	seen.page.sink = -1;
	ck_assert_int_eq(virtio_mmio.callfd(&seen_dev->vdev, 0), -ENOTSUP);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_pages");
	TCase *tc = tcase_create("exact"), *lazy = tcase_create("lazy");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, life);
	tcase_add_test(tc, random_stores);
	tcase_add_test(tc, state_is_shown);
	tcase_add_test(tc, machine_reset);
	tcase_add_test(tc, racing_resize);
	tcase_add_checked_fixture(lazy, lazy_setup, lazy_teardown);
	tcase_add_test(lazy, lazy_status);
	tcase_add_test(lazy, lazy_without_doorbell);
	tcase_add_test(lazy, callfd);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, lazy);
	return run_suite(suite);
}
