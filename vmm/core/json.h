/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_JSON_H
#define VMM_CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * JSON (RFC 8259) for messages of one object a line. The reader works inside the text that it is
 * given and allocates nothing; the text may be hostile. The writer fills a buffer and remembers
 * when that was too small, so that callers check once.
 */

/* More members than this, or values nested deeper, are refused. */
enum { JSON_FIELDS_MAX = 24, JSON_DEPTH_MAX = 8 };

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_INT, /* fits int64_t */
	JSON_NUMBER, /* any other number */
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_field {
	const char *key; /* UTF-8, no NUL inside */
	enum json_type type;
	int64_t num; /* JSON_INT; JSON_BOOL: 0 or 1 */
	char *text; /* a string's characters; of all else what was written */
	char *end; /* private: where `text` ends */
};

struct json_object {
	unsigned int n;
	struct json_field fields[JSON_FIELDS_MAX]; /* as written; no key twice */
};

/*
 * Reads the object that is all of `text`, which is changed, and which the fields point into. An
 * array or object inside is checked and left as it was written: an object can be parsed in its
 * turn. 0; -EINVAL (not an object, not JSON, not UTF-8, a NUL character, a key twice); -E2BIG (too
 * many members, nested too deep).
 */
int json_parse(char *text, struct json_object *obj);

/* The member, or NULL. */
const struct json_field *json_get(const struct json_object *obj, const char *key);
/* A string's characters, or NULL if there is no such member or it is no string. */
const char *json_get_str(const struct json_object *obj, const char *key);

/* The next element of an array that was read as a member or an element: `*at` starts behind its bracket, at
 * `text + 1`, and moves on; `key` is NULL. False behind the last. */
bool json_next(char **at, struct json_field *element);

/* Prints a member or element for people: a "key: value" a line, what is inside indented, elements
 * that are objects behind a dash. Its text is changed; what could drive a terminal is not printed. */
void json_print(struct json_field *field, unsigned int indent, FILE *out);

/* Bytes of the UTF-8 character at `s`, which a NUL ends; 0 if it is none. */
size_t json_utf8(const char *s);

struct json_out {
	char *buf;
	size_t cap, len;
	bool full; /* something did not fit */
};

/* Writes to buf[0..cap), which stays NUL-terminated; `cap` is at least 1. */
void json_out_init(struct json_out *out, char *buf, size_t cap);
/* A container: `bracket` is '{' or '[' to open, '}' or ']' to close. `key` is NULL for the
 * outermost value and inside arrays, here and below. */
void json_open(struct json_out *out, const char *key, char bracket);
void json_close(struct json_out *out, char bracket);
/* Bytes that are not UTF-8 become U+FFFD. */
void json_str(struct json_out *out, const char *key, const char *val);
/* An array of the lines of a text, without empty ones. */
void json_lines(struct json_out *out, const char *key, const char *text);
void json_uint(struct json_out *out, const char *key, uint64_t val);
void json_bool(struct json_out *out, const char *key, bool val);
/* A string of 0x and hexadecimal digits: not every reader has 64 bits for a number. */
void json_hex(struct json_out *out, const char *key, uint64_t val);
/* A value that is JSON already. */
void json_raw(struct json_out *out, const char *key, const char *json);

#endif
