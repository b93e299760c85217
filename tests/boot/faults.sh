#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: a machine that moves, and at each phase of it each fault of either side or
# of the link between them (linkfault.c). Two of them never run; none runs only where vmm/migrate.md
# says so, and then goes on at a person's word. Arguments: groups, or cases as PHASE:FAULT, each in a
# folder, several at a time.

suite=faults
# shellcheck source=tests/lib.sh
. ./lib.sh
# shellcheck source=tests/boot/faults-postcopy.sh
. ./faults-postcopy.sh
# shellcheck source=tests/boot/faults-answers.sh
. ./faults-answers.sh
at_once=6
phases='listen connect check first round later pause vcpu gic device loaded commit entry'
faults='kill-source kill-destination stop-source stop-destination reset half stall garbage no-space-source
	no-space-destination'
# Each phase and each fault once, but what takes long.
quick='listen:stop-source connect:garbage check:no-space-destination first:kill-destination later:half
	pause:kill-source vcpu:reset gic:garbage device:no-space-source loaded:reset commit:reset entry:half
	entry:storm save:storm post-push:half'

matrix() {
	for fault in $faults; do
		for phase in $phases; do
			echo "$phase:$fault"
		done
	done
	printf '%s\n' entry:storm save:storm save:often space:files
}

# --- one case -------------------------------------------------------------------------------------

# up PID: the process has not ended. One that nobody has waited for as yet is still there.
up() {
	grep -q '^State:.[^ZX]' "/proc/$1/status" 2>/dev/null
}

# listens PORT PID: waits until the process does.
listens() {
	until grep -q "$(printf ':%04X 00000000:0000 0A' "$1")" /proc/net/tcp; do
		up "$2" || return 1
		usleep 10000
	done
}

# settled NAME PID: waits until the machine has ended, runs, or stands still for good: $now says which.
settled() {
	while up "$2"; do
		now=$(vmm list | sed -n "s/^$1 .* //p")
		case $now in
		running | undecided | postcopy-paused) return ;;
		esac
		[ $(($(date +%s) - began)) -lt 200 ] || { now="hangs, $now"; return; }
		usleep 50000
	done
	now=ended
}

beats() {
	tr -d '\r' <"$1" | grep -ac '^beat [0-9]*$'
}

# goes_on OUT PID: its heart beats on.
goes_on() {
	more=$(($(beats "$1") + 2))
	until [ "$(beats "$1")" -ge $more ]; do
		up "$2" || return 1
		[ $(($(date +%s) - began)) -lt 240 ] || return 1
		usleep 100000
	done
}

# What must become of both, and of `vmm send`, as patterns.
wanted() {
	case $phase:$fault in
	*:none | *:storm | *:stop-*) echo ended running 0 ;;
	listen:kill-source) echo ended ended 2 ;;
	listen:kill-destination | listen:reset | listen:half | listen:stall | listen:garbage) echo running ended 2 ;;
	loaded:kill-source) echo ended undecided 6 ;;
	commit:kill-source | entry:kill-source) echo ended running 6 ;;
	# What it had sent may be all of it.
	pause:kill-source | vcpu:kill-source | gic:kill-source | device:kill-source) echo 'ended [eu]* 6' ;;
	*:kill-source) echo ended ended 6 ;;
	# The one that was told to go on does not say that it does; or said it, and was killed after.
	commit:kill-destination) echo undecided ended 6 ;;
	entry:kill-destination) echo ended ended 0 ;;
	commit:no-space-* | entry:no-space-*) echo ended running 0 ;;
	# Or what there is is enough.
	listen:no-space-*) echo '* * *' ;;
	*:no-space-*) echo '* * [05]' ;;
	# Whether that is seen before the commit goes out.
	loaded:kill-destination) echo '[ru]* ended [56]' ;;
	loaded:garbage) echo running ended 5 ;;
	loaded:*) echo running undecided 5 ;;
	commit:*) echo undecided undecided 6 ;;
	entry:*) echo undecided running 6 ;;
	*) echo running ended 5 ;;
	esac
}

# said FILE PATTERN
said() {
	grep -qE -e "$2" "$1"
}

