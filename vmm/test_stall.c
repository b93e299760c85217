// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/test_stall.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/core/json.h"

/* What a spinning CPU runs at least while it is watched. */
static const uint64_t SPIN_NS = 1000000;

enum part { PART_OFF, PART_WAITS, PART_SPINS, PART_LIVES };

void test_stall_reset(struct test_stall *s)
{
	s->ncpus = 0;
}

static bool number(const struct json_object *obj, const char *key, uint64_t *v)
{
	const struct json_field *field = json_get(obj, key);

	if (!field || field->type != JSON_INT || field->num < 0)
		return false;
	*v = (uint64_t)field->num;
	return true;
}

/* One element of "cpus"; `first` says that there is no sample to compare with. */
static int sample_cpu(struct test_stall_cpu *cpu, bool first, uint64_t now_ns, char *text)
{
	struct test_stall_cpu was = *cpu;
	const struct json_field *waits;
	struct json_object obj;

	if (json_parse(text, &obj))
		return -EINVAL;
	waits = json_get(&obj, "waits");
	if (!waits || waits->type != JSON_BOOL || !number(&obj, "nwaits", &cpu->nwaits) ||
	    !number(&obj, "ran_ns", &cpu->ran_ns))
		return -EINVAL;
	cpu->waits = waits->num;
	if (first || cpu->waits != was.waits || cpu->nwaits != was.nwaits) {
		cpu->since_ns = now_ns;
		cpu->ran_first_ns = cpu->ran_ns;
	}
	return 0;
}

int test_stall_sample(struct test_stall *s, uint64_t now_ns, char *answer)
{
	const struct json_field *cpus;
	struct json_object obj;
	struct json_field el;
	unsigned int n = 0;
	uint64_t io;
	char *at;

	if (json_parse(answer, &obj) || !number(&obj, "io", &io))
		return -EINVAL;
	cpus = json_get(&obj, "cpus");
	if (!cpus || cpus->type != JSON_ARRAY)
		return -EINVAL;
	if (!s->ncpus || io != s->io)
		s->io_since_ns = now_ns;
	s->io = io;
	for (at = cpus->text + 1; json_next(&at, &el); n++)
		if (n == TEST_STALL_CPUS || el.type != JSON_OBJECT ||
		    sample_cpu(&s->cpus[n], n >= s->ncpus, now_ns, el.text))
			return -EINVAL;
	s->ncpus = n;
	return n ? 0 : -EINVAL;
}

static uint64_t ran(const struct test_stall_cpu *cpu)
{
	return cpu->ran_ns - cpu->ran_first_ns;
}

/* One that is off runs nothing, but for what it takes to ask. */
bool test_stall_suspect(const struct test_stall *s, uint64_t now_ns, uint64_t idle_ns)
{
	bool any = false;

	if (!s->ncpus || now_ns - s->io_since_ns < idle_ns)
		return false;
	for (unsigned int i = 0; i < s->ncpus; i++) {
		if (now_ns - s->cpus[i].since_ns < idle_ns)
			return false;
		any |= s->cpus[i].waits || ran(&s->cpus[i]) >= SPIN_NS;
	}
	return any;
}

/* A timer that has just expired is about to wake its CPU; one that has for long will not, since its
 * interrupt is disabled. Without these members no timer is armed. */
static bool timer_wakes(const struct json_object *obj, uint64_t idle_ns, uint64_t left_ns)
{
	uint64_t ns;

	return (number(obj, "timer_ns", &ns) && ns <= left_ns) ||
	       (number(obj, "timer_late_ns", &ns) && ns <= idle_ns / 2);
}

/* One element of "cpus". */
static enum part part_of(const struct test_stall_cpu *cpu, char *text, uint64_t idle_ns,
			 uint64_t left_ns)
{
	struct json_object obj;
	const char *state;

	if (json_parse(text, &obj))
		return PART_LIVES;
	state = json_get_str(&obj, "state");
	if (state && !strcmp(state, "off"))
		return PART_OFF;
	if (cpu->waits)
		return timer_wakes(&obj, idle_ns, left_ns) ? PART_LIVES : PART_WAITS;
	return ran(cpu) >= idle_ns / 2 ? PART_SPINS : PART_LIVES;
}

static void tell(char *why, size_t size, unsigned int cpu, enum part part)
{
	static const char *const words[] = { "is off", "waits", "spins" };
	size_t len = 0;

	while (len < size && why[len])
		len++;
	if (len < size)
		snprintf(why + len, size - len, "%svCPU %u %s", len ? ", " : "", cpu, words[part]);
}

enum test_outcome test_stall_judge(const struct test_stall *s, char *answer, uint64_t idle_ns,
				   uint64_t left_ns, char *why, size_t size)
{
	enum test_outcome outcome = TEST_STALL_WAITING;
	const struct json_field *cpus;
	struct json_object obj;
	struct json_field el;
	unsigned int n = 0;
	char *at;

	why[0] = 0;
	cpus = json_parse(answer, &obj) ? NULL : json_get(&obj, "cpus");
	if (!cpus || cpus->type != JSON_ARRAY)
		return TEST_NONE;
	for (at = cpus->text + 1; n < s->ncpus && json_next(&at, &el); n++) {
		enum part part = part_of(&s->cpus[n], el.text, idle_ns, left_ns);

		if (part == PART_LIVES)
			return TEST_NONE;
		if (part == PART_SPINS)
			outcome = TEST_STALL_SPINNING;
		tell(why, size, n, part);
	}
	return n == s->ncpus ? outcome : TEST_NONE;
}
