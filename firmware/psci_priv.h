/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FIRMWARE_PSCI_PRIV_H
#define FIRMWARE_PSCI_PRIV_H

#include "firmware/psci.h"

/* Private part of PSCI: psci.c (versions, the machine's side), psci_cpu.c (calls about CPUs),
 * psci_system.c (calls about the system). */

/* Aff3, Aff2, Aff1, Aff0 of an MPIDR_EL1: what a target argument may carry. */
#define PSCI_AFFINITY 0xff00ffffffull

bool psci_entry_ok(const struct psci *psci, uint64_t entry);

#endif
