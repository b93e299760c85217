// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fake/driver.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "virtio/mmio.h"
#include "virtio/net.h"
#include "virtio/net_backend.h"

/* The card's control queue and its queue pairs, on a backend that records what it is told. */

enum { NUM = 64, HDR = 12, PAIRS = 3, SLOT = 2048, CTRL = 2 * PAIRS };
enum { REPLY = FAKE_DATA + 0x2000 };

#define ALL_FEATURES (~0ULL)
#define WITHOUT(f)   (~(1ULL << (f)))

static struct fake_guest g;
static struct fail fail;
static const uint8_t own_mac[] = { 0x02, 0x15, 0x15, 0x15, 0x15, 0x16 };

/* --- the backend ------------------------------------------------------------------------------- */

static struct {
	struct net_backend be;
	int peer[NET_PAIRS_MAX];
	unsigned int tun_f, pairs;
	unsigned int count, flags; /* of the filter */
	uint8_t addr[130][6];
	int refuse; /* the next setting's error */
} net;

static ssize_t fake_recv(struct net_backend *be, unsigned int pair, const struct iovec *iov, int n)
{
	ssize_t len = readv(be->fd[pair], iov, n);

	return len < 0 ? -errno : len;
}

static int fake_send(struct net_backend *be, unsigned int pair, const struct iovec *iov, int n)
{
	return writev(be->fd[pair], iov, n) < 0 ? -errno : 0;
}

static int fake_offload(struct net_backend *be, unsigned int tun_f)
{
	(void)be;
	if (net.refuse)
		return net.refuse;
	net.tun_f = tun_f;
	return 0;
}

static int fake_enable(struct net_backend *be, unsigned int pairs)
{
	(void)be;
	if (net.refuse)
		return net.refuse;
	net.pairs = pairs;
	return 0;
}

static int fake_filter(struct net_backend *be, const struct tun_filter *filter)
{
	(void)be;
	net.count = filter->count;
	net.flags = filter->flags;
	ck_assert_uint_le(filter->count, 130);
	memcpy(net.addr, filter->addr, filter->count * 6);
	return 0;
}

static void fake_destroy(struct net_backend *be)
{
	/* One record serves all cards: the last one's. */
	for (unsigned int i = 0; i < be->pairs; i++) {
		close(be->fd[i]);
		close(net.peer[i]);
	}
	be->pairs = 0;
}

static const struct net_backend_ops fake_ops = {
	.recv = fake_recv,
	.send = fake_send,
	.offload = fake_offload,
	.enable = fake_enable,
	.filter = fake_filter,
	.destroy = fake_destroy,
};

/* Instead of the real one, which its archive then leaves out. */
int tap_open(const struct net_config *cfg, struct device *dev, struct net_backend **out,
	     struct fail *why)
{
	(void)why;
	memset(&net, 0, sizeof(net));
	net.be = (struct net_backend){ .ops = &fake_ops, .pairs = cfg->queues, .dev = dev };
	for (unsigned int i = 0; i < cfg->queues; i++) {
		int pair[2];

		ck_assert(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair));
		net.be.fd[i] = pair[0];
		net.peer[i] = pair[1];
	}
	*out = &net.be;
	return 0;
}

/* --- the card ---------------------------------------------------------------------------------- */

static void create(struct fake_guest *guest, unsigned int queues)
{
	struct net_config cfg = { .transport = &virtio_mmio, .mode = NET_TAP, .queues = queues };

	cfg.has_mac = true;
	memcpy(cfg.mac, own_mac, 6);
	ck_assert_msg(!net_create(&guest->env, &cfg, &guest->dev, &fail), "%s", fail.text);
}

static void setup(void)
{
	fake_guest_init(&g);
	create(&g, PAIRS);
}

static void teardown(void)
{
	fake_guest_fini(&g);
}

static void start(uint64_t features)
{
	ck_assert(fake_guest_start(&g, features, 2 * PAIRS + 1, NUM));
}

static unsigned int ctrl_q = CTRL;

