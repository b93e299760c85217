// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/net_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "virtio/net.h"

/*
 * A tap, or a packet socket (SOCK_DGRAM, SOCK_SEQPACKET) with the same framing: one packet a
 * system call, behind its header. Of a socket's peer nothing is known, so nothing is offloaded.
 */
struct tap {
	struct net_backend be;
	struct net_config cfg; /* what it is opened from again */
	bool owned; /* closed with it; otherwise lent */
	unsigned int attached; /* pairs */
};

enum { TAP_FLAGS = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

static struct tap *to_tap(struct net_backend *be)
{
	return container_of(be, struct tap, be);
}

/* --- packets ----------------------------------------------------------------------------------- */

static ssize_t tap_recv(struct net_backend *be, unsigned int pair, const struct iovec *iov, int n)
{
	ssize_t len;

	do {
		len = readv(be->fd[pair], iov, n);
	} while (len < 0 && errno == EINTR);
	return len < 0 ? -errno : len;
}

static int tap_send(struct net_backend *be, unsigned int pair, const struct iovec *iov, int n)
{
	ssize_t ret;

	do {
		ret = writev(be->fd[pair], iov, n);
	} while (ret < 0 && errno == EINTR);
	/* Otherwise an interface that is down, a header that the kernel refuses, no memory: a
	 * network may lose packets. */
	return ret < 0 && errno == EAGAIN ? -EAGAIN : 0;
}

static int set_queue(int fd, short flag)
{
	const struct ifreq req = { .ifr_flags = flag };

	return ioctl(fd, TUNSETQUEUE, &req) ? -errno : 0;
}

static int tap_offload(struct net_backend *be, unsigned int tun_f)
{
	/* As long as another machine has it everything is possible: who takes it asks again. */
	if (be->fd[0] < 0)
		return 0;
	if (!be->headers)
		return tun_f ? -EOPNOTSUPP : 0;
	return ioctl(be->fd[0], TUNSETOFFLOAD, (unsigned long)tun_f) ? -errno : 0;
}

/* Queues that are not in use are detached, or the kernel would send packets their way. */
static int tap_enable(struct net_backend *be, unsigned int pairs)
{
	struct tap *tap = to_tap(be);
	int ret = 0;

	if (be->fd[0] < 0)
		return 0;
	for (; !ret && tap->attached < pairs; tap->attached += !ret)
		ret = set_queue(be->fd[tap->attached], IFF_ATTACH_QUEUE);
	for (; !ret && tap->attached > pairs; tap->attached -= !ret)
		ret = set_queue(be->fd[tap->attached - 1], IFF_DETACH_QUEUE);
	return ret;
}

static int tap_filter(struct net_backend *be, const struct tun_filter *filter)
{
	/* Returns how many addresses it took. */
	return be->headers && be->fd[0] >= 0 && ioctl(be->fd[0], TUNSETTXFILTER, filter) < 0
		       ? -errno
		       : 0;
}

/* A tap may outlive us: who has it next is not to miss what our guest did not want, nor to be given
 * what only our guest understood. */
static void undo(const struct net_backend *be)
{
	const struct tun_filter all = { .count = 0 };

	if (!be->headers || be->fd[0] < 0)
		return;
	ioctl(be->fd[0], TUNSETTXFILTER, &all);
	ioctl(be->fd[0], TUNSETOFFLOAD, 0UL);
}

static void close_all(struct tap *tap)
{
	undo(&tap->be);
	for (unsigned int i = 0; i < tap->be.pairs; i++) {
		if (tap->owned && tap->be.fd[i] >= 0)
			close(tap->be.fd[i]);
		tap->be.fd[i] = -1;
	}
	tap->attached = 0;
}

static void tap_destroy(struct net_backend *be)
{
	struct tap *tap = to_tap(be);

	close_all(tap);
	free(tap);
}

static int tap_hold(struct net_backend *be, bool on, struct fail *fail);

static const struct net_backend_ops tap_ops = {
	.hold = tap_hold,
	.recv = tap_recv,
	.send = tap_send,
	.offload = tap_offload,
	.enable = tap_enable,
	.filter = tap_filter,
	.destroy = tap_destroy,
};

/* --- opening ----------------------------------------------------------------------------------- */

/* What every tap of ours needs, however it came to us. */
static int configure(int fd, const char *name, struct fail *fail)
{
	int hdr = NET_HDR, err;

	if (!ioctl(fd, TUNSETVNETHDRSZ, &hdr) && !ioctl(fd, TUNSETOFFLOAD, 0UL))
		return 0;
	err = -errno;
	return fail_set(fail, EXIT_HOST, err, "tap %s does not take virtio headers: %s", name,
			strerror(-err));
}

/* A tap that we made ourselves starts up; addresses and bridges are the host's business. */
static void bring_up(struct ifreq *req, unsigned int mtu)
{
	struct ifreq size = { .ifr_mtu = (int)mtu };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	memcpy(size.ifr_name, req->ifr_name, IFNAMSIZ);
	if (mtu)
		ioctl(fd, SIOCSIFMTU, &size);
	if (!ioctl(fd, SIOCGIFFLAGS, req)) {
		req->ifr_flags |= IFF_UP;
		ioctl(fd, SIOCSIFFLAGS, req);
	}
	close(fd);
}

static int cannot_attach(const char *name, int err, struct fail *fail)
{
	switch (err) {
	case -EBUSY:
		return fail_set(fail, EXIT_CONFIG, err,
				"tap %s is in use by another program; give each VM its own", name);
	case -EPERM:
		return fail_set(fail, EXIT_CONFIG, err,
				"tap %s belongs to somebody else; make it with: ip tuntap add %s "
				"mode tap user $USER",
				name, name);
	case -EINVAL:
		return fail_set(fail, EXIT_CONFIG, err,
				"network interface %s is not a tap, or does not have several "
				"queues as queues= wants; make it with: ip tuntap add %s mode tap "
				"multi_queue",
				name, name);
	default:
		return fail_set(fail, EXIT_HOST, err, "tap %s cannot be used: %s", name,
				strerror(-err));
	}
}

static int check_name(const char *name, struct fail *fail)
{
	if (strlen(name) >= IFNAMSIZ || !*name)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"tap name '%s' does not have 1 to %d characters", name,
				IFNAMSIZ - 1);
	/* TUNSETIFF would make it: a name that was mistyped should not. */
	if (!if_nametoindex(name))
		return fail_set(fail, EXIT_CONFIG, -ENODEV,
				"tap %s does not exist; make it with: ip tuntap add %s mode tap",
				name, name);
	return 0;
}

