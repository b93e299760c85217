// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/vgic_state.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm64/cpu.h"
#include "vmm/kvm.h"

/*
 * One row a register or row of registers, in the order in which they are loaded: the identity first,
 * then what the meaning of others depends on, enables before pending and active.
 */
struct row {
	const char *name;
	uint32_t group, offset;
	/* Bits an interrupt: the shared interrupts' words, behind the first 32, which are banked;
	 * or 0: `words` words, of each CPU if `banked`. */
	uint8_t bits, words;
	bool banked;
	bool wide; /* 64-bit attribute */
	uint16_t step; /* between words; 0: 4 */
	uint32_t clear; /* where ones clear, written before; 0: none */
	bool zero; /* all zeros in a new controller, which a state of zeros fits as it is */
	bool identity; /* what it is: it must read as it was, whatever KVM makes of the write */
};

#define DIST	     KVM_DEV_ARM_VGIC_GRP_DIST_REGS
#define REDIST	     KVM_DEV_ARM_VGIC_GRP_REDIST_REGS
#define CPU_IF	     KVM_DEV_ARM_VGIC_GRP_CPU_REGS
#define LEVELS	     KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO
#define LEVEL_OFFSET (VGIC_LEVEL_INFO_LINE_LEVEL << KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT)

/* What is not named here is of few rows, and follows by its own name. */
#define ONE(row, in, at, ...)                                                     \
	{                                                                         \
		.name = row, .group = in, .offset = at, .words = 1, ##__VA_ARGS__ \
	}
#define SPIS(row, at, each, ...)                                                      \
	{                                                                             \
		.name = row, .group = DIST, .offset = at, .bits = each, ##__VA_ARGS__ \
	}
#define BANK(row, in, at, n, ...)                                                                 \
	{                                                                                         \
		.name = row, .group = in, .offset = at, .words = n, .banked = true, ##__VA_ARGS__ \
	}
