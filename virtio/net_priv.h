/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_NET_PRIV_H
#define VIRTIO_NET_PRIV_H

#include <linux/virtio_net.h>

#include "virtio/net.h"
#include "virtio/net_backend.h"

/* What the parts of the card share. */

enum {
	NET_QUEUE = 256,
	NET_PACKET_MAX = NET_HDR + NET_FRAME_MAX,
	/* Chains that one packet may fill; 1500-byte buffers need 44. */
	RX_CHAINS = 64,
	NET_MACS_MAX = 64, /* addresses of each kind that a driver may list */
	NET_VLANS = 4096,
	RX_VECS = 256,
};

struct net;

/* Where one receive queue stands. */
struct net_rx {
	/* A packet is read straight into as many chains as the last one took; what does not fit
	 * lands in `spill` and is copied into further ones. */
	struct virtq_chain chains[RX_CHAINS];
	struct iovec chain_iov[RX_CHAINS][2];
	unsigned int nchains, want; /* chains taken: none between callbacks */
	size_t room; /* bytes in them */
	struct iovec vecs[RX_VECS + 1];
	/* A packet for which the driver has too few buffers waits here whole. */
	size_t held;
	uint8_t spill[NET_PACKET_MAX];
};

struct net_pair {
	struct net *net;
	unsigned int index;
	struct loop_fd src; /* the backend's descriptor, edge-triggered both ways */
	bool tx_blocked; /* waiting for EPOLLOUT */
	bool tx_owed; /* the driver awaits an interrupt for what was sent, see net_tx_defer() */
	struct loop_timer tx_timer;
	struct net_rx rx;
};

/* What the driver asked for on the control queue; saved. */
struct net_ctrl {
	uint8_t rx_mode; /* mask of 1 << VIRTIO_NET_CTRL_RX_* */
	uint32_t nuni, nmulti;
	uint8_t uni[NET_MACS_MAX][6], multi[NET_MACS_MAX][6];
	uint8_t vlans[NET_VLANS / 8]; /* a bit for each wanted */
	uint16_t pairs; /* in use */
	bool offloads_set; /* otherwise all that were negotiated */
	uint64_t offloads; /* features */
};

struct net {
	struct virtio_dev vdev;
	struct virtio_net_config config;
	uint8_t mac[6]; /* before the driver changes it */
	bool own_mac; /* whatever the state says */
	struct net_ctrl ctrl;
	bool vlan_filter; /* tagged packets of other VLANs are dropped */
	struct net_vhost *vhost; /* NULL: we serve the rings ourselves */
	bool announce; /* the driver is to be told when it runs */
	struct net_backend *be;
	struct net_pair *pairs;
	unsigned int npairs;
	struct net_pair *sending; /* whose queue is being served */
};

static inline struct net *to_net(struct virtio_dev *vdev)
{
	return container_of(vdev, struct net, vdev);
}

/* Queue numbers (5.1.2). */
static inline unsigned int rx_queue(const struct net_pair *pair)
{
	return 2 * pair->index;
}

static inline unsigned int tx_queue(const struct net_pair *pair)
{
	return 2 * pair->index + 1;
}

/* net_rx.c: fills the driver's buffers while there are packets. */
void net_rx_init(struct net_rx *rx);
void net_rx_fini(struct net_rx *rx);
void net_receive(struct net_pair *pair);
void net_rx_stop(struct net_rx *rx); /* the queue is about to be closed */

/* The control queue's: behind the pairs, of which there is one without MQ. */
static inline unsigned int ctrl_queue(const struct net *net)
{
	return virtio_has(&net->vdev, VIRTIO_NET_F_MQ) ? 2 * net->npairs : 2;
}

/* Interrupts for sent packets that are owed, of one pair, now; and that need not be any more. */
void net_tx_interrupt(struct net_pair *pair);
void net_tx_forgive(struct net *net);

/* net_ctrl.c: one command, as virtio_serve() wants it; tells the backend all that was asked for;
 * forgets it; saves or loads it. */
int64_t net_ctrl_serve(struct virtio_dev *vdev, struct virtq_chain *chain);
void net_ctrl_apply(struct net *net);
void net_ctrl_reset(struct net *net);
void net_ctrl_state(struct net *net, struct state *s);

/* net_vhost.c: hands pairs to the kernel, and takes them back, as their queues start and stop;
 * whether the kernel serves pair i; takes it back. */
int net_vhost_open(struct net *net, struct fail *fail);
void net_vhost_close(struct net *net); /* also a half-open one */
void net_vhost_update(struct net *net);
bool net_vhost_serves(const struct net *net, unsigned int i);
void net_vhost_stop(struct net *net, unsigned int i);
void net_vhost_recall(struct net *net, unsigned int q); /* its way to interrupt has changed */

/* net_features.c: the TUN_F_* that a backend can do, of those that make sense together; the
 * features they allow; what a driver's features mean to the backend; whether these fit together. */
unsigned int net_probe_offloads(struct net_backend *be);
unsigned int net_all_offloads(void);
uint64_t net_offload_features(unsigned int tun_f);
unsigned int net_offloads(uint64_t features);
bool net_features_fit(uint64_t features);
uint64_t net_guest_features(void); /* those that CTRL_GUEST_OFFLOADS may switch */

#endif
