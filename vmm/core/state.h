/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_STATE_H
#define VMM_CORE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/stream.h"

/*
 * The two-way state visitor: the same call saves a field or loads it. Fields are tagged records
 * (name, size, little-endian value) in a fixed order. Loading is from untrusted input: a wrong
 * name, size or range sets the sticky error and leaves the field as it was.
 *
 * An *optional* record is for what older readers do not know: they skip it, and a newer reader
 * that does not find it keeps the field's present (reset) value.
 */
struct state {
	struct stream *stream;
	bool loading;
	int err; /* sticky: -EPROTO malformed, -ERANGE a value out of range, or the stream's */
	char where[64]; /* the record that failed */
	/* private: the record read ahead while loading */
	bool peeked, optional;
	char name[32];
	uint32_t size;
};

void state_init_save(struct state *s, struct stream *stream);
void state_init_load(struct state *s, struct stream *stream);

void state_bool(struct state *s, const char *name, bool *v); /* loads only 0 and 1 */
void state_u8(struct state *s, const char *name, uint8_t *v);
void state_u16(struct state *s, const char *name, uint16_t *v);
void state_u32(struct state *s, const char *name, uint32_t *v);
void state_u64(struct state *s, const char *name, uint64_t *v);
/* Exactly `len` bytes. */
void state_bytes(struct state *s, const char *name, void *data, uint32_t len);
/* Up to `max` bytes; *len is saved, and set when loading. */
void state_blob(struct state *s, const char *name, void *data, uint32_t *len, uint32_t max);

void state_optional_u32(struct state *s, const char *name, uint32_t *v);
void state_optional_u64(struct state *s, const char *name, uint64_t *v);

/* After loading: an invariant that the loaded values must satisfy, else -ERANGE at `name`.
 * Returns whether it holds and nothing failed before. While saving it is an assert. */
bool state_check(struct state *s, bool holds, const char *name);

/* Ends loading: records left over must be optional. Returns the sticky error. */
int state_end(struct state *s);

#endif
