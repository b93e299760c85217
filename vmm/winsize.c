// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/winsize.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vmm/machine.h"

static void tell(struct winsize_watch *watch)
{
	uint16_t cols, rows;

	if (term_size(watch->term, &cols, &rows))
		machine_resize_console(watch->machine, cols, rows);
}

static void on_signal(struct loop_fd *src, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(src->fd, &info, sizeof(info)) == sizeof(info))
		tell(container_of(src, struct winsize_watch, signal));
}

/* A descriptor of its own: the one of the other signals ends waits. */
int winsize_follow(struct winsize_watch *watch, struct loop *loop, const struct term *term,
		   struct machine *machine)
{
	sigset_t set;

	if (!term->raw)
		return 0;
	*watch = (struct winsize_watch){ .loop = loop, .term = term, .machine = machine };
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	watch->signal = (struct loop_fd){
		.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
		.events = EPOLLIN,
		.fn = on_signal,
	};
	tell(watch);
	return watch->signal.fd < 0 ? -errno : loop_fd_add(loop, &watch->signal);
}

void winsize_end(struct winsize_watch *watch)
{
	if (!watch->loop)
		return;
	loop_fd_del(watch->loop, &watch->signal);
	if (watch->signal.fd >= 0)
		close(watch->signal.fd);
	watch->loop = NULL;
}
