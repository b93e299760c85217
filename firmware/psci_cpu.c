// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/psci_priv.h"

#include <assert.h>
#include <stddef.h>

#include "firmware/smccc_priv.h"

/* The calls that read or change the power state of CPUs. */

enum { LEVEL_MAX = 3 };

/* CPU_SUSPEND's power_state, original format (DEN0022, CPU_SUSPEND): the rest is reserved and zero. Any
 * StateID and power level is taken: below a virtual CPU there is nothing to choose from. */
enum { STATE_ID = 0xffff, STATE_POWERDOWN = 1 << 16, STATE_LEVEL = 3 << 24 };

/* AFFINITY_INFO */
enum { AFFINITY_ON = 0, AFFINITY_OFF = 1, AFFINITY_ON_PENDING = 2 };
/* NODE_HW_STATE */
enum { HW_ON = 0, HW_OFF = 1, HW_STANDBY = 2 };

static struct psci_cpu *caller(struct psci *psci, const struct smccc_call *call)
{
	assert(call->cpu < psci->ncpus);
	assert(psci->cpus[call->cpu].state == PSCI_CPU_ON);
	return &psci->cpus[call->cpu];
}

/* INVALID_ADDRESS came with 1.0. */
static int64_t bad_entry(const struct psci *psci)
{
	return psci->version >= PSCI_1_0 ? PSCI_INVALID_ADDRESS : PSCI_INVALID_PARAMETERS;
}

static struct psci_cpu *find_cpu(struct psci *psci, uint64_t target)
{
	for (unsigned int i = 0; i < psci->ncpus; i++)
		if (psci->cpus[i].mpidr == target)
			return &psci->cpus[i];
	return NULL;
}

static int64_t switch_on(struct psci *psci, struct psci_cpu *cpu, const struct smccc_call *call)
{
	bool v0_1 = psci->version == PSCI_0_1;

	if (cpu->state == PSCI_CPU_ON_PENDING)
		return v0_1 ? PSCI_INVALID_PARAMETERS : PSCI_ON_PENDING;
	if (cpu->state != PSCI_CPU_OFF)
		return v0_1 ? PSCI_INVALID_PARAMETERS : PSCI_ALREADY_ON;
	cpu->state = PSCI_CPU_ON_PENDING;
	cpu->entry = call->arg[1];
	cpu->context = call->arg[2]; /* came with 0.2; before, x0 is undefined */
	return PSCI_SUCCESS;
}

int64_t psci_cpu_on(const struct smccc *fw, struct smccc_call *call)
{
	struct psci *psci = fw->psci;
	struct psci_cpu *cpu = find_cpu(psci, call->arg[0]);
	int64_t result;

	if (!cpu)
		return PSCI_INVALID_PARAMETERS;
	if (!psci_entry_ok(psci, call->arg[1]))
		return bad_entry(psci);
	pthread_mutex_lock(&psci->lock);
	result = switch_on(psci, cpu, call);
	pthread_mutex_unlock(&psci->lock);
	if (result == PSCI_SUCCESS)
		call->wake = (int)(cpu - psci->cpus);
	return result;
}

int64_t psci_cpu_off(const struct smccc *fw, struct smccc_call *call)
{
	struct psci *psci = fw->psci;

	pthread_mutex_lock(&psci->lock);
	caller(psci, call)->state = PSCI_CPU_OFF;
	pthread_mutex_unlock(&psci->lock);
	call->action = SMCCC_CPU_OFF;
	call->nresults = 0;
	return PSCI_SUCCESS;
}

/* --- suspend ---------------------------------------------------------------------------------- */

/* The caller waits for an interrupt, and then starts at `entry`. */
static int64_t power_down(struct psci *psci, struct smccc_call *call, uint64_t entry,
			  uint64_t context)
{
	struct psci_cpu *cpu;

	if (!psci_entry_ok(psci, entry))
		return bad_entry(psci);
	pthread_mutex_lock(&psci->lock);
	cpu = caller(psci, call);
	cpu->state = PSCI_CPU_POWERDOWN;
	cpu->entry = entry;
	cpu->context = context;
	pthread_mutex_unlock(&psci->lock);
	call->action = SMCCC_POWERDOWN;
	call->nresults = 0;
	return PSCI_SUCCESS;
}

