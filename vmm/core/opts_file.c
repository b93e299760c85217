// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/opts_priv.h"

enum { FILE_MAX = 1 << 20, DEPTH_MAX = 8 };

/* The files that are being read, each named by the one before. */
struct opts_file {
	const struct opts_file *by;
	const char *path;
	dev_t dev;
	ino_t ino;
	unsigned int depth;
};

/* --- a line ----------------------------------------------------------------------------------- */

/* Takes what is between quotation marks, in place: NULL, or why not. */
static const char *unquote(char *at)
{
	const char *in = at + 1;

	for (; *in && *in != '"'; in++) {
		bool escaped = *in == '\\';

		if (escaped && !strchr("\\\"n", *++in))
			return "after a backslash in quotation marks, write \\, \" or n";
		if (!*in)
			break;
		*at++ = escaped && *in == 'n' ? '\n' : *in;
	}
	if (!*in)
		return "the closing quotation mark is missing";
	*at = 0;
	return in[1] ? "something follows the closing quotation mark" : NULL;
}

const char *opts_line(char *line, char **name, char **value)
{
	size_t len;

	*name = *value = NULL;
	while (isspace((unsigned char)*line))
		line++;
	len = strlen(line);
	while (len && isspace((unsigned char)line[len - 1]))
		line[--len] = 0;
	if (!*line || *line == '#')
		return NULL;
	*name = line;
	while (*line && !isspace((unsigned char)*line))
		line++;
	if (!*line)
		return NULL;
	*line++ = 0;
	while (isspace((unsigned char)*line))
		line++;
	*value = line;
	return *line == '"' ? unquote(line) : NULL;
}

static void print_value(const char *value, FILE *out)
{
	size_t len = strlen(value);
	bool plain = len && *value != '"' && !isspace((unsigned char)*value) &&
		     !isspace((unsigned char)value[len - 1]) && !strchr(value, '\n');

	if (plain) {
		fprintf(out, " %s", value);
		return;
	}
	fputs(" \"", out);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"' || *value == '\n')
			fputc('\\', out);
		fputc(*value == '\n' ? 'n' : *value, out);
	}
	fputc('"', out);
}

/* Whether it counts once, and a later one does. */
static bool replaced(const struct opts_kept *kept, size_t i)
{
	const struct opt *opt = kept->words[i].opt;

	for (i++; opt->type != OPT_PARSE && i < kept->n; i++)
		if (kept->words[i].opt == opt)
			return true;
	return false;
}

void opts_print(const struct opts_kept *kept, const char *except, FILE *out)
{
	for (size_t i = 0; i < kept->n; i++) {
		const struct opts_word *word = &kept->words[i];

		if (replaced(kept, i) || (except && !strcmp(word->opt->name, except)))
			continue;
		fputs(word->opt->name, out);
		if (word->value)
			print_value(word->value, out);
		fputc('\n', out);
	}
}

/* --- a file ----------------------------------------------------------------------------------- */

static int take_line(const struct opts_kept *kept, char *line, void *into, struct fail *fail)
{
	char *name, *value;
	const char *why = opts_line(line, &name, &value);

	if (why)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "%s: %s", name, why);
	return name ? opts_set(kept->table, name, value, into, fail) : 0;
}

static int take_lines(struct opts_kept *kept, const char *path, char *text, void *into,
		      struct fail *fail)
{
	struct fail why = { 0 };
	char *line;
	int err = 0;

	for (unsigned int n = 1; !err && (line = strsep(&text, "\n")); n++) {
		err = take_line(kept, line, into, &why);
		if (err)
			fail_set(fail, why.code, err, "%s:%u: %s", path, n, why.text);
	}
	return err;
}

/* All of the file, and a NUL: its length, or -errno. */
static ssize_t slurp(int fd, char *text)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, text + len, FILE_MAX + 1 - len);
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	} while (n && len <= FILE_MAX);
	text[len <= FILE_MAX ? len : 0] = 0;
	return len <= FILE_MAX ? (ssize_t)len : -EFBIG;
}

/* Reads the file into memory that `kept` owns. 0 or -errno. */
static int read_text(struct opts_kept *kept, int fd, char **out)
{
	char **texts = reallocarray(kept->texts, kept->ntexts + 1, sizeof(*texts));
	char *text = malloc(FILE_MAX + 1), *fit;
	ssize_t len = -ENOMEM;

	if (texts)
		kept->texts = texts;
	if (texts && text)
		len = slurp(fd, text);
	if (len >= 0 && strlen(text) != (size_t)len)
		len = -EILSEQ;
	if (len < 0) {
		free(text);
		return (int)len;
	}
	fit = realloc(text, (size_t)len + 1);
	*out = kept->texts[kept->ntexts++] = fit ? fit : text;
	return 0;
}

static int refuse(const struct opts_file *file, int err, struct fail *fail)
{
	const char *why = strerror(-err);

	if (err == -EILSEQ)
		why = "it has a NUL byte, so it is no text";
	else if (err == -EFBIG)
		why = "it is larger than 1 MiB";
	else if (err == -ELOOP)
		why = "it includes itself";
	else if (err == -EMLINK)
		why = "too many files include each other";
	return fail_set(fail, err == -ENOMEM ? EXIT_HOST : EXIT_CONFIG, err,
			"cannot read options from %s: %s", file->path, why);
}

/* 0; -ELOOP: it is being read already. */
static int identify(struct opts_file *file, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	for (const struct opts_file *f = file->by; f; f = f->by)
		if (f->dev == file->dev && f->ino == file->ino)
			return -ELOOP;
	return file->depth > DEPTH_MAX ? -EMLINK : 0;
}

int opts_file(struct opts_kept *kept, const char *path, void *into, struct fail *fail)
{
	struct opts_file file = {
		.by = kept->file,
		.path = path,
		.depth = kept->file ? kept->file->depth + 1 : 1,
	};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : identify(&file, fd);
	char *text = NULL;

	if (!err)
		err = read_text(kept, fd, &text);
	if (fd >= 0)
		close(fd);
	if (err)
		return refuse(&file, err, fail);
	kept->file = &file;
	err = take_lines(kept, path, text, into, fail);
	kept->file = file.by;
	return err;
}

void opts_kept_free(struct opts_kept *kept)
{
	while (kept->ntexts)
		free(kept->texts[--kept->ntexts]);
	free(kept->texts);
	free(kept->words);
	*kept = (struct opts_kept){ 0 };
}
