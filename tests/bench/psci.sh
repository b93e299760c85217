# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# Firmware calls: PSCI_VERSION, and CPU_ON with the CPU_OFF of the caller, served by us and by the
# kernel.

calls() {
	count "$who" -k calls.bin -p "op=$op n=$1"
}

once() {
	who=qemu
	slope "$name" qemu $steps calls
	who=ours
	for psci in user kernel; do
		ours_options="--psci $psci"
		slope "$name" $psci $steps calls
	done
}

for op in version on; do
	# Two numbers of steps each. In the ring of CPUs each has run before the first.
	case $op in
	version) name='psci version' steps='2000 12000' machine_cpus=1 ;;
	on) name='psci cpu_on' steps='100 500' machine_cpus=8 ;;
	esac
	# shellcheck disable=SC2086
	repeat 3 once
	for psci in user kernel; do
		compare "$name" instructions $psci qemu "$peer_name" ", --psci $psci"
	done
done
