# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Shared by the test scripts here and, copied, on the arm64 host (busybox sh).
#
# A test reports each case with pass or fail and ends with summary.

suite=${suite:-test}
passed=0 failed=0

pass() {
	passed=$((passed + 1))
	echo "ok $suite $1"
}

# fail NAME WHY [FILE...]: and the ends of the files that tell more.
fail() {
	failed=$((failed + 1))
	echo "FAIL $suite $1: $2"
	shift 2
	for file; do
		[ ! -s "$file" ] || tail -n "${show:-15}" "$file" | sed "s/^/    $(basename "$file"): /"
	done
}

# check NAME WHY COMMAND...: passes if the command succeeds.
check() {
	case_name=$1 case_why=$2
	shift 2
	if "$@"; then pass "$case_name"; else fail "$case_name" "$case_why"; fi
}

summary() {
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# --- on the host: vmm and its guest --------------------------------------------------------------

# vmm_run OPTION...: `vmm run` with its input from $input (a file), a time limit in $limit, its
# output in `out` and `err`, its exit status in $status.
vmm_run() {
	timeout "${limit:-20}" vmm run "$@" <"${input:-/dev/null}" >out 2>err
	status=$?
}

# vmm_drive [PATTERN ACTION]... -- OPTION...: the same, and does each action when a line of output
# (its messages included) matches the pattern before it: `send TEXT` to the guest's console,
# `signal NAME` to vmm, `run COMMAND`. Everything lands in `out`.
vmm_drive() {
	rm -f in pid status err
	mkfifo in
	: >steps
	while [ "$1" != -- ]; do
		printf '%s\n%s\n' "$1" "$2" >>steps
		shift 2
	done
	shift
	{
		sh -c 'echo $$ >pid; limit=$1; shift; exec timeout "$limit" vmm run "$@"' - \
			"${limit:-20}" "$@" <in 2>&1
		echo $? >status
	} | drive_lines >out
	read -r status <status
	rm -f in
}

drive_lines() {
	exec 4>in 5<steps
	IFS= read -r pattern <&5
	IFS= read -r action <&5
	while IFS= read -r line; do
		printf '%s\n' "$line"
		# shellcheck disable=SC2254 # a pattern is what it is
		case $line in
		$pattern) ;;
		*) continue ;;
		esac
		# shellcheck disable=SC2059 # and a text may have escapes
		case $action in
		send\ *) printf "${action#send }" >&4 ;;
		signal\ *) kill -s "${action#signal }" "$(cat pid)" ;;
		run\ *) eval "${action#run }" ;;
		esac
		# After the last step no line matches: none is empty and has a newline.
		IFS= read -r pattern <&5 || pattern='
'
		IFS= read -r action <&5
	done
}

# expect NAME STATUS PATTERN...: judges the last run: its status, and for each extended regular
# expression a whole line of output that matches it.
expect() {
	case_name=$1 want=$2
	shift 2
	if [ "$status" -ne "$want" ]; then
		fail "$case_name" "exit status $status, not $want" out err
		return
	fi
	tr -d '\r' <out >lines
	for pattern; do
		if ! grep -aqxE -e "$pattern" lines; then
			fail "$case_name" "no line is '$pattern'" out err
			return
		fi
	done
	pass "$case_name"
}

# --- on the host: machines one after the other, that share a console ------------------------------

# lines FILE PATTERN [COUNT]: whether so many whole lines of FILE match.
lines() {
	[ "$(tr -d '\r' <"$1" | grep -acxE -e "$2")" -ge "${3:-1}" ]
}

# line FILE PATTERN [COUNT]: waits until so many do; false when process $pid has ended without.
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

# is NAME STATE: whether the machine is listed so.
is() {
	vmm list | grep -q "^$1 .* $2"
}

# lpis OPTION...: what the guest that checks itself is told, if its machine has an ITS.
lpis() {
	case " $* " in
	*\ gicv3-its\ *) echo its=1 ;;
	esac
}

