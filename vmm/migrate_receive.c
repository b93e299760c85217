// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/core/loop.h"
#include "vmm/migrate_priv.h"

/* The destination's side. What comes is untrusted; until the commit, nothing runs. */

enum { LAST_WORD_MS = 1000 };

static unsigned int silence(const struct receiver *r)
{
	return r->silence_ms ? r->silence_ms : MIGRATE_SILENCE_MS;
}

static void wait_silence(struct receiver *r)
{
	r->frames.in.stop_fd = r->stop_fd;
	r->frames.in.deadline_ns = r->two_way || r->silence_ms ? migrate_deadline(silence(r)) : 0;
}

/* The next frame. */
static int next(struct receiver *r, struct fail *fail)
{
	char text[MIGRATE_TEXT_MAX + 1];
	int kind;

	wait_silence(r);
	kind = frames_next(&r->frames, fail);
	if (kind != FRAME_WORD || !migrate_is(&r->frames, WORD_CANCEL))
		return kind;
	r->over = true;
	migrate_text(&r->frames, text);
	return fail_set(fail, EXIT_MIGRATION, -ECANCELED, "the machine stays where it was: %s",
			text);
}

static int say(struct receiver *r, const char *word, const void *data, size_t len)
{
	r->to.stop_fd = r->stop_fd;
	r->to.deadline_ns = migrate_deadline(silence(r));
	frames_word(&r->to, word, data, len);
	return stream_flush(&r->to);
}

static int answer(struct receiver *r, const char *word, const void *data, size_t len,
		  struct fail *fail)
{
	if (!say(r, word, data, len))
		return 0;
	return fail_set(fail, EXIT_MIGRATION, r->to.err, "the link to the source is lost: %s",
			strerror(-r->to.err));
}

static int meaningless(struct fail *fail)
{
	return fail_set(fail, EXIT_SNAPSHOT, -EPROTO,
			"the stream holds no machine: a word in it has no meaning there");
}

/* --- in order ---------------------------------------------------------------------------------- */

static int greet(struct receiver *r, struct fail *fail)
{
	struct migrate_hello hello = { 0 };
	uint64_t len = r->frames.section.len;

	/* It grows at its end: who says less cannot do more. */
	if (len)
		memcpy(&hello, r->frames.section.data, len < sizeof(hello) ? len : sizeof(hello));
	memcpy(r->fetch.id, hello.id, sizeof(hello.id));
	r->postcopy = hello.flags & MIGRATE_POSTCOPY;
	r->two_way = true;
	stream_open_fd(&r->to, r->out, true);
	frames_begin(&r->to);
	if (hello.version == MIGRATE_VERSION)
		return 0;
	return fail_set(fail, EXIT_SNAPSHOT, -ENOTSUP,
			"the source speaks version %u of the handover, this vmm %u", hello.version,
			MIGRATE_VERSION);
}

int receiver_open(struct receiver *r, struct snapshot *snap, struct fail *fail)
{
	int kind, err;

	r->two_way = r->over = r->postcopy = false;
	r->to = (struct stream){ .fd = -1 };
	frames_attach(&r->frames, r->in);
	wait_silence(r);
	err = frames_begun(&r->frames, fail);
	kind = err ? err : next(r, fail);
	if (kind == FRAME_WORD && migrate_is(&r->frames, WORD_HANDOVER)) {
		err = greet(r, fail);
		kind = err ? err : next(r, fail);
	}
	while (kind == FRAME_SECTION) {
		err = frames_take_section(&r->frames, snap, fail);
		kind = err ? err : next(r, fail);
	}
	if (kind < 0)
		return kind;
	return r->two_way && !migrate_is(&r->frames, WORD_CHECK) ? meaningless(fail) : 0;
}

int receiver_ready(struct receiver *r, struct fail *fail)
{
	const uint32_t flags = r->postcopy ? MIGRATE_POSTCOPY : 0;
	int err = r->postcopy ? missing_possible(fail) : 0;

	return err ? err : answer(r, WORD_READY, &flags, sizeof(flags), fail);
}

static int check_sum(const struct receiver *r, const struct guest_mem *mem, struct fail *fail)
{
	struct migrate_sum sum = { 0 };

	if (r->frames.section.len != sizeof(sum))
		return meaningless(fail);
	memcpy(&sum, r->frames.section.data, sizeof(sum));
	if (!sum.has || sum.sum == migrate_ram_sum(mem))
		return 0;
	return fail_set(fail, EXIT_SNAPSHOT, -EBADMSG,
			"memory is not the same as at the source: its checksum differs");
}

