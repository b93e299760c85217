// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/psci_priv.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "vmm/core/state.h"

static const uint32_t versions[] = { PSCI_0_1, PSCI_0_2, PSCI_1_0, PSCI_1_1, PSCI_1_2, PSCI_1_3 };
enum { NVERSIONS = sizeof(versions) / sizeof(versions[0]) };

const char *const psci_version_words[] = { "0.1", "0.2", "1.0", "1.1", "1.2", "1.3", NULL };
_Static_assert(sizeof(psci_version_words) / sizeof(psci_version_words[0]) == NVERSIONS + 1,
	       "a word for each version");

uint32_t psci_version_at(unsigned int index)
{
	assert(index < NVERSIONS);
	return versions[index];
}

const char *psci_version_name(uint32_t version)
{
	for (unsigned int i = 0; i < NVERSIONS; i++)
		if (versions[i] == version)
			return psci_version_words[i];
	return "?";
}

static bool version_known(uint32_t version)
{
	return *psci_version_name(version) != '?';
}

int psci_init(struct psci *psci, uint32_t version, unsigned int ncpus,
	      uint64_t (*mpidr)(uint32_t cpu), const struct guest_mem *mem)
{
	*psci = (struct psci){ .version = version, .mem = mem };
	if (!version_known(version) || ncpus == 0)
		return -EINVAL;
	psci->cpus = calloc(ncpus, sizeof(*psci->cpus));
	if (!psci->cpus)
		return -ENOMEM;
	psci->ncpus = ncpus;
	for (unsigned int i = 0; i < ncpus; i++)
		psci->cpus[i].mpidr = mpidr(i) & PSCI_AFFINITY;
	pthread_mutex_init(&psci->lock, NULL);
	psci_reset(psci);
	return 0;
}

void psci_fini(struct psci *psci)
{
	if (!psci->cpus)
		return;
	pthread_mutex_destroy(&psci->lock);
	free(psci->cpus);
	psci->cpus = NULL;
}

static void set_cpu(struct psci_cpu *cpu, enum psci_cpu_state state)
{
	cpu->state = state;
	cpu->entry = 0;
	cpu->context = 0;
}

void psci_reset(struct psci *psci)
{
	pthread_mutex_lock(&psci->lock);
	for (unsigned int i = 0; i < psci->ncpus; i++)
		set_cpu(&psci->cpus[i], i == 0 ? PSCI_CPU_ON : PSCI_CPU_OFF);
	pthread_mutex_unlock(&psci->lock);
}

/* --- what a vCPU's thread asks ---------------------------------------------------------------- */

static bool starts_at_entry(enum psci_cpu_state state)
{
	return state == PSCI_CPU_ON_PENDING || state == PSCI_CPU_POWERDOWN ||
	       state == PSCI_CPU_SYSTEM_SUSPEND;
}

/* Under the lock: to ON, with the entry point if there is one. */
static bool switch_on(struct psci_cpu *cpu, uint64_t *entry, uint64_t *context)
{
	bool starts = starts_at_entry(cpu->state);

	if (starts) {
		*entry = cpu->entry;
		*context = cpu->context;
	}
	set_cpu(cpu, PSCI_CPU_ON);
	return starts;
}

bool psci_cpu_take(struct psci *psci, unsigned int cpu, uint64_t *entry, uint64_t *context)
{
	bool taken;

	assert(cpu < psci->ncpus);
	pthread_mutex_lock(&psci->lock);
	taken = psci->cpus[cpu].state == PSCI_CPU_ON_PENDING &&
		switch_on(&psci->cpus[cpu], entry, context);
	pthread_mutex_unlock(&psci->lock);
	return taken;
}

static bool suspended(enum psci_cpu_state state)
{
	return state == PSCI_CPU_STANDBY || state == PSCI_CPU_POWERDOWN ||
	       state == PSCI_CPU_SYSTEM_SUSPEND;
}

bool psci_cpu_woken(struct psci *psci, unsigned int cpu, uint64_t *entry, uint64_t *context)
{
	bool starts;

	assert(cpu < psci->ncpus);
	pthread_mutex_lock(&psci->lock);
	starts = suspended(psci->cpus[cpu].state) && switch_on(&psci->cpus[cpu], entry, context);
	pthread_mutex_unlock(&psci->lock);
	return starts;
}

enum psci_cpu_state psci_cpu_state(struct psci *psci, unsigned int cpu)
{
	enum psci_cpu_state state;

