// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "vmm/core/loop.h"
#include "vmm/migrate_priv.h"

/*
 * The source's side of post-copy: the destination runs, or is about to, and asks for the pages that
 * somebody there waits for. They go first; between them all others, on from where was asked last,
 * since what is near is wanted next. Nothing of RAM changes or goes here before all of it is there.
 */

enum {
	PAGE = 1 << GUEST_PAGE_SHIFT,
	STEP = 16, /* pages that a request may have to wait for */
};

static void count_left(struct sender *s)
{
	s->left = s->at = s->at_ram = 0;
	for (unsigned int r = 0; r < s->mem->nram; r++)
		for (uint64_t i = 0; i < (guest_ram_pages(&s->mem->ram[r]) + 63) / 64; i++)
			s->left += (uint64_t)__builtin_popcountll(s->bits[r][i]);
	s->stats.missing = s->stats.total = s->left * PAGE;
	s->paced = loop_now_ns();
	s->paced_bytes = s->stats.bytes;
	s->stats.done = 0;
}

void sender_say_missing(struct sender *s)
{
	/* It drops those, whatever they were: all of them are sent. */
	sender_forget(s);
	count_left(s);
	for (unsigned int r = 0; s->left && r < s->mem->nram; r++)
		migrate_put_missing(&s->to, s->mem->ram[r].base, s->bits[r],
				    (guest_ram_pages(&s->mem->ram[r]) + 63) / 64);
}

static void send_some(struct sender *s, unsigned int r, uint64_t at, uint64_t end)
{
	unsigned int n = sender_block(s, r, at, end);

	s->left -= n;
	s->stats.done += (uint64_t)n * PAGE;
}

/* What it asks for and has been sent is on its way. */
static int grant(struct sender *s, struct fail *fail)
{
	struct migrate_want want = { 0 };
	unsigned int r = 0;

	if (s->from.section.len == sizeof(want))
		memcpy(&want, s->from.section.data, sizeof(want));
	while (want.pages && want.pages <= SENDER_RUN && r < s->mem->nram &&
	       !guest_ram_ptr(&s->mem->ram[r], want.gpa, want.pages * PAGE))
		r++;
	if (!want.pages || want.pages > SENDER_RUN || want.gpa % PAGE || r == s->mem->nram)
		return fail_set(fail, EXIT_MIGRATION, -EPROTO,
				"the destination asks for memory that the machine does not have");
	s->stats.wanted++;
	s->at_ram = r;
	s->at = (want.gpa - s->mem->ram[r].base) / PAGE;
	send_some(s, r, s->at, s->at + want.pages);
	return stream_flush(&s->to) ? sender_write_failed(s, fail) : 0;
}

/* The next few pages in order; there are some. */
static int push(struct sender *s, struct fail *fail)
{
	uint64_t pages = guest_ram_pages(&s->mem->ram[s->at_ram]), end;

	while (s->at < pages && !s->bits[s->at_ram][s->at / 64])
		s->at = (s->at / 64 + 1) * 64;
	if (s->at >= pages) {
		s->at_ram = (s->at_ram + 1) % s->mem->nram;
		s->at = 0;
		return 0;
	}
	end = (s->at / STEP + 1) * STEP;
	end = end < pages ? end : pages;
	send_some(s, s->at_ram, s->at, end);
	s->at = end;
	if (!s->left)
		stream_flush(&s->to);
	return s->to.err ? sender_write_failed(s, fail) : 0;
}

/* Whether the other side has said something, or somebody has cancelled, before the bandwidth allows
 * more: 1, 0, or an error. */
static int heard(struct sender *s, struct fail *fail)
{
	struct pollfd p = { .fd = s->in, .events = POLLIN };
	uint64_t due = sender_due(s), now = loop_now_ns();
	int err = sender_cancelled(s, fail), ms = 0;

	if (err || migrate_buffered(&s->from))
		return err ? err : 1;
	if (s->left && now < due)
		ms = (int)((due - now) / 1000000) + 1;
	/* Nothing else is to be done. */
	return !s->left || poll(&p, 1, ms) > 0;
}

/* One thing that the other side says: 1 when it is `word`. */
static int take_word(struct sender *s, const char *word, struct fail *fail)
{
	int err = sender_hear(s, fail);

	if (err || migrate_is(&s->from, word))
		return err ? err : 1;
	if (s->postcopy && migrate_is(&s->from, WORD_WANT))
		return grant(s, fail);
	return fail_set(fail, EXIT_MIGRATION, -EPROTO, "the destination speaks out of its turn");
}

int sender_serve(struct sender *s, const char *word, struct fail *fail)
{
	int err = stream_flush(&s->to) ? sender_write_failed(s, fail) : 0;

	while (!err) {
		int said;

		if (!s->hurried)
			sender_wait_silence(s);
		said = heard(s, fail);
		err = said < 0 ? said : said ? take_word(s, word, fail) : push(s, fail);
		sender_report(s, false);
	}
	return err > 0 ? 0 : err;
}

/* --- after a lost link ------------------------------------------------------------------------- */

/* The destination says itself what it lacks. */
static int take_missing(struct sender *s, struct fail *fail)
{
	uint64_t words = 0;
	gpa_t base = 0;
	const uint64_t *bits = migrate_get_missing(&s->from, &base, &words);
	unsigned int r = 0;
	uint64_t pages;

	while (r < s->mem->nram && s->mem->ram[r].base != base)
		r++;
	pages = r < s->mem->nram ? guest_ram_pages(&s->mem->ram[r]) : 0;
	if (!bits || !pages || words != (pages + 63) / 64 ||
	    (pages % 64 && bits[words - 1] >> pages % 64))
		return fail_set(fail, EXIT_MIGRATION, -EPROTO,
				"the destination lacks memory that the machine does not have");
	memcpy(s->bits[r], bits, words * sizeof(*bits));
	return 0;
}

static int greet_again(struct sender *s, struct fail *fail)
{
	struct migrate_hello hello = { .version = MIGRATE_VERSION, .flags = MIGRATE_POSTCOPY };
	struct fail wrong = { 0 };
	int err;

	memcpy(hello.id, s->id, sizeof(hello.id));
	frames_begin(&s->to);
	frames_word(&s->to, WORD_RECOVER, &hello, sizeof(hello));
	sender_wait_silence(s);
	if (stream_flush(&s->to))
		return sender_write_failed(s, fail);
	err = frames_begun(&s->from, &wrong);
	if (err)
		return s->from.in.err ? sender_link_failed(s, s->from.in.err, fail)
				      : fail_set(fail, EXIT_MIGRATION, err,
						 "what answers is no vmm receive --recover");
	while (!(err = sender_hear(s, fail)) && migrate_is(&s->from, WORD_MISSING) &&
	       !(err = take_missing(s, fail)))
		;
	if (err || migrate_is(&s->from, WORD_RECOVERING))
		return err;
	return fail_set(fail, EXIT_MIGRATION, -EPROTO, "the destination speaks out of its turn");
}

enum migrate_end migrate_recover(struct sender *s, struct fail *fail)
{
	struct fail why = { 0 };
	int err = sender_prepare(s, &why);

	if (!err)
		err = greet_again(s, &why);
	if (!err) {
		s->runs_there = true;
		count_left(s);
		err = sender_serve(s, WORD_COMPLETE, &why);
	}
	sender_end(s);
	if (!err)
		return MIGRATE_MOVED;
	fail_set(fail, EXIT_UNDECIDED, err,
		 "the destination has not said that it has all of its memory: %s", why.text);
	return MIGRATE_PAUSED;
}
