/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_FDT_H
#define VMM_CORE_FDT_H

#include <stdint.h>

/*
 * A device tree under construction: libfdt's sequential writer with a buffer that grows and a
 * sticky error. Addresses and sizes are two cells (#address-cells = #size-cells = 2).
 * Devicetree Specification v0.4.
 */
struct fdt {
	void *buf;
	int cap;
	int err; /* 0 or the first -errno */
	uint32_t phandles; /* the last one handed out */
	int depth; /* private: open nodes */
};

/* Phandles that several parts of the tree name. Others come from dt_phandle(). */
enum { FDT_PHANDLE_GIC = 1, FDT_PHANDLE_CLOCK, FDT_PHANDLE_MSI, FDT_PHANDLE_FREE };

/* Begins the tree and opens the root node, with its #address-cells and #size-cells. 0 or -ENOMEM. */
int dt_create(struct fdt *fdt);
/* Closes the root and ends the tree: *blob is malloc'ed and the caller's, *size in bytes. Returns the
 * sticky error, and then *blob is NULL. */
int dt_finish(struct fdt *fdt, void **blob, uint32_t *size);
void dt_abandon(struct fdt *fdt);

void dt_node(struct fdt *fdt, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void dt_end(struct fdt *fdt);

void dt_empty(struct fdt *fdt, const char *name);
void dt_u32(struct fdt *fdt, const char *name, uint32_t v);
void dt_u64(struct fdt *fdt, const char *name, uint64_t v);
void dt_str(struct fdt *fdt, const char *name, const char *v);
void dt_bytes(struct fdt *fdt, const char *name, const void *data, uint32_t len);
/* dt_cells(fdt, "interrupts", 0, 5, 4): any number of u32. */
void dt_cells_n(struct fdt *fdt, const char *name, const uint32_t *cells, unsigned int n);
#define dt_cells(fdt, name, ...)                                 \
	dt_cells_n(fdt, name, (const uint32_t[]){ __VA_ARGS__ }, \
		   sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))
/* A list of strings: dt_strs(fdt, "compatible", "arm,pl011", "arm,primecell"). */
void dt_strs_n(struct fdt *fdt, const char *name, const char *const *strs, unsigned int n);
#define dt_strs(fdt, name, ...)                                    \
	dt_strs_n(fdt, name, (const char *const[]){ __VA_ARGS__ }, \
		  sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))
/* reg = <base size>, two cells each. */
void dt_reg(struct fdt *fdt, uint64_t base, uint64_t size);
/* interrupts = <GIC_SPI spi flags>, rising edge or level high. */
struct irq;
void dt_interrupt(struct fdt *fdt, const struct irq *irq);
uint32_t dt_phandle(struct fdt *fdt); /* a new one; the caller writes the property */

#endif
