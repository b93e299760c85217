# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# What an interrupt controller in userspace costs: an access to a device beside it, and an SGI to
# oneself. Against QEMU's, and against the one in the kernel.

operations() {
	count "$who" -k exits.bin -p "op=$op n=$1"
}

ours_once() {
	who=ours ours_options="--irqchip $1"
	slope "$name" "$2" 2000 12000 operations
	ours_options=''
}

once() {
	ours_once gicv2-user ours
	ours_once gicv3 kernel
	who=qemu qemu_machine=virt,gic-version=2,kernel-irqchip=off
	slope "$name" qemu 2000 12000 operations
}

for op in read ipi; do
	name='gicv2-user, mmio read'
	[ $op = read ] || name='gicv2-user, ipi to self'
	repeat 3 once
	compare "$name" instructions
	compare "$name" instructions ours kernel '--irqchip gicv3'
done
