// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/control_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 16 };

static const char suffix[] = ".sock";

bool control_name_ok(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789._-");

	return len && len <= CONTROL_NAME_MAX && !name[len] && *name != '.' && *name != '-';
}

static const char *env_path(const char *name)
{
	const char *path = getenv(name);

	return path && *path == '/' ? path : NULL;
}

/* Of the size of a socket's path: what is longer is of no use, and its end is cut. */
static void folder_path(char *path, size_t size)
{
	const char *own = getenv("VMM_RUNTIME_DIR"), *base = env_path("XDG_RUNTIME_DIR");
	const char *tmp = env_path("TMPDIR");

	if (own && *own)
		snprintf(path, size, "%s", own);
	else if (base)
		snprintf(path, size, "%s/vmm", base);
	else if (geteuid() == 0)
		snprintf(path, size, "/run/vmm");
	else
		snprintf(path, size, "%s/vmm-%u", tmp ? tmp : "/tmp", (unsigned int)geteuid());
}

/* A folder in a place where all can write may have been put there by another: what is opened is
 * looked at, not its name. */
static int check_folder(int fd, const char *path, struct fail *fail)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_uid != geteuid())
		return fail_set(fail, EXIT_CONFIG, -EPERM,
				"%s, for the machines' sockets, belongs to another user; set "
				"VMM_RUNTIME_DIR to a folder of yours",
				path);
	if (st.st_mode & 022)
		return fail_set(fail, EXIT_CONFIG, -EPERM,
				"%s, for the machines' sockets, can be written to by others; "
				"chmod it to 700, or set VMM_RUNTIME_DIR to another folder",
				path);
	return 0;
}

/* Returns the folder's descriptor. */
static int open_folder(const char *path, bool create, struct fail *fail)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = open(path, flags);
	int err;

	if (fd < 0 && errno == ENOENT && create && (!mkdir(path, 0700) || errno == EEXIST))
		fd = open(path, flags);
	if (fd < 0)
		return fail_set(create || errno != ENOENT ? fail : NULL, EXIT_CONFIG, -errno,
				"cannot open the folder of the machines' sockets, %s: %s; set "
				"VMM_RUNTIME_DIR to another folder",
				path, strerror(errno));
	err = check_folder(fd, path, fail);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int control_name_check(const char *name, struct fail *fail)
{
	return control_name_ok(name)
		       ? 0
		       : fail_set(fail, EXIT_CONFIG, -EINVAL,
				  "'%s' is no name for a machine: use up to %d letters, digits, "
				  "'.', '_' and '-', and begin with a letter, a digit or '_'",
				  name, CONTROL_NAME_MAX);
}

static int set_path(struct sockaddr_un *addr, const char *folder, const char *name,
		    struct fail *fail)
{
	size_t size = sizeof(addr->sun_path);

	if (control_name_check(name, fail))
		return -EINVAL;
	addr->sun_family = AF_UNIX;
	if ((size_t)snprintf(addr->sun_path, size, "%s/%s%s", folder, name, suffix) >= size)
		return fail_set(fail, EXIT_CONFIG, -ENAMETOOLONG,
				"the path of the machine's socket, %s/%s%s, is longer than %zu "
				"bytes; use a shorter --name or VMM_RUNTIME_DIR",
				folder, name, suffix, size - 1);
	return 0;
}

