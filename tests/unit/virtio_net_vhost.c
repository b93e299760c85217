// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fake/driver.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "virtio/mmio.h"
#include "virtio/net.h"
#include "virtio/net_backend.h"
#include "virtio/vhost.h"

/* The card with its rings handed to a kernel that records what it is told. */

enum { NUM = 64, HDR = 12, PAIRS = 2, RUNNING = 15 };

#define ALL_FEATURES (~0ULL)

static struct fake_guest g;
static struct fail fail;
static int net_fd[NET_PAIRS_MAX], peer[NET_PAIRS_MAX];

/* --- the kernel -------------------------------------------------------------------------------- */

struct fake_vring {
	int kick, call, err, backend;
	unsigned int num;
	uint16_t base;
	struct vhost_vring_addr addr;
};

static struct fake_vhost {
	int fd;
	bool owned, table;
	uint64_t features;
	struct fake_vring vrings[2];
} kernel[PAIRS];
static unsigned int opened;
static int device_error;
static int calls_left; /* until one fails; negative: none does */

int vhost_device(void)
{
	if (device_error)
		return device_error;
	ck_assert_uint_lt(opened, PAIRS);
	kernel[opened] = (struct fake_vhost){ .fd = dup(0) };
	for (unsigned int i = 0; i < 2; i++)
		kernel[opened].vrings[i].kick = kernel[opened].vrings[i].call =
			kernel[opened].vrings[i].err = kernel[opened].vrings[i].backend = -1;
	return kernel[opened++].fd;
}

static void check_table(const struct vhost_memory *table)
{
	ck_assert_uint_eq(table->nregions, 1);
	ck_assert_uint_eq(table->regions[0].guest_phys_addr, FAKE_RAM_BASE);
	ck_assert_uint_eq(table->regions[0].memory_size, FAKE_RAM_SIZE);
	ck_assert_ptr_eq((void *)(uintptr_t)table->regions[0].userspace_addr, g.ram);
}

static void set_file(struct fake_vhost *vhost, unsigned long request,
		     const struct vhost_vring_file *file)
{
	struct fake_vring *ring = &vhost->vrings[file->index];

	ck_assert_uint_lt(file->index, 2);
	if (request == VHOST_SET_VRING_KICK)
		ring->kick = file->fd;
	else if (request == VHOST_SET_VRING_CALL)
		ring->call = file->fd;
	else if (request == VHOST_SET_VRING_ERR)
		ring->err = file->fd;
	else
		ring->backend = file->fd;
	/* Everything is there when the work starts. */
	if (request == VHOST_NET_SET_BACKEND && file->fd >= 0)
		ck_assert(vhost->owned && vhost->table && ring->num == NUM && ring->kick >= 0 &&
			  ring->call >= 0 && ring->err >= 0 && ring->addr.desc_user_addr);
}

int vhost_call(int fd, unsigned long request, void *arg)
{
	const struct vhost_vring_state *state = arg;
	struct fake_vhost *vhost = kernel;

	while (vhost->fd != fd)
		ck_assert(++vhost < kernel + PAIRS);
	if (!calls_left--)
		return -EINVAL;
	if (calls_left < 0)
		calls_left = -1;
	switch (request) {
	case VHOST_SET_OWNER:
		vhost->owned = true;
		break;
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_EVENT_IDX |
				   1ULL << VIRTIO_NET_F_MRG_RXBUF;
		break;
	case VHOST_SET_FEATURES:
		vhost->features = *(uint64_t *)arg;
		break;
	case VHOST_SET_MEM_TABLE:
		check_table(arg);
		vhost->table = true;
		break;
	case VHOST_SET_VRING_NUM:
		vhost->vrings[state->index].num = state->num;
		break;
	case VHOST_SET_VRING_BASE:
		vhost->vrings[state->index].base = state->num;
		break;
	case VHOST_GET_VRING_BASE:
		ck_assert_int_eq(vhost->vrings[state->index].backend, -1);
		((struct vhost_vring_state *)arg)->num = vhost->vrings[state->index].base;
		break;
	case VHOST_SET_VRING_ADDR: {
		const struct vhost_vring_addr *addr = arg;

		vhost->vrings[addr->index].addr = *addr;
		break;
	}
	default:
		set_file(vhost, request, arg);
	}
	return 0;
}

