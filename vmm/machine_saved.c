// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/machine_saved.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm64/gic_plan.h"
#include "arch/arm64/regs_record.h"

/* A text with its length; loading allocates. */
static void state_text(struct state *s, const char *name, char **text, uint32_t max)
{
	uint32_t len = 0;

	if (s->loading)
		*text = calloc(1, (size_t)max + 1);
	else
		len = (uint32_t)strnlen(*text, max);
	if (!*text && !s->err)
		s->err = -ENOMEM;
	if (!s->err)
		state_blob(s, name, *text, &len, max);
	if (s->loading && !s->err)
		state_check(s, strlen(*text) == len, name);
}

static void saved_state(void *arg, struct state *s)
{
	struct machine_saved *saved = arg;

	state_text(s, "options", &saved->options, MACHINE_OPTIONS_MAX);
	state_text(s, "cwd", &saved->cwd, PATH_MAX);
	state_u32(s, "counter_hz", &saved->counter_hz);
	state_u32(s, "gic", &saved->gic);
	state_check(s, saved->gic > GIC_AUTO && saved->gic < GIC_KINDS, "gic");
	state_bool(s, "user_psci", &saved->user_psci);
	state_u32(s, "psci_version", &saved->psci_version);
	state_bool(s, "sve", &saved->cpu.sve);
	state_bool(s, "pauth", &saved->cpu.pauth);
	state_bool(s, "pvtime", &saved->cpu.pvtime);
}

int machine_saved_add(struct snapshot *snap, struct machine_saved *saved, struct fail *fail)
{
	return snapshot_add(snap, "machine", MACHINE_VERSION, saved_state, saved, fail);
}

int machine_saved_read(struct snapshot *snap, struct machine_saved *saved, struct fail *fail)
{
	*saved = (struct machine_saved){ 0 };
	return snapshot_get(snap, "machine", MACHINE_VERSION, saved_state, saved, fail);
}

int machine_saved_vls(const struct snapshot *snap, struct machine_saved *saved, struct fail *fail)
{
	const struct section *section = snapshot_find(snap, "vcpu/0");
	uint8_t *record = malloc(REGS_STATE_MAX);
	uint32_t len = 0;
	struct stream stream;
	struct state s;
	int err = -ENOENT;

	if (!record)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	if (section) {
		stream_open_data(&stream, section->data, section->len);
		state_init_load(&s, &stream);
		state_blob(&s, "regs", record, &len, REGS_STATE_MAX);
		stream_close(&stream);
		err = s.err ? s.err : regs_find_vls(record, len, saved->cpu.vls);
	}
	free(record);
	saved->cpu.has_vls = !err;
	if (!err || (err == -ENOENT && section && !saved->cpu.sve))
		return 0;
	return fail_set(fail, EXIT_SNAPSHOT, err,
			"the snapshot's section vcpu/0 does not hold the registers of a vCPU");
}

void machine_saved_free(struct machine_saved *saved)
{
	free(saved->options);
	free(saved->cwd);
	saved->options = saved->cwd = NULL;
}
