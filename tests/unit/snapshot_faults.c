// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever happens to who saves: killed at any of its system calls, interrupted all the time, a
 * thousand times over. What was there before can be read, and nothing leaks.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fake/held.h"
#include "tests/fake/suite.h"
#include "vmm/snapshot_stream.h"
#include "vmm/snapshot_target.h"

enum { PAGE = 4096, BASE = 0x40000000, SIZE = 64 * PAGE };

static char folder[64], path[100];
static struct guest_mem mem;
static uint8_t *ram;
static size_t ram_size;

static void make_mem(size_t size)
{
	ram_size = size;
	ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(ram, MAP_FAILED);
	memset(&mem, 0, sizeof(mem));
	ck_assert_int_eq(guest_mem_add(&mem, BASE, size, ram), 0);
}

static void drop_mem(void)
{
	munmap(ram, ram_size);
	guest_mem_destroy(&mem);
}

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/dev/shm/vmm-faults-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/snap", folder);
	make_mem(SIZE);
}

/* How many files are there; with `remove` none is left. */
static unsigned int files(bool remove)
{
	DIR *dir = opendir(folder);
	const struct dirent *e;
	unsigned int n = 0;

	while ((e = readdir(dir)))
		if (e->d_name[0] != '.' || e->d_name[1] == 'v') {
			n++;
			if (remove)
				unlinkat(dirfd(dir), e->d_name, 0);
		}
	closedir(dir);
	return n;
}

static void teardown(void)
{
	files(true);
	rmdir(folder);
	drop_mem();
}

static void value_state(void *arg, struct state *s)
{
	state_u32(s, "v", arg);
}

/* Two snapshots that tell apart: every other page has their number. */
static int save(uint32_t number)
{
	struct snapshot_target target;
	struct snapshot snap;
	struct fail fail = { 0 };
	uint64_t written;
	int err = snapshot_target_open(&target, path, &fail);

	if (err)
		return err;
	for (size_t p = 0; p < ram_size / PAGE; p += 2)
		memset(ram + p * PAGE, (int)number, PAGE);
	snapshot_init(&snap);
	err = snapshot_add(&snap, "value", 1, value_state, &number, &fail);
	if (!err)
		err = snapshot_write(&snap, &mem, target.fd, NULL, &written, &fail);
	if (!err)
		err = snapshot_target_commit(&target, &fail);
	snapshot_target_drop(&target);
	snapshot_free(&snap);
	return err;
}

/* The number of the snapshot that is there, whole. */
static uint32_t load(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct snapshot_load loading;
	struct fail fail = { 0 };
	struct snapshot snap;
	uint32_t number = 0;

	ck_assert_int_ge(fd, 0);
	ck_assert_msg(!snapshot_open(&snap, fd, &fail), "%s", fail.text);
	ck_assert_int_eq(snapshot_get(&snap, "value", 1, value_state, &number, &fail), 0);
	memset(ram, 0, ram_size);
	ck_assert_int_eq(snapshot_load_start(&loading, &snap, &mem, &fail), 0);
	ck_assert_msg(!snapshot_load_wait(&loading, &fail), "%s", fail.text);
	for (size_t p = 0; p < ram_size / PAGE; p++)
		ck_assert_uint_eq(ram[p * PAGE + 7], p % 2 ? 0 : (uint8_t)number);
	snapshot_free(&snap);
	close(fd);
	return number;
}

/* --- killed ----------------------------------------------------------------------------------- */

/* A child that saves number 2 and is killed at the n-th stop, before or behind a system call.
 * Whether it came so far. */
static bool kill_at(unsigned int n)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(save(2) ? 1 : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSTOPPED(status));
	for (unsigned int i = 0; i < n; i++) {
		ck_assert_int_eq(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			ck_assert_int_eq(WEXITSTATUS(status), 0);
			return false;
		}
	}
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return true;
}

START_TEST(killed_at_every_system_call)
{
	unsigned int n = 0, old = 0, new = 0;
	bool more;

	do {
		ck_assert_int_eq(save(1), 0);
		more = kill_at(n++);
		if (load() == 1)
			old++;
		else
			new ++;
		/* At most a file without use, and never in the place of another. */
		ck_assert_uint_le(files(true), 2);
	} while (more);
	/* It takes both: all but the last steps leave the old one. */
	ck_assert_uint_gt(old, 40);
	ck_assert_uint_gt(new, 1);
	ck_assert_uint_lt(new, old);
}
END_TEST

/* --- no room ---------------------------------------------------------------------------------- */

