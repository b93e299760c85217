// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/its.h"
#include "tests/fake/suite.h"
#include "vmm/core/state.h"

/*
 * Random commands, right and wrong ones, to the ITS and to a reference: a few arrays, written from
 * the specification and knowing nothing of the other. Each result is compared, and after each batch
 * what every message would be, to the ITS and to its sink. ITS_COMMANDS says how many.
 */
enum { COMMANDS = 200000, DEVICES = 6, EVENTS = 40, COLLS = 8, LPI = 8192, LPIS = 300 };

static struct fake_its f;

/* --- the reference ----------------------------------------------------------------------------- */

static struct {
	int bits[DEVICES]; /* -1: not mapped */
	int intid[DEVICES][EVENTS]; /* 0: not mapped */
	int coll[DEVICES][EVENTS]; /* -1: none */
	int cpu[COLLS]; /* -1: not mapped */
} ref;

static void ref_init(void)
{
	memset(&ref, 0, sizeof(ref));
	for (int d = 0; d < DEVICES; d++)
		ref.bits[d] = -1;
	for (int c = 0; c < COLLS; c++)
		ref.cpu[c] = -1;
}

static bool ref_dev(uint32_t d)
{
	return d < DEVICES && ref.bits[d] >= 0;
}

/* Whether there is such an ITE. */
static bool ref_ite(uint32_t d, uint32_t e)
{
	return ref_dev(d) && e < EVENTS && ref.intid[d][e];
}

static bool ref_ite_coll(uint32_t d, uint32_t e)
{
	return ref_ite(d, e) && ref.coll[d][e] >= 0 && ref.cpu[ref.coll[d][e]] >= 0;
}

static bool ref_coll(uint32_t c)
{
	return c < COLLS && ref.cpu[c] >= 0;
}

static int ref_mapd(uint32_t d, unsigned int bits, bool valid)
{
	if (d >= 65536)
		return 0x010801;
	if (valid && bits > 16)
		return 0x010802;
	memset(ref.intid[d], 0, sizeof(ref.intid[d]));
	ref.bits[d] = valid ? (int)bits : -1;
	return 0;
}

static int ref_mapc(uint32_t c, uint32_t cpu, bool valid)
{
	if (valid && cpu >= FAKE_ITS_CPUS)
		return 0x010902;
	ref.cpu[c] = valid ? (int)cpu : -1;
	for (int d = 0; !valid && d < DEVICES; d++)
		for (int e = 0; e < EVENTS; e++)
			if (ref.coll[d][e] == (int)c)
				ref.coll[d][e] = -1;
	return 0;
}

static int ref_mapti(uint32_t d, uint32_t e, uint32_t intid, uint32_t c)
{
	if (!ref_dev(d))
		return 0x010a04;
	if (e >= 1U << ref.bits[d])
		return 0x010a05;
	if (intid < LPI || intid >= 65536)
		return 0x010a06;
	if (ref.intid[d][e])
		return 0;
	for (int i = 0; i < DEVICES; i++)
		for (int k = 0; k < EVENTS; k++)
			if (ref.intid[i][k] == (int)intid)
				return ITS_LPI_TAKEN;
	ref.intid[d][e] = (int)intid;
	ref.coll[d][e] = (int)c;
	return 0;
}

static int ref_movi(uint32_t d, uint32_t e, uint32_t c)
{
	if (!ref_ite(d, e))
		return 0x010107;
	if (!ref_ite_coll(d, e) || !ref_coll(c))
		return 0x010109;
	ref.coll[d][e] = (int)c;
	return 0;
}

static int ref_movall(uint32_t from, uint32_t to)
{
	if (from >= FAKE_ITS_CPUS || to >= FAKE_ITS_CPUS)
		return 0x010e01;
	for (int c = 0; c < COLLS; c++)
		if (ref.cpu[c] == (int)from)
			ref.cpu[c] = (int)to;
	return 0;
}

static int ref_event(unsigned int op, uint32_t d, uint32_t e)
{
	switch (op) {
	case 0x03:
		return ref_ite_coll(d, e) ? 0 : 0x010307;
	case 0x04:
		return ref_ite(d, e) ? 0 : 0x010507;
	case 0x0c:
		return ref_ite(d, e) ? 0 : 0x010c07;
	default:
		if (!ref_ite_coll(d, e))
			return 0x010f07;
		ref.intid[d][e] = 0;
		return 0;
	}
}

/* --- random ------------------------------------------------------------------------------------ */

static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 20) % n;
}

/* Mostly one that there may be. */
static uint32_t any(uint32_t n, uint32_t wrong)
{
	return rnd(16) ? rnd(n) : wrong;
}

