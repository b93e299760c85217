// SPDX-License-Identifier: GPL-2.0-only
/* The folder of sockets: which one, who may own it, names that are taken, free, or left over. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/control_dir.h"

static char base[64], folder[96];
static struct fail fail;

static void setup(void)
{
	strcpy(base, "/tmp/vmm-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(folder, sizeof(folder), "%s/run", base);
	setenv("VMM_RUNTIME_DIR", folder, 1);
	unsetenv("XDG_RUNTIME_DIR");
	memset(&fail, 0, sizeof(fail));
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", base);
	ck_assert_int_eq(system(command), 0);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void count_name(void *arg, const char *name)
{
	ck_assert(control_name_ok(name));
	++*(unsigned int *)arg;
}

static unsigned int count_names(void)
{
	unsigned int n = 0;

	ck_assert_int_eq(control_names(count_name, &n, &fail), 0);
	return n;
}

START_TEST(names)
{
	char name[CONTROL_NAME_MAX + 2];

	memset(name, 'x', sizeof(name));
	name[CONTROL_NAME_MAX + 1] = 0;
	ck_assert(!control_name_ok(name));
	name[CONTROL_NAME_MAX] = 0;
	ck_assert(control_name_ok(name));
	ck_assert(control_name_ok("a") && control_name_ok("_.-") && control_name_ok("vmm-1"));
	ck_assert(!control_name_ok("") && !control_name_ok(".") && !control_name_ok("..") &&
		  !control_name_ok("-f") && !control_name_ok("a/b") && !control_name_ok("a b") &&
		  !control_name_ok("a\n") && !control_name_ok("\xc3\xa9"));
}
END_TEST

START_TEST(taken_and_given_back)
{
	struct control_socket a, b;
	char path[160];
	int fd;

	ck_assert_uint_eq(count_names(), 0); /* without a folder */
	umask(0);
	ck_assert_int_eq(control_take("one", &a, &fail), 0);
	ck_assert_uint_eq(mode_of(folder), 0700);
	snprintf(path, sizeof(path), "%s/one.sock", folder);
	ck_assert_str_eq(a.addr.sun_path, path);
	ck_assert_uint_eq(mode_of(path), 0600);

	ck_assert_int_eq(control_take("one", &b, &fail), -EEXIST);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	ck_assert_ptr_nonnull(strstr(fail.text, "'one' is running"));
	ck_assert_int_eq(b.fd, -1);
	control_release(&b);
	ck_assert_int_eq(control_take("two", &b, &fail), 0);
	ck_assert_uint_eq(count_names(), 2);
	fd = control_connect("one", &fail);
	ck_assert_int_ge(fd, 0);
	close(fd);

	control_forget(&a);
	ck_assert_int_ne(access(path, F_OK), 0);
	/* What has the name by now is not taken away from it. */
	fail.text[0] = 0;
	control_release(&b);
	ck_assert_int_eq(control_take("one", &b, &fail), 0);
	control_release(&a);
	control_release(&a);
	ck_assert_int_eq(access(path, F_OK), 0);
	control_release(&b);
	ck_assert_uint_eq(count_names(), 0);
	ck_assert_int_eq(control_connect("one", &fail), -ENOENT);
	ck_assert_ptr_nonnull(strstr(fail.text, "no machine named 'one'"));
}
END_TEST

