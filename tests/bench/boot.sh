# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# Debian's kernel to userspace, its report and power-off: exec to exit.

once() {
	for who in ours qemu; do
		count $who -k Image -i initrd.gz -p "$params"
		[ $round -eq 1 ] || sample "$name" $who "$cost"
	done
}

# boot NAME KVMTOOL PARAMS
boot() {
	name=$1 params=$3
	repeat 4 once
	compare "$name" instructions
	quote "$name" instructions "$2"
	for who in ours qemu; do
		exits $who -k Image -i initrd.gz -p "$params"
	done
	compare_exits "$name"
}

expected='^report: end'
boot 'boot quiet' 920000000 'console=ttyAMA0 quiet'
boot 'boot with log' 1240000000 'console=ttyAMA0 earlycon'
