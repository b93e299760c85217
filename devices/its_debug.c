// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>

#include "devices/its_priv.h"
#include "vmm/core/json.h"
#include "vmm/core/text.h"

/* --- names ------------------------------------------------------------------------------------- */

static const struct {
	enum its_error error;
	const char *name;
} errors[] = { { ITS_UNKNOWN, "unknown command" },
	       { ITS_UNREADABLE, "unreadable" },
	       { ITS_LPI_TAKEN, "LPI taken" },
	       { ITS_NO_ROOM, "no room" },
#define X(name, code) { E_ITS_##name, "E_ITS_" #name },
	       ITS_ERRORS(X)
#undef X
};

enum { NERRORS = sizeof(errors) / sizeof(errors[0]) };

unsigned int its_error_count(void)
{
	/* And one for results that an injected fault has made up. */
	return NERRORS + 1;
}

const char *its_error_at(unsigned int n, enum its_error *error)
{
	if (n >= NERRORS)
		return NULL;
	*error = errors[n].error;
	return errors[n].name;
}

static unsigned int error_index(int64_t result)
{
	unsigned int i = 0;

	while (i < NERRORS && errors[i].error != result)
		i++;
	return i;
}

/* --- a command --------------------------------------------------------------------------------- */

static void put_fields(struct text *t, const struct its_op *op, const struct its_command *cmd)
{
	static const struct {
		enum its_field field;
		const char *name;
		bool hex;
	} fields[] = {
		{ FIELD_DEVICE, "device", true }, { FIELD_EVENT, "event", false },
		{ FIELD_INTID, "intid", false },  { FIELD_COLLECTION, "collection", false },
		{ FIELD_CPU, "cpu", false },	  { FIELD_CPU2, "to", false },
		{ FIELD_ITT, "itt", true },	  { FIELD_VALID, "valid", false },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		uint64_t value = its_field_of(cmd, fields[i].field);

		if (op->fields & fields[i].field)
			text_put(t, fields[i].hex ? " %s=0x%" PRIx64 : " %s=%" PRIu64,
				 fields[i].name, value);
	}
}

/* MAPTI device=0x8 event=1 intid=8193 collection=0 -> OK */
static void decode(struct text *t, const struct its_call *call, int64_t result, bool injected)
{
	const struct its_op *op = its_op_of(&call->cmd);
	unsigned int error = error_index(result);

	if (call->unreadable)
		text_put(t, "command");
	else if (op->name)
		text_put(t, "%s", op->name);
	else
		text_put(t, "0x%02x", (unsigned int)(uint8_t)call->cmd.word[0]);
	if (!call->unreadable)
		put_fields(t, op, &call->cmd);
	if (!result)
		text_put(t, " -> OK");
	else if (error < NERRORS)
		text_put(t, " -> %s", errors[error].name);
	else
		text_put(t, " -> 0x%" PRIx64, (uint64_t)result);
	text_put(t, "%s", injected ? " (injected)" : "");
}

static void trace(const struct its *its, const struct its_call *call, int64_t result, bool injected)
{
	uint64_t us = (loop_now_ns() - its->start_ns) / 1000;
	struct text t = { .len = 0 };

	text_put(&t, "%" PRIu64 ".%06" PRIu64 " its ", us / 1000000, us % 1000000);
	decode(&t, call, result, injected);
	its->cfg.trace(its->cfg.trace_arg, t.buf);
}

void its_result(struct its *its, const struct its_call *call, int64_t result, bool injected)
{
	its->commands++;
	if (its->cfg.trace)
		trace(its, call, result, injected);
	if (!result)
		return;
	its->errors[error_index(result)]++;
	if (!injected) {
		struct text t = { .len = 0 };

		decode(&t, call, result, false);
		log_guest(its->dev.env.log, &its->limit, "%s: %s", its->dev.name, t.buf);
	}
}

/* --- all of it --------------------------------------------------------------------------------- */

enum { LINES_MAX = 128 };

