// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/smccc.h"

#include <stddef.h>

#include "firmware/psci.h"
#include "firmware/smccc_priv.h"

/* DEN0028, unknown function identifier: the same in every service. */
enum { NOT_SUPPORTED = -1 };

static bool matches(const struct smccc_fn *fn, uint32_t id)
{
	if (fn->forms & FORM_0_1)
		return id == fn->id;
	return (id & ~(uint32_t)SMCCC_FN_64) == fn->id &&
	       fn->forms & (id & SMCCC_FN_64 ? FORM_64 : FORM_32);
}

static bool offered(const struct smccc *fw, const struct smccc_fn *fn)
{
	switch (fn->service) {
	case SMCCC_PSCI:
		return fw->psci && fn->since <= fw->psci->version && fw->psci->version <= fn->until;
	case SMCCC_TRNG:
		return fw->trng;
	default:
		return true;
	}
}

const struct smccc_fn *smccc_find(const struct smccc *fw, uint32_t id)
{
	for (const struct smccc_fn *fn = smccc_table; fn->name; fn++)
		if (matches(fn, id) && offered(fw, fn))
			return fn;
	return NULL;
}

const struct smccc_fn *smccc_find_any(uint32_t id)
{
	for (const struct smccc_fn *fn = smccc_table; fn->name; fn++)
		if (matches(fn, id))
			return fn;
	return NULL;
}

enum smccc_service smccc_owner(uint32_t id)
{
	for (const struct smccc_range *r = smccc_ranges; r->count; r++)
		if (id - r->base < r->count)
			return r->service;
	return SMCCC_OTHER;
}

unsigned int smccc_nresults(const struct smccc_fn *fn)
{
	return fn->result == RESULT_WORDS || fn->result == RESULT_SECRET ? SMCCC_REGS : 1;
}

static unsigned int nparams(const struct smccc_fn *fn)
{
	unsigned int n = 0;

	while (n < SMCCC_REGS - 1 && fn->params[n].kind != PARAM_NONE)
		n++;
	return n;
}

unsigned int smccc_nargs(const struct smccc *fw, uint32_t id)
{
	const struct smccc_fn *fn = smccc_find(fw, id);

	return fn ? nparams(fn) : 0;
}

/* DEN0028, register use: SMC32 takes W1 to W7, and a uint32 of an SMC64 function is a Wn too. */
static void cut_arguments(const struct smccc_fn *fn, uint32_t id, struct smccc_call *call)
{
	bool wide = id & SMCCC_FN_64 || fn->forms & FORM_0_1;
	unsigned int n = nparams(fn);

	for (unsigned int i = 0; i < SMCCC_REGS - 1; i++) {
		uint64_t x = i < n ? call->x[i + 1] : 0;

		call->arg[i] = wide && fn->params[i].kind == PARAM_NATIVE ? x : (uint32_t)x;
	}
}

/* What the caller is told instead; none of the function's other results are made up. */
static void inject(const struct smccc_fn *fn, struct smccc_call *call)
{
	for (unsigned int i = 1; i < smccc_nresults(fn); i++)
		call->x[i] = 0;
}

void smccc_call(const struct smccc *fw, struct smccc_call *call)
{
	uint32_t id = (uint32_t)call->x[0];
	const struct smccc_fn *fn = smccc_find(fw, id);
	int64_t result = NOT_SUPPORTED;
	bool injected = false;

	call->nresults = fn && fn->handler ? smccc_nresults(fn) : 1;
	call->action = SMCCC_CONTINUE;
	call->wake = -1;
	call->end = SMCCC_END_NONE;
	call->reset_type = 0;
	call->cookie = 0;
	if (fn) {
		cut_arguments(fn, id, call);
		injected = fw->inject && inject_hit(fw->inject, smccc_service_name(fn->service),
						    fn->name, call->cpu, &result);
	}
	if (injected)
		inject(fn, call);
	else if (fn && fn->handler)
		result = fn->handler(fw, call);
	call->x[0] = (uint64_t)result;
	if (fw->trace)
		trace_call(fw->trace, fn, call, id, injected);
}
