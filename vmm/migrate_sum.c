// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/migrate_sum.h"

#include <endian.h>
#include <string.h>

struct sip {
	uint64_t v[4];
};

static inline uint64_t rotl(uint64_t x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static inline void rounds(struct sip *s, unsigned int n)
{
	uint64_t a = s->v[0], b = s->v[1], c = s->v[2], d = s->v[3];

	while (n--) {
		a += b;
		c += d;
		b = rotl(b, 13) ^ a;
		d = rotl(d, 16) ^ c;
		a = rotl(a, 32) + d;
		c += b;
		d = rotl(d, 21) ^ a;
		b = rotl(b, 17) ^ c;
		c = rotl(c, 32);
	}
	*s = (struct sip){ { a, b, c, d } };
}

static inline void take(struct sip *s, uint64_t word)
{
	s->v[3] ^= word;
	rounds(s, 2);
	s->v[0] ^= word;
}

static uint64_t finish(struct sip *s, unsigned int i, uint64_t with)
{
	s->v[i] ^= with;
	rounds(s, 4);
	return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

struct page_sum page_sum(const uint64_t key[2], const void *data, size_t len)
{
	struct sip s = { {
		key[0] ^ 0x736f6d6570736575,
		key[1] ^ 0x646f72616e646f6d ^ 0xee,
		key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573,
	} };
	const uint8_t *at = data;
	struct page_sum sum;
	uint64_t word;

	for (; len >= sizeof(word); len -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		take(&s, le64toh(word));
	}
	word = 0;
	memcpy(&word, at, len);
	take(&s, le64toh(word) | (uint64_t)(uint8_t)(at - (const uint8_t *)data + len) << 56);
	sum.half[0] = finish(&s, 2, 0xee);
	sum.half[1] = finish(&s, 1, 0xdd);
	return sum;
}
