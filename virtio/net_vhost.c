// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/net_priv.h"

#include <errno.h>
#include <linux/vhost.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "virtio/vhost.h"

/*
 * vhost-net: the kernel serves the rings of a pair, which it reaches through the addresses that
 * virtq_enable() has checked, and which it checks again. While it does, we do not look at the
 * pair's notifications, nor at its tap; the control queue stays ours. Each pair is handed over when
 * both of its queues run, and taken back, with the rings' positions, as soon as one does not.
 */

/* What depends on who serves the rings, of all that we offer. */
#define RING_FEATURES                                                                    \
	(VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | \
	 VIRTIO_BIT(VIRTIO_F_RING_PACKED) | VIRTIO_BIT(VIRTIO_F_IN_ORDER) |              \
	 VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF) | VIRTIO_BIT(VIRTIO_F_VERSION_1))

enum { RX, TX };

struct vhost_queue {
	struct net *net;
	unsigned int q;
	struct loop_fd call; /* used buffers, where no interrupt is wired up */
	struct loop_fd err; /* a ring that is broken */
};

struct net_vhost {
	uint64_t features;
	unsigned int npairs;
	struct vhost_pair {
		int fd;
		bool running;
		struct vhost_queue queues[2];
	} pairs[NET_PAIRS_MAX];
};

/* --- events ------------------------------------------------------------------------------------ */

static void on_call(struct loop_fd *src, uint32_t events)
{
	struct vhost_queue *queue = container_of(src, struct vhost_queue, call);

	(void)events;
	if (virtio_running(&queue->net->vdev, queue->q))
		virtio_interrupt(&queue->net->vdev, queue->q);
}

static void on_err(struct loop_fd *src, uint32_t events)
{
	struct vhost_queue *queue = container_of(src, struct vhost_queue, err);

	(void)events;
	virtio_broken(&queue->net->vdev, "vhost-net cannot use a ring");
	net_vhost_update(queue->net);
}

/* --- one pair ---------------------------------------------------------------------------------- */

static void *host_address(const struct net *net, gpa_t addr)
{
	return guest_mem_ptr(net->vdev.dev.env.mem, addr, 1);
}

static int set_fd(int fd, unsigned long request, unsigned int index, int value)
{
	struct vhost_vring_file file = { .index = index, .fd = value };

	return vhost_call(fd, request, &file);
}

/* Into the interrupt controller where that is possible, otherwise through our loop. */
static int set_call(struct net *net, int fd, unsigned int index, struct vhost_queue *queue)
{
	const struct virtio_transport *transport = net->vdev.transport;
	int call = transport->callfd ? transport->callfd(&net->vdev, queue->q) : -ENOTSUP;

	return set_fd(fd, VHOST_SET_VRING_CALL, index, call < 0 ? queue->call.fd : call);
}

static int set_ring(struct net *net, int fd, unsigned int index, struct vhost_queue *queue)
{
	const struct virtq *vq = virtio_vq(&net->vdev, queue->q);
	struct vhost_vring_state num = { index, vq->num }, base = { index, vq->next_avail };
	struct vhost_vring_addr addr = {
		.index = index,
		.desc_user_addr = (uintptr_t)host_address(net, vq->desc),
		.avail_user_addr = (uintptr_t)host_address(net, vq->avail),
		.used_user_addr = (uintptr_t)host_address(net, vq->used),
	};
	int err = vhost_call(fd, VHOST_SET_VRING_NUM, &num);

	if (!err)
		err = vhost_call(fd, VHOST_SET_VRING_BASE, &base);
	if (!err)
		err = vhost_call(fd, VHOST_SET_VRING_ADDR, &addr);
	if (!err)
		err = set_fd(fd, VHOST_SET_VRING_ERR, index, queue->err.fd);
	if (!err)
		err = set_call(net, fd, index, queue);
	if (!err)
		err = set_fd(fd, VHOST_SET_VRING_KICK, index, net->vdev.queues[queue->q].kick.fd);
	return err;
}

