#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: machines that move while they run, between two vmm of this host. Arguments:
# the groups of cases to run, and `hops=N`.

suite=migrate
# shellcheck source=tests/lib.sh
. ./lib.sh
unset VMM_RUNTIME_DIR XDG_RUNTIME_DIR
mkdir -p /run
hops=4 linux_hops=2 net= by=
# An emulated host is slow at all that a handover does while the guest stands still.
slow='--downtime 20s'

# receive NAME OPTION...: a vmm that waits at `sock`; $from is the one that had the machine.
receive() {
	from=$pid name=$1
	shift
	start receive --name "$name" "$@" unix:sock
	until [ -S sock ]; do kill -0 "$pid" || return 1; done
}

# --- a guest that checks itself --------------------------------------------------------------------

# What the guest found wrong.
failures() {
	grep -ac '^FAIL' out
}

registers() {
	fresh
	start run --nodefaults --name hop0 -m 8 -k hop.bin -p "$(lpis "$@")" "$@"
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
	fails=$(failures)
	check "$hops hops $*" "hop $n, $fails failures, status $status: $(grep -a -m 1 ^FAIL out) $(tail -n 3 err sent)" \
		test "$n" -eq "$hops" -a "$fails" -eq 0 -a $status -eq 0
	check 'the result as JSON' "$(cat json)" grep -qxE \
		'\{"ok":true,"rounds":[0-9]+,"bytes":[0-9]+,"total_us":[0-9]+,"down_us":[0-9]+\}' json
}

# --- Linux ------------------------------------------------------------------------------------------
# A Debian guest under load: its disk, its memory, its console and a connection go on as if nothing had
# been, and memory is the same on both sides when it is handed over.
linux() {
	fresh
	start run --name linux0 -k Image -i initrd -m 256 -c 2 -d a.ext4 -p "console=ttyAMA0 quiet t2=hop" "$@"
	[ -z "$net" ] || { line out 'echo: ready' && stream_begin 10.0.9.2; }
	n=0 tick=2
	while line out "tick $tick" && [ $n -lt "$linux_hops" ]; do
		[ -z "$net" ] || stream_more || break
		receive linux$((n + 1)) --disk 0=a.ext4 ${net:+--network 0=$net} || break
		# shellcheck disable=SC2086
		vmm send --json ${by:---verify} $slow linux$n unix:sock >json 2>sent && ended 36 "$from" || break
		echo "# $(cat json)"
		n=$((n + 1))
		tick=$(($(tr -d '\r' <out | sed -n 's/^tick //p' | tail -n 1) + 2))
	done
	[ -z "$net" ] || stream_end "$n hops"
	printf 'off\n' >&4
	ended 0
	tr -d '\r' <out >lines
	check "linux: $linux_hops hops $*" "hop $n, status $status: $(tail -n 5 out) $(cat sent err)" \
		test "$n" -eq "$linux_hops" -a $status -eq 0
	check 'linux: files and memory are whole' "$(grep -a '^hop:' lines)" \
		test "$(grep -a '^hop:' lines | head -n 1)" = 'hop: whole'
	no_gap 'linux: no tick is missing' tick
	no_gap 'linux: the console has no gap' line
}

# Also the kernel waits for memory that is missing: vhost-net, and the ITS as it is restored.
load_postcopy() {
	by=--postcopy
	load
	by=
}

linux_postcopy() {
	by=--postcopy
	linux "$@"
	linux --virtio-transport pci
	by=
}

# Under every kind of interrupt controller.
irqchips_postcopy() {
	by=--postcopy
	with_irqchips linux
	by=
}

# Messages: the tables of the ITS are in memory, where KVM writes them as its state is taken.
messages() {
	linux --virtio-transport pci
}

# Under every kind of interrupt controller: what is pending in it goes along, LPIs where there are any.
irqchips() {
	with_irqchips registers
	with_irqchips linux
}

# --- ways ------------------------------------------------------------------------------------------

