/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry at offset 0 of the flat binary: EL1, MMU off, x0 = device tree. RAM is zero where nothing
 * was loaded, so .bss needs no clearing (the reset guest checks exactly that).
 *
 * The identity map is a constant: 39-bit addresses, one table of 1 GiB blocks.
 *   entry 0      device memory, 0 to 1 GiB
 *   entry 256    the same again at ALIAS, as normal non-cacheable memory: unaligned accesses
 *                reach the device instead of faulting in stage 1
 *   the rest     normal memory
 */
#define STACK_SHIFT 12

	.section .text.start, "ax"
	.globl _start
_start:
	mov	x19, x0
	mov	x20, #0
	b	1f

	.globl secondary_entry	/* PSCI CPU_ON: x0 = context id = CPU index */
secondary_entry:
	mov	x19, #0
	mov	x20, x0

1:	adrp	x1, page_table
	msr	ttbr0_el1, x1
	mov	x1, #0xff44		/* attribute 0 device nGnRnE, 1 normal NC, 2 normal WB */
	lsl	x1, x1, #8
	msr	mair_el1, x1
	ldr	x1, =(25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23)
	mrs	x2, id_aa64mmfr0_el1
	and	x2, x2, #15
	cmp	x2, #5			/* 48 bits are the most that TCR takes without LPA2 */
	mov	x3, #5
	csel	x2, x2, x3, lo
	bfi	x1, x2, #32, #3
	msr	tcr_el1, x1
	isb
	tlbi	vmalle1
	dsb	nsh
	mrs	x1, sctlr_el1
	ldr	x2, =(1 | 1 << 2 | 1 << 12)	/* M, C, I */
	orr	x1, x1, x2
	bic	x1, x1, #2			/* A */
	msr	sctlr_el1, x1
	mov	x1, #(3 << 20)			/* CPACR_EL1.FPEN */
	msr	cpacr_el1, x1
	adr	x1, vectors
	msr	vbar_el1, x1
	isb

	msr	spsel, #1
	adrp	x1, stacks
	add	x1, x1, :lo12:stacks
	add	x2, x20, #1
	lsl	x2, x2, #STACK_SHIFT
	add	x1, x1, x2
	mov	sp, x1
	cbnz	x20, 2f
	mov	x0, x19
	bl	boot_main
2:	mov	x0, x20
	bl	secondary_main

	.macro	vector kind
	.balign	0x80
	sub	sp, sp, #256
	stp	x0, x1, [sp]
	mov	x0, #\kind
	b	enter
	.endm

	.text
	.balign	0x800
vectors:
	.irp	kind, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vector	\kind
	.endr

enter:
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	str	x30, [sp, #240]
	mov	x1, sp
	bl	exception
	ldr	x30, [sp, #240]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	ldp	x0, x1, [sp]
	add	sp, sp, #256
	eret

	.data
	.balign	4096
	.globl page_table
page_table:
	.quad	0x0060000000000401		/* block, AF, attribute 0, never executed */
	.set	gib, 1
	.rept	255
	.quad	(gib << 30) | 0x709		/* block, AF, inner shareable, attribute 2 */
	.set	gib, gib + 1
	.endr
	.quad	0x0000000000000405		/* ALIAS: attribute 1 */
	.set	gib, 257
	.rept	255
	.quad	(gib << 30) | 0x709
	.set	gib, gib + 1
	.endr

	.bss
	.balign	4096
stacks:
	.skip	(128 << STACK_SHIFT)
