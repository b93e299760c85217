// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/net.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

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

static int parse_mac(struct net_config *cfg, const char *value, struct fail *fail)
{
	if (!value || !read_mac(value, cfg->mac) || cfg->mac[0] & 1)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--network: '%s' is not the MAC address of one card; write it like "
				"02:15:15:15:15:15",
				value ? value : "");
	cfg->has_mac = true;
	return 0;
}

static int parse_mode(struct net_config *cfg, const char *value, struct fail *fail)
{
	if (value && !strcmp(value, "tap"))
		cfg->mode = NET_TAP;
	else if (value && !strcmp(value, "none"))
		cfg->mode = NET_NONE;
	else
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--network: unknown mode '%s'; known are tap and none",
				value ? value : "");
	return 0;
}

static int parse_fd(struct net_config *cfg, const char *value, struct fail *fail)
{
	char *end = NULL;
	long fd = value ? strtol(value, &end, 10) : -1;

	if (!end || end == value || *end || fd < 0 || fd > INT_MAX)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--network: '%s' is not the number of an open descriptor",
				value ? value : "");
	cfg->fd = fd;
	return 0;
}

static int parse_part(struct net_config *cfg, const char *key, const char *value, struct fail *fail)
{
	if (!strcmp(key, "mode"))
		return parse_mode(cfg, value, fail);
	if (!strcmp(key, "fd"))
		return parse_fd(cfg, value, fail);
	if (!strcmp(key, "mac") || !strcmp(key, "guest_mac"))
		return parse_mac(cfg, value, fail);
	if (!strcmp(key, "tapif") && value) {
		cfg->tapif = value;
		return 0;
	}
	return fail_set(
		fail, EXIT_CONFIG, -EINVAL,
		"--network: unknown part '%s'; known are mode=, tapif=NAME, fd=N and mac=MAC", key);
}

int net_parse(struct net_config *cfg, char *arg, struct fail *fail)
{
	char *key, *value;
	int err = 0;

	*cfg = (struct net_config){ .transport = cfg->transport, .mode = NET_TAP, .fd = -1 };
	while (!err && opts_part(&arg, &key, &value))
		err = parse_part(cfg, key, value, fail);
	if (!err && cfg->fd >= 0 && cfg->tapif)
		err = fail_set(fail, EXIT_CONFIG, -EINVAL,
			       "--network: tapif= and fd= exclude each other");
	return err;
}
