// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/firmware.h"
#include "tests/fake/suite.h"
#include "vmm/core/state.h"

/* What CPUs go through, one thread: on, off, suspended, and saved in between. */

enum { NCPUS = 4 };

static struct fake_firmware f;
static uint64_t entry, context;

static void setup(void)
{
	fake_firmware_init(&f, PSCI_LATEST, NCPUS);
	entry = context = 0xdead;
}

static void teardown(void)
{
	fake_firmware_fini(&f);
}

static void expect_state(unsigned int cpu, enum psci_cpu_state state, enum smccc_action action,
			 int64_t affinity)
{
	unsigned int other = psci_cpu_state(&f.psci, 0) == PSCI_CPU_ON ? 0 : (cpu + 1) % NCPUS;

	ck_assert_int_eq(psci_cpu_state(&f.psci, cpu), state);
	ck_assert_int_eq(psci_cpu_action(&f.psci, cpu), action);
	ck_assert_int_eq(fake_call(&f, other, ID_AFFINITY_INFO, fake_affinity(cpu), 0, 0),
			 affinity);
}

static void switch_on(unsigned int cpu)
{
	ck_assert_int_eq(fake_call(&f, 0, ID_CPU_ON, fake_affinity(cpu), FAKE_ENTRY, cpu), 0);
	ck_assert(psci_cpu_take(&f.psci, cpu, &entry, &context));
}

START_TEST(power_on_state)
{
	for (unsigned int i = 0; i < NCPUS; i++)
		expect_state(i, i ? PSCI_CPU_OFF : PSCI_CPU_ON, i ? SMCCC_CPU_OFF : SMCCC_CONTINUE,
			     i ? 1 : 0);
	switch_on(2);
	psci_reset(&f.psci);
	for (unsigned int i = 0; i < NCPUS; i++)
		ck_assert_int_eq(psci_cpu_state(&f.psci, i), i ? PSCI_CPU_OFF : PSCI_CPU_ON);
}
END_TEST

START_TEST(state_names)
{
	static const char *const names[] = { "off",	"on_pending", "on",
					     "standby", "powerdown",  "system_suspend" };

	for (unsigned int i = 0; i < PSCI_CPU_STATES; i++)
		ck_assert_str_eq(psci_cpu_state_name(i), names[i]);
}
END_TEST

START_TEST(on_and_off)
{
	for (uint64_t round = 0; round < 3; round++) {
		ck_assert(!psci_cpu_take(&f.psci, 1, &entry, &context));
		ck_assert_int_eq(fake_call(&f, 0, ID_CPU_ON | ID_64, 1, FAKE_ENTRY + 4 * round,
					   1ull << 63 | round),
				 0);
		ck_assert_int_eq(f.last.wake, 1);
		expect_state(1, PSCI_CPU_ON_PENDING, SMCCC_CPU_OFF, 2);
		ck_assert(psci_cpu_take(&f.psci, 1, &entry, &context));
		ck_assert_uint_eq(entry, FAKE_ENTRY + 4 * round);
		ck_assert_uint_eq(context, 1ull << 63 | round);
		expect_state(1, PSCI_CPU_ON, SMCCC_CONTINUE, 0);
		ck_assert(!psci_cpu_take(&f.psci, 1, &entry, &context));
		ck_assert_int_eq(fake_call(&f, 1, ID_CPU_OFF, 0, 0, 0), 0);
		ck_assert_int_eq(f.last.action, SMCCC_CPU_OFF);
		ck_assert_uint_eq(f.last.nresults, 0);
		expect_state(1, PSCI_CPU_OFF, SMCCC_CPU_OFF, 1);
	}
}
END_TEST

START_TEST(failed_on_changes_nothing)
{
	ck_assert_int_eq(fake_call(&f, 0, ID_CPU_ON, 1, FAKE_ENTRY, 7), PSCI_SUCCESS);
	ck_assert_int_eq(fake_call(&f, 0, ID_CPU_ON, 1, FAKE_ENTRY + 4, 8), PSCI_ON_PENDING);
	ck_assert_int_eq(f.last.wake, -1);
	ck_assert(psci_cpu_take(&f.psci, 1, &entry, &context));
	ck_assert_uint_eq(entry, FAKE_ENTRY);
	ck_assert_uint_eq(context, 7);
	ck_assert_int_eq(fake_call(&f, 0, ID_CPU_ON, 2, 0, 7), PSCI_INVALID_PARAMETERS);
	ck_assert_int_eq(fake_call(&f, 0, ID_CPU_ON, 0x100, 0, 7), PSCI_INVALID_ADDRESS);
	expect_state(2, PSCI_CPU_OFF, SMCCC_CPU_OFF, 1);
}
END_TEST

