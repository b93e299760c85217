// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/fdt.h"

#include <errno.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/irq.h"

enum { CAP_FIRST = 16 * 1024, CAP_MAX = 2 * 1024 * 1024, NODE_NAME_MAX = 64 };

/* The interrupt specifier's cells, from the kernel's arm,gic bindings. */
enum { GIC_SPI = 0, IRQ_EDGE_RISING = 1, IRQ_LEVEL_HIGH = 4 };

static int grow(struct fdt *fdt)
{
	int cap = fdt->cap * 2;
	void *buf = cap <= CAP_MAX ? malloc((size_t)cap) : NULL;

	if (!buf)
		return -ENOMEM;
	if (fdt_resize(fdt->buf, buf, cap) < 0) {
		free(buf);
		return -EINVAL;
	}
	free(fdt->buf);
	fdt->buf = buf;
	fdt->cap = cap;
	return 0;
}

/* After a libfdt call: whether to repeat it, in a larger buffer. */
static bool again(struct fdt *fdt, int result)
{
	if (result == -FDT_ERR_NOSPACE) {
		fdt->err = grow(fdt);
		return !fdt->err;
	}
	if (result < 0)
		fdt->err = -EINVAL;
	return false;
}

static void begin(struct fdt *fdt, const char *name)
{
	while (!fdt->err && again(fdt, fdt_begin_node(fdt->buf, name)))
		;
	fdt->depth++;
}

int dt_create(struct fdt *fdt)
{
	*fdt = (struct fdt){ .cap = CAP_FIRST, .phandles = FDT_PHANDLE_FREE - 1 };
	fdt->buf = malloc(CAP_FIRST);
	if (!fdt->buf)
		return fdt->err = -ENOMEM;
	if (fdt_create(fdt->buf, CAP_FIRST) < 0 || fdt_finish_reservemap(fdt->buf) < 0)
		fdt->err = -EINVAL;
	begin(fdt, "");
	dt_u32(fdt, "#address-cells", 2);
	dt_u32(fdt, "#size-cells", 2);
	return fdt->err;
}

int dt_finish(struct fdt *fdt, void **blob, uint32_t *size)
{
	dt_end(fdt);
	if (!fdt->err && fdt->depth != 0)
		fdt->err = -EINVAL;
	while (!fdt->err && again(fdt, fdt_finish(fdt->buf)))
		;
	*blob = NULL;
	*size = 0;
	if (!fdt->err) {
		*blob = fdt->buf;
		*size = fdt_totalsize(fdt->buf);
		fdt->buf = NULL;
	}
	dt_abandon(fdt);
	return fdt->err;
}

void dt_abandon(struct fdt *fdt)
{
	free(fdt->buf);
	fdt->buf = NULL;
}

void dt_node(struct fdt *fdt, const char *fmt, ...)
{
	char name[NODE_NAME_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (!fdt->err && (n <= 0 || n >= NODE_NAME_MAX))
		fdt->err = -EINVAL;
	begin(fdt, name);
}

void dt_end(struct fdt *fdt)
{
	while (!fdt->err && again(fdt, fdt_end_node(fdt->buf)))
		;
	fdt->depth--;
}

/* Room for a property's value, or NULL. */
static void *property(struct fdt *fdt, const char *name, uint32_t len)
{
	void *value = NULL;

	if (!fdt->err && len > CAP_MAX)
		fdt->err = -EINVAL;
	while (!fdt->err && again(fdt, fdt_property_placeholder(fdt->buf, name, (int)len, &value)))
		;
	return fdt->err ? NULL : value;
}

void dt_bytes(struct fdt *fdt, const char *name, const void *data, uint32_t len)
{
	void *value = property(fdt, name, len);

	if (value && len)
		memcpy(value, data, len);
}

void dt_empty(struct fdt *fdt, const char *name)
{
	property(fdt, name, 0);
}

void dt_u32(struct fdt *fdt, const char *name, uint32_t v)
{
	dt_cells_n(fdt, name, &v, 1);
}

void dt_u64(struct fdt *fdt, const char *name, uint64_t v)
{
	fdt64_t be = cpu_to_fdt64(v);

	dt_bytes(fdt, name, &be, sizeof(be));
}

void dt_str(struct fdt *fdt, const char *name, const char *v)
{
	dt_strs_n(fdt, name, &v, 1);
}

void dt_cells_n(struct fdt *fdt, const char *name, const uint32_t *cells, unsigned int n)
{
	fdt32_t *value = property(fdt, name, n * (uint32_t)sizeof(*value));

	for (unsigned int i = 0; value && i < n; i++)
		value[i] = cpu_to_fdt32(cells[i]);
}

void dt_strs_n(struct fdt *fdt, const char *name, const char *const *strs, unsigned int n)
{
	size_t len = 0;
	char *value;

	for (unsigned int i = 0; i < n; i++)
		len += strlen(strs[i]) + 1;
	value = property(fdt, name, len > CAP_MAX ? UINT32_MAX : (uint32_t)len);
	for (unsigned int i = 0; value && i < n; i++)
		value = stpcpy(value, strs[i]) + 1;
}

void dt_reg(struct fdt *fdt, uint64_t base, uint64_t size)
{
	dt_cells(fdt, "reg", (uint32_t)(base >> 32), (uint32_t)base, (uint32_t)(size >> 32),
		 (uint32_t)size);
}

void dt_interrupt(struct fdt *fdt, const struct irq *irq)
{
	dt_cells(fdt, "interrupts", GIC_SPI, irq->spi,
		 irq->edge ? IRQ_EDGE_RISING : IRQ_LEVEL_HIGH);
}

uint32_t dt_phandle(struct fdt *fdt)
{
	return ++fdt->phandles;
}
