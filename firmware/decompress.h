/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FIRMWARE_DECOMPRESS_H
#define FIRMWARE_DECOMPRESS_H

#include "firmware/image.h"

/*
 * Unpacks the bytes [off, off + len) of `in`, which are inside the file, with `program -dc`
 * (gzip, zstd), found in PATH, into a memfd: `out`, with the path of `in`. The child writes there by
 * itself, at most `limit` bytes, and has ended and been reaped at return.
 * 0, or -errno with `fail` set and nothing open.
 */
int decompress(const char *program, const struct boot_file *in, uint64_t off, uint64_t len,
	       uint64_t limit, struct boot_file *out, struct fail *fail);

#endif
