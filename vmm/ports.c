// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/ports.h"

static int open_one(struct ports *ports, const struct port_config *cfg, struct loop *loop,
		    struct log *log, struct console_port *out, struct fail *fail)
{
	struct hostport **host = &ports->host[ports->n];
	int err = hostport_create(&cfg->host, cfg->name, loop, log, host, fail);

	if (err)
		return err;
	ports->n++;
	*out = (struct console_port){ cfg->name, cfg->console, hostport_chardev(*host) };
	if (hostport_pty(*host))
		log_line(log, LOG_INFO, "port %s is %s", cfg->name, hostport_pty(*host));
	return 0;
}

int ports_open(struct ports *ports, const struct config *cfg, struct loop *loop, struct log *log,
	       struct console_port *out, struct fail *fail)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < cfg->nports; i++)
		err = open_one(ports, &cfg->ports[i], loop, log, &out[i], fail);
	return err;
}

void ports_flush(struct ports *ports, int stop_fd)
{
	for (unsigned int i = 0; i < ports->n; i++)
		chardev_flush(hostport_chardev(ports->host[i]), stop_fd);
}

void ports_close(struct ports *ports)
{
	while (ports->n)
		hostport_destroy(ports->host[--ports->n]);
}
