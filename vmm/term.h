/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TERM_H
#define VMM_TERM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

/*
 * The user's terminal while a guest owns it: raw input, output processing as it was. A small child
 * keeps the old settings and puts them back when this process ends, in whatever way: it sees the
 * end of a pipe.
 */
struct term {
	bool raw;
	int fd;
	struct termios saved;
	int keeper_pipe;
	pid_t keeper;
};

/* Makes `fd` raw if it is a terminal in whose foreground we are; otherwise does nothing.
 * Call while the process has one thread. 0 or -errno. */
int term_raw(struct term *term, int fd);

/*
 * Ctrl-A begins a key of ours; twice it is the guest's. TERM_GUEST if the byte is for the guest, 0 if
 * for nobody, else the key behind Ctrl-A. `escaped` starts as false.
 */
enum { TERM_GUEST = -1 };
int term_escape(bool *escaped, uint8_t byte);

/* The terminal's size in characters, if we have one that knows. */
bool term_size(const struct term *term, uint16_t *cols, uint16_t *rows);

/* Puts everything back and ends the child; nothing to do is fine. */
void term_restore(struct term *term);

#endif