/* --- the tap ----------------------------------------------------------------------------------- */

static ssize_t fake_recv(struct net_backend *be, unsigned int pair, const struct iovec *iov, int n)
{
	ssize_t len = readv(be->fd[pair], iov, n);

	return len < 0 ? -errno : len;
}

static int fake_send(struct net_backend *be, unsigned int pair, const struct iovec *iov, int n)
{
	return writev(be->fd[pair], iov, n) < 0 ? -errno : 0;
}

static int take(struct net_backend *be, unsigned int val)
{
	(void)be;
	(void)val;
	return 0;
}

static void fake_destroy(struct net_backend *be)
{
	for (unsigned int i = 0; i < be->pairs; i++) {
		close(be->fd[i]);
		close(peer[i]);
	}
}

static struct net_backend backend;

int tap_open(const struct net_config *cfg, struct device *dev, struct net_backend **out,
	     struct fail *why)
{
	static const struct net_backend_ops ops = {
		.recv = fake_recv,
		.send = fake_send,
		.offload = take,
		.enable = take,
		.destroy = fake_destroy,
	};

	(void)why;
	backend = (struct net_backend){ .ops = &ops, .pairs = cfg->queues, .dev = dev };
	backend.in_kernel = cfg->fd < 0;
	for (unsigned int i = 0; i < cfg->queues; i++) {
		int pair[2];

		ck_assert(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair));
		backend.fd[i] = net_fd[i] = pair[0];
		peer[i] = pair[1];
	}
	*out = &backend;
	return 0;
}

/* --- the card ---------------------------------------------------------------------------------- */

static int create(void)
{
	struct net_config cfg = { .transport = &virtio_mmio, .mode = NET_TAP, .fd = -1 };

	cfg.queues = PAIRS;
	cfg.vhost = true;
	opened = 0;
	memset(&fail, 0, sizeof(fail));
	return net_create(&g.env, &cfg, &g.dev, &fail);
}

static void setup(void)
{
	device_error = 0;
	calls_left = -1;
	fake_guest_init(&g);
	ck_assert_msg(!create(), "%s", fail.text);
}

static void teardown(void)
{
	fake_guest_fini(&g);
	for (unsigned int i = 0; i < opened; i++)
		ck_assert_int_eq(close(kernel[i].fd), -1);
}

static void start(void)
{
	ck_assert(fake_guest_start(&g, ALL_FEATURES, 2 * PAIRS + 1, NUM));
}

static bool serves(unsigned int pair)
{
	bool rx = kernel[pair].vrings[0].backend >= 0, tx = kernel[pair].vrings[1].backend >= 0;

	ck_assert(rx == tx);
	return rx;
}

static uint32_t status(void)
{
	return fake_read(&g, VIRTIO_MMIO_STATUS);
}

static int set_pairs(uint16_t pairs)
{
	const gpa_t at = FAKE_DATA;
	const struct fake_buf bufs[] = { { at, 4, false }, { at + 8, 1, true } };
	uint8_t *data = fake_ptr(&g, at);
	uint32_t id, len;

	memcpy(data, (uint8_t[]){ VIRTIO_NET_CTRL_MQ, 0, pairs, 0 }, 4);
	data[8] = 0x55;
	fake_ring_add(&g.rings[2 * PAIRS], bufs, 2);
	fake_guest_kick(&g, 2 * PAIRS);
	fake_guest_run(&g);
	ck_assert(fake_ring_used(&g.rings[2 * PAIRS], &id, &len));
	return data[8];
}

/* A packet out by the card itself: whether it arrives. */
static bool sends(unsigned int pair)
{
	const struct fake_buf buf = { FAKE_DATA + 0x1000, HDR + 60, false };
	uint8_t packet[128];

	fake_ring_add(&g.rings[2 * pair + 1], &buf, 1);
	fake_guest_kick(&g, 2 * pair + 1);
	fake_guest_run(&g);
	return recv(peer[pair], packet, sizeof(packet), 0) == HDR + 60;
}