# begin NAME: the guest that checks itself, at its first hop.
begin() {
	fresh
	name=$1
	shift
	start run --nodefaults --name "$name" -m 8 -k hop.bin "$@"
	line out 'hop 1'
}

# goes_on CASE: the guest passes its hop, and ends.
goes_on() {
	printf x >&4
	line out 'hop 2' && printf q >&4
	check "$1" "$(tail -n 3 out err)" ended 0
	check "$1: whole" "$(cat out)" test "$(failures)" -eq 0
}

# send CODE OPTION...: the status of `vmm send`, and what it says in `sent`.
send() {
	want=$1
	shift
	vmm send "$@" >json 2>sent
	status=$?
	[ $status -eq "$want" ]
}

ways() {
	begin tcp0
	from=$pid
	ifconfig lo up
	start receive --name tcp1 tcp:127.0.0.1:7001
	# Nobody can see that somebody listens but by connecting.
	# shellcheck disable=SC2086
	until send 0 $slow tcp0 tcp:127.0.0.1:7001 || ! grep -q 'refused$' sent; do :; done
	check 'tcp' "$(cat sent err)" ended 36 $from
	goes_on 'tcp: goes on'

	begin exec0
	# shellcheck disable=SC2086
	check 'exec' "$(cat sent)" send 0 $slow exec0 'exec:vmm receive --name exec1 - 2>err1'
	check 'exec: the source ends' "$(cat err)" ended 36
	check 'exec: runs there' "$(vmm list)" is exec1 running
	vmm console exec1 <in >out1 &
	printf x >&4
	until grep -q 'hop 2' out1; do is exec1 running || break; done
	printf q >&4
	wait $!
	check 'exec: goes on' "$(cat out1)" grep -q 'hop 2' out1

	# One way: the source stands still, and is the owner's to end.
	begin pipe0
	from=$pid
	mkfifo -m 600 through
	timeout 120 vmm receive --name pipe1 - <through >>out 2>>err &
	pid2=$!
	vmm send pipe0 - >through 2>sent
	check 'one way' "$(cat sent)" test $? -eq 0
	pid=$pid2
	state pipe1 running
	check 'one way: runs there' "$(vmm list)" is pipe1 running
	check 'one way: the source stands still' "$(vmm list)" is pipe0 undecided
	vmm resume pipe0 2>refused
	check 'one way: no plain resume' "$(cat refused)" grep -q -- --take-ownership refused
	vmm stop pipe0
	check 'one way: stop' "$(cat err)" ended 36 "$from"
	vmm stop --force pipe1
	ended 143

	begin file0
	vmm send file0 - >snapshot 2>sent
	check 'to a file' "$(vmm list)" is file0 undecided
	vmm resume --take-ownership file0
	check 'resume --take-ownership' "$(vmm list)" is file0 running
	goes_on 'resume --take-ownership: goes on'
}

# --- what does not go well -------------------------------------------------------------------------

# stays CASE NAME PATTERN: send has failed with 5, saying so, and the machine runs.
stays() {
	check "$1: 5" "status $status: $(cat sent)" test $status -eq 5
	check "$1: said" "$(cat sent)" grep -qE -e "$3" sent
	check "$1: runs" "$(vmm list)" is "$2" running
}

# A vmm that waits at `sock`, process $pid2 itself.
receive_here() {
	rm -f sock
	vmm receive --name g unix:sock <in >>out 2>>err &
	pid2=$!
	until [ -S sock ]; do kill -0 $pid2 || return 1; done
}

