# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# Firmware calls: PSCI_VERSION, and CPU_ON with the start of a CPU that has not run yet and the
# CPU_OFF of the caller, served by us and by the kernel.

versions() {
	count "$who" -k calls.bin -p "op=version n=$1"
}

version() {
	slope 'psci version' "$1" 2000 12000 versions
}

# By the guest's clock: it is not interested in how long 21 threads take to start and to end.
links=20
cpu_on() {
	expected='^calls: [0-9]* ns'
	machine_cpus=$((links + 1))
	count "$who" -k calls.bin -p "op=on n=$links"
	sample 'psci cpu_on' "$1" $(($(sed -n 's/^calls: \([0-9]*\) ns.*/\1/p' out) / links))
}

once() {
	who=qemu
	$op qemu
	who=ours
	for psci in user kernel; do
		ours_options="--psci $psci"
		$op $psci
	done
}

for op in version cpu_on; do
	repeat 3 once
	for psci in user kernel; do
		compare "psci $op" instructions $psci qemu "$peer_name" ", --psci $psci"
	done
done