/* Sends a command: its answer, or -1 when there was none. */
static int command(unsigned int class, unsigned int cmd, const void *data, uint32_t len)
{
	const struct fake_buf bufs[] = {
		{ FAKE_DATA, 2, false },
		{ FAKE_DATA + 2, len, false },
		{ REPLY, 1, true },
	};
	uint8_t *at = fake_ptr(&g, FAKE_DATA);
	uint32_t id, used;

	at[0] = class;
	at[1] = cmd;
	if (len)
		memcpy(at + 2, data, len);
	*(uint8_t *)fake_ptr(&g, REPLY) = 0x55;
	if (len) {
		fake_ring_add(&g.rings[ctrl_q], bufs, 3);
	} else {
		const struct fake_buf two[] = { bufs[0], bufs[2] };

		fake_ring_add(&g.rings[ctrl_q], two, 2);
	}
	fake_guest_kick(&g, ctrl_q);
	fake_guest_run(&g);
	if (!fake_ring_used(&g.rings[ctrl_q], &id, &used))
		return -1;
	ck_assert_uint_eq(used, 1);
	return *(uint8_t *)fake_ptr(&g, REPLY);
}

static int command8(unsigned int class, unsigned int cmd, uint8_t val)
{
	return command(class, cmd, &val, 1);
}

static int command16(unsigned int class, unsigned int cmd, uint16_t val)
{
	return command(class, cmd, &val, 2);
}

/* The table of `uni` and `multi` addresses, numbered. */
static int mac_table(unsigned int uni, unsigned int multi)
{
	static uint8_t data[8 + 2 * 100 * 6];
	uint8_t *at = data;

	for (unsigned int list = 0; list < 2; list++) {
		uint32_t n = list ? multi : uni;

		memcpy(at, &n, 4);
		at += 4;
		for (unsigned int i = 0; i < n; i++, at += 6)
			memcpy(at, (uint8_t[]){ list ? 1 : 2, 0, 0, 0, list, i }, 6);
	}
	return command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, data, at - data);
}

static uint64_t config(unsigned int off, unsigned int size)
{
	uint64_t val;

	bus_read(&g.bus, FAKE_DEV_BASE + VIRTIO_MMIO_CONFIG + off, size, &val);
	return val;
}

static bool broken(void)
{
	return fake_read(&g, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static bool filtered_for(const uint8_t *mac)
{
	for (unsigned int i = 0; i < net.count; i++)
		if (!memcmp(net.addr[i], mac, 6))
			return true;
	return false;
}

/* --- addresses --------------------------------------------------------------------------------- */

START_TEST(receive_modes)
{
	static const uint8_t broadcast[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	start(ALL_FEATURES);
	ck_assert_uint_eq(net.count, 0); /* promiscuous until the driver says what it wants */
	ck_assert_int_eq(command8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0), 0);
	ck_assert_uint_eq(net.count, 2);
	ck_assert(filtered_for(own_mac) && filtered_for(broadcast));
	ck_assert_uint_eq(net.flags, 0);
	ck_assert_int_eq(command8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, 1), 0);
	ck_assert_uint_eq(net.flags, TUN_FLT_ALLMULTI);
	ck_assert_int_eq(command8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOBCAST, 1), 0);
	ck_assert(!filtered_for(broadcast));
	ck_assert_int_eq(command8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLUNI, 1), 0);
	ck_assert_uint_eq(net.count, 0);
	ck_assert_int_eq(command8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLUNI, 0), 0);
	ck_assert_uint_eq(net.count, 1);
	ck_assert_int_eq(command8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1), 0);
	ck_assert_uint_eq(net.count, 0);
}
END_TEST

START_TEST(address_table)
{
	start(ALL_FEATURES);
	ck_assert_int_eq(command8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0), 0);
	ck_assert_int_eq(mac_table(3, 5), 0);
	ck_assert_uint_eq(net.count, 1 + 3 + 1 + 5);
	/* Those of single cards first: only the first 8 are exact. */
	ck_assert_uint_eq(net.addr[3][0] & 1, 0);
	ck_assert_uint_eq(net.addr[4][0] & 1, 1);
	ck_assert_int_eq(mac_table(7, 64), 0);
	ck_assert_uint_eq(net.count, 1 + 7 + 1 + 64);
	/* More than can be filtered: all pass. */
	ck_assert_int_eq(mac_table(8, 0), 0);
	ck_assert_uint_eq(net.count, 0);
	ck_assert_int_eq(mac_table(65, 1), 0);
	ck_assert_uint_eq(net.count, 0);
	ck_assert_int_eq(mac_table(0, 65), 0);
	ck_assert_uint_eq(net.count, 0);
	ck_assert_int_eq(mac_table(0, 0), 0);
	ck_assert_uint_eq(net.count, 2);
}
END_TEST