static int mapping_command(struct its_command *cmd, uint32_t d, uint32_t e, uint32_t c)
{
	uint32_t intid = any(LPIS, 65536 - LPI) + LPI - !rnd(20);
	uint32_t cpu = any(FAKE_ITS_CPUS, FAKE_ITS_CPUS), bits = 1 + rnd(6);
	bool valid = rnd(4);

	switch (rnd(12)) {
	case 0:
		if (!rnd(8))
			bits += 16;
		*cmd = its_mapd_cmd(d, bits, valid);
		return ref_mapd(d, bits, valid);
	case 1:
	case 2:
		*cmd = its_mapc_cmd(c, cpu, valid);
		return ref_mapc(c, cpu, valid);
	case 3:
		*cmd = its_movall_cmd(cpu, c);
		return ref_movall(cpu, c);
	case 4:
		/* EventIDs of the reference are too small to be LPIs. */
		*cmd = its_mapi_cmd(d, e, c);
		return ref_mapti(d, e, e, c);
	default:
		*cmd = its_mapti_cmd(d, e, intid, c);
		return ref_mapti(d, e, intid, c);
	}
}

static int random_command(struct its_command *cmd)
{
	static const uint8_t events[] = { 0x03, 0x04, 0x0c, 0x0f };
	uint32_t d = any(DEVICES, 0x10000 + rnd(9)), e = any(EVENTS, 1U << 31), c = rnd(COLLS);
	unsigned int op;

	switch (rnd(8)) {
	default:
		return mapping_command(cmd, d, e, c);
	case 0:
	case 1:
		op = events[rnd(4)];
		*cmd = its_event_cmd(op, d, e);
		return ref_event(op, d, e);
	case 2:
		*cmd = its_movi_cmd(d, e, c);
		return ref_movi(d, e, c);
	case 3:
		*cmd = its_invall_cmd(c);
		return ref_coll(c) ? 0 : 0x010d09;
	case 4:
		*cmd = (struct its_command){ { rnd(2) ? 0x05 : 0x40 + rnd(64) } };
		return (uint8_t)cmd->word[0] == 0x05 ? 0 : ITS_UNKNOWN;
	}
}

/* --- compared ---------------------------------------------------------------------------------- */

static int want[ITS_BATCH * 4];
static unsigned int nwant, at;

/* Nothing is injected: this sees which commands come to be done, in which order. */
static char names[64][48];

static void on_line(void *arg, const char *line)
{
	const char *result = strstr(line, " -> ");
	enum its_error error = ITS_OK;

	(void)arg;
	quick_assert(result && at < nwant, "%s", line);
	result += 4;
	for (unsigned int i = 0; strcmp(result, "OK") && i < 64 && names[i][0]; i++)
		if (!strcmp(result, names[i]))
			its_error_at(i, &error);
	quick_assert(error == (enum its_error)want[at], "%s: not 0x%x", line, want[at]);
	at++;
}

static void check_messages(void)
{
	for (uint32_t d = 0; d < DEVICES; d++) {
		for (uint32_t e = 0; e < EVENTS; e++) {
			uint32_t intid, cpu, sent, sent_cpu;
			bool there = ref_ite_coll(d, e);

			quick_assert(its_translate(f.dev, d, e, &intid, &cpu) ==
					     (there ? 0 : -ENOENT),
				     "%u/%u", d, e);
			quick_assert(fake_its_sent(&f, d, e, &sent, &sent_cpu) ==
					     (there ? 0 : -ENOENT),
				     "%u/%u", d, e);
			if (!there)
				continue;
			ck_assert_uint_eq(intid, (uint32_t)ref.intid[d][e]);
			ck_assert_uint_eq(cpu, (uint32_t)ref.cpu[ref.coll[d][e]]);
			ck_assert_uint_eq(sent, intid);
		}
	}
}

static void batch(unsigned int n)
{
	nwant = n;
	at = 0;
	for (unsigned int i = 0; i < n; i++) {
		struct its_command cmd;

		want[i] = random_command(&cmd);
		fake_its_put(&f, &cmd);
	}
	ck_assert(fake_its_go(&f));
	ck_assert_uint_eq(at, n);
	check_messages();
}

static void save_and_load(void)
{
	struct stream saved;
	struct state s;

	stream_open_buf(&saved);
	state_init_save(&s, &saved);
	f.dev->ops->state(f.dev, &s);
	ck_assert_int_eq(state_end(&s), 0);
	stream_rewind(&saved);
	state_init_load(&s, &saved);
	f.dev->ops->state(f.dev, &s);
	ck_assert_int_eq(state_end(&s), 0);
	stream_close(&saved);
	check_messages();
}

START_TEST(random_streams)
{
	const char *text = getenv("ITS_COMMANDS");
	uint64_t left = text ? strtoull(text, NULL, 10) : COMMANDS;
	enum its_error error;
	const char *name;

	for (unsigned int i = 0; (name = its_error_at(i, &error)); i++)
		snprintf(names[i], sizeof(names[i]), "%s", name);
	fake_its_init(&f, FAKE_ITS_CPUS);
	f.cfg.trace = on_line;
	fake_its_recreate(&f);
	fake_its_enable(&f);
	ref_init();
	seed = 88172645463325252;
	while (left) {
		unsigned int n = 1 + rnd(rnd(8) ? 40 : 4 * ITS_BATCH);

		n = n < left ? n : (unsigned int)left;
		batch(n);
		left -= n;
		if (!rnd(50))
			save_and_load();
	}
	fake_its_fini(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("its_random");
	TCase *tc = tcase_create("its");

	tcase_set_timeout(tc, 580);
	tcase_add_test(tc, random_streams);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