faults() {
	begin f
	send 2 f unix:nowhere
	check 'nobody listens' "$status $(cat sent)" grep -q 'connect to' sent
	send 2 f nonsense:1
	check 'no address' "$status $(cat sent)" grep -q 'no address' sent
	send 2 f tcp:nobody.invalid:1
	check 'no such host' "$status $(cat sent)" grep -q 'no address of host' sent
	send 2 nobody unix:nowhere
	check 'no such machine' "$status" test $status -eq 2
	send 5 f exec:false
	stays 'a link that ends' f 'link to the destination is lost'
	send 5 f 'exec:echo hello'
	stays 'one that speaks nonsense' f 'no vmm receive|link to the destination'
	send 5 f 'exec:vmm receive --name f -'
	stays 'a name that is taken' f "the destination refuses: .*'f'"
	send 5 f 'exec:vmm receive --name g --loglevel nonsense - 2>/dev/null'
	stays 'a destination that does not start' f 'link'
	send 5 --downtime 1ms f 'exec:vmm receive --name g - 2>err1'
	stays 'no time to stand still' f '--downtime'

	# While memory goes, slowly.
	f=$pid
	for how in 'kill -9' 'kill -TERM' cancel client; do
		receive_here
		# shellcheck disable=SC2086
		vmm send $slow --bandwidth 16K f unix:sock >json 2>sent &
		client=$!
		until grep -q '^round' sent; do kill -0 $client || break; done
		case $how in
		cancel) vmm send --cancel f ;;
		client) kill $client ;;
		*) $how $pid2 ;;
		esac
		wait $client
		status=$?
		wait $pid2
		received=$?
		case $how in
		client) until ! vmm send --cancel f 2>/dev/null; do :; done ;;
		*) stays "$how" f 'vmm' ;;
		esac
		check "$how: nothing runs there" "$received $(vmm list)" test $received -ne 0
		check "$how: f runs" "$(vmm list)" is f running
	done
	receive_here
	# shellcheck disable=SC2086
	vmm send $slow --bandwidth 16K f unix:sock >json 2>sent &
	client=$!
	until grep -q '^round' sent; do kill -0 $client || break; done
	vmm reset f 2>refused
	check 'no reset on the way' "$(cat refused)" grep -q 'being sent' refused
	printf q >&4
	wait $client
	status=$?
	check 'a guest that powers off' "$status $(cat sent)" test $status -eq 5
	check 'a guest that powers off: ends' "$(cat err)" ended 0 "$f"
	wait $pid2
	check 'and nothing runs there' "$(vmm list)" test -z "$(vmm list)"
}

# From a host that this one is not: refused for every reason at once, before any memory has gone.
misfits() {
	begin r0
	send 5 r0 'exec:./snapedit - vcpu/0:MIDR_EL1^=0x10 "vcpu/0:ID_AA64ISAR0_EL1|=0xf0" gic:gicd.iidr=0x43b machine:counter_hz=1000 -- vmm receive --name r1 - 2>err1'
	stays 'another host' r0 'refuses: the guest.s counter .*[(]4 reasons in all[)]'
	for reason in '^the guest.s counter .CNTFRQ_EL0. runs at 1000 Hz, this' '^vCPU 0: MIDR_EL1.PartNum is' \
		'^vCPU 0: ID_AA64ISAR0_EL1.AES is 0xf' '^the interrupt controller.s gicd.iidr .* is 0x43b'; do
		check "another host: $reason" "$(cat sent)" grep -q "$reason" sent
	done
	check 'another host: said there, too' "$(cat err1)" grep -q 'ISAR0_EL1.AES' err1
	check 'another host: no memory has gone' "$(cat sent)" sh -c '! grep -q ^round sent'
	check 'another host: nothing runs there' "$(vmm list)" test "$(vmm list | grep -c running)" -eq 1
	grep -q GICv3 /proc/interrupts && kind=1 || kind=4
	send 5 r0 "exec:./snapedit - machine:gic=$kind vcpu/0:smccc_workaround_1=15 -- vmm receive --name r2 - 2>err1"
	stays 'another controller' r0 'refuses: the guest.s interrupt controller is a gicv.*[(]2 reasons in all[)]'
	check 'another controller: and more' "$(cat sent)" grep -q '^vCPU 0: smccc_workaround_1' sent
	goes_on 'another host: goes on here'
}

