#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on two arm64 hosts with a wire between them: machines that move from one to the other while they
# run. The first host drives both, the second does what it is told.
#   hosts.sh far                  the second host
#   hosts.sh do FUNCTION WORD...  one of the functions here, on either
#   hosts.sh [GROUP | hops=N | 1=KERNEL | 2=KERNEL]...

suite=hosts
# shellcheck source=tests/lib.sh
. ./lib.sh
# shellcheck source=tests/boot/outcomes.sh
. ./outcomes.sh
unset VMM_RUNTIME_DIR XDG_RUNTIME_DIR
mkdir -p /run
hops=5 by=--verify kernel_1=6.12 kernel_2=6.12
port=7000
slow='--downtime 25s'

# --- on either host --------------------------------------------------------------------------------

# bridge ADDRESS: a guest's tap and the wire are one network, which this host is part of.
bridge() {
	modprobe tun
	modprobe bridge
	tunctl -t tap0 >/dev/null
	brctl addbr br0
	ip addr flush dev eth0
	ip link set tap0 mtu "$(cat /sys/class/net/eth0/mtu)"
	for card in eth0 tap0; do
		brctl addif br0 $card
		ip link set $card up
	done
	ip addr add "$1/24" dev br0
	ip link set br0 up
}

# machine NAME COMMAND...: `vmm COMMAND`, its console in.NAME and out.NAME; end.NAME has its exit status.
machine() {
	rm -f "in.$1" "out.$1" "err.$1" "end.$1"
	mkfifo "in.$1"
	: >"out.$1"
	setsid sh -c 'name=$1; shift; exec 5<>"in.$name"; timeout 900 vmm "$@" <&5 >"out.$name" 2>"err.$name"
		echo $? >"end.$name"' - "$@" </dev/null >/dev/null 2>&1 &
}

# said NAME PATTERN [COUNT]: waits for lines of a machine; false when it has ended without.
said() {
	name=$1
	shift
	until lines "out.$name" "$@"; do
		if [ -s "end.$name" ]; then
			lines "out.$name" "$@"
			return
		fi
		usleep 20000
	done
}

# ended NAME CODE: waits for its end.
ended() {
	until [ -s "end.$1" ]; do usleep 20000; done
	read -r status <"end.$1"
	[ "$status" -eq "$2" ]
}

# receive NAME OPTION...: a machine that waits at the port. To connect would be to be the source.
receive() {
	machine "$1" receive --name "$@" "tcp:0.0.0.0:$port"
	until grep -q ":$(printf %04X $port) 00000000:0000 0A" /proc/net/tcp; do
		[ ! -s "end.$1" ] || return
		usleep 20000
	done
}

# failures NAME...: what guests found wrong. They spin for longer than they think while memory goes.
failures() {
	for name; do
		[ ! -e "out.$name" ] || grep -a '^FAIL' "out.$name" | grep -v '^FAIL counter'
	done
}

# --- on the first ----------------------------------------------------------------------------------

# on HOST COMMAND: the command's output, and its status.
on() {
	if [ "$1" = 1 ]; then
		sh -c "$2" </dev/null
		return
	fi
	# Its input must not end before it: nc would.
	[ -p words ] || mkfifo words
	exec 9<>words
	echo "{ $2; } </dev/null 2>&1; end=\$?; echo; echo \$end; exit" >&9
	echo 255 >answer
	nc 10.0.9.102 9 <&9 >>answer
	sed '1d; $d' answer | sed '${/^$/d}'
	return "$(tail -n 1 answer)"
}

run() {
	host=$1
	shift
	on "$host" "sh hosts.sh do $*"
}

# send FROM NAME OPTION...: to the other host, which waits for it.
send() {
	source=$1
	shift
	on "$source" "vmm send --json $slow $* tcp:10.0.9.10$((3 - source)):$port >json 2>sent"
	status=$?
	on "$source" 'cat json sent' >result
	return $status
}

type_in() {
	on "$1" "printf '$3' >in.$2"
}

# last_words HOST NAME: what tells more of a failure.
last_words() {
	on "$1" "tail -n 3 out.$2 err.$2 | tr -d '\\r'"
}

# --- Linux, to and fro ------------------------------------------------------------------------------

