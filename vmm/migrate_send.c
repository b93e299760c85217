// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "vmm/core/loop.h"
#include "vmm/core/pagemap.h"
#include "vmm/migrate_priv.h"
#include "vmm/snapshot_priv.h"

/* The source's side, from its first word to its last. Its thread waits; the machine need not. */

enum {
	PAGE = 1 << GUEST_PAGE_SHIFT,
	ENOUGH = 16 * PAGE, /* bytes that are worth no further round */
};

static const uint64_t SECOND = 1000000000;

int sender_prepare(struct sender *s, struct fail *fail)
{
	s->began = loop_now_ns();
	snapshot_init(&s->snap);
	frames_attach(&s->from, s->in);
	stream_open_fd(&s->to, s->out, true);
	s->from.in.stop_fd = s->to.stop_fd = s->stop_fd;
	s->copy = malloc((size_t)SENDER_RUN * PAGE);
	for (unsigned int r = 0; s->copy && r < s->mem->nram; r++) {
		s->bits[r] = calloc((guest_ram_pages(&s->mem->ram[r]) + 63) / 64, sizeof(uint64_t));
		if (!s->bits[r])
			return fail_set(fail, EXIT_MIGRATION, -ENOMEM, "out of memory");
	}
	return s->copy ? 0 : fail_set(fail, EXIT_MIGRATION, -ENOMEM, "out of memory");
}

void sender_forget(struct sender *s)
{
	for (unsigned int r = 0; r < s->mem->nram; r++) {
		free(s->sums[r]);
		s->sums[r] = NULL;
	}
}

void sender_end(struct sender *s)
{
	s->stats.total_ns = loop_now_ns() - s->began;
	stream_close(&s->to);
	frames_close(&s->from);
	snapshot_free(&s->snap);
	for (unsigned int r = 0; r < s->mem->nram; r++) {
		free(s->bits[r]);
		s->bits[r] = NULL;
	}
	sender_forget(s);
	free(s->copy);
	s->copy = NULL;
}

static int prepare(struct sender *s, struct fail *fail)
{
	struct migrate_hello hello = {
		.version = MIGRATE_VERSION,
		.flags = s->postcopy ? MIGRATE_POSTCOPY : 0,
	};
	int err = sender_prepare(s, fail);

	if (!err && (getrandom(s->id, sizeof(s->id), 0) != sizeof(s->id) ||
		     getrandom(s->key, sizeof(s->key), 0) != sizeof(s->key)))
		err = fail_set(fail, EXIT_HOST, -errno, "there are no random numbers");
	memcpy(hello.id, s->id, sizeof(hello.id));
	/* First of all: whatever follows, even if it is that nothing will, is understood. */
	frames_begin(&s->to);
	frames_word(&s->to, WORD_HANDOVER, &hello, sizeof(hello));
	for (unsigned int r = 0; !err && r < s->mem->nram; r++) {
		uint64_t pages = guest_ram_pages(&s->mem->ram[r]);

		s->stats.total += pages * PAGE;
		s->sums[r] = calloc(pages, sizeof(*s->sums[r]));
		if (!s->sums[r])
			err = fail_set(fail, EXIT_MIGRATION, -ENOMEM, "out of memory");
		memset(s->bits[r], 0xff, pages / 8);
		for (uint64_t p = pages & ~7ULL; p < pages; p++)
			s->bits[r][p / 64] |= UINT64_C(1) << p % 64;
	}
	return err;
}

static void send_sections(struct sender *s)
{
	for (unsigned int i = 0; i < s->snap.n; i++) {
		frames_section(&s->to, &s->snap.sections[i]);
		s->stats.bytes += sizeof(struct section_head) + s->snap.sections[i].len;
	}
	snapshot_free(&s->snap);
}

/* What the other side says that it can do. */
static int agree(const struct sender *s, struct fail *fail)
{
	uint32_t flags = 0;

	if (s->from.section.len == sizeof(flags))
		memcpy(&flags, s->from.section.data, sizeof(flags));
	if (!s->postcopy || flags & MIGRATE_POSTCOPY)
		return 0;
	return fail_set(fail, EXIT_MIGRATION, -ENOTSUP,
			"the vmm there knows no post-copy; send without --postcopy");
}

