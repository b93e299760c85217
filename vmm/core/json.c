// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Well-formed UTF-8 by its first byte (Unicode 15, table 3-7): the range of the second byte keeps
 * out overlong forms, surrogates and what is beyond U+10FFFF. */
static const struct {
	uint8_t first, last, low, high, len;
} utf8_rows[] = {
	{ 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

/* A NUL ends every range, so nothing beyond the end of a string is looked at. */
size_t json_utf8(const char *s)
{
	const uint8_t *b = (const uint8_t *)s;

	for (size_t i = 0; i < sizeof(utf8_rows) / sizeof(utf8_rows[0]); i++) {
		if (b[0] < utf8_rows[i].first || b[0] > utf8_rows[i].last)
			continue;
		if (utf8_rows[i].len > 1 && (b[1] < utf8_rows[i].low || b[1] > utf8_rows[i].high))
			return 0;
		for (unsigned int n = 2; n < utf8_rows[i].len; n++)
			if ((b[n] & 0xc0) != 0x80)
				return 0;
		return utf8_rows[i].len;
	}
	return 0;
}

static char *utf8_put(char *out, uint32_t code)
{
	if (code < 0x80) {
		*out++ = (char)code;
		return out;
	}
	if (code < 0x800) {
		*out++ = (char)(0xc0 | code >> 6);
	} else {
		if (code < 0x10000) {
			*out++ = (char)(0xe0 | code >> 12);
		} else {
			*out++ = (char)(0xf0 | code >> 18);
			*out++ = (char)(0x80 | (code >> 12 & 0x3f));
		}
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (code & 0x3f));
	return out;
}

/* --- reading ---------------------------------------------------------------------------------- */

static char *skip_space(char *at)
{
	return at + strspn(at, " \t\r\n");
}

static int hex4(char **at, uint32_t *code)
{
	*code = 0;
	for (int i = 0; i < 4; i++, (*at)++) {
		char c = **at;

		if (c >= '0' && c <= '9')
			*code = *code << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			*code = *code << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return -EINVAL;
	}
	return 0;
}

/* Behind "\u": a code unit, or two that make a character (RFC 8259, section 7). */
static int unicode_escape(char **at, uint32_t *code)
{
	uint32_t low;

	if (hex4(at, code))
		return -EINVAL;
	if (*code < 0xd800 || *code > 0xdfff)
		return *code ? 0 : -EINVAL;
	if (*code > 0xdbff || (*at)[0] != '\\' || (*at)[1] != 'u')
		return -EINVAL;
	*at += 2;
	if (hex4(at, &low) || low < 0xdc00 || low > 0xdfff)
		return -EINVAL;
	*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
	return 0;
}

static int escape(char **at, uint32_t *code)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char c = *(*at)++;
	const char *found = c ? strchr(from, c) : NULL;

	if (c == 'u')
		return unicode_escape(at, code);
	if (!found)
		return -EINVAL;
	*code = (uint32_t)to[found - from];
	return 0;
}

/* At the opening quote. The characters go to `out`, which never overtakes what is read; NULL only
 * checks. `*end` is where they end. */
static int parse_string(char **at, char *out, char **end)
{
	if (**at != '"')
		return -EINVAL;
	++*at;
	while (**at != '"') {
		size_t len = json_utf8(*at);
		char units[4], *next = units;
		uint32_t code;

		if (!len || (len == 1 && (uint8_t) * *at < ' '))
			return -EINVAL;
		if (**at == '\\') {
			++*at;
			if (escape(at, &code))
				return -EINVAL;
			next = utf8_put(units, code);
		} else {
			while (len--)
				*next++ = *(*at)++;
		}
		for (const char *u = units; out && u < next; u++)
			*out++ = *u;
	}
	*end = out;
	++*at;
	return 0;
}

static size_t digits(const char *at)
{
	return strspn(at, "0123456789");
}

static int parse_number(char **at, struct json_field *field)
{
	char *p = *at + (**at == '-');
	size_t n = digits(p);
	bool whole = true;

	if (!n || (*p == '0' && n > 1))
		return -EINVAL;
	p += n;
	if (*p == '.') {
		n = digits(++p);
		whole = false;
	}
	p += whole ? 0 : n;
	if (n && (*p == 'e' || *p == 'E')) {
		p += 1 + (p[1] == '+' || p[1] == '-');
		n = digits(p);
		p += n;
		whole = false;
	}
	if (!n)
		return -EINVAL;
	errno = 0;
	field->num = whole ? strtoll(*at, NULL, 10) : 0;
	field->type = whole && !errno ? JSON_INT : JSON_NUMBER;
	*at = p;
	return 0;
}

static int parse_word(char **at, struct json_field *field)
{
	static const struct {
		const char *word;
		enum json_type type;
		int64_t num;
	} words[] = {
		{ "null", JSON_NULL, 0 },
		{ "true", JSON_BOOL, 1 },
		{ "false", JSON_BOOL, 0 },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i].word);

		if (strncmp(*at, words[i].word, len))
			continue;
		*at += len;
		field->type = words[i].type;
		field->num = words[i].num;
		return 0;
	}
	return -EINVAL;
}

