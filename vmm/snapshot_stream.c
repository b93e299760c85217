// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/snapshot_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/pagemap.h"
#include "vmm/snapshot_priv.h"

/*
 * vmm/snapshot.md: a head, then frames, each with the head of a section. Frames that are no
 * sections have names that no section has.
 */
struct stream_head {
	char magic[8];
	uint32_t version, sum;
} __attribute__((packed));

static const char magic[8] = { 'V', 'M', 'M', 'S', 'T', 'R', 'M', 0x1a };
static const char pages_name[] = "=pages", zeros_name[] = "=zeros", commit_name[] = "=commit";

struct zeros {
	uint64_t gpa, pages;
};

enum { PAGE = 1 << GUEST_PAGE_SHIFT, PAGES_MAX = 64, BLOCK = PAGES_MAX * PAGE };

/* --- sending ---------------------------------------------------------------------------------- */

void frames_begin(struct stream *out)
{
	struct stream_head head = { .version = SNAPSHOT_VERSION };

	memcpy(head.magic, magic, sizeof(magic));
	head.sum = crc32c(0, &head, offsetof(struct stream_head, sum));
	stream_write(out, &head, sizeof(head));
}

void frames_section(struct stream *out, const struct section *section)
{
	struct section_head head = section_head(section);

	stream_write(out, &head, sizeof(head));
	stream_write(out, section->data, section->len);
}

void frames_pages(struct stream *out, gpa_t gpa, const void *data, unsigned int n)
{
	struct section_head head = { .version = SNAPSHOT_VERSION,
				     .len = sizeof(gpa) + (uint64_t)n * PAGE };
	uint32_t sum;

	memcpy(head.name, pages_name, sizeof(pages_name));
	sum = crc32c(0, &head, offsetof(struct section_head, sum));
	head.sum = crc32c(crc32c(sum, &gpa, sizeof(gpa)), data, (size_t)n * PAGE);
	stream_write(out, &head, sizeof(head));
	stream_write(out, &gpa, sizeof(gpa));
	stream_write(out, data, (size_t)n * PAGE);
}

void frames_zeros(struct stream *out, gpa_t gpa, uint64_t n)
{
	const struct zeros run = { gpa, n };

	frames_word(out, zeros_name, &run, sizeof(run));
}

void frames_word(struct stream *out, const char *name, const void *data, size_t len)
{
	struct section word = { .version = SNAPSHOT_VERSION, .data = (uint8_t *)data, .len = len };

	memcpy(word.name, name, strnlen(name, sizeof(word.name) - 1));
	frames_section(out, &word);
}

int frames_commit(struct stream *out)
{
	frames_word(out, commit_name, NULL, 0);
	return stream_flush(out);
}

/* Of [at, end) the runs of pages that are not zero: the other side's memory is fresh. */
static void send_block(const struct guest_ram *ram, struct stream *out, uint64_t at, uint64_t end,
		       uint64_t *written)
{
	while (at < end) {
		unsigned int n = 0;

		while (at + n * PAGE < end && !page_is_zero(ram->host + at + n * PAGE))
			n++;
		if (n)
			frames_pages(out, ram->base + at, ram->host + at, n);
		*written += (uint64_t)n * PAGE;
		at += n ? (uint64_t)n * PAGE : PAGE;
	}
}

static void send_ram(const struct guest_ram *ram, struct stream *out, uint64_t *written)
{
	uint64_t *touched = pagemap_touched(ram, BLOCK);

	for (uint64_t at = 0; at < ram->size && !out->err; at += BLOCK) {
		uint64_t left = ram->size - at, len = left < BLOCK ? left : BLOCK, i = at / BLOCK;

		if (!touched || touched[i / 64] >> i % 64 & 1)
			send_block(ram, out, at, at + len, written);
	}
	free(touched);
}

int snapshot_send(const struct snapshot *snap, const struct guest_mem *mem, int fd, int stop_fd,
		  const struct snapshot_progress *progress, uint64_t *written, struct fail *fail)
{
	uint64_t total = 0, done = 0;
	struct stream out;
	int err;

	*written = 0;
	stream_open_fd(&out, fd, true);
	out.stop_fd = stop_fd;
	frames_begin(&out);
	for (unsigned int i = 0; i < snap->n; i++)
		frames_section(&out, &snap->sections[i]);
	for (unsigned int i = 0; i < mem->nram; i++)
		total += mem->ram[i].size;
	for (unsigned int i = 0; i < mem->nram; i++) {
		send_ram(&mem->ram[i], &out, written);
		done += mem->ram[i].size;
		if (progress)
			progress->fn(progress->arg, done, total);
	}
	frames_commit(&out);
	err = stream_close(&out);
	return err ? fail_set(fail, EXIT_HOST, err, "cannot write the snapshot: %s", strerror(-err))
		   : 0;
}