START_TEST(standby)
{
	switch_on(1);
	ck_assert_int_eq(fake_call(&f, 1, ID_CPU_SUSPEND, 0, FAKE_ENTRY, 7), 0);
	ck_assert_int_eq(f.last.action, SMCCC_STANDBY);
	ck_assert_uint_eq(f.last.nresults, 1); /* x0 = SUCCESS is what it wakes up with */
	expect_state(1, PSCI_CPU_STANDBY, SMCCC_STANDBY, 0);
	entry = context = 1;
	ck_assert(!psci_cpu_woken(&f.psci, 1, &entry, &context));
	ck_assert_uint_eq(entry, 1);
	ck_assert_uint_eq(context, 1);
	expect_state(1, PSCI_CPU_ON, SMCCC_CONTINUE, 0);
	/* Once more is harmless. */
	ck_assert(!psci_cpu_woken(&f.psci, 1, &entry, &context));
	expect_state(1, PSCI_CPU_ON, SMCCC_CONTINUE, 0);
}
END_TEST

START_TEST(powerdown)
{
	static const uint32_t ids[] = { ID_CPU_SUSPEND | ID_64, ID_CPU_DEFAULT_SUSPEND | ID_64 };
	const uint64_t token = 0x123456789abcdef0;

	switch_on(1);
	for (unsigned int i = 0; i < 2; i++) {
		if (i == 0)
			fake_call(&f, 1, ids[i], 0x10000, FAKE_ENTRY + 8, token);
		else
			fake_call(&f, 1, ids[i], FAKE_ENTRY + 8, token, 0);
		ck_assert_int_eq(f.last.action, SMCCC_POWERDOWN);
		ck_assert_uint_eq(f.last.nresults, 0);
		expect_state(1, PSCI_CPU_POWERDOWN, SMCCC_POWERDOWN, 0);
		ck_assert_int_eq(fake_call(&f, 0, ID_NODE_HW_STATE, 1, 0, 0), 1);
		/* Only an interrupt brings it back. */
		ck_assert_int_eq(fake_call(&f, 0, ID_CPU_ON, 1, FAKE_ENTRY, 0), PSCI_ALREADY_ON);
		ck_assert(!psci_cpu_take(&f.psci, 1, &entry, &context));
		ck_assert(psci_cpu_woken(&f.psci, 1, &entry, &context));
		ck_assert_uint_eq(entry, FAKE_ENTRY + 8);
		ck_assert_uint_eq(context, token);
		expect_state(1, PSCI_CPU_ON, SMCCC_CONTINUE, 0);
	}
}
END_TEST

START_TEST(woken_does_not_switch_on)
{
	ck_assert(!psci_cpu_woken(&f.psci, 1, &entry, &context));
	expect_state(1, PSCI_CPU_OFF, SMCCC_CPU_OFF, 1);
	ck_assert_int_eq(fake_call(&f, 0, ID_CPU_ON, 1, FAKE_ENTRY, 7), 0);
	ck_assert(!psci_cpu_woken(&f.psci, 1, &entry, &context));
	expect_state(1, PSCI_CPU_ON_PENDING, SMCCC_CPU_OFF, 2);
}
END_TEST

START_TEST(system_suspend)
{
	switch_on(1);
	ck_assert_int_eq(fake_call(&f, 0, ID_SYSTEM_SUSPEND, FAKE_ENTRY, 7, 0), PSCI_DENIED);
	/* Standby and pending are not off either. */
	fake_call(&f, 1, ID_CPU_SUSPEND, 0, 0, 0);
	ck_assert_int_eq(fake_call(&f, 0, ID_SYSTEM_SUSPEND, FAKE_ENTRY, 7, 0), PSCI_DENIED);
	psci_cpu_woken(&f.psci, 1, &entry, &context);
	fake_call(&f, 1, ID_CPU_OFF, 0, 0, 0);
	ck_assert_int_eq(fake_call(&f, 0, ID_CPU_ON, 1, FAKE_ENTRY, 7), 0);
	ck_assert_int_eq(fake_call(&f, 0, ID_SYSTEM_SUSPEND, FAKE_ENTRY, 7, 0), PSCI_DENIED);
	ck_assert(psci_cpu_take(&f.psci, 1, &entry, &context));
	fake_call(&f, 1, ID_CPU_OFF, 0, 0, 0);

	ck_assert_int_eq(fake_call(&f, 0, ID_SYSTEM_SUSPEND, 4, 7, 0), PSCI_INVALID_ADDRESS);
	ck_assert_int_eq(fake_call(&f, 0, ID_SYSTEM_SUSPEND, FAKE_ENTRY + 2, 7, 0),
			 PSCI_INVALID_ADDRESS);
	ck_assert_int_eq(psci_cpu_state(&f.psci, 0), PSCI_CPU_ON);
	fake_call(&f, 0, ID_SYSTEM_SUSPEND | ID_64, FAKE_ENTRY + 16, 77, 0);
	ck_assert_int_eq(f.last.action, SMCCC_SYSTEM_SUSPEND);
	ck_assert_uint_eq(f.last.nresults, 0);
	ck_assert_int_eq(psci_cpu_state(&f.psci, 0), PSCI_CPU_SYSTEM_SUSPEND);
	ck_assert_int_eq(psci_cpu_action(&f.psci, 0), SMCCC_SYSTEM_SUSPEND);
	ck_assert(psci_cpu_woken(&f.psci, 0, &entry, &context));
	ck_assert_uint_eq(entry, FAKE_ENTRY + 16);
	ck_assert_uint_eq(context, 77);
	ck_assert_int_eq(psci_cpu_state(&f.psci, 0), PSCI_CPU_ON);
}
END_TEST

