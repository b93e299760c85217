// SPDX-License-Identifier: GPL-2.0-only
#include "devices/its.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/its_priv.h"
#include "vmm/core/bus.h"
#include "vmm/core/fdt.h"
#include "vmm/core/state.h"

/* Offsets (12.19). */
enum {
	GITS_CTLR = 0x0000,
	GITS_IIDR = 0x0004,
	GITS_TYPER = 0x0008,
	GITS_CBASER = 0x0080,
	GITS_CWRITER = 0x0088,
	GITS_CREADR = 0x0090,
	GITS_BASER = 0x0100,
	GITS_ID = 0xffd0, /* PIDR4 to 7, PIDR0 to 3, CIDR0 to 3 */
	GITS_ID_END = 0x10000,
};
enum { CTLR_ENABLED = 1, CREADR_STALLED = 1, CWRITER_RETRY = 1 };
#define CTLR_QUIESCENT (1U << 31)

/* Implementer: Arm's, whose architecture this is; no product. */
enum { IIDR = 0x43b };

/* Physical LPIs; ITT entries of 8 bytes; 16 bits of EventID and DeviceID; PTA = 0, SEIS = 0. */
#define TYPER (1ULL | 7ULL << 4 | (ITS_ID_BITS - 1ULL) << 8 | (ITS_ID_BITS - 1ULL) << 13)

#define BITS(high, low) ((~0ULL >> (63 - (high))) & (~0ULL << (low)))

/* What GITS_CBASER and GITS_BASERn have in common: valid, cacheability, shareability, size. */
#define COMMON		(GITS_BASER_VALID | BITS(61, 59) | BITS(55, 53) | BITS(11, 10) | BITS(7, 0))
#define CBASER_WRITABLE (COMMON | BITS(51, 12))

/* The type, 8-byte entries and 64 KiB pages are fixed; only devices may be indirect. */
static const struct {
	uint64_t fixed, writable;
} tables[ITS_TABLES] = {
	[ITS_TABLE_DEVICES] = { 1ULL << 56 | 7ULL << 48 | 2 << 8,
				COMMON | GITS_BASER_INDIRECT | BITS(47, 12) },
	[ITS_TABLE_COLLECTIONS] = { 4ULL << 56 | 7ULL << 48 | 2 << 8, COMMON | BITS(47, 12) },
};

/* --- reading ----------------------------------------------------------------------------------- */

/* Quiescent: neither in the queue nor on the way to the sink is anything of the guest's. */
static uint32_t read_ctlr(const struct its *its)
{
	bool busy = its->restart || its->toggled ||
		    (its->regs.enabled && its->regs.creadr != its->regs.cwriter);

	return (its->regs.enabled ? CTLR_ENABLED : 0) | (busy ? 0 : CTLR_QUIESCENT);
}

/* The 64-bit register at `off`, a multiple of eight. */
static uint64_t read_reg(const struct its *its, uint64_t off)
{
	switch (off) {
	case GITS_CTLR:
		return (uint64_t)IIDR << 32 | read_ctlr(its);
	case GITS_TYPER:
		return TYPER;
	case GITS_CBASER:
		return its->regs.cbaser;
	case GITS_CWRITER:
		return its->regs.cwriter;
	case GITS_CREADR:
		return its->regs.creadr | (its->stalled ? CREADR_STALLED : 0);
	case GITS_BASER + 8 * ITS_TABLE_DEVICES:
	case GITS_BASER + 8 * ITS_TABLE_COLLECTIONS:
		return its->regs.baser[(off - GITS_BASER) / 8];
	}
	return 0;
}

/* As GICv3's (12.1.3): architecture revision 3. */
static uint32_t read_id(uint64_t off)
{
	static const uint8_t ids[] = { 0x40, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1 };

	return off & 3 ? 0 : ids[(off - GITS_ID) / 4];
}