static int take_missing(struct receiver *r, struct fail *fail)
{
	uint64_t words = 0;
	gpa_t base = 0;
	const uint64_t *bits = migrate_get_missing(&r->frames, &base, &words);
	int err =
		bits && r->postcopy ? missing_mark(&r->fetch.missing, base, bits, words) : -EPROTO;

	if (err == -EPROTO)
		return fail_set(fail, EXIT_SNAPSHOT, err,
				"the stream holds no machine: memory is missing where it has none");
	return err ? fail_set(fail, EXIT_HOST, err, "out of memory") : 0;
}

int receiver_memory(struct receiver *r, struct snapshot *snap, const struct guest_mem *mem,
		    struct fail *fail)
{
	int kind = next(r, fail), err = 0;

	missing_init(&r->fetch.missing, mem);
	while (!err && kind >= 0 && !migrate_is(&r->frames, WORD_END)) {
		if (migrate_is(&r->frames, WORD_MISSING))
			err = take_missing(r, fail);
		else if (r->two_way && migrate_is(&r->frames, WORD_ROUND))
			err = answer(r, WORD_TAKEN, NULL, 0, fail);
		else
			err = frames_take(&r->frames, snap, mem, fail);
		kind = err ? err : next(r, fail);
	}
	if (kind < 0)
		return kind;
	return err ? err : check_sum(r, mem, fail);
}

int receiver_fetch(struct receiver *r, const struct fetch_ops *ops, void *arg, struct fail *fail)
{
	struct fetch *f = &r->fetch;

	if (!f->missing.left)
		return 0;
	f->ops = ops;
	f->arg = arg;
	f->silence_ms = r->silence_ms;
	return fetch_start(f, &r->frames, &r->to, fail);
}

/* The link is another thread's: what it heard. */
static enum migrate_end loaded_fetching(struct receiver *r, struct fail *fail)
{
	switch (fetch_loaded(&r->fetch, fail)) {
	case FETCH_LOST:
		return MIGRATE_PAUSED;
	case FETCH_STAYS:
		return MIGRATE_STAYED;
	default:
		r->over = true;
		return MIGRATE_MOVED;
	}
}

enum migrate_end receiver_loaded(struct receiver *r, struct fail *fail)
{
	struct fail why = { 0 };
	int kind;

	if (fetch_state(&r->fetch) != FETCH_NONE)
		return loaded_fetching(r, fail);
	/* What did not go out whole is no word: the source takes its machine back. */
	if (say(r, WORD_LOADED, NULL, 0)) {
		fail_set(fail, EXIT_MIGRATION, r->to.err, "the link to the source is lost");
		return MIGRATE_STAYED;
	}
	r->stop_fd = -1;
	kind = next(r, &why);
	if (kind == FRAME_COMMIT) {
		r->over = true;
		return MIGRATE_MOVED;
	}
	fail_set(fail, r->over ? EXIT_MIGRATION : EXIT_UNDECIDED, -EPIPE, "%s",
		 r->over ? why.text
			 : "the link was lost before the source said whose the machine is");
	if (r->over)
		return MIGRATE_STAYED;
	r->over = true;
	return MIGRATE_UNDECIDED;
}

void receiver_runs(struct receiver *r)
{
	/* Who fetches has said so. */
	if (fetch_state(&r->fetch) == FETCH_NONE)
		say(r, WORD_RUNNING, NULL, 0);
}

static unsigned int last_word(const struct receiver *r)
{
	return silence(r) < LAST_WORD_MS ? silence(r) : LAST_WORD_MS;
}

/* As much of the list as the source takes, in whole lines. */
static void say_refused(struct receiver *r, const char *why)
{
	char text[sizeof(((struct fail *)0)->text) + MIGRATE_LIST_MAX + 1];
	size_t room = MIGRATE_LIST_MAX, len = r->reasons ? strlen(r->reasons) : 0;

	if (len > room)
		while (room && r->reasons[room - 1] != '\n')
			room--;
	snprintf(text, sizeof(text), "%s%s%.*s", why, len ? "\n" : "", (int)room,
		 len ? r->reasons : "");
	frames_word(&r->to, WORD_REFUSED, text, strlen(text));
}

void receiver_close(struct receiver *r, const struct fail *fail)
{
	fetch_end(&r->fetch);
	missing_end(&r->fetch.missing);
	if (r->two_way && fail && fail->text[0] && !r->over && !r->to.err) {
		r->to.stop_fd = -1;
		r->to.deadline_ns = migrate_deadline(last_word(r));
		say_refused(r, fail->text);
		if (!stream_flush(&r->to))
			migrate_linger(r->in, r->out, last_word(r));
	}
	stream_close(&r->to);
	frames_close(&r->frames);
}
