// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/net.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "virtio/tap.h"

enum { RECEIVEQ, TRANSMITQ, NET_QUEUES };

enum {
	NET_QUEUE = 256,
	HDR_SIZE = sizeof(struct virtio_net_hdr_v1),
	NUM_BUFFERS_AT = offsetof(struct virtio_net_hdr_v1, num_buffers),
	/* The largest packet a tap gives: a GSO packet of 64 KiB, Ethernet header with a VLAN tag,
	 * our header (5.1.6.3.1 says 65562 without the tag). */
	PACKET_MAX = 65536 + 18 + HDR_SIZE,
	/* Chains that one packet may fill; 1500-byte buffers need 44. */
	RX_CHAINS = 64,
	RX_VECS = 256,
	RX_BATCH = 64, /* packets a round of the loop */
};

struct net {
	struct virtio_dev vdev;
	struct tap tap;
	struct loop_fd tap_src; /* the tap, edge-triggered both ways */
	struct virtio_net_config config;
	bool tx_blocked; /* waiting for EPOLLOUT */

	/* A packet is read straight into as many chains as the last one took; what does not fit
	 * lands in `spill` and is copied into further ones. */
	struct virtq_chain chains[RX_CHAINS];
	struct iovec chain_iov[RX_CHAINS][2];
	unsigned int nchains, want; /* chains taken: none between callbacks */
	size_t room; /* bytes in them */
	struct iovec vecs[RX_VECS + 1];
	/* A packet for which the driver has too few buffers waits here whole. */
	size_t held;
	uint8_t spill[PACKET_MAX];
};

static struct net *to_net(struct virtio_dev *vdev)
{
	return container_of(vdev, struct net, vdev);
}

/* --- receive ----------------------------------------------------------------------------------- */

/* The most chains that a packet may fill: a driver that posted so many has no more to give. */
static unsigned int chains_max(const struct net *net)
{
	uint32_t num = net->vdev.queues[RECEIVEQ].vq.num;

	if (!virtio_has(&net->vdev, VIRTIO_NET_F_MRG_RXBUF))
		return 1;
	return num < RX_CHAINS ? num : RX_CHAINS;
}

/* Pops chains until there are `want`, or none: 0, -EPROTO, -ENOMEM. */
static int take_chains(struct net *net, unsigned int want)
{
	struct virtq *vq = virtio_vq(&net->vdev, RECEIVEQ);
	struct virtq_chain *chain;
	int ret;

	while (net->nchains < want) {
		chain = &net->chains[net->nchains];
		ret = virtq_pop(vq, chain);
		if (ret <= 0)
			return ret;
		net->nchains++;
		/* 5.1.6.3.1: room for the header at least, and nothing to read. */
		if (chain->out.left || chain->in.left < HDR_SIZE)
			return -EPROTO;
		net->room += chain->in.left;
	}
	return 0;
}

/* Returns the chains from `first` on to the ring. */
static void give_back(struct net *net, unsigned int first)
{
	for (; net->nchains > first; net->nchains--)
		virtq_unpop(virtio_vq(&net->vdev, RECEIVEQ));
	net->nchains = 0;
	net->room = 0;
}

/* Reads a packet into the chains taken and then `spill`: its length, or -errno. *direct is how
 * many bytes went, or would have gone, into the chains. */
static ssize_t read_packet(struct net *net, size_t *direct)
{
	unsigned int n = 0;
	ssize_t len;

	*direct = 0;
	for (unsigned int c = 0; c < net->nchains; c++) {
		const struct virtq_iov *in = &net->chains[c].in;

		for (unsigned int i = 0; i < in->n && n < RX_VECS; i++) {
			net->vecs[n++] = in->iov[i];
			*direct += in->iov[i].iov_len;
		}
	}
	net->vecs[n++] = (struct iovec){ net->spill, sizeof(net->spill) };
	do {
		len = readv(net->tap.fd, net->vecs, n);
	} while (len < 0 && errno == EINTR);
	return len < 0 ? -errno : len;
}