# Names of their own: who is refused may end a moment after its source has heard of it.
disks() {
	head -c 65536 /dev/zero >disk
	cp disk other
	begin d0 -d disk
	send 5 d0 'exec:vmm receive --name no1 - 2>err1'
	stays 'a disk that is not named' d0 'disk 0=|--disk'
	# shellcheck disable=SC2086
	send 5 $slow d0 'exec:vmm receive --name no2 --disk 0=other - 2>err1'
	stays 'another disk' d0 'not as it was left'
	check 'the lock is back' "$(vmm list)" in_use -d disk
	mkdir -p elsewhere
	send 5 d0 'exec:vmm receive --name no3 --disk 0=elsewhere - 2>err1'
	stays 'no disk at all' d0 '^vmm: .*refuses: disk 0 .*directory.*[(]1 reason in all[)]'
	check 'no disk at all: the list' "$(cat sent)" grep -q '^disk 0 .*directory' sent
	vmm send --json d0 'exec:vmm receive --name no4 --disk 0=elsewhere - 2>err1' >json 2>sent
	check 'no disk at all, as JSON' "$(cat json)" grep -q '"findings":."disk 0 .*directory' json
	receive d1 --disk 0=disk
	# shellcheck disable=SC2086
	check 'with its disk' "$(cat sent)" send 0 $slow d0 unix:sock
	check 'with its disk: ended' "$(cat err)" ended 36 "$from"
	check 'the lock went with it' "$(vmm list)" in_use -d disk
	goes_on 'with its disk: goes on'
}

# through PORT PHASE FAULT: a link to PORT, from PORT + 10000, which fails so (linkfault.c).
through() {
	listening "$1"
	./linkfault $(($1 + 10000)) "$@" 0 0 >struck 2>err.link &
	link=$!
	listening $(($1 + 10000))
}

# The destination's last word is lost.
undecided() {
	ifconfig lo up
	begin u0
	from=$pid
	start receive --name u1 tcp:127.0.0.1:7005
	through 7005 entry half
	# shellcheck disable=SC2086
	check 'a lost receipt: 6' "$(cat sent err.link)" send 6 $slow u0 tcp:127.0.0.1:17005
	check 'a lost receipt: said' "$(cat sent)" grep -q 'stands still' sent
	check 'a lost receipt: it runs there' "$(vmm list)" is u1 running
	check 'a lost receipt: and not here' "$(vmm list)" is u0 undecided
	vmm save u0 snap 2>refused
	check 'a lost receipt: nothing but a decision' "$(cat refused)" grep -q 'may run elsewhere' refused
	vmm stop u0
	check 'a lost receipt: stop' "$(cat err)" ended 36 "$from"
	vmm stop --force u1
	ended 143
}

# in_use OPTION...: no other machine could have that now.
in_use() {
	vmm run --nodefaults -k hop.bin -m 8 "$@" </dev/null 2>&1 | grep -q 'in use'
}

tap() {
	modprobe tun
	tunctl -t tap0 >/dev/null
}

nets() {
	tap
	begin n0 -n mode=tap,tapif=tap0
	send 5 n0 'exec:vmm receive --name n1 - 2>err1'
	stays 'a network that is not named' n0 'network 0=|--network'
	# shellcheck disable=SC2086
	send 5 $slow n0 'exec:vmm receive --name n1 --network 0=mode=tap,tapif=tap7 - 2>err1'
	stays 'a tap that is not there' n0 'tap7'
	check 'the tap is back' "$(vmm list)" in_use -n mode=tap,tapif=tap0
	receive n1 --network 0=mode=tap,tapif=tap0
	# shellcheck disable=SC2086
	check 'with its tap' "$(cat sent)" send 0 $slow n0 unix:sock
	check 'with its tap: ended' "$(cat err)" ended 36 "$from"
	check 'the tap went with it' "$(vmm list)" in_use -n mode=tap,tapif=tap0
	goes_on 'with its tap: goes on'
}

# All at once: disk, memory, console, and a TCP connection over a tap, through vhost-net.
load() {
	tap
	modprobe vhost_net
	ifconfig tap0 10.0.9.1 netmask 255.255.255.0 up
	net=mode=tap,tapif=tap0,vhost=on
	linux -n "$net"
	net=
}