START_TEST(handed_over)
{
	const struct fake_vring *rx = &kernel[0].vrings[0], *tx = &kernel[0].vrings[1];

	ck_assert(!serves(0));
	start();
	ck_assert(serves(0) && !serves(1));
	ck_assert_int_eq(rx->backend, net_fd[0]);
	ck_assert_ptr_eq((void *)(uintptr_t)rx->addr.desc_user_addr, fake_ptr(&g, g.rings[0].desc));
	ck_assert_ptr_eq((void *)(uintptr_t)rx->addr.avail_user_addr,
			 fake_ptr(&g, g.rings[0].avail));
	ck_assert_ptr_eq((void *)(uintptr_t)tx->addr.used_user_addr, fake_ptr(&g, g.rings[1].used));
	ck_assert_uint_eq(kernel[0].features, 1ULL << VIRTIO_F_VERSION_1 |
						      1ULL << VIRTIO_RING_F_EVENT_IDX |
						      1ULL << VIRTIO_NET_F_MRG_RXBUF);
	/* It can neither of these. */
	fake_write(&g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_DEVICE_FEATURES) &
				  (1 << (VIRTIO_F_RING_PACKED - 32) | 1 << (35 - 32)),
			  0);
	/* Nobody else takes packets or notifications. */
	ck_assert(!sends(0));
	ck_assert_int_eq(send(peer[0], "0123456789abcdef", 16, 0), 16);
	fake_guest_run(&g);
	ck_assert_int_eq(recv(net_fd[0], (char[16]){ 0 }, 16, 0), 16);
}
END_TEST

START_TEST(interrupts)
{
	start();
	g.irq.pulses = 0;
	eventfd_write(kernel[0].vrings[1].call, 1);
	fake_guest_run(&g);
	ck_assert_uint_eq(g.irq.pulses, 1);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_ISR_QUEUE);
	fake_write(&g, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_ISR_QUEUE);
	eventfd_write(kernel[0].vrings[0].call, 1);
	fake_guest_run(&g);
	ck_assert_uint_eq(g.irq.pulses, 2);
}
END_TEST

START_TEST(broken_ring)
{
	start();
	eventfd_write(kernel[0].vrings[_i].err, 1);
	fake_guest_run(&g);
	ck_assert_uint_eq(status(), RUNNING | VIRTIO_CONFIG_S_NEEDS_RESET);
	ck_assert(!serves(0));
	start();
	ck_assert(serves(0));
}
END_TEST

