// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fake/firmware.h"
#include "tests/fake/suite.h"

/*
 * Four CPUs, a thread each, that switch each other on and themselves off in random order, as a VMM's
 * vCPU threads would: with ThreadSanitizer it also shows what the lock misses.
 */

/* A token for each CPU_ON that succeeds: one for each time that a CPU was off. */
enum { NCPUS = 4, NCALLS = 10000, NSHARE = NCPUS * (NCALLS + 1), NTOKENS = NCPUS * NSHARE };

struct race;

struct racer {
	struct race *race;
	unsigned int cpu;
	pthread_t thread;
	uint64_t seed;
	uint64_t token; /* the next one */
	struct smccc_call call;
	/* Its own, read by others after it ended. */
	unsigned int noff; /* successful CPU_OFFs */
	unsigned int ntaken; /* starts */
	unsigned int nsuspended; /* SYSTEM_SUSPENDs */
};

struct race {
	struct fake_firmware f;
	struct racer racers[NCPUS];
	pthread_mutex_t lock; /* `cond`: wakes what waits in psci_cpu_take() */
	pthread_cond_t cond;
	atomic_uint nfinished; /* of CPUs 1 to 3 */
	atomic_int running; /* CPUs that execute guest code; never more than are ON */
	/* By the token that a CPU_ON passed as context id: the target + 1 when it succeeded, and how
	 * often that start was taken. */
	atomic_uint succeeded[NTOKENS], taken[NTOKENS];
	atomic_uint nwakes[NCPUS];
};

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static int64_t call(struct racer *r, uint32_t id, uint64_t a, uint64_t b, uint64_t c)
{
	return fake_call_on(&r->race->f.fw, &r->call, r->cpu, id, a, b, c);
}

static void wake(struct race *race, unsigned int cpu)
{
	atomic_fetch_add(&race->nwakes[cpu], 1);
	pthread_mutex_lock(&race->lock);
	pthread_cond_broadcast(&race->cond);
	pthread_mutex_unlock(&race->lock);
}

/* Check's assertions are for one thread: here a broken invariant ends the program. */
static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "psci_race: %s\n", what);
	abort();
}

static void wait_on(struct racer *r)
{
	struct race *race = r->race;
	uint64_t entry = 0, token = 0;

	pthread_mutex_lock(&race->lock);
	while (!psci_cpu_take(&race->f.psci, r->cpu, &entry, &token))
		pthread_cond_wait(&race->cond, &race->lock);
	pthread_mutex_unlock(&race->lock);
	must(entry == FAKE_ENTRY + 4 * r->cpu, "starts at another CPU's entry point");
	must(token < NTOKENS, "starts with a context id that nobody passed");
	atomic_fetch_add(&race->taken[token], 1);
	atomic_fetch_add(&race->running, 1);
	r->ntaken++;
}

static void try_on(struct racer *r)
{
	unsigned int target = (unsigned int)(next_random(&r->seed) % NCPUS);
	int64_t result = call(r, ID_CPU_ON | ID_64, fake_affinity(target), FAKE_ENTRY + 4 * target,
			      r->token);

	if (target == r->cpu)
		must(result == PSCI_ALREADY_ON, "switched itself on");
	must((r->call.wake >= 0) == (result == PSCI_SUCCESS), "a wake without success");
	if (result == PSCI_SUCCESS) {
		must(r->call.wake == (int)target, "wakes another CPU");
		atomic_store(&r->race->succeeded[r->token++], target + 1);
		wake(r->race, target);
	} else {
		must(result == PSCI_ALREADY_ON || result == PSCI_ON_PENDING, "CPU_ON's result");
	}
}

static void look_around(struct racer *r)
{
	unsigned int target = (unsigned int)(next_random(&r->seed) % NCPUS);
	int64_t result = call(r, ID_AFFINITY_INFO | ID_64, fake_affinity(target), 0, 0);

	must(result >= 0 && result <= 2, "AFFINITY_INFO's result");
	must(target != r->cpu || result == 0, "who calls is not on");
	must(call(r, ID_AFFINITY_INFO | ID_64, 0, 3, 0) == 0, "the system is not on");
	must(call(r, ID_NODE_HW_STATE | ID_64, fake_affinity(r->cpu), 0, 0) == 0, "hardware off");
}

static void suspend(struct racer *r)
{
	bool down = next_random(&r->seed) & 1;
	uint64_t entry = 0, context = 0;
	bool starts;

	call(r, ID_CPU_SUSPEND | ID_64, down ? 0x10000 : 0, FAKE_ENTRY, ~(uint64_t)r->cpu);
	must(r->call.action == (down ? SMCCC_POWERDOWN : SMCCC_STANDBY), "CPU_SUSPEND's action");
	must(!psci_cpu_take(&r->race->f.psci, r->cpu, &entry, &context), "taken while suspended");
	starts = psci_cpu_woken(&r->race->f.psci, r->cpu, &entry, &context);
	must(starts == down, "wakes up the wrong way");
	must(!down || (entry == FAKE_ENTRY && context == ~(uint64_t)r->cpu), "wakes up elsewhere");
}