static int64_t stand_by(struct psci *psci, struct smccc_call *call)
{
	pthread_mutex_lock(&psci->lock);
	caller(psci, call)->state = PSCI_CPU_STANDBY;
	pthread_mutex_unlock(&psci->lock);
	call->action = SMCCC_STANDBY;
	return PSCI_SUCCESS;
}

int64_t psci_cpu_suspend(const struct smccc *fw, struct smccc_call *call)
{
	struct psci *psci = fw->psci;
	uint32_t power_state = (uint32_t)call->arg[0];

	if (power_state & ~(uint32_t)(STATE_ID | STATE_POWERDOWN | STATE_LEVEL))
		return PSCI_INVALID_PARAMETERS;
	if (!(power_state & STATE_POWERDOWN))
		return stand_by(psci, call);
	return power_down(psci, call, call->arg[1], call->arg[2]);
}

int64_t psci_cpu_default_suspend(const struct smccc *fw, struct smccc_call *call)
{
	return power_down(fw->psci, call, call->arg[0], call->arg[1]);
}

/* Under the lock. */
static bool alone(const struct psci *psci, unsigned int self)
{
	for (unsigned int i = 0; i < psci->ncpus; i++)
		if (i != self && psci->cpus[i].state != PSCI_CPU_OFF)
			return false;
	return true;
}

int64_t psci_system_suspend(const struct smccc *fw, struct smccc_call *call)
{
	struct psci *psci = fw->psci;
	int64_t result = PSCI_SUCCESS;
	struct psci_cpu *cpu;

	pthread_mutex_lock(&psci->lock);
	cpu = caller(psci, call);
	if (!alone(psci, call->cpu)) {
		result = PSCI_DENIED;
	} else if (!psci_entry_ok(psci, call->arg[0])) {
		result = PSCI_INVALID_ADDRESS;
	} else {
		cpu->state = PSCI_CPU_SYSTEM_SUSPEND;
		cpu->entry = call->arg[0];
		cpu->context = call->arg[1];
		call->action = SMCCC_SYSTEM_SUSPEND;
		call->nresults = 0;
	}
	pthread_mutex_unlock(&psci->lock);
	return result;
}

/* --- what others do --------------------------------------------------------------------------- */

/*
 * The states of the CPUs in one affinity instance, as a mask of 1 << state; 0 when the machine has
 * no such instance. Affinity fields below `level` are ignored.
 */
static unsigned int states_of(struct psci *psci, uint64_t target, uint64_t level)
{
	static const uint64_t fields[LEVEL_MAX + 1] = {
		PSCI_AFFINITY,
		PSCI_AFFINITY & ~0xffull,
		PSCI_AFFINITY & ~0xffffull,
		PSCI_AFFINITY & ~0xffffffull,
	};
	unsigned int states = 0;

	if (level > LEVEL_MAX || target & ~PSCI_AFFINITY)
		return 0;
	pthread_mutex_lock(&psci->lock);
	for (unsigned int i = 0; i < psci->ncpus; i++)
		if (!((psci->cpus[i].mpidr ^ target) & fields[level]))
			states |= 1u << psci->cpus[i].state;
	pthread_mutex_unlock(&psci->lock);
	return states;
}

int64_t psci_affinity_info(const struct smccc *fw, struct smccc_call *call)
{
	unsigned int states = states_of(fw->psci, call->arg[0], call->arg[1]);

	if (!states)
		return PSCI_INVALID_PARAMETERS;
	/* A CPU in a suspend state is on. */
	if (states & ~(1u << PSCI_CPU_OFF | 1u << PSCI_CPU_ON_PENDING))
		return AFFINITY_ON;
	return states & 1u << PSCI_CPU_ON_PENDING ? AFFINITY_ON_PENDING : AFFINITY_OFF;
}

int64_t psci_node_hw_state(const struct smccc *fw, struct smccc_call *call)
{
	unsigned int states = states_of(fw->psci, call->arg[0], call->arg[1]);

	if (!states)
		return PSCI_INVALID_PARAMETERS;
	if (states & (1u << PSCI_CPU_ON | 1u << PSCI_CPU_ON_PENDING))
		return HW_ON;
	return states & 1u << PSCI_CPU_STANDBY ? HW_STANDBY : HW_OFF;
}
