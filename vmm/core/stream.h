/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_STREAM_H
#define VMM_CORE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bytes in or out of a file descriptor (file, socket, pipe) or a buffer, with a sticky error:
 * after the first failure every call does nothing and reads give zeros, so that callers check once.
 */
struct stream {
	int fd; /* borrowed, or -1 for a buffer */
	uint8_t *buf; /* buffer stream: owned, grows; file stream: the read/write buffer */
	size_t len, cap, pos;
	bool writing;
	int stop_fd; /* borrowed, or -1: when it is readable, waiting ends with -ECANCELED */
	/* CLOCK_MONOTONIC, ns: waiting ends then with -ETIMEDOUT; 0: never. For descriptors that do
	 * not block. May be set anew at any time. */
	uint64_t deadline_ns;
	int err; /* 0, or the first -errno; -ENODATA is a premature end */
};

void stream_open_fd(struct stream *s, int fd, bool writing);
/* An empty buffer to write to. */
void stream_open_buf(struct stream *s);
/* Reads from a copy of `data`. */
void stream_open_data(struct stream *s, const void *data, size_t len);
/* A written buffer becomes readable from its start. */
void stream_rewind(struct stream *s);

/* Both return 0 or the sticky error. Short transfers and EINTR are handled inside. */
int stream_write(struct stream *s, const void *data, size_t len);
int stream_read(struct stream *s, void *data, size_t len);
/* Bytes left to read; buffers only. */
size_t stream_left(const struct stream *s);
int stream_flush(struct stream *s);
/* Flushes, frees the buffer, leaves the descriptor open: returns the sticky error. */
int stream_close(struct stream *s);

/* CRC-32C (Castagnoli, reflected), of `len` bytes continued from `crc` (start with 0). */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
