// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/net_backend.h"
#include "vmm/core/opts.h"

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at;

	if (c >= 'A' && c <= 'F')
		c += 'a' - 'A';
	at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* Six pairs of digits with colons between them: whether it is one. */
static bool read_mac(const char *text, uint8_t mac[6])
{
	if (strlen(text) != 17)
		return false;
	for (unsigned int i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]), low = hex_digit(text[1]);

		if (high < 0 || low < 0 || text[2] != (i < 5 ? ':' : 0))
			return false;
		mac[i] = high << 4 | low;
	}
	return true;
}

/* A decimal number of digits alone within the bounds: whether it is one. */
static bool read_number(const char *text, unsigned long min, unsigned long max, unsigned int *out)
{
	unsigned long val;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	val = strtoul(text, &end, 10);
	if (errno || *end || val < min || val > max)
		return false;
	*out = val;
	return true;
}

/* --- the parts --------------------------------------------------------------------------------- */

static const char *const modes[] = { "none", "tap", "user" };

const char *net_mode_word(enum net_mode mode)
{
	return modes[mode];
}

static int parse_mode(struct net_config *cfg, char *value, struct fail *fail)
{
	for (unsigned int i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(value, modes[i]))
			continue;
		cfg->mode = i;
		return 0;
	}
	return fail_set(fail, EXIT_CONFIG, -EINVAL,
			"--network: unknown mode '%s'; known are tap, user and none", value);
}

static int parse_tapif(struct net_config *cfg, char *value, struct fail *fail)
{
	(void)fail;
	cfg->tapif = value;
	return 0;
}

static int parse_fd(struct net_config *cfg, char *value, struct fail *fail)
{
	unsigned int fd;

	if (!read_number(value, 0, INT_MAX, &fd))
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--network: '%s' is not the number of an open descriptor", value);
	cfg->fd = (int)fd;
	return 0;
}

static int parse_mac(struct net_config *cfg, char *value, struct fail *fail)
{
	if (!read_mac(value, cfg->mac) || cfg->mac[0] & 1)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--network: '%s' is not the MAC address of one card; write it like "
				"02:15:15:15:15:15",
				value);
	cfg->has_mac = true;
	return 0;
}

static int parse_mtu(struct net_config *cfg, char *value, struct fail *fail)
{
	/* 5.1.4.1: at least 68. */
	if (!read_number(value, 68, 65535, &cfg->mtu))
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--network: mtu=%s is not a number from 68 to 65535", value);
	return 0;
}

static int parse_queues(struct net_config *cfg, char *value, struct fail *fail)
{
	if (!read_number(value, 1, NET_PAIRS_MAX, &cfg->queues))
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--network: queues=%s is not a number from 1 to %d", value,
				NET_PAIRS_MAX);
	return 0;
}

static int parse_vhost(struct net_config *cfg, char *value, struct fail *fail)
{
	cfg->vhost = !strcmp(value, "on");
	if (!cfg->vhost && strcmp(value, "off"))
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "--network: vhost=%s is not on or off",
				value);
	return 0;
}

/* [ADDR:]HOST:GUEST[/tcp|/udp], the address perhaps in brackets: cut up in place. */
static bool read_forward(struct net_forward *fwd, char *text)
{
	char *proto = strrchr(text, '/'), *guest, *host;
	unsigned int ports[2];
	struct in6_addr addr;

	if (proto) {
		*proto++ = 0;
		fwd->udp = !strcmp(proto, "udp");
		if (!fwd->udp && strcmp(proto, "tcp"))
			return false;
	}
	guest = strrchr(text, ':');
	if (!guest)
		return false;
	*guest++ = 0;
	host = strrchr(text, ':');
	if (host) {
		*host++ = 0;
		if (*text == '[' && host - text > 2 && host[-2] == ']') {
			host[-2] = 0;
			text++;
		}
		if (inet_pton(AF_INET, text, &addr) != 1 && inet_pton(AF_INET6, text, &addr) != 1)
			return false;
		fwd->addr = text;
	} else {
		host = text;
	}
	if (!read_number(host, 1, 65535, &ports[0]) || !read_number(guest, 1, 65535, &ports[1]))
		return false;
	fwd->host = ports[0];
	fwd->guest = ports[1];
	return true;
}

static int parse_fwd(struct net_config *cfg, char *value, struct fail *fail)
{
	char said[64];

	if (cfg->nfwd == NET_FORWARDS_MAX)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--network: at most %d ports with fwd=", NET_FORWARDS_MAX);
	strncpy(said, value, sizeof(said) - 1);
	said[sizeof(said) - 1] = 0;
	if (!read_forward(&cfg->fwd[cfg->nfwd++], value))
		return fail_set(
			fail, EXIT_CONFIG, -EINVAL,
			"--network: fwd=%s is not [ADDRESS:]HOST:GUEST[/udp], a port of the "
			"host and one of the guest; write it like fwd=8080:80",
			said);
	return 0;
}

static const struct {
	const char *key;
	int (*parse)(struct net_config *cfg, char *value, struct fail *fail);
	unsigned int modes; /* mask of those that know it */
} parts[] = {
	{ "mode", parse_mode, ~0u },
	{ "tapif", parse_tapif, 1 << NET_TAP },
	{ "queues", parse_queues, 1 << NET_TAP },
	{ "vhost", parse_vhost, 1 << NET_TAP },
	{ "fd", parse_fd, 1 << NET_TAP },
	{ "mac", parse_mac, ~0u },
	{ "guest_mac", parse_mac, ~0u },
	{ "mtu", parse_mtu, ~0u },
	{ "fwd", parse_fwd, 1 << NET_USER },
};

enum { NPARTS = sizeof(parts) / sizeof(parts[0]) };

/* `value` is an empty string for a key alone. */
static int parse_part(struct net_config *cfg, const char *key, char *value, unsigned int *seen,
		      struct fail *fail)
{
	for (unsigned int i = 0; i < NPARTS; i++) {
		if (strcmp(key, parts[i].key))
			continue;
		*seen |= 1u << i;
		return parts[i].parse(cfg, value, fail);
	}
	return fail_set(fail, EXIT_CONFIG, -EINVAL,
			"--network: unknown part '%s'; known are mode=, tapif=NAME, fd=N, "
			"queues=N, vhost=on, "
			"fwd=HOST:GUEST, mac=MAC and mtu=N",
			key);
}

/* What does not go together. */
static int check(const struct net_config *cfg, unsigned int seen, struct fail *fail)
{
	for (unsigned int i = 0; i < NPARTS; i++)
		if (seen >> i & 1 && !(parts[i].modes >> cfg->mode & 1))
			return fail_set(fail, EXIT_CONFIG, -EINVAL, "--network: %s= is for mode=%s",
					parts[i].key,
					parts[i].modes >> NET_TAP & 1 ? "tap" : "user");
	if (cfg->fd >= 0 && cfg->tapif)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--network: tapif= and fd= exclude each other");
	if (cfg->fd >= 0 && cfg->queues > 1)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--network: a descriptor has one queue; use tapif= with queues=");
	return 0;
}

int net_parse(struct net_config *cfg, char *arg, struct fail *fail)
{
	unsigned int seen = 0;
	char *key, *value;
	int err = 0;

	*cfg = (struct net_config){
		.transport = cfg->transport,
		.mode = NET_TAP,
		.fd = -1,
		.queues = 1,
	};
	while (!err && opts_part(&arg, &key, &value))
		err = parse_part(cfg, key, value ? value : key + strlen(key), &seen, fail);
	return err ? err : check(cfg, seen, fail);
}
