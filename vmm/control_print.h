/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CONTROL_PRINT_H
#define VMM_CONTROL_PRINT_H

#include "vmm/core/json.h"

/* Answers of machines, for people, on stdout. Nothing of them can drive a terminal. */

/* A text, what is no printable character as `?`. */
void control_print_plain(const char *text);

/*
 * A line for each member but "ok": `name: value`. An object or an array of objects inside has its
 * name, and that of each element, before those of its members; where it holds nothing but plain
 * values, it is one line of them. The object is used up.
 */
void control_print(struct json_object *obj);

#endif
