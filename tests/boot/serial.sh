#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on an arm64 host that counts instructions: what a guest prints comes soon, whatever the guest
# does then, and nobody is woken by a guest that prints nothing.

suite=serial
# shellcheck source=tests/lib.sh
. ./lib.sh
late_us=20000

# Without entropy each system call is dearer.
head -c 1 /dev/random >/dev/null
for mode in exact off; do
	timeout 60 ./stamps vmm run --nodefaults -k burst.bin -p op=stamps --mmio-pages $mode \
		>out 2>err </dev/null
	status=$?
	expect "$mode, as it is printed" 0 'stamps 61 late [0-9]+ us wakeups [0-9]+'
	read -r _ _ _ late _ _ wakeups <out
	check "$mode, late" "$late us" test "${late:-$late_us}" -lt $late_us
	check "$mode, idle" "$wakeups wakeups" test "${wakeups:-1}" -eq 0
done

# A KB costs little, once a burst has begun: instructions are nanoseconds here.
# cost N: the cost of a run with N characters in $ns, its accesses that exit in $exits.
cost() {
	timeout 60 ./count vmm run --nodefaults -k exits.bin -p "op=char n=$1" 2>err >out
	read -r ns status <out
	expect "$1 characters" 0
	vmm_run --nodefaults -k exits.bin -p "op=char n=$1" --loglevel debug
	exits=$(sed -n 's/.*: \([0-9]*\) exits of kind mmio.*/\1/p' err | awk '{ n += $1 } END { print n }')
}
cost 4096
few_ns=$ns few_exits=$exits
cost 20480
per_kb=$(((ns - few_ns) / 16)) exits_per_kb=$(((exits - few_exits) / 16))
echo "a KB: $per_kb instructions, $exits_per_kb exits; $few_exits exits for the first 4 KB"
check 'a KB of polled output' "$per_kb instructions" test $per_kb -lt 3500000
check 'exits for a KB' "$exits_per_kb" test $exits_per_kb -lt 20
summary