START_TEST(own_address)
{
	static const uint8_t other[] = { 2, 1, 2, 3, 4, 5 }, group[] = { 1, 1, 2, 3, 4, 5 };

	start(ALL_FEATURES);
	ck_assert_int_eq(command8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0), 0);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, group, 6), 1);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, other, 6), 0);
	ck_assert(filtered_for(other) && !filtered_for(own_mac));
	ck_assert_uint_eq(config(5, 1), 5);
	fake_write(&g, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(config(5, 1), 0x16);
	ck_assert_uint_eq(net.count, 0);
}
END_TEST

/* --- VLANs ------------------------------------------------------------------------------------- */

/* Buffers of `size` bytes, all in a row behind each other. */
static void post(unsigned int q, unsigned int n, uint32_t size)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct fake_buf buf = { FAKE_DATA + 0x10000 + i * size, size, true };

		fake_ring_add(&g.rings[q], &buf, 1);
	}
	fake_guest_kick(&g, q);
}

/* Whether a frame, tagged if vlan >= 0, comes through queue q. */
static bool passes(unsigned int pair, int vlan)
{
	uint8_t frame[HDR + 60] = { 0 };
	uint32_t id, len, total = 0;

	frame[HDR + 12] = vlan < 0 ? 0x08 : 0x81;
	frame[HDR + 14] = vlan < 0 ? 0 : 0xe0 | vlan >> 8;
	frame[HDR + 15] = vlan < 0 ? 0 : vlan;
	ck_assert_int_eq(send(net.peer[pair], frame, sizeof(frame), 0), sizeof(frame));
	fake_guest_run(&g);
	while (fake_ring_used(&g.rings[2 * pair], &id, &len))
		total += len;
	ck_assert(!total || total == sizeof(frame));
	return total != 0;
}

/* Whole, and cut up in the middle of the tag (5.1.6.3.1: at least a header each). */
START_TEST(vlans)
{
	start(ALL_FEATURES);
	post(0, NUM - 1, _i ? 13 : SLOT);
	ck_assert(passes(0, -1) && passes(0, 5)); /* promiscuous */
	ck_assert_int_eq(command8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0), 0);
	ck_assert(passes(0, -1) && passes(0, 0) && !passes(0, 5));
	ck_assert_int_eq(command16(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, 5), 0);
	ck_assert_int_eq(command16(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, 4095), 0);
	ck_assert_int_eq(command16(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, 4096), 1);
	ck_assert(passes(0, 5) && passes(0, 4095) && !passes(0, 6) && !passes(0, 4));
	ck_assert_int_eq(command16(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL, 5), 0);
	ck_assert(!passes(0, 5));
}
END_TEST

START_TEST(vlans_not_negotiated)
{
	start(WITHOUT(VIRTIO_NET_F_CTRL_VLAN));
	post(0, 8, SLOT);
	ck_assert_int_eq(command8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0), 0);
	ck_assert_int_eq(command16(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, 5), 1);
	ck_assert(passes(0, 5));
}
END_TEST

/* --- pairs ------------------------------------------------------------------------------------- */

static int set_pairs(uint16_t pairs)
{
	return command16(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, pairs);
}

