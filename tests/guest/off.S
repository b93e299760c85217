/* SPDX-License-Identifier: GPL-2.0-only */
/* The smallest guest: PSCI SYSTEM_OFF (DEN0022, 5.14) at once. */
	.text
	.globl	_start
_start:
	mov	w0, #0x0008
	movk	w0, #0x8400, lsl #16
	hvc	#0
	b	.
