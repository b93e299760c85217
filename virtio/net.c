// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/net_priv.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

/* --- interrupts for what was sent --------------------------------------------------------------- */

/*
 * What was sent is shown to the driver at once, but it only wants to free buffers: its interrupt can
 * wait a little for one that has to come anyway, as network cards do it. A driver that needs the
 * room gets it by looking, as it does at each transmission.
 */
enum { TX_DELAY_NS = 125000 };

static void net_tx_defer(struct virtio_dev *vdev, unsigned int q)
{
	struct net_pair *pair = &to_net(vdev)->pairs[q / 2];

	if (pair->tx_owed)
		return;
	pair->tx_owed = true;
	loop_timer_set(vdev->dev.env.loop, &pair->tx_timer, loop_now_ns() + TX_DELAY_NS);
}

static void tx_settled(struct net_pair *pair)
{
	if (pair->tx_owed)
		loop_timer_cancel(pair->net->vdev.dev.env.loop, &pair->tx_timer);
	pair->tx_owed = false;
}

void net_tx_interrupt(struct net_pair *pair)
{
	bool owed = pair->tx_owed;

	tx_settled(pair);
	if (owed && virtio_running(&pair->net->vdev, tx_queue(pair)))
		virtio_interrupt(&pair->net->vdev, tx_queue(pair));
}

void net_tx_forgive(struct net *net)
{
	for (unsigned int i = 0; i < net->npairs; i++)
		tx_settled(&net->pairs[i]);
}

static void on_tx_timer(struct loop_timer *timer)
{
	net_tx_interrupt(container_of(timer, struct net_pair, tx_timer));
}

/* --- transmit ---------------------------------------------------------------------------------- */

static int64_t transmit(struct virtio_dev *vdev, struct virtq_chain *chain)
{
	struct net *net = to_net(vdev);
	int ret;

	if (chain->out.left < NET_HDR)
		return -EPROTO;
	ret = net->be->ops->send(net->be, net->sending->index, chain->out.iov, chain->out.n);
	if (ret == -EAGAIN)
		net->sending->tx_blocked = true;
	return ret;
}

static void send_all(struct net_pair *pair)
{
	struct net *net = pair->net;

	if (!virtio_running(&net->vdev, tx_queue(pair)))
		return;
	net->sending = pair;
	virtio_serve(&net->vdev, tx_queue(pair), transmit);
	if (net->be->ops->flush)
		net->be->ops->flush(net->be);
}

/* --- events ------------------------------------------------------------------------------------ */

static void backend_event(struct loop_fd *src, uint32_t events)
{
	struct net_pair *pair = container_of(src, struct net_pair, src);
	struct net_backend *be = pair->net->be;

	net_vhost_update(pair->net);
	if (net_vhost_serves(pair->net, pair->index))
		return;
	if (events & EPOLLOUT && be->ops->flush)
		be->ops->flush(be);
	if (events & EPOLLOUT && pair->tx_blocked) {
		pair->tx_blocked = false;
		send_all(pair);
	}
	if (events & (EPOLLIN | EPOLLHUP))
		net_receive(pair);
}

static void net_notify(struct virtio_dev *vdev, unsigned int q)
{
	struct net *net = to_net(vdev);
	struct net_pair *pair = &net->pairs[q / 2];

	net_vhost_update(net);
	if (q == ctrl_queue(net)) {
		virtio_serve(vdev, q, net_ctrl_serve);
		/* It may have changed how many pairs there are, or broken the device. */
		net_vhost_update(net);
	} else if (q < ctrl_queue(net) && !net_vhost_serves(net, q / 2)) {
		if (q == rx_queue(pair))
			net_receive(pair);
		else if (!pair->tx_blocked)
			send_all(pair);
	}
}

/* The backend's peer is gone for good. */
static void backend_lost(struct device *dev, const char *why)
{
	struct net *net = container_of(dev, struct net, vdev.dev);

	log_line(dev->env.log, LOG_WARNING, "%s: %s; its link is down", dev->name, why);
	net->config.status &= ~VIRTIO_NET_S_LINK_UP;
	virtio_config_changed(&net->vdev);
}

/* --- life -------------------------------------------------------------------------------------- */

