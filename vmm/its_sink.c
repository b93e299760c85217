// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/its_sink.h"

#include <errno.h>

#include "arch/arm64/vgic.h"
#include "vmm/vm.h"

static int sink_hold(void *arg, uint32_t *intids)
{
	struct vm *vm = arg;
	int err;

	if (!vm_hold(vm))
		return -ECANCELED;
	err = vgic_hidden_intids(vm->chip, intids);
	if (err)
		log_line(vm->log, LOG_ERROR, "cannot read the redistributors: error %d", -err);
	return 0;
}

static int sink_apply(void *arg, const struct its_change *change)
{
	struct vm *vm = arg;
	int err = change->restart ? vgic_hidden_restart(vm->chip) : 0;

	return err ? err
		   : vgic_hidden_commands(vm->chip, (const uint64_t(*)[4])change->commands,
					  change->n, change->enabled);
}

static void sink_release(void *arg)
{
	vm_release(arg);
}

static int sink_message(void *arg, uint32_t device, uint32_t event)
{
	return vgic_hidden_message(((struct vm *)arg)->chip, device, event);
}

struct its_sink its_sink(struct vm *vm)
{
	return (struct its_sink){ vm, sink_hold, sink_apply, sink_release, sink_message };
}
