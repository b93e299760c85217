#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: PSCI as a Debian guest with 4 CPUs uses it, in every mode and version.
# Arguments: how often each CPU is switched off and on, and linux or linux-quick.

suite=psci
# shellcheck source=tests/lib.sh
. ./lib.sh
rounds=$1
limit=$((180 + rounds * 5))

vmm check >host || { fail host 'vmm check fails'; summary; exit 1; }
kernel_max=$(sed -n 's/^psci in the kernel: //p' host)
modes='user kernel'
! grep -q '^smccc filter: no' host || modes=kernel

# linux TESTS MODE VERSION OPTION...
linux() {
	tests=$1 mode=$2 version=$3
	shift 3
	vmm_run -k Image -i initrd -m 256 -c 4 --psci "$mode" --psci-version "$version" \
		-p "console=ttyAMA0 test=$tests rounds=$rounds" "$@"
}

# whole MODE VERSION: boot, hotplug, both kinds of sleep, power-off.
whole() {
	deep='s2idle \[deep\]'
	[ "$2" != 0.2 ] || deep='\[s2idle\]'
	linux version,hotplug,freeze,mem "$1" "$2"
	expect "linux, $1 $2" 0 "psci: PSCIv$2 detected in firmware\\." \
		"hotplug: $rounds rounds, 0 failed, cpus 4" \
		'sleep: freeze, 1 times, until the alarm, cpus 4' "mem_sleep: $deep" \
		'sleep: mem, 1 times, until the alarm, cpus 4' 'test: exit 0'
}

# 0.1 has no power-off: two signals end the guest.
oldest() {
	vmm_drive '*test: exit 0*' 'signal TERM' '*power key*' 'signal TERM' -- -k Image -i initrd \
		-m 256 -c 4 --psci "$1" --psci-version 0.1 --loglevel info \
		-p "console=ttyAMA0 test=version,hotplug rounds=$rounds"
	expect "linux, $1 0.1" 143 'psci: Using PSCI v0.1 Function IDs from DT' \
		"hotplug: $rounds rounds, 0 failed, cpus 4"
}

# With what else a vCPU has that a reset must bring back.
reboot() {
	vmm_drive 'ready*' 'send reboot\n' 'ready*' 'send off\n' -- -k Image -i initrd -m 256 -c 4 \
		--psci "$1" --pmu -p "console=ttyAMA0 test=pmu,hotplug,talk rounds=1"
	[ "$(grep -ac 'hotplug: 1 rounds, 0 failed, cpus 4' out)" -eq 2 ] ||
		{ fail "linux reboots in place, $1" 'not the same twice' out; return; }
	expect "linux reboots in place, $1" 0 'pmu: enabled with armv8_pmuv3.*' 'typed: reboot' \
		'typed: off' 'test: exit 0'
}

# One CPU fewer, and the guest goes on.
denied() {
	linux version user 1.0 --trace psci --inject psci:CPU_ON=DENIED@2
	expect 'linux, CPU_ON denied' 0 'cpus: 3' 'test: exit 0'
	check 'linux, CPU_ON denied: trace' 'no such line' grep -qE \
		'cpu0 CPU_ON target=0x2 entry=0x[0-9a-f]+ context=0x0 -> DENIED \(injected\)$' err
	check 'linux, CPU_ON: trace' 'not two that succeed' \
		test "$(grep -cE 'cpu0 CPU_ON target=.* -> SUCCESS$' err)" -eq 2
}

# The versions of a mode.
versions() {
	case $2-$1-$kernel_max in
	*-quick-user-*) echo 1.3 ;;
	*-quick-kernel-*) echo "$kernel_max" ;;
	*-kernel-1.1) echo 0.2 1.0 1.1 ;;
	*) echo 0.2 1.0 1.1 1.2 1.3 ;;
	esac
}

for mode in $modes; do
	for version in $(versions "$mode" "$2"); do
		whole "$mode" "$version"
	done
	[ "$2" = linux-quick ] || oldest "$mode"
	reboot "$mode"
done
case $modes in
*user*) denied ;;
esac
summary