/* -ECONNREFUSED and -ENOENT mean that no machine is behind it. */
static int try_connect(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Under the folder's lock, without which the socket may be one that is not listening yet. What is
 * no socket refuses connections too, and stays. */
static int remove_stale(const struct sockaddr_un *addr)
{
	int fd = try_connect(addr);
	struct stat st;

	if (fd >= 0)
		close(fd);
	if (fd != -ECONNREFUSED)
		return fd == -ENOENT ? 0 : -EADDRINUSE;
	if (!lstat(addr->sun_path, &st) && !S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	return unlink(addr->sun_path) && errno != ENOENT ? -errno : 0;
}

/* Under the folder's lock. */
static int take(struct control_socket *sock)
{
	const struct sockaddr *addr = (const struct sockaddr *)&sock->addr;
	int err;

	/* The file that bind() makes takes the descriptor's mode, less the umask's bits. */
	if (fchmod(sock->fd, 0600))
		return -errno;
	err = bind(sock->fd, addr, sizeof(sock->addr)) ? -errno : 0;
	if (err == -EADDRINUSE) {
		err = remove_stale(&sock->addr);
		if (!err && bind(sock->fd, addr, sizeof(sock->addr)))
			err = -errno;
	}
	if (err)
		return err;
	if (!listen(sock->fd, BACKLOG))
		return 0;
	err = -errno;
	unlink(sock->addr.sun_path);
	return err;
}

int control_take(const char *name, struct control_socket *sock, struct fail *fail)
{
	char folder[sizeof(sock->addr.sun_path)];
	int dir, err;

	*sock = (struct control_socket){ .fd = -1 };
	folder_path(folder, sizeof(folder));
	err = set_path(&sock->addr, folder, name, fail);
	if (err)
		return err;
	dir = open_folder(folder, true, fail);
	if (dir < 0)
		return dir;
	err = flock(dir, LOCK_EX) ? -errno : 0;
	if (!err) {
		sock->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		err = sock->fd < 0 ? -errno : take(sock);
	}
	close(dir);
	if (!err)
		return 0;
	if (sock->fd >= 0)
		close(sock->fd);
	sock->fd = -1;
	if (err == -EADDRINUSE)
		return fail_set(fail, EXIT_CONFIG, -EEXIST,
				"a machine named '%s' is running already; use another --name, or "
				"vmm stop %s",
				name, name);
	return fail_set(fail, EXIT_CONFIG, err,
			"cannot make the machine's socket, %s: %s; set VMM_RUNTIME_DIR to another "
			"folder",
			sock->addr.sun_path, strerror(-err));
}

void control_forget(struct control_socket *sock)
{
	if (sock->fd >= 0 && !sock->forgotten)
		unlink(sock->addr.sun_path);
	sock->forgotten = true;
}

void control_release(struct control_socket *sock)
{
	if (sock->fd < 0)
		return;
	control_forget(sock);
	close(sock->fd);
	sock->fd = -1;
}

static int no_machine(const char *name, struct fail *fail)
{
	return fail_set(fail, EXIT_CONFIG, -ENOENT,
			"no machine named '%s' is running; vmm list names those that are", name);
}

int control_connect(const char *name, struct fail *fail)
{
	struct sockaddr_un addr;
	char folder[sizeof(addr.sun_path)];
	int dir, fd, err;

	folder_path(folder, sizeof(folder));
	err = set_path(&addr, folder, name, fail);
	if (err)
		return err;
	dir = open_folder(folder, false, fail);
	if (dir < 0)
		return dir == -ENOENT ? no_machine(name, fail) : dir;
	fd = try_connect(&addr);
	if (fd == -ECONNREFUSED && !flock(dir, LOCK_EX))
		remove_stale(&addr);
	close(dir);
	if (fd == -ECONNREFUSED || fd == -ENOENT)
		return no_machine(name, fail);
	if (fd < 0)
		return fail_set(fail, EXIT_HOST, fd, "cannot connect to machine '%s': %s", name,
				strerror(-fd));
	fcntl(fd, F_SETFL, 0);
	return fd;
}

int control_names(void (*fn)(void *arg, const char *name), void *arg, struct fail *fail)
{
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct dirent *entry;
	int fd;
	DIR *dir;

	folder_path(folder, sizeof(folder));
	fd = open_folder(folder, false, fail);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	}
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name), tail = sizeof(suffix) - 1;

		if (len <= tail || strcmp(entry->d_name + len - tail, suffix))
			continue;
		entry->d_name[len - tail] = 0;
		if (control_name_ok(entry->d_name))
			fn(arg, entry->d_name);
	}
	closedir(dir);
	return 0;
}
