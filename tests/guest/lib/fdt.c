// SPDX-License-Identifier: GPL-2.0-only
/* A walk over the flattened device tree (Devicetree Specification v0.4, chapter 5). */
#include "tests/guest/lib/lib.h"

enum { BEGIN_NODE = 1, END_NODE = 2, PROP = 3, END = 9 };

struct prop {
	unsigned int depth; /* of its node; the root is 1 */
	const char *node, *name;
	const u8 *data;
	u32 len;
};

static u32 be32(const void *p)
{
	const u8 *b = p;

	return (u32)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

static bool same(const char *a, const char *b)
{
	return !memcmp(a, b, strlen(b) + 1);
}

static bool starts(const char *s, const char *with)
{
	return !memcmp(s, with, strlen(with));
}

/* A string list that names `what`. */
static bool lists(const struct prop *p, const char *what)
{
	for (u32 at = 0; at < p->len; at += strlen((const char *)p->data + at) + 1)
		if (same((const char *)p->data + at, what))
			return true;
	return false;
}

static u64 cells(const u8 *data, u32 len)
{
	return len == 4 ? be32(data) : (u64)be32(data) << 32 | be32(data + 4);
}

static void take(const struct prop *p, struct machine *m)
{
	if (same(p->node, "chosen") && same(p->name, "bootargs"))
		m->bootargs = (const char *)p->data;
	else if (same(p->node, "chosen") && same(p->name, "linux,initrd-start"))
		m->initrd = cells(p->data, p->len);
	else if (same(p->node, "chosen") && same(p->name, "linux,initrd-end"))
		m->initrd_end = cells(p->data, p->len);
	else if (starts(p->node, "memory") && same(p->name, "reg") && p->len >= 16)
		m->ram_size = cells(p->data + 8, 8);
	else if (starts(p->node, "cpu@") && same(p->name, "reg") && m->cpus < CPUS_MAX)
		m->mpidr[m->cpus++] = cells(p->data, p->len);
	else if (same(p->name, "compatible") && lists(p, "arm,gic-v3"))
		m->gic = 3;
	else if (same(p->name, "compatible") &&
		 (lists(p, "arm,cortex-a15-gic") || lists(p, "arm,gic-400")))
		m->gic = 2;
}

/* Hosts number CPUs so; nodes may come in any order. */
static void sort_cpus(struct machine *m)
{
	for (unsigned int i = 1; i < m->cpus; i++)
		for (unsigned int j = i; j && m->mpidr[j - 1] > m->mpidr[j]; j--) {
			u64 t = m->mpidr[j];

			m->mpidr[j] = m->mpidr[j - 1];
			m->mpidr[j - 1] = t;
		}
}

void fdt_scan(const void *fdt, struct machine *m)
{
	const u8 *base = fdt, *p = base + be32(base + 8);
	const char *strings = (const char *)base + be32(base + 12);
	struct prop prop = { .depth = 0 };
	const char *nodes[8] = { "" };

	m->fdt = fdt;
	for (u32 token; (token = be32(p)) != END;) {
		p += 4;
		if (token == BEGIN_NODE) {
			prop.depth++;
			nodes[prop.depth & 7] = (const char *)p;
			p += (strlen((const char *)p) + 4) & ~3UL;
		} else if (token == END_NODE) {
			prop.depth--;
		} else if (token == PROP) {
			prop.node = nodes[prop.depth & 7];
			prop.len = be32(p);
			prop.name = strings + be32(p + 4);
			prop.data = p + 8;
			p += (8 + prop.len + 3) & ~3UL;
			take(&prop, m);
		}
	}
	sort_cpus(m);
}
