// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/stream.h"

#include <endian.h>
#include <string.h>

/*
 * Eight bytes a step ("slicing by 8"): slice[k][b] is the CRC of the byte b followed by k zero
 * bytes. A CRC is linear, so an entry is the sum (xor) of the entries of b's bits, and the eight
 * powers of two are all that has to be written down; the compiler works out the rest.
 */
#define CRC(b, k0, k1, k2, k3, k4, k5, k6, k7)                                       \
	(((b)&1 ? k0 : 0) ^ ((b)&2 ? k1 : 0) ^ ((b)&4 ? k2 : 0) ^ ((b)&8 ? k3 : 0) ^ \
	 ((b)&16 ? k4 : 0) ^ ((b)&32 ? k5 : 0) ^ ((b)&64 ? k6 : 0) ^ ((b)&128 ? k7 : 0))
#define CRC4(b, ...)                                                           \
	CRC(b, __VA_ARGS__), CRC(b + 1, __VA_ARGS__), CRC(b + 2, __VA_ARGS__), \
		CRC(b + 3, __VA_ARGS__)
#define CRC16(b, ...)                                                             \
	CRC4(b, __VA_ARGS__), CRC4(b + 4, __VA_ARGS__), CRC4(b + 8, __VA_ARGS__), \
		CRC4(b + 12, __VA_ARGS__)
#define CRC64(b, ...)                                                                  \
	CRC16(b, __VA_ARGS__), CRC16(b + 16, __VA_ARGS__), CRC16(b + 32, __VA_ARGS__), \
		CRC16(b + 48, __VA_ARGS__)
#define CRC256(...)                                                                     \
	{                                                                               \
		CRC64(0, __VA_ARGS__), CRC64(64, __VA_ARGS__), CRC64(128, __VA_ARGS__), \
			CRC64(192, __VA_ARGS__)                                         \
	}

static const uint32_t slice[8][256] = {
	CRC256(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc,
	       0x82f63b78),
	CRC256(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604,
	       0xfbc3faf9),
	CRC256(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9,
	       0x8b277743),
	CRC256(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7,
	       0x52a0c93f),
	CRC256(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae,
	       0x6ea2d55c),
	CRC256(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb,
	       0x1c08b7d6),
	CRC256(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a,
	       0xf56e0ef4),
	CRC256(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32,
	       0x34019664),
};

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t w;

	crc = ~crc;
	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&w, p, sizeof(w));
		w = le64toh(w) ^ crc;
		crc = slice[7][w & 0xff] ^ slice[6][w >> 8 & 0xff] ^ slice[5][w >> 16 & 0xff] ^
		      slice[4][w >> 24 & 0xff] ^ slice[3][w >> 32 & 0xff] ^
		      slice[2][w >> 40 & 0xff] ^ slice[1][w >> 48 & 0xff] ^ slice[0][w >> 56];
	}
	for (; len; len--, p++)
		crc = crc >> 8 ^ slice[0][(crc ^ *p) & 0xff];
	return ~crc;
}
