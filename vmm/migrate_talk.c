// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "vmm/core/loop.h"
#include "vmm/migrate_priv.h"

/* The source's side of the link: what it waits for, and what the other side says. */

void sender_wait_silence(struct sender *s)
{
	s->hurried = false;
	s->to.deadline_ns = s->from.in.deadline_ns =
		migrate_deadline(s->silence_ms ? s->silence_ms : MIGRATE_SILENCE_MS);
}

void sender_wait_downtime(struct sender *s)
{
	uint64_t due = s->stopped + s->downtime_ns;

	sender_wait_silence(s);
	s->hurried = due < s->to.deadline_ns;
	if (s->hurried)
		s->to.deadline_ns = s->from.in.deadline_ns = due;
}

int sender_too_long(const struct sender *s, struct fail *fail)
{
	return fail_set(fail, EXIT_MIGRATION, -ETIMEDOUT,
			"the machine would have stood still for more than %llu ms; allow more by "
			"--downtime",
			(unsigned long long)(s->downtime_ns / 1000000));
}

int sender_link_failed(struct sender *s, int err, struct fail *fail)
{
	if (err == -ECANCELED)
		return fail_set(fail, EXIT_MIGRATION, err, "it was cancelled");
	if (err == -ETIMEDOUT && s->hurried)
		return sender_too_long(s, fail);
	if (err == -ETIMEDOUT)
		return fail_set(fail, EXIT_MIGRATION, err,
				"the destination has been silent for too long");
	if (err == -ENODATA || err == -EPIPE || err == -ECONNRESET)
		return fail_set(fail, EXIT_MIGRATION, err, "the link to the destination is lost");
	return fail_set(fail, EXIT_MIGRATION, err, "the link to the destination fails: %s",
			strerror(-err));
}

int sender_hear(struct sender *s, struct fail *fail)
{
	char text[MIGRATE_TEXT_MAX + 1];
	struct fail wrong = { 0 };
	int err = frames_next(&s->from, &wrong);

	if (err < 0)
		return s->from.in.err ? sender_link_failed(s, s->from.in.err, fail)
				      : fail_set(fail, EXIT_MIGRATION, err,
						 "the destination speaks nonsense");
	if (!migrate_is(&s->from, WORD_REFUSED))
		return 0;
	migrate_text(&s->from, text);
	migrate_list(&s->from, s->reasons);
	return fail_set(fail, EXIT_MIGRATION, -ECONNREFUSED, "the destination refuses: %s", text);
}

int sender_expect(struct sender *s, const char *word, struct fail *fail)
{
	int err = sender_hear(s, fail);

	if (err || migrate_is(&s->from, word))
		return err;
	return fail_set(fail, EXIT_MIGRATION, -EPROTO, "the destination speaks out of its turn");
}

int sender_write_failed(struct sender *s, struct fail *fail)
{
	int err = s->to.err;

	if (err == -EPIPE || err == -ECONNRESET) {
		struct fail why = { 0 };

		s->from.in.deadline_ns = migrate_deadline(1000);
		if (sender_expect(s, WORD_REFUSED, &why) == -ECONNREFUSED)
			return fail_set(fail, why.code, err, "%s", why.text);
	}
	return sender_link_failed(s, err, fail);
}

int sender_wait_taken(struct sender *s, struct fail *fail)
{
	frames_word(&s->to, WORD_ROUND, NULL, 0);
	if (stream_flush(&s->to))
		return sender_write_failed(s, fail);
	sender_wait_silence(s);
	return sender_expect(s, WORD_TAKEN, fail);
}

int sender_cancelled(struct sender *s, struct fail *fail)
{
	struct pollfd p = { .fd = s->to.stop_fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0 ? sender_link_failed(s, -ECANCELED, fail) : 0;
}

int sender_look(struct sender *s, struct fail *fail)
{
	struct pollfd p = { .fd = s->in, .events = POLLIN };
	int err = sender_cancelled(s, fail);

	return err || poll(&p, 1, 0) <= 0 ? err : sender_expect(s, "", fail);
}

void sender_cancel(struct sender *s, const struct fail *fail)
{
	/* Where the last word went only in part, nothing can follow it. */
	if (s->to.err)
		return;
	s->to.stop_fd = -1;
	s->to.deadline_ns = migrate_deadline(1000);
	frames_word(&s->to, WORD_CANCEL, fail->text, strlen(fail->text));
	stream_flush(&s->to);
}