/* One queue of the tap in `req`; a free name there is filled in. */
static int open_queue(struct tap *tap, struct ifreq *req)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK), err;

	if (fd < 0)
		return -errno;
	tap->be.fd[tap->be.pairs++] = fd;
	if (!ioctl(fd, TUNSETIFF, req))
		return 0;
	err = -errno;
	/* A tap that was made for several queues takes one only in this way. */
	if (err == -EINVAL && !(req->ifr_flags & IFF_MULTI_QUEUE)) {
		req->ifr_flags |= IFF_MULTI_QUEUE;
		err = ioctl(fd, TUNSETIFF, req) ? -errno : 0;
	}
	return err;
}

static int cannot_open(const char *name, int err, struct fail *fail)
{
	if (access("/dev/net/tun", R_OK | W_OK))
		return fail_set(fail, EXIT_HOST, err,
				"/dev/net/tun cannot be opened (%s); a tap needs the tun module "
				"and permission",
				strerror(-err));
	if (err == -EPERM && !name)
		return fail_set(fail, EXIT_CONFIG, err,
				"only root can make a tap; have one made and name it with tapif=, "
				"or use mode=user");
	return cannot_attach(name ? name : "vmtap", err, fail);
}

/* Attaches to the tap `cfg->tapif`, which must exist; NULL makes one, "vmtap0" or the next free
 * number, that is up and goes away with its descriptors. */
