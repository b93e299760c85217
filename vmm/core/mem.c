// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int guest_mem_add(struct guest_mem *m, gpa_t base, uint64_t size, void *host)
{
	unsigned int at = 0;

	if (size == 0 || size - 1 > UINT64_MAX - base)
		return -EINVAL;
	while (at < m->nram && m->ram[at].base < base)
		at++;
	if (at > 0 && base - m->ram[at - 1].base < m->ram[at - 1].size)
		return -EEXIST;
	if (at < m->nram && m->ram[at].base - base < size)
		return -EEXIST;
	if (m->nram == GUEST_RAM_MAX)
		return -ENOSPC;

	memmove(&m->ram[at + 1], &m->ram[at], (m->nram - at) * sizeof(m->ram[0]));
	m->ram[at] = (struct guest_ram){ .base = base, .size = size, .host = host };
	m->nram++;
	return 0;
}

void guest_mem_set_sparse(struct guest_mem *m, gpa_t base)
{
	for (struct guest_ram *r = m->ram; r < m->ram + m->nram; r++)
		r->sparse |= r->base == base;
}

const struct guest_ram *guest_mem_region(const struct guest_mem *m, gpa_t gpa)
{
	for (const struct guest_ram *r = m->ram; r < m->ram + m->nram; r++)
		if (guest_ram_ptr(r, gpa, 0))
			return r;
	return NULL;
}

void *guest_mem_ptr(const struct guest_mem *m, gpa_t gpa, uint64_t len)
{
	const struct guest_ram *r = guest_mem_region(m, gpa);

	return r ? guest_ram_ptr(r, gpa, len) : NULL;
}

int guest_mem_iov(const struct guest_mem *m, gpa_t gpa, uint64_t len, struct iovec *iov, int max)
{
	int n = 0;

	if (len && len - 1 > UINT64_MAX - gpa)
		return -EFAULT;
	while (len) {
		const struct guest_ram *r = guest_mem_region(m, gpa);
		uint64_t part;

		if (!r)
			return -EFAULT;
		part = r->size - (gpa - r->base);
		if (part > len)
			part = len;
		if (n < max)
			iov[n] = (struct iovec){ r->host + (gpa - r->base), part };
		n++;
		gpa += part;
		len -= part;
	}
	return n <= max ? n : -ENOBUFS;
}

int guest_mem_read(const struct guest_mem *m, gpa_t gpa, void *buf, uint64_t len)
{
	struct iovec iov[GUEST_RAM_MAX];
	int n = guest_mem_iov(m, gpa, len, iov, GUEST_RAM_MAX);
	uint8_t *to = buf;

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	return 0;
}

int guest_mem_write(struct guest_mem *m, gpa_t gpa, const void *buf, uint64_t len)
{
	struct iovec iov[GUEST_RAM_MAX];
	int n = guest_mem_iov(m, gpa, len, iov, GUEST_RAM_MAX);
	const uint8_t *from = buf;

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		memcpy(iov[i].iov_base, from, iov[i].iov_len);
		from += iov[i].iov_len;
	}
	guest_mem_dirty(m, gpa, len);
	return 0;
}

static void mark(struct guest_ram *r, uint64_t first_page, uint64_t last_page)
{
	for (uint64_t page = first_page; page <= last_page; page++)
		atomic_fetch_or_explicit(&r->dirty[page / 64], UINT64_C(1) << (page % 64),
					 memory_order_release);
}

void guest_mem_dirty(struct guest_mem *m, gpa_t gpa, uint64_t len)
{
	gpa_t last;

	if (len == 0)
		return;
	last = len - 1 > UINT64_MAX - gpa ? UINT64_MAX : gpa + (len - 1);
	for (struct guest_ram *r = m->ram; r < m->ram + m->nram; r++) {
		gpa_t end = r->base + (r->size - 1);
		gpa_t from = gpa > r->base ? gpa : r->base;
		gpa_t to = last < end ? last : end;

		if (r->dirty && from <= to)
			mark(r, (from - r->base) >> GUEST_PAGE_SHIFT,
			     (to - r->base) >> GUEST_PAGE_SHIFT);
	}
}

gpa_t guest_mem_gpa(const struct guest_mem *m, const void *host)
{
	const struct guest_ram *r = m->ram;

	while ((uintptr_t)host - (uintptr_t)r->host >= r->size) {
		r++;
		assert(r < m->ram + m->nram);
	}
	return r->base + ((uintptr_t)host - (uintptr_t)r->host);
}

int64_t guest_mem_discard(struct guest_mem *m, gpa_t gpa, uint64_t len)
{
	const uintptr_t page = sysconf(_SC_PAGESIZE);
	struct iovec iov[GUEST_RAM_MAX];
	int n = guest_mem_iov(m, gpa, len, iov, GUEST_RAM_MAX);
	int64_t given = 0;

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		uintptr_t from = ((uintptr_t)iov[i].iov_base + page - 1) & -page;
		uintptr_t end = ((uintptr_t)iov[i].iov_base + iov[i].iov_len) & -page;

		if (from >= end)
			continue;
		if (madvise((void *)from, end - from, MADV_DONTNEED))
			return -errno;
		given += end - from;
	}
	guest_mem_dirty(m, gpa, len);
	return given;
}

int guest_mem_track(struct guest_mem *m, bool on)
{
	guest_mem_destroy(m);
	if (!on)
		return 0;
	for (struct guest_ram *r = m->ram; r < m->ram + m->nram; r++) {
		r->dirty = calloc((guest_ram_pages(r) + 63) / 64, sizeof(*r->dirty));
		if (!r->dirty) {
			guest_mem_destroy(m);
			return -ENOMEM;
		}
	}
	return 0;
}

void guest_mem_take_dirty(struct guest_mem *m, unsigned int ram, uint64_t *bits)
{
	struct guest_ram *r = &m->ram[ram];
	uint64_t words = (guest_ram_pages(r) + 63) / 64;

	for (uint64_t i = 0; r->dirty && i < words; i++)
		if (atomic_load_explicit(&r->dirty[i], memory_order_relaxed))
			bits[i] |= atomic_exchange_explicit(&r->dirty[i], 0, memory_order_acquire);
}

void guest_mem_destroy(struct guest_mem *m)
{
	for (struct guest_ram *r = m->ram; r < m->ram + m->nram; r++) {
		free((void *)r->dirty);
		r->dirty = NULL;
	}
}
