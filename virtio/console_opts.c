// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/console_opts.h"

#include <errno.h>
#include <string.h>

#include "vmm/core/opts.h"

/* Linux makes a file of it, /dev/virtio-ports/NAME. */
static int check_name(const char *name, struct fail *fail)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t len = name ? strlen(name) : 0;

	if (!len)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "--port: a port needs name=NAME");
	if (len > CONSOLE_NAME_MAX || name[0] == '.' || strspn(name, letters) != len)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--port: '%s' is no name for a port; use up to %d letters, digits, "
				"'.', '_' and '-', no '.' first",
				name, CONSOLE_NAME_MAX);
	return 0;
}

int port_parse(struct port_config *cfg, char *words, struct fail *fail)
{
	static const char *const known[] = {
		"name", "file", "socket", "pty", "fd", "console", NULL
	};
	bool connected = false;
	char *key, *value;
	int err = 0;

	while (!err && opts_part(&words, &key, &value)) {
		const char *near = opts_nearest(key, known);

		if (!strcmp(key, "name")) {
			cfg->name = value;
			continue;
		}
		if (!strcmp(key, "console") && !value) {
			cfg->console = true;
			continue;
		}
		err = hostport_parse(&cfg->host, key, value, fail);
		if (err == -ENOENT)
			return fail_set(
				fail, EXIT_CONFIG, -EINVAL, "--port: unknown part '%s'%s%s%s", key,
				near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
		if (!err && connected)
			return fail_set(fail, EXIT_CONFIG, -EINVAL,
					"--port: one of file=, socket=, pty and fd= is enough");
		connected = true;
	}
	if (err)
		return err;
	err = check_name(cfg->name, fail);
	if (!err && !connected)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--port name=%s: needs file=FILE, socket=PATH, pty or fd=N",
				cfg->name);
	return err;
}