# --- post-copy -------------------------------------------------------------------------------------
# The guest writes to all of its memory, and checks it, while it comes.

# writing NAME OPTION...: it has done a few passes.
writing() {
	fresh
	name=$1
	shift
	start run --nodefaults --name "$name" -m 32 -k writer.bin "$@"
	line out 'pass [0-9]+' 3
}

# right CASE: it goes on, and all that it finds is as it has left it.
right() {
	printf p >&4
	line out 'at [0-9]+, 0 wrong, page 0'
	check "$1: goes on" "$(tail -n 3 out err)" lines out 'at [0-9]+, 0 wrong, page 0'
	printf q >&4
	check "$1: ends" "$(tail -n 3 out err)" ended 0
	check "$1: memory is whole" "$(tail -n 3 out)" lines out 'passed [0-9]+, 0 wrong, page 0'
}

postcopy() {
	for cpus in 1 2; do
		writing p0 -c $cpus
		receive p1
		# shellcheck disable=SC2086
		check "postcopy, $cpus CPUs" "$(cat sent)" send 0 --json --postcopy --bandwidth 8M $slow p0 unix:sock
		echo "# $(cat json)"
		check "postcopy, $cpus CPUs: the source ends" "$(cat err)" ended 36 "$from"
		check "postcopy, $cpus CPUs: one round" "$(cat json)" grep -qE \
			'"rounds":1,.*"missing":[1-9][0-9]*,"requests":[1-9]' json
		right "postcopy, $cpus CPUs"
	done
	begin p0
	receive p1
	# shellcheck disable=SC2086
	check 'postcopy: registers' "$(cat sent)" send 0 --postcopy $slow p0 unix:sock
	goes_on 'postcopy: registers'
	writing p0
	refused 'postcopy and a checksum' 'without --verify' send --postcopy --verify p0 exec:true
	refused 'postcopy one way' 'can answer' send --postcopy p0 -
	refused 'nothing to recover' 'nothing is to be recovered' send --recover p0 exec:true
	refused 'nothing to recover there' 'nothing is to be recovered' receive --recover p0 exec:true
	# Memory may be the root's alone to serve.
	chmod 666 /dev/kvm
	echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
	send 5 --postcopy p0 'exec:su -s /bin/sh nobody -c "vmm receive -"'
	stays 'postcopy without privilege' p0 'userfaultfd'
	right 'postcopy that was refused'
}

# A guest that resets while it goes stays, and starts anew; one that does where it came to has no need
# of its old memory.
reset() {
	writing s0
	source=$pid
	receive_here
	# shellcheck disable=SC2086
	vmm send $slow --bandwidth 1M s0 unix:sock >json 2>sent &
	client=$!
	until grep -q '^round' sent; do kill -0 $client || break; done
	printf r >&4
	wait $client
	status=$?
	stays 'a guest that resets' s0 'the guest resets'
	wait $pid2
	check 'a guest that resets: nothing runs there' "$? $(vmm list)" test $? -ne 0
	pid=$source
	check 'a guest that resets: starts anew' "$(cat out err)" line out 'pass 4' 2
	receive s1 -k writer.bin
	# shellcheck disable=SC2086
	vmm send --postcopy $slow --bandwidth 1M s0 unix:sock >json 2>sent &
	client=$!
	until is s0 'postcopy$'; do kill -0 $client || break; done
	printf r >&4
	wait $client
	check 'reset in postcopy: the source hears' "$(cat sent)" test $? -eq 0
	check 'reset in postcopy: the source ends' "$(cat err)" ended 36 "$from"
	check 'reset in postcopy: starts anew' "$(cat out err)" line out 'pass 4' 3
	right 'reset in postcopy'
}

