// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/test_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where two match one line, the first counts. */
static const struct test_reject default_rejects[] = {
	{ "kernel panic", "Kernel panic - not syncing", true },
	{ "KASAN, KCSAN, KMSAN or KFENCE report", "BUG: K(ASAN|CSAN|MSAN|FENCE): ", false },
	{ "UBSAN report", "UBSAN: [a-z]", false },
	{ "soft lockup", "BUG: soft lockup - CPU|[Ww]atchdog detected hard LOCKUP", false },
	{ "RCU stall", "rcu.*detected (expedited )?stalls? on CPU", false },
	{ "hung task", "INFO: task .* blocked for more than [0-9]+ seconds", false },
	{ "Oops", "Unable to handle kernel |Internal error: |Oops[: ]", false },
	{ "BUG", "(^|[^A-Za-z])BUG: |kernel BUG at ", false },
	{ "no root file system",
	  "Unable to mount root fs|Cannot open root device|ALERT! .* does not exist", false },
};

const struct test_reject *test_default_reject(unsigned int i)
{
	return i < sizeof(default_rejects) / sizeof(default_rejects[0]) ? &default_rejects[i]
									: NULL;
}

static int not_empty(const char *option, const char *arg, struct fail *fail)
{
	return *arg ? 0
		    : fail_set(fail, EXIT_CONFIG, -EINVAL,
			       "--%s: the empty pattern is in every line", option);
}

static int add(struct test_pattern *p, unsigned int n, const char *option, const char *arg,
	       struct fail *fail)
{
	char why[128];
	int err;

	if (n == TEST_RULES_MAX)
		return fail_set(fail, EXIT_CONFIG, -E2BIG, "--%s: at most %d of them", option,
				TEST_RULES_MAX);
	p->text = strdup(arg);
	if (!p->text)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	err = regcomp(&p->re, arg, REG_EXTENDED);
	if (!err)
		return 0;
	regerror(err, &p->re, why, sizeof(why));
	free(p->text);
	return fail_set(fail, EXIT_CONFIG, -EINVAL,
			"--%s '%s': %s; give an extended regular expression", option, arg, why);
}

int test_rules_expect(struct test_rules *rules, const char *arg, struct fail *fail)
{
	int err = not_empty("expect", arg, fail);

	if (!err)
		err = add(&rules->expects[rules->nexpects], rules->nexpects, "expect", arg, fail);
	rules->nexpects += !err;
	return err;
}

int test_rules_reject(struct test_rules *rules, const char *arg, struct fail *fail)
{
	int err = not_empty("reject", arg, fail);

	if (!err)
		err = add(&rules->rejects[rules->nrejects], rules->nrejects, "reject", arg, fail);
	rules->nrejects += !err;
	return err;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at && (c >= 'A' || c <= '9') ? (int)(at - digits) : -1;
}

/* Behind a backslash: the byte, or -1. */
static int escape(const char **at)
{
	static const char from[] = "nrte\\@", to[] = "\n\r\t\033\\@";
	const char c = *(*at)++;
	const char *found = c ? strchr(from, c) : NULL;
	int high, low;

	if (found)
		return to[found - from];
	if (c != 'x')
		return -1;
	high = hex_digit(**at);
	low = high < 0 ? -1 : hex_digit((*at)[1]);
	*at += low < 0 ? 0 : 2;
	return low < 0 ? -1 : high * 16 + low;
}

/* Decodes up to the @: what is behind it, or NULL. */
static const char *decode(const char *arg, char *data, size_t *len)
{
	*len = 0;
	while (*arg && *arg != '@') {
		int c = (unsigned char)*arg++;

		if (c == '\\')
			c = escape(&arg);
		if (c < 0 || *len == TEST_SEND_MAX)
			return NULL;
		data[(*len)++] = (char)c;
	}
	return *arg == '@' ? arg + 1 : NULL;
}

int test_rules_send(struct test_rules *rules, const char *arg, struct fail *fail)
{
	struct test_send *send = &rules->sends[rules->nsends];
	char data[TEST_SEND_MAX];
	size_t len;
	const char *re = decode(arg, data, &len);
	int err;

	if (!re || !len)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--send '%s': give TEXT@PATTERN or TEXT@, where TEXT has 1 to %d "
				"bytes and may "
				"hold \\n \\r \\t \\e \\\\ \\@ \\xHH",
				arg, TEST_SEND_MAX);
	if (rules->nsends == TEST_RULES_MAX)
		return fail_set(fail, EXIT_CONFIG, -E2BIG, "--send: at most %d of them",
				TEST_RULES_MAX);
	err = add(&send->at, rules->nsends, "send", re, fail);
	if (err)
		return err;
	rules->nsends++;
	send->len = len;
	send->data = malloc(len);
	if (!send->data)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	memcpy(send->data, data, len);
	return 0;
}

static void free_pattern(struct test_pattern *p)
{
	regfree(&p->re);
	free(p->text);
	p->text = NULL;
}

int test_rules_migrate(struct test_rules *rules, const char *arg, struct fail *fail)
{
	int err = not_empty("migrate-on", arg, fail);

	if (rules->migrate.text)
		free_pattern(&rules->migrate);
	if (!err)
		err = add(&rules->migrate, 0, "migrate-on", arg, fail);
	if (err)
		rules->migrate.text = NULL;
	return err;
}

void test_rules_fini(struct test_rules *rules)
{
	while (rules->nexpects)
		free_pattern(&rules->expects[--rules->nexpects]);
	while (rules->nrejects)
		free_pattern(&rules->rejects[--rules->nrejects]);
	if (rules->migrate.text)
		free_pattern(&rules->migrate);
	while (rules->nsends) {
		free_pattern(&rules->sends[--rules->nsends].at);
		free(rules->sends[rules->nsends].data);
	}
}