static int skip_container(char **at, unsigned int depth);

/* At the value's first character. Containers are only checked; so are strings if `depth` says that
 * this is inside one. */
static int parse_value(char **at, struct json_field *field, unsigned int depth)
{
	int err = 0;

	field->text = *at;
	field->end = NULL;
	switch (**at) {
	case '"':
		field->type = JSON_STRING;
		return parse_string(at, depth ? NULL : field->text, &field->end);
	case '{':
	case '[':
		field->type = **at == '{' ? JSON_OBJECT : JSON_ARRAY;
		err = skip_container(at, depth + 1);
		break;
	case '-':
	case '0' ... '9':
		err = parse_number(at, field);
		break;
	default:
		err = parse_word(at, field);
	}
	field->end = *at;
	return err;
}

/* The separator behind a value: 1 for one more, which follows; 0 behind the closing bracket. */
static int parse_separator(char **at, char closing)
{
	char c;

	*at = skip_space(*at);
	c = **at;
	if (c != ',' && c != closing)
		return -EINVAL;
	++*at;
	if (c == closing)
		return 0;
	*at = skip_space(*at);
	return 1;
}

/* "key": , leaving *at at the value. `decode` keeps the key, in place. */
static int parse_key(char **at, const char **key, bool decode)
{
	char *text = *at, *end;
	int err = parse_string(at, decode ? text : NULL, &end);

	if (err)
		return err;
	*at = skip_space(*at);
	if (**at != ':')
		return -EINVAL;
	*at = skip_space(*at + 1);
	if (decode)
		*end = 0;
	*key = text;
	return 0;
}

static int skip_container(char **at, unsigned int depth)
{
	bool object = **at == '{';
	char closing = object ? '}' : ']';
	int more = 1;

	if (depth > JSON_DEPTH_MAX)
		return -E2BIG;
	*at = skip_space(*at + 1);
	if (**at == closing) {
		++*at;
		return 0;
	}
	while (more == 1) {
		struct json_field ignored;
		const char *key;
		int err = object ? parse_key(at, &key, false) : 0;

		if (!err)
			err = parse_value(at, &ignored, depth);
		if (err)
			return err;
		more = parse_separator(at, closing);
	}
	return more;
}

static int parse_member(char **at, struct json_object *obj)
{
	struct json_field *field = &obj->fields[obj->n];
	int err;

	if (obj->n == JSON_FIELDS_MAX)
		return -E2BIG;
	*field = (struct json_field){ 0 };
	err = parse_key(at, &field->key, true);
	if (err || json_get(obj, field->key))
		return -EINVAL;
	err = parse_value(at, field, 0);
	if (!err)
		obj->n++;
	return err;
}

