#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: snapshots of earlier versions go on where they were, and are saved again.

suite=golden
# shellcheck source=tests/lib.sh
. ./lib.sh
mkdir -p /run
mkfifo in
exec 3<>in

# said PATTERN: waits until the guest has printed such a line; false when it has ended without.
said() {
	until tr -d '\r' <out | grep -aqx "$1"; do
		kill -0 "$pid" 2>/dev/null || return 1
		usleep 10000
	done
}

for packed in *.gz; do
	name=${packed%.gz}
	gunzip -c "$packed" >snap
	: >out
	case $name in
	*.file) timeout 60 vmm restore snap <in >out 2>err & ;;
	# The stream is its input: the guest has none until it is saved and restored again.
	*) cat snap | timeout 60 vmm restore --paused - >out 2>err & ;;
	esac
	pid=$!
	case $name in
	*.stream)
		until vmm list | grep -q '^golden .*paused'; do kill -0 $pid || break; done
		vmm save golden again 2>err.save
		wait $pid
		check "$name: is saved again" "$(cat err err.save)" test $? -eq 36
		timeout 60 vmm restore again <in >out 2>err &
		pid=$!
		;;
	esac
	printf x >&3
	said 'hop 2' && printf x >&3 && said 'hop 3' && printf q >&3
	wait $pid
	status=$?
	check "$name: goes on" "status $status: $(cat out err)" test $status -eq 0
	check "$name: finds all as it was" "$(grep -a '^FAIL' out)" sh -c '! grep -aq "^FAIL" out'
done
summary
