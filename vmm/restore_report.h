/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_RESTORE_REPORT_H
#define VMM_RESTORE_REPORT_H

#include <stdio.h>

#include "vmm/restore.h"

/* What has become of a restore, as one JSON object and a newline: how much was read and how long it took,
 * or `fail` with all that was found. */
void restore_report(const struct restore *r, const struct fail *fail, FILE *out);

#endif
