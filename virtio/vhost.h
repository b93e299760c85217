/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_VHOST_H
#define VIRTIO_VHOST_H

/* The two calls through which vhost-net is reached; tests have their own. */

/* Opens /dev/vhost-net: a descriptor, or -errno. */
int vhost_device(void);
/* An ioctl of it: 0 or -errno. */
int vhost_call(int fd, unsigned long request, void *arg);

#endif
