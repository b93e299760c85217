// SPDX-License-Identifier: GPL-2.0-only
/*
 * snapedit IN OUT EDIT...                a saved machine of a host that nobody has. Its checksums hold.
 * snapedit - EDIT... -- COMMAND...        the same of one that is sent, between its source, at standard
 *       input and output, and the COMMAND that receives it: edits of what there is
 *   SECTION:NAME=VALUE, |=VALUE, ^=VALUE   a record that is a number, or a register of a vCPU by the name
 *       that `vmm inspect --registers` gives it, or by its id, which is added then
 *   SECTION:NAME+=TEXT                     a line behind a record's text
 *   SECTION@N                              the section's version
 *   +SECTION, -SECTION                     a section without records; one less
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/arm64/regs.h"
#include "arch/arm64/regs_state.h"
#include "vmm/snapshot_stream.h"

enum { RECORD_HEAD = 2, RECORD_SIZE = 4, EXIT_EDIT = 1 };

/* A value inside a section: where, and of how many bytes. */
struct place {
	struct section *section;
	uint64_t at, size_at; /* size_at: the record's size, 32 bits */
	uint32_t size;
};

static _Noreturn void wrong(const char *edit, const char *why)
{
	errx(EXIT_EDIT, "%s: %s", edit, why);
}

/* Puts `len` bytes more into a section. */
static void insert(struct section *s, uint64_t at, const void *data, uint64_t len)
{
	s->data = realloc(s->data, s->len + len);
	if (!s->data)
		err(EXIT_EDIT, "memory");
	memmove(s->data + at + len, s->data + at, s->len - at);
	memcpy(s->data + at, data, len);
	s->len += len;
}

static bool find_record(struct section *s, const char *name, struct place *p)
{
	uint64_t at = 0;

	while (at + RECORD_HEAD < s->len) {
		uint32_t name_len = s->data[at + 1];
		const char *found = (const char *)s->data + at + RECORD_HEAD;

		p->section = s;
		p->size_at = at + RECORD_HEAD + name_len;
		memcpy(&p->size, s->data + p->size_at, sizeof(p->size));
		p->at = p->size_at + RECORD_SIZE;
		if (strlen(name) == name_len && !strncmp(found, name, name_len))
			return true;
		at = p->at + p->size;
	}
	return false;
}

