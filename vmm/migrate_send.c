// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/loop.h"
#include "vmm/migrate_priv.h"
#include "vmm/snapshot_priv.h"

/* The source's side, from its first word to its last. Its thread waits; the machine need not. */

enum {
	PAGE = 1 << GUEST_PAGE_SHIFT,
	RUN = 64, /* pages of a frame, and of a look at what else there is */
	ENOUGH = 16 * PAGE, /* bytes that are worth no further round */
};

static const uint64_t SECOND = 1000000000, PROGRESS_NS = 200000000;

static void wait_silence(struct sender *s)
{
	s->hurried = false;
	s->to.deadline_ns = s->from.in.deadline_ns =
		migrate_deadline(s->silence_ms ? s->silence_ms : MIGRATE_SILENCE_MS);
}

/* While the machine stands still, waiting ends when it has done so for long enough. */
static void wait_downtime(struct sender *s)
{
	uint64_t due = s->stopped + s->downtime_ns;

	wait_silence(s);
	s->hurried = due < s->to.deadline_ns;
	if (s->hurried)
		s->to.deadline_ns = s->from.in.deadline_ns = due;
}

/* --- what the other side says ------------------------------------------------------------------ */

static int too_long(const struct sender *s, struct fail *fail)
{
	return fail_set(fail, EXIT_MIGRATION, -ETIMEDOUT,
			"the machine would have stood still for more than %llu ms; allow more by "
			"--downtime",
			(unsigned long long)(s->downtime_ns / 1000000));
}

static int link_failed(struct sender *s, int err, struct fail *fail)
{
	if (err == -ECANCELED)
		return fail_set(fail, EXIT_MIGRATION, err, "it was cancelled");
	if (err == -ETIMEDOUT && s->hurried)
		return too_long(s, fail);
	if (err == -ETIMEDOUT)
		return fail_set(fail, EXIT_MIGRATION, err,
				"the destination has been silent for too long");
	if (err == -ENODATA || err == -EPIPE || err == -ECONNRESET)
		return fail_set(fail, EXIT_MIGRATION, err, "the link to the destination is lost");
	return fail_set(fail, EXIT_MIGRATION, err, "the link to the destination fails: %s",
			strerror(-err));
}

/* Waits for `word`; any other ends it. */
static int expect(struct sender *s, const char *word, struct fail *fail)
{
	char text[MIGRATE_TEXT_MAX + 1];
	struct fail wrong = { 0 };
	int err = frames_next(&s->from, &wrong);

	if (err < 0)
		return s->from.in.err ? link_failed(s, s->from.in.err, fail)
				      : fail_set(fail, EXIT_MIGRATION, err,
						 "the destination speaks nonsense");
	if (migrate_is(&s->from, word))
		return 0;
	if (!migrate_is(&s->from, WORD_REFUSED))
		return fail_set(fail, EXIT_MIGRATION, -EPROTO,
				"the destination speaks out of its turn");
	migrate_text(&s->from, text);
	return fail_set(fail, EXIT_MIGRATION, -ECONNREFUSED, "the destination refuses: %s", text);
}

/* Writing has failed: the other side may have said why before it went. */
static int write_failed(struct sender *s, struct fail *fail)
{
	int err = s->to.err;

	if (err == -EPIPE || err == -ECONNRESET) {
		struct fail why = { 0 };

		s->from.in.deadline_ns = migrate_deadline(1000);
		if (expect(s, WORD_REFUSED, &why) == -ECONNREFUSED)
			return fail_set(fail, why.code, err, "%s", why.text);
	}
	return link_failed(s, err, fail);
}

/* Whether somebody has cancelled, or the other side has something to say out of its turn. */
static int look(struct sender *s, struct fail *fail)
{
	struct pollfd p[] = { { .fd = s->stop_fd, .events = POLLIN },
			      { .fd = s->in, .events = POLLIN } };

	if (poll(p, 2, 0) <= 0)
		return 0;
	if (p[0].revents)
		return link_failed(s, -ECANCELED, fail);
	return expect(s, "", fail);
}