# Each side that has not been killed says whose the guest is.
check_words() {
	case $source in
	running) said sent 'goes on' || [ "$phase" = listen ] || echo 'vmm send does not say whose it is' ;;
	undecided)
		said sent 'stands still' || echo 'vmm send does not say that it stands still'
		said err.s 'take-ownership' || echo 'the source does not say what to do'
		;;
	esac
	case $destination:$fault in
	undecided:*) said err.d 'take-ownership' || echo 'the destination does not say what to do' ;;
	ended:kill-destination | ended:kill-source) ;;
	ended:*) said err.d 'its source.s still|stays where it was' || echo 'the destination does not say whose it is' ;;
	esac
	[ "$fault" != kill-source ] || [ "$phase" = listen ] || said sent 'ended without a word' || echo 'vmm send does not say that the source has ended'
}

# A source that has not been killed ends because its guest has moved.
check_source() {
	case $source:$fault in
	ended:kill-source) ;;
	ended:*) ended 36 "$spid" || echo "the source has ended with $status" ;;
	esac
}

# Never two, and none only as vmm/migrate.md says; and the codes fit.
check_rule() {
	case $source:$destination in
	running:running) echo 'two run' ;;
	running:ended | running:undecided)
		case $phase:$code in
		*:5 | listen:[24]) ;;
		*) echo "code $code" ;;
		esac
		;;
	ended:running | undecided:running) [ "$code" = 0 ] || [ "$code" = 6 ] || echo "code $code" ;;
	undecided:undecided) [ "$code" = 6 ] || echo "code $code" ;;
	*)
		case $fault in
		kill-*) ;;
		*) echo 'none runs' ;;
		esac
		;;
	esac
	check_source
}

# take NAME PID OUT: a person says that it is this one.
take() {
	if vmm resume "$1" 2>refused; then
		echo "$1 goes on without a word about ownership"
	elif ! vmm resume --take-ownership "$1"; then
		echo "$1 does not go on: --take-ownership"
	fi
}

# check_end s|d PID: the guest ends well, and each beat was once.
check_end() {
	printf q >in.$1
	ended 0 "$2" || echo "$1 ends with $status"
	check_storms
	cat out.s out.d | tr -d '\r' >lines
	grep -q '^done' lines || echo 'the guest did not end'
	! grep -q '^FAIL' lines || grep -m 1 '^FAIL' lines
	sed -n 's/^beat \([0-9]*\)$/\1/p' lines >beats
	seq 1 "$(sort -n beats | tail -n 1)" | cmp -s - beats ||
		echo "beats are missing, or beat twice: $(seq 1 "$(sort -n beats | tail -n 1)" | diff - beats | head -n 3)"
}

# One goes on, by itself or at a person's word, and the other is given up.
check_going_on() {
	owner=
	case $source:$destination in
	running:*) owner=s ;;
	*:running) owner=d ;;
	# In turns.
	undecided:undecided) [ $((number % 2)) -eq 0 ] && owner=s || owner=d ;;
	undecided:*) owner=s ;;
	*:undecided) owner=d ;;
	*) return ;;
	esac
	eval "mine=\$${owner}pid"
	case $owner:$source:$destination in
	s:undecided:* | d:*:undecided) take $owner ;;
	esac
	for other in s d; do
		eval "pid=\$${other}pid"
		[ $other != $owner ] && up "$pid" || continue
		vmm stop $other
		ended 36 "$pid" || echo "the other, given up, ends with $status"
	done
	goes_on out.$owner "$mine" || echo "$owner has no heartbeat"
	check_end $owner "$mine"
}

# What happens to process $1 from now on, whatever the phase.
haunt() {
	[ "$fault" = storm ] || return
	../storm "$1" >>stormed &
	storms="$storms $!"
}

# check_storms: they were ones.
check_storms() {
	# shellcheck disable=SC2086
	[ -z "$storms" ] || wait $storms
	[ "$fault" != storm ] || [ "$(awk '{ n += $1 } END { print n }' stormed)" -ge 500 ] ||
		echo "no storm: $(cat stormed)"
}

files() {
	mkfifo in.s in.d
	exec 4<>in.s 5<>in.d
	: >out.s
	: >out.d
}