/* Whose notifications and packets wake the loop. */
static void listen(struct net *net, unsigned int i, bool on)
{
	struct loop *loop = net->vdev.dev.env.loop;
	struct loop_fd *sources[] = {
		&net->vdev.queues[2 * i].kick,
		&net->vdev.queues[2 * i + 1].kick,
		&net->pairs[i].src,
	};

	for (unsigned int s = 0; s < sizeof(sources) / sizeof(sources[0]); s++) {
		loop_fd_del(loop, sources[s]);
		if (on && loop_fd_add(loop, sources[s]))
			log_line(net->vdev.dev.env.log, LOG_ERROR, "%s: its queues are deaf",
				 net->vdev.dev.name);
	}
}

static void detach(struct vhost_pair *pair)
{
	for (unsigned int index = RX; index <= TX; index++) {
		/* The kernel returns when it has finished with the ring. */
		set_fd(pair->fd, VHOST_NET_SET_BACKEND, index, -1);
		set_fd(pair->fd, VHOST_SET_VRING_KICK, index, -1);
		set_fd(pair->fd, VHOST_SET_VRING_CALL, index, -1);
	}
}

static int attach(struct net *net, unsigned int i)
{
	struct vhost_pair *pair = &net->vhost->pairs[i];
	uint64_t features = net->vdev.features & net->vhost->features;
	int err = vhost_call(pair->fd, VHOST_SET_FEATURES, &features);

	for (unsigned int index = RX; !err && index <= TX; index++)
		err = set_ring(net, pair->fd, index, &pair->queues[index]);
	for (unsigned int index = RX; !err && index <= TX; index++)
		err = set_fd(pair->fd, VHOST_NET_SET_BACKEND, index, net->be->fd[i]);
	if (err)
		detach(pair);
	return err;
}

static void start(struct net *net, unsigned int i)
{
	struct device *dev = &net->vdev.dev;
	int err;

	listen(net, i, false);
	net_rx_stop(&net->pairs[i].rx);
	err = attach(net, i);
	net->vhost->pairs[i].running = !err;
	if (!err)
		return;
	/* Whatever the reason, the guest need not notice. */
	net->vhost->npairs = 0;
	listen(net, i, true);
	log_line(dev->env.log, LOG_WARNING, "%s: vhost-net refuses its queues (%s): done without",
		 dev->name, strerror(-err));
}

static void stop(struct net *net, unsigned int i)
{
	struct vhost_pair *pair = &net->vhost->pairs[i];

	detach(pair);
	pair->running = false;
	for (unsigned int index = RX; index <= TX; index++) {
		struct virtq *vq = virtio_vq(&net->vdev, pair->queues[index].q);
		struct vhost_vring_state base = { .index = index };

		if (vq->ready && !vhost_call(pair->fd, VHOST_GET_VRING_BASE, &base))
			virtq_seek(vq, base.num);
	}
	listen(net, i, true);
}

/* --- the card ---------------------------------------------------------------------------------- */

void net_vhost_update(struct net *net)
{
	for (unsigned int i = 0; net->vhost && i < net->npairs; i++) {
		bool runs = net->vhost->pairs[i].running;
		bool can = i < net->ctrl.pairs && i < net->vhost->npairs &&
			   virtio_running(&net->vdev, 2 * i) &&
			   virtio_running(&net->vdev, 2 * i + 1) &&
			   !guest_mem_tracked(net->vdev.dev.env.mem);

		if (runs && !can)
			stop(net, i);
		else if (can && !runs)
			start(net, i);
	}
}

void net_vhost_recall(struct net *net, unsigned int q)
{
	unsigned int i = q / 2;

	if (net_vhost_serves(net, i))
		set_call(net, net->vhost->pairs[i].fd, q % 2, &net->vhost->pairs[i].queues[q % 2]);
}

bool net_vhost_serves(const struct net *net, unsigned int i)
{
	return net->vhost && i < net->npairs && net->vhost->pairs[i].running;
}

void net_vhost_stop(struct net *net, unsigned int i)
{
	if (net_vhost_serves(net, i))
		stop(net, i);
}

