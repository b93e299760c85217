// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/blk.h"
#include "vmm/core/opts.h"

/* --disk's options: words, the first of which is 0, or a number, or any text. */
struct part {
	const char *name;
	enum { PART_SWITCH, PART_SWITCH_OFF, PART_WORD, PART_NUMBER, PART_TEXT } kind;
	size_t offset; /* in struct blk_config */
	const char *const *words; /* PART_WORD */
	unsigned int max; /* PART_NUMBER, from 1 */
};

static const char *const aio_words[] = { "auto", "io_uring", "threads", NULL };

#define AT(field) offsetof(struct blk_config, field)

static const struct part parts[] = {
	{ "ro", PART_SWITCH, AT(disk.ro), NULL, 0 },
	{ "serial", PART_TEXT, AT(serial), NULL, 0 },
	{ "direct", PART_SWITCH, AT(disk.direct), NULL, 0 },
	{ "discard", PART_SWITCH_OFF, AT(disk.keep), NULL, 0 },
	{ "snapshot", PART_SWITCH, AT(disk.snapshot), NULL, 0 },
	{ "queues", PART_NUMBER, AT(queues), NULL, AIO_QUEUES_MAX },
	{ "aio", PART_WORD, AT(aio), aio_words, 0 },
};

enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

static const char known[] = "ro, serial=NAME, direct=on|off, discard=on|off, snapshot=on|off, "
			    "queues=1..16 and aio=auto|io_uring|threads";

/* A switch alone is on. */
static bool set_switch(bool *to, const char *value, bool inverted)
{
	if (value && strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return false;
	*to = (value && !strcmp(value, "off")) == inverted;
	return true;
}

static bool set_word(unsigned int *to, const char *value, const char *const *words)
{
	for (unsigned int i = 0; value && words[i]; i++) {
		if (!strcmp(value, words[i])) {
			*to = i;
			return true;
		}
	}
	return false;
}

static bool set_number(unsigned int *to, const char *value, unsigned int max)
{
	char *end;
	unsigned long v;

	/* strtoul() would take a sign and spaces. */
	if (!value || *value < '1' || *value > '9')
		return false;
	v = strtoul(value, &end, 10);
	if (*end || v > max)
		return false;
	*to = (unsigned int)v;
	return true;
}

static bool set(struct blk_config *cfg, const struct part *part, const char *value)
{
	void *to = (char *)cfg + part->offset;

	switch (part->kind) {
	case PART_SWITCH:
		return set_switch(to, value, false);
	case PART_SWITCH_OFF:
		return set_switch(to, value, true);
	case PART_WORD:
		return set_word(to, value, part->words);
	case PART_NUMBER:
		return set_number(to, value, part->max);
	default:
		*(const char **)to = value;
		return value != NULL;
	}
}

/* Ends the file's name at its first single comma and undoubles the others: what follows, or NULL. */
static char *take_path(char *arg)
{
	char *to = arg;

	for (; *arg; *to++ = *arg++) {
		if (*arg == ',' && *++arg != ',') {
			*to = '\0';
			return arg;
		}
	}
	*to = '\0';
	return NULL;
}

int blk_parse(struct blk_config *cfg, char *arg, struct fail *fail)
{
	char *rest, *key, *value;

	*cfg = (struct blk_config){ .transport = cfg->transport, .disk.path = arg, .queues = 1 };
	rest = take_path(arg);
	if (!*arg)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "--disk needs a file name");
	while (opts_part(&rest, &key, &value)) {
		const struct part *part = parts;

		while (part < parts + PARTS && strcmp(key, part->name) != 0)
			part++;
		if (part == parts + PARTS)
			return fail_set(fail, EXIT_CONFIG, -EINVAL,
					"--disk %s: unknown part '%s'; known are %s (a comma of "
					"the file's name is doubled)",
					cfg->disk.path, key, known);
		if (!set(cfg, part, value))
			return fail_set(fail, EXIT_CONFIG, -EINVAL,
					"--disk %s: %s cannot be '%s'; known are %s",
					cfg->disk.path, key, value ? value : "", known);
	}
	return 0;
}