# While a machine comes and goes its socket answers, and what it says ends it.
answers() {
	writing a0
	vmm receive --name a1 unix:sock <in >>out 2>>err &
	pid2=$!
	until [ -S sock ]; do kill -0 $pid2 || return 1; done
	# shellcheck disable=SC2086
	vmm send $slow --bandwidth 1M a0 unix:sock >json 2>sent &
	client=$!
	until is a1 arriving; do kill -0 $client || break; done
	check 'one that comes is listed' "$(vmm list)" is a1 arriving
	refused 'one that comes is not paused' 'not arrived' pause a1
	vmm stop a1 2>refused
	wait $client
	status=$?
	stays 'one that comes is stopped' a0 'link|refuses'
	wait $pid2
	check 'one that comes is stopped: ends' "$?" test $? -ne 0
	# That all is loaded there is not heard of: the source waits for it.
	ifconfig lo up
	vmm receive --name a1 tcp:127.0.0.1:7006 <in >>out 2>>err &
	pid2=$!
	through 7006 loaded hold
	vmm send --downtime 60s a0 tcp:127.0.0.1:17006 >json 2>sent &
	client=$!
	until is a0 moving; do kill -0 $client || break; done
	check 'one that goes is listed' "$(vmm list)" is a0 moving
	refused 'one that goes is not saved' 'handed over' save a0 snap
	refused 'one that goes is not stopped' '--cancel' stop a0
	vmm send --cancel a0
	wait $client
	status=$?
	stays 'one that goes is cancelled' a0 'cancelled'
	kill -USR1 $link
	wait $pid2
	check 'one that goes is cancelled: ends' "$?" test $? -ne 0
	right 'one that stayed'
}

