// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/pagemap.h"
#include "vmm/core/stream.h"
#include "vmm/snapshot_priv.h"

/* vmm/snapshot.md: header, sections, checksums of RAM, RAM. */
struct header {
	char magic[8];
	uint32_t version, chunk;
	uint32_t sections, nram;
	uint64_t meta_len; /* of sections, runs and checksums, which follow the header */
	uint64_t file_len;
	uint32_t meta_sum, nsums;
	uint32_t zero[3];
	uint32_t sum; /* of all above */
} __attribute__((packed));

struct ram_head {
	uint64_t gpa, size, offset;
} __attribute__((packed));

_Static_assert(sizeof(struct header) == 64, "the format");

static const char magic[8] = { 'V', 'M', 'M', 'S', 'N', 'A', 'P', 0x1a };

/* RAM begins where the largest page of a host that maps it would. */
enum { RAM_ALIGN = 64 << 10, PAGE = 1 << GUEST_PAGE_SHIFT };
/* The most that --mem takes: nothing that is counted in bytes or chunks of it wraps. */
#define RUN_MAX (1ULL << 46)

static uint64_t align_up(uint64_t v)
{
	return (v + RAM_ALIGN - 1) & -(uint64_t)RAM_ALIGN;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int plan_ram(struct snapshot *snap, const struct guest_mem *mem)
{
	snap->nsums = 0;
	snap->nram = mem->nram;
	for (unsigned int i = 0; i < mem->nram; i++) {
		snap->ram[i] = (struct snapshot_ram){
			.gpa = mem->ram[i].base,
			.size = mem->ram[i].size,
			.first = snap->nsums,
		};
		snap->nsums += chunks_of(mem->ram[i].size);
	}
	snap->zeros = zeros_sum(snap, SNAPSHOT_CHUNK);
	free(snap->sums);
	snap->sums = calloc(snap->nsums ? snap->nsums : 1, sizeof(*snap->sums));
	return snap->sums ? 0 : -ENOMEM;
}

/* Gives each run its place behind `meta_len` bytes of metadata. */
static uint64_t place_ram(struct snapshot *snap, uint64_t meta_len)
{
	uint64_t at = align_up(sizeof(struct header) + meta_len);

	for (unsigned int i = 0; i < snap->nram; i++) {
		snap->ram[i].offset = at;
		at = align_up(at + snap->ram[i].size);
	}
	return snap->nram ? snap->ram[snap->nram - 1].offset + snap->ram[snap->nram - 1].size : at;
}

static uint64_t meta_len(const struct snapshot *snap)
{
	uint64_t len = snap->nram * sizeof(struct ram_head) + snap->nsums * sizeof(*snap->sums);

	for (unsigned int i = 0; i < snap->n; i++)
		len += sizeof(struct section_head) + snap->sections[i].len;
	return len;
}

/* The runs of pages that are not zero; `written` counts them. */
static int write_chunk(int fd, const uint8_t *data, uint64_t len, uint64_t off, uint64_t *written)
{
	uint64_t at = 0;
	int err = 0;

	while (!err && at < len) {
		uint64_t end = at;

		while (end < len && !page_is_zero(data + end))
			end += PAGE;
		if (end > at)
			err = full_pwrite(fd, data + at, end - at, (off_t)(off + at));
		*written += end - at;
		at = end + PAGE;
	}
	return err;
}

struct saving {
	struct snapshot *snap;
	const struct guest_mem *mem;
	uint64_t *touched[GUEST_RAM_MAX]; /* a bit a chunk; NULL: all */
	int fd;
	_Atomic uint64_t written;
};

static int save_chunk(void *arg, unsigned int run, uint32_t i)
{
	struct saving *s = arg;
	const struct snapshot_ram *ram = &s->snap->ram[run];
	const struct guest_ram *from = &s->mem->ram[run];
	uint64_t at = (uint64_t)i * SNAPSHOT_CHUNK, len = chunk_len(ram, i), written = 0;
	const uint8_t *data = from->host + at;
	int err = 0;

	if (!s->touched[run] || s->touched[run][i / 64] >> i % 64 & 1)
		err = write_chunk(s->fd, data, len, ram->offset + at, &written);
	s->snap->sums[ram->first + i] = written ? crc32c(0, data, len) : zeros_sum(s->snap, len);
	atomic_fetch_add(&s->written, written);
	return err;
}

static int write_ram(struct snapshot *snap, const struct guest_mem *mem, int fd,
		     const struct snapshot_progress *progress, uint64_t *written)
{
	struct saving saving = { .snap = snap, .mem = mem, .fd = fd };
	struct snapshot_crew crew = {
		.snap = snap,
		.chunk = save_chunk,
		.arg = &saving,
		.progress = progress,
	};
	int err;

	for (unsigned int i = 0; i < mem->nram; i++)
		saving.touched[i] = pagemap_touched(&mem->ram[i], SNAPSHOT_CHUNK);
	err = crew_run(&crew);
	for (unsigned int i = 0; i < mem->nram; i++)
		free(saving.touched[i]);
	*written += saving.written;
	return err;
}

static void put_meta(const struct snapshot *snap, struct stream *out)
{
	for (unsigned int i = 0; i < snap->n; i++) {
		struct section_head head = section_head(&snap->sections[i]);

		stream_write(out, &head, sizeof(head));
		stream_write(out, snap->sections[i].data, snap->sections[i].len);
	}
	for (unsigned int i = 0; i < snap->nram; i++) {
		const struct snapshot_ram *ram = &snap->ram[i];
		struct ram_head head = { ram->gpa, ram->size, ram->offset };

		stream_write(out, &head, sizeof(head));
	}
	stream_write(out, snap->sums, snap->nsums * sizeof(*snap->sums));
}

static int write_meta(const struct snapshot *snap, int fd, uint64_t file_len)
{
	struct header head = {
		.version = SNAPSHOT_VERSION,
		.chunk = SNAPSHOT_CHUNK,
		.sections = snap->n,
		.nram = snap->nram,
		.nsums = snap->nsums,
		.file_len = file_len,
	};
	struct stream out;
	int err;

	memcpy(head.magic, magic, sizeof(magic));
	stream_open_buf(&out);
	put_meta(snap, &out);
	err = out.err;
	head.meta_len = out.len;
	head.meta_sum = crc32c(0, out.buf, out.len);
	head.sum = crc32c(0, &head, offsetof(struct header, sum));
	if (!err)
		err = full_pwrite(fd, out.buf, out.len, sizeof(head));
	stream_close(&out);
	return err ? err : full_pwrite(fd, &head, sizeof(head), 0);
}

int snapshot_write(struct snapshot *snap, const struct guest_mem *mem, int fd,
		   const struct snapshot_progress *progress, uint64_t *written, struct fail *fail)
{
	int err = plan_ram(snap, mem);
	uint64_t len = err ? 0 : meta_len(snap);

	*written = len + sizeof(struct header);
	snap->file_len = place_ram(snap, len);
	if (!err)
		err = write_ram(snap, mem, fd, progress, written);
	/* It may end in a hole. */
	if (!err && ftruncate(fd, (off_t)snap->file_len))
		err = -errno;
	if (!err)
		err = write_meta(snap, fd, snap->file_len);
	return err ? fail_set(fail, EXIT_HOST, err, "cannot write the snapshot: %s", strerror(-err))
		   : 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int refuse(struct fail *fail, int err, const char *why)
{
	return fail_set(fail, EXIT_SNAPSHOT, err, "this is no whole snapshot: %s", why);
}

static int read_header(int fd, struct header *head, struct fail *fail)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return fail_set(fail, EXIT_HOST, -errno, "cannot look at the snapshot: %s",
				strerror(errno));
	err = full_pread(fd, head, sizeof(*head), 0);
	if (err && err != -ENODATA)
		return fail_set(fail, EXIT_HOST, err, "cannot read the snapshot: %s",
				strerror(-err));
	if (err || memcmp(head->magic, magic, sizeof(magic)))
		return refuse(fail, -EPROTO, "it does not begin like one");
	if (head->version != SNAPSHOT_VERSION)
		return fail_set(fail, EXIT_SNAPSHOT, -ENOTSUP,
				"the snapshot has format version %u, this vmm reads %u",
				head->version, SNAPSHOT_VERSION);
	if (head->sum != crc32c(0, head, offsetof(struct header, sum)))
		return refuse(fail, -EBADMSG, "its header's checksum does not hold");
	if (head->file_len != (uint64_t)st.st_size)
		return refuse(fail, -EPROTO, "its length is not the one it was written with");
	if (head->chunk != SNAPSHOT_CHUNK || head->sections > SNAPSHOT_SECTIONS_MAX ||
	    head->nram > GUEST_RAM_MAX || head->meta_len > SNAPSHOT_META_MAX ||
	    head->meta_len > head->file_len - sizeof(*head) ||
	    head->nsums > head->meta_len / sizeof(uint32_t))
		return refuse(fail, -EPROTO, "its header makes no sense");
	return 0;
}

static int take_sections(struct snapshot *snap, struct stream *in, unsigned int n)
{
	int err = 0;

	snap->sections = calloc(n ? n : 1, sizeof(*snap->sections));
	if (!snap->sections)
		return -ENOMEM;
	for (unsigned int i = 0; !err && i < n; i++) {
		struct section *section = &snap->sections[i];
		struct section_head head;

		stream_read(in, &head, sizeof(head));
		if (in->err || head.len > stream_left(in))
			return -EPROTO;
		err = section_check(&head, in->buf + in->pos, section);
		if (!err && snapshot_find(snap, section->name))
			err = -EPROTO;
		if (err)
			return err;
		section->data = malloc(section->len ? section->len : 1);
		if (!section->data)
			return -ENOMEM;
		snap->n++;
		stream_read(in, section->data, section->len);
	}
	return in->err;
}

/* Runs lie one behind the other, as place_ram() has put them. */
static int take_ram(struct snapshot *snap, struct stream *in, const struct header *head)
{
	uint32_t first = 0;

	for (unsigned int i = 0; i < head->nram; i++) {
		struct snapshot_ram *ram = &snap->ram[i];
		struct ram_head run;

		stream_read(in, &run, sizeof(run));
		*ram = (struct snapshot_ram){ .gpa = run.gpa, .size = run.size, .first = first };
		if (in->err || !run.size || run.size % PAGE || run.size > RUN_MAX ||
		    run.size > head->file_len)
			return -EPROTO;
		first += chunks_of(run.size);
		snap->nram++;
	}
	if (first != head->nsums || place_ram(snap, head->meta_len) != head->file_len)
		return -EPROTO;
	snap->nsums = head->nsums;
	snap->zeros = zeros_sum(snap, SNAPSHOT_CHUNK);
	snap->sums = calloc(head->nsums ? head->nsums : 1, sizeof(*snap->sums));
	if (!snap->sums)
		return -ENOMEM;
	stream_read(in, snap->sums, head->nsums * sizeof(*snap->sums));
	return in->err || stream_left(in) ? -EPROTO : 0;
}

static int read_meta(struct snapshot *snap, int fd, const struct header *head)
{
	struct stream in = { .fd = -1, .len = head->meta_len, .cap = head->meta_len };
	int err;

	in.buf = malloc(head->meta_len ? head->meta_len : 1);
	if (!in.buf)
		return -ENOMEM;
	err = full_pread(fd, in.buf, head->meta_len, sizeof(*head));
	if (!err && crc32c(0, in.buf, in.len) != head->meta_sum)
		err = -EBADMSG;
	if (!err)
		err = take_sections(snap, &in, head->sections);
	if (!err)
		err = take_ram(snap, &in, head);
	stream_close(&in);
	return err;
}

int snapshot_open(struct snapshot *snap, int fd, struct fail *fail)
{
	struct header head;
	int err;

	snapshot_init(snap);
	err = read_header(fd, &head, fail);
	if (err)
		return err;
	snap->fd = fd;
	snap->file_len = head.file_len;
	err = read_meta(snap, fd, &head);
	if (!err)
		return 0;
	snapshot_free(snap);
	return err == -EPROTO	 ? refuse(fail, err, "its sections make no sense")
	       : err == -EBADMSG ? refuse(fail, err, "its sections' checksum does not hold")
				 : fail_set(fail, EXIT_HOST, err, "cannot read the snapshot: %s",
					    strerror(-err));
}

int snapshot_fits(const struct snapshot *snap, const struct guest_mem *mem, struct fail *fail)
{
	bool same = snap->nram == mem->nram;

	for (unsigned int i = 0; same && i < mem->nram; i++)
		same = snap->ram[i].gpa == mem->ram[i].base &&
		       snap->ram[i].size == mem->ram[i].size;
	return same ? 0
		    : fail_set(fail, EXIT_SNAPSHOT, -EPROTO,
			       "the snapshot's memory is not the machine's that it describes");
}