/* Brings a packet whose first `direct` bytes lie in the chains together in `spill`. */
static void hold(struct net *net, size_t len, size_t direct)
{
	size_t done = 0;

	memmove(net->spill + direct, net->spill, len - direct);
	for (unsigned int c = 0; done < direct; c++) {
		const struct virtq_iov *in = &net->chains[c].in;

		/* They are full: the packet is longer than all of them. */
		for (unsigned int i = 0; i < in->n && done < direct; i++) {
			assert(in->iov[i].iov_len <= direct - done);
			memcpy(net->spill + done, in->iov[i].iov_base, in->iov[i].iov_len);
			done += in->iov[i].iov_len;
		}
	}
	net->held = len;
}

/* Copies what is not in place from `spill`, and pushes the chains that the packet fills. */
static void deliver(struct net *net, size_t len, size_t direct)
{
	struct virtq *vq = virtio_vq(&net->vdev, RECEIVEQ);
	size_t done = 0, part, here;
	unsigned int used = 0;
	uint16_t num_buffers;

	for (; done < len; done += part) {
		struct virtq_chain *chain = &net->chains[used++];

		part = len - done < chain->in.left ? len - done : chain->in.left;
		here = done >= direct ? 0 : direct - done < part ? direct - done : part;
		virtq_skip(&chain->in, here);
		if (here < part)
			virtq_put(chain, net->spill + (done + here - direct), part - here);
		chain->wrote = part;
	}
	/* The tap leaves this field of the header to us (5.1.6.4). */
	num_buffers = used;
	virtq_rewind(&net->chains[0].in);
	virtq_skip(&net->chains[0].in, NUM_BUFFERS_AT);
	virtq_put(&net->chains[0], &num_buffers, sizeof(num_buffers));

	give_back(net, used);
	for (unsigned int c = 0; c < used; c++)
		virtq_push(vq, &net->chains[c], net->chains[c].wrote);
	net->want = used;
	net->held = 0;
}

/* Takes more chains until a packet of `len` bytes fits or no more can help: 1, 0 when the driver
 * has to give more first, -EPROTO, -ENOMEM. */
static int make_room(struct net *net, size_t len)
{
	while (net->room < len && net->nchains < chains_max(net)) {
		unsigned int before = net->nchains;
		int err = take_chains(net, before + 1);

		if (err)
			return err;
		if (net->nchains > before)
			continue;
		/* Listens while the chains are taken, so that only further ones notify. */
		if (virtq_listen(virtio_vq(&net->vdev, RECEIVEQ)))
			virtio_kick(&net->vdev, RECEIVEQ);
		return 0;
	}
	return 1;
}

/*
 * One packet: 1 if it is dealt with; 0 when there is none or the driver has too few buffers, and
 * the tap's next edge or the driver's notification goes on; -EPROTO, -ENOMEM.
 */
static int receive_one(struct net *net)
{
	ssize_t len = net->held;
	size_t direct = 0;
	int ret = take_chains(net, net->want);

	if (ret)
		return ret;
	if (!net->nchains)
		return make_room(net, 1);
	if (!len)
		len = read_packet(net, &direct);
	if (len <= 0)
		return 0;
	if (direct > (size_t)len)
		direct = len;
	if (len < HDR_SIZE || len > PACKET_MAX)
		return 1;
	ret = make_room(net, len);
	if (ret > 0 && net->room >= (size_t)len)
		deliver(net, len, direct);
	else if (ret > 0)
		net->held = 0; /* larger than all that the driver ever posts: dropped */
	else if (!net->held)
		hold(net, len, direct);
	return ret;
}

static void receive(struct net *net)
{
	unsigned int budget = RX_BATCH;
	int ret = 1;

	if (!virtio_running(&net->vdev, RECEIVEQ))
		return;
	virtq_mute(virtio_vq(&net->vdev, RECEIVEQ));
	while (budget && (ret = receive_one(net)) > 0) {
		give_back(net, 0);
		budget--;
	}
	give_back(net, 0);
	virtio_publish(&net->vdev, RECEIVEQ);
	if (ret < 0)
		virtio_broken(&net->vdev, "malformed receive buffer");
	else if (!budget)
		virtio_kick(&net->vdev, RECEIVEQ);
}

