/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CONTROL_DEBUG_H
#define VMM_CONTROL_DEBUG_H

#include "vmm/core/json.h"

/*
 * Prints an answer to `debug` for people, its text being changed: all of it, or the member of that name,
 * or the devices whose names begin with it. False: there is none.
 */
bool control_debug_print(struct json_object *obj, const char *section, FILE *out);

#endif
