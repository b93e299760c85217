// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/net_priv.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>

/*
 * The control queue (5.1.6.5). What the driver asks for is kept in struct net_ctrl, which is
 * saved, and applied to the backend from there: after a command, and when a device starts with
 * what was loaded. A command that is wrong gets VIRTIO_NET_ERR and changes nothing.
 */

enum { RX_PROMISC = 1 << VIRTIO_NET_CTRL_RX_PROMISC, RX_MODES = 6 };

/* --- what the backend is told ------------------------------------------------------------------ */

/* A tap takes as many single addresses and hashes those of groups. */
enum { EXACT_MAX = 8, FILTER_MAX = 2 + 2 * NET_MACS_MAX };

struct filter {
	struct tun_filter head;
	uint8_t addr[FILTER_MAX][ETH_ALEN];
};

_Static_assert(offsetof(struct filter, addr) == sizeof(struct tun_filter), "as the kernel has it");

static void filter_add(struct filter *filter, const uint8_t *mac)
{
	memcpy(filter->addr[filter->head.count++], mac, ETH_ALEN);
}

static bool has_mode(const struct net_ctrl *ctrl, unsigned int mode)
{
	return ctrl->rx_mode >> mode & 1;
}

/* Filtering is a service to the driver, best effort (5.1.6.5.2): where it does not fit, all pass. */
static void apply_filter(struct net *net)
{
	static const uint8_t broadcast[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct net_ctrl *ctrl = &net->ctrl;
	struct filter filter = { 0 };

	net->vlan_filter = virtio_has(&net->vdev, VIRTIO_NET_F_CTRL_VLAN) &&
			   !has_mode(ctrl, VIRTIO_NET_CTRL_RX_PROMISC);
	if (!net->be->ops->filter)
		return;
	if (!has_mode(ctrl, VIRTIO_NET_CTRL_RX_PROMISC) &&
	    !has_mode(ctrl, VIRTIO_NET_CTRL_RX_ALLUNI) && ctrl->nuni < EXACT_MAX) {
		filter_add(&filter, net->config.mac);
		for (unsigned int i = 0; i < ctrl->nuni; i++)
			filter_add(&filter, ctrl->uni[i]);
		if (!has_mode(ctrl, VIRTIO_NET_CTRL_RX_NOBCAST))
			filter_add(&filter, broadcast);
		for (unsigned int i = 0; i < ctrl->nmulti; i++)
			filter_add(&filter, ctrl->multi[i]);
		if (has_mode(ctrl, VIRTIO_NET_CTRL_RX_ALLMULTI))
			filter.head.flags |= TUN_FLT_ALLMULTI;
	}
	net->be->ops->filter(net->be, &filter.head);
}

static int apply_offloads(struct net *net)
{
	uint64_t features = net->ctrl.offloads_set ? net->ctrl.offloads : net->vdev.features;

	return net->be->ops->offload(net->be, net_offloads(features));
}

void net_ctrl_apply(struct net *net)
{
	struct device *dev = &net->vdev.dev;
	int err = apply_offloads(net);

	if (!err)
		err = net->be->ops->enable(net->be, net->ctrl.pairs);
	apply_filter(net);
	/* It did all of this when the device was made. */
	if (err)
		log_line(dev->env.log, LOG_WARNING, "%s: its tap refuses a setting: %s", dev->name,
			 strerror(-err));
}

void net_ctrl_reset(struct net *net)
{
	net->ctrl = (struct net_ctrl){ .rx_mode = RX_PROMISC, .pairs = 1 };
	memcpy(net->config.mac, net->mac, ETH_ALEN);
	net->config.status &= ~VIRTIO_NET_S_ANNOUNCE;
}

/* --- commands: 0, or -EINVAL ------------------------------------------------------------------- */

/* The rest of a command, which has exactly this size. */
static int take(struct virtq_chain *chain, void *data, size_t size)
{
	return chain->out.left == size && virtq_pull(chain, data, size) == size ? 0 : -EINVAL;
}

static int rx_mode(struct net *net, unsigned int mode, struct virtq_chain *chain)
{
	uint8_t on;

	if (mode > VIRTIO_NET_CTRL_RX_ALLMULTI &&
	    !virtio_has(&net->vdev, VIRTIO_NET_F_CTRL_RX_EXTRA))
		return -EINVAL;
	if (take(chain, &on, sizeof(on)))
		return -EINVAL;
	net->ctrl.rx_mode &= ~(1 << mode);
	net->ctrl.rx_mode |= (on != 0) << mode;
	apply_filter(net);
	return 0;
}

/* One of the two lists: a count and so many addresses. More than we keep count, but are not
 * stored: *n is then NET_MACS_MAX + 1. */
static int take_macs(struct virtq_chain *chain, uint8_t (*macs)[ETH_ALEN], uint32_t *n)
{
	uint32_t entries;

	if (virtq_pull(chain, &entries, sizeof(entries)) != sizeof(entries) ||
	    entries > chain->out.left / ETH_ALEN)
		return -EINVAL;
	if (entries <= NET_MACS_MAX) {
		virtq_pull(chain, macs, (size_t)entries * ETH_ALEN);
		*n = entries;
		return 0;
	}
	virtq_skip(&chain->out, (size_t)entries * ETH_ALEN);
	*n = NET_MACS_MAX + 1;
	return 0;
}

static int mac_table(struct net *net, unsigned int command, struct virtq_chain *chain)
{
	struct net_ctrl next = net->ctrl;

	(void)command;
	if (take_macs(chain, next.uni, &next.nuni) || take_macs(chain, next.multi, &next.nmulti) ||
	    chain->out.left)
		return -EINVAL;
	/* 5.1.6.5.2: one that cannot be kept is not filtered by. */
	if (next.nmulti > NET_MACS_MAX)
		next.nuni = NET_MACS_MAX + 1;
	if (next.nuni > NET_MACS_MAX) {
		next.nuni = NET_MACS_MAX;
		next.nmulti = 0;
	}
	net->ctrl = next;
	apply_filter(net);
	return 0;
}

static int mac_address(struct net *net, unsigned int command, struct virtq_chain *chain)
{
	uint8_t mac[ETH_ALEN];

	(void)command;
	if (take(chain, mac, sizeof(mac)) || mac[0] & 1)
		return -EINVAL;
	memcpy(net->config.mac, mac, ETH_ALEN);
	virtio_config_updated(&net->vdev);
	apply_filter(net);
	return 0;
}

static int vlan(struct net *net, unsigned int command, struct virtq_chain *chain)
{
	uint16_t id;

	if (take(chain, &id, sizeof(id)) || id >= NET_VLANS)
		return -EINVAL;
	if (command == VIRTIO_NET_CTRL_VLAN_ADD)
		net->ctrl.vlans[id / 8] |= 1 << id % 8;
	else
		net->ctrl.vlans[id / 8] &= ~(1 << id % 8);
	return 0;
}

static int announced(struct net *net, unsigned int command, struct virtq_chain *chain)
{
	(void)command;
	if (chain->out.left)
		return -EINVAL;
	net->config.status &= ~VIRTIO_NET_S_ANNOUNCE;
	virtio_config_updated(&net->vdev);
	return 0;
}

static int set_pairs(struct net *net, unsigned int command, struct virtq_chain *chain)
{
	unsigned int before = net->ctrl.pairs;
	uint16_t pairs;

	(void)command;
	if (take(chain, &pairs, sizeof(pairs)) || !pairs || pairs > net->npairs)
		return -EINVAL;
	for (unsigned int i = pairs; i < before; i++)
		net_vhost_stop(net, i);
	if (net->be->ops->enable(net->be, pairs))
		return -EINVAL;
	net->ctrl.pairs = pairs;
	/* What waits there has given its edge already. */
	for (unsigned int i = before; i < pairs; i++)
		virtio_kick(&net->vdev, rx_queue(&net->pairs[i]));
	return 0;
}

static int guest_offloads(struct net *net, unsigned int command, struct virtq_chain *chain)
{
	struct net_ctrl before = net->ctrl;
	uint64_t offloads;

	(void)command;
	if (take(chain, &offloads, sizeof(offloads)) ||
	    offloads & ~(net->vdev.features & net_guest_features()) || !net_features_fit(offloads))
		return -EINVAL;
	net->ctrl.offloads = offloads;
	net->ctrl.offloads_set = true;
	if (!apply_offloads(net))
		return 0;
	net->ctrl = before;
	return -EINVAL;
}

static const struct {
	uint8_t class, first, last;
	unsigned int feature;
	int (*run)(struct net *net, unsigned int command, struct virtq_chain *chain);
} commands[] = {
	{ VIRTIO_NET_CTRL_RX, 0, RX_MODES - 1, VIRTIO_NET_F_CTRL_RX, rx_mode },
	{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, VIRTIO_NET_CTRL_MAC_TABLE_SET,
	  VIRTIO_NET_F_CTRL_RX, mac_table },
	{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, VIRTIO_NET_CTRL_MAC_ADDR_SET,
	  VIRTIO_NET_F_CTRL_MAC_ADDR, mac_address },
	{ VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, VIRTIO_NET_CTRL_VLAN_DEL,
	  VIRTIO_NET_F_CTRL_VLAN, vlan },
	{ VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, VIRTIO_NET_CTRL_ANNOUNCE_ACK,
	  VIRTIO_NET_F_GUEST_ANNOUNCE, announced },
	{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET,
	  VIRTIO_NET_F_MQ, set_pairs },
	{ VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET,
	  VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, guest_offloads },
};

static int run(struct net *net, const struct virtio_net_ctrl_hdr *hdr, struct virtq_chain *chain)
{
	for (unsigned int i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].class == hdr->class && commands[i].first <= hdr->cmd &&
		    hdr->cmd <= commands[i].last && virtio_has(&net->vdev, commands[i].feature))
			return commands[i].run(net, hdr->cmd, chain);
	return -EINVAL;
}