static uint64_t its_read(struct device *dev, uint64_t off, unsigned int size)
{
	const struct its *its = its_of(dev);

	if (off >= GITS_ID && off < GITS_ID_END)
		return read_id(off);
	/* The other half is a register of its own. */
	if (size == 8 && off == GITS_CTLR)
		return 0;
	return read_reg(its, off & ~7ULL) >> (off & 4) * 8;
}

/* --- writing ----------------------------------------------------------------------------------- */

bool its_may_enable(const struct its_regs *regs)
{
	bool may = regs->cbaser >> 63;

	for (int i = 0; i < ITS_TABLES; i++)
		may &= regs->baser[i] >> 63;
	return may;
}

/* To enable it without its tables is UNPREDICTABLE: it stays disabled (12.19.4). */
static void write_ctlr(struct its *its, uint64_t val)
{
	bool enable = val & CTLR_ENABLED && its_may_enable(&its->regs);

	if (enable == its->regs.enabled)
		return;
	its->regs.enabled = enable;
	its->toggled = true;
}

/* Resets GITS_CREADR, and GITS_CWRITER, so that nothing is in the new queue. */
static void write_cbaser(struct its *its, uint64_t val)
{
	if (its->regs.enabled)
		return;
	its->regs.cbaser = val & CBASER_WRITABLE;
	its->regs.creadr = its->regs.cwriter = 0;
	its->stalled = false;
}

/* Beyond the queue's end it means nothing. */
static void write_cwriter(struct its *its, uint64_t val)
{
	uint64_t offset = val & 0xfffe0;

	if (offset >= its_queue_size(its->regs.cbaser))
		return;
	its->regs.cwriter = offset;
	if (val & CWRITER_RETRY)
		its->stalled = false;
}

/* What a table held is gone with it. */
static void write_baser(struct its *its, unsigned int i, uint64_t val)
{
	bool was = its->regs.baser[i] >> 63;

	if (its->regs.enabled)
		return;
	its->regs.baser[i] = tables[i].fixed | (val & tables[i].writable);
	if (!was || its->regs.baser[i] >> 63)
		return;
	if (i == ITS_TABLE_DEVICES)
		its_drop_devs(its);
	else
		its_drop_colls(its);
	its->restart = true;
}

bool its_baser_ok(unsigned int table, uint64_t value)
{
	return (value & ~tables[table].writable) == tables[table].fixed;
}

bool its_cbaser_ok(uint64_t value)
{
	return !(value & ~CBASER_WRITABLE);
}

static void write_reg(struct its *its, uint64_t off, uint64_t val)
{
	switch (off) {
	case GITS_CTLR:
		write_ctlr(its, val);
		break;
	case GITS_CBASER:
		write_cbaser(its, val);
		break;
	case GITS_CWRITER:
		/* What was taken from the queue already goes on. */
		write_cwriter(its, val);
		its_kick(its);
		return;
	case GITS_BASER + 8 * ITS_TABLE_DEVICES:
	case GITS_BASER + 8 * ITS_TABLE_COLLECTIONS:
		write_baser(its, (unsigned int)(off - GITS_BASER) / 8, val);
		break;
	default:
		return;
	}
	its->generation++;
	its_kick(its);
}

static void its_write(struct device *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct its *its = its_of(dev);
	uint64_t reg = off & ~7ULL, whole = read_reg(its, reg);

	/* GITS_CTLR and GITS_IIDR are two registers of 32 bits; of the others a half may be written. */
	if (reg == GITS_CTLR && (size == 8 || off != GITS_CTLR))
		return;
	if (size == 4)
		val = off & 4 ? (uint32_t)whole | val << 32
			      : (whole & ~(uint64_t)UINT32_MAX) | (uint32_t)val;
	write_reg(its, reg, val);
}

/* --- messages, description --------------------------------------------------------------------- */

