// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/foreground_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vmm/core/backlog.h"
#include "vmm/core/chardev.h"
#include "vmm/vm.h"

static const char escape_help[] = "\r\nCtrl-A x  quit\r\nCtrl-A h  this help\r\n"
				  "Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n";

/* True if the byte is the guest's. */
static bool escape_byte(struct run *run, uint8_t byte)
{
	int key = term_escape(&run->escaped, byte);

	if (key == 'x')
		vm_end(run->vm, VM_END_QUIT, EXIT_SIGNAL + SIGTERM);
	else if (key == 'h' && write(STDERR_FILENO, escape_help, sizeof(escape_help) - 1) < 0)
		return false;
	return key == TERM_GUEST;
}

static size_t escape_filter(void *arg, uint8_t *data, size_t len)
{
	size_t out = 0;

	for (size_t i = 0; i < len; i++)
		if (escape_byte(arg, data[i]))
			data[out++] = data[i];
	return out;
}

static void on_grace(struct loop_timer *timer)
{
	struct run *run = container_of(timer, struct run, grace);

	log_line(&run->log, LOG_WARNING,
		 "the guest did not power off within %u s of its power key; ended",
		 run->cfg->grace);
	vm_end(run->vm, VM_END_QUIT, EXIT_SIGNAL + run->first_signal);
}

/* A guest that is paused could not answer. */
void foreground_power_key(struct run *run, const char *who, int sig)
{
	log_line(&run->log, LOG_INFO, "%s: pressing the guest's power key", who);
	machine_power_key(run->machine);
	if (vm_paused(run->vm))
		vm_resume(run->vm);
	if (run->first_signal)
		return;
	run->first_signal = sig;
	loop_timer_set(run->vm->loop, &run->grace, loop_now_ns() + run->cfg->grace * 1000000000ULL);
}