/* A malformed command breaks the device: the kernel is stopped as well. */
START_TEST(broken_device)
{
	const struct fake_buf buf = { FAKE_DATA, 1, false };

	start();
	fake_ring_add(&g.rings[2 * PAIRS], &buf, 1);
	fake_guest_kick(&g, 2 * PAIRS);
	fake_guest_run(&g);
	ck_assert(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	ck_assert(!serves(0));
}
END_TEST

START_TEST(reset)
{
	start();
	fake_write(&g, VIRTIO_MMIO_STATUS, 0);
	ck_assert(!serves(0));
	ck_assert_int_eq(kernel[0].vrings[0].kick, -1);
	ck_assert_int_eq(kernel[0].vrings[1].call, -1);
	start();
	ck_assert(serves(0));
	ck_assert_uint_eq(kernel[0].vrings[0].base, 0);
}
END_TEST

START_TEST(pairs)
{
	start();
	ck_assert_int_eq(set_pairs(2), 0);
	ck_assert(serves(0) && serves(1));
	ck_assert_int_eq(kernel[1].vrings[0].backend, net_fd[1]);
	ck_assert_int_eq(set_pairs(1), 0);
	ck_assert(serves(0) && !serves(1));
}
END_TEST

/* One queue is reset (2.6.1): the pair is taken back where the kernel left it, and handed over again
 * when the queue is. */
START_TEST(queue_reset)
{
	start();
	fake_ring_set_avail_idx(&g.rings[0], 7);
	kernel[0].vrings[0].base = 7;
	kernel[0].vrings[1].base = 9;
	fake_write(&g, VIRTIO_MMIO_QUEUE_SEL, 1);
	fake_write(&g, 0x0c0, 1);
	ck_assert(!serves(0));
	fake_guest_run(&g);
	ck_assert(!serves(0));
	fake_ring_init(&g.rings[1], &g.mem, g.rings[1].desc, NUM);
	g.rings[1].event_idx = true;
	fake_guest_queue(&g, 1, &g.rings[1]);
	fake_guest_run(&g);
	ck_assert(serves(0));
	ck_assert_uint_eq(kernel[0].vrings[0].base, 7);
	ck_assert_uint_eq(kernel[0].vrings[1].base, 0);
}
END_TEST

/* What the kernel did to the rings is in the state; afterwards it goes on. */
START_TEST(state)
{
	struct stream saved;

	start();
	kernel[0].vrings[0].base = 300;
	kernel[0].vrings[1].base = 65535;
	saved = device_saved(g.dev);
	ck_assert(!serves(0));
	fake_guest_run(&g);
	ck_assert(serves(0));
	ck_assert_uint_eq(kernel[0].vrings[0].base, 300);
	ck_assert_uint_eq(kernel[0].vrings[1].base, 65535);
	kernel[0].vrings[0].base = 1;
	ck_assert_int_eq(device_load(g.dev, saved.buf, saved.len), 0);
	ck_assert(serves(0));
	ck_assert_uint_eq(kernel[0].vrings[0].base, 300);
	ck_assert_uint_eq(kernel[0].vrings[1].base, 65535);
	stream_close(&saved);
}
END_TEST

/* --- what goes wrong --------------------------------------------------------------------------- */

/* Whatever call fails when the guest starts, it has its network, by ourselves. */
START_TEST(refused_at_start)
{
	unsigned int n = 0;

	do {
		g.dev->ops->destroy(g.dev);
		g.bus.nregions = 0;
		ck_assert_int_eq(create(), 0);
		calls_left = n;
		start();
		if (calls_left >= 0)
			break;
		calls_left = -1;
		ck_assert_msg(!serves(0), "%u", n);
		ck_assert_msg(sends(0), "%u", n);
		n++;
	} while (n < 100);
	ck_assert_uint_ge(n, 15);
	ck_assert_uint_lt(n, 100);
	calls_left = -1;
	ck_assert(serves(0));
}
END_TEST

START_TEST(cannot_open)
{
	static const struct {
		int err, calls;
		enum exit_code code;
		const char *word;
	} cases[] = {
		{ -ENOENT, -1, EXIT_CONFIG, "modprobe vhost_net" },
		{ -EACCES, -1, EXIT_CONFIG, "permission" },
		{ -EMFILE, -1, EXIT_HOST, "Too many" },
		{ 0, 0, EXIT_HOST, "set up" },
		{ 0, 1, EXIT_HOST, "set up" },
		{ 0, 2, EXIT_HOST, "set up" },
		{ 0, 3, EXIT_HOST, "set up" },
	};

	g.dev->ops->destroy(g.dev);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		g.bus.nregions = 0;
		device_error = cases[i].err;
		calls_left = cases[i].calls;
		ck_assert_int_lt(create(), 0);
		ck_assert_int_eq(fail.code, cases[i].code);
		ck_assert_msg(strstr(fail.text, cases[i].word), "%s", fail.text);
	}
	g.dev = NULL;
}
END_TEST

START_TEST(no_tap)
{
	struct net_config cfg = { .transport = &virtio_mmio, .mode = NET_TAP, .fd = 5 };

	g.dev->ops->destroy(g.dev);
	g.dev = NULL;
	cfg.queues = 1;
	cfg.vhost = true;
	ck_assert_int_lt(net_create(&g.env, &cfg, &g.dev, &fail), 0);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	ck_assert_msg(strstr(fail.text, "for a tap"), "%s", fail.text);
	g.dev = NULL;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_net_vhost");
	TCase *tc = tcase_create("vhost");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, handed_over);
	tcase_add_test(tc, interrupts);
	tcase_add_loop_test(tc, broken_ring, 0, 2);
	tcase_add_test(tc, broken_device);
	tcase_add_test(tc, reset);
	tcase_add_test(tc, pairs);
	tcase_add_test(tc, queue_reset);
	tcase_add_test(tc, state);
	tcase_add_test(tc, refused_at_start);
	tcase_add_test(tc, cannot_open);
	tcase_add_test(tc, no_tap);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