# hundredths COMMAND...: how long that takes, by the clock of the host.
hundredths() {
	read -r began rest </proc/uptime
	"$@" >answer 2>&1
	read -r ends rest </proc/uptime
	echo $((${ends%.*}${ends#*.} - ${began%.*}${began#*.}))
}

# A link that carries nothing for a while, when it runs there already and a device waits for memory: it is the
# loop thread that does, and another answers.
late() {
	fresh
	ifconfig lo up
	start run --name late0 -m 32 -k filled.bin
	line out 'filled 2048'
	from=$pid
	alone=$(hundredths vmm list)
	start receive --name late1 tcp:127.0.0.1:7004
	listening 7004
	# shellcheck disable=SC2016,SC2086
	vmm send --postcopy $slow --bandwidth 1M late0 'exec:echo $$ >relay; exec nc 127.0.0.1 7004' >json 2>sent &
	client=$!
	until is late1 running; do kill -0 $client || break; done
	line out 'filled [0-9]*' $(($(grep -ac '^filled' out) + 3))
	kill -STOP "$(cat relay)"
	until vmm stat late1 >said 2>&1; grep -q 'memory that is late' said; do is late1 running || break; done
	check 'late: a device waits' "$(cat said err)" grep -q 'memory that is late' said
	took=$(hundredths vmm list)
	check "late: answers in $took/100 s, alone $alone/100 s" "$(cat answer)" test "$took" -le $((alone + 100))
	check 'late: both are listed' "$(cat answer)" test "$(grep -cE '^late1 .* running$|^late0 .* postcopy$' answer)" -eq 2
	refused 'late: not stopped' '--force' stop late1
	kill -CONT "$(cat relay)"
	wait $client
	check 'late: sent' "$(cat sent)" test $? -eq 0
	check 'late: the source ends' "$(cat err)" ended 36 "$from"
	check 'late: asked again' "$(cat err)" is late1 running
	printf q >&4
	check 'late: ends' "$(tail -n 3 err)" ended 0
	check 'late: memory is whole' "$(tail -n 3 out)" lines out 'ends after [0-9]+, 0 wrong'
}

# cut NAME NEXT: on its way by post-copy, with memory that is missing still, its link ends.
cut() {
	ifconfig lo up
	from=$pid
	start receive --name "$2" tcp:127.0.0.1:7003
	until grep -q ':1B5B ' /proc/net/tcp; do kill -0 "$pid" || return 1; done
	# shellcheck disable=SC2016,SC2086
	vmm send --postcopy $slow --bandwidth 4M "$1" 'exec:echo $$ >relay; exec nc 127.0.0.1 7003' >json 2>sent &
	client=$!
	until is "$1" 'postcopy$'; do kill -0 $client || break; done
	kill -9 "$(cat relay)"
	wait $client
	status=$?
	state "$2" postcopy-paused
}

# refused CASE PATTERN COMMAND...: the command fails, and says why.
refused() {
	case_name=$1 case_why=$2
	shift 2
	vmm "$@" 2>refused
	check "$case_name" "status $?: $(cat refused)" grep -qe "$case_why" refused
}

recover() {
	writing r0 -c 2
	cut r0 r1
	check 'lost link: 6' "$status $(cat sent)" test $status -eq 6
	check 'lost link: said' "$(cat sent)" grep -q 'not said that it has all of its memory' sent
	check 'lost link: both wait' "$(vmm list)" is r0 postcopy-paused
	check 'lost link: said there' "$(cat err)" grep -q 'the guest stands still.*--recover' err
	refused 'lost link: nobody takes it here' 'runs at the destination' resume --take-ownership r0
	refused 'lost link: nobody ends it here' '--force' stop r0
	refused 'lost link: nobody ends it there' '--force' stop r1
	refused 'lost link: nobody saves it there' 'waits for its memory' save r1 snap
	send 6 --recover r0 exec:false
	check 'recover: nobody there' "$status $(cat sent)" test $status -eq 6
	send 6 --recover r0 'exec:echo hello'
	check 'recover: nonsense there' "$status $(cat sent)" grep -q 'no vmm receive --recover\|link to the destination' sent
	# One link at a time: who comes second is refused, and who came first hears how it goes on.
	# shellcheck disable=SC2016
	vmm receive --recover r1 'exec:echo $$ >silent; exec cat >/dev/null' 2>first &
	first=$!
	until [ -s silent ]; do kill -0 $first || break; done
	until vmm receive --recover r1 exec:false 2>refused; grep -q 'being tried' refused; do kill -0 $first || break; done
	check 'recover: one at a time' "$(cat refused)" grep -q 'being tried' refused
	check 'recover: the first is heard' "$(cat first)" test ! -s first -a -n "$(kill -0 $first && echo up)"
	kill "$(cat silent)"
	wait $first
	check 'recover: the first hears its end' "$? $(cat first)" grep -q 'link to the source is lost' first
	for how in unix:again exec; do
		if [ $how = exec ]; then
			printf p >&4
			cut r1 r2 || break
			# shellcheck disable=SC2086
			vmm send --recover r1 'exec:vmm receive --recover r2 - 2>received' >json 2>sent
			status=$?
		else
			vmm receive --recover r1 $how 2>received &
			receiver=$!
			until [ -S again ]; do kill -0 $receiver || break; done
			vmm send --recover r0 $how >json 2>sent
			status=$?
			wait $receiver
			check 'recover: there' "$? $(cat received)" test ! -s received
		fi
		check "recover over $how" "$status $(cat sent received err)" test $status -eq 0
		check "recover over $how: the source ends" "$(cat err)" ended 36 "$from"
	done
	right 'recover'
}

# The price of post-copy: each side needs the other.
lost() {
	writing l0
	cut l0 l1
	kill -9 "$(vmm list | awk '$1 == "l1" { print $2 }')"
	wait "$pid"
	refused 'killed there: nobody takes it here' 'runs at the destination' resume --take-ownership l0
	vmm stop --force l0
	check 'killed there: ends by --force' "$(cat err)" ended 36 "$from"
	writing l0
	cut l0 l1
	kill -9 "$(vmm list | awk '$1 == "l0" { print $2 }')"
	wait "$from"
	vmm stop --force l1
	check 'killed here: ends by --force' "$(cat err)" ended 143
	check 'nothing is left' "$(vmm list)" test -z "$(vmm list)"
}

groups='registers ways faults misfits disks nets undecided linux messages'
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
