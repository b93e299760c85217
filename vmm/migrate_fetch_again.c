// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/migrate_fetch_priv.h"
#include "vmm/migrate_priv.h"

/* Post-copy's destination behind a lost link: until another is there, and the right one. */

enum { PAGE = 1 << GUEST_PAGE_SHIFT };

/* Who sees its end need not wait for silence. */
void fetch_close_link(struct fetch *f)
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

	f->from->in.deadline_ns = migrate_deadline(fetch_silence(f));
	kind = frames_begun(f->from, &why);
	if (!kind)
		kind = frames_next(f->from, &why);
	if (kind < 0 && f->from->in.err)
		return fetch_lost_link(f->from->in.err, fail);
	if (kind < 0 || !migrate_is(f->from, WORD_RECOVER))
		return fetch_nonsense(fail, "no vmm send --recover begins so");
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
	f->to->deadline_ns = migrate_deadline(fetch_silence(f));
	frames_begin(f->to);
	if (err && !f->from->in.err)
		fetch_say(f, WORD_REFUSED, fail->text, strlen(fail->text), NULL);
	for (unsigned int r = 0; !err && r < f->missing.mem->nram; r++) {
		uint64_t words;
		const uint64_t *bits = missing_bits(&f->missing, r, &words);

		if (bits)
			migrate_put_missing(f->to, f->missing.mem->ram[r].base, bits, words);
	}
	return err ? err : fetch_say(f, WORD_RECOVERING, NULL, 0, fail);
}

/* Those who wait already. */
static int ask_again(struct fetch *f, struct fail *fail)
{
	struct migrate_want want = { .pages = 1 };
	int err = 0;

	for (; !err && missing_asked(&f->missing, &want.gpa); want.gpa += PAGE)
		err = fetch_say(f, WORD_WANT, &want, sizeof(want), fail);
	return err;
}

/* Waits for another link: false when nobody needs one any more. */
static bool wait_again(struct fetch *f)
{
	bool ending;
	int in, out, client;

	pthread_mutex_lock(&f->lock);
	while (!f->ending && f->in < 0)
		pthread_cond_wait(&f->changed, &f->lock);
	in = f->in;
	out = f->out;
	client = f->client;
	f->in = f->out = -1;
	ending = f->ending;
	pthread_mutex_unlock(&f->lock);
	if (in >= 0) {
		frames_attach(&f->again, in);
		f->again_to = (struct stream){ .fd = out };
		f->from = &f->again;
		f->to = &f->again_to;
		f->ops->tried(f->arg, client);
	}
	return !ending;
}

static void set_lost(struct fetch *f, bool runs, const struct fail *why)
{
	pthread_mutex_lock(&f->lock);
	f->state = FETCH_LOST;
	f->tries = false;
	f->why = *why;
	f->why.code = EXIT_UNDECIDED;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	f->ops->lost(f->arg, runs, why->text);
}

/* The link is lost. Before all was loaded the source keeps the machine; after that it is nobody's but
 * this side's, or of whoever decides so. True when there is another link. */
bool fetch_again(struct fetch *f, const struct fail *fail)
{
	bool runs = fetch_state(f) == FETCH_RUNS;
	struct fail why = *fail;
	int err;

	if (!runs && !f->told)
		return false;
	do {
		fetch_close_link(f);
		set_lost(f, runs, &why);
		if (!wait_again(f))
			return false;
		why = (struct fail){ 0 };
		err = greet_again(f, &why);
		if (err)
			continue;
		fetch_set_state(f, FETCH_RUNS);
		runs = true;
		err = ask_again(f, &why);
	} while (err);
	return true;
}