/* --- receiving -------------------------------------------------------------------------------- */

static int refuse(struct fail *fail, int err, const char *why)
{
	return fail_set(fail, EXIT_SNAPSHOT, err, "the stream holds no whole snapshot: %s", why);
}

static int read_failed(const struct stream *in, struct fail *fail)
{
	return in->err == -ENODATA ? refuse(fail, in->err, "it ends too soon")
				   : fail_set(fail, EXIT_HOST, in->err,
					      "cannot read the snapshot: %s", strerror(-in->err));
}

void frames_attach(struct frames *f, int fd)
{
	*f = (struct frames){ 0 };
	stream_open_fd(&f->in, fd, false);
}

int frames_open(struct frames *f, int fd, struct fail *fail)
{
	frames_attach(f, fd);
	return frames_begun(f, fail);
}

int frames_begun(struct frames *f, struct fail *fail)
{
	struct stream_head head;

	if (stream_read(&f->in, &head, sizeof(head)))
		return read_failed(&f->in, fail);
	if (memcmp(head.magic, magic, sizeof(magic)) ||
	    head.sum != crc32c(0, &head, offsetof(struct stream_head, sum)))
		return refuse(fail, -EPROTO, "it does not begin like one");
	if (head.version != SNAPSHOT_VERSION)
		return fail_set(fail, EXIT_SNAPSHOT, -ENOTSUP,
				"the stream has format version %u, this vmm reads %u", head.version,
				SNAPSHOT_VERSION);
	return 0;
}

void frames_close(struct frames *f)
{
	stream_close(&f->in);
	free(f->section.data);
	*f = (struct frames){ .in.fd = -1 };
}

/* Grows as bytes arrive: a length alone allocates little, and a word that is only its name nothing,
 * so that whose the machine is can be heard without memory. */
static int read_payload(struct stream *in, uint64_t len, uint8_t **out)
{
	enum { STEP = 1 << 20 };
	uint8_t *data = NULL, *more;
	uint64_t at = 0;

	while (at < len && !in->err) {
		uint64_t n = len - at < STEP ? len - at : STEP;

		more = realloc(data, at + n);
		if (!more) {
			free(data);
			return -ENOMEM;
		}
		data = more;
		stream_read(in, data + at, n);
		at += n;
	}
	*out = data;
	return 0;
}

enum frame_kind frames_kind(const struct frames *f)
{
	const char *name = f->section.name;

	return *name != '='		    ? FRAME_SECTION
	       : !strcmp(name, pages_name)  ? FRAME_PAGES
	       : !strcmp(name, zeros_name)  ? FRAME_ZEROS
	       : !strcmp(name, commit_name) ? FRAME_COMMIT
					    : FRAME_WORD;
}

int frames_next(struct frames *f, struct fail *fail)
{
	struct section_head head;
	uint8_t *data = NULL;
	int err;

	free(f->section.data);
	f->section.data = NULL;
	if (stream_read(&f->in, &head, sizeof(head)))
		return read_failed(&f->in, fail);
	if (head.len > SNAPSHOT_META_MAX)
		return refuse(fail, -EPROTO, "a part of it is too long");
	err = read_payload(&f->in, head.len, &data);
	if (err)
		return fail_set(fail, EXIT_HOST, err, "out of memory");
	if (f->in.err) {
		free(data);
		return read_failed(&f->in, fail);
	}
	err = section_check(&head, data, &f->section);
	if (err) {
		free(data);
		return refuse(fail, err, "a checksum of it does not hold");
	}
	f->section.data = data;
	return frames_kind(f);
}

