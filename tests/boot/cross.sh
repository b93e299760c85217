#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: saves a machine with each PSCI that the host has, or restores those of other
# hosts. `save KERNEL`, `restore KERNEL`, `other HOST`.

suite="cross to $2"
# shellcheck source=tests/lib.sh
. ./lib.sh
# shellcheck source=tests/boot/outcomes.sh
. ./outcomes.sh
mkdir -p /run made

fresh() {
	rm -f in
	mkfifo in
	exec 3<>in
	: >out
}

# said PATTERN: waits for such a line of the guest; false when it has ended without.
said() {
	until tr -d '\r' <out | grep -aqx "$1"; do
		kill -0 "$pid" 2>/dev/null || return 1
		usleep 10000
	done
}

# save_as NAME OPTION...
save_as() {
	name=$1
	shift
	fresh
	timeout 60 vmm run --nodefaults --name cross -m 4 -k hop.bin "$@" <in >out 2>err &
	pid=$!
	said 'hop 1'
	vmm save cross "made/$name" 2>>err
	wait $pid
}

# refused FILE PATTERN: exit code 3, and a line like that among the reasons.
refused() {
	timeout 60 vmm restore --check "$1" >out 2>err
	status=$?
	check "$1: refused" "status $status: $(cat err)" test $status -eq 3
	grep -qE -e "$2" err || fail "$1" "no line is like '$2'" err
}

# carried FILE OPTION...: the guest goes on, and finds all as it was.
carried() {
	file=$1
	shift
	fresh
	timeout 60 vmm restore "$@" "$file" <in >out 2>err &
	pid=$!
	printf x >&3
	said 'hop 2' && printf x >&3 && said 'hop 3' && printf q >&3
	wait $pid
	status=$?
	check "$file: goes on $*" "status $status: $(cat err) $(grep -a '^FAIL' out)" \
		test $status -eq 0 -a "$(grep -ac '^FAIL' out)" -eq 0
}

restore_all() {
	to=$1
	for file in from-*; do
		from=${file#from-} from=${from%%-*} psci=${file#from-*-}
		reason=$(outcome "$from" "$to" "$psci")
		case $reason in
		-) carried "$file" ;;
		*) refused "$file" "$reason" ;;
		esac
	done
}

case $1 in
save)
	save_as "$2-kernel" --psci kernel
	save_as "$2-kernel-1.1" --psci kernel --psci-version 1.1
	save_as "$2-kernel-0.2" --psci kernel --psci-version 0.2
	[ "$2" = 6.1 ] || save_as "$2-user" --psci user
	ls made
	;;
# A host of another CPU, and one with another interrupt controller.
other)
	case $2 in
	*a72) refused from-6.12-kernel 'MIDR_EL1.PartNum is 0xd0c in the snapshot, 0xd08 on this host' ;;
	*) refused from-6.12-kernel 'interrupt controller is a gicv3-its, this host.s KVM can gicv2' ;;
	esac
	check "$2: in one list" "$(cat err)" test "$(wc -l <err)" -ge 3
	summary
	;;
restore)
	restore_all "$2"
	case $2 in
	6.12) carried from-7.x-kernel --allow-psci-downgrade ;;
	6.1) refused from-7.x-kernel-1.1 'ID_AA64DFR0_EL1[.][A-Za-z]* is' ;;
	esac
	summary
	;;
esac