static bool net_accepts(struct virtio_dev *vdev, uint64_t features)
{
	(void)vdev;
	return net_features_fit(features);
}

static void net_start(struct virtio_dev *vdev)
{
	struct net *net = to_net(vdev);

	net_ctrl_apply(net);
	net_vhost_update(net);
	if (net->announce)
		virtio_config_changed(vdev);
	net->announce = false;
}

static void net_stop(struct virtio_dev *vdev, unsigned int q)
{
	struct net *net = to_net(vdev);

	net_vhost_stop(net, q / 2);
	if (q / 2 < net->npairs)
		tx_settled(&net->pairs[q / 2]);
	if (q % 2 == 0 && q / 2 < net->npairs)
		net_rx_stop(&net->pairs[q / 2].rx);
}

static void net_reset(struct virtio_dev *vdev)
{
	struct net *net = to_net(vdev);

	net_ctrl_reset(net);
	net_ctrl_apply(net);
}

static void net_sync(struct virtio_dev *vdev)
{
	struct net *net = to_net(vdev);

	for (unsigned int i = 0; i < net->npairs; i++) {
		net_vhost_stop(net, i);
		net_tx_interrupt(&net->pairs[i]);
	}
}

/* A packet held for want of buffers is not saved: networks lose packets. */
static void net_state(struct virtio_dev *vdev, struct state *s)
{
	net_ctrl_state(to_net(vdev), s);
}

static void net_destroy(struct virtio_dev *vdev)
{
	struct net *net = to_net(vdev);

	net_vhost_close(net);
	for (unsigned int i = 0; net->pairs && i < net->npairs; i++) {
		loop_fd_del(vdev->dev.env.loop, &net->pairs[i].src);
		tx_settled(&net->pairs[i]);
		net_rx_fini(&net->pairs[i].rx);
	}
	free(net->pairs);
	if (net->be)
		net->be->ops->destroy(net->be);
}

static void net_recall(struct virtio_dev *vdev, unsigned int q)
{
	net_vhost_recall(to_net(vdev), q);
}

static int net_hold(struct virtio_dev *vdev, bool on, struct fail *fail);

static const struct virtio_ops net_ops = {
	.type = "virtio-net",
	.id = VIRTIO_ID_NET,
	.nqueues = 3,
	.queue_max = NET_QUEUE,
	.in_order = true,
	.accepts = net_accepts,
	.start = net_start,
	.notify = net_notify,
	.stop = net_stop,
	.reset = net_reset,
	.recall = net_recall,
	.sync = net_sync,
	.state = net_state,
	.hold = net_hold,
	.destroy = net_destroy,
};

static void fill_config(struct net *net, const struct net_config *cfg)
{
	uint8_t *mac = net->mac;

	net->config.status = VIRTIO_NET_S_LINK_UP;
	net->config.max_virtqueue_pairs = cfg->queues;
	net->config.mtu = cfg->mtu;
	net->own_mac = cfg->own_mac;
	if (cfg->has_mac) {
		memcpy(mac, cfg->mac, ETH_ALEN);
		return;
	}
	/* Fails only before the kernel's pool is ready; then the address is a constant. */
	if (getrandom(mac, ETH_ALEN, GRND_NONBLOCK) != ETH_ALEN)
		memset(mac, 0, ETH_ALEN);
	mac[0] = (mac[0] & 0xfc) | 2; /* unicast, locally administered */
}

/* What the backend can do; nothing that it could do before. */
static void offer_offloads(struct net *net)
{
	const uint64_t guest_offloads = VIRTIO_BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);

	net->vdev.offered &= ~(net_offload_features(net_all_offloads()) | guest_offloads);
	net->vdev.offered |= net_offload_features(net_probe_offloads(net->be));
	if (net->vdev.offered & net_guest_features())
		net->vdev.offered |= guest_offloads;
}

static int open_backend(struct net *net, const struct net_config *cfg, struct fail *fail)
{
	struct device *dev = &net->vdev.dev;
	int err = cfg->mode == NET_USER ? passt_open(cfg, net->mac, dev, &net->be, fail)
					: tap_open(cfg, dev, &net->be, fail);

	if (err)
		return err;
	net->be->lost = backend_lost;
	offer_offloads(net);
	return 0;
}

