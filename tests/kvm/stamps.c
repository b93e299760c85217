// SPDX-License-Identifier: GPL-2.0-only
/*
 * stamps COMMAND...: how late COMMAND's output comes. "T NS;" in it is the time of the writer's
 * clock when it was written, of which only differences matter: the earliest one came at once. After
 * "idle;" the switches of the command's first thread are counted for a while, in which there is no
 * output; at "hang;" the command is killed. Prints one line, fails if the output ends before.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SETTLE_MS = 300, WATCH_MS = 1000 };

struct stamps {
	pid_t pid;
	unsigned int n;
	int64_t least, most; /* of arrival minus stamp, ns */
	long wakeups; /* -1: not looked at */
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void sleep_ms(unsigned int ms)
{
	const struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

/* How often the thread has slept. */
static long switches(pid_t pid)
{
	char path[32], line[128];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "voluntary_ctxt_switches: %ld", &n);
	if (f)
		fclose(f);
	return n;
}

static void watch_idle(struct stamps *s)
{
	long before;

	sleep_ms(SETTLE_MS);
	before = switches(s->pid);
	sleep_ms(WATCH_MS);
	s->wakeups = before < 0 ? -1 : switches(s->pid) - before;
}

/* One word up to its ';'. Whether it was the last. */
static int word(struct stamps *s, const char *text)
{
	const char *t = strstr(text, "T ");
	int64_t late;

	if (strstr(text, "hang"))
		return 1;
	if (strstr(text, "idle"))
		watch_idle(s);
	if (!t)
		return 0;
	late = now_ns() - strtoll(t + 2, NULL, 10);
	if (!s->n++)
		s->least = s->most = late;
	s->least = late < s->least ? late : s->least;
	s->most = late > s->most ? late : s->most;
	return 0;
}

static int follow(struct stamps *s, int fd)
{
	char text[256];
	size_t len = 0;

	while (read(fd, text + len, 1) == 1) {
		if (text[len] != ';') {
			len = len < sizeof(text) - 1 ? len + 1 : 0;
			continue;
		}
		text[len] = 0;
		len = 0;
		if (word(s, text))
			return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct stamps s = { .wakeups = -1 };
	int fds[2], status;

	if (argc < 2 || pipe(fds))
		return 2;
	s.pid = fork();
	if (!s.pid) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	close(fds[1]);
	status = follow(&s, fds[0]);
	kill(s.pid, SIGKILL);
	waitpid(s.pid, NULL, 0);
	printf("stamps %u late %" PRId64 " us wakeups %ld\n", s.n, (s.most - s.least) / 1000,
	       s.wakeups);
	return status;
}
