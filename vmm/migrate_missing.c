// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/migrate_missing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 1 << GUEST_PAGE_SHIFT };

static bool bit(const uint64_t *bits, uint64_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

/* --- the descriptor ---------------------------------------------------------------------------- */

/* One that serves faults of the kernel, too, as those of guests are: by privilege, or by the device. */
static int open_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK), dev;

	if (fd < 0) {
		dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
		if (dev < 0)
			return -errno;
		fd = ioctl(dev, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
		close(dev);
	}
	if (fd < 0 || !ioctl(fd, UFFDIO_API, &api))
		return fd < 0 ? -errno : fd;
	close(fd);
	return -ENOSYS;
}

static int refuse(int err, struct fail *fail)
{
	return fail_set(fail, EXIT_HOST, err,
			"post-copy needs a userfaultfd that serves the kernel's faults, which this "
			"host does not give: %s; be root, have read and write access to "
			"/dev/userfaultfd, or sysctl vm.unprivileged_userfaultfd=1",
			strerror(-err));
}

int missing_possible(struct fail *fail)
{
	int fd = open_uffd();

	if (sysconf(_SC_PAGESIZE) != PAGE) {
		if (fd >= 0)
			close(fd);
		return fail_set(fail, EXIT_HOST, -ENOTSUP,
				"post-copy needs a host with pages of 4 KiB; this one's have %ld",
				sysconf(_SC_PAGESIZE));
	}
	if (fd < 0)
		return refuse(fd, fail);
	close(fd);
	return 0;
}

/* --- what is missing --------------------------------------------------------------------------- */

void missing_init(struct missing *m, const struct guest_mem *mem)
{
	*m = (struct missing){ .uffd = -1, .mem = mem };
}

static uint64_t words_of(const struct guest_ram *ram)
{
	return (guest_ram_pages(ram) + 63) / 64;
}

int missing_mark(struct missing *m, gpa_t base, const uint64_t *bits, uint64_t words)
{
	unsigned int r = 0;
	uint64_t pages, left = 0;

	while (r < m->mem->nram && m->mem->ram[r].base != base)
		r++;
	if (r == m->mem->nram || m->lacks[r] || words != words_of(&m->mem->ram[r]))
		return -EPROTO;
	pages = guest_ram_pages(&m->mem->ram[r]);
	if (pages % 64 && bits[words - 1] >> pages % 64)
		return -EPROTO;
	m->lacks[r] = calloc(words, sizeof(uint64_t));
	m->asked[r] = calloc(words, sizeof(uint64_t));
	if (!m->lacks[r] || !m->asked[r])
		return -ENOMEM;
	memcpy(m->lacks[r], bits, words * sizeof(uint64_t));
	for (uint64_t i = 0; i < words; i++)
		left += (uint64_t)__builtin_popcountll(bits[i]);
	m->left += left;
	return 0;
}

static int drop_runs(const struct missing *m, unsigned int r)
{
	const struct guest_ram *ram = &m->mem->ram[r];
	uint64_t pages = guest_ram_pages(ram), end;

	for (uint64_t at = 0; at < pages; at = end) {
		for (end = at; end < pages && bit(m->lacks[r], end) == bit(m->lacks[r], at); end++)
			;
		if (bit(m->lacks[r], at) &&
		    madvise(ram->host + at * PAGE, (end - at) * PAGE, MADV_DONTNEED))
			return -errno;
	}
	return 0;
}

int missing_begin(struct missing *m, struct fail *fail)
{
	int err = 0;

	if (!m->left)
		return 0;
	m->uffd = open_uffd();
	m->begun = m->uffd >= 0;
	if (!m->begun)
		return refuse(m->uffd, fail);
	for (unsigned int r = 0; !err && r < m->mem->nram; r++) {
		const struct guest_ram *ram = &m->mem->ram[r];
		struct uffdio_register reg = {
			.range = { (uintptr_t)ram->host, guest_ram_pages(ram) * PAGE },
			.mode = UFFDIO_REGISTER_MODE_MISSING,
		};

		if (!m->lacks[r])
			continue;
		/* In this order: nobody sees the zeros that are between. */
		if (ioctl(m->uffd, UFFDIO_REGISTER, &reg))
			err = -errno;
		else
			err = drop_runs(m, r);
	}
	if (!err)
		return 0;
	missing_end(m);
	return fail_set(fail, EXIT_HOST, err, "cannot wait for missing memory: %s", strerror(-err));
}

void missing_end(struct missing *m)
{
	/* Who waits goes on with what is there. */
	if (m->begun)
		close(m->uffd);
	m->begun = false;
	m->uffd = -1;
	for (unsigned int r = 0; r < GUEST_RAM_MAX; r++) {
		free(m->lacks[r]);
		free(m->asked[r]);
		m->lacks[r] = m->asked[r] = NULL;
	}
	m->left = 0;
}

/* --- faults and pages -------------------------------------------------------------------------- */

