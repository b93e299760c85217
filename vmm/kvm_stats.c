// SPDX-License-Identifier: GPL-2.0-only
/* Documentation/virt/kvm/api.rst, 4.133: header, descriptors, data. */
#include "vmm/kvm_stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* More descriptors, or longer names, than any kernel has. */
enum { DESCS_MAX = 4096, NAME_MAX_BYTES = 256 };

static int read_at(int fd, void *data, size_t len, uint64_t at)
{
	ssize_t n = pread(fd, data, len, (off_t)at);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int find(const char *descs, const struct kvm_stats_header *head, const char *name,
		uint64_t *at)
{
	struct kvm_stats_desc desc;
	size_t size = sizeof(desc) + head->name_size;

	for (uint32_t i = 0; i < head->num_desc; i++) {
		const char *entry = descs + i * size;

		if (strncmp(entry + sizeof(desc), name, head->name_size))
			continue;
		memcpy(&desc, entry, sizeof(desc));
		*at = (uint64_t)head->data_offset + desc.offset;
		return 0;
	}
	return -ENOENT;
}

static int find_all(struct kvm_stats *stats, const char *const *names)
{
	struct kvm_stats_header head;
	size_t size;
	char *descs;
	int err = read_at(stats->fd, &head, sizeof(head), 0);

	if (err)
		return err;
	if (head.num_desc > DESCS_MAX || head.name_size > NAME_MAX_BYTES)
		return -EPROTO;
	size = head.num_desc * (sizeof(struct kvm_stats_desc) + head.name_size);
	descs = malloc(size);
	if (!descs)
		return -ENOMEM;
	err = read_at(stats->fd, descs, size, head.desc_offset);
	for (unsigned int i = 0; !err && i < stats->n; i++)
		err = find(descs, &head, names[i], &stats->at[i]);
	free(descs);
	return err;
}

int kvm_stats_open(struct kvm_stats *stats, const struct kvm_vcpu *vcpu, const char *const *names,
		   unsigned int n)
{
	int err;

	stats->n = 0;
	stats->fd = ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL);
	if (stats->fd < 0)
		return -errno;
	stats->n = n;
	err = find_all(stats, names);
	if (err)
		kvm_stats_close(stats);
	return err;
}

int kvm_stats_read(const struct kvm_stats *stats, uint64_t *values)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < stats->n; i++)
		err = read_at(stats->fd, &values[i], sizeof(values[i]), stats->at[i]);
	return err;
}

void kvm_stats_close(struct kvm_stats *stats)
{
	if (stats->n)
		close(stats->fd);
	stats->n = 0;
}
