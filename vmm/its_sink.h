/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_ITS_SINK_H
#define VMM_ITS_SINK_H

#include "devices/its.h"

struct vm;

/* A userspace ITS's way to the guest's redistributors: the kernel's hidden ITS, with the vCPUs parked
 * for each change. `vm` is borrowed; its interrupt controller was made with user_its. */
struct its_sink its_sink(struct vm *vm);

#endif