static void system_suspend(struct racer *r)
{
	struct race *race = r->race;
	uint64_t entry, context;
	int64_t result = call(r, ID_SYSTEM_SUSPEND | ID_64, FAKE_ENTRY, r->cpu, 0);

	if (r->call.action != SMCCC_SYSTEM_SUSPEND) {
		must(result == PSCI_DENIED, "SYSTEM_SUSPEND's result");
		return;
	}
	r->nsuspended++;
	for (unsigned int i = 0; i < 100; i++)
		must(atomic_load(&race->running) == 1, "a CPU runs in a suspended system");
	for (unsigned int i = 0; i < NCPUS; i++)
		must(psci_cpu_state(&race->f.psci, i) ==
			     (i == r->cpu ? PSCI_CPU_SYSTEM_SUSPEND : PSCI_CPU_OFF),
		     "a CPU is on in a suspended system");
	must(psci_cpu_woken(&race->f.psci, r->cpu, &entry, &context), "does not resume");
	must(entry == FAKE_ENTRY && context == r->cpu, "resumes elsewhere");
}

/* CPU 0 stays on, so that somebody always switches the others on. */
static void go_off(struct racer *r)
{
	if (r->cpu == 0)
		return;
	atomic_fetch_sub(&r->race->running, 1);
	must(call(r, ID_CPU_OFF, 0, 0, 0) == 0, "CPU_OFF's result");
	must(r->call.action == SMCCC_CPU_OFF, "CPU_OFF's action");
	r->noff++;
	wait_on(r);
}

static void step(struct racer *r)
{
	uint64_t what = (next_random(&r->seed) >> 32) % 8;

	if (what < 2)
		try_on(r);
	else if (what < 4)
		look_around(r);
	else if (what == 4)
		suspend(r);
	else if (what == 5)
		system_suspend(r);
	else
		go_off(r);
}

/* CPUs 1 to 3 do NCALLS steps each; CPU 0 goes on until they have. */
static void *run(void *arg)
{
	struct racer *r = arg;

	if (r->cpu == 0) {
		system_suspend(r);
		while (atomic_load(&r->race->nfinished) < NCPUS - 1)
			step(r);
		return NULL;
	}
	wait_on(r);
	for (unsigned int n = 0; n < NCALLS; n++)
		step(r);
	atomic_fetch_add(&r->race->nfinished, 1);
	return NULL;
}

static void check_tokens(struct race *race)
{
	unsigned int nsucceeded[NCPUS] = { 0 };

	for (unsigned int i = 0; i < NTOKENS; i++) {
		unsigned int target = atomic_load(&race->succeeded[i]);

		ck_assert_msg(atomic_load(&race->taken[i]) == (target != 0),
			      "a start for each CPU_ON that succeeded, and for no other");
		if (target)
			nsucceeded[target - 1]++;
	}
	ck_assert_uint_eq(nsucceeded[0], 0);
	for (unsigned int i = 1; i < NCPUS; i++) {
		const struct racer *r = &race->racers[i];

		/* CPU_ON succeeds exactly once for each time the CPU was off. */
		ck_assert_uint_eq(nsucceeded[i], r->noff + 1);
		ck_assert_uint_eq(race->nwakes[i], r->noff + 1);
		ck_assert_uint_eq(r->ntaken, r->noff + 1);
		ck_assert_uint_gt(r->noff, NCALLS / 8);
	}
}

START_TEST(four_cpus)
{
	struct race *race = calloc(1, sizeof(*race));

	ck_assert_ptr_nonnull(race);
	fake_firmware_init(&race->f, PSCI_LATEST, NCPUS);
	pthread_mutex_init(&race->lock, NULL);
	pthread_cond_init(&race->cond, NULL);
	race->running = 1;
	for (unsigned int i = 0; i < NCPUS; i++) {
		struct racer *r = &race->racers[i];

		*r = (struct racer){ .race = race,
				     .cpu = i,
				     .token = i * NSHARE,
				     .seed = 0x9e3779b97f4a7c15 *
					     (unsigned int)(_i * NCPUS + i + 1) };
		ck_assert_int_eq(pthread_create(&r->thread, NULL, run, r), 0);
	}
	for (unsigned int i = 0; i < NCPUS; i++)
		pthread_join(race->racers[i].thread, NULL);
	check_tokens(race);
	ck_assert_uint_ge(race->racers[0].nsuspended, 1);
	for (unsigned int i = 0; i < NCPUS; i++)
		ck_assert_int_eq(psci_cpu_state(&race->f.psci, i), PSCI_CPU_ON);
	pthread_cond_destroy(&race->cond);
	pthread_mutex_destroy(&race->lock);
	fake_firmware_fini(&race->f);
	free(race);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("psci_race");
	TCase *t = tcase_create("race");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 100);
	tcase_add_loop_test(t, four_cpus, 0, 4);
	return run_suite(s);
}
