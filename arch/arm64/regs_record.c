// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/regs_record.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

int regs_each(const uint8_t *record, uint32_t len,
	      void (*fn)(void *arg, uint64_t id, const uint8_t *value, uint32_t size), void *arg)
{
	uint32_t at = 0, size;
	uint64_t id;

	while (at < len) {
		if (len - at < sizeof(id))
			return -EPROTO;
		memcpy(&id, record + at, sizeof(id));
		at += sizeof(id);
		size = reg_size(id);
		if (size > REG_SIZE_MAX || size > len - at)
			return -EPROTO;
		fn(arg, id, record + at, size);
		at += size;
	}
	return 0;
}

struct vls_search {
	uint64_t *vls;
	bool found;
};

static void find_vls(void *arg, uint64_t id, const uint8_t *value, uint32_t size)
{
	struct vls_search *search = arg;

	if (id != REG_SVE_LENGTHS)
		return;
	memcpy(search->vls, value, size);
	search->found = true;
}

int regs_find_vls(const uint8_t *record, uint32_t len, uint64_t vls[REG_VLS_WORDS])
{
	struct vls_search search = { .vls = vls };
	int err = regs_each(record, len, find_vls, &search);

	return err ? err : search.found ? 0 : -ENOENT;
}
