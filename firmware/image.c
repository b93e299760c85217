// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/image.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/decompress.h"
#include "firmware/pe.h"

/* --- files ------------------------------------------------------------------------------------ */

int boot_file_open(const char *what, const char *path, struct boot_file *file, struct fail *fail)
{
	/* O_NONBLOCK: a FIFO without a writer would block here. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *why = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return fail_set(fail, EXIT_CONFIG, err, "cannot open the %s %s: %s; check --%s",
				what, path, strerror(-err), what);
	}
	if (S_ISDIR(st.st_mode))
		why = "a directory";
	else if (!S_ISREG(st.st_mode))
		why = "not a regular file";
	else if (st.st_size == 0)
		why = "empty";
	if (why) {
		close(fd);
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "the %s %s is %s; check --%s", what,
				path, why, what);
	}
	*file = (struct boot_file){ .path = path, .fd = fd, .size = (uint64_t)st.st_size };
	return 0;
}

int boot_file_read(const struct boot_file *file, uint64_t off, void *dst, uint64_t len,
		   struct fail *fail)
{
	uint8_t *at = dst;

	while (len) {
		ssize_t n = pread(file->fd, at, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_set(fail, EXIT_HOST, -errno, "cannot read %s: %s", file->path,
					strerror(errno));
		if (n == 0)
			return fail_set(fail, EXIT_CONFIG, -ENODATA,
					"%s has become shorter while it was read; start again once "
					"it is complete",
					file->path);
		at += n;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

void boot_file_close(struct boot_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

/* --- the arm64 Image -------------------------------------------------------------------------- */

/* Documentation/arch/arm64/booting.rst; little-endian. */
struct image_header {
	uint32_t code0, code1;
	uint64_t text_offset, image_size, flags;
	uint64_t res[3];
	uint8_t magic[4];
	uint32_t pe_offset;
};

_Static_assert(sizeof(struct image_header) == 64, "booting.rst");

enum { FLAG_BIG_ENDIAN = 1, FLAG_PAGE_SHIFT = 1 };
static const uint64_t OLD_TEXT_OFFSET = 0x80000;

static uint64_t at_least(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static int take_arm64(struct boot_image *img, const struct image_header *head, struct fail *fail)
{
	static const uint32_t page_sizes[4] = { 0, 4096, 16384, 65536 };
	uint64_t flags = le64toh(head->flags);

	if (img->file.size < sizeof(*head))
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"the kernel %s is truncated within its header; get it anew",
				img->file.path);
	if (flags & FLAG_BIG_ENDIAN)
		return fail_set(
			fail, EXIT_CONFIG, -ENOTSUP,
			"the kernel %s is big-endian; build it with CONFIG_CPU_BIG_ENDIAN=n",
			img->file.path);
	img->kind = IMAGE_ARM64;
	img->page_size = page_sizes[flags >> FLAG_PAGE_SHIFT & 3];
	img->text_offset = le64toh(head->text_offset);
	img->mem_size = at_least(le64toh(head->image_size), img->file.size);
	if (!head->image_size) { /* before 3.17 */
		img->text_offset = OLD_TEXT_OFFSET;
		img->mem_size = img->file.size + IMAGE_OLD_SLACK;
	}
	if (memcmp(head, "MZ", 2) == 0)
		return pe_check(&img->file, fail);
	return 0;
}

static int take_flat(struct boot_image *img)
{
	img->kind = IMAGE_FLAT;
	img->format = "flat";
	img->text_offset = IMAGE_FLAT_OFFSET;
	img->mem_size = img->file.size + IMAGE_FLAT_SLACK;
	return 0;
}

/* --- what else a file can be ------------------------------------------------------------------ */

struct magic {
	uint8_t off, len;
	const char *bytes;
};

static bool has(const struct image_header *head, struct magic m)
{
	return memcmp((const char *)head + m.off, m.bytes, m.len) == 0;
}

static const struct magic arm64_image = { 56, 4, "ARM\x64" };
static const struct magic zboot_magic = { 4, 4, "zimg" };

static const struct packing {
	struct magic magic;
	const char *program;
	const char *file_format, *zboot_format;
} packings[] = {
	{ { 0, 2, "\x1f\x8b" }, "gzip", "Image.gz", "EFI zboot (gzip)" },
	{ { 0, 4, "\x28\xb5\x2f\xfd" }, "zstd", "Image.zst", "EFI zboot (zstd)" },
};

static const struct refusal {
	struct magic magic;
	const char *what, *hint;
} refusals[] = {
	{ { 0, 4, "\177ELF" }, "an ELF file", "give the Image (arch/arm64/boot/Image)" },
	{ { 0x24, 4, "\x18\x28\x6f\x01" }, "a 32-bit Arm kernel", "give an arm64 Image" },
	{ { 0, 6,
	    "\xfd"
	    "7zXZ\0" },
	  "compressed with xz",
	  "unpack it with xz -d" },
	{ { 0, 3, "BZh" }, "compressed with bzip2", "unpack it with bzip2 -d" },
	{ { 0, 4, "\x02\x21\x4c\x18" }, "compressed with lz4", "unpack it with lz4 -d" },
	{ { 0, 4, "\x27\x05\x19\x56" }, "a U-Boot uImage", "give the Image that is inside" },
	{ { 0, 4, "\xd0\x0d\xfe\xed" }, "a device tree or FIT image", "give the Image itself" },
	{ { 0, 2, "MZ" }, "another kind of EFI program, or truncated", "give an arm64 Image" },
};

#define FOR_EACH(p, table) for (p = (table); p < (table) + sizeof(table) / sizeof((table)[0]); p++)

/* Of a file shorter than the header the rest reads as zero. */
static int read_header(const struct boot_file *file, struct image_header *head, struct fail *fail)
{
	uint64_t len = file->size < sizeof(*head) ? file->size : sizeof(*head);

	memset(head, 0, sizeof(*head));
	return boot_file_read(file, 0, head, len, fail);
}

/* Replaces the packed file by what it contains, which must be an arm64 Image. */
static int unpack(struct boot_image *img, const struct packing *p, uint64_t off, uint64_t len,
		  uint64_t limit, struct fail *fail)
{
	struct image_header head;
	struct boot_file packed = img->file;
	int err = decompress(p->program, &packed, off, len, limit, &img->file, fail);

	if (err)
		return err;
	boot_file_close(&packed);
	err = read_header(&img->file, &head, fail);
	if (err)
		return err;
	if (!has(&head, arm64_image))
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"the kernel %s, unpacked by %s, is not an arm64 Image", packed.path,
				p->program);
	return take_arm64(img, &head, fail);
}