/* The first round: at the destination all of memory is zeros. What is touched from now on is in the log. */
static void take_all(struct sender *s)
{
	for (unsigned int r = 0; r < s->mem->nram; r++) {
		uint64_t *touched = pagemap_touched(&s->mem->ram[r], PAGE);

		if (!touched)
			continue;
		free(s->bits[r]);
		s->bits[r] = touched;
	}
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
	take_all(s);
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
	err = sender_expect(s, WORD_READY, fail);
	return err ? err : agree(s, fail);
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

	s->paced = loop_now_ns();
	for (s->stats.rounds = 1; !err; s->stats.rounds++) {
		err = sender_pages(s, fail);
		if (!err)
			err = sender_wait_taken(s, fail);
		if (!err)
			err = sender_collect(s, fail);
		if (err)
			break;
		s->stats.rate = s->stats.bytes * 1000 / ((loop_now_ns() - s->paced) / 1000000 + 1);
		sender_report(s, true);
		if (s->postcopy || little_left(s))
			break;
		if (s->stats.rounds == MIGRATE_ROUNDS_MAX ||
		    (s->timeout_ns && s->stats.total_ns > s->timeout_ns))
			err = not_in_time(s, fail);
	}
	return err;
}

/* What is left goes now, or when the machine runs there. */
static int send_rest(struct sender *s, struct fail *fail)
{
	if (!s->postcopy)
		return sender_pages(s, fail);
	sender_say_missing(s);
	return 0;
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
	err = send_rest(s, fail);
	if (err)
		return err;
	send_sections(s);
	if (s->verify)
		sum.sum = migrate_ram_sum(s->mem);
	frames_word(&s->to, WORD_END, &sum, sizeof(sum));
	/* Its devices may look at memory while they are loaded. */
	err = sender_serve(s, WORD_LOADED, fail);
	if (!err && loop_now_ns() > s->stopped + s->downtime_ns)
		err = sender_too_long(s, fail);
	return err;
}

/* It was told to go on: until it says that it does, and has all of memory. */
static enum migrate_end wait_running(struct sender *s, struct fail *fail)
{
	bool misses = s->stats.missing;
	struct fail why = { 0 };
	int err = sender_serve(s, WORD_RUNNING, &why);

	s->runs_there = !err;
	if (!err)
		s->stats.down_ns = loop_now_ns() - s->stopped;
	if (!err && misses)
		err = sender_serve(s, WORD_COMPLETE, &why);
	if (!err)
		return MIGRATE_MOVED;
	if (s->runs_there)
		fail_set(fail, EXIT_UNDECIDED, -EPIPE,
			 "it runs at the destination, which has not said that it has all of its "
			 "memory: %s",
			 why.text);
	else
		fail_set(fail, EXIT_UNDECIDED, -EPIPE,
			 "the destination was told to go on, and has not said that it does: %s",
			 why.text);
	return misses ? MIGRATE_PAUSED : MIGRATE_UNDECIDED;
}

/* From here on it cannot be cancelled. The machine is the source's as long as its last word has not
 * gone out whole: of a part of it nobody takes notice. */
static enum migrate_end commit(struct sender *s, struct fail *fail)
{
	/* In post-copy it may ask for memory at any time. */
	if (s->postcopy ? sender_cancelled(s, fail) : sender_look(s, fail))
		return MIGRATE_STAYED;
	s->to.stop_fd = s->from.in.stop_fd = -1;
	sender_wait_silence(s);
	s->ops->give_up(s->arg);
	if (frames_commit(&s->to)) {
		sender_link_failed(s, s->to.err, fail);
		return MIGRATE_STAYED;
	}
	return wait_running(s, fail);
}

enum migrate_end migrate_send(struct sender *s, struct fail *fail)
{
	enum migrate_end end = MIGRATE_STAYED;
	int err = prepare(s, fail);

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
	sender_end(s);
	return end;
}
