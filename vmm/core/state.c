// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/state.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * A record: u8 flags, u8 length of the name, name, u32 size, payload; little-endian. Loading works
 * on a buffer stream, so the end is known and nothing is ever allocated for what a record claims.
 */
enum { RECORD_OPTIONAL = 1 };

void state_init_save(struct state *s, struct stream *stream)
{
	*s = (struct state){ .stream = stream };
}

void state_init_load(struct state *s, struct stream *stream)
{
	assert(stream->fd < 0);
	*s = (struct state){ .stream = stream, .loading = true };
}

static void state_fail(struct state *s, int err, const char *name)
{
	if (s->err)
		return;
	s->err = err;
	snprintf(s->where, sizeof(s->where), "%s", name);
}

/* --- saving ----------------------------------------------------------------------------------- */

static void save(struct state *s, const char *name, bool optional, const void *data, uint32_t size)
{
	size_t len = strlen(name);
	uint8_t head[2] = { optional ? RECORD_OPTIONAL : 0, (uint8_t)len };
	uint32_t le_size = htole32(size);

	assert(len > 0 && len < sizeof(s->name));
	if (s->err)
		return;
	stream_write(s->stream, head, sizeof(head));
	stream_write(s->stream, name, len);
	stream_write(s->stream, &le_size, sizeof(le_size));
	if (stream_write(s->stream, data, size))
		state_fail(s, s->stream->err, name);
}

/* --- loading ---------------------------------------------------------------------------------- */

static bool printable(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return true;
}

/* Reads the next record's head unless that is done: false at the end, or with the sticky error. */
static bool peek(struct state *s)
{
	struct stream *in = s->stream;
	uint8_t head[2];
	uint32_t size;

	if (s->err || s->peeked)
		return s->peeked && !s->err;
	if (stream_left(in) == 0) {
		if (in->err)
			state_fail(s, in->err, "record");
		return false;
	}
	stream_read(in, head, sizeof(head));
	if (head[0] & ~RECORD_OPTIONAL || head[1] == 0 || head[1] >= sizeof(s->name))
		goto malformed;
	memset(s->name, 0, sizeof(s->name));
	stream_read(in, s->name, head[1]);
	stream_read(in, &size, sizeof(size));
	s->size = le32toh(size);
	if (in->err || !printable(s->name, head[1]) || s->size > stream_left(in))
		goto malformed;
	s->optional = head[0] & RECORD_OPTIONAL;
	s->peeked = true;
	return true;

malformed:
	state_fail(s, -EPROTO, "record");
	return false;
}

static void skip(struct state *s)
{
	s->stream->pos += s->size; /* peek() has checked it */
	s->peeked = false;
}

/* Moves to the record `name`, over optional ones that this reader does not know. Where it is not
 * there, an optional field stays before what it has seen, which may belong to later fields. */
static bool seek(struct state *s, const char *name, bool optional)
{
	struct state before;
	size_t pos;

	peek(s);
	before = *s;
	pos = s->stream->pos;
	while (peek(s)) {
		if (strcmp(s->name, name) == 0)
			return true;
		if (!s->optional)
			break;
		skip(s);
	}
	if (s->err)
		return false;
	if (!optional) {
		state_fail(s, -EPROTO, name);
		return false;
	}
	*s = before;
	s->stream->pos = pos;
	return false;
}

/* The payload of `name`, of min..max bytes, in the stream's buffer; NULL when it is not there. */
static const uint8_t *load(struct state *s, const char *name, bool optional, uint32_t min,
			   uint32_t max, uint32_t *size)
{
	const uint8_t *payload;

	if (s->err || !seek(s, name, optional))
		return NULL;
	if (s->size < min || s->size > max) {
		state_fail(s, -EPROTO, name);
		return NULL;
	}
	payload = s->stream->buf + s->stream->pos;
	*size = s->size;
	skip(s);
	return payload;
}

/* --- fields ----------------------------------------------------------------------------------- */

/* Fields are saved as they lie in memory. */
_Static_assert(BYTE_ORDER == LITTLE_ENDIAN, "records are little-endian");

static void field(struct state *s, const char *name, bool optional, void *v, uint32_t size)
{
	const uint8_t *payload;

	if (!s->loading) {
		save(s, name, optional, v, size);
		return;
	}
	payload = load(s, name, optional, size, size, &size);
	if (payload && size)
		memcpy(v, payload, size);
}

void state_bool(struct state *s, const char *name, bool *v)
{
	uint8_t val = *v;

	field(s, name, false, &val, sizeof(val));
	if (s->err || !s->loading)
		return;
	if (val > 1)
		state_fail(s, -ERANGE, name);
	else
		*v = val;
}

void state_u8(struct state *s, const char *name, uint8_t *v)
{
	field(s, name, false, v, sizeof(*v));
}

void state_u16(struct state *s, const char *name, uint16_t *v)
{
	field(s, name, false, v, sizeof(*v));
}

void state_u32(struct state *s, const char *name, uint32_t *v)
{
	field(s, name, false, v, sizeof(*v));
}

void state_u64(struct state *s, const char *name, uint64_t *v)
{
	field(s, name, false, v, sizeof(*v));
}

void state_optional_u32(struct state *s, const char *name, uint32_t *v)
{
	field(s, name, true, v, sizeof(*v));
}

void state_optional_u64(struct state *s, const char *name, uint64_t *v)
{
	field(s, name, true, v, sizeof(*v));
}

void state_bytes(struct state *s, const char *name, void *data, uint32_t len)
{
	field(s, name, false, data, len);
}

void state_blob(struct state *s, const char *name, void *data, uint32_t *len, uint32_t max)
{
	const uint8_t *payload;

	if (!s->loading) {
		assert(*len <= max);
		save(s, name, false, data, *len);
		return;
	}
	payload = load(s, name, false, 0, max, len);
	if (payload && *len)
		memcpy(data, payload, *len);
}

bool state_check(struct state *s, bool holds, const char *name)
{
	assert(s->loading || holds);
	if (!holds)
		state_fail(s, -ERANGE, name);
	return s->err == 0;
}

int state_end(struct state *s)
{
	while (s->loading && peek(s)) {
		if (s->optional)
			skip(s);
		else
			state_fail(s, -EPROTO, s->name);
	}
	return s->err;
}
