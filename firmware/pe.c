// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/pe.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

enum { PE_POINTER = 0x3c, PE_MACHINE_ARM64 = 0xaa64, PE_SECTIONS_MAX = 96 };

/* Both little-endian. */
struct pe_header {
	char magic[4]; /* "PE\0\0" */
	uint16_t machine;
	uint16_t sections;
	uint32_t unused[3];
	uint16_t optional_size; /* of the header between this one and the section table */
	uint16_t characteristics;
};

struct pe_section {
	char name[8];
	uint32_t virtual_size, virtual_address;
	uint32_t raw_size, raw_offset; /* in the file */
	uint32_t unused[4];
};

_Static_assert(sizeof(struct pe_header) == 24 && sizeof(struct pe_section) == 40, "PE/COFF");

static int truncated(const struct boot_file *file, uint64_t need, struct fail *fail)
{
	return fail_set(fail, EXIT_CONFIG, -EBADMSG,
			"%s is truncated: %llu bytes where its header tells of %llu; get it again",
			file->path, (unsigned long long)file->size, (unsigned long long)need);
}

/* All numbers are of 32 bits at most, so their sums do not wrap. */
static int read_inside(const struct boot_file *file, uint64_t off, void *buf, uint64_t len,
		       struct fail *fail)
{
	if (off + len > file->size)
		return truncated(file, off + len, fail);
	return boot_file_read(file, off, buf, len, fail);
}

static int check_sections(const struct boot_file *file, uint64_t off, unsigned int n,
			  struct fail *fail)
{
	struct pe_section sections[PE_SECTIONS_MAX];
	int err = read_inside(file, off, sections, n * sizeof(sections[0]), fail);

	for (unsigned int i = 0; !err && i < n; i++) {
		uint64_t size = le32toh(sections[i].raw_size);
		uint64_t end = le32toh(sections[i].raw_offset) + size;

		if (size && end > file->size)
			err = truncated(file, end, fail);
	}
	return err;
}

int pe_check(const struct boot_file *file, struct fail *fail)
{
	struct pe_header pe;
	uint32_t at;
	int err = read_inside(file, PE_POINTER, &at, sizeof(at), fail);

	at = err ? 0 : le32toh(at);
	if (!err)
		err = read_inside(file, at, &pe, sizeof(pe), fail);
	if (err)
		return err;
	if (memcmp(pe.magic, "PE\0\0", 4) || le16toh(pe.machine) != PE_MACHINE_ARM64 ||
	    le16toh(pe.sections) > PE_SECTIONS_MAX)
		return fail_set(fail, EXIT_CONFIG, -EBADMSG,
				"%s is not an EFI program for arm64, or damaged; give an arm64 "
				"Image",
				file->path);
	return check_sections(file, (uint64_t)at + sizeof(pe) + le16toh(pe.optional_size),
			      le16toh(pe.sections), fail);
}