static int watch_pair(struct net_pair *pair)
{
	pair->src.fd = pair->net->be->fd[pair->index];
	return pair->src.fd < 0 ? 0 : loop_fd_add(pair->net->vdev.dev.env.loop, &pair->src);
}

static int net_hold(struct virtio_dev *vdev, bool on, struct fail *fail)
{
	struct net *net = to_net(vdev);
	bool held = net->be->fd[0] >= 0;
	int err;

	if (!net->be->ops->hold || on == held)
		return 0;
	for (unsigned int i = 0; !on && i < net->npairs; i++)
		loop_fd_del(vdev->dev.env.loop, &net->pairs[i].src);
	err = net->be->ops->hold(net->be, on, fail);
	held = net->be->fd[0] >= 0;
	for (unsigned int i = 0; !err && on && held && i < net->npairs; i++)
		if (watch_pair(&net->pairs[i]))
			err = fail_set(fail, EXIT_HOST, -ENOMEM, "%s: cannot watch its network",
				       vdev->dev.name);
	if (err || !on)
		return err;
	/* A driver whose features it does not have is refused when its state is loaded. */
	offer_offloads(net);
	net_ctrl_apply(net);
	return 0;
}

static int watch_backend(struct net *net, struct fail *fail)
{
	struct device *dev = &net->vdev.dev;
	int err = 0;

	net->pairs = calloc(net->be->pairs, sizeof(*net->pairs));
	if (!net->pairs)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "%s: out of memory", dev->name);
	for (; !err && net->npairs < net->be->pairs; net->npairs++) {
		struct net_pair *pair = &net->pairs[net->npairs];

		pair->net = net;
		pair->index = net->npairs;
		pair->src = (struct loop_fd){
			.events = EPOLLIN | EPOLLOUT | EPOLLET,
			.dev = dev,
			.fn = backend_event,
		};
		pair->tx_timer = (struct loop_timer){ .dev = dev, .fn = on_tx_timer };
		net->vdev.queues[tx_queue(pair)].defer = net_tx_defer;
		net_rx_init(&pair->rx);
		err = watch_pair(pair);
	}
	return err ? fail_set(fail, EXIT_HOST, err, "%s: cannot watch its network: %s", dev->name,
			      strerror(-err))
		   : 0;
}

/* What every card offers, whatever it stands on. */
static uint64_t own_features(const struct net_config *cfg)
{
	static const unsigned int always[] = {
		VIRTIO_NET_F_MAC,	VIRTIO_NET_F_STATUS,	    VIRTIO_NET_F_MRG_RXBUF,
		VIRTIO_NET_F_CTRL_VQ,	VIRTIO_NET_F_CTRL_RX,	    VIRTIO_NET_F_CTRL_RX_EXTRA,
		VIRTIO_NET_F_CTRL_VLAN, VIRTIO_NET_F_CTRL_MAC_ADDR, VIRTIO_NET_F_GUEST_ANNOUNCE,
	};
	uint64_t features = 0;

	for (unsigned int i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		features |= VIRTIO_BIT(always[i]);
	if (cfg->mtu)
		features |= VIRTIO_BIT(VIRTIO_NET_F_MTU);
	if (cfg->queues > 1)
		features |= VIRTIO_BIT(VIRTIO_NET_F_MQ);
	return features;
}

int net_create(const struct device_env *env, const struct net_config *cfg, struct device **out,
	       struct fail *fail)
{
	struct net *net = calloc(1, sizeof(*net));
	int err;

	if (!net)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "virtio-net: out of memory");
	assert(cfg->queues >= 1 && cfg->queues <= NET_PAIRS_MAX);
	net->vdev.nqueues = 2 * cfg->queues + 1;
	fill_config(net, cfg);
	net_ctrl_reset(net);
	err = virtio_init(&net->vdev, &net_ops, cfg->transport, env, own_features(cfg),
			  &net->config, sizeof(net->config), fail);
	if (!err)
		err = open_backend(net, cfg, fail);
	if (!err)
		err = watch_backend(net, fail);
	if (!err && cfg->vhost)
		err = net_vhost_open(net, fail);
	return virtio_finish(&net->vdev, err, out, fail);
}
