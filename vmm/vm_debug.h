/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_VM_DEBUG_H
#define VMM_VM_DEBUG_H

#include "vmm/vm.h"

/*
 * Adds what shows whether the machine does anything, without disturbing it but for the first time: "io", a count of accesses
 * that have effects, and "cpus", an array of one object a vCPU: "waits", whether it is in WFI; "nwaits",
 * how often it was; "ran_ns", its thread's CPU time. Nothing of this where the kernel does not count.
 * Loop thread.
 */
void vm_activity(struct vm *vm, struct json_out *out);

/*
 * Adds "cpus", an array of one object a vCPU with its "state" and what cpu_debug() says; and
 * "sections", an array of what devices tell. The vCPUs stand still meanwhile. Of very many vCPUs the
 * last ones are told of in brief. Loop thread.
 */
void vm_debug(struct vm *vm, struct json_out *out);

#endif