static int open_named(struct tap *tap, const struct net_config *cfg, struct fail *fail)
{
	const char *name = cfg->tapif;
	struct ifreq req = { .ifr_flags = TAP_FLAGS | (cfg->queues > 1 ? IFF_MULTI_QUEUE : 0) };
	int err = name ? check_name(name, fail) : 0;

	if (err)
		return err;
	/* Both fit: "%d" asks the kernel for a free number. */
	strncpy(req.ifr_name, name ? name : "vmtap%d", IFNAMSIZ - 1);
	tap->owned = true;
	while (!err && tap->be.pairs < cfg->queues) {
		err = open_queue(tap, &req);
		if (err)
			return cannot_open(name, err, fail);
		err = configure(tap->be.fd[tap->be.pairs - 1], req.ifr_name, fail);
	}
	tap->attached = tap->be.pairs;
	if (!err && tap_enable(&tap->be, 1))
		err = fail_set(fail, EXIT_HOST, -EIO, "tap %s does not detach its queues",
			       req.ifr_name);
	if (!err && !name)
		bring_up(&req, cfg->mtu);
	return err;
}

/* Nobody but its name tells which it is: one that is lent, or that we made, stays. */
static int tap_hold(struct net_backend *be, bool on, struct fail *fail)
{
	struct tap *tap = to_tap(be);
	int err;

	if (!tap->cfg.tapif || on == (be->fd[0] >= 0))
		return 0;
	if (!on) {
		close_all(tap);
		return 0;
	}
	be->pairs = 0;
	err = open_named(tap, &tap->cfg, fail);
	if (err)
		close_all(tap);
	be->pairs = tap->cfg.queues;
	return err;
}

/* A tap as we need it, or a packet socket: 0, or -EINVAL. */
static int check_fd(struct net_backend *be)
{
	struct ifreq req = { 0 };
	socklen_t len = sizeof(int);
	int type;

	if (!ioctl(be->fd[0], TUNGETIFF, &req))
		return (req.ifr_flags & TAP_FLAGS) == TAP_FLAGS ? 0 : -EINVAL;
	if (getsockopt(be->fd[0], SOL_SOCKET, SO_TYPE, &type, &len))
		return -EINVAL;
	be->headers = false;
	return type == SOCK_DGRAM || type == SOCK_SEQPACKET ? 0 : -EINVAL;
}

/* Uses a descriptor that the parent opened; it stays the caller's. */
static int open_fd(struct tap *tap, int fd, struct fail *fail)
{
	int flags = fcntl(fd, F_GETFL);
	char name[16];

	tap->be.fd[tap->be.pairs++] = fd;
	tap->attached = 1;
	if (flags < 0 || check_fd(&tap->be))
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"descriptor %d is neither a tap (IFF_TAP, IFF_NO_PI, IFF_VNET_HDR) "
				"nor a packet socket",
				fd);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	snprintf(name, sizeof(name), "fd=%d", fd);
	return tap->be.headers ? configure(fd, name, fail) : 0;
}

int tap_open(const struct net_config *cfg, struct device *dev, struct net_backend **out,
	     struct fail *fail)
{
	struct tap *tap = calloc(1, sizeof(*tap));
	int err;

	if (!tap)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "%s: out of memory", dev->name);
	tap->be = (struct net_backend){ .ops = &tap_ops, .headers = true, .dev = dev };
	tap->cfg = *cfg;
	memset(tap->be.fd, -1, sizeof(tap->be.fd));
	if (dev->env.held_elsewhere && cfg->tapif && cfg->fd < 0) {
		err = check_name(cfg->tapif, fail);
		tap->be.pairs = cfg->queues;
	} else {
		err = cfg->fd >= 0 ? open_fd(tap, cfg->fd, fail) : open_named(tap, cfg, fail);
	}
	tap->be.in_kernel = tap->be.headers;
	if (err)
		tap_destroy(&tap->be);
	else
		*out = &tap->be;
	return err;
}