static int open_queue(struct net *net, struct vhost_queue *queue, unsigned int q)
{
	struct device *dev = &net->vdev.dev;
	const struct loop_fd src = { .fd = -1, .events = EPOLLIN | EPOLLET, .dev = dev };
	int err;

	/* Never read: each signal is an edge. */
	*queue = (struct vhost_queue){ .net = net, .q = q, .call = src, .err = src };
	queue->call.fn = on_call;
	queue->err.fn = on_err;
	queue->call.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->call.fd < 0)
		return -errno;
	queue->err.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->err.fd < 0)
		return -errno;
	err = loop_fd_add(dev->env.loop, &queue->call);
	return err ? err : loop_fd_add(dev->env.loop, &queue->err);
}

/* Guest RAM, and nothing but that. */
static int set_memory(struct net *net, int fd)
{
	const struct guest_mem *mem = net->vdev.dev.env.mem;
	struct {
		struct vhost_memory head;
		struct vhost_memory_region regions[GUEST_RAM_MAX];
	} table = { .head.nregions = mem->nram };

	for (unsigned int i = 0; i < mem->nram; i++)
		table.regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = mem->ram[i].base,
			.memory_size = mem->ram[i].size,
			.userspace_addr = (uintptr_t)mem->ram[i].host,
		};
	return vhost_call(fd, VHOST_SET_MEM_TABLE, &table);
}

static int open_pair(struct net *net, struct vhost_pair *pair, unsigned int i)
{
	int err = vhost_call(pair->fd, VHOST_SET_OWNER, NULL);

	if (!err)
		err = vhost_call(pair->fd, VHOST_GET_FEATURES, &net->vhost->features);
	if (!err)
		err = set_memory(net, pair->fd);
	for (unsigned int index = RX; !err && index <= TX; index++)
		err = open_queue(net, &pair->queues[index], 2 * i + index);
	return err;
}

static int cannot_open(const struct net *net, int err, struct fail *fail)
{
	if (err == -ENOENT || err == -ENODEV)
		return fail_set(fail, EXIT_CONFIG, err,
				"--network vhost=on needs /dev/vhost-net, which this host does not "
				"have; load it with: modprobe vhost_net");
	if (err == -EACCES || err == -EPERM)
		return fail_set(
			fail, EXIT_CONFIG, err,
			"--network vhost=on: no permission for /dev/vhost-net; have it given, "
			"or leave out vhost=on");
	return fail_set(fail, EXIT_HOST, err, "%s: vhost-net cannot be set up: %s",
			net->vdev.dev.name, strerror(-err));
}

int net_vhost_open(struct net *net, struct fail *fail)
{
	int err = 0;

	if (!net->be->in_kernel)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--network vhost=on is for a tap, not for a socket");
	net->vhost = calloc(1, sizeof(*net->vhost));
	if (!net->vhost)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "%s: out of memory", net->vdev.dev.name);
	while (!err && net->vhost->npairs < net->npairs) {
		struct vhost_pair *pair = &net->vhost->pairs[net->vhost->npairs];

		for (unsigned int index = RX; index <= TX; index++)
			pair->queues[index].call.fd = pair->queues[index].err.fd = -1;
		pair->fd = vhost_device();
		if (pair->fd < 0)
			return cannot_open(net, pair->fd, fail);
		err = open_pair(net, pair, net->vhost->npairs++);
	}
	if (err)
		return cannot_open(net, err, fail);
	net->vdev.offered &= ~RING_FEATURES | net->vhost->features;
	return 0;
}

void net_vhost_close(struct net *net)
{
	struct loop *loop = net->vdev.dev.env.loop;

	for (unsigned int i = 0; net->vhost && i < net->npairs; i++) {
		struct vhost_pair *pair = &net->vhost->pairs[i];

		for (unsigned int index = RX; index <= TX; index++) {
			struct vhost_queue *queue = &pair->queues[index];

			if (!queue->net)
				continue;
			loop_fd_del(loop, &queue->call);
			loop_fd_del(loop, &queue->err);
			if (queue->call.fd >= 0)
				close(queue->call.fd);
			if (queue->err.fd >= 0)
				close(queue->err.fd);
		}
		if (pair->fd > 0)
			close(pair->fd);
	}
	free(net->vhost);
	net->vhost = NULL;
}