/* Sixteen CPUs in a tree of 2 x 2 x 2 x 2: every instance of every level against a plain count. */
START_TEST(affinity_of_every_instance)
{
	enum { NTREE = 16 };
	struct fake_firmware tree;
	uint32_t on = 0;

	fake_firmware_init(&tree, PSCI_LATEST, NTREE);
	for (uint32_t step = 0; step < NTREE; step++) {
		if (step) {
			uint32_t cpu = step * 7 % NTREE;

			ck_assert_int_eq(fake_call(&tree, 0, ID_CPU_ON | ID_64, fake_affinity(cpu),
						   FAKE_ENTRY, 0),
					 0);
			ck_assert(psci_cpu_take(&tree.psci, cpu, &entry, &context));
			on |= 1u << cpu;
		} else {
			on = 1;
		}
		for (uint32_t cpu = 0; cpu < NTREE; cpu++) {
			for (uint32_t level = 0; level <= 3; level++) {
				uint32_t size = 1u << level;
				uint32_t members = ((1u << size) - 1) << cpu / size * size;

				ck_assert_int_eq(fake_call(&tree, 0, ID_AFFINITY_INFO | ID_64,
							   fake_affinity(cpu), level, 0),
						 on & members ? 0 : 1);
				ck_assert_int_eq(fake_call(&tree, 0, ID_NODE_HW_STATE | ID_64,
							   fake_affinity(cpu), level, 0),
						 on & members ? 0 : 1);
			}
		}
	}
	fake_firmware_fini(&tree);
}
END_TEST

/* --- saving and loading ----------------------------------------------------------------------- */

static void save(struct psci *psci, struct stream *out)
{
	struct state s;

	stream_open_buf(out);
	state_init_save(&s, out);
	psci_state(psci, &s);
	ck_assert_int_eq(state_end(&s), 0);
}

/* Loads into a fresh machine that was configured otherwise: 0 or the error. */
static int load(struct fake_firmware *to, unsigned int ncpus, const void *data, size_t len)
{
	struct stream in;
	struct state s;
	int err;

	fake_firmware_init(to, PSCI_0_2, ncpus);
	stream_open_data(&in, data, len);
	state_init_load(&s, &in);
	psci_state(&to->psci, &s);
	err = state_end(&s);
	stream_close(&in);
	return err;
}

static void check_round_trip(void)
{
	struct fake_firmware copy;
	struct stream out;

	save(&f.psci, &out);
	ck_assert_int_eq(load(&copy, NCPUS, out.buf, out.len), 0);
	ck_assert_uint_eq(copy.psci.version, f.psci.version);
	for (unsigned int i = 0; i < NCPUS; i++) {
		const struct psci_cpu *a = &f.psci.cpus[i], *b = &copy.psci.cpus[i];

		ck_assert_int_eq(a->state, b->state);
		ck_assert_uint_eq(a->mpidr, b->mpidr);
		ck_assert_uint_eq(a->entry, b->entry);
		ck_assert_uint_eq(a->context, b->context);
	}
	fake_firmware_fini(&copy);
	stream_close(&out);
}

START_TEST(round_trip)
{
	check_round_trip();
	fake_call(&f, 0, ID_SYSTEM_SUSPEND, FAKE_ENTRY, 7, 0);
	check_round_trip();
	psci_cpu_woken(&f.psci, 0, &entry, &context);
	fake_call(&f, 0, ID_CPU_ON, 1, FAKE_ENTRY, 7);
	check_round_trip();
	switch_on(2);
	fake_call(&f, 2, ID_CPU_SUSPEND, 0, 0, 0);
	switch_on(3);
	fake_call(&f, 3, ID_CPU_SUSPEND | ID_64, 0x10000, FAKE_ENTRY + 4, ~0ull);
	check_round_trip();
}
END_TEST

