// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/migrate_fetch_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/core/loop.h"
#include "vmm/migrate_priv.h"

enum { PAGE = 1 << GUEST_PAGE_SHIFT };

unsigned int fetch_silence(const struct fetch *f)
{
	return f->silence_ms ? f->silence_ms : MIGRATE_SILENCE_MS;
}

void fetch_set_state(struct fetch *f, enum fetch_state state)
{
	pthread_mutex_lock(&f->lock);
	f->state = state;
	f->tries = false;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static bool flag(struct fetch *f, const bool *what)
{
	bool on;

	pthread_mutex_lock(&f->lock);
	on = *what;
	pthread_mutex_unlock(&f->lock);
	return on;
}

enum fetch_state fetch_state(struct fetch *f)
{
	enum fetch_state state = FETCH_NONE;

	if (!f->started)
		return state;
	pthread_mutex_lock(&f->lock);
	state = f->state;
	pthread_mutex_unlock(&f->lock);
	return state;
}

/* --- the link ---------------------------------------------------------------------------------- */

int fetch_nonsense(struct fail *fail, const char *what)
{
	return fail_set(fail, EXIT_MIGRATION, -EPROTO, "the source speaks nonsense: %s", what);
}

int fetch_lost_link(int err, struct fail *fail)
{
	return fail_set(fail, EXIT_MIGRATION, err, "%s",
			err == -ETIMEDOUT ? "the source has been silent for too long"
					  : "the link to the source is lost");
}

int fetch_say(struct fetch *f, const char *word, const void *data, size_t len, struct fail *fail)
{
	f->to->stop_fd = -1;
	f->to->deadline_ns = migrate_deadline(fetch_silence(f));
	frames_word(f->to, word, data, len);
	return stream_flush(f->to) ? fetch_lost_link(f->to->err, fail) : 0;
}

static int take_pages(struct fetch *f, struct fail *fail)
{
	const struct section *s = &f->from->section;
	gpa_t gpa;
	int err = -EPROTO;

	if (s->len > sizeof(gpa) && (s->len - sizeof(gpa)) % PAGE == 0) {
		memcpy(&gpa, s->data, sizeof(gpa));
		err = missing_put(&f->missing, gpa, s->data + sizeof(gpa),
				  (s->len - sizeof(gpa)) / PAGE);
	}
	return err == -EPROTO ? fetch_nonsense(fail, "a page came that is not missing") : err;
}

static int take_zeros(struct fetch *f, struct fail *fail)
{
	struct {
		uint64_t gpa, pages;
	} run = { 0 };
	int err = -EPROTO;

	if (f->from->section.len == sizeof(run)) {
		memcpy(&run, f->from->section.data, sizeof(run));
		err = missing_put(&f->missing, run.gpa, NULL, run.pages);
	}
	return err == -EPROTO ? fetch_nonsense(fail, "a page came that is not missing") : err;
}

/* The machine is this side's, which runs it. */
static int take_commit(struct fetch *f, struct fail *fail)
{
	if (!f->told || fetch_state(f) != FETCH_LOADS)
		return fetch_nonsense(fail, "it gives up the machine out of its turn");
	fetch_set_state(f, FETCH_RUNS);
	return fetch_say(f, WORD_RUNNING, NULL, 0, fail);
}

static int take_word(struct fetch *f, struct fail *fail)
{
	char text[MIGRATE_TEXT_MAX + 1];

	if (!migrate_is(f->from, WORD_CANCEL) || fetch_state(f) != FETCH_LOADS)
		return fetch_nonsense(fail, "a word has no meaning there");
	migrate_text(f->from, text);
	return fail_set(fail, EXIT_MIGRATION, -ECANCELED, "the machine stays where it was: %s",
			text);
}

static int take_frame(struct fetch *f, struct fail *fail)
{
	struct fail why = { 0 };
	int kind;

	f->from->in.stop_fd = -1;
	f->from->in.deadline_ns = migrate_deadline(fetch_silence(f));
	kind = frames_next(f->from, &why);
	f->heard = loop_now_ns();
	if (kind < 0)
		return f->from->in.err ? fetch_lost_link(f->from->in.err, fail)
				       : fetch_nonsense(fail, why.text);
	switch (kind) {
	case FRAME_PAGES:
		return take_pages(f, fail);
	case FRAME_ZEROS:
		return take_zeros(f, fail);
	case FRAME_COMMIT:
		return take_commit(f, fail);
	default:
		return take_word(f, fail);
	}
}

/* As many faults as there are. */
static int take_faults(struct fetch *f, struct fail *fail)
{
	struct pollfd p = { .fd = f->missing.uffd, .events = POLLIN };
	int err = 0;

	while (!err && poll(&p, 1, 0) > 0) {
		struct migrate_want want = { .pages = 1 };
		int ask = missing_fault(&f->missing, &want.gpa);

		if (ask < 0)
			return fail_set(fail, EXIT_HOST, ask, "cannot serve missing memory: %s",
					strerror(-ask));
		if (ask)
			err = fetch_say(f, WORD_WANT, &want, sizeof(want), fail);
	}
	return err;
}

static void take_wake(struct fetch *f)
{
	uint64_t n;

	if (read(f->wake, &n, sizeof(n)) < 0)
		return;
}

/* Milliseconds until the source is late; -1: nothing is due. */
static int time_left(const struct fetch *f)
{
	uint64_t due = f->heard + fetch_silence(f) * 1000000ULL, now = loop_now_ns();

	if (!f->missing.left && !f->told)
		return -1;
	return now >= due ? 0 : (int)((due - now) / 1000000) + 1;
}

/* Waits for something, and does it. */
static int turn(struct fetch *f, struct fail *fail)
{
	struct pollfd p[] = { { .fd = f->wake, .events = POLLIN },
			      { .fd = f->missing.uffd, .events = POLLIN },
			      { .fd = f->from->in.fd, .events = POLLIN } };
	bool buffered = migrate_buffered(f->from);
	int ready = poll(p, 3, buffered ? 0 : time_left(f)), err = 0;

	if (ready < 0 && errno != EINTR)
		return fail_set(fail, EXIT_HOST, -errno, "cannot wait: %s", strerror(errno));
	if (!ready && !buffered)
		return fetch_lost_link(-ETIMEDOUT, fail);
	if (ready > 0 && p[0].revents)
		take_wake(f);
	/* Who waits comes first. */
	if (ready > 0 && p[1].revents)
		err = take_faults(f, fail);
	if (!err && (buffered || (ready > 0 && p[2].revents)))
		err = take_frame(f, fail);
	if (!err && !f->missing.left)
		missing_end(&f->missing);
	return err;
}

/* Until all is here, or nobody needs it (0); or the link is lost. */
static int serve(struct fetch *f, struct fail *fail)
{
	int err = 0;

	f->heard = loop_now_ns();
	while (!err) {
		if (flag(f, &f->ending))
			return 0;
		if (fetch_state(f) == FETCH_RUNS && !f->missing.left)
			return 0;
		if (!f->told && flag(f, &f->loaded)) {
			err = fetch_say(f, WORD_LOADED, NULL, 0, fail);
			/* What did not go out whole is no word. */
			f->told = !err;
			f->heard = loop_now_ns();
		}
		if (!err)
			err = turn(f, fail);
	}
	return err;
}

/* --- its end, and the thread --------------------------------------------------------------------- */

/* All is here, or nobody needs it: the source may go. */
static void finish(struct fetch *f)
{
	if (!fetch_say(f, WORD_COMPLETE, NULL, 0, NULL) && flag(f, &f->ending))
		migrate_linger(f->from->in.fd, f->to->fd, fetch_silence(f));
	missing_end(&f->missing);
	fetch_set_state(f, FETCH_COMPLETE);
}

static void *fetch_thread(void *arg)
{
	struct fetch *f = arg;
	struct fail fail = { 0 };
	int err;

	f->ops->begun(f->arg);
	while ((err = serve(f, &fail)) && err != -ECANCELED && fetch_again(f, &fail))
		fail = (struct fail){ 0 };
	if (!err && fetch_state(f) == FETCH_RUNS)
		finish(f);
	pthread_mutex_lock(&f->lock);
	if (f->state == FETCH_LOADS) {
		f->state = FETCH_STAYS;
		f->why = fail;
	}
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	/* Nothing of the machine runs: who waits may see anything. */
	missing_end(&f->missing);
	f->ops->ended(f->arg, fetch_state(f) == FETCH_COMPLETE && !flag(f, &f->ending));
	return NULL;
}

/* --- what others call -------------------------------------------------------------------------- */

int fetch_start(struct fetch *f, struct frames *from, struct stream *to, struct fail *fail)
{
	int err;

	f->from = from;
	f->to = to;
	f->in = f->out = -1;
	f->state = FETCH_LOADS;
	f->loaded = f->ending = f->told = f->tries = false;
	f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->started = f->wake >= 0;
	if (!f->started)
		return fail_set(fail, EXIT_HOST, -errno, "cannot make an eventfd: %s",
				strerror(errno));
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	err = missing_begin(&f->missing, fail);
	if (!err)
		err = -pthread_create(&f->thread, NULL, fetch_thread, f);
	if (!err)
		return 0;
	missing_end(&f->missing);
	close(f->wake);
	f->started = false;
	return fail_set(fail, EXIT_HOST, err, "cannot start a thread: %s", strerror(-err));
}

static void wake(struct fetch *f)
{
	pthread_cond_broadcast(&f->changed);
	eventfd_write(f->wake, 1);
}

enum fetch_state fetch_loaded(struct fetch *f, struct fail *fail)
{
	enum fetch_state state;

	pthread_mutex_lock(&f->lock);
	f->loaded = true;
	wake(f);
	while (f->state == FETCH_LOADS)
		pthread_cond_wait(&f->changed, &f->lock);
	state = f->state;
	if (state == FETCH_LOST || state == FETCH_STAYS)
		fail_set(fail, f->why.code, -EPIPE, "%s", f->why.text);
	pthread_mutex_unlock(&f->lock);
	return state;
}

void fetch_wait(struct fetch *f)
{
	pthread_mutex_lock(&f->lock);
	while (f->state == FETCH_LOST && !f->ending)
		pthread_cond_wait(&f->changed, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

static int refuse_link(const struct fetch *f, struct fail *fail)
{
	if (f->state == FETCH_COMPLETE)
		return fail_set(fail, EXIT_CONFIG, -EBUSY,
				"all of its memory is here; if its source waits still: vmm stop "
				"--force there");
	if (f->state != FETCH_LOST || f->ending)
		return fail_set(fail, EXIT_CONFIG, -EBUSY,
				"its link is not lost: nothing is to be recovered");
	if (f->tries)
		return fail_set(fail, EXIT_CONFIG, -EBUSY,
				"somebody else has given it a link, which is being tried");
	return 0;
}

int fetch_recover(struct fetch *f, int in, int out, int client, struct fail *fail)
{
	int err;

	pthread_mutex_lock(&f->lock);
	err = refuse_link(f, fail);
	if (!err) {
		f->in = in;
		f->out = out;
		f->client = client;
		f->tries = true;
		pthread_cond_broadcast(&f->changed);
	}
	pthread_mutex_unlock(&f->lock);
	return err;
}

void fetch_end(struct fetch *f)
{
	if (!f->started)
		return;
	pthread_mutex_lock(&f->lock);
	f->ending = true;
	wake(f);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	if (f->from == &f->again)
		fetch_close_link(f);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	close(f->wake);
	f->started = false;
}
