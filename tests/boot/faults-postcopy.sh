# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Part of faults.sh: machines that move by post-copy. A case is post-PHASE:FAULT, or again-PHASE:FAULT for
# one whose link was lost, at its next link. Where both sides wait for a link they get one, and the guest
# goes on; where one of them has been killed the guest is lost if the other needs it, which must say so.

postcopy_phases='missing loaded commit entry want push last complete'
again_phases='hello lacks recovering last complete'
quick_postcopy='post-commit:reset post-push:half again-lacks:garbage post-want:kill-destination'

matrix_postcopy() {
	for fault in $faults; do
		for phase in $postcopy_phases; do
			echo "post-$phase:$fault"
		done
		for phase in $again_phases; do
			echo "again-$phase:$fault"
		done
	done
	printf '%s\n' post-entry:storm again-recovering:storm
}

# What must become of both, and of `vmm send`, as patterns.
wanted_postcopy() {
	case $phase:$fault in
	*:none | *:storm | *:stop-*) echo ended running 0 ;;
	*:no-space-*) echo '* * *' ;;
	# What had gone out is all that it takes to load it.
	post-missing:kill-source) echo 'ended [ep]* 6' ;;
	post-missing:*) echo running ended 5 ;;
	post-loaded:kill-source) echo ended postcopy-paused 6 ;;
	# Whether that is seen before the commit goes out.
	post-loaded:kill-destination) echo '[rp]* ended [56]' ;;
	post-loaded:garbage) echo running ended 5 ;;
	post-loaded:*) echo running postcopy-paused 5 ;;
	# All of memory has come.
	*-last:kill-source | *-complete:kill-source) echo ended running 6 ;;
	*-complete:kill-destination) echo ended ended 0 ;;
	*-complete:*) echo postcopy-paused running 6 ;;
	*:kill-source) echo ended postcopy-paused 6 ;;
	*:kill-destination) echo postcopy-paused ended 6 ;;
	*) echo postcopy-paused postcopy-paused 6 ;;
	esac
}

# Never two; and none only where one of them was killed.
check_rule_postcopy() {
	case $source:$destination:$code in
	running:ended:5 | running:postcopy-paused:5 | ended:running:0) ;;
	postcopy-paused:postcopy-paused:6 | postcopy-paused:running:6) ;;
	ended:running:6) [ "$fault" = kill-source ] || echo 'the source has gone' ;;
	ended:*) [ "$fault" = kill-source ] || [ "$fault:$code" = kill-destination:0 ] || echo 'none runs' ;;
	*:ended:*) [ "$fault" = kill-destination ] || echo 'none runs' ;;
	*) echo "these do not fit" ;;
	esac
	check_source
}

# Each side that has not been killed says whose the guest is, and what to do.
check_words_postcopy() {
	case $source in
	running) said sent 'goes on' || echo 'vmm send does not say whose it is' ;;
	postcopy-paused)
		said sent 'runs at the destination|was told to go on|has not said that it has all' || echo 'vmm send does not say whose it is'
		said err.s 'its memory is kept here: vmm send --recover' || echo 'the source does not say what to do'
		;;
	esac
	case $destination:$fault in
	postcopy-paused:*)
		said err.d 'the guest stands still, .*: vmm receive --recover' || echo 'the destination does not say what to do'
		;;
	ended:kill-*) ;;
	ended:*) [ "$source" != running ] || said err.d 'its source.s still|stays where it was' ||
		echo 'the destination does not say whose it is' ;;
	esac
	[ "$fault" != kill-source ] || said sent 'ended without a word' || echo 'vmm send does not say that the source has ended'
}

# no WHY COMMAND...: vmm refuses that, and says why.
no() {
	why=$1
	shift
	if vmm "$@" 2>refused; then
		echo "vmm $*: done"
	else
		said refused "$why" || echo "vmm $*: $(cat refused)"
	fi
}

