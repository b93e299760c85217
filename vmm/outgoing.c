// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/outgoing_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/control_report.h"
#include "vmm/core/hostio.h"
#include "vmm/machine_state.h"
#include "vmm/save.h"
#include "vmm/vm.h"

enum { TAKE_BACK_MS = 35000, TAKE_BACK_EACH_MS = 50 };

static const uint64_t DOWNTIME_MS = 300;

/* --- what it tells ----------------------------------------------------------------------------- */

static void put_stats(struct json_out *out, const struct sender_stats *stats)
{
	json_uint(out, "rounds", stats->rounds);
	json_uint(out, "bytes", stats->bytes);
	json_uint(out, "total_us", stats->total_ns / 1000);
}

static void report_progress(void *arg, const struct sender_stats *stats)
{
	struct outgoing *o = arg;
	struct control_report report;

	control_report_begin(&report, o->report);
	put_stats(&report.out, stats);
	json_uint(&report.out, "done", stats->done);
	json_uint(&report.out, "total", stats->total);
	json_uint(&report.out, "pending", stats->pending);
	json_uint(&report.out, "rate", stats->rate);
	control_report_send(&report);
}

/* All that the destination has found, as `vmm restore --check` would there. */
void outgoing_report_end(struct outgoing *o)
{
	struct control_report report;

	control_report_end(&report, o->report, &o->fail);
	if (*o->sender.reasons)
		json_lines(&report.out, "findings", o->sender.reasons);
	put_stats(&report.out, &o->sender.stats);
	json_uint(&report.out, "down_us", o->sender.stats.down_ns / 1000);
	if (o->sender.postcopy) {
		json_uint(&report.out, "missing", o->sender.stats.missing);
		json_uint(&report.out, "requests", o->sender.stats.wanted);
	}
	control_report_send(&report);
}

/* --- the thread -------------------------------------------------------------------------------- */

/* Has the loop thread do something: its result. */
static int wish(struct outgoing *o, enum outgoing_wish what, struct snapshot *snap,
		struct fail *fail)
{
	int err;

	pthread_mutex_lock(&o->lock);
	o->wish = what;
	o->snap = snap;
	loop_post(machine_vm(o->machine)->loop, &o->wake);
	while (o->wish != WISH_NONE && !o->dropped)
		pthread_cond_wait(&o->changed, &o->lock);
	err = o->dropped ? -ECANCELED : o->err;
	if (err)
		fail_set(fail, o->fail.code, err, "%s", o->fail.text);
	o->wish = WISH_NONE;
	pthread_mutex_unlock(&o->lock);
	return err;
}

static int op_begin(void *arg, struct snapshot *snap, struct fail *fail)
{
	return wish(arg, WISH_BEGIN, snap, fail);
}

static int op_stop(void *arg, struct snapshot *snap, struct fail *fail)
{
	return wish(arg, WISH_STOP, snap, fail);
}

/* The machine may be reset meanwhile, and its log with it: outgoing_drop() waits for this. */
static int op_written(void *arg, unsigned int ram, uint64_t *bits, struct fail *fail)
{
	struct outgoing *o = arg;
	int err = vm_log_take(machine_vm(o->machine), ram, bits);

	return err ? fail_set(fail, EXIT_MIGRATION, err, "cannot ask what the guest writes: %s",
			      strerror(-err))
		   : 0;
}

static void op_give_up(void *arg)
{
	struct outgoing *o = arg;

	pthread_mutex_lock(&o->lock);
	o->given_up = true;
	pthread_mutex_unlock(&o->lock);
}

static const struct sender_ops ops = { op_begin, op_written, op_stop, op_give_up };

/* All at once, to somebody who cannot answer. What went out whole may run there. */
static enum migrate_end send_one_way(struct outgoing *o, struct fail *fail)
{
	struct sender_stats *stats = &o->sender.stats;
	uint64_t began = loop_now_ns();
	struct snapshot snap;
	struct hostio io;
	int err = hostio_open(&io, o->link, O_WRONLY);

	snapshot_init(&snap);
	if (err)
		fail_set(fail, EXIT_MIGRATION, err, "cannot write to the pipe: %s", strerror(-err));
	else
		err = op_stop(o, &snap, fail);
	if (!err)
		err = snapshot_send(&snap, o->sender.mem, io.fd, o->events, NULL, &stats->bytes,
				    fail);
	hostio_close(&io);
	snapshot_free(&snap);
	stats->total_ns = loop_now_ns() - began;
	return err ? MIGRATE_STAYED : MIGRATE_UNDECIDED;
}