int frames_take_pages(const struct frames *f, const struct guest_mem *mem, struct fail *fail)
{
	const struct section *s = &f->section;
	void *host;
	gpa_t gpa;

	if (s->len <= sizeof(gpa) || (s->len - sizeof(gpa)) % PAGE)
		return refuse(fail, -EPROTO, "a run of pages makes no sense");
	memcpy(&gpa, s->data, sizeof(gpa));
	host = gpa % PAGE ? NULL : guest_mem_ptr(mem, gpa, s->len - sizeof(gpa));
	if (!host)
		return refuse(fail, -EPROTO, "it has pages where the machine has no memory");
	memcpy(host, s->data + sizeof(gpa), s->len - sizeof(gpa));
	return 0;
}

int frames_take_zeros(const struct frames *f, const struct guest_mem *mem, struct fail *fail)
{
	struct zeros run = { 0 };
	uint8_t *host;

	if (f->section.len == sizeof(run))
		memcpy(&run, f->section.data, sizeof(run));
	if (!run.pages || run.pages > UINT64_MAX / PAGE || run.gpa % PAGE)
		return refuse(fail, -EPROTO, "a run of pages makes no sense");
	host = guest_mem_ptr(mem, run.gpa, run.pages * PAGE);
	if (!host)
		return refuse(fail, -EPROTO, "it has pages where the machine has no memory");
	/* To look costs no memory; to write would, of pages that were never touched. */
	for (uint64_t i = 0; i < run.pages; i++, host += PAGE)
		if (!page_is_zero(host))
			memset(host, 0, PAGE);
	return 0;
}

int frames_take_section(struct frames *f, struct snapshot *snap, struct fail *fail)
{
	struct section *more;

	if (snapshot_find(snap, f->section.name))
		return refuse(fail, -EPROTO, "a section comes twice");
	snap->len += f->section.len;
	if (snap->n == SNAPSHOT_SECTIONS_MAX || snap->len > SNAPSHOT_META_MAX)
		return refuse(fail, -EPROTO, "it has more sections than any machine");
	more = reallocarray(snap->sections, snap->n + 1, sizeof(*more));
	if (!more)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	snap->sections = more;
	snap->sections[snap->n++] = f->section;
	f->section.data = NULL;
	return 0;
}

int frames_sections(struct frames *f, struct snapshot *snap, struct fail *fail)
{
	int kind;

	while ((kind = frames_next(f, fail)) == FRAME_SECTION) {
		int err = frames_take_section(f, snap, fail);

		if (err)
			return err;
	}
	return kind < 0 ? kind : 0;
}

int frames_take(struct frames *f, struct snapshot *snap, const struct guest_mem *mem,
		struct fail *fail)
{
	switch (frames_kind(f)) {
	case FRAME_PAGES:
		return frames_take_pages(f, mem, fail);
	case FRAME_ZEROS:
		return frames_take_zeros(f, mem, fail);
	case FRAME_SECTION:
		return frames_take_section(f, snap, fail);
	default:
		return refuse(fail, -EPROTO, "a word in it has no meaning there");
	}
}

/* RAM from its beginning up to `gpa`. */
static uint64_t ram_before(const struct guest_mem *mem, gpa_t gpa)
{
	uint64_t sum = 0;

	for (const struct guest_ram *r = mem->ram; r < mem->ram + mem->nram && r->base < gpa; r++)
		sum += gpa - r->base < r->size ? gpa - r->base : r->size;
	return sum;
}

/* Of a frame of pages, which has been taken. */
static void note_pages(const struct frames *f, const struct guest_mem *mem,
		       const struct snapshot_progress *progress, uint64_t *bytes)
{
	uint64_t len = f->section.len - sizeof(gpa_t);
	gpa_t gpa;

	memcpy(&gpa, f->section.data, sizeof(gpa));
	*bytes += len;
	if (progress)
		progress->fn(progress->arg, ram_before(mem, gpa + len),
			     ram_before(mem, UINT64_MAX));
}

int frames_rest(struct frames *f, struct snapshot *snap, const struct guest_mem *mem,
		const struct snapshot_progress *progress, uint64_t *bytes, struct fail *fail)
{
	int kind = frames_kind(f), err = 0;

	*bytes = 0;
	while (!err && kind != FRAME_COMMIT) {
		err = frames_take(f, snap, mem, fail);
		if (!err && kind == FRAME_PAGES)
			note_pages(f, mem, progress, bytes);
		kind = err ? err : frames_next(f, fail);
		err = kind < 0 ? kind : err;
	}
	return err;
}
