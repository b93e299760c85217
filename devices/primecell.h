/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEVICES_PRIMECELL_H
#define DEVICES_PRIMECELL_H

#include <stdint.h>

/*
 * What Arm's PrimeCell peripherals share: 0x1000 bytes of 32-bit registers, the last eight of which
 * identify the peripheral, a byte each.
 */
enum { PRIMECELL_ID = 0xfe0 };

/* Reads PeriphID0..3 (the bytes of `periphid`) and PCellID0..3 at `off`, PRIMECELL_ID or above. */
static inline uint32_t primecell_id(uint32_t periphid, uint64_t off)
{
	const uint64_t ids = (uint64_t)0xb105f00d << 32 | periphid;

	return ids >> (off - PRIMECELL_ID) / 4 * 8 & 0xff;
}

#endif