/* --- memory ------------------------------------------------------------------------------------ */

static void report(struct sender *s, bool anyhow)
{
	uint64_t now = loop_now_ns();

	s->stats.total_ns = now - s->began;
	if (!anyhow && now < s->reported)
		return;
	s->reported = now + PROGRESS_NS;
	if (s->progress)
		s->progress(s->arg, &s->stats);
}

/* So much was sent: waits until the bandwidth allows more. */
static int pace(struct sender *s, struct fail *fail)
{
	struct pollfd p = { .fd = s->stop_fd, .events = POLLIN };
	uint64_t due, now = loop_now_ns(), bytes = s->stats.bytes;

	if (!s->bandwidth || s->stopped)
		return 0;
	due = s->paced + bytes / s->bandwidth * SECOND +
	      bytes % s->bandwidth * SECOND / s->bandwidth;
	while ((now = loop_now_ns()) < due) {
		const struct timespec left = { (due - now) / SECOND, (due - now) % SECOND };

		if (stream_flush(&s->to))
			return write_failed(s, fail);
		if (ppoll(&p, 1, &left, NULL) > 0)
			return link_failed(s, -ECANCELED, fail);
	}
	return 0;
}

/* Pages [at, at + n) of a region, of which all or none are zeros. */
static void send_run(struct sender *s, const struct guest_ram *ram, uint64_t at, unsigned int n,
		     bool zeros)
{
	gpa_t gpa = ram->base + at * PAGE;
	size_t len = (size_t)n * PAGE;

	if (!n || (zeros && s->first))
		return;
	if (zeros) {
		frames_zeros(&s->to, gpa, n);
		s->stats.bytes += sizeof(struct section_head) + 16;
		return;
	}
	/* Checksum and bytes must be of the same moment. */
	memcpy(s->copy, ram->host + at * PAGE, len);
	frames_pages(&s->to, gpa, s->copy, n);
	s->stats.bytes += sizeof(struct section_head) + sizeof(gpa) + len;
}

