// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/net_priv.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stddef.h>
#include <string.h>

enum {
	NUM_BUFFERS_AT = offsetof(struct virtio_net_hdr_v1, num_buffers),
	RX_BATCH = 64, /* packets a round of the loop */
};

_Static_assert(sizeof(struct virtio_net_hdr_v1) == NET_HDR, "one header everywhere");

void net_rx_init(struct net_rx *rx)
{
	rx->want = 1;
	for (unsigned int c = 0; c < RX_CHAINS; c++)
		virtq_chain_init(&rx->chains[c], rx->chain_iov[c], 2);
}

void net_rx_fini(struct net_rx *rx)
{
	for (unsigned int c = 0; c < RX_CHAINS; c++)
		virtq_chain_free(&rx->chains[c]);
}

void net_rx_stop(struct net_rx *rx)
{
	rx->held = 0;
	rx->want = 1;
}

static struct virtq *queue_of(const struct net_pair *pair)
{
	return virtio_vq(&pair->net->vdev, rx_queue(pair));
}

/* The most chains that a packet may fill: a driver that posted so many has no more to give. */
static unsigned int chains_max(const struct net_pair *pair)
{
	uint32_t num = queue_of(pair)->num;

	if (!virtio_has(&pair->net->vdev, VIRTIO_NET_F_MRG_RXBUF))
		return 1;
	return num < RX_CHAINS ? num : RX_CHAINS;
}

/* Pops chains until there are `want`, or none: 0, -EPROTO, -ENOMEM. */
static int take_chains(struct net_pair *pair, unsigned int want)
{
	struct net_rx *rx = &pair->rx;
	struct virtq *vq = queue_of(pair);
	struct virtq_chain *chain;
	int ret;

	while (rx->nchains < want) {
		chain = &rx->chains[rx->nchains];
		ret = virtq_pop(vq, chain);
		if (ret <= 0)
			return ret;
		rx->nchains++;
		/* 5.1.6.3.1: room for the header at least, and nothing to read. */
		if (chain->out.left || chain->in.left < NET_HDR)
			return -EPROTO;
		rx->room += chain->in.left;
	}
	return 0;
}

/* Returns the chains from `first` on to the ring. */
static void give_back(struct net_pair *pair, unsigned int first)
{
	struct net_rx *rx = &pair->rx;

	for (; rx->nchains > first; rx->nchains--)
		virtq_unpop(queue_of(pair));
	rx->nchains = 0;
	rx->room = 0;
}

/* Reads a packet into the chains taken and then `spill`: its length, or -errno. *direct is how
 * many bytes went, or would have gone, into the chains. */
static ssize_t read_packet(struct net_pair *pair, size_t *direct)
{
	struct net_backend *be = pair->net->be;
	struct net_rx *rx = &pair->rx;
	unsigned int n = 0;

	*direct = 0;
	for (unsigned int c = 0; c < rx->nchains; c++) {
		const struct virtq_iov *in = &rx->chains[c].in;

		for (unsigned int i = 0; i < in->n && n < RX_VECS; i++) {
			rx->vecs[n++] = in->iov[i];
			*direct += in->iov[i].iov_len;
		}
	}
	rx->vecs[n++] = (struct iovec){ rx->spill, sizeof(rx->spill) };
	return be->ops->recv(be, pair->index, rx->vecs, n);
}

/* Bytes [at, at + len) of the packet that was just read. */
static void peek(const struct net_rx *rx, size_t at, uint8_t *buf, size_t len)
{
	for (const struct iovec *iov = rx->vecs; len; iov++) {
		for (; at < iov->iov_len && len; at++, len--)
			*buf++ = ((const uint8_t *)iov->iov_base)[at];
		at -= at < iov->iov_len ? at : iov->iov_len;
	}
}

/* Whether the packet that was just read is of a VLAN that the driver did not ask for (5.1.6.5.3);
 * VLAN 0 is a priority alone. The guest may change what it sees, to its own harm. */
static bool of_other_vlan(const struct net_pair *pair, size_t len)
{
	uint8_t tag[4]; /* type, priority and number (IEEE 802.1Q) */
	unsigned int id;

	if (len < NET_HDR + 2 * ETH_ALEN + sizeof(tag))
		return false;
	peek(&pair->rx, NET_HDR + 2 * ETH_ALEN, tag, sizeof(tag));
	id = (tag[2] & 0xf) << 8 | tag[3];
	return tag[0] == ETH_P_8021Q >> 8 && tag[1] == (ETH_P_8021Q & 0xff) && id &&
	       !(pair->net->ctrl.vlans[id / 8] >> id % 8 & 1);
}