int its_message(struct device *dev, const struct msi *msi)
{
	const struct its_sink *sink = &its_of(dev)->cfg.sink;

	if (msi->addr != dev->env.base + ITS_TRANSLATER)
		return -ENXIO;
	return sink->message(sink->arg, msi->device, msi->data);
}

int its_translate(struct device *dev, uint32_t device, uint32_t event, uint32_t *intid,
		  uint32_t *cpu)
{
	const struct ite *ite = its_find_ite(its_of(dev), device, event);

	if (!ite || !ite->coll || !ite->coll->valid)
		return -ENOENT;
	*intid = ite->intid;
	*cpu = ite->coll->cpu;
	return 0;
}

void its_describe(const struct device *dev, struct fdt *fdt)
{
	dt_node(fdt, "msi-controller@%llx", (unsigned long long)dev->env.base);
	dt_str(fdt, "compatible", "arm,gic-v3-its");
	dt_reg(fdt, dev->env.base, ITS_SIZE);
	dt_empty(fdt, "msi-controller");
	dt_u32(fdt, "#msi-cells", 1);
	dt_u32(fdt, "phandle", FDT_PHANDLE_MSI);
	dt_end(fdt);
}

/* --- life -------------------------------------------------------------------------------------- */

/* The sink begins anew with the machine. */
static void its_reset(struct device *dev)
{
	struct its *its = its_of(dev);

	loop_post_cancel(dev->env.loop, &its->work);
	its_drop_devs(its);
	its_drop_colls(its);
	its->regs = (struct its_regs){ 0 };
	for (int i = 0; i < ITS_TABLES; i++)
		its->regs.baser[i] = tables[i].fixed;
	its->generation++;
	its->stalled = its->restart = its->toggled = false;
	its->nout = 0;
	its->commands = its->rounds = its->holds = 0;
	its->remapped_devices = its->remapped_events = 0;
	memset(its->errors, 0, its_error_count() * sizeof(its->errors[0]));
}

static void its_destroy(struct device *dev)
{
	struct its *its = its_of(dev);

	loop_post_cancel(dev->env.loop, &its->work);
	its_drop_devs(its);
	its_drop_colls(its);
	device_fini(dev);
	free(its->out);
	free(its->errors);
	free(its->of_cpu);
	free(its);
}

/* Describes itself where the controller's node asks for it, not at the root. */
static const struct device_ops its_ops = {
	.reset = its_reset,
	.state = its_state,
	.stat = its_stat,
	.debug = its_debug,
	.destroy = its_destroy,
};

static struct its *its_alloc(const struct its_config *cfg)
{
	/* Large and mostly never touched: the tables by DeviceID and collection. */
	struct its *its = calloc(1, sizeof(*its));

	if (!its)
		return NULL;
	its->of_cpu = calloc(cfg->cpus, sizeof(its->of_cpu[0]));
	its->errors = calloc(its_error_count(), sizeof(its->errors[0]));
	if (its->of_cpu && its->errors)
		return its;
	free(its->of_cpu);
	free(its->errors);
	free(its);
	return NULL;
}

int its_create(const struct device_env *env, const struct its_config *cfg, struct device **out,
	       struct fail *fail)
{
	struct region region = {
		.base = env->base,
		.size = ITS_SIZE,
		.widths = WIDTH_4 | WIDTH_8,
		.read = its_read,
		.write = its_write,
	};
	struct its *its = its_alloc(cfg);
	int err;

	if (!its)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory for the ITS");
	device_init(&its->dev, &its_ops, "its", env);
	its->cfg = *cfg;
	its->work.fn = its_work;
	its->start_ns = loop_now_ns();
	its_reset(&its->dev);
	region.dev = &its->dev;
	err = bus_add(env->bus, &region);
	if (err) {
		its_destroy(&its->dev);
		return fail_set(fail, EXIT_HOST, err, "no room for the ITS's frame at 0x%llx: %s",
				(unsigned long long)env->base, strerror(-err));
	}
	*out = &its->dev;
	return 0;
}
