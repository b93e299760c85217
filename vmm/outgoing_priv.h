/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_OUTGOING_PRIV_H
#define VMM_OUTGOING_PRIV_H

#include "vmm/outgoing.h"

/* Private part of a machine on its way: outgoing.c (its thread, and what the loop thread does for it),
 * outgoing_stand.c (while the loop thread waits for it). */

/* Starts the thread: 0 or -errno. */
int outgoing_run(struct outgoing *o);
/* The last line for whoever asked. */
void outgoing_report_end(struct outgoing *o);
/* Nothing of the machine moves until the thread says how it has ended, and in post-copy that it is
 * all there; or a person decides. Under the lock. */
void outgoing_wait_end(struct outgoing *o);

#endif