static void put_errors(const struct its *its, struct json_out *out)
{
	json_open(out, "errors", '[');
	for (unsigned int i = 0; i <= NERRORS; i++) {
		struct text t = { .len = 0 };

		if (!its->errors[i])
			continue;
		text_put(&t, "%s: %" PRIu64, i < NERRORS ? errors[i].name : "injected",
			 its->errors[i]);
		json_str(out, NULL, t.buf);
	}
	json_close(out, ']');
}

void its_stat(struct device *dev, struct json_out *out)
{
	const struct its *its = its_of(dev);
	uint64_t all = 0;

	for (unsigned int i = 0; i <= NERRORS; i++)
		all += its->errors[i];
	json_uint(out, "commands", its->commands);
	json_uint(out, "parked", its->holds);
	json_uint(out, "errors", all);
}

static void put_colls(const struct its *its, struct json_out *out)
{
	unsigned int lines = 0;

	json_open(out, "collections", '[');
	for (uint32_t icid = 0; icid < its->ncolls && lines < LINES_MAX; icid++) {
		const struct coll *coll = &its->colls[icid];
		struct text t = { .len = 0 };
		unsigned int events = 0;

		for (const struct ite *ite = coll->ites; ite; ite = ite->next)
			events++;
		if (!coll->valid && !events)
			continue;
		text_put(&t, "%u: ", icid);
		if (coll->valid)
			text_put(&t, "cpu %u", coll->cpu);
		else
			text_put(&t, "unmapped");
		text_put(&t, ", events %u", events);
		json_str(out, NULL, t.buf);
		lines++;
	}
	json_close(out, ']');
}

static void put_events(struct its *its, uint32_t device, struct json_out *out, unsigned int *lines)
{
	const struct its_dev *dev = its_find_dev(its, device);

	for (uint32_t event = 0; dev->live && event < 1U << dev->bits && *lines < LINES_MAX;
	     event++) {
		const struct ite *ite = its_find_ite(its, device, event);
		struct text t = { .len = 0 };

		if (!ite)
			continue;
		text_put(&t, "event %u: LPI %u, ", event, ite->intid);
		if (ite->coll)
			text_put(&t, "collection %u", its_coll_id(its, ite->coll));
		else
			text_put(&t, "no collection");
		json_str(out, NULL, t.buf);
		(*lines)++;
	}
}

/* Of very many the first ones. */
static void put_devices(struct its *its, struct json_out *out)
{
	unsigned int lines = 0;

	json_open(out, "devices", '[');
	for (uint32_t device = 0; device < its->ndevs && lines < LINES_MAX; device++) {
		const struct its_dev *dev = its_find_dev(its, device);

		if (!dev)
			continue;
		json_open(out, NULL, '{');
		json_hex(out, "device", device);
		json_uint(out, "bits", dev->bits);
		json_hex(out, "itt", dev->itt);
		json_uint(out, "mapped", dev->live);
		json_open(out, "events", '[');
		put_events(its, device, out, &lines);
		json_close(out, ']');
		json_close(out, '}');
		lines++;
	}
	json_close(out, ']');
}

void its_debug(struct device *dev, struct json_out *out)
{
	struct its *its = its_of(dev);

	json_bool(out, "enabled", its->regs.enabled);
	json_bool(out, "stalled", its->stalled);
	json_hex(out, "cbaser", its->regs.cbaser);
	json_hex(out, "cwriter", its->regs.cwriter);
	json_hex(out, "creadr", its->regs.creadr);
	json_hex(out, "device_table", its->regs.baser[ITS_TABLE_DEVICES]);
	json_hex(out, "collection_table", its->regs.baser[ITS_TABLE_COLLECTIONS]);
	json_uint(out, "commands", its->commands);
	json_uint(out, "batches", its->rounds);
	json_uint(out, "parked", its->holds);
	json_uint(out, "remapped_devices", its->remapped_devices);
	json_uint(out, "remapped_events", its->remapped_events);
	json_uint(out, "bytes", its->memory);
	put_errors(its, out);
	put_colls(its, out);
	put_devices(its, out);
}
