// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

static int say(struct receiver *r, const char *word)
{
	r->to.stop_fd = r->stop_fd;
	r->to.deadline_ns = migrate_deadline(silence(r));
	frames_word(&r->to, word, NULL, 0);
	return stream_flush(&r->to);
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

	if (r->frames.section.len >= sizeof(hello))
		memcpy(&hello, r->frames.section.data, sizeof(hello));
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

	r->two_way = r->over = false;
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
	if (!say(r, WORD_READY))
		return 0;
	return fail_set(fail, EXIT_MIGRATION, r->to.err, "the link to the source is lost: %s",
			strerror(-r->to.err));
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

int receiver_memory(struct receiver *r, struct snapshot *snap, const struct guest_mem *mem,
		    struct fail *fail)
{
	int kind = next(r, fail), err = 0;

	while (!err && kind >= 0 && !migrate_is(&r->frames, WORD_END)) {
		err = frames_take(&r->frames, snap, mem, fail);
		kind = err ? err : next(r, fail);
	}
	if (kind < 0)
		return kind;
	return err ? err : check_sum(r, mem, fail);
}

enum migrate_end receiver_loaded(struct receiver *r, struct fail *fail)
{
	struct fail why = { 0 };
	int kind;

	/* What did not go out whole is no word: the source takes its machine back. */
	if (say(r, WORD_LOADED)) {
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
	say(r, WORD_RUNNING);
}

static unsigned int last_word(const struct receiver *r)
{
	return silence(r) < LAST_WORD_MS ? silence(r) : LAST_WORD_MS;
}

/* What arrives unread at a socket that is closed would take the last word with it. */
static void linger(struct receiver *r)
{
	uint64_t until = migrate_deadline(last_word(r));
	char rest[4096];

	shutdown(r->out, SHUT_WR);
	while (loop_now_ns() < until) {
		struct pollfd p = { .fd = r->in, .events = POLLIN };

		if (poll(&p, 1, 20) > 0 && read(r->in, rest, sizeof(rest)) <= 0)
			return;
	}
}

void receiver_close(struct receiver *r, const struct fail *fail)
{
	if (r->two_way && fail && fail->text[0] && !r->over && !r->to.err) {
		r->to.stop_fd = -1;
		r->to.deadline_ns = migrate_deadline(last_word(r));
		frames_word(&r->to, WORD_REFUSED, fail->text, strlen(fail->text));
		if (!stream_flush(&r->to))
			linger(r);
	}
	stream_close(&r->to);
	frames_close(&r->frames);
}