start_both() {
	files
	vmm run --nodefaults --name s -m 8 -k ../beat.bin <in.s >out.s 2>err.s &
	spid=$!
	haunt $spid
	until [ "$(beats out.s)" -ge 2 ]; do up $spid || return; usleep 100000; done
	vmm receive --name d --loglevel info "tcp:127.0.0.1:$((7000 + number))" <in.d >out.d 2>err.d &
	dpid=$!
	haunt $dpid
	listens $((7000 + number)) $dpid
	none=$fault
	[ "$fault" != storm ] || none=none
	../linkfault $((17000 + number)) $((7000 + number)) "${1-$phase}" "${2-$none}" $spid $dpid >struck 2>err.link &
	link=$!
}

# Sends it, at the phase `later` such that a second round is needed while the guest runs.
send() {
	port=$((17000 + number)) how='--downtime 100s'
	case $phase in
	listen)
		port=$((7000 + number))
		until said struck struck; do up $link || break; done
		case $fault in
		stop-*) ;;
		# A stray one is heard of to its end.
		reset | half | stall | garbage | kill-destination) wait $dpid ;;
		kill-source) wait $spid ;;
		esac
		;;
	later)
		listens $port $link
		printf w >in.s
		more=$(($(beats out.s) + 3))
		until [ "$(beats out.s)" -ge $more ]; do up $spid || break; usleep 100000; done
		how='--downtime 8s --bandwidth 256K'
		;;
	*)
		listens $port $link || kill $dpid
		# Time for the guest to write something meanwhile.
		[ $phase != pause ] || how="$how --bandwidth 256K"
		;;
	esac
	# shellcheck disable=SC2086
	vmm send $how s "tcp:127.0.0.1:$port" >json 2>sent &
	client=$!
	if [ $phase = later ]; then
		until said struck struck; do up $link && up $client || break; usleep 100000; done
		printf c >in.s
	fi
	wait $client
	code=$?
	case $fault in
	no-space-*) ../linkfault 0 0 listen "${fault#no-}" "$spid" "$dpid" >fed 2>&1 ;;
	esac
}

# --- what lasts -----------------------------------------------------------------------------------

# restore FILE|- NAME: its console is the source's.
restore() {
	vmm restore --name "$2" "$1" <"${3:-in.s}" >>out.s 2>>err.s &
	spid=$!
	haunt $spid
	goes_on out.s $spid || echo "no heartbeat after a restore"
}

# To a file and through a pipe, and from them.
save_storm() {
	fault=storm
	files
	mkfifo through
	vmm run --nodefaults --name s -m 8 -k ../beat.bin <in.s >out.s 2>err.s &
	spid=$!
	haunt $spid
	goes_on out.s $spid
	vmm save s snap 2>>sent && ended 36 $spid || echo 'not saved'
	restore snap s
	from=$spid
	vmm save s - >through 2>>sent &
	restore - p through
	ended 36 "$from" || echo 'not saved to a pipe'
	vmm save p snap 2>>sent && ended 36 $spid || echo 'not saved once more'
	restore snap s
	check_end s $spid
}

# number_of WORD: of what the kernel says of the machine's process.
number_of() {
	sed -n "s/^$1:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$spid/status"
}

used() {
	vmm list >/dev/null
	ls "/proc/$spid/fd" | wc -l
	number_of Threads
}

# Saved, and sent in vain, again and again: nothing is left of that in the machine.
save_often() {
	files
	vmm run --nodefaults --name s -m 8 -k ../beat.bin <in.s >out.s 2>err.s &
	spid=$!
	goes_on out.s $spid
	for i in $(seq 320); do
		vmm save --keep-running s snap 2>>sent || echo "save $i"
		if [ $((i % 16)) -eq 0 ] && vmm send s exec:false 2>>failed; then
			echo "sent $i"
		fi
		if [ "$i" = 20 ]; then
			used >before
			bytes=$(number_of RssAnon)
		fi
	done
	used >after
	cmp -s before after || echo "descriptors and threads: $(cat before), then $(cat after)"
	[ "$(number_of RssAnon)" -le $((bytes + 128)) ] || echo "KiB: $bytes, then $(number_of RssAnon)"
	check_end s $spid
}

