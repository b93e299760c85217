// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/loop.h"
#include "vmm/migrate_priv.h"
#include "vmm/snapshot_priv.h"

/* The source's side, from its first word to its last. Its thread waits; the machine need not. */

enum {
	PAGE = 1 << GUEST_PAGE_SHIFT,
	ENOUGH = 16 * PAGE, /* bytes that are worth no further round */
};

static const uint64_t SECOND = 1000000000;

static int prepare(struct sender *s, struct fail *fail)
{
	const struct migrate_hello hello = { MIGRATE_VERSION };

	stream_open_fd(&s->to, s->out, true);
	s->to.stop_fd = s->stop_fd;
	/* First of all: whatever follows, even if it is that nothing will, is understood. */
	frames_begin(&s->to);
	frames_word(&s->to, WORD_HANDOVER, &hello, sizeof(hello));
	s->copy = malloc((size_t)SENDER_RUN * PAGE);
	for (unsigned int r = 0; s->copy && r < s->mem->nram; r++) {
		uint64_t pages = guest_ram_pages(&s->mem->ram[r]);

		s->stats.total += pages * PAGE;
		s->bits[r] = calloc((pages + 63) / 64, sizeof(uint64_t));
		if (!s->bits[r])
			return fail_set(fail, EXIT_MIGRATION, -ENOMEM, "out of memory");
		memset(s->bits[r], 0xff, pages / 8);
		for (uint64_t p = pages & ~7ULL; p < pages; p++)
			s->bits[r][p / 64] |= UINT64_C(1) << p % 64;
	}
	return s->copy ? 0 : fail_set(fail, EXIT_MIGRATION, -ENOMEM, "out of memory");
}

static void send_sections(struct sender *s)
{
	for (unsigned int i = 0; i < s->snap.n; i++) {
		frames_section(&s->to, &s->snap.sections[i]);
		s->stats.bytes += sizeof(struct section_head) + s->snap.sections[i].len;
	}
	snapshot_free(&s->snap);
}

/* The other side makes the machine, and says whether it can, before anything stops. */
static int introduce(struct sender *s, struct fail *fail)
{
	struct fail wrong = { 0 };
	int err = s->ops->begin(s->arg, &s->snap, fail);

	/* At first the log has all pages, as the first round does: what it has later is new. */
	if (!err)
		err = sender_collect(s, fail);
	if (err)
		return err;
	sender_wait_silence(s);
	send_sections(s);
	frames_word(&s->to, WORD_CHECK, NULL, 0);
	if (stream_flush(&s->to))
		return sender_write_failed(s, fail);
	sender_wait_silence(s);
	err = frames_begun(&s->from, &wrong);
	if (err)
		return s->from.in.err ? sender_link_failed(s, s->from.in.err, fail)
				      : fail_set(fail, EXIT_MIGRATION, err,
						 "what answers is no vmm receive");
	sender_wait_silence(s);
	return sender_expect(s, WORD_READY, fail);
}

/* Whether what is left goes in half of the time that the machine may stand still: its state and the
 * other side's work need some of it, too. */
static bool little_left(const struct sender *s)
{
	uint64_t ms = s->downtime_ns / 1000000 / 2;

	return s->stats.pending <= ENOUGH ||
	       s->stats.pending / 1000 <= s->stats.rate / 1000 * ms / 1000;
}

static int not_in_time(const struct sender *s, struct fail *fail)
{
	unsigned long long ms = s->downtime_ns / 1000000, kib = s->stats.pending >> 10;

	if (s->timeout_ns && s->stats.total_ns > s->timeout_ns)
		return fail_set(fail, EXIT_MIGRATION, -ETIMEDOUT,
				"%llu s were not enough (--timeout): %llu KiB are left",
				(unsigned long long)(s->timeout_ns / SECOND), kib);
	return fail_set(fail, EXIT_MIGRATION, -ETIMEDOUT,
			"the guest writes faster than the link carries: after %u rounds %llu KiB "
			"are left, too much for %llu ms; allow more by --downtime",
			s->stats.rounds, kib, ms);
}

/* Memory, while the machine runs, until little is left. */
static int rounds(struct sender *s, struct fail *fail)
{
	int err = 0;

	s->first = true;
	s->paced = loop_now_ns();
	for (s->stats.rounds = 1; !err; s->stats.rounds++) {
		err = sender_pages(s, fail);
		if (!err)
			err = sender_collect(s, fail);
		if (err)
			break;
		s->stats.rate = s->stats.bytes * 1000 / ((loop_now_ns() - s->paced) / 1000000 + 1);
		sender_report(s, true);
		if (little_left(s))
			break;
		if (s->stats.rounds == MIGRATE_ROUNDS_MAX ||
		    (s->timeout_ns && s->stats.total_ns > s->timeout_ns))
			err = not_in_time(s, fail);
	}
	return err;
}

/* The rest, while it stands still. */
static int finish(struct sender *s, struct fail *fail)
{
	struct migrate_sum sum = { .has = s->verify };
	int err;

	s->stopped = loop_now_ns();
	err = s->ops->stop(s->arg, &s->snap, fail);
	if (!err)
		err = sender_collect(s, fail);
	if (err)
		return err;
	sender_wait_downtime(s);
	err = sender_pages(s, fail);
	if (err)
		return err;
	send_sections(s);
	if (s->verify)
		sum.sum = migrate_ram_sum(s->mem);
	frames_word(&s->to, WORD_END, &sum, sizeof(sum));
	if (stream_flush(&s->to))
		return sender_write_failed(s, fail);
	err = sender_expect(s, WORD_LOADED, fail);
	return err					     ? err
	       : loop_now_ns() > s->stopped + s->downtime_ns ? sender_too_long(s, fail)
							     : 0;
}

/* From here on it cannot be cancelled. The machine is the source's as long as its last word has not
 * gone out whole: of a part of it nobody takes notice. */
static enum migrate_end commit(struct sender *s, struct fail *fail)
{
	struct fail why = { 0 };

	if (sender_look(s, fail))
		return MIGRATE_STAYED;
	s->to.stop_fd = s->from.in.stop_fd = -1;
	sender_wait_silence(s);
	s->ops->give_up(s->arg);
	if (frames_commit(&s->to)) {
		sender_link_failed(s, s->to.err, fail);
		return MIGRATE_STAYED;
	}
	if (!sender_expect(s, WORD_RUNNING, &why)) {
		s->stats.down_ns = loop_now_ns() - s->stopped;
		return MIGRATE_MOVED;
	}
	fail_set(fail, EXIT_UNDECIDED, -EPIPE,
		 "the destination was told to go on, and has not said that it does: %s", why.text);
	return MIGRATE_UNDECIDED;
}

enum migrate_end migrate_send(struct sender *s, struct fail *fail)
{
	enum migrate_end end = MIGRATE_STAYED;
	int err;

	s->began = loop_now_ns();
	snapshot_init(&s->snap);
	frames_attach(&s->from, s->in);
	s->from.in.stop_fd = s->stop_fd;
	err = prepare(s, fail);
	if (!err)
		err = introduce(s, fail);
	if (!err)
		err = rounds(s, fail);
	if (!err)
		err = finish(s, fail);
	if (!err)
		end = commit(s, fail);
	if (end == MIGRATE_STAYED)
		sender_cancel(s, fail);
	s->stats.total_ns = loop_now_ns() - s->began;
	stream_close(&s->to);
	frames_close(&s->from);
	snapshot_free(&s->snap);
	for (unsigned int r = 0; r < s->mem->nram; r++)
		free(s->bits[r]);
	free(s->copy);
	return end;
}