START_TEST(pairs)
{
	uint8_t packet[HDR + 60] = { 0 };
	const struct fake_buf out = { FAKE_DATA + 0x1000, sizeof(packet), false };

	ck_assert_uint_eq(config(8, 2), PAIRS);
	start(ALL_FEATURES);
	ck_assert_uint_eq(net.pairs, 1);
	for (unsigned int i = 0; i < PAIRS; i++)
		post(2 * i, 4, SLOT);
	ck_assert(passes(0, -1));
	ck_assert(!passes(1, -1)); /* it waits */
	ck_assert_int_eq(set_pairs(0), 1);
	ck_assert_int_eq(set_pairs(PAIRS + 1), 1);
	ck_assert_uint_eq(net.pairs, 1);
	ck_assert_int_eq(set_pairs(2), 0);
	ck_assert_uint_eq(net.pairs, 2);
	fake_guest_run(&g);
	ck_assert_uint_eq(g.rings[2].used_idx, 0);
	{
		uint32_t id, len;

		ck_assert(fake_ring_used(&g.rings[2], &id, &len)); /* and is there now */
	}
	ck_assert(passes(1, -1) && !passes(2, -1));
	fake_ring_add(&g.rings[3], &out, 1);
	fake_guest_kick(&g, 3);
	fake_guest_run(&g);
	ck_assert_int_eq(recv(net.peer[1], packet, sizeof(packet), 0), sizeof(packet));
	net.refuse = -EIO;
	ck_assert_int_eq(set_pairs(3), 1);
	net.refuse = 0;
	ck_assert_uint_eq(net.pairs, 2);
	fake_write(&g, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(net.pairs, 1);
}
END_TEST

/* Without MQ the control queue is the third, whatever the card could do (5.1.2). */
START_TEST(one_pair)
{
	start(WITHOUT(VIRTIO_NET_F_MQ));
	ctrl_q = 2;
	ck_assert_int_eq(command8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0), 0);
	ck_assert_uint_eq(net.count, 2);
	ck_assert_int_eq(set_pairs(1), 1);
	/* The queues behind mean nothing. */
	post(4, 4, SLOT);
	fake_guest_kick(&g, 3);
	fake_write(&g, VIRTIO_MMIO_QUEUE_NOTIFY, 3);
	fake_write(&g, VIRTIO_MMIO_QUEUE_NOTIFY, 6);
	ck_assert(!passes(2, -1));
	ck_assert(!broken());
}
END_TEST

/* --- offloads ---------------------------------------------------------------------------------- */

static int set_offloads(uint64_t features)
{
	return command(VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET,
		       &features, 8);
}

START_TEST(offloads)
{
	const uint64_t csum = 1 << VIRTIO_NET_F_GUEST_CSUM, tso = 1 << VIRTIO_NET_F_GUEST_TSO4;

	start(ALL_FEATURES);
	ck_assert_uint_eq(net.tun_f, 0x7f);
	ck_assert_int_eq(set_offloads(csum), 0);
	ck_assert_uint_eq(net.tun_f, TUN_F_CSUM);
	ck_assert_int_eq(set_offloads(csum | tso), 0);
	ck_assert_uint_eq(net.tun_f, TUN_F_CSUM | TUN_F_TSO4);
	ck_assert_int_eq(set_offloads(tso), 1); /* needs checksums */
	ck_assert_int_eq(set_offloads(csum | 1 << VIRTIO_NET_F_HOST_TSO4), 1);
	net.refuse = -EINVAL;
	ck_assert_int_eq(set_offloads(0), 1);
	net.refuse = 0;
	ck_assert_int_eq(set_offloads(0), 0);
	ck_assert_uint_eq(net.tun_f, 0);
	start(~(1ULL << VIRTIO_NET_F_GUEST_TSO6 | 1ULL << 55));
	/* One USO alone is none for Linux. */
	ck_assert_uint_eq(net.tun_f, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN | TUN_F_UFO);
	ck_assert_int_eq(set_offloads(1 << VIRTIO_NET_F_GUEST_TSO6), 1); /* not negotiated */
	fake_write(&g, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(net.tun_f, 0);
}
END_TEST

START_TEST(features_that_need_others)
{
	static const uint64_t alone[] = {
		1ULL << VIRTIO_NET_F_GUEST_TSO4,
		1ULL << VIRTIO_NET_F_GUEST_UFO,
		1ULL << 54,
		1ULL << 55,
		1ULL << 56,
		1ULL << VIRTIO_NET_F_HOST_TSO6,
		1ULL << VIRTIO_NET_F_GUEST_ECN | 1ULL << VIRTIO_NET_F_GUEST_CSUM,
		1ULL << VIRTIO_NET_F_CTRL_RX,
		1ULL << VIRTIO_NET_F_CTRL_VLAN,
		1ULL << VIRTIO_NET_F_MQ,
		1ULL << VIRTIO_NET_F_CTRL_MAC_ADDR,
		1ULL << VIRTIO_NET_F_GUEST_ANNOUNCE,
		1ULL << VIRTIO_NET_F_CTRL_GUEST_OFFLOADS,
	};

	for (unsigned int i = 0; i < sizeof(alone) / sizeof(alone[0]); i++)
		ck_assert_msg(!fake_guest_negotiate(&g, 1ULL << VIRTIO_F_VERSION_1 | alone[i]),
			      "%u", i);
	ck_assert(fake_guest_negotiate(&g, 1ULL << VIRTIO_F_VERSION_1));
}
END_TEST

/* --- what is no command ------------------------------------------------------------------------ */

START_TEST(refused)
{
	static const uint8_t zeros[64];
	const uint32_t many[] = { 2, 0, 0 }, huge[] = { UINT32_MAX, 0 };

	start(ALL_FEATURES);
	for (unsigned int class = 0; class < 256; class ++)
		for (unsigned int cmd = class < 6 ? 6 : 0; cmd < 256; cmd += class < 6 ? 1 : 51)
			ck_assert_int_eq(command(class, cmd, zeros, 8), 1);
	/* Too short, too long, too many. */
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_RX, 0, NULL, 0), 1);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_RX, 0, zeros, 2), 1);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_MAC, 1, zeros, 5), 1);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_MAC, 1, zeros, 7), 1);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_MAC, 0, zeros, 0), 1);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_MAC, 0, zeros, 7), 1);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_MAC, 0, zeros, 9), 1);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_MAC, 0, many, 12), 1);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_MAC, 0, huge, 8), 1);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_VLAN, 0, zeros, 1), 1);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_ANNOUNCE, 0, zeros, 1), 1);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_MQ, 0, zeros, 1), 1);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, zeros, 4), 1);
	ck_assert_uint_eq(net.count, 0);
	ck_assert(!broken());
}
END_TEST

