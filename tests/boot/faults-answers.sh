# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Part of faults.sh: a link that carries nothing, from a phase on, until both machines have been asked how
# they are: within a second, by the clock of the host. A case is answers:PHASE, or answers:post-PHASE.

answers_phases='connect check first round pause vcpu gic device loaded commit entry
	post-missing post-loaded post-commit post-entry post-want post-push post-last post-complete'

# now: hundredths of a second.
now() {
	read -r up rest </proc/uptime
	echo "${up%.*}${up#*.}"
}

# asked MOST COMMAND...: what vmm says, or its refusal, is in `answer`; longer than that is too long.
asked() {
	most=$1 asked_at=$(now)
	shift
	vmm "$@" >answer 2>&1
	took=$(($(now) - asked_at))
	[ $took -le "$most" ] || echo "vmm $*: $took/100 s: $(cat answer)"
	slowest=$((took > slowest ? took : slowest))
}

# ask_all MOST: each in a state that it can be in, and at any rate not too busy to say so.
ask_all() {
	asked "$1" list
	said answer '^s .* (running|moving|postcopy)$' || echo "vmm list: $(cat answer)"
	! grep -q '^d ' answer || said answer '^d .* (arriving|running)$' || echo "vmm list: $(cat answer)"
	asked "$1" stat s
	said answer 'cpus|handed over' || echo "vmm stat s: $(cat answer)"
	asked "$1" stat d
	said answer 'cpus|not arrived|late|no machine' || echo "vmm stat d: $(cat answer)"
}

answers_one() {
	slowest=0 how=
	case $fault in
	post-*) how=--postcopy ;;
	esac
	start_both "${fault#post-}" hold
	listens $((17000 + number)) $link
	# What the commands cost by themselves.
	ask_all 1000 >alone
	alone=$slowest slowest=0
	# shellcheck disable=SC2086
	busily $how
	until said struck struck; do up $link && up $client || break; usleep 10000; done
	ask_all $((100 + alone)) >wrong 2>&1
	ask_all $((100 + alone)) >>wrong 2>&1
	kill -USR1 $link
	wait $client
	code=$?
	{
		said struck struck || echo "the phase did not come: $(cat err.link)"
		[ $code = 0 ] || echo "send $code"
		ended 36 $spid || echo "the source has ended with $status"
		goes_on out.d $dpid || echo 'no heartbeat'
		check_end d $dpid
	} >>wrong 2>&1
	check "answers, $fault: the slowest took $slowest/100 s, alone $alone/100 s" "$(cat wrong alone) | $(cat sent err.s err.d)" test ! -s wrong
	kill -9 $spid $dpid $link 2>/dev/null
}
