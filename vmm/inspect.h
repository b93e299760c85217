/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_INSPECT_H
#define VMM_INSPECT_H

#include <stdio.h>

#include "vmm/machine_state.h"

/* What is in a saved machine, for those who look at it: untrusted, and only shown. */

/* Calls fn for each register of a vCPU's section, as regs_each(); one that does not hold shows none. */
void inspect_registers(const struct section *section,
		       void (*fn)(void *arg, uint64_t id, const uint8_t *value, uint32_t size),
		       void *arg);

/* All of it as one JSON object and a newline; `registers`: each vCPU's, too. 0 or -ENOMEM. */
int inspect_json(const struct snapshot *snap, const struct machine_saved *saved, bool registers,
		 FILE *out);

#endif