static bool bit(const uint64_t *bits, uint64_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

/* The pages of [at, end), at most RUN, whose bits are set. What the guest changes from now on is
 * written anew, and sent in the next round. */
static void send_block(struct sender *s, unsigned int r, uint64_t at, uint64_t end)
{
	const struct guest_ram *ram = &s->mem->ram[r];
	uint64_t from = at;
	bool zeros = false;

	for (; at < end; at++) {
		bool set = bit(s->bits[r], at);
		bool zero = set && page_is_zero(ram->host + at * PAGE);

		if (set && at > from && zero == zeros)
			continue;
		send_run(s, ram, from, (unsigned int)(at - from), zeros);
		from = set ? at : at + 1;
		zeros = zero;
	}
	send_run(s, ram, from, (unsigned int)(end - from), zeros);
}

/* A round: everything whose bit is set. */
static int send_pages(struct sender *s, struct fail *fail)
{
	int err = 0;

	s->stats.done = 0;
	for (unsigned int r = 0; r < s->mem->nram; r++) {
		uint64_t pages = guest_ram_pages(&s->mem->ram[r]);

		for (uint64_t at = 0; !err && at < pages; at += RUN) {
			uint64_t end = at + RUN < pages ? at + RUN : pages;

			s->stats.done += (end - at) * PAGE;
			if (!s->bits[r][at / 64])
				continue;
			if (!s->stopped)
				wait_silence(s);
			send_block(s, r, at, end);
			err = s->to.err ? write_failed(s, fail) : look(s, fail);
			if (!err)
				err = pace(s, fail);
			report(s, false);
		}
	}
	for (unsigned int r = 0; !err && r < s->mem->nram; r++)
		memset(s->bits[r], 0, (guest_ram_pages(&s->mem->ram[r]) + 63) / 64 * 8);
	s->first = false;
	return err ? err : stream_flush(&s->to) ? write_failed(s, fail) : 0;
}

/* Adds what was written to the bits of the next round, and counts how many bytes they are. */
static int collect(struct sender *s, struct fail *fail)
{
	int err = 0;

	s->stats.pending = 0;
	for (unsigned int r = 0; !err && r < s->mem->nram; r++) {
		uint64_t words = (guest_ram_pages(&s->mem->ram[r]) + 63) / 64;

		err = s->ops->written(s->arg, r, s->bits[r], fail);
		guest_mem_take_dirty(s->mem, r, s->bits[r]);
		for (uint64_t i = 0; i < words; i++)
			s->stats.pending += (uint64_t)__builtin_popcountll(s->bits[r][i]) * PAGE;
	}
	return err;
}

/* --- phases ------------------------------------------------------------------------------------ */

static int prepare(struct sender *s, struct fail *fail)
{
	const struct migrate_hello hello = { MIGRATE_VERSION };

	stream_open_fd(&s->to, s->out, true);
	s->to.stop_fd = s->stop_fd;
	/* First of all: whatever follows, even if it is that nothing will, is understood. */
	frames_begin(&s->to);
	frames_word(&s->to, WORD_HANDOVER, &hello, sizeof(hello));
	s->copy = malloc((size_t)RUN * PAGE);
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

	if (err)
		return err;
	wait_silence(s);
	send_sections(s);
	frames_word(&s->to, WORD_CHECK, NULL, 0);
	if (stream_flush(&s->to))
		return write_failed(s, fail);
	wait_silence(s);
	err = frames_begun(&s->from, &wrong);
	if (err)
		return s->from.in.err ? link_failed(s, s->from.in.err, fail)
				      : fail_set(fail, EXIT_MIGRATION, err,
						 "what answers is no vmm receive");
	wait_silence(s);
	return expect(s, WORD_READY, fail);
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
		err = send_pages(s, fail);
		if (!err)
			err = collect(s, fail);
		if (err)
			break;
		s->stats.rate = s->stats.bytes * 1000 / ((loop_now_ns() - s->paced) / 1000000 + 1);
		report(s, true);
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
		err = collect(s, fail);
	if (err)
		return err;
	wait_downtime(s);
	err = send_pages(s, fail);
	if (err)
		return err;
	send_sections(s);
	if (s->verify)
		sum.sum = migrate_ram_sum(s->mem);
	frames_word(&s->to, WORD_END, &sum, sizeof(sum));
	if (stream_flush(&s->to))
		return write_failed(s, fail);
	err = expect(s, WORD_LOADED, fail);
	return err ? err : loop_now_ns() > s->stopped + s->downtime_ns ? too_long(s, fail) : 0;
}

static void cancel(struct sender *s, const struct fail *fail)
{
	/* Where the last word went only in part, nothing can follow it. */
	if (s->to.err)
		return;
	s->to.stop_fd = -1;
	s->to.deadline_ns = migrate_deadline(1000);
	frames_word(&s->to, WORD_CANCEL, fail->text, strlen(fail->text));
	stream_flush(&s->to);
}

/* From here on it cannot be cancelled. The machine is the source's as long as its last word has not
 * gone out whole: of a part of it nobody takes notice. */
static enum migrate_end commit(struct sender *s, struct fail *fail)
{
	struct fail why = { 0 };

	if (look(s, fail))
		return MIGRATE_STAYED;
	s->to.stop_fd = s->from.in.stop_fd = -1;
	wait_silence(s);
	s->ops->give_up(s->arg);
	if (frames_commit(&s->to)) {
		link_failed(s, s->to.err, fail);
		return MIGRATE_STAYED;
	}
	if (!expect(s, WORD_RUNNING, &why)) {
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
		cancel(s, fail);
	s->stats.total_ns = loop_now_ns() - s->began;
	stream_close(&s->to);
	frames_close(&s->from);
	snapshot_free(&s->snap);
	for (unsigned int r = 0; r < s->mem->nram; r++)
		free(s->bits[r]);
	free(s->copy);
	return end;
}
