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
	bool owned; /* closed with it; otherwise lent */
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

static int tap_offload(struct net_backend *be, unsigned int tun_f)
{
	if (!be->headers)
		return tun_f ? -EOPNOTSUPP : 0;
	return ioctl(be->fd[0], TUNSETOFFLOAD, (unsigned long)tun_f) ? -errno : 0;
}

static int tap_enable(struct net_backend *be, unsigned int pairs)
{
	return pairs == be->pairs ? 0 : -EINVAL;
}

static void tap_destroy(struct net_backend *be)
{
	struct tap *tap = to_tap(be);

	for (unsigned int i = 0; tap->owned && i < be->pairs; i++)
		close(be->fd[i]);
	free(tap);
}

static const struct net_backend_ops tap_ops = {
	.recv = tap_recv,
	.send = tap_send,
	.offload = tap_offload,
	.enable = tap_enable,
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
static void bring_up(struct ifreq *req)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
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
				"network interface %s is not a tap with one queue", name);
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

/* Attaches to the tap `name`, which must exist; NULL makes one, "vmtap0" or the next free number,
 * that is up and goes away with the descriptor. */
static int open_named(struct tap *tap, const char *name, struct fail *fail)
{
	struct ifreq req = { .ifr_flags = TAP_FLAGS };
	int err = name ? check_name(name, fail) : 0, fd;

	if (err)
		return err;
	/* Both fit: "%d" asks the kernel for a free number. */
	strncpy(req.ifr_name, name ? name : "vmtap%d", IFNAMSIZ - 1);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		err = -errno;
		return fail_set(fail, EXIT_HOST, err,
				"/dev/net/tun cannot be opened (%s); a tap needs the tun module "
				"and permission",
				strerror(-err));
	}
	tap->be.fd[tap->be.pairs++] = fd;
	tap->owned = true;
	err = ioctl(fd, TUNSETIFF, &req) ? -errno : 0;
	if (err == -EPERM && !name)
		return fail_set(fail, EXIT_CONFIG, err,
				"only root can make a tap; have one made and name it with tapif=, "
				"or use mode=user");
	if (err)
		return cannot_attach(name ? name : "vmtap", err, fail);
	err = configure(fd, req.ifr_name, fail);
	if (!err && !name)
		bring_up(&req);
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
	err = cfg->fd >= 0 ? open_fd(tap, cfg->fd, fail) : open_named(tap, cfg->tapif, fail);
	if (err)
		tap_destroy(&tap->be);
	else
		*out = &tap->be;
	return err;
}
