// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/machine_state_priv.h"

/* What tells whether somebody wrote to an image. */
struct disk_stamp {
	const char *path;
	bool ro;
	uint64_t size, mtime_ns, inode;
};

static int stamp_take(const struct disk_config *cfg, struct disk_stamp *stamp)
{
	struct stat st;

	if (stat(cfg->path, &st))
		return -errno;
	*stamp = (struct disk_stamp){
		.path = cfg->path,
		.ro = cfg->ro,
		.size = (uint64_t)st.st_size,
		.mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec,
		.inode = st.st_ino,
	};
	return 0;
}

static void stamp_state(void *arg, struct state *s)
{
	struct disk_stamp *stamp = arg;

	state_bool(s, "ro", &stamp->ro);
	state_u64(s, "size", &stamp->size);
	state_u64(s, "mtime_ns", &stamp->mtime_ns);
	state_u64(s, "inode", &stamp->inode);
}

/* A disk that the guest only reads may have been copied or touched: its size must be the same. */
static void stamp_compare(unsigned int n, const struct disk_stamp *then,
			  const struct disk_stamp *now, struct findings *refused)
{
	if (then->size != now->size)
		findings_add(refused, "disk %u (%s) had %llu bytes when it was saved, now %llu", n,
			     now->path, (unsigned long long)then->size,
			     (unsigned long long)now->size);
	else if (!then->ro && (then->mtime_ns != now->mtime_ns || then->inode != now->inode))
		findings_add(refused,
			     "disk %u (%s) is not as it was left: it was written to, or is another "
			     "file (--allow-changed-disk)",
			     n, now->path);
}

int machine_check_disks(const struct machine *m, struct snapshot *snap, struct findings *refused,
			struct fail *fail)
{
	const struct config *cfg = machine_config(m);
	struct fail why = { 0 };
	int err = 0;

	for (unsigned int i = 0; !err && i < cfg->ndisks; i++) {
		struct disk_stamp then = { 0 }, now;
		char name[16];

		snprintf(name, sizeof(name), "disk/%u", i);
		err = snapshot_get(snap, name, MACHINE_VERSION, stamp_state, &then, &why);
		if (err && why.code == EXIT_SNAPSHOT) {
			findings_take(refused, NULL, &why);
			err = 0;
			continue;
		}
		/* One that could not be opened was said to be so. */
		if (!err && !machine_nth_disk(m, i))
			continue;
		if (!err && stamp_take(&cfg->disks[i].disk, &now))
			findings_add(refused, "disk %u (%s): %s", i, cfg->disks[i].disk.path,
				     strerror(errno));
		else if (!err)
			stamp_compare(i, &then, &now, refused);
	}
	return err ? fail_set(fail, why.code, err, "%s", why.text) : 0;
}

/* On stable storage first: the snapshot is worth nothing with a disk that a host crash has undone. */
static int disk_settle(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 || fsync(fd) ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

int machine_save_disks(const struct machine *m, struct snapshot *snap, struct fail *fail)
{
	const struct config *cfg = machine_config(m);
	int err = 0;

	for (unsigned int i = 0; !err && i < cfg->ndisks; i++) {
		struct disk_stamp stamp;
		char name[16];

		snprintf(name, sizeof(name), "disk/%u", i);
		err = cfg->disks[i].disk.ro ? 0 : disk_settle(cfg->disks[i].disk.path);
		if (!err)
			err = stamp_take(&cfg->disks[i].disk, &stamp);
		if (err)
			fail_set(fail, EXIT_HOST, err, "cannot save the state of disk %s: %s",
				 cfg->disks[i].disk.path, strerror(-err));
		else
			err = snapshot_add(snap, name, MACHINE_VERSION, stamp_state, &stamp, fail);
	}
	return err;
}

/* --- throw-away overlays ---------------------------------------------------------------------- */

void machine_overlay_section(unsigned int n, char name[OVERLAY_SECTION])
{
	snprintf(name, OVERLAY_SECTION, "overlay/%u", n);
}

static void written_state(void *arg, struct state *s)
{
	blk_written_state(arg, s);
}

int machine_save_overlays(struct machine *m, struct snapshot *snap, struct fail *fail)
{
	const struct config *cfg = machine_config(m);
	struct fail why = { 0 };
	int err = 0;

	for (unsigned int i = 0; !err && i < cfg->ndisks; i++) {
		struct device *dev = machine_nth_disk(m, i);
		char name[OVERLAY_SECTION];

		machine_overlay_section(i, name);
		if (blk_is_overlay(dev))
			err = snapshot_add(snap, name, MACHINE_VERSION, written_state, dev, &why);
		if (err == -EFBIG)
			return fail_set(fail, EXIT_CONFIG, err,
					"the guest has written more to the overlay of %s than the "
					"%d MiB that a snapshot takes",
					cfg->disks[i].disk.path, DISK_STATE_MAX >> 20);
	}
	return err ? fail_set(fail, why.code, err, "%s", why.text) : 0;
}

int machine_load_overlays(struct machine *m, struct snapshot *snap, struct fail *fail)
{
	const struct config *cfg = machine_config(m);
	int err = 0;

	for (unsigned int i = 0; !err && i < cfg->ndisks; i++) {
		struct device *dev = machine_nth_disk(m, i);
		char name[OVERLAY_SECTION];

		machine_overlay_section(i, name);
		if (blk_is_overlay(dev) && snapshot_find(snap, name))
			err = snapshot_get(snap, name, MACHINE_VERSION, written_state, dev, fail);
	}
	return err;
}
