// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/standin.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void *standin_thread(void *arg)
{
	struct standin *s = arg;

	loop_run(s->loop);
	return NULL;
}

static void on_signal(struct loop_fd *src, uint32_t events)
{
	struct standin *s = container_of(src, struct standin, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(src->fd, &info, sizeof(info)) == sizeof(info))
		s->on_signal(s->arg, (int)info.ssi_signo);
}

int standin_start(struct standin *s, const char *name, int listen_fd, const struct control_ops *ops,
		  void *arg, int signal_fd, void (*on_signal_fn)(void *arg, int sig))
{
	const struct control_target target = { .name = name, .ops = ops, .arg = arg };
	int err;

	standin_close(s);
	*s = (struct standin){ .arg = arg, .on_signal = on_signal_fn };
	s->signals = (struct loop_fd){ .fd = signal_fd, .fn = on_signal };
	err = loop_create(&s->loop);
	if (!err)
		err = control_create(s->loop, listen_fd, &target, &s->control);
	if (!err && signal_fd >= 0)
		err = loop_fd_add(s->loop, &s->signals);
	if (!err)
		err = -pthread_create(&s->thread, NULL, standin_thread, s);
	s->running = !err;
	if (err)
		standin_close(s);
	return err;
}

static void on_turn(struct loop_work *work)
{
	container_of(work, struct standin, turn)->turned = true;
}

uint64_t standin_patience(struct standin *s, struct loop *of)
{
	if (s->of && !s->turned)
		return 0;
	s->of = of;
	s->turned = false;
	s->turn.fn = on_turn;
	loop_post(of, &s->turn);
	return STANDIN_LATE_MS * 1000000;
}

void standin_signals(struct standin *s, bool on)
{
	if (s->running)
		loop_fd_mod(s->loop, &s->signals, on ? EPOLLIN : 0);
}

void standin_stop(struct standin *s)
{
	if (!s->running)
		return;
	loop_stop(s->loop);
	pthread_join(s->thread, NULL);
	s->running = false;
}

void standin_close(struct standin *s)
{
	standin_stop(s);
	if (s->of)
		loop_post_cancel(s->of, &s->turn);
	s->of = NULL;
	control_destroy(s->control);
	s->control = NULL;
	if (s->loop)
		loop_fd_del(s->loop, &s->signals);
	loop_destroy(s->loop);
	s->loop = NULL;
}
