/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_INSPECT_H
#define VMM_INSPECT_H

#include <stdio.h>

#include "vmm/machine_saved.h"

/* What is in a saved machine, for those who look at it: untrusted, and only shown. */

/* Shows the file, the caller's, for people or as inspect_json(); `registers`: each vCPU's, too. 0;
 * EXIT_SNAPSHOT or EXIT_HOST with a sentence, and nothing was shown. */
int inspect_file(int fd, bool json, bool registers, FILE *out, struct fail *fail);

/* Calls fn for each register of a vCPU's section, as regs_each(). 0 or -errno: the rest of them makes no
 * sense. */
int inspect_registers(const struct section *section,
		      void (*fn)(void *arg, uint64_t id, const uint8_t *value, uint32_t size),
		      void *arg);

/* All of it as one JSON object and a newline; `registers`: each vCPU's, too. 0 or -ENOMEM. */
int inspect_json(const struct snapshot *snap, const struct machine_saved *saved, bool registers,
		 FILE *out);

#endif