# A Debian guest under load, which a TCP connection is open to: memory, console and connection go on as
# if nothing had been.
linux() {
	bridge_options='--network 0=mode=tap,tapif=tap0'
	run 1 "machine linux0 run --name linux0 -k Image -i initrd -m 256 -c 2 \
		-n mode=tap,tapif=tap0 -p 'console=ttyAMA0 quiet t2=hop'"
	run 1 said linux0 'echo:.ready'
	stream_begin 10.0.9.2
	n=0 at=1
	while [ $n -lt "$hops" ]; do
		run $at said linux$n "tick.[0-9]*" 2 && stream_more || break
		run $((3 - at)) receive linux$((n + 1)) "$bridge_options" || break
		send $at $by linux$n || break
		echo "# $(grep ok result)"
		run $at ended linux$n 36 || break
		n=$((n + 1)) at=$((3 - at))
	done
	run $at said linux$n "tick.[0-9]*" 2
	stream_end "$n hops"
	type_in $at linux$n 'off\n'
	run $at ended linux$n 0
	status=$?
	check "linux: $hops hops between two hosts" \
		"hop $n, status $status: $(cat result) $(last_words $at linux$n)" \
		test "$n" -eq "$hops" -a $status -eq 0
	i=0
	while [ $i -le $n ]; do
		on $((i % 2 + 1)) "cat out.linux$i"
		i=$((i + 1))
	done | tr -d '\r' >lines
	check 'linux: memory is whole' "$(grep -a '^hop:' lines)" \
		test "$(grep -a '^hop:' lines | head -n 1)" = 'hop: whole'
	no_gap 'linux: no tick is missing' tick
	no_gap 'linux: the console has no gap' line
}

# Its memory follows.
linux_postcopy() {
	by=--postcopy
	linux
	by=--verify
}

# cut NAME HOST: on its way to that host by post-copy, with memory that is missing still, its link ends.
cut() {
	# shellcheck disable=SC2086
	vmm send --postcopy $slow --bandwidth 4M "$1" "exec:echo \$\$ >relay; exec nc 10.0.9.10$2 $port" >json 2>sent &
	client=$!
	until vmm list | grep -q "^$1 .* postcopy$"; do kill -0 $client || break; done
	kill -9 "$(cat relay)"
	wait $client
	status=$?
	cat sent
	return $status
}

# listed NAME STATE: waits until it is.
listed() {
	until vmm list | grep -q "^$1 .* $2$"; do
		[ ! -s "end.$1" ] || return
		usleep 20000
	done
}

# A guest that writes all the time, and checks what it wrote, gets the rest of its memory over another wire.
recover() {
	run 1 machine writer0 run --nodefaults --name writer0 -m 32 -k writer.bin
	run 1 said writer0 'pass.[0-9]*' 3
	run 2 receive writer1
	run 1 cut writer0 2 >result
	status=$?
	check 'recover: the link is lost' "$status: $(cat result)" test $status -eq 6
	check 'recover: both wait' "$(on 2 'vmm list')" run 2 listed writer1 postcopy-paused
	run 2 machine again receive --recover writer1 "tcp:0.0.0.0:$port"
	run 2 listening $port
	on 1 "vmm send --recover writer0 tcp:10.0.9.102:$port 2>&1" >result
	check 'recover: recovered' "$? $(cat result)" run 1 ended writer0 36
	type_in 2 writer1 p
	run 2 said writer1 'at.[0-9]*,.0.wrong,.page.0'
	type_in 2 writer1 q
	check 'recover: ends' "$(last_words 2 writer1)" run 2 ended writer1 0
	check 'recover: memory is whole' "$(last_words 2 writer1)" run 2 lines out.writer1 'passed.[0-9]*,.0.wrong,.page.0'
}

# --- a guest that checks itself, from one kernel to another -----------------------------------------

# passes HOST NAME: the guest goes through two hops more, and ends.
passes() {
	type_in "$1" "$2" x
	run "$1" said "$2" hop.2
	type_in "$1" "$2" x
	run "$1" said "$2" hop.3
	type_in "$1" "$2" q
	run "$1" ended "$2" 0
}

# whole CASE HOST NAME: and found nothing wrong.
whole() {
	passes "$2" "$3"
	code=$?
	fails=$(run "$2" failures "$3")
	check "$1" "$code, $fails: $(last_words "$2" "$3")" test $code -eq 0 -a -z "$fails"
}

