// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/save.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/control_report.h"
#include "vmm/core/hostio.h"
#include "vmm/machine_state.h"
#include "vmm/snapshot_stream.h"
#include "vmm/vm.h"

enum { ROUNDS_MAX = 1000, KEEP_MS = 600000 };

static const uint64_t PROGRESS_NS = 200000000;

struct reporter {
	int fd;
	uint64_t next; /* when to say how far it is */
};

static void report_progress(void *arg, uint64_t done, uint64_t total)
{
	struct reporter *r = arg;
	uint64_t now = loop_now_ns();
	struct control_report report;

	if (now < r->next && done < total)
		return;
	r->next = now + PROGRESS_NS;
	control_report_begin(&report, r->fd);
	json_uint(&report.out, "done", done);
	json_uint(&report.out, "total", total);
	control_report_send(&report);
}

static void report_end(struct save *save, const struct fail *fail, uint64_t bytes, uint64_t ns)
{
	struct control_report report;

	control_report_end(&report, save->report, fail);
	if (!fail->text[0]) {
		json_uint(&report.out, "bytes", bytes);
		json_uint(&report.out, "down_us", ns / 1000);
	}
	control_report_send(&report);
}

int save_ask(struct save *save, struct control_files *files, const struct control_save *how,
	     bool paused, struct fail *fail)
{
	char *overlay = NULL;

	if (save->wanted)
		return fail_set(fail, EXIT_CONFIG, -EBUSY, "it is being saved already");
	if (files->n != 2)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"two descriptors go with it: for the snapshot, and a socket");
	if (how->overlay && !how->keep_running)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"an overlay is for a machine that goes on (--keep-running)");
	if (how->overlay && !(overlay = strdup(how->overlay)))
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	*save = (struct save){
		.wanted = true,
		.fd = files->fd[0],
		.report = files->fd[1],
		.keep_running = how->keep_running,
		.overlay = overlay,
		.was_paused = paused,
	};
	files->fd[0] = files->fd[1] = -1;
	return 0;
}

static void save_end(struct save *save)
{
	close(save->fd);
	close(save->report);
	free(save->overlay);
	save->overlay = NULL;
	save->wanted = false;
}

/* A network that never falls silent fills the guest's buffers, of which no new ones come. */
void save_settle(struct vm *vm)
{
	for (int i = 0; i < ROUNDS_MAX; i++) {
		loop_drain(vm->loop);
		if (!loop_poll(vm->loop, 0))
			return;
	}
}

/* --- disks of a machine that goes on -------------------------------------------------------------- */

static bool writes_to_image(struct machine *m, unsigned int n)
{
	return !machine_config(m)->disks[n].disk.ro && !blk_is_overlay(machine_nth_disk(m, n));
}

/* What it writes, and what was saved no longer fits. */
static int check_disks(const struct save *save, struct machine *m, struct fail *fail)
{
	const struct config *cfg = machine_config(m);

	for (unsigned int i = 0; save->keep_running && !save->overlay && i < cfg->ndisks; i++)
		if (writes_to_image(m, i))
			return fail_set(fail, EXIT_CONFIG, -EINVAL,
					"--keep-running: the machine would go on writing to %s, "
					"and the snapshot be worth nothing; let it write to an "
					"overlay, snapshot=on or --disk-overlay FOLDER",
					cfg->disks[i].disk.path);
	return 0;
}

/* Images stay as they were saved, before anybody can have the snapshot. */
static int freeze_disks(struct save *save, struct machine *m, struct fail *fail)
{
	const struct config *cfg = machine_config(m);
	int err = 0;

	for (unsigned int i = 0; save->overlay && !err && i < cfg->ndisks; i++) {
		struct disk_config disk = cfg->disks[i].disk;

		disk.scratch = save->overlay;
		if (!writes_to_image(m, i))
			continue;
		err = blk_freeze(machine_nth_disk(m, i), &disk, fail);
		save->frozen[i] = !err;
	}
	return err;
}

