// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/migrate_fetch.h"

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

static unsigned int silence(const struct fetch *f)
{
	return f->silence_ms ? f->silence_ms : MIGRATE_SILENCE_MS;
}

static void set_state(struct fetch *f, enum fetch_state state)
{
	pthread_mutex_lock(&f->lock);
	f->state = state;
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

static int nonsense(struct fail *fail, const char *what)
{
	return fail_set(fail, EXIT_MIGRATION, -EPROTO, "the source speaks nonsense: %s", what);
}

static int lost(int err, struct fail *fail)
{
	return fail_set(fail, EXIT_MIGRATION, err, "%s",
			err == -ETIMEDOUT ? "the source has been silent for too long"
					  : "the link to the source is lost");
}

static int say(struct fetch *f, const char *word, const void *data, size_t len, struct fail *fail)
{
	f->to->stop_fd = -1;
	f->to->deadline_ns = migrate_deadline(silence(f));
	frames_word(f->to, word, data, len);
	return stream_flush(f->to) ? lost(f->to->err, fail) : 0;
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
	return err == -EPROTO ? nonsense(fail, "a page came that is not missing") : err;
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
	return err == -EPROTO ? nonsense(fail, "a page came that is not missing") : err;
}

/* The machine is this side's, which runs it. */
static int take_commit(struct fetch *f, struct fail *fail)
{
	if (!f->told || fetch_state(f) != FETCH_LOADS)
		return nonsense(fail, "it gives up the machine out of its turn");
	set_state(f, FETCH_RUNS);
	return say(f, WORD_RUNNING, NULL, 0, fail);
}

static int take_word(struct fetch *f, struct fail *fail)
{
	char text[MIGRATE_TEXT_MAX + 1];

	if (!migrate_is(f->from, WORD_CANCEL) || fetch_state(f) != FETCH_LOADS)
		return nonsense(fail, "a word has no meaning there");
	migrate_text(f->from, text);
	return fail_set(fail, EXIT_MIGRATION, -ECANCELED, "the machine stays where it was: %s",
			text);
}

static int take_frame(struct fetch *f, struct fail *fail)
{
	struct fail why = { 0 };
	int kind;

	f->from->in.stop_fd = -1;
	f->from->in.deadline_ns = migrate_deadline(silence(f));
	kind = frames_next(f->from, &why);
	f->heard = loop_now_ns();
	if (kind < 0)
		return f->from->in.err ? lost(f->from->in.err, fail) : nonsense(fail, why.text);
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
			err = say(f, WORD_WANT, &want, sizeof(want), fail);
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
	uint64_t due = f->heard + silence(f) * 1000000ULL, now = loop_now_ns();

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
		return lost(-ETIMEDOUT, fail);
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
			err = say(f, WORD_LOADED, NULL, 0, fail);
			/* What did not go out whole is no word. */
			f->told = !err;
			f->heard = loop_now_ns();
		}
		if (!err)
			err = turn(f, fail);
	}
	return err;
}

/* --- after a lost link ------------------------------------------------------------------------- */

/* Who sees its end need not wait for silence. */
static void close_link(struct fetch *f)
{
	if (f->from)
		shutdown(f->from->in.fd, SHUT_RDWR);
	if (f->from == &f->again) {
		close(f->again.in.fd);
		if (f->again_to.fd != f->again.in.fd)
			close(f->again_to.fd);
		stream_close(&f->again_to);
		frames_close(&f->again);
	}
	f->from = NULL;
}

static int take_hello(struct fetch *f, struct fail *fail)
{
	struct migrate_hello hello = { 0 };
	struct fail why = { 0 };
	int kind;

	f->from->in.deadline_ns = migrate_deadline(silence(f));
	if (frames_begun(f->from, &why))
		return nonsense(fail, "no vmm send --recover begins so");
	kind = frames_next(f->from, &why);
	if (kind < 0)
		return f->from->in.err ? lost(f->from->in.err, fail) : nonsense(fail, why.text);
	if (!migrate_is(f->from, WORD_RECOVER))
		return nonsense(fail, "no vmm send --recover begins so");
	if (f->from->section.len == sizeof(hello))
		memcpy(&hello, f->from->section.data, sizeof(hello));
	if (hello.version != MIGRATE_VERSION || memcmp(hello.id, f->id, sizeof(hello.id)))
		return fail_set(fail, EXIT_MIGRATION, -EPROTO,
				"it is not where this machine comes from");
	return 0;
}