static void *outgoing_thread(void *arg)
{
	struct outgoing *o = arg;
	struct fail fail = { 0 };
	enum migrate_end end = o->one_way    ? send_one_way(o, &fail)
			       : o->given_up ? migrate_recover(&o->sender, &fail)
					     : migrate_send(&o->sender, &fail);

	pthread_mutex_lock(&o->lock);
	o->end = end;
	o->fail = fail;
	o->wish = WISH_END;
	pthread_cond_broadcast(&o->changed);
	loop_post(machine_vm(o->machine)->loop, &o->wake);
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

int outgoing_run(struct outgoing *o)
{
	return -pthread_create(&o->thread, NULL, outgoing_thread, o);
}

/* --- what the loop thread does ----------------------------------------------------------------- */

static void on_wake(struct loop_work *work)
{
	struct outgoing *o = container_of(work, struct outgoing, wake);

	o->was_paused = vm_paused(machine_vm(o->machine));
	vm_interrupt(machine_vm(o->machine));
}

static int begin(struct outgoing *o)
{
	struct vm *vm = machine_vm(o->machine);
	int err;

	save_settle(vm);
	err = guest_mem_track(&vm->mem, true);
	if (!err)
		err = vm_log_writes(vm, true);
	if (err)
		return fail_set(&o->fail, EXIT_HOST, err, "cannot log what the guest writes: %s",
				strerror(-err));
	/* Tells the devices, too, that writes are recorded: what others serve is taken back. */
	return machine_save(o->machine, o->snap, &o->fail);
}

static int stop(struct outgoing *o)
{
	struct vm *vm = machine_vm(o->machine);
	int err;

	save_settle(vm);
	err = machine_save(o->machine, o->snap, &o->fail);
	return err ? err : machine_hold(o->machine, false, &o->fail);
}

static void forget(struct outgoing *o)
{
	int fds[] = { o->link, o->report, o->events, o->cancel, o->again };

	for (unsigned int i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	loop_post_cancel(machine_vm(o->machine)->loop, &o->wake);
	pthread_cond_destroy(&o->changed);
	pthread_mutex_destroy(&o->lock);
	o->active = false;
}

static void stop_logging(struct outgoing *o)
{
	struct vm *vm = machine_vm(o->machine);

	if (!guest_mem_tracked(&vm->mem))
		return;
	vm_log_writes(vm, false);
	guest_mem_track(&vm->mem, false);
}

/* The destination may need a moment to let go of what it had taken. */
static int take_back(struct outgoing *o, struct fail *fail)
{
	struct pollfd nobody = { .fd = -1 };
	int err = machine_hold(o->machine, true, NULL);

	for (int ms = 0; err && ms < TAKE_BACK_MS; ms += TAKE_BACK_EACH_MS) {
		poll(&nobody, 1, TAKE_BACK_EACH_MS);
		err = machine_hold(o->machine, true, NULL);
	}
	return err ? machine_hold(o->machine, true, fail) : 0;
}

static enum outgoing_then end_stayed(struct outgoing *o, struct log *log)
{
	struct fail why = { 0 };

	stop_logging(o);
	if (!take_back(o, &why)) {
		log_line(log, LOG_WARNING, "the machine was not sent, and goes on here: %s",
			 o->fail.text);
		return OUTGOING_GOES_ON;
	}
	log_line(log, LOG_ERROR,
		 "the machine was not sent (%s), and cannot go on here: %s; it stands still: vmm "
		 "resume --take-ownership, or stop",
		 o->fail.text, why.text);
	o->fail = why;
	o->fail.code = EXIT_UNDECIDED;
	return OUTGOING_STANDS;
}

static enum outgoing_then end(struct outgoing *o)
{
	struct log *log = machine_vm(o->machine)->log;
	enum outgoing_then then = OUTGOING_STANDS;

	if (!o->lost)
		pthread_join(o->thread, NULL);
	if (o->decision == DECIDE_END)
		then = OUTGOING_ENDED;
	else if (o->decision == DECIDE_TAKE || o->end == MIGRATE_STAYED)
		then = end_stayed(o, log);
	else if (o->end == MIGRATE_MOVED)
		then = OUTGOING_MOVED;
	else if (o->one_way)
		log_line(log, LOG_WARNING,
			 "the machine was sent and stands still: vmm stop, once it runs elsewhere; "
			 "vmm resume --take-ownership, if it does not");
	else
		log_line(log, LOG_ERROR,
			 "%s: it stands still here, and may run there: vmm resume "
			 "--take-ownership, if it does not; vmm stop, if it does",
			 o->fail.text);
	if (then == OUTGOING_STANDS)
		stop_logging(o);
	outgoing_report_end(o);
	forget(o);
	return then;
}

static void granted(struct outgoing *o, int err)
{
	o->err = err;
	o->wish = WISH_NONE;
	pthread_cond_broadcast(&o->changed);
}

/* --- its step, and its end ---------------------------------------------------------------------- */

enum outgoing_then outgoing_step(struct outgoing *o)
{
	bool ended;
	int err;

	pthread_mutex_lock(&o->lock);
	if (o->wish == WISH_BEGIN)
		granted(o, begin(o));
	if (o->wish == WISH_STOP) {
		/* Devices may take their time, and whoever asks meanwhile is answered. */
		pthread_mutex_unlock(&o->lock);
		err = stop(o);
		pthread_mutex_lock(&o->lock);
		granted(o, err);
		outgoing_wait_end(o);
	}
	ended = o->wish == WISH_END || o->decision;
	pthread_mutex_unlock(&o->lock);
	return ended ? end(o) : OUTGOING_GOES_ON;
}

void outgoing_drop(struct outgoing *o, const char *why)
{
	struct fail reason = { 0 };

	if (!o->active)
		return;
	pthread_mutex_lock(&o->lock);
	o->dropped = true;
	fail_set(&reason, EXIT_MIGRATION, -ECANCELED, "%s", why);
	o->fail = reason;
	pthread_cond_broadcast(&o->changed);
	pthread_mutex_unlock(&o->lock);
	eventfd_write(o->cancel, 1);
	pthread_join(o->thread, NULL);
	/* The thread knows only that it was cancelled. */
	o->fail = reason;
	stop_logging(o);
	outgoing_report_end(o);
	forget(o);
}

/* --- its beginning ----------------------------------------------------------------------------- */

/* What ends it before the commit: a word of ours, or whoever asked being gone. */
static int watch(struct outgoing *o)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct epoll_event gone = { .events = EPOLLRDHUP };

	o->cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	o->events = epoll_create1(EPOLL_CLOEXEC);
	if (o->cancel < 0 || o->events < 0 || epoll_ctl(o->events, EPOLL_CTL_ADD, o->cancel, &ev) ||
	    epoll_ctl(o->events, EPOLL_CTL_ADD, o->report, &gone))
		return -errno;
	return 0;
}

static int start(struct outgoing *o, const struct control_send *how)
{
	int flags = fcntl(o->link, F_GETFL), err;

	/* A pipe may be somebody else's, too; a socket is for this alone. */
	if (!how->one_way && (flags < 0 || fcntl(o->link, F_SETFL, flags | O_NONBLOCK)))
		return -errno;
	err = watch(o);
	if (err)
		return err;
	o->sender = (struct sender){
		.ops = &ops,
		.arg = o,
		.mem = &machine_vm(o->machine)->mem,
		.in = o->link,
		.out = o->link,
		.stop_fd = o->events,
		.bandwidth = how->bandwidth,
		.downtime_ns = (how->downtime_ms ? how->downtime_ms : DOWNTIME_MS) * 1000000,
		.timeout_ns = how->timeout_s * 1000000000,
		.verify = how->verify,
		.postcopy = how->postcopy,
		.progress = report_progress,
	};
	o->one_way = how->one_way;
	return outgoing_run(o);
}

int outgoing_ask(struct outgoing *o, struct machine *m, struct control_files *files,
		 const struct control_send *how, struct fail *fail)
{
	int err;

	if (o->active)
		return fail_set(fail, EXIT_CONFIG, -EBUSY, "it is being sent already");
	if (how->recover)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"it has not lost its link: nothing is to be recovered");
	if (how->postcopy && (how->one_way || how->verify))
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "--postcopy goes %s",
				how->one_way
					? "over a link on which the destination can answer"
					: "without --verify: memory follows when it runs there");
	if (files->n != 2)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"two descriptors go with it: the link, and a socket");
	*o = (struct outgoing){
		.active = true,
		.machine = m,
		.link = files->fd[0],
		.report = files->fd[1],
		.events = -1,
		.cancel = -1,
		.again = -1,
		.wake.fn = on_wake,
	};
	files->fd[0] = files->fd[1] = -1;
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->changed, NULL);
	err = start(o, how);
	if (!err)
		return 0;
	forget(o);
	return fail_set(fail, EXIT_HOST, err, "it cannot be sent: %s", strerror(-err));
}

int outgoing_cancel(struct outgoing *o, struct fail *fail)
{
	if (!o->active)
		return fail_set(fail, EXIT_CONFIG, -ENOENT, "it is not being sent");
	eventfd_write(o->cancel, 1);
	return 0;
}
