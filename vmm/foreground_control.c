// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "virtio/balloon.h"
#include "virtio/blk.h"
#include "vmm/foreground_priv.h"
#include "vmm/vm.h"
#include "vmm/vm_debug.h"

/* What clients of its socket ask of a machine in the foreground (vmm/control.md). */

static int control_stop(void *arg, bool force, struct fail *fail)
{
	struct run *run = arg;

	(void)fail;
	if (force)
		vm_end(run->vm, VM_END_QUIT, EXIT_SIGNAL + SIGTERM);
	else if (run->undecided)
		vm_end(run->vm, VM_END_QUIT, EXIT_MOVED);
	else
		foreground_power_key(run, "vmm stop", SIGTERM);
	return 0;
}

static void control_pause(void *arg)
{
	struct run *run = arg;

	if (!vm_paused(run->vm))
		vm_pause(run->vm);
}

static int control_resume(void *arg, bool take, struct fail *fail)
{
	struct run *run = arg;

	if (run->undecided && !take)
		return fail_set(
			fail, EXIT_CONFIG, -EPERM,
			"it may run elsewhere; if it does not: vmm resume --take-ownership");
	if (run->undecided && machine_hold(run->machine, true, fail))
		return -EBUSY;
	run->undecided = false;
	if (vm_paused(run->vm))
		vm_resume(run->vm);
	return 0;
}

static void control_reset(void *arg)
{
	struct run *run = arg;

	run->reset_asked = true;
	vm_end(run->vm, VM_END_RESET, 0);
}

static int control_save(void *arg, struct control_files *files, const struct control_save *how,
			struct fail *fail)
{
	struct run *run = arg;
	int err = save_ask(&run->save, files, how, vm_paused(run->vm), fail);

	if (!err)
		vm_interrupt(run->vm);
	return err;
}

static const char *control_state(void *arg)
{
	struct run *run = arg;

	return foreground_fetching(run) == FETCH_LOST ? "postcopy-paused"
	       : run->undecided			      ? "undecided"
	       : vm_paused(run->vm)		      ? "paused"
						      : "running";
}

/* A machine is not changed behind the back of where it goes. */
static const char *control_refuses(void *arg, const char *command)
{
	static const char *const changes[] = { "save", "send", "resize", "balloon", "reset" };
	struct run *run = arg;
	const char *why = NULL;

	if (run->undecided)
		why = "it may run elsewhere; vmm resume --take-ownership, or stop";
	else if (run->outgoing.active)
		why = "it is being sent; vmm send --cancel ends that";
	else if (foreground_fetching(run) == FETCH_RUNS || foreground_fetching(run) == FETCH_LOST)
		why = "its memory is still coming from where it was";
	for (size_t i = 0; why && i < sizeof(changes) / sizeof(changes[0]); i++)
		if (!strcmp(command, changes[i]))
			return why;
	return NULL;
}

static int control_send(void *arg, struct control_files *files, const struct control_send *how,
			struct fail *fail)
{
	struct run *run = arg;

	if (run->save.wanted)
		return fail_set(fail, EXIT_CONFIG, -EBUSY, "it is being saved");
	return outgoing_ask(&run->outgoing, run->machine, files, how, fail);
}

static int control_cancel(void *arg, struct fail *fail)
{
	return outgoing_cancel(&((struct run *)arg)->outgoing, fail);
}

static void control_stat(void *arg, struct json_out *out)
{
	struct run *run = arg;

	json_uint(out, "cpus", run->vm->ncpus);
	json_uint(out, "memory", run->cfg->mem);
	vm_stat(run->vm, out);
}

static int control_resize(void *arg, const char *disk, uint64_t size, struct fail *fail)
{
	struct device *dev = machine_disk(((struct run *)arg)->machine, disk, fail);

	return dev ? blk_resize(dev, size, fail) : -ENOENT;
}

static int control_balloon(void *arg, uint64_t size, struct fail *fail)
{
	struct device *dev = machine_balloon(((struct run *)arg)->machine);

	if (!dev)
		return fail_set(fail, EXIT_CONFIG, -ENOENT,
				"the machine has no balloon; run it with --balloon");
	return balloon_set(dev, size, fail);
}

static void control_activity(void *arg, struct json_out *out)
{
	vm_activity(((struct run *)arg)->vm, out);
}

static void control_debug(void *arg, struct json_out *out)
{
	vm_debug(((struct run *)arg)->vm, out);
}

const struct control_ops foreground_ops = {
	.resize = control_resize,
	.balloon = control_balloon,
	.stop = control_stop,
	.pause = control_pause,
	.resume = control_resume,
	.reset = control_reset,
	.state = control_state,
	.refuses = control_refuses,
	.send = control_send,
	.cancel = control_cancel,
	.recover = foreground_recover,
	.stat = control_stat,
	.save = control_save,
	.activity = control_activity,
	.debug = control_debug,
};