# with_irqchips COMMAND: with the options of each interrupt controller that this host has, and of a
# transport whose interrupts it carries.
with_irqchips() {
	rows='gicv2:mmio gicv2m:pci gicv2-user:mmio gicv2-user:pci'
	! grep -q GICv3 /proc/interrupts ||
		rows='gicv3:mmio gicv3-its:pci gicv3-its,user:pci gicv2-user:mmio gicv2-user:pci'
	for row in $rows; do
		kind=${row%:*}
		set -- "$1" --irqchip "${kind%,user}" --virtio-transport "${row#*:}"
		[ "$kind" = "${kind%,user}" ] || set -- "$@" --its user
		"$@"
	done
}

# start COMMAND...: a machine with its input from the pipe `in`, its output added to `out`.
start() {
	timeout "${limit:-300}" vmm "$@" <in >>out 2>>err &
	pid=$!
}

# ended CODE [PID]: waits for a machine's end.
ended() {
	wait "${2:-$pid}"
	status=$?
	[ $status -eq "$1" ]
}

# no_gap CASE WORD: the numbers behind WORD at the beginning of lines of `lines` are all there, in order.
no_gap() {
	sed -n "s/^$2 \([0-9]*\).*/\1/p" lines >seen
	seq 1 "$(tail -n 1 seen)" >wanted
	check "$1" "$(diff seen wanted | head -n 3)" test -s seen -a -z "$(cmp seen wanted)"
}

# stream_begin ADDRESS: a TCP connection, whose other end sends back what it gets: numbers.
stream_begin() {
	: >echoed
	(i=0; while kill -0 $$ 2>/dev/null; do echo $((i += 1)); usleep 50000; done) | nc "$1" 7 >>echoed &
	stream=$!
}

# stream_more: waits for twenty lines more; false when the connection, or process $pid, has ended.
stream_more() {
	more=$(($(wc -l <echoed) + 20))
	until [ "$(wc -l <echoed)" -gt $more ]; do
		kill -0 "$stream" && { [ -z "${pid-}" ] || kill -0 "$pid"; } || return
		usleep 20000
	done
}

stream_end() {
	stream_more
	check "tcp goes on: $1" "$(wc -l <echoed) of $more" test "$(wc -l <echoed)" -gt $more
	head -n $more echoed | sed 's/^/echo /' >lines
	no_gap "tcp has no gap: $1" echo
	kill "$stream"
}

# fresh: empty files, and a new pipe.
fresh() {
	rm -f in out err sock
	: >sent
	mkfifo in
	: >out
	: >err
	exec 4<>in
}

# --- on the host: what a guest fetches, and gives back ---------------------------------------------

# listening PORT...: waits until somebody does at each.
listening() {
	for port; do
		port=$(printf ':%04X .* 0A ' "$port")
		until cat /proc/net/tcp /proc/net/tcp6 | grep -q "$port"; do usleep 10000; done
	done
}

# serve BYTES: a file `sent`, which is to be had at ports 5001 and 5003, its $sum, and what takes
# `returned` at 5002.
serve() {
	head -c "$1" /dev/urandom >sent
	sum=$(md5sum <sent)
	# busybox nc gives up when its input ends first: this one does not.
	[ -p hold ] || mkfifo hold
	exec 6<>hold
	nc -l -p 5001 <sent >/dev/null &
	servers=$!
	nc -l -p 5003 <sent >/dev/null &
	servers="$servers $!"
	nc -l -p 5002 >returned <&6 &
	servers="$servers $!"
	listening 5001 5002 5003
}

# served: ends the $servers, when all has come back; or when nothing has for 5 s: of what a guest sent
# before its end the host may hold a part for a while.
served() {
	size_was=-1 still=0
	until [ $still -ge 100 ] || [ "$(stat -c %s returned)" -ge "$(stat -c %s sent)" ]; do
		size_is=$(stat -c %s returned)
		still=$((still + 1))
		[ "$size_is" -eq "$size_was" ] || still=0
		size_was=$size_is
		usleep 50000
	done
	# shellcheck disable=SC2086
	kill $servers 2>/dev/null
	# shellcheck disable=SC2086
	wait $servers
	exec 6>&-
}
