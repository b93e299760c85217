// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "vmm/core/loop.h"
#include "vmm/migrate_priv.h"
#include "vmm/snapshot_priv.h"

/* What the source sends of memory: a round is everything whose bit is set. */

enum { PAGE = 1 << GUEST_PAGE_SHIFT, RUN = SENDER_RUN };

static const uint64_t SECOND = 1000000000, PROGRESS_NS = 200000000;

void sender_report(struct sender *s, bool anyhow)
{
	uint64_t now = loop_now_ns();

	s->stats.total_ns = now - s->began;
	if (!anyhow && now < s->reported)
		return;
	s->reported = now + PROGRESS_NS;
	if (s->progress)
		s->progress(s->arg, &s->stats);
}

uint64_t sender_due(const struct sender *s)
{
	uint64_t bytes = s->stats.bytes - s->paced_bytes;

	if (!s->bandwidth)
		return 0;
	return s->paced + bytes / s->bandwidth * SECOND +
	       bytes % s->bandwidth * SECOND / s->bandwidth;
}

/* So much was sent: waits until the bandwidth allows more. */
static int pace(struct sender *s, struct fail *fail)
{
	struct pollfd p = { .fd = s->stop_fd, .events = POLLIN };
	uint64_t due = s->stopped ? 0 : sender_due(s), now;

	while ((now = loop_now_ns()) < due) {
		const struct timespec left = { (due - now) / SECOND, (due - now) % SECOND };

		if (stream_flush(&s->to))
			return sender_write_failed(s, fail);
		if (ppoll(&p, 1, &left, NULL) > 0)
			return sender_link_failed(s, -ECANCELED, fail);
	}
	return 0;
}

/* `n` pages from `gpa` on, which are zeros, or in `data`. */
static void send_run(struct sender *s, gpa_t gpa, const uint8_t *data, unsigned int n)
{
	if (!n)
		return;
	if (data)
		frames_pages(&s->to, gpa, data, n);
	else
		frames_zeros(&s->to, gpa, n);
	s->stats.bytes += sizeof(struct section_head) + sizeof(gpa) +
			  (data ? (size_t)n * PAGE : sizeof(uint64_t));
}

static bool bit(const uint64_t *bits, uint64_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

/* Whether the other side has the page as it is: `data`, or zeros, of which all of its memory is at
 * first. If not, it will have. */
static bool has_it(struct sender *s, unsigned int r, uint64_t page, const uint8_t *data)
{
	struct page_sum sum = { 0 };
	struct page_sum *last = s->sums[r] ? &s->sums[r][page] : NULL;

	if (!last)
		return false;
	if (data)
		sum = page_sum(s->key, data, PAGE);
	if (sum.half[0] == last->half[0] && sum.half[1] == last->half[1]) {
		s->stats.unchanged += data ? PAGE : 0;
		return true;
	}
	*last = sum;
	return false;
}

/* The pages of [at, end), at most RUN, whose bits are set. What the guest changes from now on is
 * written anew, and sent in the next round. */
static void send_block(struct sender *s, unsigned int r, uint64_t at, uint64_t end)
{
	const struct guest_ram *ram = &s->mem->ram[r];
	uint64_t from = at;
	uint8_t *copy = s->copy, *run = NULL;

	for (; at < end; at++, copy += PAGE) {
		const uint8_t *host = ram->host + at * PAGE;
		bool send = bit(s->bits[r], at), zero = send && page_is_zero(host);

		/* Its checksums and its bytes must be of the same moment. */
		if (send && !zero)
			memcpy(copy, host, PAGE);
		send = send && !has_it(s, r, at, zero ? NULL : copy);
		if (send && at > from && zero == !run)
			continue;
		send_run(s, ram->base + from * PAGE, run, (unsigned int)(at - from));
		from = send ? at : at + 1;
		run = zero ? NULL : copy;
	}
	send_run(s, ram->base + from * PAGE, run, (unsigned int)(end - from));
}

unsigned int sender_block(struct sender *s, unsigned int r, uint64_t at, uint64_t end)
{
	unsigned int n = 0;

	send_block(s, r, at, end);
	for (; at < end; at++) {
		n += bit(s->bits[r], at);
		s->bits[r][at / 64] &= ~(UINT64_C(1) << at % 64);
	}
	return n;
}

int sender_pages(struct sender *s, struct fail *fail)
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
				sender_wait_silence(s);
			send_block(s, r, at, end);
			err = s->to.err ? sender_write_failed(s, fail) : sender_look(s, fail);
			if (!err)
				err = pace(s, fail);
			sender_report(s, false);
		}
	}
	for (unsigned int r = 0; !err && r < s->mem->nram; r++)
		memset(s->bits[r], 0, (guest_ram_pages(&s->mem->ram[r]) + 63) / 64 * 8);
	return err ? err : stream_flush(&s->to) ? sender_write_failed(s, fail) : 0;
}

int sender_collect(struct sender *s, struct fail *fail)
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