/* The first signal asks the guest, the second does not. */
static void on_signal(struct loop_fd *src, uint32_t events)
{
	struct run *run = container_of(src, struct run, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(src->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (run->first_signal || run->undecided)
		vm_end(run->vm, VM_END_QUIT, EXIT_SIGNAL + (int)info.ssi_signo);
	else
		foreground_power_key(run, strsignal((int)info.ssi_signo), (int)info.ssi_signo);
}

/* --- its socket ------------------------------------------------------------------------------- */

/* Before anything is made, so that a second machine of this name leaves no trace. A machine that
 * nobody has named can do without, on a read-only file system for example. */
static int take_name(struct run *run, struct fail *fail)
{
	struct fail why = { 0 };

	if (run->cfg->name)
		return run->cfg->dry_run ? 0 : control_take(run->cfg->name, &run->socket, fail);
	snprintf(run->name, sizeof(run->name), "vmm-%d", (int)getpid());
	run->cfg->name = run->name;
	if (!run->cfg->dry_run && control_take(run->name, &run->socket, &why))
		log_line(&run->log, LOG_INFO, "nobody can control this machine: %s", why.text);
	return 0;
}

static int start_control(struct run *run, struct fail *fail)
{
	struct control_target target = {
		.name = run->cfg->name,
		.ops = &foreground_ops,
		.arg = run,
		.console = machine_console(run->machine),
	};
	int err;

	if (run->socket.fd < 0 && run->how->client_fd < 0)
		return 0;
	err = backlog_create(run->vm->loop, &run->backlog);
	target.backlog = run->backlog;
	if (!err)
		chardev_tap(target.console, run->backlog);
	if (!err)
		err = control_create(run->vm->loop, run->socket.fd, &target, &run->control);
	if (!err && run->how->client_fd >= 0)
		err = control_adopt(run->control, run->how->client_fd);
	return err ? fail_set(fail, EXIT_HOST, err, "cannot watch the machine's socket: %s",
			      strerror(-err))
		   : 0;
}

/* Whoever waits for the end sees it when the name is free. */
static void end_control(struct run *run)
{
	foreground_fetch_end(run);
	control_forget(&run->socket);
	control_destroy(run->control);
	run->control = NULL;
	standin_close(&run->standin);
	control_release(&run->socket);
	if (run->backlog)
		chardev_tap(machine_console(run->machine), NULL);
	backlog_destroy(run->backlog);
	run->backlog = NULL;
}

/* --- from start to end ------------------------------------------------------------------------ */

/* From here on these signals are events; before, they end the process as usual. */
static int take_signals(struct run *run, struct fail *fail)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	vcpu_kick_setup();
	run->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	run->signals.events = EPOLLIN;
	run->signals.fn = on_signal;
	run->grace.fn = on_grace;
	if (run->signals.fd < 0 || loop_fd_add(run->vm->loop, &run->signals))
		return fail_set(fail, EXIT_HOST, -EIO, "cannot watch signals: %s", strerror(errno));
	return 0;
}

static int open_log(struct run *run, struct fail *fail)
{
	run->log = (struct log){
		.fd = STDERR_FILENO,
		.level = run->cfg->loglevel,
		.prefix = "vmm: ",
	};
	run->log_fd = -1;
	if (!run->cfg->log_file)
		return 0;
	run->log_fd = open(run->cfg->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (run->log_fd < 0)
		return fail_set(fail, EXIT_CONFIG, -errno,
				"cannot open %s for writing: %s; name another --log-file",
				run->cfg->log_file, strerror(errno));
	run->log.fd = run->log_fd;
	return 0;
}

static void log_exits(struct run *run)
{
	for (unsigned int i = 0; i < run->vm->ncpus && run->vm->vcpus; i++)
		for (int kind = 0; kind < VCPU_EXIT_KINDS; kind++)
			if (run->vm->vcpus[i].exits[kind])
				log_line(&run->log, LOG_DEBUG, "vCPU %u: %llu exits of kind %s", i,
					 (unsigned long long)run->vm->vcpus[i].exits[kind],
					 vcpu_exit_name(kind));
}

static void dump_vcpus(struct run *run)
{
	for (unsigned int i = 0; i < run->vm->ncpus; i++)
		cpu_dump(&run->vm->vcpus[i].kvm, stderr);
}

static int reset(struct run *run, struct fail *fail)
{
	log_line(&run->log, LOG_INFO, "%s", run->reset_asked ? "vmm reset" : "the guest resets");
	run->reset_asked = false;
	return machine_reset(run->machine, fail);
}

/* What somebody wants to have of the machine at rest: whether it goes on, else *code is set. */
static bool serve_at_rest(struct run *run, int *code)
{
	bool goes_on;

	*code = EXIT_MOVED;
	if (run->save.wanted) {
		goes_on = save_do(&run->save, run->machine);
		run->stays_paused = run->save.was_paused;
		return goes_on;
	}
	if (!run->outgoing.active)
		return true;
	switch (foreground_leave(run)) {
	case OUTGOING_ENDED:
		if (run->held_signal)
			*code = EXIT_SIGNAL + run->held_signal;
		return false;
	case OUTGOING_MOVED:
		return false;
	case OUTGOING_STANDS:
		run->undecided = true;
		run->stays_paused = true;
		return true;
	default:
		run->stays_paused = run->outgoing.was_paused;
		return true;
	}
}

/* The end of one run of the loop: whether another follows, else the exit code in *code. */
static bool handle_end(struct run *run, enum vm_end end, int *code, struct fail *fail)
{
	switch (end) {
	case VM_END_NONE:
		return serve_at_rest(run, code);
	case VM_END_OFF:
		*code = EXIT_OK;
		return false;
	case VM_END_RESET:
		*code = EXIT_GUEST_RESET;
		if (run->cfg->no_reboot && !run->reset_asked)
			return false;
		if (!reset(run, fail))
			return true;
		*code = (int)fail->code;
		return false;
	case VM_END_QUIT:
		*code = run->vm->quit_code;
		return false;
	default:
		dump_vcpus(run);
		*code = EXIT_VM_CRASH;
		return false;
	}
}

/* What had been asked for cannot be. */
static void drop_asked(struct run *run, const char *why)
{
	save_drop(&run->save);
	outgoing_drop(&run->outgoing, why);
}

/* Until the machine ends for good: returns the exit code. */
static int run_machine(struct run *run, struct fail *fail)
{
	enum vm_end end;
	int code;

	do {
		foreground_fetch_wait(run);
		end = vm_run(run->vm, run->stays_paused);
		run->stays_paused = false;
		log_exits(run);
		if (end != VM_END_NONE)
			foreground_fetch_end(run);
		if (end != VM_END_NONE)
			drop_asked(run, end == VM_END_RESET ? "the guest resets"
							    : "the machine has ended");
		if (run->how->dump && end != VM_END_QUIT && end != VM_END_CRASH)
			dump_vcpus(run);
	} while (handle_end(run, end, &code, fail));
	return code;
}

/* Boots, or goes on where it was saved. */
static int fill(struct run *run, struct fail *fail)
{
	struct restore *restore = run->how->restore;
	int err;

	if (!restore)
		return machine_start(run->machine, fail);
	err = foreground_arrive(run, fail);
	restore->taken = !err;
	run->undecided = restore->undecided;
	run->stays_paused = restore->paused || run->undecided;
	return err;
}

static int create(struct run *run, struct fail *fail)
{
	struct restore *restore = run->how->restore;
	struct machine_like like = {
		.saved = restore ? &restore->saved : NULL,
		.refused = restore ? &restore->refused : NULL,
		.psci_downgrade = restore && restore->psci_downgrade,
	};

	if (restore)
		memcpy(like.unnamed, restore->unnamed, sizeof(like.unnamed));
	return machine_create(run->cfg, restore ? &like : NULL, &run->log, &run->machine, fail);
}

/* Everything that can be refused is refused before the first vCPU exists. */
static int start(struct run *run, struct fail *fail)
{
	int err = run->how->restore ? config_check_restored(run->cfg, fail)
				    : config_check(run->cfg, fail);

	if (!err)
		err = open_log(run, fail);
	if (!err)
		err = take_name(run, fail);
	if (!err)
		err = create(run, fail);
	if (err || run->cfg->dry_run)
		return err;
	run->vm = machine_vm(run->machine);
	err = take_signals(run, fail);
	if (!err)
		err = start_control(run, fail);
	if (!err && (term_raw(&run->term, STDIN_FILENO) ||
		     winsize_follow(&run->winsize, run->vm->loop, &run->term, run->machine)))
		err = fail_set(fail, EXIT_HOST, -EIO, "cannot set up the terminal: %s",
			       strerror(errno));
	if (!err && run->term.raw)
		chardev_filter(machine_console(run->machine), escape_filter, run);
	return err ? err : fill(run, fail);
}

/* The options that were given, as --config takes them; as comments, what becomes of them here. */
static int print_plan(struct run *run, struct fail *fail)
{
	char *text = NULL, *rest, *line;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return fail_set(fail, EXIT_HOST, -errno, "out of memory");
	machine_print(run->machine, out);
	fclose(out);
	rest = text;
	while ((line = strsep(&rest, "\n")) && rest)
		printf("# %s\n", line);
	free(text);
	opts_print(&run->cfg->given, "dry-run", stdout);
	return 0;
}

/* Returns the exit code. */
static int foreground(struct run *run, struct fail *fail)
{
	int code;

	if (start(run, fail))
		return fail->code;
	if (run->how->restore && run->how->restore->check)
		return EXIT_OK;
	if (run->cfg->dry_run)
		return print_plan(run, fail) ? (int)fail->code : EXIT_OK;
	code = run_machine(run, fail);
	end_control(run);
	/* A second signal while the reader is slow gives up on the rest. */
	machine_flush(run->machine, run->signals.fd);
	return code;
}

static void cleanup(struct run *run)
{
	term_restore(&run->term);
	winsize_end(&run->winsize);
	end_control(run);
	if (run->vm) {
		loop_fd_del(run->vm->loop, &run->signals);
		loop_timer_cancel(run->vm->loop, &run->grace);
	}
	drop_asked(run, "the machine has ended");
	foreground_move_end(run);
	if (run->how->restore)
		restore_stop(run->how->restore);
	machine_destroy(run->machine);
	if (run->signals.fd > 0)
		close(run->signals.fd);
	if (run->log_fd >= 0)
		close(run->log_fd);
	if (run->cfg->name == run->name)
		run->cfg->name = NULL;
}

int foreground_run(struct config *cfg, const struct foreground *how, struct fail *fail)
{
	struct run run = { .cfg = cfg, .how = how, .log_fd = -1, .socket.fd = -1 };
	int code = foreground(&run, fail);

	cleanup(&run);
	return code;
}
