// SPDX-License-Identifier: GPL-2.0-only
/*
 * A storm of signals: `storm PID` sends, each millisecond, every signal that a process has a handler
 * for to each of its threads, and stops and continues it now and then, so that whatever it waits for
 * is interrupted. Ends with the process, and says how many it sent.
 */
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 50, THREADS_MAX = 32, LIBC_FIRST = 32, LIBC_LAST = 33, SIGNALS = 64 };

/* Signals with a handler, bit n - 1 for n, but those that the C library keeps for itself; false
 * when there is no such process, or only its end is left. */
static bool handled(pid_t pid, uint64_t *mask)
{
	char path[40], line[200], state = 'Z';
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	*mask = 0;
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "State: %c", &state) != 1)
			sscanf(line, "SigCgt: %" SCNx64, mask);
	if (status)
		fclose(status);
	*mask &= ~(UINT64_C(1) << (LIBC_FIRST - 1) | UINT64_C(1) << (LIBC_LAST - 1));
	return state != 'Z' && state != 'X';
}

/* Its threads. */
static unsigned int threads(pid_t pid, pid_t *tids)
{
	char path[40];
	unsigned int n = 0;
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && n < THREADS_MAX && (e = readdir(dir)))
		if (atoi(e->d_name))
			tids[n++] = atoi(e->d_name);
	if (dir)
		closedir(dir);
	return n;
}

static unsigned long strike(pid_t pid, uint64_t mask)
{
	const struct timespec pause = { 0, 1000000 };
	pid_t tids[THREADS_MAX];
	unsigned int n = threads(pid, tids);
	unsigned long sent = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < n; i++)
			for (int sig = 1; sig <= SIGNALS; sig++)
				if (mask >> (sig - 1) & 1)
					sent += !syscall(SYS_tgkill, pid, tids[i], sig);
		nanosleep(&pause, NULL);
	}
	return sent;
}

int main(int argc, char **argv)
{
	pid_t pid = argc == 2 ? atoi(argv[1]) : 0;
	unsigned long sent = 0, stops = 0;
	uint64_t mask;

	if (pid <= 0) {
		fputs("usage: storm PID\n", stderr);
		return 2;
	}
	while (handled(pid, &mask)) {
		sent += strike(pid, mask);
		stops += !kill(pid, SIGSTOP) && !kill(pid, SIGCONT);
	}
	printf("%lu signals, %lu stops\n", sent, stops);
	return 0;
}