/* --- transmit ---------------------------------------------------------------------------------- */

static int64_t transmit(struct virtio_dev *vdev, struct virtq_chain *chain)
{
	struct net *net = to_net(vdev);
	ssize_t ret;

	if (chain->out.left < HDR_SIZE)
		return -EPROTO;
	do {
		ret = writev(net->tap.fd, chain->out.iov, chain->out.n);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0 && errno == EAGAIN) {
		net->tx_blocked = true;
		return -EAGAIN;
	}
	/* An interface that is down, a header that the kernel refuses, no memory: a network may
	 * lose packets. */
	return 0;
}

static void tap_event(struct loop_fd *src, uint32_t events)
{
	struct net *net = container_of(src, struct net, tap_src);

	if (events & EPOLLOUT && net->tx_blocked) {
		net->tx_blocked = false;
		if (virtio_running(&net->vdev, TRANSMITQ))
			virtio_serve(&net->vdev, TRANSMITQ, transmit);
	}
	if (events & EPOLLIN)
		receive(net);
}

static void net_notify(struct virtio_dev *vdev, unsigned int q)
{
	struct net *net = to_net(vdev);

	if (q == RECEIVEQ)
		receive(net);
	else if (!net->tx_blocked)
		virtio_serve(vdev, TRANSMITQ, transmit);
}

/* --- features ---------------------------------------------------------------------------------- */

/* 5.1.3.1: what stands on what (one of them is enough). */
static const struct {
	unsigned int feature;
	uint64_t needs;
	unsigned int tun_f; /* what the tap must be told, if it sends it to us */
} dependencies[] = {
	{ VIRTIO_NET_F_GUEST_CSUM, 0, TUN_F_CSUM },
	{ VIRTIO_NET_F_GUEST_TSO4, VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM), TUN_F_TSO4 },
	{ VIRTIO_NET_F_GUEST_TSO6, VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM), TUN_F_TSO6 },
	{ VIRTIO_NET_F_GUEST_ECN,
	  VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6),
	  TUN_F_TSO_ECN },
	{ VIRTIO_NET_F_CSUM, 0, 0 },
	{ VIRTIO_NET_F_HOST_TSO4, VIRTIO_BIT(VIRTIO_NET_F_CSUM), 0 },
	{ VIRTIO_NET_F_HOST_TSO6, VIRTIO_BIT(VIRTIO_NET_F_CSUM), 0 },
	{ VIRTIO_NET_F_HOST_ECN,
	  VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO6), 0 },
};

enum { NDEPENDENCIES = sizeof(dependencies) / sizeof(dependencies[0]) };

static bool net_accepts(struct virtio_dev *vdev, uint64_t features)
{
	(void)vdev;
	for (unsigned int i = 0; i < NDEPENDENCIES; i++)
		if (features >> dependencies[i].feature & 1 && dependencies[i].needs &&
		    !(features & dependencies[i].needs))
			return false;
	return true;
}

static unsigned int to_tun(uint64_t features)
{
	unsigned int tun_f = 0;

	for (unsigned int i = 0; i < NDEPENDENCIES; i++)
		if (features >> dependencies[i].feature & 1)
			tun_f |= dependencies[i].tun_f;
	return tun_f;
}

/* Everything the tap can do; nothing is known of a socket's peer. */
static uint64_t net_features(struct net *net)
{
	uint64_t all = 0;

	for (unsigned int i = 0; i < NDEPENDENCIES; i++)
		all |= VIRTIO_BIT(dependencies[i].feature);
	if (net->tap.is_socket || tap_offload(&net->tap, to_tun(all)))
		all = 0;
	tap_offload(&net->tap, 0);
	return all;
}

/* --- life -------------------------------------------------------------------------------------- */

