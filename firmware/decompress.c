// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/decompress.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child's own exit codes when it does not come to exec. */
enum { CHILD_NO_PROGRAM = 127, CHILD_FAILED = 126 };
enum { WORDS_MAX = 160 };

/* --- the child -------------------------------------------------------------------------------- */

/* The three may sit on 0 to 2 in any order: first all of them out of the way. */
static int set_stdio(int in, int out, int err)
{
	const int from[3] = { in, out, err };
	int high[3];

	for (int i = 0; i < 3; i++) {
		high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
		if (high[i] < 0)
			return -errno;
	}
	for (int i = 0; i < 3; i++)
		if (dup2(high[i], i) < 0)
			return -errno;
	return 0;
}

static _Noreturn void child(const char *program, int in, int out, int err, uint64_t limit)
{
	const struct rlimit fsize = { limit, limit }, core = { 0, 0 };
	sigset_t none;

	/* Whoever started us may ignore or block what has to end this child. */
	signal(SIGXFSZ, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (set_stdio(in, out, err) == 0 && setrlimit(RLIMIT_FSIZE, &fsize) == 0 &&
	    setrlimit(RLIMIT_CORE, &core) == 0) {
		execlp(program, program, "-dc", (char *)NULL);
		if (errno == ENOENT)
			_exit(CHILD_NO_PROGRAM);
	}
	_exit(CHILD_FAILED);
}

/* --- the parent ------------------------------------------------------------------------------- */

/* What the child says on stderr, until it ends, as part of a line. */
static void read_words(int fd, char words[static WORDS_MAX])
{
	size_t len = 0, end = 0;
	char buf[256];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		for (ssize_t i = 0; i < n && len < WORDS_MAX - 1; i++) {
			bool plain = isgraph((unsigned char)buf[i]);

			if (plain || len)
				words[len++] = plain ? buf[i] : ' ';
			if (plain)
				end = len;
		}
	}
	words[end] = '\0';
}

static int judge(const char *program, const struct boot_file *in, uint64_t limit, int status,
		 const char *words, struct fail *fail)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	if (code == 0)
		return 0;
	if (code == CHILD_NO_PROGRAM)
		return fail_set(
			fail, EXIT_CONFIG, -ENOENT,
			"%s is compressed and the program %s is not in PATH; install it, or "
			"give the unpacked kernel",
			in->path, program);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ)
		return fail_set(
			fail, EXIT_CONFIG, -EFBIG,
			"%s unpacks to more than the memory of %llu MiB; use a larger --mem",
			in->path, (unsigned long long)(limit >> 20));
	if (WIFSIGNALED(status))
		return fail_set(fail, EXIT_CONFIG, -EIO, "%s: %s was ended by signal %d (%s)",
				in->path, program, WTERMSIG(status), strsignal(WTERMSIG(status)));
	return fail_set(fail, EXIT_CONFIG, -EBADMSG,
			"%s is truncated or damaged: %s says \"%s\" (exit status %d); get it again",
			in->path, program, words, code);
}

/* Starts the child, whose stderr comes out of *errs: its pid or -errno. */
static pid_t start(const char *program, int in, int out, uint64_t limit, int *errs)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		child(program, in, out, fds[1], limit);
	if (pid < 0)
		pid = -errno;
	close(fds[1]);
	if (pid < 0)
		close(fds[0]);
	else
		*errs = fds[0];
	return pid;
}

static int run(const char *program, const struct boot_file *in, int in_fd, int out_fd,
	       uint64_t limit, struct fail *fail)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };
	struct sigaction before;
	char words[WORDS_MAX];
	int errs = -1, status, err = 0;
	pid_t pid;

	/* Where SIGCHLD is ignored there is no exit status. */
	sigaction(SIGCHLD, &dfl, &before);
	pid = start(program, in_fd, out_fd, limit, &errs);
	if (pid < 0) {
		err = pid;
	} else {
		read_words(errs, words);
		close(errs);
		while (!err && waitpid(pid, &status, 0) != pid)
			err = errno == EINTR ? 0 : -errno;
	}
	sigaction(SIGCHLD, &before, NULL);
	if (err)
		return fail_set(fail, EXIT_HOST, err, "cannot run %s to unpack %s: %s", program,
				in->path, strerror(-err));
	return judge(program, in, limit, status, words, fail);
}

/* A descriptor from which the child reads just these bytes: the file, or a copy of its part. */
static int open_part(const struct boot_file *in, uint64_t off, uint64_t len)
{
	off_t at = (off_t)off;
	int fd;

	if (off == 0 && len == in->size) {
		fd = fcntl(in->fd, F_DUPFD_CLOEXEC, 0);
		return fd < 0 || lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd;
	}
	fd = memfd_create("vmm-packed", MFD_CLOEXEC);
	while (fd >= 0 && len) {
		ssize_t n = sendfile(fd, in->fd, &at, len);

		if (n <= 0) {
			close(fd);
			return n < 0 ? -errno : -ENODATA;
		}
		len -= (uint64_t)n;
	}
	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return fd;
}

int decompress(const char *program, const struct boot_file *in, uint64_t off, uint64_t len,
	       uint64_t limit, struct boot_file *out, struct fail *fail)
{
	int in_fd = open_part(in, off, len), out_fd, err;
	struct stat st;

	if (in_fd < 0)
		return fail_set(fail, EXIT_HOST, in_fd, "cannot read %s: %s", in->path,
				strerror(-in_fd));
	out_fd = memfd_create("vmm-kernel", MFD_CLOEXEC);
	if (out_fd < 0)
		err = fail_set(fail, EXIT_HOST, -errno, "no memory to unpack %s: %s", in->path,
			       strerror(errno));
	else
		err = run(program, in, in_fd, out_fd, limit, fail);
	close(in_fd);
	if (!err && fstat(out_fd, &st) < 0)
		err = fail_set(fail, EXIT_HOST, -errno, "cannot unpack %s: %s", in->path,
			       strerror(errno));
	if (err) {
		if (out_fd >= 0)
			close(out_fd);
		return err;
	}
	*out = (struct boot_file){ .path = in->path, .fd = out_fd, .size = (uint64_t)st.st_size };
	return 0;
}