	assert(cpu < psci->ncpus);
	pthread_mutex_lock(&psci->lock);
	state = psci->cpus[cpu].state;
	pthread_mutex_unlock(&psci->lock);
	return state;
}

enum smccc_action psci_cpu_action(struct psci *psci, unsigned int cpu)
{
	static const enum smccc_action actions[PSCI_CPU_STATES] = {
		[PSCI_CPU_OFF] = SMCCC_CPU_OFF,
		[PSCI_CPU_ON_PENDING] = SMCCC_CPU_OFF,
		[PSCI_CPU_ON] = SMCCC_CONTINUE,
		[PSCI_CPU_STANDBY] = SMCCC_STANDBY,
		[PSCI_CPU_POWERDOWN] = SMCCC_POWERDOWN,
		[PSCI_CPU_SYSTEM_SUSPEND] = SMCCC_SYSTEM_SUSPEND,
	};

	return actions[psci_cpu_state(psci, cpu)];
}

const char *psci_cpu_state_name(enum psci_cpu_state state)
{
	static const char *const names[PSCI_CPU_STATES] = {
		[PSCI_CPU_OFF] = "off",
		[PSCI_CPU_ON_PENDING] = "on_pending",
		[PSCI_CPU_ON] = "on",
		[PSCI_CPU_STANDBY] = "standby",
		[PSCI_CPU_POWERDOWN] = "powerdown",
		[PSCI_CPU_SYSTEM_SUSPEND] = "system_suspend",
	};

	return names[state];
}

bool psci_entry_in(const struct guest_mem *mem, uint64_t entry)
{
	return entry % 4 == 0 && guest_mem_ptr(mem, entry, 4);
}

bool psci_entry_ok(const struct psci *psci, uint64_t entry)
{
	return psci_entry_in(psci->mem, entry);
}

/* --- state ------------------------------------------------------------------------------------ */

static void state_cpu(struct psci *psci, struct psci_cpu *cpu, struct state *s)
{
	uint8_t state = (uint8_t)cpu->state;
	uint64_t entry = cpu->entry, context = cpu->context;

	state_u8(s, "psci.state", &state);
	state_u64(s, "psci.entry", &entry);
	state_u64(s, "psci.context", &context);
	if (!state_check(s, state < PSCI_CPU_STATES, "psci.state") ||
	    !state_check(s, !starts_at_entry(state) || psci_entry_ok(psci, entry), "psci.entry"))
		return;
	*cpu = (struct psci_cpu){
		.mpidr = cpu->mpidr, .state = state, .entry = entry, .context = context
	};
}

/* A suspended system has every other CPU off: its wake-up relies on that. */
static bool suspend_holds(const struct psci *psci)
{
	unsigned int nsuspended = 0, noff = 0;

	for (unsigned int i = 0; i < psci->ncpus; i++) {
		nsuspended += psci->cpus[i].state == PSCI_CPU_SYSTEM_SUSPEND;
		noff += psci->cpus[i].state == PSCI_CPU_OFF;
	}
	return nsuspended == 0 || (nsuspended == 1 && noff == psci->ncpus - 1);
}

void psci_state(struct psci *psci, struct state *s)
{
	uint32_t version = psci->version, ncpus = psci->ncpus;

	state_u32(s, "psci.version", &version);
	state_u32(s, "psci.cpus", &ncpus);
	if (!state_check(s, version_known(version), "psci.version") ||
	    !state_check(s, ncpus == psci->ncpus, "psci.cpus"))
		return;
	pthread_mutex_lock(&psci->lock);
	psci->version = version;
	for (unsigned int i = 0; i < psci->ncpus; i++)
		state_cpu(psci, &psci->cpus[i], s);
	state_check(s, suspend_holds(psci), "psci.state");
	pthread_mutex_unlock(&psci->lock);
}

/* --- device tree ------------------------------------------------------------------------------ */

struct psci_desc psci_dt(uint32_t version, bool smc)
{
	static const char *const compatible[] = { "arm,psci" };
	static const struct psci_desc psci_0_1 = {
		.compatible = compatible,
		.ncompatible = 1,
		.cpu_suspend = PSCI_0_1_CPU_SUSPEND,
		.cpu_off = PSCI_0_1_CPU_OFF,
		.cpu_on = PSCI_0_1_CPU_ON,
	};
	struct psci_desc desc = version == PSCI_0_1   ? psci_0_1
				: version == PSCI_0_2 ? psci_0_2
						      : psci_1_0;

	desc.method = smc ? "smc" : "hvc";
	return desc;
}
