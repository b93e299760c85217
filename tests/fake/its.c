// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/its.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CBASER = 0x80, CWRITER = 0x88, CREADR = 0x90, BASER = 0x100, FIRST = 8192 };
#define VALID (1ULL << 63)

#define must(cond) must_(cond, #cond, __LINE__)
static void must_(bool holds, const char *what, int line)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, line, what);
	abort();
}

/* --- the sink ---------------------------------------------------------------------------------- */

static void read_config(struct fake_its *f, uint32_t intid)
{
	f->reads++;
	guest_mem_read(&f->mem, FAKE_ITS_RAM + FAKE_ITS_CONFIG + intid - FIRST, &f->config[intid],
		       1);
}

static struct fake_sink_event *event_of(struct fake_its *f, uint32_t device, uint32_t event)
{
	struct fake_sink_dev *dev = &f->devs[device];

	must(device < FAKE_ITS_IDS && dev->bits && !(event >> dev->bits));
	return &dev->events[event];
}

static struct fake_sink_event *mapped(struct fake_its *f, uint32_t device, uint32_t event)
{
	struct fake_sink_event *ev = event_of(f, device, event);

	must(ev->intid);
	return ev;
}

static void sink_mapd(struct fake_its *f, uint32_t device, const struct its_command *cmd)
{
	struct fake_sink_dev *dev = &f->devs[device];

	must(device < FAKE_ITS_IDS);
	free(dev->events);
	*dev = (struct fake_sink_dev){ 0 };
	if (!(cmd->word[2] & VALID))
		return;
	dev->bits = (cmd->word[1] & 0x1f) + 1;
	must(dev->bits <= ITS_ID_BITS);
	if (device >= f->ndevs)
		f->ndevs = device + 1;
	/* Not calloc(), which tests let fail, nor what the compiler makes one of. */
	dev->events = aligned_alloc(sizeof(*dev->events), sizeof(*dev->events) << dev->bits);
	must(dev->events != NULL);
	memset(dev->events, 0, sizeof(*dev->events) << dev->bits);
}

/* Every event of the collection, wherever it is: slow and sure. */
static void sink_mapc(struct fake_its *f, uint16_t icid, bool valid, uint32_t cpu)
{
	f->colls[icid] = (int16_t)(valid ? (int)cpu : -1);
	must(!valid || cpu < f->cfg.cpus);
	for (uint32_t d = 0; d < f->ndevs; d++) {
		struct fake_sink_dev *dev = &f->devs[d];

		for (uint32_t e = 0; dev->bits && e < 1U << dev->bits; e++) {
			struct fake_sink_event *ev = &dev->events[e];

			if (!ev->intid || ev->icid != icid)
				continue;
			if (valid)
				f->target[ev->intid] = (int16_t)cpu;
			else
				ev->icid = -1;
		}
	}
}

static void sink_mapti(struct fake_its *f, uint32_t device, const struct its_command *cmd)
{
	struct fake_sink_event *ev = event_of(f, device, (uint32_t)cmd->word[1]);
	uint32_t intid = (uint32_t)(cmd->word[1] >> 32);
	uint16_t icid = (uint16_t)cmd->word[2];

	must(!ev->intid && intid >= FIRST && intid < FAKE_ITS_IDS);
	*ev = (struct fake_sink_event){ intid, icid };
	if (intid >= f->nintids)
		f->nintids = intid + 1;
	if (f->colls[icid] >= 0)
		f->target[intid] = f->colls[icid];
	read_config(f, intid);
}

static void sink_move(struct fake_its *f, uint32_t from, uint32_t to)
{
	must(from < f->cfg.cpus && to < f->cfg.cpus);
	for (uint32_t i = FIRST; i < f->nintids; i++)
		if (f->target[i] == (int)from)
			f->target[i] = (int16_t)to;
}