# begin HOST NAME OPTION...: the machine, at its first hop.
begin() {
	run "$1" machine "$2" run --nodefaults --name "$2" -m 4 -k hop.bin "$3"
	run "$1" said "$2" hop.1
}

# carried CASE FROM MACHINE OPTION: it goes over; the destination is given the option.
carried() {
	run $((3 - $2)) receive there "${4-}"
	send "$2" "$3"
	check "$1: carried" "$status: $(cat result) $(last_words $((3 - $2)) there)" test $status -eq 0
	run "$2" ended "$3" 36
	whole "$1: goes on there" $((3 - $2)) there
}

# refused CASE FROM MACHINE REASON: before any of its memory has gone, and it goes on.
refused() {
	run $((3 - $2)) receive there
	send "$2" "$3"
	check "$1: refused" "$status: $(cat result)" test $status -eq 5
	check "$1: said here" "$(cat result)" grep -q '"error":"the destination refuses: .*reason' result
	on $((3 - $2)) 'cat err.there' >reasons
	check "$1: for a reason" "$(cat reasons)" grep -qE -e "$4" reasons
	check "$1: before memory goes" "$(cat result)" sh -c '! grep -q "^round" result'
	check "$1: nothing is left there" "$(last_words $((3 - $2)) there)" run $((3 - $2)) ended there 3
}

# From host $1 to the other, with each kind of PSCI.
tiny_from() {
	eval "from=\$kernel_$1 to=\$kernel_$((3 - $1))"
	kinds='kernel kernel-1.1 kernel-0.2 user'
	[ "$from" != 6.1 ] || kinds='kernel kernel-1.1 kernel-0.2'
	for kind in $kinds; do
		case_of="$from to $to, $kind"
		psci="--psci ${kind%%-*}"
		[ "$kind" = "${kind#*-}" ] || psci="$psci --psci-version ${kind#*-}"
		begin "$1" here "$psci"
		reason=$(outcome "$from" "$to" "$kind")
		if [ "$reason" = - ]; then
			carried "$case_of" "$1" here
			continue
		fi
		refused "$case_of" "$1" here "$reason"
		case $reason in
		*allow-psci-downgrade) carried "$case_of, allowed" "$1" here --allow-psci-downgrade ;;
		*) whole "$case_of: goes on here" "$1" here ;;
		esac
	done
}

tiny() {
	tiny_from 1
	tiny_from 2
}

# What was made on the first host's kernel, the older one, can go back: it has nothing of the newer.
back() {
	for kind in 'kernel' 'kernel --psci-version 0.2'; do
		case_of="$kernel_1 to $kernel_2 and back, $kind"
		begin 1 here "--psci $kind"
		run 2 receive there
		send 1 here
		check "$case_of: there" "$status: $(cat result)" test $status -eq 0
		type_in 2 there x
		run 2 said there hop.2
		run 1 ended here 36
		run 1 receive home
		send 2 there
		check "$case_of: back" "$status: $(cat result) $(last_words 1 home)" test $status -eq 0
		type_in 1 home x
		run 1 said home hop.3
		type_in 1 home q
		run 1 ended home 0
		status=$?
		fails=$(run 1 failures there home)$(run 2 failures there home)
		check "$case_of: whole" "$status, $fails" test $status -eq 0 -a -z "$fails"
	done
}

# What a host has otherwise, of which somebody says that it does not matter.
allowed() {
	begin 2 here '--psci kernel --psci-version 1.1'
	registers='ID_AA64DFR0_EL1,CLIDR_EL1,CCSIDR*'
	carried "$kernel_2 to $kernel_1, $registers allowed" 2 here "--allow-register '$registers'"
}

case ${1-} in
far)
	bridge 10.0.9.102
	exec nc -ll -p 9 -e sh
	;;
do)
	shift
	"$@"
	exit
	;;
esac

bridge 10.0.9.101
until ping -c 1 -W 1 10.0.9.102 >/dev/null && on 2 true 2>/dev/null; do usleep 100000; done
groups='linux'
for word; do
	case $word in
	hops=*) hops=${word#hops=} ;;
	1=*) kernel_1=${word#1=} ;;
	2=*) kernel_2=${word#2=} ;;
	*) groups=$(echo "$word" | tr , ' ') ;;
	esac
done
for group in $groups; do
	$group
done
# shellcheck disable=SC2016 # of the shell there
on 2 'kill $PPID' >/dev/null
summary
