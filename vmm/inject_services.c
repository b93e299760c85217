// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>

#include "devices/its.h"
#include "firmware/inject.h"
#include "firmware/smccc_priv.h"

/* Every service that faults can be injected into, in the order in which it is listed to users. */

static const char *nth_of(enum smccc_service service, unsigned int index)
{
	for (const struct smccc_fn *fn = smccc_table; fn->name; fn++)
		if (fn->service == service && index-- == 0)
			return fn->name;
	return NULL;
}

static const char *psci_function(unsigned int index)
{
	return nth_of(SMCCC_PSCI, index);
}

static const char *trng_function(unsigned int index)
{
	return nth_of(SMCCC_TRNG, index);
}

static const struct inject_code its_codes[] = {
#define X(name, code) { "E_ITS_" #name, code },
	ITS_ERRORS(X)
#undef X
		{ NULL, 0 },
};

const struct inject_service inject_services[] = {
	{ "psci", smccc_psci_codes, psci_function },
	{ "trng", smccc_trng_codes, trng_function },
	{ "its", its_codes, its_command_at },
	{ NULL, NULL, NULL },
};