static void sink_invall(struct fake_its *f, uint16_t icid)
{
	must(f->colls[icid] >= 0);
	for (uint32_t i = FIRST; i < f->nintids; i++)
		if (f->target[i] == f->colls[icid])
			read_config(f, i);
}

static void sink_command(struct fake_its *f, const struct its_command *cmd)
{
	const uint64_t *w = cmd->word;
	uint32_t device = (uint32_t)(w[0] >> 32), event = (uint32_t)w[1];
	uint16_t icid = (uint16_t)w[2];
	struct fake_sink_event *ev;

	f->commands++;
	switch ((uint8_t)w[0]) {
	case 0x01:
		ev = mapped(f, device, event);
		must(ev->icid >= 0 && f->colls[ev->icid] >= 0 && f->colls[icid] >= 0);
		ev->icid = icid;
		f->target[ev->intid] = f->colls[icid];
		break;
	case 0x03:
		ev = mapped(f, device, event);
		must(ev->icid >= 0 && f->colls[ev->icid] >= 0);
		f->pending[ev->intid] = 1;
		break;
	case 0x04:
		f->pending[mapped(f, device, event)->intid] = 0;
		break;
	case 0x08:
		sink_mapd(f, device, cmd);
		break;
	case 0x09:
		sink_mapc(f, icid, w[2] & VALID, (uint32_t)(w[2] >> 16));
		break;
	case 0x0a:
		sink_mapti(f, device, cmd);
		break;
	case 0x0c:
		read_config(f, mapped(f, device, event)->intid);
		break;
	case 0x0d:
		sink_invall(f, icid);
		break;
	case 0x0e:
		sink_move(f, (uint32_t)(w[2] >> 16), (uint32_t)(w[3] >> 16));
		break;
	case 0x0f:
		ev = mapped(f, device, event);
		must(ev->icid >= 0 && f->colls[ev->icid] >= 0);
		must(!f->pending[ev->intid]);
		ev->intid = 0;
		break;
	default:
		must(!"a command for the sink");
	}
}

static void sink_restart(struct fake_its *f)
{
	for (uint32_t d = 0; d < f->ndevs; d++) {
		free(f->devs[d].events);
		f->devs[d] = (struct fake_sink_dev){ 0 };
	}
	memset(f->colls, 0xff, sizeof(f->colls));
	memset(f->target, 0xff, sizeof(f->target));
	f->ndevs = f->nintids = 0;
}

static int sink_hold(void *arg, uint32_t *intids)
{
	struct fake_its *f = arg;

	must(!f->held);
	if (f->hold_err)
		return f->hold_err;
	f->held = true;
	f->holds++;
	*intids = f->intids;
	return 0;
}

static int sink_apply(void *arg, const struct its_change *change)
{
	struct fake_its *f = arg;

	must(f->held);
	if (f->apply_err)
		return f->apply_err;
	f->restarts += change->restart;
	if (change->restart)
		sink_restart(f);
	for (size_t i = 0; i < change->n; i++)
		sink_command(f, &change->commands[i]);
	f->enabled = change->enabled;
	return 0;
}

static void sink_release(void *arg)
{
	struct fake_its *f = arg;

	must(f->held);
	f->held = false;
}

int fake_its_sent(const struct fake_its *f, uint32_t device, uint32_t event, uint32_t *intid,
		  uint32_t *cpu)
{
	const struct fake_sink_dev *dev = device < FAKE_ITS_IDS ? &f->devs[device] : NULL;
	const struct fake_sink_event *ev;

	if (!dev || !dev->bits || event >> dev->bits)
		return -ENOENT;
	ev = &dev->events[event];
	if (!ev->intid || ev->icid < 0 || f->colls[ev->icid] < 0)
		return -ENOENT;
	*intid = ev->intid;
	*cpu = (uint32_t)f->target[ev->intid];
	return 0;
}

