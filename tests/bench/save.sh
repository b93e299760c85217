# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# Saving, restoring and sending: until the guest's first instruction, and how long it stands still.

unset VMM_RUNTIME_DIR XDG_RUNTIME_DIR
mkdir -p /run
tracing=/sys/kernel/tracing
pages=4096 # that the guest has filled

# start COMMAND...: a machine that waits for its byte.
start() {
	rm -f hold
	mkfifo hold
	exec 4<>hold
	: >out
	vmm "$@" <hold >out 2>err &
	pid=$!
}

begin() {
	start run --nodefaults --name bench -k byte.bin "$@"
	until grep -q ready out; do usleep 1000; done
}

finish() {
	echo x >&4
	wait $pid
	exit_status=$?
	exec 4>&-
	[ $exit_status -eq 0 ] || { printf 'fail\t%s\tstatus %s: %s\n' "$part" $exit_status \
		"$(tail -n 2 err | tr '\n\t' '  ')"; exit 1; }
}

# number FIELD: of the JSON object in the file json.
number() {
	sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" json
}

# events 0|1: those that first() reads.
events() {
	for event in sched/sched_process_exec sched/sched_switch kvm/kvm_entry; do
		echo "$1" >$tracing/events/$event/enable
	done
}

# first COMMAND...: instructions from exec to the first entry into the guest, in $cost. What the host
# idles meanwhile, its grace periods, is not in it.
first() {
	echo >$tracing/trace
	events 1
	start "$@"
	finish
	events 0
	cost=$(awk '
		{ for (i = 1; $i !~ /^[0-9]+\.[0-9]+:$/ && i < NF; i++); at = $i + 0 }
		/sched_process_exec:.*bin\/vmm / { began = at; idle = 0 }
		/sched_switch: prev_comm=swapper/ { idle += at - asleep }
		/ next_comm=swapper/ { asleep = at }
		/kvm_entry:/ { printf "%.0f\n", (at - began - idle) * 1000000000; exit }' $tracing/trace)
}

# entered SERIES COMMAND...: a sample of that; the first round warms the caches.
entered() {
	series=$1
	shift
	first "$@"
	[ $round -eq 1 ] || sample "first $mib" "$series" "$cost"
}

entries() {
	entered cold run --nodefaults -m $mib -k byte.bin
	entered whole restore snap
	entered lazy restore --lazy snap
	entered clone restore --clone snap
}

# How long a machine stands still that is saved, and how much is written of what it has in use.
saved() {
	begin -m $mib -p dirty=$pages
	vmm save --json bench snap >json 2>err
	wait $pid
	exec 4>&-
	[ $round -eq 1 ] || sample "save $mib" down $(($(number down_us) * 1000))
	number bytes >bytes
}

# figure NAME UNIT VALUE: with nothing to compare it to.
figure() {
	printf 'result\t%s\t%s\t%s\tnone\t0\tmeasured\n' "$1" "$2" "$3"
}

# in_use NAME BYTES: against what the guest has filled.
in_use() {
	printf 'result\t%s\tbytes\t%s\tin use\t%s\tmeasured\n' "$1" "$2" $((pages * 4096))
}

# sent NAME OPTION...: to another vmm here.
sent() {
	name=$1
	shift
	begin -m 256 "$@"
	vmm receive --name there unix:sock <hold >out.there 2>err.there &
	there=$!
	until [ -S sock ]; do usleep 1000; done
	vmm send --json bench unix:sock >json 2>err.send
	wait $pid
	pid=$there
	finish
	figure "send, $name: standing still" us "$(number down_us)"
	figure "send, $name: in all" us "$(number total_us)"
	figure "send, $name: rounds" rounds "$(number rounds)"
	in_use "send, $name: bytes" "$(number bytes)"
}

# Of Linux, from its kernel's file, and from where it has come to a shell.
linux() {
	mib=Linux
	params='console=ttyAMA0 quiet'
	set -- --nodefaults --name bench -m 256 -k Image -i initrd.gz
	start run "$@" -p "$params shell"
	until grep -aq '^report: end' out; do usleep 10000; done
	vmm save bench snap 2>err
	wait $pid
	exec 4>&-
	for round in 1 2; do
		entered cold run "$@" -p "$params"
		entered lazy restore --lazy snap
	done
	compare 'first Linux' instructions lazy cold 'cold start' ', lazy'
}

# The oldest events are kept, of those that follow.
echo 8192 >$tracing/buffer_size_kb
echo 0 >$tracing/options/overwrite
for mib in 256 2048; do
	repeat 3 saved
	in_use "save of $mib MiB" "$(cat bytes)"
	figure "save of $mib MiB, standing still" instructions "$(median "save $mib" down)"
	repeat 3 entries
	for series in whole lazy clone; do
		compare "first $mib" instructions $series cold 'cold start' ", $series"
	done
done
linux
sent idle -p dirty=$pages
sent 'under load' -p "dirty=$pages load=1024"