/* Brings a packet whose first `direct` bytes lie in the chains together in `spill`. */
static void hold(struct net_rx *rx, size_t len, size_t direct)
{
	size_t done = 0;

	memmove(rx->spill + direct, rx->spill, len - direct);
	for (unsigned int c = 0; done < direct; c++) {
		const struct virtq_iov *in = &rx->chains[c].in;

		/* They are full: the packet is longer than all of them. */
		for (unsigned int i = 0; i < in->n && done < direct; i++) {
			assert(in->iov[i].iov_len <= direct - done);
			memcpy(rx->spill + done, in->iov[i].iov_base, in->iov[i].iov_len);
			done += in->iov[i].iov_len;
		}
	}
	rx->held = len;
}

/* Copies what is not in place from `spill`, and pushes the chains that the packet fills. */
static void deliver(struct net_pair *pair, size_t len, size_t direct)
{
	struct net_rx *rx = &pair->rx;
	size_t done = 0, part, here;
	unsigned int used = 0;
	uint16_t num_buffers;

	for (; done < len; done += part) {
		struct virtq_chain *chain = &rx->chains[used++];

		part = len - done < chain->in.left ? len - done : chain->in.left;
		here = done >= direct ? 0 : direct - done < part ? direct - done : part;
		virtq_skip(&chain->in, here);
		if (here < part)
			virtq_put(chain, rx->spill + (done + here - direct), part - here);
		chain->wrote = part;
	}
	/* The backend leaves this field of the header to us (5.1.6.4). */
	num_buffers = used;
	virtq_rewind(&rx->chains[0].in);
	virtq_skip(&rx->chains[0].in, NUM_BUFFERS_AT);
	virtq_put(&rx->chains[0], &num_buffers, sizeof(num_buffers));

	give_back(pair, used);
	for (unsigned int c = 0; c < used; c++)
		virtq_push(queue_of(pair), &rx->chains[c], rx->chains[c].wrote);
	rx->want = used;
	rx->held = 0;
}

/* Takes more chains until a packet of `len` bytes fits or no more can help: 1, 0 when the driver
 * has to give more first, -EPROTO, -ENOMEM. */
static int make_room(struct net_pair *pair, size_t len)
{
	struct net_rx *rx = &pair->rx;

	while (rx->room < len && rx->nchains < chains_max(pair)) {
		unsigned int before = rx->nchains;
		int err = take_chains(pair, before + 1);

		if (err)
			return err;
		if (rx->nchains > before)
			continue;
		/* Listens while the chains are taken, so that only further ones notify. */
		if (virtq_listen(queue_of(pair)))
			virtio_kick(&pair->net->vdev, rx_queue(pair));
		return 0;
	}
	return 1;
}

/*
 * One packet: 1 if it is dealt with; 0 when there is none or the driver has too few buffers, and
 * the backend's next edge or the driver's notification goes on; -EPROTO, -ENOMEM.
 */
static int receive_one(struct net_pair *pair)
{
	struct net_rx *rx = &pair->rx;
	ssize_t len = rx->held;
	size_t direct = 0;
	int ret = take_chains(pair, rx->want);

	if (ret)
		return ret;
	if (!rx->nchains)
		return make_room(pair, 1);
	if (!len)
		len = read_packet(pair, &direct);
	if (len <= 0)
		return 0;
	if (!rx->held && pair->net->vlan_filter && of_other_vlan(pair, len))
		return 1;
	if (direct > (size_t)len)
		direct = len;
	if (len < NET_HDR || len > NET_PACKET_MAX)
		return 1;
	ret = make_room(pair, len);
	if (ret > 0 && rx->room >= (size_t)len)
		deliver(pair, len, direct);
	else if (ret > 0)
		rx->held = 0; /* larger than all that the driver ever posts: dropped */
	else if (!rx->held)
		hold(rx, len, direct);
	return ret;
}

void net_receive(struct net_pair *pair)
{
	struct virtio_dev *vdev = &pair->net->vdev;
	unsigned int q = rx_queue(pair), budget = RX_BATCH;
	uint64_t interrupts;
	int ret = 1;

	if (pair->index >= pair->net->ctrl.pairs || !virtio_running(vdev, q))
		return;
	virtq_mute(virtio_vq(vdev, q));
	while (budget && (ret = receive_one(pair)) > 0) {
		give_back(pair, 0);
		budget--;
	}
	give_back(pair, 0);
	interrupts = vdev->queues[q].interrupts;
	virtio_publish(vdev, q);
	if (vdev->transport->one_interrupt && vdev->queues[q].interrupts != interrupts)
		net_tx_forgive(pair->net);
	if (ret < 0)
		virtio_broken(vdev, "malformed receive buffer");
	else if (!budget)
		virtio_kick(vdev, q);
}
