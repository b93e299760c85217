// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/net_priv.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

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
	struct net_pair *pair = &to_net(vdev)->pairs[q / 2];

	if (q == rx_queue(pair))
		net_receive(pair);
	else if (!pair->tx_blocked)
		send_all(pair);
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
	struct net_backend *be = to_net(vdev)->be;
	int err = be->ops->offload(be, net_offloads(vdev->features));

	/* It took all of them when the device was made. */
	if (err)
		log_line(vdev->dev.env.log, LOG_WARNING, "%s: the tap refuses offloads: %s",
			 vdev->dev.name, strerror(-err));
}

static void net_stop(struct virtio_dev *vdev, unsigned int q)
{
	struct net_pair *pair = &to_net(vdev)->pairs[q / 2];

	if (q == rx_queue(pair))
		net_rx_stop(&pair->rx);
}

static void net_reset(struct virtio_dev *vdev)
{
	struct net_backend *be = to_net(vdev)->be;

	be->ops->offload(be, 0);
}

/* A packet held for want of buffers is not saved: networks lose packets. */
static void net_state(struct virtio_dev *vdev, struct state *s)
{
	state_bytes(s, "mac", to_net(vdev)->config.mac, sizeof(to_net(vdev)->config.mac));
}

static void net_destroy(struct virtio_dev *vdev)
{
	struct net *net = to_net(vdev);

	for (unsigned int i = 0; net->pairs && i < net->npairs; i++) {
		loop_fd_del(vdev->dev.env.loop, &net->pairs[i].src);
		net_rx_fini(&net->pairs[i].rx);
	}
	free(net->pairs);
	if (net->be)
		net->be->ops->destroy(net->be);
}

static const struct virtio_ops net_ops = {
	.type = "virtio-net",
	.id = VIRTIO_ID_NET,
	.nqueues = 2,
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
	net->config.mtu = cfg->mtu;
	if (cfg->has_mac) {
		memcpy(mac, cfg->mac, ETH_ALEN);
		return;
	}
	/* Fails only before the kernel's pool is ready; then the address is a constant. */
	if (getrandom(mac, ETH_ALEN, GRND_NONBLOCK) != ETH_ALEN)
		memset(mac, 0, ETH_ALEN);
	mac[0] = (mac[0] & 0xfc) | 2; /* unicast, locally administered */
}

static int open_backend(struct net *net, const struct net_config *cfg, struct fail *fail)
{
	struct device *dev = &net->vdev.dev;
	int err = cfg->mode == NET_USER ? passt_open(cfg, net->config.mac, dev, &net->be, fail)
					: tap_open(cfg, dev, &net->be, fail);

	if (err)
		return err;
	net->be->lost = backend_lost;
	net->vdev.offered |= net_offload_features(net_probe_offloads(net->be));
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
			.fd = net->be->fd[pair->index],
			.events = EPOLLIN | EPOLLOUT | EPOLLET,
			.dev = dev,
			.fn = backend_event,
		};
		net_rx_init(&pair->rx);
		err = loop_fd_add(dev->env.loop, &pair->src);
	}
	return err ? fail_set(fail, EXIT_HOST, err, "%s: cannot watch its network: %s", dev->name,
			      strerror(-err))
		   : 0;
}

int net_create(const struct device_env *env, const struct net_config *cfg, struct device **out,
	       struct fail *fail)
{
	struct net *net = calloc(1, sizeof(*net));
	uint64_t features = VIRTIO_BIT(VIRTIO_NET_F_MAC) | VIRTIO_BIT(VIRTIO_NET_F_STATUS) |
			    VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF);
	int err;

	if (!net)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "virtio-net: out of memory");
	fill_config(net, cfg);
	if (cfg->mtu)
		features |= VIRTIO_BIT(VIRTIO_NET_F_MTU);
	err = virtio_init(&net->vdev, &net_ops, cfg->transport, env, features, &net->config,
			  sizeof(net->config), fail);
	if (!err)
		err = open_backend(net, cfg, fail);
	if (!err)
		err = watch_backend(net, fail);
	return virtio_finish(&net->vdev, err, out, fail);
}
