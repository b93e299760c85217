// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/term.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Waits for its parent's end, or for the one byte that says all is well. */
static void keep(const struct term *term, int pipe_fd)
{
	sigset_t all;
	ssize_t n;
	char byte;

	/* Ctrl-C and the like reach the whole foreground group; SIGTTOU would stop a writer in
	 * the background. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	do {
		n = read(pipe_fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		tcsetattr(term->fd, TCSADRAIN, &term->saved);
	_exit(0);
}

/* The child holds nothing of ours open but the terminal and its end of the pipe. */
static int start_keeper(struct term *term)
{
	int fds[2];

	if (pipe(fds))
		return -errno;
	term->keeper = fork();
	if (term->keeper < 0) {
		int err = -errno;

		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (!term->keeper) {
		dup2(fds[0], 3);
		if (term->fd != 4)
			dup2(term->fd, 4);
		term->fd = 4;
		close_range(0, 2, 0);
		close_range(5, ~0u, 0);
		keep(term, 3);
	}
	close(fds[0]);
	term->keeper_pipe = fds[1];
	return 0;
}

int term_raw(struct term *term, int fd)
{
	struct termios raw;
	int err;

	*term = (struct term){ .fd = fd, .keeper_pipe = -1 };
	if (!isatty(fd) || tcgetpgrp(fd) != getpgrp() || tcgetattr(fd, &term->saved))
		return 0;
	err = start_keeper(term);
	if (err)
		return err;
	raw = term->saved;
	raw.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	raw.c_lflag &= ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	term->raw = true;
	if (tcsetattr(fd, TCSADRAIN, &raw)) {
		err = -errno;
		term_restore(term);
	}
	return err;
}

int term_escape(bool *escaped, uint8_t byte)
{
	enum { CTRL_A = 1 };

	if (!*escaped && byte != CTRL_A)
		return TERM_GUEST;
	*escaped = !*escaped;
	if (*escaped)
		return 0;
	return byte == CTRL_A ? TERM_GUEST : byte;
}

bool term_size(const struct term *term, uint16_t *cols, uint16_t *rows)
{
	struct winsize size;

	if (!term->raw || ioctl(term->fd, TIOCGWINSZ, &size) || !size.ws_col)
		return false;
	*cols = size.ws_col;
	*rows = size.ws_row;
	return true;
}

void term_restore(struct term *term)
{
	if (!term->raw)
		return;
	term->raw = false;
	tcsetattr(term->fd, TCSADRAIN, &term->saved);
	while (write(term->keeper_pipe, "", 1) < 0 && errno == EINTR)
		;
	close(term->keeper_pipe);
	while (waitpid(term->keeper, NULL, 0) < 0 && errno == EINTR)
		;
}