# again [OPTION OF linkfault]: another link; $code, and $received of the other side.
again() {
	port=$((7000 + number))
	vmm receive --recover d "tcp:127.0.0.1:$port" 2>received &
	receiver=$!
	listens $port $receiver
	if [ $# -gt 0 ]; then
		../linkfault $((17000 + number)) $port "$@" $spid $dpid >struck 2>err.link &
		link=$!
		listens $((port += 10000)) $link
	fi
	vmm send --recover s "tcp:127.0.0.1:$port" >json 2>sent
	code=$?
	wait $receiver
	received=$?
}

check_recovers() {
	again
	[ "$code:$received" = 0:0 ] || echo "not recovered: $code, $received, $(cat sent received)"
	ended 36 $spid || echo "the source ends with $status"
}

# One goes on, at a person's word where that is needed.
check_going_on_postcopy() {
	owner=d
	case $source:$destination in
	postcopy-paused:postcopy-paused) check_recovers ;;
	postcopy-paused:running)
		no 'runs at the destination' resume --take-ownership s
		no 'all of its memory is here; if its source waits still: vmm stop --force there' receive --recover d exec:true
		no '--force' stop s
		vmm stop --force s
		ended 36 $spid || echo "the source ends with $status"
		;;
	running:*)
		owner=s
		[ "$destination" = ended ] || no '--force' stop d
		[ "$destination" = ended ] || vmm stop --force d
		;;
	postcopy-paused:ended)
		owner=s
		if tail -n 1 err.s | grep -q 'take-ownership'; then
			take s
		else
			no 'runs at the destination' resume --take-ownership s
			no '--force' stop s
			vmm stop --force s
			ended 36 $spid || echo "the source ends with $status"
			return
		fi
		;;
	ended:postcopy-paused)
		no 'waits for its memory' resume --take-ownership d
		no '--force' stop d
		vmm stop --force d
		ended 143 $dpid || echo "the destination ends with $status"
		return
		;;
	ended:ended) return ;;
	esac
	eval "mine=\$${owner}pid"
	goes_on out.$owner "$mine" || echo "$owner has no heartbeat"
	check_end $owner "$mine"
}

# busily OPTION...: `vmm send` in the background, as $client. Much of memory is written while the first round
# goes, so that it has to follow; then little, or the guest there would ask for all of it, page by page.
busily() {
	printf w >in.s
	more=$(($(beats out.s) + 3))
	until [ "$(beats out.s)" -ge $more ]; do up $spid || break; usleep 100000; done
	vmm send --downtime 100s --bandwidth 512K "$@" s "tcp:127.0.0.1:$((17000 + number))" >json 2>sent &
	client=$!
	more=$(($(beats out.s) + 3))
	until said struck struck || { said sent '^round' && [ "$(beats out.s)" -ge $more ]; }; do
		up $spid && up $client || break
		usleep 10000
	done
	case $phase:$fault in
	*post-want*) ;;
	*) printf c >in.s ;;
	esac
}

send_postcopy() {
	listens $((17000 + number)) $link
	busily --postcopy
	wait $client
	code=$?
}

# settled_postcopy: as they are when nothing more comes.
settled_postcopy() {
	settled s $spid
	source=$now
	settled d $dpid
	destination=$now
	# It runs, but its link may be lost for all that it knows; at last it knows.
	while [ "$destination" = running ] && ! said err.d 'all of the guest.s memory is here'; do
		settled d $dpid
		destination=$now
		[ $(($(date +%s) - began)) -lt 200 ] || destination='running, without all of its memory'
	done
}

feed() {
	case $fault in
	no-space-*) ../linkfault 0 0 listen "${fault#no-}" "$spid" "$dpid" >fed 2>&1 ;;
	esac
}

one_postcopy() {
	label=${phase#*-}
	case $phase in
	post-*)
		start_both "$label"
		send_postcopy
		;;
	*)
		start_both push reset
		send_postcopy
		settled_postcopy
		[ "$source:$destination:$code" = postcopy-paused:postcopy-paused:6 ] || echo "not lost: $source, $destination, $code" >lost
		again "$label" "$none"
		;;
	esac
	feed
	settled_postcopy
	ends="source $source, destination $destination, send $code"
	{
		[ ! -e lost ] || cat lost
		said struck struck || echo "the phase did not come: $(cat err.link)"
		want=$(wanted_postcopy)
		# shellcheck disable=SC2254 # it is a pattern
		case "$source $destination $code" in
		$want) ;;
		*) echo "wanted $want" ;;
		esac
		check_rule_postcopy
		check_words_postcopy
		check_going_on_postcopy
	} >wrong 2>&1
	check "$phase, $fault: $ends ($(($(date +%s) - began)) s)" \
		"$(cat wrong) | $(cat sent err.s err.d)" test ! -s wrong
	kill -9 $spid $dpid $link 2>/dev/null
}
