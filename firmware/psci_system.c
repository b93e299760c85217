// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/psci_priv.h"

#include <stddef.h>

#include "firmware/smccc_priv.h"

/* The calls about PSCI itself and about the whole system. */

enum { MIGRATE_NOT_REQUIRED = 2 };
enum { MODE_PLATFORM_COORDINATED = 0, MODE_OS_INITIATED = 1 };
enum { HIBERNATE_OFF = 1 << 0 };
enum { SYSTEM_WARM_RESET = 0 };
#define VENDOR_RESET (1u << 31)

int64_t psci_get_version(const struct smccc *fw, struct smccc_call *call)
{
	(void)call;
	return fw->psci->version;
}

/*
 * CPU_SUSPEND's flags say original power_state format and platform-coordinated mode only, which is
 * 0, as it is for functions without flags. SMCCC_VERSION is asked for here because a call to it
 * would not be safe below SMCCC 1.1 (DEN0028, discovery).
 */
int64_t psci_features(const struct smccc *fw, struct smccc_call *call)
{
	uint32_t id = (uint32_t)call->arg[0];
	const struct smccc_fn *fn = smccc_find(fw, id);

	if (id == SMCCC_VERSION_ID)
		return PSCI_SUCCESS;
	if (!fn || fn->service != SMCCC_PSCI || !fn->handler)
		return PSCI_NOT_SUPPORTED;
	return fn->handler == psci_system_off2 ? HIBERNATE_OFF : PSCI_SUCCESS;
}

/* There is no trusted OS that would have to move. */
int64_t psci_migrate_info_type(const struct smccc *fw, struct smccc_call *call)
{
	(void)fw;
	(void)call;
	return MIGRATE_NOT_REQUIRED;
}

int64_t psci_set_suspend_mode(const struct smccc *fw, struct smccc_call *call)
{
	(void)fw;
	if (call->arg[0] == MODE_PLATFORM_COORDINATED)
		return PSCI_SUCCESS;
	return call->arg[0] == MODE_OS_INITIATED ? PSCI_NOT_SUPPORTED : PSCI_INVALID_PARAMETERS;
}

/* These calls do not return: should the machine go on nevertheless, the caller is told so. */
static int64_t stop(struct smccc_call *call, enum smccc_end end)
{
	call->action = SMCCC_STOP;
	call->end = end;
	return PSCI_INTERNAL_FAILURE;
}

int64_t psci_system_off(const struct smccc *fw, struct smccc_call *call)
{
	(void)fw;
	return stop(call, SMCCC_END_OFF);
}

/* Zero means HIBERNATE_OFF too: guests written to a draft of 1.3 use it. The cookie is reserved. */
int64_t psci_system_off2(const struct smccc *fw, struct smccc_call *call)
{
	(void)fw;
	if ((call->arg[0] != 0 && call->arg[0] != HIBERNATE_OFF) || call->arg[1] != 0)
		return PSCI_INVALID_PARAMETERS;
	return stop(call, SMCCC_END_HIBERNATE);
}

int64_t psci_system_reset(const struct smccc *fw, struct smccc_call *call)
{
	(void)fw;
	return stop(call, SMCCC_END_RESET);
}

/* Bit 31 makes the other bits the vendor's: all of them are taken, and reported with the cookie. */
int64_t psci_system_reset2(const struct smccc *fw, struct smccc_call *call)
{
	uint32_t type = (uint32_t)call->arg[0];

	(void)fw;
	if (type != SYSTEM_WARM_RESET && !(type & VENDOR_RESET))
		return PSCI_INVALID_PARAMETERS;
	call->reset_type = type;
	call->cookie = call->arg[1];
	return stop(call, SMCCC_END_RESET2);
}
