// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void snapshot_init(struct snapshot *snap)
{
	*snap = (struct snapshot){ .fd = -1 };
}

void snapshot_free(struct snapshot *snap)
{
	for (unsigned int i = 0; i < snap->n; i++)
		free(snap->sections[i].data);
	free(snap->sections);
	free(snap->sums);
	snapshot_init(snap);
}

static struct section *find(const struct snapshot *snap, const char *name)
{
	for (unsigned int i = 0; i < snap->n; i++)
		if (!strcmp(snap->sections[i].name, name))
			return &snap->sections[i];
	return NULL;
}

const struct section *snapshot_find(const struct snapshot *snap, const char *name)
{
	return find(snap, name);
}

const char *snapshot_left(const struct snapshot *snap, unsigned int *at)
{
	while (*at < snap->n) {
		const struct section *section = &snap->sections[(*at)++];

		if (!section->taken && !section->optional)
			return section->name;
	}
	return NULL;
}

int snapshot_add(struct snapshot *snap, const char *name, uint32_t version,
		 void (*save)(void *arg, struct state *s), void *arg, struct fail *fail)
{
	struct section *more, *section;
	struct stream stream;
	struct state s;

	assert(strlen(name) < sizeof(section->name) && !snapshot_find(snap, name));
	more = reallocarray(snap->sections, snap->n + 1, sizeof(*more));
	if (!more)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	snap->sections = more;
	stream_open_buf(&stream);
	state_init_save(&s, &stream);
	save(arg, &s);
	if (state_end(&s)) {
		stream_close(&stream);
		return fail_set(fail, EXIT_HOST, s.err, "cannot save %s (%s): %s", name, s.where,
				strerror(-s.err));
	}
	section = &snap->sections[snap->n++];
	*section = (struct section){ .version = version, .data = stream.buf, .len = stream.len };
	memcpy(section->name, name, strlen(name) + 1);
	return 0;
}

int snapshot_take(struct snapshot *snap, const char *name, uint32_t version, struct fail *fail)
{
	struct section *section = find(snap, name);

	if (!section)
		return fail_set(fail, EXIT_SNAPSHOT, -ENOENT, "the snapshot has no section %s",
				name);
	section->taken = true;
	if (section->version > version)
		return fail_set(fail, EXIT_SNAPSHOT, -ENOTSUP,
				"the snapshot's section %s has version %u, this vmm reads up to "
				"%u; restore it with a newer one",
				name, section->version, version);
	return 0;
}

int snapshot_get(struct snapshot *snap, const char *name, uint32_t version,
		 void (*load)(void *arg, struct state *s), void *arg, struct fail *fail)
{
	int err = snapshot_take(snap, name, version, fail);
	const struct section *section = err ? NULL : find(snap, name);
	struct stream stream;
	struct state s;

	if (err)
		return err;
	stream_open_data(&stream, section->data, section->len);
	state_init_load(&s, &stream);
	load(arg, &s);
	state_end(&s);
	stream_close(&stream);
	if (s.err)
		return fail_set(fail, EXIT_SNAPSHOT, s.err,
				"the snapshot's section %s does not hold: record %s: %s", name,
				s.where, strerror(-s.err));
	return 0;
}
