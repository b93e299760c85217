// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/stream.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>
#ifdef __aarch64__
#include <sys/auxv.h>
#endif

/* What an architecture has: CRC_CPU says that a function uses it, CRC_STEP adds eight bytes in memory's
 * order, cpu_has_crc() asks for it. */
#if defined(__aarch64__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define CRC_CPU		 __attribute__((target("+crc")))
#define CRC_STEP(crc, w) __builtin_aarch64_crc32cx(crc, w)
static bool cpu_has_crc(void)
{
	return getauxval(AT_HWCAP) & HWCAP_CRC32;
}
#elif defined(__x86_64__)
#define CRC_CPU		 __attribute__((target("sse4.2")))
#define CRC_STEP(crc, w) (uint32_t) __builtin_ia32_crc32di(crc, w)
static bool cpu_has_crc(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#endif

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

/* By tables; `crc` is the register, not inverted, here and below. */
static uint32_t by_tables(uint32_t crc, const uint8_t *p, size_t len)
{
	uint64_t w;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&w, p, sizeof(w));
		w = le64toh(w) ^ crc;
		crc = slice[7][w & 0xff] ^ slice[6][w >> 8 & 0xff] ^ slice[5][w >> 16 & 0xff] ^
		      slice[4][w >> 24 & 0xff] ^ slice[3][w >> 32 & 0xff] ^
		      slice[2][w >> 40 & 0xff] ^ slice[1][w >> 48 & 0xff] ^ slice[0][w >> 56];
	}
	for (; len; len--, p++)
		crc = crc >> 8 ^ slice[0][(crc ^ *p) & 0xff];
	return crc;
}

/* --- by the CPU's instruction ------------------------------------------------------------------ */

#ifdef CRC_CPU

/* An instruction waits for the one before, and its unit could take three: so three lanes go side by
 * side, and the table says what the bytes of a lane that follow, as zeros, make of a byte. */
enum { LANE = 1024 };

static const uint32_t lane[4][256] = {
	CRC256(0xfe314258, 0xf98ef241, 0xf6f19273, 0xe80f5217, 0xd5f2d2df, 0xae09d34f, 0x59ffd06f,
	       0xb3ffa0de),
	CRC256(0x6213374d, 0xc4266e9a, 0x8da0abc5, 0x1ead217b, 0x3d5a42f6, 0x7ab485ec, 0xf5690bd8,
	       0xef3e6141),
	CRC256(0xdb90b473, 0xb2cd1e17, 0x60764adf, 0xc0ec95be, 0x84355d8d, 0x0d86cdeb, 0x1b0d9bd6,
	       0x361b37ac),
	CRC256(0x6c366f58, 0xd86cdeb0, 0xb535cb91, 0x6f87e1d3, 0xdf0fc3a6, 0xbbf3f1bd, 0x720b958b,
	       0xe4172b16),
};

static uint32_t behind(uint32_t crc)
{
	return lane[0][crc & 0xff] ^ lane[1][crc >> 8 & 0xff] ^ lane[2][crc >> 16 & 0xff] ^
	       lane[3][crc >> 24];
}

CRC_CPU static uint32_t three_lanes(uint32_t crc, const uint8_t *p)
{
	uint32_t second = 0, third = 0;
	uint64_t w[3];

	for (size_t i = 0; i < LANE; i += 8) {
		memcpy(&w[0], p + i, 8);
		memcpy(&w[1], p + LANE + i, 8);
		memcpy(&w[2], p + 2 * LANE + i, 8);
		crc = CRC_STEP(crc, w[0]);
		second = CRC_STEP(second, w[1]);
		third = CRC_STEP(third, w[2]);
	}
	return behind(behind(crc) ^ second) ^ third;
}

CRC_CPU static uint32_t by_cpu(uint32_t crc, const uint8_t *p, size_t len)
{
	uint64_t w;

	for (; len >= 3 * LANE; len -= 3 * LANE, p += 3 * LANE)
		crc = three_lanes(crc, p);
	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&w, p, sizeof(w));
		crc = CRC_STEP(crc, w);
	}
	return by_tables(crc, p, len);
}

#else

static bool cpu_has_crc(void)
{
	return false;
}

static uint32_t by_cpu(uint32_t crc, const uint8_t *p, size_t len)
{
	return by_tables(crc, p, len);
}

#endif

/* To ask the CPU is worth it from so many bytes on. */
enum { ASK_FROM = 256 };

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	return ~(len >= ASK_FROM && cpu_has_crc() ? by_cpu(~crc, data, len)
						  : by_tables(~crc, data, len));
}
