// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands a second of the ITS alone, on one core, with 57,344 events mapped, all the LPIs that there are: `NAME FIGURE UNIT` a
 * line. What its sink does with them is not in it, but in the lines with "config": there INV and
 * INVALL read the LPIs' configuration again, as a redistributor does. Time is the thread's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/fake/its.h"

enum { DEVICES = 14, EVENTS = 4096, LPI = 8192, LPIS = 57344, ROUNDS = 32, MINIMUM_MS = 300 };
enum { FULL = FAKE_ITS_QUEUE_SIZE / 32 - 1 };

static struct fake_its f;

/* --- a sink that only takes -------------------------------------------------------------------- */

static int quick_hold(void *arg, uint32_t *intids)
{
	(void)arg;
	*intids = FAKE_ITS_IDS;
	return 0;
}

static int quick_apply(void *arg, const struct its_change *change)
{
	((struct fake_its *)arg)->commands += change->n;
	return 0;
}

static void quick_release(void *arg)
{
	(void)arg;
}

static int quick_message(void *arg, uint32_t device, uint32_t event)
{
	(void)device, (void)event;
	((struct fake_its *)arg)->messages++;
	return 0;
}

/* --- time -------------------------------------------------------------------------------------- */

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* All that was put is taken: how long that took. */
static uint64_t go(void)
{
	uint64_t from = cpu_ns();

	if (!fake_its_go(&f)) {
		fputs("its_bench: the queue stands still\n", stderr);
		exit(EXIT_FAILURE);
	}
	return cpu_ns() - from;
}

/* n commands by make(i). */
static uint64_t run(struct its_command (*make)(unsigned int i), unsigned int n)
{
	uint64_t ns = 0;

	for (unsigned int i = 0; i < n;) {
		for (unsigned int k = 0; k < FULL && i < n; k++, i++) {
			const struct its_command cmd = make(i);

			fake_its_put(&f, &cmd);
		}
		ns += go();
	}
	return ns;
}

/* --- commands ---------------------------------------------------------------------------------- */

static uint32_t device_of(unsigned int i)
{
	return i / EVENTS % DEVICES;
}

/* Not one after the other. */
static unsigned int scatter(unsigned int i)
{
	return i * 40503U % (DEVICES * EVENTS);
}

static struct its_command mapd(unsigned int i)
{
	return its_mapd_cmd(i, 12, true);
}

static struct its_command mapc(unsigned int i)
{
	return its_mapc_cmd(i, i % FAKE_ITS_CPUS, true);
}

static struct its_command mapti(unsigned int i)
{
	i = scatter(i);
	return its_mapti_cmd(device_of(i), i % EVENTS, LPI + i % LPIS, i % FAKE_ITS_CPUS);
}

static struct its_command movi(unsigned int i)
{
	unsigned int at = scatter(i);

	return its_movi_cmd(device_of(at), at % EVENTS, (i >> 4) % FAKE_ITS_CPUS);
}

static struct its_command inv(unsigned int i)
{
	i = scatter(i);
	return its_event_cmd(0x0c, device_of(i), i % EVENTS);
}

static struct its_command interrupt(unsigned int i)
{
	i = scatter(i);
	return its_event_cmd(0x03, device_of(i), i % EVENTS);
}

static struct its_command discard(unsigned int i)
{
	i = scatter(i);
	return its_event_cmd(0x0f, device_of(i), i % EVENTS);
}

static struct its_command movall(unsigned int i)
{
	return its_movall_cmd(i % FAKE_ITS_CPUS, (i + 1) % FAKE_ITS_CPUS);
}

static struct its_command invall(unsigned int i)
{
	return its_invall_cmd(i % FAKE_ITS_CPUS);
}

/* --- figures ----------------------------------------------------------------------------------- */

static void per_second(const char *name, uint64_t n, uint64_t ns)
{
	printf("%s\t%.0f\tcommands/s\n", name, (double)n * 1e9 / (double)ns);
}

/* Repeated until it has taken long enough; `after` undoes it, outside of the time. */
static void measure(const char *name, struct its_command (*make)(unsigned int i), unsigned int n,
		    struct its_command (*after)(unsigned int i))
{
	uint64_t ns = 0, done = 0;

	while (ns < MINIMUM_MS * 1000000ULL) {
		ns += run(make, n);
		done += n;
		if (after)
			run(after, n);
	}
	per_second(name, done, ns);
}

static void measure_config(void)
{
	const unsigned int n = FAKE_ITS_CPUS;
	uint64_t one, all;

	fake_its_init(&f, FAKE_ITS_CPUS);
	run(mapc, FAKE_ITS_CPUS);
	run(mapd, DEVICES);
	run(mapti, DEVICES * EVENTS);
	one = run(inv, LPIS);
	all = 0;
	for (int round = 0; round < ROUNDS; round++)
		all += run(invall, n);
	printf("INV, config\t%.1f\tns\n", (double)one / LPIS);
	printf("INVALL of all LPIs, config\t%.0f\tns\n", (double)all / ROUNDS);
	fake_its_fini(&f);
}

int main(void)
{
	enum { ALL = DEVICES * EVENTS };

	fake_its_init(&f, FAKE_ITS_CPUS);
	f.cfg.sink = (struct its_sink){ &f, quick_hold, quick_apply, quick_release, quick_message };
	fake_its_recreate(&f);
	fake_its_enable(&f);
	run(mapc, FAKE_ITS_CPUS);
	run(mapd, DEVICES);
	measure("MAPTI", mapti, ALL, discard);
	run(mapti, ALL);
	measure("MOVI", movi, ALL, NULL);
	measure("INT", interrupt, ALL, NULL);
	measure("INV", inv, ALL, NULL);
	measure("INVALL", invall, 4096, NULL);
	measure("MAPC", mapc, FAKE_ITS_CPUS * 512, NULL);
	measure("MOVALL of 512 collections", movall, 4096, NULL);
	measure("DISCARD", discard, ALL, mapti);
	fake_its_fini(&f);
	measure_config();
	return EXIT_SUCCESS;
}
