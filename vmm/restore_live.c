// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/restore.h"

#include <errno.h>

#include "vmm/vm.h"

/* A machine that comes while it runs elsewhere. */

/* What only one machine can have was given back there before this could come. */
static int load(struct restore *r, struct machine *m, struct snapshot *last, struct fail *fail)
{
	struct machine_saved same;
	int err = machine_hold(m, true, fail);

	if (!err)
		err = restore_check_disks(r, m, last, fail);
	if (!err) {
		err = machine_saved_read(last, &same, fail);
		machine_saved_free(&same);
	}
	if (!err)
		err = machine_load(m, last, &r->refused, fail);
	return err ? err : restore_check_findings(r, fail);
}

static int hand_over(struct restore *r, struct machine *m, struct fail *fail)
{
	struct fail why = { 0 };

	switch (receiver_loaded(&r->from, &why)) {
	case MIGRATE_MOVED:
		receiver_runs(&r->from);
		return 0;
	case MIGRATE_UNDECIDED:
		/* It goes on there, if it was never given up: with its disks. */
		machine_hold(m, false, NULL);
		r->undecided = true;
		log_line(
			r->log, LOG_ERROR,
			"%s: it stands still here: vmm resume --take-ownership, if it does not run "
			"there; vmm stop, if it does",
			why.text);
		return 0;
	case MIGRATE_PAUSED:
		/* Whoever waits for its memory has said so. */
		return 0;
	default:
		return fail_set(fail, why.code, -ECANCELED, "%s", why.text);
	}
}

int restore_live(struct restore *r, struct machine *m, struct fail *fail)
{
	struct snapshot last;
	/* Before anything stops there: can it go on here? */
	int err = restore_compare(r, m, fail);

	snapshot_init(&last);
	if (!err)
		err = receiver_ready(&r->from, fail);
	if (!err)
		err = receiver_memory(&r->from, &last, &r->vm->mem, fail);
	if (!err)
		err = receiver_fetch(&r->from, r->fetch_ops, r->fetch_arg, fail);
	if (!err)
		err = load(r, m, &last, fail);
	/* What could not be loaded was not there. */
	if (err && fetch_state(&r->from.fetch) == FETCH_STAYS)
		*fail = r->from.fetch.why;
	if (!err)
		err = hand_over(r, m, fail);
	snapshot_free(&last);
	if (err || fetch_state(&r->from.fetch) == FETCH_NONE)
		receiver_close(&r->from, err ? fail : NULL);
	return err;
}
