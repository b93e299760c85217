// SPDX-License-Identifier: GPL-2.0-only
/*
 * nocap CAP COMMAND...: runs COMMAND on a host whose KVM seems to lack the capability with that
 * number: KVM_CHECK_EXTENSION of it fails, by a seccomp filter.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* Goes on if the loaded word is `value`, else `skip` instructions further. */
#define ONLY(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define RETURN(action)	  BPF_STMT(BPF_RET | BPF_K, action)

int main(int argc, char **argv)
{
	const unsigned int cap = argc > 2 ? (unsigned int)strtoul(argv[1], NULL, 0) : 0;
	/* Arguments are looked at by their low words: none is larger. */
	struct sock_filter filter[] = {
		LOAD(nr),
		ONLY(__NR_ioctl, 5),
		LOAD(args[1]),
		ONLY(KVM_CHECK_EXTENSION, 3),
		LOAD(args[2]),
		ONLY(cap, 1),
		RETURN(SECCOMP_RET_ERRNO | EINVAL),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	if (argc < 3) {
		fprintf(stderr, "usage: nocap CAP COMMAND...\n");
		return 2;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		perror("nocap");
		return 2;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 2;
}