static uint32_t register_size(uint64_t id)
{
	return 1u << ((id & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT);
}

/* `p` is the record "regs", and becomes the register in it. */
static bool find_register(struct place *p, const char *name)
{
	uint64_t at = p->at, end = p->at + p->size, id;
	char found[32];

	for (; at < end; at += sizeof(id) + p->size) {
		memcpy(&id, p->section->data + at, sizeof(id));
		p->size = register_size(id);
		regs_name(id, found, sizeof(found));
		if (strcmp(found, name))
			continue;
		p->at = at + sizeof(id);
		return true;
	}
	return false;
}

static void add_register(struct place *p, uint64_t id)
{
	const uint8_t value[256] = { 0 };
	uint32_t size = register_size(id), total = p->size + sizeof(id) + size;
	uint64_t end = p->at + p->size;

	insert(p->section, end, &id, sizeof(id));
	insert(p->section, end + sizeof(id), value, size);
	memcpy(p->section->data + p->size_at, &total, sizeof(total));
	p->at = end + sizeof(id);
	p->size = size;
}

static struct place find_place(struct section *s, const char *name, const char *edit)
{
	struct place p;
	char *end;
	uint64_t id;

	if (find_record(s, name, &p))
		return p;
	if (!find_record(s, "regs", &p))
		wrong(edit, "there is no such record");
	id = strtoull(name, &end, 16);
	if (!*end && !strncmp(name, "0x", 2))
		add_register(&p, id);
	else if (!find_register(&p, name))
		wrong(edit, "there is no such register");
	return p;
}

static void append_text(struct place *p, const char *text)
{
	uint32_t total = p->size + (uint32_t)strlen(text) + 1;

	insert(p->section, p->at + p->size, "\n", 1);
	insert(p->section, p->at + p->size, text, strlen(text));
	memcpy(p->section->data + p->size_at, &total, sizeof(total));
}

static void set_number(const struct place *p, char op, const char *text, const char *edit)
{
	uint64_t value = 0, given;
	uint32_t size = p->size < sizeof(value) ? p->size : sizeof(value);
	char *end;

	given = strtoull(text, &end, 0);
	if (*end || end == text)
		wrong(edit, "is no number");
	memcpy(&value, p->section->data + p->at, size);
	value = op == '|' ? value | given : op == '^' ? value ^ given : given;
	memcpy(p->section->data + p->at, &value, size);
}

static struct section *find_section(const struct snapshot *snap, const char *name, const char *edit)
{
	struct section *s = (struct section *)snapshot_find(snap, name);

	if (!s)
		wrong(edit, "there is no such section");
	return s;
}

static void no_records(void *arg, struct state *s)
{
	(void)arg, (void)s;
}

static void remove_section(struct snapshot *snap, struct section *s)
{
	free(s->data);
	memmove(s, s + 1, (size_t)(snap->sections + snap->n - s - 1) * sizeof(*s));
	snap->n--;
}

static void apply(struct snapshot *snap, const char *edit)
{
	char *words = strdup(edit), *sign = strchr(words, '='), *name = strchr(words, ':');
	char *version = strrchr(words, '@'), op;
	struct place p;

	if (*edit == '+') {
		if (snapshot_add(snap, edit + 1, 1, no_records, NULL, NULL))
			wrong(edit, "cannot be added");
	} else if (*edit == '-') {
		remove_section(snap, find_section(snap, edit + 1, edit));
	} else if (name && sign > name + 1) {
		*name++ = 0;
		op = sign[-1];
		sign[strchr("|^+", op) ? -1 : 0] = 0;
		p = find_place(find_section(snap, words, edit), name, edit);
		if (op == '+')
			append_text(&p, sign + 1);
		else
			set_number(&p, op, sign + 1, edit);
	} else if (version) {
		*version++ = 0;
		find_section(snap, words, edit)->version = (uint32_t)strtoul(version, NULL, 0);
	} else {
		wrong(edit, "is no edit");
	}
	free(words);
}

static void read_all(struct snapshot *snap, struct guest_mem *mem, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct snapshot_load load;
	struct fail fail = { 0 };

	if (fd < 0)
		err(EXIT_EDIT, "%s", path);
	if (snapshot_open(snap, fd, &fail))
		errx(EXIT_EDIT, "%s: %s", path, fail.text);
	for (unsigned int i = 0; i < snap->nram; i++) {
		void *host = mmap(NULL, snap->ram[i].size, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (host == MAP_FAILED ||
		    guest_mem_add(mem, snap->ram[i].gpa, snap->ram[i].size, host))
			errx(EXIT_EDIT, "%s: its memory", path);
	}
	if (snapshot_load_start(&load, snap, mem, &fail) || snapshot_load_wait(&load, &fail))
		errx(EXIT_EDIT, "%s: %s", path, fail.text);
}

/* --- what is sent ------------------------------------------------------------------------------ */

/* The edits of the section that came, if it is one. */
static void apply_to(struct frames *f, char **edits, int n)
{
	struct snapshot one = { .sections = &f->section, .n = 1 };
	size_t len = strlen(f->section.name);

	for (int i = 0; i < n; i++)
		if (!strncmp(edits[i], f->section.name, len) && edits[i][len] == ':')
			apply(&one, edits[i]);
}

/* The way back is the command's own. */
static int start_command(char **words)
{
	int ends[2];

	if (pipe(ends))
		err(EXIT_EDIT, "pipe");
	switch (fork()) {
	case -1:
		err(EXIT_EDIT, "fork");
	case 0:
		dup2(ends[0], STDIN_FILENO);
		close(ends[0]);
		close(ends[1]);
		execvp(*words, words);
		err(EXIT_EDIT, "%s", *words);
	default:
		close(ends[0]);
		return ends[1];
	}
}

static int edit_stream(char **edits, int n, char **words)
{
	struct stream out;
	struct frames f;
	int fd = start_command(words);

	stream_open_fd(&out, fd, true);
	if (frames_open(&f, STDIN_FILENO, NULL))
		errx(EXIT_EDIT, "nothing is sent");
	frames_begin(&out);
	while (!stream_flush(&out) && frames_next(&f, NULL) >= 0) {
		apply_to(&f, edits, n);
		frames_section(&out, &f.section);
	}
	frames_close(&f);
	stream_close(&out);
	close(fd);
	wait(NULL);
	return 0;
}

/* --- what was saved ---------------------------------------------------------------------------- */

static int edit_file(int argc, char **argv)
{
	struct guest_mem mem = { 0 };
	struct snapshot snap;
	struct fail fail = { 0 };
	uint64_t written;
	int fd;

	read_all(&snap, &mem, argv[1]);
	for (int i = 3; i < argc; i++)
		apply(&snap, argv[i]);
	fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		err(EXIT_EDIT, "%s", argv[2]);
	if (snapshot_write(&snap, &mem, fd, NULL, &written, &fail) || close(fd))
		errx(EXIT_EDIT, "%s: %s", argv[2], fail.text);
	return 0;
}

int main(int argc, char **argv)
{
	int edits = 2;

	while (edits < argc && strcmp(argv[edits], "--"))
		edits++;
	if (argc > 1 && !strcmp(argv[1], "-") && edits + 1 < argc)
		return edit_stream(argv + 2, edits - 2, argv + edits + 1);
	if (argc < 3)
		errx(EXIT_EDIT,
		     "usage: snapedit IN OUT EDIT..., or snapedit - EDIT... -- COMMAND...");
	return edit_file(argc, argv);
}