START_TEST(malformed)
{
	const struct fake_buf no_answer = { FAKE_DATA, 2, false };
	const struct fake_buf short_header[] = { { FAKE_DATA, 1, false }, { REPLY, 1, true } };
	const struct fake_buf outside[] = { { 0x1000, 2, false }, { REPLY, 1, true } };

	start(ALL_FEATURES);
	if (_i == 0)
		fake_ring_add(&g.rings[CTRL], &no_answer, 1);
	else
		fake_ring_add(&g.rings[CTRL], _i == 1 ? short_header : outside, 2);
	fake_guest_kick(&g, CTRL);
	fake_guest_run(&g);
	ck_assert(broken());
	start(ALL_FEATURES);
	ck_assert_int_eq(command8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0), 0);
}
END_TEST

/* --- state ------------------------------------------------------------------------------------- */

static void set_everything(void)
{
	static const uint8_t other[] = { 2, 1, 2, 3, 4, 5 };

	start(ALL_FEATURES);
	ck_assert_int_eq(command8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0), 0);
	ck_assert_int_eq(command8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, 1), 0);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_MAC, 1, other, 6), 0);
	ck_assert_int_eq(mac_table(2, 3), 0);
	ck_assert_int_eq(command16(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, 77), 0);
	ck_assert_int_eq(set_pairs(2), 0);
	ck_assert_int_eq(set_offloads(1 << VIRTIO_NET_F_GUEST_CSUM), 0);
}

