/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CONTROL_ATTACH_H
#define VMM_CONTROL_ATTACH_H

#include "vmm/control_client.h"

/*
 * This process's stdin and stdout as the console of a machine whose connection is attached to it. At
 * a terminal Ctrl-A d detaches and Ctrl-A h helps; the end of other input does not. 0 when the user
 * has detached or the machine has ended (said on stderr), or -errno with a sentence.
 */
int attach_console(struct control_conn *conn, const char *name, struct fail *fail);

#endif