static int sink_message(void *arg, uint32_t device, uint32_t event)
{
	struct fake_its *f = arg;
	uint32_t intid, cpu;
	int err = fake_its_sent(f, device, event, &intid, &cpu);

	if (err || !f->enabled)
		return -ENOENT;
	f->messages++;
	f->pending[intid] = 1;
	return 0;
}

/* --- the guest --------------------------------------------------------------------------------- */

uint64_t fake_its_read(struct fake_its *f, uint64_t off, unsigned int size)
{
	uint64_t val;

	must(!bus_read(&f->bus, FAKE_ITS_BASE + off, size, &val));
	return val;
}

void fake_its_write(struct fake_its *f, uint64_t off, unsigned int size, uint64_t val)
{
	must(!bus_write(&f->bus, FAKE_ITS_BASE + off, size, val));
}

void fake_its_settle(struct fake_its *f)
{
	while (loop_poll(f->loop, 0))
		;
}

void fake_its_put(struct fake_its *f, const struct its_command *cmd)
{
	memcpy(f->ram + FAKE_ITS_QUEUE + f->written, cmd, sizeof(*cmd));
	f->written = (f->written + sizeof(*cmd)) % FAKE_ITS_QUEUE_SIZE;
}

bool fake_its_go(struct fake_its *f)
{
	fake_its_write(f, CWRITER, 8, f->written);
	fake_its_settle(f);
	return fake_its_read(f, CREADR, 8) == f->written;
}

void fake_its_enable(struct fake_its *f)
{
	fake_its_write(f, BASER, 8, VALID | (FAKE_ITS_RAM + FAKE_ITS_DEVICES) | 7);
	fake_its_write(f, BASER + 8, 8, VALID | (FAKE_ITS_RAM + FAKE_ITS_COLLECTIONS) | 7);
	fake_its_write(f, CBASER, 8, VALID | (FAKE_ITS_RAM + FAKE_ITS_QUEUE) | 15);
	f->written = 0;
	fake_its_write(f, 0, 4, 1);
	fake_its_settle(f);
}

void fake_its_recreate(struct fake_its *f)
{
	const struct device_env env = {
		.mem = &f->mem,
		.bus = &f->bus,
		.loop = f->loop,
		.log = &f->log,
		.base = FAKE_ITS_BASE,
	};
	struct fail fail = { 0 };

	if (f->dev) {
		f->dev->ops->destroy(f->dev);
		bus_fini(&f->bus);
	}
	bus_init(&f->bus);
	sink_restart(f);
	must(!its_create(&env, &f->cfg, &f->dev, &fail));
}

void fake_its_reset(struct fake_its *f)
{
	pthread_mutex_lock(&f->dev->lock);
	f->dev->ops->reset(f->dev);
	pthread_mutex_unlock(&f->dev->lock);
	sink_restart(f);
	memset(f->ram, 0, FAKE_ITS_RAM_SIZE);
	memset(f->pending, 0, sizeof(f->pending));
	fake_its_enable(f);
}

void fake_its_init(struct fake_its *f, unsigned int cpus)
{
	memset(f, 0, sizeof(*f));
	f->log.fd = -1;
	f->ram = calloc(1, FAKE_ITS_RAM_SIZE);
	must(f->ram && !guest_mem_add(&f->mem, FAKE_ITS_RAM, FAKE_ITS_RAM_SIZE, f->ram));
	must(!loop_create(&f->loop));
	f->intids = FAKE_ITS_IDS;
	f->cfg = (struct its_config){
		.cpus = cpus,
		.sink = { f, sink_hold, sink_apply, sink_release, sink_message },
	};
	fake_its_recreate(f);
	fake_its_enable(f);
}

void fake_its_fini(struct fake_its *f)
{
	f->dev->ops->destroy(f->dev);
	bus_fini(&f->bus);
	loop_destroy(f->loop);
	sink_restart(f);
	guest_mem_destroy(&f->mem);
	free(f->ram);
}