# fills FOLDER: no file system has room there.
fills() {
	mkdir "$1"
	mount -t tmpfs -o size=16k,nr_inodes=4,mode=700 none "$1"
	: >"$1/a"
	: >"$1/b"
	: >"$1/c"
	! cat /dev/zero >"$1/a" 2>/dev/null
}

# Where the destination has no room for its sockets, nor for its messages, without which it can do.
space_files() {
	files
	vmm run --nodefaults --name s -m 8 -k ../beat.bin <in.s >out.s 2>err.s &
	spid=$!
	goes_on out.s $spid
	fills full
	vmm receive --name d unix:full/sock 2>err.d
	said err.d 'cannot listen at' || echo "a socket: $(cat err.d)"
	for why in 'No space left' 'cannot open full/log'; do
		case $why in
		No*) set -- "env VMM_RUNTIME_DIR=$PWD/full vmm receive --name d -" ;;
		*) set -- 'vmm receive --name d --log-file full/log -' ;;
		esac
		vmm send s "exec:$1 2>err.d" 2>sent
		[ $? -eq 5 ] || echo "$1: $(cat sent)"
		said sent 'goes on' || echo "$1: $(cat sent)"
		said err.d "$why.*its source.s still" || echo "$1: $(cat err.d)"
	done
	vmm receive --name d --log-file full/a unix:sock <in.d >out.d 2>err.d &
	dpid=$!
	until [ -S sock ]; do up $dpid || break; done
	vmm send --downtime 100s s unix:sock 2>sent || cat sent
	ended 36 $spid || echo "the source ends with $status"
	goes_on out.d $dpid || echo 'no heartbeat'
	check_end d $dpid
	umount full
}

last() {
	"${phase}_$1" >wrong 2>&1
	check "$phase, $fault ($(($(date +%s) - began)) s)" "$(cat wrong) | $(cat sent err.s)" test ! -s wrong
	# shellcheck disable=SC2086
	kill -9 $spid $dpid 2>/dev/null
}

# --- all of them ----------------------------------------------------------------------------------

one() {
	number=$1 phase=${2%%:*} fault=${2#*:}
	export VMM_RUNTIME_DIR=$PWD/run.$number
	mkdir -m 700 -p "case.$number" "$VMM_RUNTIME_DIR"
	cd "case.$number" || exit
	began=$(date +%s)
	case $phase in
	save | space)
		last "$fault"
		return
		;;
	post-* | again-*)
		one_postcopy
		return
		;;
	answers)
		answers_one
		return
		;;
	esac
	start_both
	send
	settled s $spid
	source=$now
	settled d $dpid
	destination=$now
	{
		said struck struck || echo "the phase did not come: $(cat err.link)"
		want=$(wanted)
		# shellcheck disable=SC2254 # it is a pattern
		case "$source $destination $code" in
		$want) ;;
		*) echo "wanted $want" ;;
		esac
		check_rule
		check_words
		check_going_on
	} >wrong 2>&1
	check "$phase, $fault: source $source, destination $destination, send $code ($(($(date +%s) - began)) s)" \
		"$(cat wrong) | $(cat sent err.s err.d)" test ! -s wrong
	kill -9 $spid $dpid $link 2>/dev/null
}

if [ "$1" = --one ]; then
	one "$2" "$3"
	exit 0
fi
ifconfig lo up
: >cases
for word in "${@:-matrix}"; do
	case $word in
	quick) printf '%s\n' $quick ;;
	matrix) matrix ;;
	postcopy) matrix_postcopy ;;
	answers) printf 'answers:%s\n' $answers_phases ;;
	postcopy_quick) printf '%s\n' $quick_postcopy ;;
	*:*) echo "$word" ;;
	*) echo "what is '$word'?" >&2 ;;
	esac
done | awk '{ print NR, $0 }' >cases
# What is slow because others are busy says nothing.
! grep -q answers: cases || at_once=1
xargs -r -P $at_once -n 2 sh faults.sh --one <cases | tee results
passed=$(grep -c '^ok' results)
failed=$(($(wc -l <cases) - passed))
[ -s cases ] || failed=1
summary
