// SPDX-License-Identifier: GPL-2.0-only
/* What the rest of the host offers. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/check.h"

enum { FILES_ENOUGH = 1024 };

/* One for faults of the kernel, and so of guests: by privilege, or by the device file. */
static void ask_userfaultfd(const struct check_host *host, long arg, struct check_result *result)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK), dev;

	(void)host, (void)arg;
	if (fd < 0) {
		dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
		fd = dev < 0 ? -1 : ioctl(dev, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
		if (dev >= 0)
			close(dev);
	}
	check_yes(result, fd >= 0);
	if (fd >= 0)
		close(fd);
}

static void ask_io_uring(const struct check_host *host, long arg, struct check_result *result)
{
	struct io_uring_params params = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 1, &params);

	(void)host, (void)arg;
	check_yes(result, fd >= 0);
	if (fd >= 0)
		close(fd);
}

/* The first line of a file; empty if there is none. */
static void read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");

	buf[0] = '\0';
	if (!f)
		return;
	if (!fgets(buf, (int)size, f))
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	fclose(f);
}

/* "always [madvise] never": the one in brackets is on. */
static void ask_huge_pages(const struct check_host *host, long arg, struct check_result *result)
{
	char line[64], *word, *end;

	(void)host, (void)arg;
	read_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof(line));
	word = strchr(line, '[');
	end = word ? strchr(word, ']') : NULL;
	if (end)
		*end = '\0';
	result->lacks = !end || !strcmp(word + 1, "never");
	snprintf(result->value, sizeof(result->value), "%s", end ? word + 1 : "no");
}

static void ask_file(const struct check_host *host, long arg, struct check_result *result)
{
	static const char *const paths[] = { "/dev/net/tun", "/dev/vhost-net", "/dev/vhost-vsock" };
	int fd = open(paths[arg], O_RDWR | O_CLOEXEC);
	int err = errno;

	(void)host;
	if (fd >= 0)
		close(fd);
	snprintf(result->value, sizeof(result->value), "%s%s%s", fd >= 0 ? "yes" : "no",
		 fd >= 0 ? "" : ", ", fd >= 0 ? "" : strerror(err));
	result->lacks = fd < 0;
}

static void ask_limit(const struct check_host *host, long arg, struct check_result *result)
{
	struct rlimit limit = { 0 };

	(void)host;
	getrlimit((__rlimit_resource_t)arg, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		snprintf(result->value, sizeof(result->value), "unlimited");
	else
		snprintf(result->value, sizeof(result->value), "%llu",
			 (unsigned long long)limit.rlim_cur);
	result->lacks = arg == RLIMIT_NOFILE ? limit.rlim_cur < FILES_ENOUGH
					     : limit.rlim_cur != RLIM_INFINITY;
}

#define NO_TUN	  "no --network mode=tap; modprobe tun, and be root or let its group have the file"
#define NO_VHOST  "packets of guests go through vmm; modprobe vhost_net, as root"
#define NO_VVSOCK "no vsock in the kernel; modprobe vhost_vsock, as root"

const struct check_item check_system_items[] = {
	{ "userfaultfd", ask_userfaultfd, 0,
	  "no post-copy migration; be root, or sysctl vm.unprivileged_userfaultfd=1" },
	{ "io_uring", ask_io_uring, 0,
	  "disks use threads; sysctl kernel.io_uring_disabled=0, or a kernel with it" },
	{ "huge pages", ask_huge_pages, 0,
	  "guests' memory is slower; echo madvise >/sys/kernel/mm/transparent_hugepage/enabled" },
	{ "tun", ask_file, 0, NO_TUN },
	{ "vhost-net", ask_file, 1, NO_VHOST },
	{ "vhost-vsock", ask_file, 2, NO_VVSOCK },
	{ "locked memory limit", ask_limit, RLIMIT_MEMLOCK,
	  "guest memory beyond it cannot be pinned for devices; ulimit -l unlimited" },
	{ "file limit", ask_limit, RLIMIT_NOFILE,
	  "many CPUs and devices may not fit; ulimit -n 1024" },
	{ 0 },
};