int64_t net_ctrl_serve(struct virtio_dev *vdev, struct virtq_chain *chain)
{
	struct virtio_net_ctrl_hdr hdr;
	uint8_t ack;

	if (!chain->in.left || virtq_pull(chain, &hdr, sizeof(hdr)) != sizeof(hdr))
		return -EPROTO;
	ack = run(to_net(vdev), &hdr, chain) ? VIRTIO_NET_ERR : VIRTIO_NET_OK;
	return virtq_put(chain, &ack, sizeof(ack));
}

/* --- state ------------------------------------------------------------------------------------- */

void net_ctrl_state(struct net *net, struct state *s)
{
	struct net_ctrl *ctrl = &net->ctrl;
	bool mq = virtio_has(&net->vdev, VIRTIO_NET_F_MQ);
	uint32_t uni = ctrl->nuni * ETH_ALEN, multi = ctrl->nmulti * ETH_ALEN;
	uint8_t first[ETH_ALEN];

	memcpy(first, net->mac, ETH_ALEN);
	state_bytes(s, "mac", net->config.mac, ETH_ALEN);
	state_bytes(s, "first_mac", first, ETH_ALEN);
	state_u8(s, "rx_mode", &ctrl->rx_mode);
	state_blob(s, "unicast", ctrl->uni, &uni, sizeof(ctrl->uni));
	state_blob(s, "multicast", ctrl->multi, &multi, sizeof(ctrl->multi));
	state_bytes(s, "vlans", ctrl->vlans, sizeof(ctrl->vlans));
	state_u16(s, "pairs", &ctrl->pairs);
	state_bool(s, "offloads_set", &ctrl->offloads_set);
	state_u64(s, "offloads", &ctrl->offloads);
	state_check(s, !(ctrl->rx_mode >> RX_MODES), "rx_mode");
	state_check(s, uni % ETH_ALEN == 0, "unicast");
	state_check(s, multi % ETH_ALEN == 0, "multicast");
	state_check(s, ctrl->pairs && ctrl->pairs <= (mq ? net->npairs : 1), "pairs");
	state_check(s, !(ctrl->offloads & ~(net->vdev.features & net_guest_features())),
		    "offloads");
	if (s->loading && !s->err && !net->own_mac)
		memcpy(net->mac, first, ETH_ALEN);
	ctrl->nuni = uni / ETH_ALEN;
	ctrl->nmulti = multi / ETH_ALEN;
	/* Elsewhere the network does not know yet where the guest is (5.1.6.5.4). */
	if (s->loading && !s->err && virtio_has(&net->vdev, VIRTIO_NET_F_GUEST_ANNOUNCE) &&
	    net->config.status & VIRTIO_NET_S_LINK_UP) {
		net->config.status |= VIRTIO_NET_S_ANNOUNCE;
		net->announce = true;
	}
}