START_TEST(failed_saves_leave_the_old_one)
{
	static const char *const places[] = { "/nonexistent/snap", "/proc/snap" };
	struct snapshot_target target;
	char saved[sizeof(path)];

	ck_assert_int_eq(save(1), 0);
	/* Not committed. */
	ck_assert_int_eq(snapshot_target_open(&target, path, NULL), 0);
	ck_assert_int_eq(write(target.fd, "x", 1), 1);
	snapshot_target_drop(&target);
	ck_assert_uint_eq(load(), 1);
	ck_assert_uint_eq(files(false), 1);
	memcpy(saved, path, sizeof(path));
	for (unsigned int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s", places[i]);
		ck_assert_int_lt(save(2), 0);
	}
	/* A folder cannot be replaced. */
	snprintf(path, sizeof(path), "%s", folder);
	ck_assert_int_lt(save(2), 0);
	memcpy(path, saved, sizeof(path));
	ck_assert_uint_eq(load(), 1);
	ck_assert_uint_eq(files(false), 1);
}
END_TEST

/* Wherever between two pages a full disk ends it. */
START_TEST(a_full_disk_leaves_the_old_one)
{
	struct rlimit limit, old;
	rlim_t full = 0;
	int err;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert_int_eq(save(1), 0);
	do {
		limit = (struct rlimit){ full, old.rlim_max };
		ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
		err = save(2);
		ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
		ck_assert_uint_eq(load(), err ? 1 : 2);
		ck_assert_uint_eq(files(false), 1);
		full += PAGE;
	} while (err == -EFBIG);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_gt(full, SIZE / 2);
}
END_TEST

/* --- interrupted ------------------------------------------------------------------------------ */

static atomic_uint interrupts;

static void on_alarm(int sig)
{
	const int err = errno;

	(void)sig;
	interrupts++;
	errno = err;
}

/* Every 200 us, in whichever thread; no call goes on by itself. */
static void storm(bool on)
{
	const struct sigaction sa = { .sa_handler = on_alarm };
	const struct itimerval it = { { 0, on ? 200 : 0 }, { 0, on ? 200 : 0 } };

	ck_assert_int_eq(sigaction(SIGALRM, &sa, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &it, NULL), 0);
}

START_TEST(interrupted_files)
{
	storm(true);
	for (uint32_t i = 1; i <= 30 || interrupts < 20; i++) {
		ck_assert_int_eq(save(i), 0);
		ck_assert_uint_eq(load(), i);
	}
	storm(false);
}
END_TEST

static int send_all(int fd, uint32_t number)
{
	struct snapshot snap;
	struct fail fail = { 0 };
	uint64_t written;
	int err;

	snapshot_init(&snap);
	err = snapshot_add(&snap, "value", 1, value_state, &number, &fail);
	if (!err)
		err = snapshot_send(&snap, &mem, fd, -1, NULL, &written, &fail);
	snapshot_free(&snap);
	return err;
}

/* A pipe is full, or empty, all the time: both sides wait, and are interrupted at that. */
START_TEST(interrupted_pipes)
{
	struct guest_mem to = { 0 };
	uint8_t *copy =
		mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fail fail = { 0 };
	struct snapshot snap;
	struct frames f;
	uint64_t bytes;
	int fds[2], status;
	pid_t pid;

	for (size_t i = 0; i < SIZE; i++)
		ram[i] = (uint8_t)(i * 7 + i / PAGE);
	ck_assert_int_eq(guest_mem_add(&to, BASE, SIZE, copy), 0);
	for (int round = 0; round < 20 || interrupts < 20; round++) {
		ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
		pid = fork();
		storm(true);
		if (!pid)
			_exit(send_all(fds[1], 5) ? 1 : 0);
		close(fds[1]);
		snapshot_init(&snap);
		ck_assert_msg(!frames_open(&f, fds[0], &fail), "%s", fail.text);
		ck_assert_msg(!frames_sections(&f, &snap, &fail), "%s", fail.text);
		ck_assert_msg(!frames_rest(&f, &snap, &to, NULL, &bytes, &fail), "%s", fail.text);
		storm(false);
		frames_close(&f);
		snapshot_free(&snap);
		close(fds[0]);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
		ck_assert_int_eq(memcmp(ram, copy, SIZE), 0);
		memset(copy, 0, SIZE);
	}
	munmap(copy, SIZE);
	guest_mem_destroy(&to);
}
END_TEST

/* --- a thousand times ------------------------------------------------------------------------- */

START_TEST(nothing_leaks)
{
	struct held warm = { 0 };

	for (uint32_t i = 1; i <= 1000; i++) {
		ck_assert_int_eq(save(i), 0);
		ck_assert_uint_eq(load(), i);
		if (i == 100)
			warm = held_now();
	}
	held_same(&warm);
	ck_assert_uint_eq(files(false), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot_faults");
	TCase *tc = tcase_create("snapshot_faults");

	signal(SIGXFSZ, SIG_IGN);
	tcase_set_timeout(tc, 300);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, killed_at_every_system_call);
	tcase_add_test(tc, failed_saves_leave_the_old_one);
	tcase_add_test(tc, a_full_disk_leaves_the_old_one);
	tcase_add_test(tc, interrupted_files);
	tcase_add_test(tc, interrupted_pipes);
	tcase_add_test(tc, nothing_leaks);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
