// SPDX-License-Identifier: GPL-2.0-only
/*
 * count [-o FILE] COMMAND...: nanoseconds from before COMMAND is started until it has been waited
 * for, and its exit status. On a host that counts instructions they are the instructions of the
 * whole machine meanwhile. COMMAND reads /dev/null and writes to FILE (/dev/null).
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static pid_t start(char **command, int in, int out)
{
	pid_t pid = vfork();

	if (pid == 0) {
		dup2(in, STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		execvp(command[0], command);
		_exit(127);
	}
	return pid;
}

int main(int argc, char **argv)
{
	bool named = argc > 2 && !strcmp(argv[1], "-o");
	const char *file = named ? argv[2] : "/dev/null";
	char **command = argv + (named ? 3 : 1);
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int status = 0;
	uint64_t begin;
	pid_t pid;

	if (in < 0 || out < 0 || !*command) {
		perror(file);
		return 2;
	}
	begin = now_ns();
	pid = start(command, in, out);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror(*command);
		return 2;
	}
	printf("%" PRIu64 " %d\n", now_ns() - begin,
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
