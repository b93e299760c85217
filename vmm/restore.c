// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/restore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/arm64/regs_state.h"
#include "vmm/restore_report.h"
#include "vmm/vm.h"

int restore_open(struct restore *r, int fd, struct fail *fail)
{
	int err;

	snapshot_init(&r->snap);
	r->streamed = lseek(fd, 0, SEEK_CUR) < 0;
	if (r->streamed && r->lazy)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--%s needs a file to read from; a pipe is none",
				r->clone ? "clone" : "lazy");
	if (r->streamed) {
		r->from.in = fd;
		if (!r->answers)
			r->from.out = r->from.stop_fd = -1;
		err = receiver_open(&r->from, &r->snap, fail);
		if (!err && r->from.two_way && !r->answers)
			err = fail_set(
				fail, EXIT_CONFIG, -EINVAL,
				"who sends this waits for answers; take it with vmm receive");
	} else {
		err = snapshot_open(&r->snap, fd, fail);
	}
	return err ? err : machine_saved_read(&r->snap, &r->saved, fail);
}

/* --- RAM that is verified while the guest runs ------------------------------------------------ */

static void verify_work(struct loop_job *job)
{
	struct restore *r = container_of(job, struct restore, verify);

	if (!snapshot_load_start(&r->load, &r->snap, NULL, &r->wrong))
		snapshot_load_wait(&r->load, &r->wrong);
}

static void verify_done(struct loop_job *job)
{
	struct restore *r = container_of(job, struct restore, verify);

	r->verifying = false;
	if (!r->wrong.text[0])
		return;
	log_line(r->log, LOG_ERROR, "%s; the guest is stopped", r->wrong.text);
	vm_end(r->vm, VM_END_QUIT, (int)r->wrong.code);
}

static void verify_begin(struct loop_work *work)
{
	struct restore *r = container_of(work, struct restore, begin);
	int err = loop_offload(r->vm->loop, &r->verify);

	r->verifying = !err;
	if (!err)
		return;
	log_line(r->log, LOG_ERROR, "memory cannot be verified: %s; the guest is stopped",
		 strerror(-err));
	vm_end(r->vm, VM_END_QUIT, EXIT_HOST);
}

/* On a host of one CPU the guest would wait for it: it begins when the guest does, with the loop. */
static void verify_start(struct restore *r)
{
	r->begin.fn = verify_begin;
	r->verify.work = verify_work;
	r->verify.done = verify_done;
	loop_post(r->vm->loop, &r->begin);
}

/* --- in order --------------------------------------------------------------------------------- */

int restore_check_findings(struct restore *r, struct fail *fail)
{
	enum exit_code code = r->refused.fixable == r->refused.n ? EXIT_CONFIG : EXIT_SNAPSHOT;

	if (!r->refused.n)
		return 0;
	r->from.reasons = r->refused.text;
	/* Who sends it is told the first, and then all. */
	if (r->from.two_way)
		return fail_set(fail, code, -ENOTSUP, "%.*s (%u reason%s in all)",
				(int)strcspn(r->refused.text, "\n"), r->refused.text, r->refused.n,
				r->refused.n == 1 ? "" : "s");
	return fail_set(fail, code, -ENOTSUP,
			"this host cannot go on with the snapshot's machine, for %u reason%s above",
			r->refused.n, r->refused.n == 1 ? "" : "s");
}

static void show_progress(void *arg, uint64_t done, uint64_t total)
{
	struct restore *r = arg;

	if (progress_due(&r->progress))
		progress_show(&r->progress, done, total);
}

static int load_stream(struct restore *r, struct fail *fail)
{
	const struct snapshot_progress progress = { show_progress, r };
	int err;

	progress_begin(&r->progress);
	err = frames_rest(&r->from.frames, &r->snap, &r->vm->mem, &progress, &r->bytes, fail);
	progress_end(&r->progress);
	return err;
}

static int load_ram(struct restore *r, struct fail *fail)
{
	struct guest_mem *mem = &r->vm->mem;
	int err;

	if (r->streamed)
		return load_stream(r, fail);
	err = snapshot_fits(&r->snap, mem, fail);
	if (err)
		return err;
	if (!r->lazy)
		return snapshot_load_start(&r->load, &r->snap, mem, fail);
	return snapshot_map(&r->snap, mem, fail);
}

static int wait_for_ram(struct restore *r, struct fail *fail)
{
	const struct snapshot_progress progress = { show_progress, r };
	int err;

	progress_begin(&r->progress);
	r->load.crew.progress = &progress;
	err = snapshot_load_wait(&r->load, fail);
	progress_end(&r->progress);
	r->bytes = atomic_load(&r->load.read);
	return err;
}

int restore_check_disks(struct restore *r, struct machine *m, struct snapshot *snap,
			struct fail *fail)
{
	struct findings ignored = { 0 };
	int err =
		machine_check_disks(m, snap, r->allow_changed_disk ? &ignored : &r->refused, fail);

	findings_free(&ignored);
	return err;
}

int restore_compare(struct restore *r, struct machine *m, struct fail *fail)
{
	int err = r->from.two_way ? 0 : restore_check_disks(r, m, &r->snap, fail);

	if (!err)
		err = machine_start_empty(m, fail);
	if (!err)
		err = machine_compare(m, &r->snap, &r->saved, &r->refused, fail);
	return err ? err : restore_check_findings(r, fail);
}

int restore_machine(struct restore *r, struct machine *m, struct log *log, struct fail *fail)
{
	uint32_t hz = regs_clock_hz();
	int err;

	r->vm = machine_vm(m);
	r->log = log;
	if (hz != r->saved.counter_hz)
		findings_add(&r->refused,
			     "the guest's counter (CNTFRQ_EL0) runs at %u Hz, this host's at %u",
			     r->saved.counter_hz, hz);
	if (r->from.two_way)
		return restore_live(r, m, fail);
	if (machine_partial(m))
		return restore_compare(r, m, fail);
	err = restore_check_disks(r, m, &r->snap, fail);
	if (!err)
		err = load_ram(r, fail);
	if (!err)
		err = machine_start_empty(m, fail);
	if (!r->lazy && r->load.crew.nthreads) {
		int bad = wait_for_ram(r, err ? NULL : fail);

		err = err ? err : bad;
	}
	if (!err)
		err = machine_load(m, &r->snap, &r->refused, fail);
	if (!err)
		err = restore_check_findings(r, fail);
	if (!err && r->advance_clock)
		vm_advance_clock(r->vm);
	if (!err && !r->moves)
		machine_new_generation(m);
	if (!err && r->lazy && !r->verified)
		verify_start(r);
	if (!err && r->json && !r->check)
		restore_report(r, fail, stderr);
	return err;
}

void restore_stop(struct restore *r)
{
	if (r->verifying)
		loop_drain(r->vm->loop);
}

void restore_close(struct restore *r)
{
	while (r->ntexts)
		free(r->texts[--r->ntexts]);
	if (r->streamed)
		receiver_close(&r->from, NULL);
	snapshot_free(&r->snap);
	machine_saved_free(&r->saved);
	findings_free(&r->refused);
}