int json_parse(char *text, struct json_object *obj)
{
	char *at = skip_space(text);
	int more = 1;

	obj->n = 0;
	if (*at != '{')
		return -EINVAL;
	at = skip_space(at + 1);
	if (*at == '}') {
		more = 0;
		at++;
	}
	while (more == 1) {
		int err = parse_member(&at, obj);

		if (err)
			return err;
		more = parse_separator(&at, '}');
	}
	if (more < 0 || *skip_space(at))
		return -EINVAL;
	/* Not before: a separator stood there. */
	for (unsigned int i = 0; i < obj->n; i++)
		*obj->fields[i].end = 0;
	return 0;
}

/* The array was checked by whoever read it: only its shape is looked at. */
bool json_next(char **at, struct json_field *element)
{
	char *p = skip_space(*at);

	if (!*p || *p == ']')
		return false;
	*element = (struct json_field){ 0 };
	if (parse_value(&p, element, 0) || parse_separator(&p, ']') < 0)
		return false;
	*element->end = 0;
	*at = p;
	return true;
}

const struct json_field *json_get(const struct json_object *obj, const char *key)
{
	for (unsigned int i = 0; i < obj->n; i++)
		if (!strcmp(obj->fields[i].key, key))
			return &obj->fields[i];
	return NULL;
}

const char *json_get_str(const struct json_object *obj, const char *key)
{
	const struct json_field *field = json_get(obj, key);

	return field && field->type == JSON_STRING ? field->text : NULL;
}

/* --- writing ---------------------------------------------------------------------------------- */

void json_out_init(struct json_out *out, char *buf, size_t cap)
{
	*out = (struct json_out){ .buf = buf, .cap = cap };
	buf[0] = 0;
}

/* All of it or nothing, so that a line cut short still is UTF-8. */
static void put(struct json_out *out, const char *text, size_t len)
{
	if (out->full || len >= out->cap - out->len) {
		out->full = true;
		return;
	}
	memcpy(out->buf + out->len, text, len);
	out->len += len;
	out->buf[out->len] = 0;
}

/* As far as the character `end` or a NUL; where that is. */
static const char *put_string(struct json_out *out, const char *val, char end)
{
	put(out, "\"", 1);
	while (*val && *val != end) {
		size_t len = json_utf8(val);
		char hex[8];

		if (!len) {
			put(out, "\xef\xbf\xbd", 3);
			len = 1;
		} else if ((uint8_t)*val < ' ' || *val == 0x7f) {
			snprintf(hex, sizeof(hex), "\\u%04x", (unsigned int)*val);
			put(out, hex, 6);
		} else {
			if (*val == '"' || *val == '\\')
				put(out, "\\", 1);
			put(out, val, len);
		}
		val += len;
	}
	put(out, "\"", 1);
	return val;
}

/* The comma, unless this is the first value in its container, and the key. */
static void put_key(struct json_out *out, const char *key)
{
	char last = out->len ? out->buf[out->len - 1] : '{';

	if (last != '{' && last != '[')
		put(out, ",", 1);
	if (!key)
		return;
	put_string(out, key, 0);
	put(out, ":", 1);
}

void json_open(struct json_out *out, const char *key, char bracket)
{
	put_key(out, key);
	put(out, &bracket, 1);
}

void json_close(struct json_out *out, char bracket)
{
	put(out, &bracket, 1);
}

void json_str(struct json_out *out, const char *key, const char *val)
{
	put_key(out, key);
	put_string(out, val, 0);
}

void json_lines(struct json_out *out, const char *key, const char *text)
{
	json_open(out, key, '[');
	while (*(text += strspn(text, "\n"))) {
		put_key(out, NULL);
		text = put_string(out, text, '\n');
	}
	json_close(out, ']');
}

void json_uint(struct json_out *out, const char *key, uint64_t val)
{
	char text[24];

	put_key(out, key);
	put(out, text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)val));
}

void json_bool(struct json_out *out, const char *key, bool val)
{
	put_key(out, key);
	put(out, val ? "true" : "false", val ? 4 : 5);
}

void json_hex(struct json_out *out, const char *key, uint64_t val)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)val);
	json_str(out, key, text);
}

void json_raw(struct json_out *out, const char *key, const char *json)
{
	put_key(out, key);
	put(out, json, strlen(json));
}