static int greet_again(struct fetch *f, struct fail *fail)
{
	int err = take_hello(f, fail);

	/* Who sends that has given up the machine. */
	if (!err)
		err = f->ops->found(f->arg, fail);
	stream_open_fd(&f->again_to, f->again_to.fd, true);
	f->to->deadline_ns = migrate_deadline(silence(f));
	frames_begin(f->to);
	if (err && !f->from->in.err)
		say(f, WORD_REFUSED, fail->text, strlen(fail->text), NULL);
	for (unsigned int r = 0; !err && r < f->missing.mem->nram; r++) {
		uint64_t words;
		const uint64_t *bits = missing_bits(&f->missing, r, &words);

		if (bits)
			migrate_put_missing(f->to, f->missing.mem->ram[r].base, bits, words);
	}
	return err ? err : say(f, WORD_RECOVERING, NULL, 0, fail);
}

/* Those who wait already. */
static int ask_again(struct fetch *f, struct fail *fail)
{
	struct migrate_want want = { .pages = 1 };
	int err = 0;

	for (; !err && missing_asked(&f->missing, &want.gpa); want.gpa += PAGE)
		err = say(f, WORD_WANT, &want, sizeof(want), fail);
	return err;
}

/* Waits for another link: false when nobody needs one any more. */
static bool wait_again(struct fetch *f)
{
	bool ending;
	int in, out;

	pthread_mutex_lock(&f->lock);
	while (!f->ending && f->in < 0)
		pthread_cond_wait(&f->changed, &f->lock);
	in = f->in;
	out = f->out;
	f->in = f->out = -1;
	ending = f->ending;
	pthread_mutex_unlock(&f->lock);
	if (in >= 0) {
		frames_attach(&f->again, in);
		f->again_to = (struct stream){ .fd = out };
		f->from = &f->again;
		f->to = &f->again_to;
	}
	return !ending;
}

static void set_lost(struct fetch *f, bool runs, const struct fail *why)
{
	pthread_mutex_lock(&f->lock);
	f->state = FETCH_LOST;
	f->why = *why;
	f->why.code = EXIT_UNDECIDED;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	f->ops->lost(f->arg, runs, why->text);
}

/* The link is lost. Before all was loaded the source keeps the machine; after that it is nobody's but
 * this side's, or of whoever decides so. True when there is another link. */
static bool again(struct fetch *f, const struct fail *fail)
{
	bool runs = fetch_state(f) == FETCH_RUNS;
	struct fail why = *fail;
	int err;

	if (!runs && !f->told)
		return false;
	do {
		close_link(f);
		set_lost(f, runs, &why);
		if (!wait_again(f))
			return false;
		why = (struct fail){ 0 };
		err = greet_again(f, &why);
		if (!err)
			set_state(f, FETCH_RUNS);
		if (!err)
			err = ask_again(f, &why);
		runs |= !err;
	} while (err);
	return true;
}

static void *fetch_thread(void *arg)
{
	struct fetch *f = arg;
	struct fail fail = { 0 };
	int err;

	while ((err = serve(f, &fail)) && err != -ECANCELED && again(f, &fail))
		fail = (struct fail){ 0 };
	if (!err && fetch_state(f) == FETCH_RUNS) {
		if (!say(f, WORD_COMPLETE, NULL, 0, NULL) && flag(f, &f->ending))
			migrate_linger(f->from->in.fd, f->to->fd, silence(f));
		missing_end(&f->missing);
		set_state(f, FETCH_COMPLETE);
		if (!flag(f, &f->ending))
			f->ops->complete(f->arg);
	}
	pthread_mutex_lock(&f->lock);
	if (f->state == FETCH_LOADS) {
		f->state = FETCH_STAYS;
		f->why = fail;
	}
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	/* Nothing of the machine runs: who waits may see anything. */
	missing_end(&f->missing);
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
	f->loaded = f->ending = f->told = false;
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

int fetch_recover(struct fetch *f, int in, int out, struct fail *fail)
{
	int err = 0;

	if (fetch_state(f) == FETCH_NONE)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"it does not wait for its memory: nothing is to be recovered");
	pthread_mutex_lock(&f->lock);
	if (f->state != FETCH_LOST || f->in >= 0)
		err = fail_set(fail, EXIT_CONFIG, -EBUSY,
			       "its link is not lost: nothing is to be recovered");
	if (!err) {
		f->in = in;
		f->out = out;
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
		close_link(f);
	if (f->in >= 0)
		close(f->in);
	if (f->out >= 0 && f->out != f->in)
		close(f->out);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	close(f->wake);
	f->started = false;
}
