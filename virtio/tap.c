// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAP_FLAGS = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

/* What every tap of ours needs, however it came to us. */
static int configure(struct tap *tap, const char *name, struct fail *fail)
{
	int hdr = sizeof(struct virtio_net_hdr_v1), err;

	if (!ioctl(tap->fd, TUNSETVNETHDRSZ, &hdr) && !ioctl(tap->fd, TUNSETOFFLOAD, 0UL))
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

int tap_open(struct tap *tap, const char *name, struct fail *fail)
{
	struct ifreq req = { .ifr_flags = TAP_FLAGS };
	int err;

	*tap = (struct tap){ .fd = -1, .owned = true };
	err = name ? check_name(name, fail) : 0;
	if (err)
		return err;
	/* Both fit: "%d" asks the kernel for a free number. */
	strncpy(req.ifr_name, name ? name : "vmtap%d", IFNAMSIZ - 1);
	tap->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (tap->fd < 0) {
		err = -errno;
		return fail_set(fail, EXIT_HOST, err,
				"/dev/net/tun cannot be opened (%s); a tap needs the tun module "
				"and permission",
				strerror(-err));
	}
	err = ioctl(tap->fd, TUNSETIFF, &req) ? -errno : 0;
	if (err == -EPERM && !name)
		err = fail_set(fail, EXIT_CONFIG, err,
			       "only root can make a tap; have one made and name it with tapif=");
	else if (err)
		err = cannot_attach(name ? name : "vmtap", err, fail);
	else
		err = configure(tap, req.ifr_name, fail);
	if (err)
		tap_close(tap);
	else if (!name)
		bring_up(&req);
	return err;
}

/* A tap as we need it, or a packet socket: 0, or -EINVAL. */
static int check_fd(struct tap *tap)
{
	struct ifreq req = { 0 };
	socklen_t len = sizeof(int);
	int type;

	if (!ioctl(tap->fd, TUNGETIFF, &req))
		return (req.ifr_flags & TAP_FLAGS) == TAP_FLAGS ? 0 : -EINVAL;
	if (getsockopt(tap->fd, SOL_SOCKET, SO_TYPE, &type, &len))
		return -EINVAL;
	tap->is_socket = true;
	return type == SOCK_DGRAM || type == SOCK_SEQPACKET ? 0 : -EINVAL;
}

int tap_open_fd(struct tap *tap, int fd, struct fail *fail)
{
	int flags = fcntl(fd, F_GETFL);
	char name[16];

	*tap = (struct tap){ .fd = fd };
	if (flags < 0 || check_fd(tap))
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"descriptor %d is neither a tap (IFF_TAP, IFF_NO_PI, IFF_VNET_HDR) "
				"nor a packet socket",
				fd);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	snprintf(name, sizeof(name), "fd=%d", fd);
	return tap->is_socket ? 0 : configure(tap, name, fail);
}

void tap_close(struct tap *tap)
{
	if (tap->owned && tap->fd >= 0)
		close(tap->fd);
	tap->fd = -1;
}

int tap_offload(struct tap *tap, unsigned int tun_f)
{
	if (tap->is_socket)
		return tun_f ? -EOPNOTSUPP : 0;
	return ioctl(tap->fd, TUNSETOFFLOAD, (unsigned long)tun_f) ? -errno : 0;
}