/* What a loaded machine relies on. */
static void check_sane(struct psci *psci)
{
	unsigned int nsuspended = 0, noff = 0;

	for (unsigned int i = 0; i < psci->ncpus; i++) {
		const struct psci_cpu *cpu = &psci->cpus[i];
		bool starts = cpu->state == PSCI_CPU_ON_PENDING ||
			      cpu->state == PSCI_CPU_POWERDOWN ||
			      cpu->state == PSCI_CPU_SYSTEM_SUSPEND;

		ck_assert_uint_lt(cpu->state, PSCI_CPU_STATES);
		ck_assert(!starts || (cpu->entry % 4 == 0 && cpu->entry >= FAKE_RAM &&
				      cpu->entry < FAKE_RAM + FAKE_RAM_SIZE));
		nsuspended += cpu->state == PSCI_CPU_SYSTEM_SUSPEND;
		noff += cpu->state == PSCI_CPU_OFF;
	}
	ck_assert(!nsuspended || (nsuspended == 1 && noff == psci->ncpus - 1));
	ck_assert_str_ne(psci_version_name(psci->version), "?");
}

START_TEST(damaged_state_is_refused)
{
	struct fake_firmware copy;
	struct stream out;
	unsigned int nloaded = 0;

	fake_call(&f, 0, ID_CPU_ON, 1, FAKE_ENTRY, 7);
	switch_on(2);
	fake_call(&f, 2, ID_CPU_SUSPEND, 0x10000, FAKE_ENTRY, 0);
	save(&f.psci, &out);
	for (size_t len = 0; len < out.len; len++) {
		ck_assert_int_ne(load(&copy, NCPUS, out.buf, len), 0);
		fake_firmware_fini(&copy);
	}
	for (size_t bit = 0; bit < out.len * 8; bit++) {
		out.buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (load(&copy, NCPUS, out.buf, out.len) == 0) {
			check_sane(&copy.psci);
			nloaded++;
		}
		fake_firmware_fini(&copy);
		out.buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	/* Some damage is another sound state: in a context id, say. */
	ck_assert_uint_gt(nloaded, 0);
	ck_assert_uint_lt(nloaded, out.len * 8 / 2);
	stream_close(&out);
}
END_TEST

START_TEST(another_machine_is_refused)
{
	struct fake_firmware copy;
	struct stream out;

	save(&f.psci, &out);
	ck_assert_int_eq(load(&copy, NCPUS + 1, out.buf, out.len), -ERANGE);
	fake_firmware_fini(&copy);
	ck_assert_int_eq(load(&copy, NCPUS - 1, out.buf, out.len), -ERANGE);
	fake_firmware_fini(&copy);
	stream_close(&out);
}
END_TEST

static void load_edited(enum psci_cpu_state state0, enum psci_cpu_state state1, uint64_t start)
{
	struct fake_firmware copy;
	struct stream out;
	struct state s;
	uint32_t version = PSCI_1_1, ncpus = 2;

	stream_open_buf(&out);
	state_init_save(&s, &out);
	state_u32(&s, "psci.version", &version);
	state_u32(&s, "psci.cpus", &ncpus);
	for (unsigned int i = 0; i < ncpus; i++) {
		uint8_t state = (uint8_t)(i ? state1 : state0);

		state_u8(&s, "psci.state", &state);
		state_u64(&s, "psci.entry", &start);
		state_u64(&s, "psci.context", &start);
	}
	ck_assert_int_eq(state_end(&s), 0);
	ck_assert_int_eq(load(&copy, ncpus, out.buf, out.len), -ERANGE);
	fake_firmware_fini(&copy);
	stream_close(&out);
}

START_TEST(impossible_states_are_refused)
{
	load_edited(PSCI_CPU_SYSTEM_SUSPEND, PSCI_CPU_ON, FAKE_ENTRY);
	load_edited(PSCI_CPU_SYSTEM_SUSPEND, PSCI_CPU_SYSTEM_SUSPEND, FAKE_ENTRY);
	load_edited(PSCI_CPU_ON, PSCI_CPU_STATES, FAKE_ENTRY);
	load_edited(PSCI_CPU_ON, PSCI_CPU_ON_PENDING, FAKE_ENTRY + 1);
	load_edited(PSCI_CPU_ON, PSCI_CPU_POWERDOWN, FAKE_RAM + FAKE_RAM_SIZE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("psci_cpus");
	TCase *t = tcase_create("cpus");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, power_on_state);
	tcase_add_test(t, state_names);
	tcase_add_test(t, on_and_off);
	tcase_add_test(t, failed_on_changes_nothing);
	tcase_add_test(t, standby);
	tcase_add_test(t, powerdown);
	tcase_add_test(t, woken_does_not_switch_on);
	tcase_add_test(t, system_suspend);
	tcase_add_test(t, affinity_of_every_instance);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, damaged_state_is_refused);
	tcase_add_test(t, another_machine_is_refused);
	tcase_add_test(t, impossible_states_are_refused);
	return run_suite(s);
}