/* A process that ends without a word, as by kill -9. */
static void leave_stale(const char *name)
{
	struct control_socket sock;
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(control_take(name, &sock, NULL) ? 1 : 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

START_TEST(stale_sockets)
{
	struct control_socket sock;

	leave_stale("gone");
	ck_assert_uint_eq(count_names(), 1);
	ck_assert_int_eq(control_take("gone", &sock, &fail), 0);
	control_release(&sock);
	leave_stale("gone");
	ck_assert_int_eq(control_connect("gone", &fail), -ENOENT);
	ck_assert_uint_eq(count_names(), 0);
}
END_TEST

START_TEST(what_is_no_socket_stays)
{
	struct control_socket sock;
	char path[160];
	int fd;

	ck_assert_int_eq(mkdir(folder, 0700), 0);
	snprintf(path, sizeof(path), "%s/file.sock", folder);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	ck_assert_int_lt(control_take("file", &sock, &fail), 0);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

static void *take_many(void *arg)
{
	int *won = arg;

	for (int i = 0; i < 100; i++) {
		struct control_socket sock;
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		if (!control_take(name, &sock, NULL))
			won[i]++; /* and kept */
	}
	return NULL;
}

/* Of several that want a name at once one gets it, though there is a stale socket to remove. */
START_TEST(race_for_a_name)
{
	enum { THREADS = 4 };
	static int won[THREADS][100];
	pthread_t threads[THREADS];

	for (int i = 0; i < 100; i += 10) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		leave_stale(name);
	}
	for (int t = 0; t < THREADS; t++)
		ck_assert_int_eq(pthread_create(&threads[t], NULL, take_many, won[t]), 0);
	for (int t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(won[0][i] + won[1][i] + won[2][i] + won[3][i], 1);
}
END_TEST

START_TEST(folders_that_are_refused)
{
	struct control_socket sock;
	char target[96];

	ck_assert_int_eq(mkdir(folder, 0700), 0);
	ck_assert_int_eq(chmod(folder, 0770), 0);
	ck_assert_int_eq(control_take("x", &sock, &fail), -EPERM);
	ck_assert_ptr_nonnull(strstr(fail.text, "written to by others"));
	ck_assert_int_eq(control_names(count_name, NULL, NULL), -EPERM);
	ck_assert_int_eq(control_connect("x", NULL), -EPERM);
	snprintf(target, sizeof(target), "%s/other", base);
	ck_assert_int_eq(chmod(folder, 0700), 0);
	ck_assert_int_eq(rename(folder, target), 0);
	ck_assert_int_eq(symlink(target, folder), 0);
	ck_assert_int_lt(control_take("x", &sock, NULL), 0);
	setenv("VMM_RUNTIME_DIR", "/proc/self/none", 1);
	fail.text[0] = 0;
	ck_assert_int_lt(control_take("x", &sock, &fail), 0);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	ck_assert_ptr_nonnull(strstr(fail.text, "/proc/self/none"));
	/* Owned by another, whoever runs this. */
	setenv("VMM_RUNTIME_DIR", geteuid() ? "/etc" : target, 1);
	if (!geteuid())
		ck_assert_int_eq(chown(target, 12345, 12345), 0);
	fail.text[0] = 0;
	ck_assert_int_eq(control_take("x", &sock, &fail), -EPERM);
	ck_assert_ptr_nonnull(strstr(fail.text, "another user"));
}
END_TEST

START_TEST(long_paths)
{
	struct control_socket sock;
	char path[200];

	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = 0;
	setenv("VMM_RUNTIME_DIR", path, 1);
	ck_assert_int_eq(control_take("x", &sock, &fail), -ENAMETOOLONG);
	ck_assert_int_eq(control_take("a/b", &sock, NULL), -EINVAL);
}
END_TEST

START_TEST(which_folder)
{
	struct control_socket sock;
	char want[160];

	unsetenv("VMM_RUNTIME_DIR");
	setenv("XDG_RUNTIME_DIR", base, 1);
	ck_assert_int_eq(control_take("x", &sock, &fail), 0);
	snprintf(want, sizeof(want), "%s/vmm/x.sock", base);
	ck_assert_str_eq(sock.addr.sun_path, want);
	control_release(&sock);
	if (!geteuid())
		return; /* root's own folder is the system's: not for a test */
	setenv("XDG_RUNTIME_DIR", "", 1);
	setenv("TMPDIR", base, 1);
	ck_assert_int_eq(control_take("x", &sock, &fail), 0);
	snprintf(want, sizeof(want), "%s/vmm-%u/x.sock", base, (unsigned int)geteuid());
	ck_assert_str_eq(sock.addr.sun_path, want);
	control_release(&sock);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_dir");
	TCase *tc = tcase_create("folder");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, names);
	tcase_add_test(tc, taken_and_given_back);
	tcase_add_test(tc, stale_sockets);
	tcase_add_test(tc, what_is_no_socket_stays);
	tcase_add_test(tc, race_for_a_name);
	tcase_add_test(tc, folders_that_are_refused);
	tcase_add_test(tc, long_paths);
	tcase_add_test(tc, which_folder);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
