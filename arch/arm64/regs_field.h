/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_REGS_FIELD_H
#define ARCH_ARM64_REGS_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A run of bits of a register, and what the Arm ARM (DDI 0487, D24) calls it. */
struct reg_field {
	uint8_t shift, width;
	char name[20]; /* ".AES"; "[3:0]" for what has no name */
};

/*
 * Of the identification registers, by op0 to op2 as KVM packs them into an id's low 16 bits: the field
 * at `bit` or, where that is between two, what is there. False for a register that is compared as a
 * whole.
 */
bool regs_field(uint16_t encoding, unsigned int bit, struct reg_field *field);

#endif
