/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_SNAPSHOT_STREAM_H
#define VMM_SNAPSHOT_STREAM_H

#include "vmm/core/stream.h"
#include "vmm/snapshot.h"

/*
 * A snapshot that flows: through a pipe, or to another host. Frames are sections, runs of pages of
 * RAM, which may come again, and the commit that makes it whole: without it nothing was sent. Each
 * frame has a checksum, and is believed only when that holds.
 */

/* --- sending: errors are sticky in `out` ------------------------------------------------------- */

void frames_begin(struct stream *out);
void frames_section(struct stream *out, const struct section *section);
/* `n` pages from `gpa` on. */
void frames_pages(struct stream *out, gpa_t gpa, const void *data, unsigned int n);
/* The same of pages that are all zeros, of which the other side may have had other contents. */
void frames_zeros(struct stream *out, gpa_t gpa, uint64_t n);
/* A word of who sends to who receives, "=..." and at most 31 characters, with `len` bytes. */
void frames_word(struct stream *out, const char *name, const void *data, size_t len);
/* And flushes: 0 or the sticky error. */
int frames_commit(struct stream *out);

/* All of a machine that stands still: sections, pages that are not zero, commit. EXIT_HOST, also
 * when `stop_fd` (or -1) becomes readable while the other side takes nothing. */
int snapshot_send(const struct snapshot *snap, const struct guest_mem *mem, int fd, int stop_fd,
		  const struct snapshot_progress *progress, uint64_t *written, struct fail *fail);

/* --- receiving: EXIT_SNAPSHOT, or EXIT_HOST where it cannot be read ----------------------------- */

enum frame_kind { FRAME_SECTION, FRAME_PAGES, FRAME_ZEROS, FRAME_COMMIT, FRAME_WORD };

struct frames {
	struct stream in;
	struct section section; /* the last frame, whatever its kind; its data are owned */
};

/* Reads the head; `fd` is borrowed. Closed in any case by frames_close(). */
int frames_open(struct frames *f, int fd, struct fail *fail);
/* The same in two steps: f->in can be given its limits between them. */
void frames_attach(struct frames *f, int fd);
int frames_begun(struct frames *f, struct fail *fail);
void frames_close(struct frames *f);

/* The next frame: an enum frame_kind, or -errno. */
int frames_next(struct frames *f, struct fail *fail);
/* Of the last frame. */
enum frame_kind frames_kind(const struct frames *f);
/* What to do with the last frame: into RAM, which all of it must be; or to the snapshot's sections. */
int frames_take_pages(const struct frames *f, const struct guest_mem *mem, struct fail *fail);
int frames_take_zeros(const struct frames *f, const struct guest_mem *mem, struct fail *fail);
int frames_take_section(struct frames *f, struct snapshot *snap, struct fail *fail);

/* Whichever of these it is. */
int frames_take(struct frames *f, struct snapshot *snap, const struct guest_mem *mem,
		struct fail *fail);

/* Takes sections up to the first other frame, which is enough to make the machine ... */
int frames_sections(struct frames *f, struct snapshot *snap, struct fail *fail);
/* ... and the rest, beginning with that frame, up to the commit. `progress`, or NULL, is told how far in
 * RAM it is; `*bytes` of pages came. */
int frames_rest(struct frames *f, struct snapshot *snap, const struct guest_mem *mem,
		const struct snapshot_progress *progress, uint64_t *bytes, struct fail *fail);

#endif
