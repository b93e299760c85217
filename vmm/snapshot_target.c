// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/snapshot_target.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Beside the target: a rename never crosses a file system. Without a name where the file system can,
 * so that nothing is left of it whatever happens. */
int snapshot_target_open(struct snapshot_target *t, const char *path, struct fail *fail)
{
	char copy[PATH_MAX];

	t->path = path;
	t->named = false;
	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(t->dir, sizeof(t->dir), "%s", dirname(copy));
	if (strlen(path) >= sizeof(copy) ||
	    snprintf(t->temp, sizeof(t->temp), "%s/.vmm-save-XXXXXX", t->dir) >=
		    (int)sizeof(t->temp))
		return fail_set(fail, EXIT_CONFIG, -ENAMETOOLONG, "%s: the path is too long", path);
	t->fd = open(t->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (t->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		t->fd = mkostemp(t->temp, O_CLOEXEC);
		t->named = t->fd >= 0;
	}
	if (t->fd < 0)
		return fail_set(fail, EXIT_CONFIG, -errno,
				"cannot write to the folder of %s: %s; name another file", path,
				strerror(errno));
	return 0;
}

/* Gives a file without a name one that nothing has. */
static int target_name(struct snapshot_target *t)
{
	char from[64];
	int fd;

	if (t->named)
		return 0;
	snprintf(from, sizeof(from), "/proc/self/fd/%d", t->fd);
	do {
		memcpy(t->temp + strlen(t->temp) - 6, "XXXXXX", 6);
		fd = mkostemp(t->temp, O_CLOEXEC);
		if (fd < 0)
			return -errno;
		close(fd);
		unlink(t->temp);
		t->named = !linkat(AT_FDCWD, from, AT_FDCWD, t->temp, AT_SYMLINK_FOLLOW);
	} while (!t->named && errno == EEXIST);
	return t->named ? 0 : -errno;
}

/* On stable storage under its name, or not there at all. */
int snapshot_target_commit(struct snapshot_target *t, struct fail *fail)
{
	int dir = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fsync(t->fd) ? -errno : target_name(t);

	if (!err && rename(t->temp, t->path))
		err = -errno;
	if (!err)
		t->named = false;
	if (!err && dir >= 0 && fsync(dir))
		err = -errno;
	if (dir >= 0)
		close(dir);
	return err ? fail_set(fail, EXIT_HOST, err, "cannot finish %s: %s; the machine goes on",
			      t->path, strerror(-err))
		   : 0;
}

void snapshot_target_drop(struct snapshot_target *t)
{
	if (t->named)
		unlink(t->temp);
	close(t->fd);
}
