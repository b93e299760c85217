/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FIRMWARE_TRACE_H
#define FIRMWARE_TRACE_H

#include <stdint.h>

#include "firmware/smccc.h"
#include "vmm/core/fail.h"

/*
 * --trace: one decoded line a firmware call, in the order in which calls took effect on a CPU:
 *
 *   12.345678 cpu0 CPU_ON target=0x1 entry=0x40200000 context=0x0 -> SUCCESS
 *
 * Seconds since trace_init(), the calling vCPU, the function (with " (smc)" when called by SMC), its
 * arguments by the specification's names, and the result: a word where the value has one, otherwise
 * a number; further result registers follow; "injected" where --inject made it. A function that
 * does not return shows what happens instead: "-> cpu off", "-> system reset". A function that this
 * version does not have is shown by its id alone.
 */
struct trace {
	unsigned int services; /* mask of 1 << enum smccc_service */
	/* Gets each line, without newline; any vCPU's thread, several at a time. */
	void (*line)(void *arg, const char *text);
	void *arg;
	uint64_t start_ns; /* CLOCK_MONOTONIC */
};

void trace_init(struct trace *trace, unsigned int services,
		void (*line)(void *arg, const char *text), void *arg);

/* What --trace can name besides services of the firmware: in the mask, behind theirs. */
enum { TRACE_ITS = 1 << SMCCC_SERVICES, TRACE_FIRMWARE = TRACE_ITS - 1 };

/* "psci", "trng", "its" or several of them with commas: adds them to *services. 0, or -EINVAL with a sentence that names
 * the nearest. */
int trace_parse(const char *words, unsigned int *services, struct fail *fail);

#endif
