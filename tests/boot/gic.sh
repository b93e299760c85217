#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: its KVM against the table of steps, our controller against what it plans.

suite=gic
# shellcheck source=tests/lib.sh
. ./lib.sh

has=gicv2 lacks=gicv3
! grep -q GICv3 /proc/interrupts || has=gicv3 lacks=gicv2

# checks STATUS OPTION...: vmm check, its output in `out` and `err`.
checks() {
	want=$1
	shift
	timeout 60 vmm check "$@" >out 2>err </dev/null
	status=$?
	[ $status -eq "$want" ]
}

# --- vmm check -----------------------------------------------------------------------------------
check 'check' 'it fails' checks 0
check 'the GIC it has' 'it is not told' grep -qx "$has: yes" out
check 'the GIC it lacks' 'no consequence is told' grep -qE "^$lacks: no \(.*$lacks.*\)" out
check 'every item has a value' 'one has none' sh -c '! grep -vE "^[a-z0-9_ -]+: [^ ]" out'
items=$(grep -vcE '^[a-z0-9_]+: 0x' out)
check 'check --json' 'it fails' checks 0 --json
check 'as many items' "not $items" test "$(grep -o '"name":' out | wc -l)" -eq "$items"
check 'one line' 'it is not one object on a line' \
	sh -c 'test $(wc -l <out) -eq 1 && grep -qE "^\{.*\}$" out'
check 'two modes' 'they are not refused' checks 2 --json --gic
check 'unknown option' 'it is not refused' checks 2 --gci
if [ -e /host/command ]; then
	mv /dev/kvm /dev/kvm-away
	check 'no /dev/kvm' 'status is not 4' checks 4
	check 'no /dev/kvm, said' 'not said' grep -q '^vmm: .*/dev/kvm' err
	check 'no /dev/kvm, --gic' 'status is not 4' checks 4 --gic
	mv /dev/kvm-away /dev/kvm
fi

# --- the host's KVM, step by step ----------------------------------------------------------------
check 'check --gic' 'it fails' checks 0 --gic
while read -r line; do
	case $line in
	'not ok '*) fail "$line" 'answered otherwise' ;;
	*'# SKIP'*) ;;
	'ok '*) pass "${line#ok * - }" ;;
	esac
done <out
n=$(grep -cE '^(not )?ok ' out)
check 'the plan' 'it is not what was run' grep -qx "1\.\.$n" out
check 'done steps' 'too few' test "$(grep -E '^ok ' out | grep -vc SKIP)" -ge 70
check 'skipped steps' "more than those of $lacks" \
	sh -c "! grep SKIP out | grep -vE 'has no ${lacks#gic}|has no GIC${lacks#gic}|one GIC version'"

# --- our controller ------------------------------------------------------------------------------
timeout 100 ./vgic >out 2>&1
status=$?
grep '^FAIL' out
passed=$((passed + $(grep -c '^ok' out))) failed=$((failed + $(grep -c '^FAIL' out)))
expect 'vgic' 0 'done'
want=5
[ $has = gicv2 ] || want=21
check 'vgic results' "$(grep -c '^ok' out), not $want" test "$(grep -c '^ok' out)" -eq $want
if [ $has = gicv3 ]; then
	timeout 60 ./its >out 2>&1
	status=$?
	grep '^FAIL' out
	passed=$((passed + $(grep -c '^ok' out))) failed=$((failed + $(grep -c '^FAIL' out)))
	expect 'its' 0 'done'
	check 'its results' "$(grep -c '^ok' out)" test "$(grep -c '^ok' out)" -eq 25
fi
summary