static int wake(const struct missing *m, uintptr_t host, uint64_t len)
{
	struct uffdio_range range = { host, len };

	return ioctl(m->uffd, UFFDIO_WAKE, &range) ? -errno : 0;
}

/* One that is there but has never been written to, or was given back. */
static int give_zeros(const struct missing *m, uintptr_t host)
{
	struct uffdio_zeropage zero = { .range = { host, PAGE } };

	if (!ioctl(m->uffd, UFFDIO_ZEROPAGE, &zero))
		return 0;
	/* It has come meanwhile. */
	return errno == EEXIST ? wake(m, host, PAGE) : errno == EAGAIN ? 0 : -errno;
}

static unsigned int region_of(const struct missing *m, uintptr_t host, uint64_t *page)
{
	unsigned int r = 0;

	while (r < m->mem->nram && host - (uintptr_t)m->mem->ram[r].host >= m->mem->ram[r].size)
		r++;
	if (r < m->mem->nram)
		*page = (host - (uintptr_t)m->mem->ram[r].host) / PAGE;
	return r;
}

int missing_fault(struct missing *m, gpa_t *gpa)
{
	struct uffd_msg msg;
	ssize_t n = read(m->uffd, &msg, sizeof(msg));
	uintptr_t host;
	unsigned int r;
	uint64_t page = 0;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n != sizeof(msg) || msg.event != UFFD_EVENT_PAGEFAULT)
		return 0;
	host = (uintptr_t)msg.arg.pagefault.address & -(uintptr_t)PAGE;
	r = region_of(m, host, &page);
	if (r == m->mem->nram)
		return -EFAULT;
	if (!m->lacks[r] || !bit(m->lacks[r], page))
		return give_zeros(m, host);
	*gpa = m->mem->ram[r].base + page * PAGE;
	if (bit(m->asked[r], page))
		return 0;
	m->asked[r][page / 64] |= UINT64_C(1) << page % 64;
	return 1;
}

bool missing_asked(const struct missing *m, gpa_t *gpa)
{
	for (unsigned int r = 0; r < m->mem->nram; r++) {
		const struct guest_ram *ram = &m->mem->ram[r];
		uint64_t page = *gpa > ram->base ? (*gpa - ram->base) / PAGE : 0;

		for (; m->asked[r] && page < guest_ram_pages(ram); page++)
			if (bit(m->asked[r], page) && bit(m->lacks[r], page)) {
				*gpa = ram->base + page * PAGE;
				return true;
			}
	}
	return false;
}

/* Either may be made to try again when mappings change meanwhile. */
static int zero(const struct missing *m, uint8_t *host, uint64_t len)
{
	while (len) {
		struct uffdio_zeropage zero = { .range = { (uintptr_t)host, len } };

		if (!ioctl(m->uffd, UFFDIO_ZEROPAGE, &zero))
			return 0;
		if (errno != EAGAIN)
			return -errno;
		if (zero.zeropage > 0) {
			host += zero.zeropage;
			len -= (uint64_t)zero.zeropage;
		}
	}
	return 0;
}

static int copy(const struct missing *m, uint8_t *host, const uint8_t *data, uint64_t len)
{
	while (len) {
		struct uffdio_copy copy = {
			.dst = (uintptr_t)host,
			.src = (uintptr_t)data,
			.len = len,
		};

		if (!ioctl(m->uffd, UFFDIO_COPY, &copy))
			return 0;
		if (errno != EAGAIN)
			return -errno;
		if (copy.copy > 0) {
			host += copy.copy;
			data += copy.copy;
			len -= (uint64_t)copy.copy;
		}
	}
	return 0;
}

int missing_put(struct missing *m, gpa_t gpa, const void *data, uint64_t n)
{
	unsigned int r = 0;
	uint64_t page = 0;
	void *host;
	int err;

	while (r < m->mem->nram && !guest_ram_ptr(&m->mem->ram[r], gpa, 0))
		r++;
	if (r == m->mem->nram || gpa % PAGE || !m->lacks[r] || !n || n > UINT64_MAX / PAGE)
		return -EPROTO;
	host = guest_ram_ptr(&m->mem->ram[r], gpa, n * PAGE);
	page = (gpa - m->mem->ram[r].base) / PAGE;
	for (uint64_t i = 0; host && i < n; i++)
		if (!bit(m->lacks[r], page + i))
			host = NULL;
	if (!host)
		return -EPROTO;
	err = data ? copy(m, host, data, n * PAGE) : zero(m, host, n * PAGE);
	for (uint64_t i = page; !err && i < page + n; i++)
		m->lacks[r][i / 64] &= ~(UINT64_C(1) << i % 64);
	m->left -= err ? 0 : n;
	return err;
}

const uint64_t *missing_bits(const struct missing *m, unsigned int ram, uint64_t *words)
{
	*words = words_of(&m->mem->ram[ram]);
	return m->lacks[ram];
}
