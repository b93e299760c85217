/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_OPTS_H
#define VMM_CORE_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/core/fail.h"

struct opts_file;

/*
 * One table of options makes parsing, files of options, --help and the man page. Values land in the caller's struct
 * at `offset`; what needs more than a number or a word has a parser of its own.
 */
enum opt_type {
	OPT_FLAG, /* bool; no argument */
	OPT_STR, /* const char *: points into argv */
	OPT_UINT, /* unsigned int, min..max */
	OPT_SIZE, /* uint64_t bytes; a bare number is MiB; suffixes K M G T (and KiB, MB ...) */
	OPT_TIME, /* uint64_t nanoseconds; a bare number is seconds; suffixes ms s m h; min..max */
	OPT_CHOICE, /* unsigned int: index in `choices` */
	OPT_PARSE, /* parse(into, arg, fail) decides */
	OPT_CONFIG, /* struct opts_kept: keeps what is given; the argument is a file of options */
};

struct opts_word {
	const struct opt *opt;
	const char *value; /* NULL: a flag */
};

/*
 * What was given, in order: with its defaults it is the whole configuration. Of a table with an
 * OPT_CONFIG row opts_parse() and opts_set() fill it; files that were read live in it, and values point into them.
 * Starts as all zero.
 */
struct opts_kept {
	struct opts_word *words;
	size_t n;
	/* private */
	char **texts;
	size_t ntexts;
	const struct opt *table;
	const struct opts_file *file; /* being read */
};

struct opt {
	const char
		*name; /* long name without dashes; NULL ends the table, or goes on with `more` */
	char letter; /* short form, or 0 */
	enum opt_type type;
	const char *aliases; /* further long names, separated by spaces, or NULL */
	const char *arg; /* what --help calls the argument: "FILE" */
	const char *help; /* one line */
	size_t offset;
	uint64_t min, max; /* OPT_UINT, OPT_SIZE (bytes), OPT_TIME (nanoseconds) */
	const char *const *choices; /* OPT_CHOICE: NULL-terminated words */
	/* 0 or -errno with `fail` set; `into` is the struct itself. Repeatable by nature. */
	int (*parse)(void *into, const char *arg, struct fail *fail);
	const struct opt *more; /* of the last row: another table over the same struct; or NULL */
};

/*
 * Parses argv[0..argc) (the words after the command): --name VALUE, --name=VALUE, -x VALUE, -xVALUE;
 * `--` ends the options. Words that are no options are left at the front of argv and their number
 * returned. -EINVAL with a sentence (EXIT_CONFIG) for an unknown option (with the nearest match),
 * a missing or bad argument, or one that a flag does not take.
 */
int opts_parse(const struct opt *table, int argc, char **argv, void *into, struct fail *fail);

/*
 * One option in words of its own, as files have them: `name` is a long name without dashes, `value`
 * what follows it, NULL for nothing. Strings are kept as by opts_parse(). 0 or -EINVAL, as above.
 */
int opts_set(const struct opt *table, const char *name, const char *value, void *into,
	     struct fail *fail);

void opts_kept_free(struct opts_kept *kept);

/*
 * Prints what was given as a file that OPT_CONFIG reads back into the same: an option a line, its
 * long name and its value. An option that a later one replaces is left out, and so is the one
 * called `except` (or NULL).
 */
void opts_print(const struct opts_kept *kept, const char *except, FILE *out);

/*
 * Splits a line of such a file, in place: `NAME VALUE`, `NAME "VALUE"` with \\ \" \n inside, `NAME`
 * (*value is NULL), or nothing (*name is NULL): a blank line, or one that begins with #. VALUE
 * reaches to the end of the line, without spaces around it. NULL, or why it makes no sense.
 */
const char *opts_line(char *line, char **name, char **value);

/* Prints the options, aligned for a terminal of 100 columns. */
void opts_help(const struct opt *table, FILE *out);
/* Prints them as a section of a man page (mdoc .It entries). */
void opts_man(const struct opt *table, FILE *out);

/* The first row of a table, and the one after another, in all that it goes on with; NULL: none. */
const struct opt *opts_first(const struct opt *table);
const struct opt *opts_next(const struct opt *opt);

/* The long names of an option, its own and its aliases: a word of *len bytes, NULL at the end. */
const char *opts_first_name(const struct opt *opt, size_t *len);
const char *opts_next_name(const struct opt *opt, const char *word, size_t *len);

/* What help calls the argument. */
const char *opts_arg(const struct opt *opt);
/* What the argument can be: words, printed with `between` in between; or false: that is open. */
bool opts_words(const struct opt *opt, const char *between, FILE *out);

/* A size as OPT_SIZE reads it: 0, -EINVAL (not a size) or -ERANGE (does not fit). */
int opts_size(const char *word, uint64_t *bytes);

/* A duration as OPT_TIME reads it, in nanoseconds: the same. */
int opts_time(const char *word, uint64_t *ns);

/* "file,ro,serial=x": the next part of a comma list, split at '='. `*rest` moves on and is
 * written to. false at the end. */
bool opts_part(char **rest, char **key, char **value);

/* The nearest of a NULL-terminated list to a mistyped word, or NULL when none is near. */
const char *opts_nearest(const char *word, const char *const *words);

#endif