#define ICC(row, op1, crn, crm, op2, ...)                                                         \
	BANK(row, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS,                                               \
	     (uint32_t)(ARM64_SYS_REG_SHIFT_MASK(3, OP0) | ARM64_SYS_REG_SHIFT_MASK(op1, OP1) |   \
			ARM64_SYS_REG_SHIFT_MASK(crn, CRN) | ARM64_SYS_REG_SHIFT_MASK(crm, CRM) | \
			ARM64_SYS_REG_SHIFT_MASK(op2, OP2)),                                      \
	     1, .wide = true, ##__VA_ARGS__)
#define ITS(row, at, n, ...)                                                                   \
	{                                                                                      \
		.name = row, .group = KVM_DEV_ARM_VGIC_GRP_ITS_REGS, .offset = at, .words = n, \
		.wide = true, ##__VA_ARGS__                                                    \
	}

/* GICv3 (IHI 0069, 12.8 to 12.11). */
static const struct row v3_rows[] = {
	ONE("gicd.iidr", DIST, 0x8, .identity = true),
	ONE("gicd.ctlr", DIST, 0x0),
	ONE("gicd.statusr", DIST, 0x10),
	BANK("gicr.statusr", REDIST, 0x10, 1),
	BANK("gicr.waker", REDIST, 0x14, 1),
	BANK("gicr.propbaser", REDIST, 0x70, 2),
	BANK("gicr.pendbaser", REDIST, 0x78, 2),
	BANK("gicr.ctlr", REDIST, 0x0, 1),
	BANK("gicr.igroupr", REDIST, 0x10080, 1),
	BANK("gicr.icfgr", REDIST, 0x10c00, 2),
	BANK("gicr.ipriorityr", REDIST, 0x10400, 8),
	BANK("gicr.isenabler", REDIST, 0x10100, 1, .clear = 0x10180),
	BANK("gicr.level", LEVELS, LEVEL_OFFSET, 1, .step = 32),
	BANK("gicr.ispendr", REDIST, 0x10200, 1),
	BANK("gicr.isactiver", REDIST, 0x10300, 1, .clear = 0x10380),
	SPIS("gicd.igroupr", 0x80, 1),
	SPIS("gicd.icfgr", 0xc00, 2),
	SPIS("gicd.ipriorityr", 0x400, 8, .zero = true),
	SPIS("gicd.irouter", 0x6000, 64, .zero = true),
	SPIS("gicd.isenabler", 0x100, 1, .clear = 0x180, .zero = true),
	{ .name = "gicd.level", .group = LEVELS, .offset = LEVEL_OFFSET, .bits = 1, .step = 32 },
	SPIS("gicd.ispendr", 0x200, 1, .zero = true),
	SPIS("gicd.isactiver", 0x300, 1, .clear = 0x380, .zero = true),
	ICC("icc_sre", 0, 12, 12, 5),
	ICC("icc_ctlr", 0, 12, 12, 4, .identity = true),
	ICC("icc_pmr", 0, 4, 6, 0),
	ICC("icc_bpr0", 0, 12, 8, 3),
	ICC("icc_bpr1", 0, 12, 12, 3),
	ICC("icc_ap0r0", 0, 12, 8, 4),
	ICC("icc_ap0r1", 0, 12, 8, 5),
	ICC("icc_ap0r2", 0, 12, 8, 6),
	ICC("icc_ap0r3", 0, 12, 8, 7),
	ICC("icc_ap1r0", 0, 12, 9, 0),
	ICC("icc_ap1r1", 0, 12, 9, 1),
	ICC("icc_ap1r2", 0, 12, 9, 2),
	ICC("icc_ap1r3", 0, 12, 9, 3),
	ICC("icc_igrpen0", 0, 12, 12, 6),
	ICC("icc_igrpen1", 0, 12, 12, 7),
};

/* GICv2 (IHI 0048, 4.3 and 4.4). Line levels come from the devices. */
static const struct row v2_rows[] = {
	ONE("gicd.iidr", DIST, 0x8, .identity = true),
	ONE("gicd.ctlr", DIST, 0x0),
	BANK("gicd.igroupr0", DIST, 0x80, 1),
	BANK("gicd.icfgr0", DIST, 0xc00, 2),
	BANK("gicd.ipriorityr0", DIST, 0x400, 8),
	BANK("gicd.isenabler0", DIST, 0x100, 1, .clear = 0x180),
	BANK("gicd.ispendr0", DIST, 0x200, 1, .clear = 0x280),
	BANK("gicd.isactiver0", DIST, 0x300, 1, .clear = 0x380),
	BANK("gicd.spendsgir", DIST, 0xf20, 4, .clear = 0xf10),
	SPIS("gicd.igroupr", 0x80, 1),
	SPIS("gicd.icfgr", 0xc00, 2),
	SPIS("gicd.ipriorityr", 0x400, 8, .zero = true),
	SPIS("gicd.itargetsr", 0x800, 8),
	SPIS("gicd.isenabler", 0x100, 1, .clear = 0x180, .zero = true),
	SPIS("gicd.ispendr", 0x200, 1, .clear = 0x280, .zero = true),
	SPIS("gicd.isactiver", 0x300, 1, .clear = 0x380, .zero = true),
	BANK("gicc.ctlr", CPU_IF, 0x0, 1),
	BANK("gicc.pmr", CPU_IF, 0x4, 1),
	BANK("gicc.bpr", CPU_IF, 0x8, 1),
	BANK("gicc.abpr", CPU_IF, 0x1c, 1),
	BANK("gicc.apr", CPU_IF, 0xd0, 4),
};

/* ITS (IHI 0069, 12.19), in the order that arm-vgic-its.rst asks for; its tables come before
 * GITS_CTLR, which is the last. */
static const struct row its_rows[] = {
	ITS("gits.iidr", 0x4, 1, .identity = true),
	ITS("gits.cbaser", 0x80, 1),
	ITS("gits.creadr", 0x90, 1),
	ITS("gits.baser", 0x100, 8),
	ITS("gits.cwriter", 0x88, 1),
	ITS("gits.ctlr", 0x0, 1),
};

enum { ITS_ROWS = sizeof(its_rows) / sizeof(its_rows[0]), ITS_CTLR_ROW = ITS_ROWS - 1 };

/* The words of a row: banked ones CPU by CPU. */
static unsigned int row_words(const struct vgic_view *view, const struct row *row)
{
	if (row->bits)
		return (view->irqs - 32) * row->bits / 32;
	return row->words * (row->wide ? 2 : 1) * (row->banked ? view->cpus : 1);
}

/* The attribute of word `i` of a row, at `offset`. */
static uint64_t attr_of(const struct vgic_view *view, const struct row *row, uint32_t offset,
			unsigned int i)
{
	unsigned int step = row->step ? row->step : 4;
	unsigned int per_cpu = row->words * (row->wide ? 2 : 1);
	uint64_t cpu = 0;

	/* 32 interrupts' worth of words are the banked ones. */
	if (row->bits)
		return offset + (uint64_t)(i + row->bits) * step;
	if (row->banked) {
		cpu = view->v3 ? cpu_mpidr(i / per_cpu) : i / per_cpu;
		i %= per_cpu;
	}
	return cpu << 32 | (offset + i * step);
}

/* Not there: priority bits that a host does not have, GICv2 registers that it does not keep. */
static bool absent(const struct row *row, int err)
{
	return err == -ENXIO || (row->wide && err == -EINVAL);
}

static int get_row(const struct vgic_view *view, const struct row *row, uint32_t *words)
{
	unsigned int n = row_words(view, row);
	unsigned int step = row->wide ? 2 : 1;

	for (unsigned int i = 0; i < n; i += step) {
		int err = kvm_attr_get(view->fd, row->group, attr_of(view, row, row->offset, i),
				       words + i);

		if (absent(row, err))
			memset(words + i, 0, step * sizeof(*words));
		else if (err)
			return err;
	}
	return 0;
}

static void refuse(struct findings *refused, const struct row *row, uint64_t attr, uint32_t value,
		   uint32_t now)
{
	if (!findings_allowed(refused, row->name))
		findings_add(refused,
			     "the interrupt controller's %s (0x%llx) is 0x%x in the snapshot, 0x%x "
			     "on this host",
			     row->name, (unsigned long long)attr, value, now);
}

/* Writes a word, or two: 0 or -errno. */
static int set_words(const struct vgic_view *view, const struct row *row, unsigned int i,
		     const uint32_t *words)
{
	uint32_t ones = UINT32_MAX;
	int err = 0;

	if (row->clear)
		err = kvm_attr_set(view->fd, row->group, attr_of(view, row, row->clear, i), &ones);
	return err ? err
		   : kvm_attr_set(view->fd, row->group, attr_of(view, row, row->offset, i), words);
}

static void set_row(const struct vgic_view *view, const struct row *row, uint32_t *words,
		    struct findings *refused)
{
	unsigned int n = row_words(view, row);
	unsigned int step = row->wide ? 2 : 1;

	for (unsigned int i = 0; i < n; i += step) {
		uint64_t attr = attr_of(view, row, row->offset, i);
		uint32_t now[2] = { 0 };
		int err;

		if (row->zero && !words[i])
			continue;
		/* A write of what is there already may change it: KVM corrects what cannot be. */
		if (!kvm_attr_get(view->fd, row->group, attr, now) &&
		    !memcmp(now, words + i, step * sizeof(*now)))
			continue;
		err = set_words(view, row, i, words + i);
		if (absent(row, err) && !words[i])
			err = 0;
		/* Nor does it refuse every identity that is another. */
		if (!err && row->identity)
			err = kvm_attr_get(view->fd, row->group, attr, now) ? -EIO
			      : memcmp(now, words + i, step * sizeof(*now)) ? -EINVAL
									    : 0;
		if (err)
			refuse(refused, row, attr, words[i], now[0]);
	}
}

static void state_row(const struct vgic_view *view, const struct row *row, uint32_t *words,
		      struct state *s, struct findings *refused)
{
	int err = s->loading ? 0 : get_row(view, row, words);

	if (err && !s->err) {
		s->err = err;
		memcpy(s->where, row->name, strlen(row->name) + 1);
	}
	state_bytes(s, row->name, words, row_words(view, row) * sizeof(*words));
	if (s->loading && !s->err && (row->identity || !view->check))
		set_row(view, row, words, refused);
}

static void state_control(int fd, uint64_t what, const char *name, struct state *s)
{
	int err = s->err ? 0 : kvm_attr_set(fd, KVM_DEV_ARM_VGIC_GRP_CTRL, what, NULL);

	if (!err)
		return;
	s->err = err;
	memcpy(s->where, name, strlen(name) + 1);
}

static void its_state(const struct vgic_view *view, struct state *s, struct findings *refused)
{
	struct vgic_view its = *view;
	uint32_t words[16];

	its.fd = view->its_fd;
	if (!s->loading)
		state_control(its.fd, KVM_DEV_ARM_ITS_SAVE_TABLES, "its tables", s);
	for (int i = 0; i < ITS_ROWS; i++) {
		if (s->loading && !view->check && i == ITS_CTLR_ROW)
			state_control(its.fd, KVM_DEV_ARM_ITS_RESTORE_TABLES, "its tables", s);
		state_row(&its, &its_rows[i], words, s, refused);
	}
}

void vgic_state(const struct vgic_view *view, struct state *s, struct findings *refused)
{
	const struct row *rows = view->v3 ? v3_rows : v2_rows;
	size_t n = view->v3 ? sizeof(v3_rows) / sizeof(*rows) : sizeof(v2_rows) / sizeof(*rows);
	unsigned int most = 0;
	uint32_t *words;

	for (size_t i = 0; i < n; i++)
		if (row_words(view, &rows[i]) > most)
			most = row_words(view, &rows[i]);
	words = calloc(most, sizeof(*words));
	if (!words && !s->err)
		s->err = -ENOMEM;
	/* Pending LPIs, which only an ITS makes. */
	if (!s->loading && view->its_fd >= 0)
		state_control(view->fd, KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES, "pending LPIs", s);
	for (size_t i = 0; words && i < n; i++)
		state_row(view, &rows[i], words, s, refused);
	free(words);
	if (view->its_fd >= 0 && !view->hidden_its)
		its_state(view, s, refused);
}

/* --- for people ------------------------------------------------------------------------------- */

/* "gicd.isenabler 64: 0x3": which interrupt or CPU the word begins with, where there are several. */
static void debug_word(const struct vgic_view *view, const struct row *row, unsigned int i,
		       const uint32_t *word, struct json_out *out)
{
	uint64_t value = row->wide ? (uint64_t)word[1] << 32 | word[0] : word[0];
	unsigned int per_cpu = row->words * (row->wide ? 2 : 1);
	char text[64];

	if (!value)
		return;
	if (row->bits)
		snprintf(text, sizeof(text), "%s %u: 0x%llx", row->name, 32 + i * 32 / row->bits,
			 (unsigned long long)value);
	else if (row->banked && view->cpus > 1)
		snprintf(text, sizeof(text), "%s cpu%u: 0x%llx", row->name, i / per_cpu,
			 (unsigned long long)value);
	else
		snprintf(text, sizeof(text), "%s: 0x%llx", row->name, (unsigned long long)value);
	json_str(out, NULL, text);
}

static void debug_rows(const struct vgic_view *view, const char *section, const struct row *rows,
		       size_t n, struct json_out *out)
{
	json_open(out, NULL, '{');
	json_str(out, "section", section);
	json_open(out, "registers", '[');
	for (size_t r = 0; r < n; r++) {
		unsigned int words = row_words(view, &rows[r]), step = rows[r].wide ? 2 : 1;
		uint32_t *values = calloc(words, sizeof(*values));

		if (values && !get_row(view, &rows[r], values))
			for (unsigned int i = 0; i < words; i += step)
				debug_word(view, &rows[r], i, values + i, out);
		free(values);
	}
	json_close(out, ']');
	json_close(out, '}');
}

void vgic_debug(const struct vgic_view *view, struct json_out *out)
{
	struct vgic_view its = *view;

	if (view->v3)
		debug_rows(view, "gic", v3_rows, sizeof(v3_rows) / sizeof(v3_rows[0]), out);
	else
		debug_rows(view, "gic", v2_rows, sizeof(v2_rows) / sizeof(v2_rows[0]), out);
	its.fd = view->its_fd;
	if (its.fd >= 0 && !view->hidden_its)
		debug_rows(&its, "its", its_rows, ITS_ROWS, out);
}