START_TEST(state)
{
	struct fake_guest to;
	struct stream before, after;
	uint8_t addr[130][6];

	set_everything();
	memcpy(addr, net.addr, sizeof(addr));
	before = device_saved(g.dev);
	fake_guest_init(&to);
	create(&to, PAIRS);
	ck_assert_uint_eq(net.count, 0);
	ck_assert_int_eq(fake_guest_move(&g, &to), 0);
	ck_assert_uint_eq(net.count, 1 + 2 + 1 + 3);
	ck_assert_mem_eq(addr, net.addr, net.count * 6);
	ck_assert_uint_eq(net.flags, TUN_FLT_ALLMULTI);
	ck_assert_uint_eq(net.pairs, 2);
	ck_assert_uint_eq(net.tun_f, TUN_F_CSUM);
	/* The guest is asked to say where it is now. */
	ck_assert_uint_gt(to.irq.pulses, 0);
	ck_assert(fake_read(&to, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_ISR_CONFIG);
	fake_guest_fini(&g);
	g = to;
	g.env.mem = &g.mem;
	ck_assert_uint_eq(config(6, 2), VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	after = device_saved(g.dev);
	ck_assert_uint_eq(before.len, after.len);
	stream_close(&before);
	stream_close(&after);
}
END_TEST

/* A driver keeps the address that it knows until it resets the card, whose own shows then: the saved
 * one's, or that of a clone. */
START_TEST(addresses)
{
	static const uint8_t set[] = { 2, 1, 2, 3, 4, 5 }, fresh[] = { 2, 9, 9, 9, 9, 9 };
	const uint8_t *after = _i ? fresh : own_mac;
	struct net_config cfg = { .transport = &virtio_mmio, .mode = NET_TAP, .queues = PAIRS };
	struct fake_guest to;

	start(ALL_FEATURES);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_MAC, 1, set, 6), 0);
	fake_guest_init(&to);
	cfg.has_mac = true;
	cfg.own_mac = _i;
	memcpy(cfg.mac, fresh, 6);
	ck_assert_int_eq(net_create(&to.env, &cfg, &to.dev, &fail), 0);
	ck_assert_int_eq(fake_guest_move(&g, &to), 0);
	fake_guest_fini(&g);
	g = to;
	g.env.mem = &g.mem;
	ck_assert_uint_eq(config(5, 1), set[5]);
	fake_write(&g, VIRTIO_MMIO_STATUS, 0);
	for (unsigned int i = 0; i < 6; i++)
		ck_assert_uint_eq(config(i, 1), after[i]);
}
END_TEST

START_TEST(announce_acknowledged)
{
	struct stream saved;

	start(ALL_FEATURES);
	saved = device_saved(g.dev);
	ck_assert_int_eq(device_load(g.dev, saved.buf, saved.len), 0);
	stream_close(&saved);
	ck_assert_uint_eq(config(6, 2), VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	ck_assert_int_eq(command(VIRTIO_NET_CTRL_ANNOUNCE, 0, NULL, 0), 0);
	ck_assert_uint_eq(config(6, 2), VIRTIO_NET_S_LINK_UP);
}
END_TEST

/* Each byte of it altered, and cut anywhere: refused or taken, never more than that. */
START_TEST(hostile_state)
{
	struct stream saved;

	set_everything();
	saved = device_saved(g.dev);
	for (size_t i = 0; i < saved.len; i++) {
		uint8_t *data = (uint8_t *)saved.buf;

		ck_assert_int_lt(device_load(g.dev, data, i), 0);
		data[i] ^= 0xff;
		device_load(g.dev, data, saved.len);
		data[i] ^= 0xff;
		ck_assert_uint_ge(net.pairs, 1);
		ck_assert_uint_le(net.pairs, PAIRS);
	}
	ck_assert_int_eq(device_load(g.dev, saved.buf, saved.len), 0);
	stream_close(&saved);
}
END_TEST

/* What this card cannot do is refused. */
START_TEST(state_of_more_pairs)
{
	struct fake_guest to;

	set_everything();
	fake_guest_init(&to);
	create(&to, 1);
	ck_assert_int_lt(fake_guest_move(&g, &to), 0);
	fake_guest_fini(&to);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_net_ctrl");
	TCase *tc = tcase_create("ctrl");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, receive_modes);
	tcase_add_test(tc, address_table);
	tcase_add_test(tc, own_address);
	tcase_add_loop_test(tc, vlans, 0, 2);
	tcase_add_test(tc, vlans_not_negotiated);
	tcase_add_test(tc, pairs);
	tcase_add_test(tc, one_pair);
	tcase_add_test(tc, offloads);
	tcase_add_test(tc, features_that_need_others);
	tcase_add_test(tc, refused);
	tcase_add_loop_test(tc, malformed, 0, 3);
	tcase_add_test(tc, state);
	tcase_add_loop_test(tc, addresses, 0, 2);
	tcase_add_test(tc, announce_acknowledged);
	tcase_add_test(tc, hostile_state);
	tcase_add_test(tc, state_of_more_pairs);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