/* drivers/firmware/efi/libstub/zboot-header.S; little-endian. */
struct zboot_header {
	char mz[4], zimg[4];
	uint32_t offset, size; /* of the payload, in this file */
	uint32_t reserved[2];
	char packing[32]; /* "gzip", "zstd", with further letters */
};

_Static_assert(sizeof(struct zboot_header) <= sizeof(struct image_header), "read as one");

/* A word of the file's as part of a message. */
static const char *word(const char *text, size_t size, char *buf)
{
	size_t len = 0;

	while (len < size && isalnum((unsigned char)text[len]))
		len++;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return buf;
}

static int take_zboot(struct boot_image *img, const struct image_header *head, uint64_t limit,
		      struct fail *fail)
{
	struct zboot_header z;
	char name[sizeof(z.packing) + 1];
	const struct packing *p;
	uint64_t off, len;
	int err;

	memcpy(&z, head, sizeof(z));
	off = le32toh(z.offset);
	len = le32toh(z.size);
	if (off + len > img->file.size || len == 0)
		return fail_set(fail, EXIT_CONFIG, -EBADMSG,
				"%s is truncated: %llu bytes where its compressed kernel ends at "
				"%llu; get it again",
				img->file.path, (unsigned long long)img->file.size,
				(unsigned long long)(off + len));
	err = pe_check(&img->file, fail);
	if (err)
		return err;
	FOR_EACH(p, packings)
	{
		if (strncmp(z.packing, p->program, strlen(p->program)))
			continue;
		img->format = p->zboot_format;
		return unpack(img, p, off, len, limit, fail);
	}
	return fail_set(fail, EXIT_CONFIG, -ENOTSUP,
			"%s is an EFI zboot kernel packed by \"%s\"; only gzip and zstd can be "
			"unpacked: give the Image itself",
			img->file.path, word(z.packing, sizeof(z.packing), name));
}

/* --- all together ----------------------------------------------------------------------------- */

static bool flat_name(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && (strcmp(dot, ".flat") == 0 || strcmp(dot, ".bin") == 0);
}

static int take_unknown(struct boot_image *img, bool flat, struct fail *fail)
{
	if (flat || flat_name(img->file.path))
		return take_flat(img);
	return fail_set(
		fail, EXIT_CONFIG, -EINVAL,
		"%s is not a kernel that vmm knows (arm64 Image, Image.gz, EFI zboot), or is "
		"truncated; --flat takes any file as bare code",
		img->file.path);
}

static int recognise(struct boot_image *img, bool flat, uint64_t limit, struct fail *fail)
{
	struct image_header head;
	const struct packing *p;
	const struct refusal *r;
	int err = read_header(&img->file, &head, fail);

	if (err)
		return err;
	if (has(&head, arm64_image)) {
		img->format = "Image";
		return take_arm64(img, &head, fail);
	}
	if (has(&head, zboot_magic) && has(&head, (struct magic){ 0, 2, "MZ" }))
		return take_zboot(img, &head, limit, fail);
	FOR_EACH(p, packings)
	{
		if (!has(&head, p->magic))
			continue;
		img->format = p->file_format;
		return unpack(img, p, 0, img->file.size, limit, fail);
	}
	FOR_EACH(r, refusals)
	{
		if (has(&head, r->magic))
			return fail_set(fail, EXIT_CONFIG, -EINVAL, "the kernel %s is %s; %s",
					img->file.path, r->what, r->hint);
	}
	return take_unknown(img, flat, fail);
}

int image_open(const char *path, bool flat, uint64_t limit, struct boot_image *img,
	       struct fail *fail)
{
	int err;

	*img = (struct boot_image){ .file.fd = -1 };
	err = boot_file_open("kernel", path, &img->file, fail);
	if (!err)
		err = recognise(img, flat, limit, fail);
	if (err)
		boot_file_close(&img->file);
	return err;
}