/* Nobody has it: on with the images. Where somebody reads one already, it stays as it is. */
static void thaw_disks(struct save *save, struct machine *m)
{
	for (unsigned int i = 0; i < CONFIG_DISKS_MAX; i++) {
		struct fail fail = { 0 };

		if (save->frozen[i] && blk_thaw(machine_nth_disk(m, i), &fail))
			log_line(
				machine_vm(m)->log, LOG_WARNING,
				"%s; what the guest writes goes to an overlay, and is lost when it "
				"ends",
				fail.text);
	}
}

/* --- writing it ----------------------------------------------------------------------------------- */

/* Through a pipe: a reader that stands still holds the machine up only for as long as whoever asked
 * waits for it. */
static int send_all(struct save *save, struct snapshot *snap, const struct guest_mem *mem,
		    const struct snapshot_progress *progress, uint64_t *bytes, struct fail *fail)
{
	struct hostio io;
	int err = hostio_open(&io, save->fd, O_WRONLY);

	if (err)
		return fail_set(fail, EXIT_HOST, err, "cannot write the snapshot: %s",
				strerror(-err));
	err = snapshot_send(snap, mem, io.fd, save->report, progress, bytes, fail);
	hostio_close(&io);
	return err;
}

static int write_all(struct save *save, struct snapshot *snap, const struct guest_mem *mem,
		     const struct snapshot_progress *progress, uint64_t *bytes, struct fail *fail)
{
	save->piped = lseek(save->fd, 0, SEEK_CUR) < 0;
	return save->piped ? send_all(save, snap, mem, progress, bytes, fail)
			   : snapshot_write(snap, mem, save->fd, progress, bytes, fail);
}

/* Whether whoever asked says, by a byte, that the snapshot is kept; its end says that it is not. */
static bool kept(const struct save *save)
{
	struct pollfd p = { .fd = save->report, .events = POLLIN };
	uint64_t until = loop_now_ns() + KEEP_MS * 1000000ULL;
	int ready;
	char byte;

	do
		ready = poll(&p, 1, KEEP_MS);
	while (ready < 0 && errno == EINTR && loop_now_ns() < until);
	return ready == 1 && recv(save->report, &byte, 1, MSG_DONTWAIT) == 1;
}

/* What becomes of the machine: whether it goes on. */
static bool save_then(struct save *save, struct machine *m, int err)
{
	struct vm *vm = machine_vm(m);

	if (!err && save->keep_running && !save->overlay)
		return true;
	if (!err && kept(save))
		return save->keep_running;
	thaw_disks(save, m);
	if (err || save->keep_running)
		return true;
	/* Where a pipe led, it may be running already. */
	save->was_paused |= save->piped;
	log_line(vm->log, LOG_WARNING, "nobody says that the snapshot is kept: the machine %s",
		 save->was_paused ? "stands still (vmm resume, or stop --force)" : "goes on");
	return true;
}

bool save_do(struct save *save, struct machine *m)
{
	struct reporter reporter = { .fd = save->report };
	const struct snapshot_progress progress = { report_progress, &reporter };
	struct vm *vm = machine_vm(m);
	uint64_t began = loop_now_ns(), bytes = 0;
	struct fail fail = { 0 };
	struct snapshot snap;
	bool goes_on;
	int err;

	snapshot_init(&snap);
	err = check_disks(save, m, &fail);
	if (!err) {
		save_settle(vm);
		err = machine_save(m, &snap, &fail);
	}
	if (!err)
		err = freeze_disks(save, m, &fail);
	if (!err)
		err = write_all(save, &snap, &vm->mem, &progress, &bytes, &fail);
	snapshot_free(&snap);
	report_end(save, &fail, bytes, loop_now_ns() - began);
	goes_on = save_then(save, m, err);
	save_end(save);
	return goes_on;
}

void save_drop(struct save *save)
{
	struct fail fail = { 0 };

	if (!save->wanted)
		return;
	fail_set(&fail, EXIT_HOST, -EPIPE, "the machine has ended");
	report_end(save, &fail, 0, 0);
	save_end(save);
}
