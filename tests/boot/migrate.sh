#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: machines that move while they run, between two vmm of this host. Arguments:
# the groups of cases to run, and `hops=N`.

suite=migrate
# shellcheck source=tests/lib.sh
. ./lib.sh
unset VMM_RUNTIME_DIR XDG_RUNTIME_DIR
mkdir -p /run
hops=6 linux_hops=2
# An emulated host is slow at all that a handover does while the guest stands still.
slow='--downtime 20s'

lines() {
	[ "$(tr -d '\r' <"$1" | grep -acxE -e "$2")" -ge "${3:-1}" ]
}

# line FILE PATTERN [COUNT]: waits until so many whole lines of FILE match; false when process $pid
# has ended without.
line() {
	until lines "$@"; do
		if ! kill -0 "$pid" 2>/dev/null; then
			lines "$@"
			return
		fi
		usleep 10000
	done
}

# state NAME STATE: waits until the machine is listed so; false when process $pid has ended.
state() {
	until vmm list | grep -q "^$1 .* $2"; do
		kill -0 "$pid" 2>/dev/null || return 1
	done
}

is() {
	vmm list | grep -q "^$1 .* $2"
}

# start COMMAND...: a machine with its input from the pipe `in`, its output added to `out`.
start() {
	timeout 300 vmm "$@" <in >>out 2>>err &
	pid=$!
}

# ended CODE [PID]: waits for a machine's end.
ended() {
	wait "${2:-$pid}"
	status=$?
	[ $status -eq "$1" ]
}

fresh() {
	rm -f in out err sock
	mkfifo in
	: >out
	: >err
	exec 4<>in
}

# receive NAME OPTION...: a vmm that waits at `sock`; $from is the one that had the machine.
receive() {
	from=$pid name=$1
	shift
	start receive --name "$name" "$@" unix:sock
	until [ -S sock ]; do kill -0 "$pid" || return 1; done
}

# --- a guest that checks itself --------------------------------------------------------------------
registers() {
	fresh
	start run --nodefaults --name hop0 -m 8 -k hop.bin "$@"
	n=0
	while [ $n -lt "$hops" ]; do
		line out "hop $((n + 1))" && receive hop$((n + 1)) || break
		# shellcheck disable=SC2086
		vmm send --json --verify $slow hop$n unix:sock >json 2>sent && ended 36 "$from" || break
		printf x >&4
		n=$((n + 1))
	done
	line out "hop $((n + 1))" && printf q >&4
	ended 0
	fails=$(grep -ac '^FAIL' out)
	check "$hops hops $*" "hop $n, $fails failures, status $status: $(grep -a -m 1 ^FAIL out) $(tail -n 3 err sent)" \
		test "$n" -eq "$hops" -a "$fails" -eq 0 -a $status -eq 0
	check 'the result as JSON' "$(cat json)" grep -qxE \
		'\{"ok":true,"rounds":[0-9]+,"bytes":[0-9]+,"total_us":[0-9]+,"down_us":[0-9]+\}' json
}

groups='registers'
while [ $# -gt 0 ]; do
	case $1 in
	hops=*) hops=${1#hops=} linux_hops=$(((${1#hops=} + 9) / 10)) ;;
	*) groups=$(echo "$1" | tr , ' ') ;;
	esac
	shift
done
for group in $groups; do
	$group
done
summary
