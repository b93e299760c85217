/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_HOSTIO_H
#define VMM_CORE_HOSTIO_H

#include <stddef.h>
#include <sys/types.h>

/*
 * A descriptor of our own over somebody else's pipe, terminal, socket or file, used without
 * blocking and without setting O_NONBLOCK on what others share.
 */
struct hostio {
	int fd; /* owned; -1: none */
	enum { HOSTIO_DIRECT, HOSTIO_POLL, HOSTIO_SOCKET } kind; /* what keeps it from waiting */
};

/* Over `fd` (borrowed), for O_RDONLY or O_WRONLY: 0 or -errno. */
int hostio_open(struct hostio *io, int fd, int mode);
void hostio_close(struct hostio *io);

/* As read(2) and write(2) that never wait: bytes (0 is the end of input), or -errno; -EAGAIN when
 * not ready. A signal is no error. */
ssize_t hostio_read(struct hostio *io, void *buf, size_t len);
ssize_t hostio_write(struct hostio *io, const void *buf, size_t len);

#endif