static void net_start(struct virtio_dev *vdev)
{
	struct net *net = to_net(vdev);

	/* It took all of them when the device was made. */
	if (tap_offload(&net->tap, to_tun(vdev->features)))
		log_line(vdev->dev.env.log, LOG_WARNING, "%s: the tap refuses offloads: %m",
			 vdev->dev.name);
}

static void net_stop(struct virtio_dev *vdev, unsigned int q)
{
	struct net *net = to_net(vdev);

	if (q == RECEIVEQ) {
		net->held = 0;
		net->want = 1;
	}
}

static void net_reset(struct virtio_dev *vdev)
{
	tap_offload(&to_net(vdev)->tap, 0);
}

/* A packet held for want of buffers is not saved: networks lose packets. */
static void net_state(struct virtio_dev *vdev, struct state *s)
{
	state_bytes(s, "mac", to_net(vdev)->config.mac, sizeof(to_net(vdev)->config.mac));
}

static void net_destroy(struct virtio_dev *vdev)
{
	struct net *net = to_net(vdev);

	loop_fd_del(vdev->dev.env.loop, &net->tap_src);
	tap_close(&net->tap);
	for (unsigned int c = 0; c < RX_CHAINS; c++)
		virtq_chain_free(&net->chains[c]);
}

static const struct virtio_ops net_ops = {
	.type = "virtio-net",
	.id = VIRTIO_ID_NET,
	.nqueues = NET_QUEUES,
	.queue_max = NET_QUEUE,
	.in_order = true,
	.accepts = net_accepts,
	.start = net_start,
	.notify = net_notify,
	.stop = net_stop,
	.reset = net_reset,
	.state = net_state,
	.destroy = net_destroy,
};

static void fill_config(struct net *net, const struct net_config *cfg)
{
	uint8_t *mac = net->config.mac;

	net->config.status = VIRTIO_NET_S_LINK_UP;
	if (cfg->has_mac) {
		memcpy(mac, cfg->mac, ETH_ALEN);
		return;
	}
	/* Fails only before the kernel's pool is ready; then the address is a constant. */
	if (getrandom(mac, ETH_ALEN, GRND_NONBLOCK) != ETH_ALEN)
		memset(mac, 0, ETH_ALEN);
	mac[0] = (mac[0] & 0xfc) | 2; /* unicast, locally administered */
}

/* The backend, once the common part stands. */
static int open_backend(struct net *net, const struct net_config *cfg, struct fail *fail)
{
	struct device *dev = &net->vdev.dev;
	int err = cfg->fd >= 0 ? tap_open_fd(&net->tap, cfg->fd, fail)
			       : tap_open(&net->tap, cfg->tapif, fail);

	if (err)
		return err;
	net->vdev.offered |= net_features(net);
	net->tap_src = (struct loop_fd){
		.fd = net->tap.fd,
		.events = EPOLLIN | EPOLLOUT | EPOLLET,
		.dev = dev,
		.fn = tap_event,
	};
	err = loop_fd_add(dev->env.loop, &net->tap_src);
	if (err)
		fail_set(fail, EXIT_HOST, err, "%s: cannot watch its tap: %s", dev->name,
			 strerror(-err));
	return err;
}

int net_create(const struct device_env *env, const struct net_config *cfg, struct device **out,
	       struct fail *fail)
{
	struct net *net = calloc(1, sizeof(*net));
	int err;

	if (!net)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "virtio-net: out of memory");
	net->tap.fd = -1;
	net->want = 1;
	for (unsigned int c = 0; c < RX_CHAINS; c++)
		virtq_chain_init(&net->chains[c], net->chain_iov[c], 2);
	fill_config(net, cfg);
	err = virtio_init(&net->vdev, &net_ops, cfg->transport, env,
			  VIRTIO_BIT(VIRTIO_NET_F_MAC) | VIRTIO_BIT(VIRTIO_NET_F_STATUS) |
				  VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF),
			  &net->config, sizeof(net->config), fail);
	if (!err)
		err = open_backend(net, cfg, fail);
	return virtio_finish(&net->vdev, err, out, fail);
}
