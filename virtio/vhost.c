// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/vhost.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

int vhost_device(void)
{
	int fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int vhost_call(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}
