#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: machines that are saved and restored. Arguments: the groups of cases to
# run, and `hops=N`.

suite=save
# shellcheck source=tests/lib.sh
. ./lib.sh
# shellcheck source=tests/boot/save-preflight.sh
. ./save-preflight.sh
unset VMM_RUNTIME_DIR XDG_RUNTIME_DIR
mkdir -p /run
hops=20 linux_hops=3

# --- guests that check themselves ------------------------------------------------------------------

# hopping GUEST HOPS OPTION...: saved and restored so often.
hopping() {
	guest=$1 wanted=$2
	shift 2
	fresh
	start run --nodefaults --name hop -m 4 -k "$guest.bin" "$@"
	n=1
	while [ $n -le "$wanted" ]; do
		line out "hop $n" || break
		vmm save hop snap >saved 2>&1 && ended 36 || break
		start restore snap
		printf x >&4
		n=$((n + 1))
	done
	line out "hop $n" && printf x >&4 && line out "hop $((n + 1))" && printf q >&4
	ended 0
	fails=$(grep -ac '^FAIL' out)
	check "$guest: $wanted hops $*" "hop $n, $fails failures, status $status: $(grep -a -m 1 ^FAIL out) $(tail -n 3 err saved)" \
		test "$n" -gt "$wanted" -a "$fails" -eq 0 -a $status -eq 0
}

registers() {
	hopping hop "$hops" -p "$(lpis "$@")" "$@"
	ids=$(tr -d '\r' <out | grep -ax 'generation .*' | sort -u | wc -l)
	check "$hops generations $*" "$ids of them" test "$ids" -eq "$hops"
}

# What waits: interrupts of each kind, LPIs of either ITS too where nothing else is asked for and the host
# has one, and what the guest's own debugger has set. 6.1 does not let the physical timer be saved.
pending() {
	if [ $# -eq 0 ] && grep -q GICv3 /proc/interrupts; then
		pending --irqchip gicv3-its
		pending --irqchip gicv3-its --its user
		hopping hop_debug $(((hops + 3) / 4))
		return
	fi
	params=$(lpis "$@")
	case "$(uname -r) $*" in
	6.1.*|*gicv2-user*) ;;
	*) params="$params cntp=1" ;;
	esac
	hopping hop_irqs $(((hops + 3) / 4)) -p "$params" "$@"
	[ $# -gt 0 ] || hopping hop_debug $(((hops + 3) / 4))
}

# --- many of one ------------------------------------------------------------------------------------
# Each has its own console; the pipe `in` is for one machine alone.
clone() {
	name=$1
	shift
	rm -f "in.$name"
	mkfifo "in.$name"
	: >"out.$name"
	sh -c 'exec 5<>"in.$0"; exec timeout 120 vmm restore --clone "$@" <&5 >"out.$0" 2>"err.$0"' "$name" "$@" &
	eval "pid_$name=$!"
}

# said NAME PATTERN: waits for a line of the clone's.
said() {
	eval "pid=\$pid_$1"
	line "out.$1" "$2"
}

clones() {
	fresh
	start run --nodefaults --name origin -m 4 -k hop.bin
	origin=$pid
	line out 'hop 1'
	vmm save --keep-running origin snap 2>err.save
	check 'save --keep-running' "$(cat err.save)" going origin
	names='a b c d e'
	for name in $names; do
		clone "$name" --name "clone-$name" snap
	done
	clone other snap
	for name in $names other; do
		until [ -p "in.$name" ]; do :; done
		printf x >"in.$name"
		said "$name" 'hop 2'
	done
	check 'clones run beside each other, and their origin' "$(vmm list)" \
		test "$(vmm list | grep -cE '^(origin|clone-[a-e]|vmm-[0-9]+) .*running')" -eq 7
	cat out.? out.other | tr -d '\r' | grep -ax 'generation .*' | sort -u >generations
	check 'each has a generation of its own' "$(cat generations)" test "$(wc -l <generations)" -eq 6
	check 'their memory is the file' "$(ls)" \
		test "$(cat /proc/[0-9]*/maps 2>/dev/null | grep -c '/snap$')" -ge 6
	for name in $names other; do
		printf x >"in.$name"
		said "$name" 'hop 3'
		printf q >"in.$name"
		eval "wait \$pid_$name"
		echo $?
	done >codes
	check 'each ends as it should' "$(cat codes) $(cat err.*)" test "$(tr -d '\n' <codes)" = 000000
	cat out.* | grep -a '^FAIL' >failures
	check 'no clone fails' "$(cat failures)" test ! -s failures
	printf q >&4
	pid=$origin
	ended 0
	refuse '--clone from a pipe' 2 'pipe' restore --clone -
	head -c 65536 /dev/zero >disk
	fresh
	start run --nodefaults --name disk -m 4 -k hop.bin -d disk
	line out 'hop 1'
	refuse '--keep-running with a disk' 2 'snapshot=on' save --keep-running disk snap2
	vmm save disk snap2 2>err.save
	ended 36
	refuse '--clone with a disk' 2 'disk-overlay' restore --clone snap2
	refuse '--disk-overlay nowhere' 2 'nowhere' restore --clone --disk-overlay nowhere snap2
	check '--clone --disk-overlay' "$(vmm restore --check --clone --disk-overlay . snap2 2>&1)" \
		vmm restore --check --clone --disk-overlay . snap2
	vmm test --from-snapshot snap --name hop --repeat 8 --send 'x@' --expect 'hop 2' >report 2>&1
	check 'vmm test --from-snapshot' "$(cat report)" test $? -eq 0
	check 'eight of them' "$(cat report)" grep -q '^8 passed, 0 failed' report
	vmm test --from-snapshot snap --expect 'hop 2' --timeout 1s >report 2>&1
	check 'vmm test --from-snapshot, in vain' "$(cat report)" test $? -eq 124
	flip snap $(($(stat -c %s snap) - 200000))
	refuse 'vmm test --from-snapshot, damaged' 3 'memory does not hold' test --from-snapshot snap --expect x
}

# A machine that goes on writing, and what was saved of it: each over one image, which stays as it was.
frozen() {
	fresh
	head -c 262144 /dev/zero >disk
	start run --nodefaults --name frozen -m 4 -k disk.bin -d disk
	origin=$pid
	line out 'wrote 1'
	refuse '--disk-overlay nowhere' 2 'nowhere' save --keep-running --disk-overlay nowhere frozen snap
	refuse '--disk-overlay at the end' 2 'keep-running' save --disk-overlay . frozen snap
	refuse '--disk-overlay to a file' 2 'overlay' save --keep-running --disk-overlay ./disk frozen snap
	check 'goes on after that' "$(vmm list)" going frozen
	printf x >&4
	line out 'wrote 2'
	check 'on the image itself' "$(hexdump disk | head)" \
		test "$(dd if=disk bs=512 skip=16 count=1 2>/dev/null | hexdump -n 1 -e '1/1 "%u"')" = 2
	mkdir -p small
	mount -t tmpfs -o size=16k none small
	vmm save --keep-running --disk-overlay . frozen small/snap 2>err.save
	check 'no room for the snapshot' "$(cat err.save)" test $? -eq 4
	umount small
	printf x >&4
	line out 'wrote 3'
	check 'then nothing is frozen' "$(hexdump disk | head)" \
		test "$(dd if=disk bs=512 skip=24 count=1 2>/dev/null | hexdump -n 1 -e '1/1 "%u"')" = 3
	vmm save --json --keep-running --disk-overlay . frozen snap >json 2>err.save
	check 'save --keep-running --disk-overlay' "$(cat json err.save)" grep -q '"ok":true' json
	sum=$(md5sum <disk)
	refuse 'the image is in use' 2 'in use' restore --name other snap
	printf x >&4
	line out 'wrote 4'
	for name in a b; do
		clone $name --name frozen-$name --disk-overlay . snap
	done
	for name in a b; do
		until [ -p "in.$name" ]; do :; done
		printf x >"in.$name"
		said $name 'wrote 4' && printf x >"in.$name" && said $name 'wrote 5'
	done
	pid=$origin
	line out 'wrote 4' && printf x >&4 && line out 'wrote 5'
	check 'three machines over one image' "$(vmm list)" \
		test "$(vmm list | grep -cE '^frozen.* running')" -eq 3
	for name in a b; do
		printf q >"in.$name"
		eval "wait \$pid_$name"
		echo $?
	done >codes
	check 'the copies end' "$(cat codes err.a err.b)" test "$(tr -d '\n' <codes)" = 00
	# Saved again it takes along what is in its overlay.
	vmm save frozen again 2>err.save
	check 'saved again' "$(cat err.save)" ended 36
	start restore again
	printf x >&4
	line out 'wrote 6' && printf q >&4
	check 'its overlay goes along' "$(cat out err)" ended 0
	check 'the image is as it was saved' "$(ls -l disk)" test "$(md5sum <disk)" = "$sum"
	start restore snap
	printf x >&4
	line out 'wrote 4' 2 && printf q >&4
	check 'and fits what was saved' "$(cat out err)" ended 0
	check 'written to at last' 'it is not' test "$(md5sum <disk)" != "$sum"
	check 'nobody misses anything' "$(cat out out.a out.b | grep FAIL)" \
		sh -c '! cat out out.a out.b | grep -qa FAIL'
}

# A test that wants its machine moved, and to be told of it, as those of kvm-unit-tests do: with an SGI, an
# SPI, the timer's PPI and, where there is an ITS, an LPI pending.
moved_with() {
	vmm test --nodefaults --name moved -m 4 -k hop.bin -p "$(lpis "$@")" "$@" --migrate-on '^hop [1-3]$' \
		--send 'x@^hop 1$' --send 'x@^hop 2$' --send 'x@^hop 3$' --expect '^hop 4$' --reject '^FAIL' \
		>report 2>&1
	check "vmm test --migrate-on $*" "$(cat report)" test $? -eq 0
}

moved() {
	with_irqchips moved_with
	vmm test --nodefaults --name moved -m 4 -k hop.bin --migrate-on '^hop 1$' --timeout 3s \
		--expect '^hop 2$' >report 2>&1
	check 'vmm test --migrate-on, in vain' "$(cat report)" test $? -eq 124
}

now_ms() {
	awk '{ print int($1 * 1000) }' /proc/uptime
}

# The counter stands still while the machine is saved, or has gone on meanwhile.
clock() {
	for policy in stop advance; do
		fresh
		start run --nodefaults --name clock -m 4 -k hop.bin
		began=$(now_ms)
		line out 'hop 1'
		vmm pause clock
		sleep 1
		vmm save clock snap 2>err.save
		ended 36
		sleep 1
		start restore --clock $policy snap
		printf x >&4
		line out 'physically [0-9]* ms'
		wall=$(($(now_ms) - began))
		line out 'hop 2'
		printf q >&4
		ended 0
		took=$(tr -d '\r' <out | sed -n 's/^took \([0-9]*\) ms$/\1/p' | head -n 1)
		case $policy in
		stop) check "--clock stop" "$took of $wall ms" test "$took" -le $((wall - 2000)) ;;
		advance) check "--clock advance" "$took of $wall ms" test "$took" -ge 2000 ;;
		esac
		physically=$(tr -d '\r' <out | sed -n 's/^physically \([0-9]*\) ms$/\1/p' | head -n 1)
		[ "${1-}" != both ] || check "--clock $policy, both counters" "$physically and $took ms" \
			test "$physically" -ge "$took" -a "$physically" -lt $((took + 800))
	done
}

# On a CPU without CNTPOFF_EL2, which QEMU has, and ignores in the guest, and a host kernel that can set it.
counters() {
	clock both
}

# --- Linux ------------------------------------------------------------------------------------------
# A Debian guest under load: its disk, its memory and its console go on as if nothing had been.
linux() {
	case " $* " in
	*\ -d\ *) ;;
	*) set -- -d a.ext4 "$@" ;;
	esac
	fresh
	start run --name linux -k Image -i initrd -m 256 -c 2 -p "console=ttyAMA0 quiet t2=hop" "$@"
	n=0 tick=2
	while line out "tick $tick" && [ $n -lt "$linux_hops" ]; do
		vmm save linux snap >saved 2>&1 && ended 36 || break
		start restore snap
		n=$((n + 1))
		tick=$(($(tr -d '\r' <out | sed -n 's/^tick //p' | tail -n 1) + 2))
	done
	printf 'off\n' >&4
	ended 0
	tr -d '\r' <out >lines
	check "linux: $linux_hops hops $*" "hop $n, status $status: $(tail -n 5 out) $(cat saved err)" \
		test "$n" -eq "$linux_hops" -a $status -eq 0
	check 'linux: files and memory are whole' "$(grep -a '^hop:' lines)" \
		test "$(grep -a '^hop:' lines | head -n 1)" = 'hop: whole'
	check 'linux: new random numbers after each hop' "$(grep -a '^hop:' lines)" \
		grep -qx "hop: reseeded $linux_hops times" lines
	no_gap 'linux: no tick is missing' tick
	no_gap 'linux: the console has no gap' line
}

# What the guest writes goes along, and the image stays as it was.
overlay() {
	sum=$(md5sum <a.ext4)
	linux -d a.ext4,snapshot=on
	check 'overlay: the image is as it was' 'it is not' test "$(md5sum <a.ext4)" = "$sum"
}

# Under every kind of interrupt controller: what is pending in it goes along, LPIs where there are any.
irqchips() {
	with_irqchips registers
	with_irqchips pending
	with_irqchips linux
}

# --- the same, saved twice ------------------------------------------------------------------------------

# equal NAME PATTERN OPTION...: a machine that has said so is saved, restored and saved again without its
# CPUs having run: both files are the same, but for where they differ by nature.
equal() {
	case_of=$1 pattern=$2
	shift 2
	fresh
	rm -f snap1 snap2
	start run --name same "$@"
	line out "$pattern"
	vmm save same snap1 >saved 2>&1 && ended 36 && start restore --paused snap1 && state same paused &&
		vmm save same snap2 >saved 2>&1
	ended 36
	for file in snap1 snap2; do
		vmm inspect --registers $file >$file.txt
	done
	# What else is in the pending tables of LPIs, in its memory, is the kernel's.
	case $case_of in
	'Linux, pci') files='snap1.txt snap2.txt' ;;
	*) files='snap1 snap2' ;;
	esac
	# shellcheck disable=SC2086
	check "saved twice: $case_of" "status $status: $(diff -U 0 snap1.txt snap2.txt | grep '^[-+] *[^-+]' | head -n 10; cmp -l snap1 snap2 | awk '{ print int($1 / 4096) }' | uniq -c | head -n 5) $(tail -n 3 saved err)" \
		cmp -s $files
}

# every NAME PATTERN OPTION...: with every controller that this host has.
every() {
	label=$1
	shift
	kinds='gicv2-user'
	vmm check >checked
	! grep -q '^gicv2: yes' checked || kinds="$kinds gicv2 gicv2m"
	! grep -q '^gicv3: yes' checked || kinds="$kinds gicv3"
	! grep -q '^its: yes' checked || kinds="$kinds gicv3-its"
	for kind in $kinds; do
		equal "$label, $kind" "$@" --irqchip $kind
	done
	! grep -q '^its: yes' checked || {
		equal "$label, its user" "$@" --irqchip gicv3-its --its user
		equal "$label, pci" "$@" --irqchip gicv3-its --virtio-transport pci
	}
}

same() {
	head -c 65536 /dev/zero >disk
	every tiny 'hop 1' -m 4 -k hop.bin -c 2 --pmu -d disk --balloon 3M --port name=log,file=port.log
}

same_linux() {
	every Linux 'tick 3' -k Image -i initrd -m 256 -c 2 -p 'console=ttyAMA0 quiet t2=hop' --pmu -d a.ext4 \
		--balloon 240M --port name=log,file=port.log
}

# --- what is in the file ---------------------------------------------------------------------------
files() {
	fresh
	start run --nodefaults --name file -m 4 -k hop.bin
	line out 'hop 1'
	vmm pause file
	vmm save --json --keep-running file snap1 >json 2>err.save
	check 'save --json' "$(cat json err.save)" grep -qE '^\{"ok":true,"bytes":[0-9]+,"down_us":[0-9]+\}$' json
	check 'goes on, paused' "$(vmm list)" sh -c 'vmm list | grep -q "^file .*paused"'
	vmm save file snap2 2>err.save
	check 'ends when saved' "status $status" ended 36
	check 'two saves of a machine that stands still are equal' 'they differ' cmp snap1 snap2
	start restore --paused snap2
	state file paused
	vmm save file snap3 2>err.save
	ended 36
	for n in 1 3; do vmm inspect --registers snap$n >inspected$n; done
	check 'save, restore --paused, save' "$(diff inspected1 inspected3 | grep '^[<>+-]')" cmp snap1 snap3
	check 'the temporary file is gone' "$(ls -a)" sh -c '! ls -a | grep -q vmm-save'
	vmm inspect --registers snap1 >inspected
	for pattern in 'section: vcpu/0, version 1, .*' ' *MIDR_EL1 +0x[0-9a-f]{16}' ' *CNTV_CVAL_EL0 .*' \
		' *x0 .*' 'memory: 4096 KiB at 0x40000000' 'kernel hop.bin'; do
		check "inspect: $pattern" "$(head -n 20 inspected)" grep -qxE -e "$pattern" inspected
	done
	vmm inspect --json snap1 >inspected
	for pattern in '{"machine":{"irqchip":"[a-z0-9-]*","psci_version":"[0-9.]*"' '"options":\["nodefaults","name file",' \
		'{"name":"vcpu/0","version":1,"bytes":[0-9]*,"checksum":"0x[0-9a-f]*","optional":false}' \
		'"memory":\[.*{"address":"0x40000000","bytes":4194304}\]}$'; do
		check "inspect --json: $pattern" "$(cut -c 1-400 inspected)" grep -q "$pattern" inspected
	done
	vmm inspect --json --registers snap1 >inspected
	check 'inspect --json --registers' "$(cut -c 1-400 inspected)" \
		grep -qE '"registers":\{.*"MIDR_EL1":"0x[0-9a-f]{16}".*"x0":"0x' inspected
	check 'restore --check --json' "$(vmm restore --check --json snap1 2>&1)" sh -c \
		'vmm restore --check --json snap1 | grep -qxE "\{\"ok\":true,\"bytes\":[0-9]+,\"total_us\":[0-9]+,\"lazy\":false\}"'
	start restore --json --name other --lazy snap1
	state other running
	printf x >&4
	line out 'hop 2' && printf x >&4 && line out 'hop 3' && printf q >&4
	check 'restore --lazy, by another name' "$(cat out err)" ended 0
	check 'restore --json' "$(cat err)" grep -qxE '\{"ok":true,"bytes":0,"total_us":[0-9]+,"lazy":true\}' err
	# A reset starts the kernel that it was started with.
	start restore snap1
	printf x >&4
	line out 'hop 2' 2
	vmm reset file
	line out 'hop 1' 2 && printf x >&4 && line out 'hop 2' 3 && printf q >&4
	check 'reset after a restore' "$(cat out err)" ended 0
}

# refuse NAME CODE PATTERN COMMAND...: the command ends with CODE and says a line like PATTERN.
refuse() {
	case_name=$1 want=$2 pattern=$3
	shift 3
	timeout 60 vmm "$@" <in >out 2>err
	status=$?
	if [ $status -ne "$want" ]; then
		fail "$case_name" "exit status $status, not $want" out err
	elif ! grep -qE -e "$pattern" err; then
		fail "$case_name" "no line is like '$pattern'" err
	else
		pass "$case_name"
	fi
}

# flip FILE OFFSET [BIT]: changes a bit, the lowest by default, of the byte there.
flip() {
	byte=$(dd if="$1" bs=1 skip="$2" count=1 2>/dev/null | hexdump -e '1/1 "%u"')
	# shellcheck disable=SC2059
	printf "\\$(printf %03o $((byte ^ 1 << ${3:-0})))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# Through a pipe, to a machine that starts while the other one still writes.
pipes() {
	fresh
	start run --nodefaults --name pipe -m 4 -k hop.bin
	line out 'hop 1'
	first=$pid
	mkfifo through
	timeout 60 vmm restore --json --name piped - <through >>out 2>>err &
	pid=$!
	vmm save pipe - >through 2>err.save
	check 'save to a pipe' "$(cat err.save)" test $? -eq 0
	wait $first
	check 'ends when sent' "status $?" test $? -eq 36
	state piped running
	check 'restore from a pipe' "$(cat out err)" test "$(vmm list | grep -c '^piped .*running')" -eq 1
	check 'restore from a pipe: --json' "$(cat err)" grep -q '"ok":true,"bytes":[1-9]' err
	vmm save piped file 2>err.save
	ended 36
	start restore file
	printf x >&4
	line out 'hop 2' && printf x >&4 && line out 'hop 3' && printf q >&4
	check 'and on from a file' "$(cat out err)" ended 0
	start run --nodefaults --name pipe -m 4 -k hop.bin
	line out 'hop 1' 2
	# A reader that comes and goes before anything is written.
	: <through &
	reader=$!
	exec 7>through
	wait $reader
	vmm save pipe - >&7 2>err.save
	check 'a broken pipe' "$(cat err.save)" test $? -eq 4
	exec 7>&-
	check 'ends nothing' "$(vmm list)" test "$(vmm list | grep -c '^pipe .*running')" -eq 1
	vmm save pipe - 2>err.save | cat >whole
	ended 36
	for cut in 10 100 $(($(stat -c %s whole) / 2)) $(($(stat -c %s whole) - 1)); do
		head -c "$cut" whole | timeout 60 vmm restore - >/dev/null 2>err
		check "a stream of $cut bytes" "$(cat err)" grep -q 'ends too soon' err
	done
	refuse '--lazy from a pipe' 2 'pipe' restore --lazy -
}

# going NAME: the machine is still there, and runs.
going() {
	test "$(vmm list | grep -c "^$1 .*running")" -eq 1
}

# A snapshot that nobody keeps costs no machine; nothing is left of it.
kept() {
	fresh
	start run --nodefaults --name kept -m 4 -k hop.bin -p dirty=128
	line out 'hop 1'
	mkdir -p folder small
	vmm save kept folder >err.save 2>&1
	check 'to a folder' "$(cat err.save)" test $? -eq 4
	check 'to a folder: the machine goes on' "$(vmm list)" going kept
	mount -t tmpfs -o size=64k none small
	vmm save kept small/snap >err.save 2>&1
	check 'a full disk' "$(cat err.save)" test $? -eq 4
	check 'a full disk, said' "$(cat err.save)" grep -q 'No space left' err.save
	check 'a full disk: the machine goes on' "$(vmm list)" going kept
	check 'a full disk: nothing is left' "$(ls -A small)" test -z "$(ls -A small)"
	umount small
	# A reader that takes nothing of a full pipe, and a client that is killed meanwhile.
	rm -f through
	mkfifo through
	exec 8<>through
	head -c 61440 /dev/zero >&8
	vmm save kept - >through 2>/dev/null &
	client=$!
	while going kept; do :; done
	kill -9 $client
	until going kept; do kill -0 $pid || break; done
	check 'a killed client, a stuck reader' "$(vmm list) $(cat err)" going kept
	exec 8>&-
	check 'nothing is left' "$(ls -A)" test "$(ls -A | grep -c vmm-save)" -eq 0
	printf q >&4
	check 'and it goes on' "$(cat err)" ended 0
	# A machine that may write no long files (ulimit -f) is asked for one.
	fresh
	ulimit -S -f 64
	start run --nodefaults --name kept -m 4 -k hop.bin -p dirty=128
	ulimit -S -f unlimited
	line out 'hop 1'
	vmm save kept snap >err.save 2>&1
	check 'a file too long' "$(cat err.save)" grep -q 'File too large' err.save
	check 'a file too long: the machine goes on' "$(vmm list)" going kept
	printf q >&4
	check 'a file too long: to its end' "$(cat err)" ended 0
}

# Whose file is it, and what has become of the disk.
trust() {
	fresh
	head -c 65536 /dev/zero >disk
	start run --nodefaults --name trust -m 4 -k hop.bin -d disk --port name=log,file=port.log
	line out 'hop 1'
	vmm save trust snap 2>err.save
	ended 36
	check 'restore --check' "$(vmm restore --check snap 2>&1)" vmm restore --check snap
	cp snap foreign
	chmod o+w foreign
	refuse 'of somebody else: its disk' 2 'not yours alone.*--disk 0=' restore foreign
	refuse 'of somebody else: its port' 2 'not yours alone.*--port 0=' restore --disk 0=disk foreign
	check 'all is named again' "$(vmm restore --check --disk 0=disk --port 0=name=log,file=other.log foreign 2>&1)" \
		vmm restore --check --disk 0=disk --port 0=name=log,file=other.log foreign
	refuse 'which disk?' 2 'N=' restore --disk disk snap
	printf x | dd of=disk conv=notrunc 2>/dev/null
	refuse 'a disk that was written to' 3 'disk 0 .*written to.*|reason' restore snap
	check 'said why' "$(cat err)" grep -q 'not as it was left.*--allow-changed-disk' err
	vmm restore --check --json snap >json 2>err
	check 'restore --check --json, refused' "$(cat json err)" \
		grep -qE '^\{"ok":false,"error":".*","code":3,"findings":\["disk 0 .*--allow-changed-disk.*"\]\}$' json
	check '--allow-changed-disk' "$(cat err)" vmm restore --check --allow-changed-disk snap
	rm disk
	refuse 'a disk that is gone' 2 'disk' restore snap
}

damaged() {
	fresh
	start run --nodefaults --name bad -m 4 -k hop.bin
	line out 'hop 1'
	vmm save bad good 2>err.save
	ended 36
	size=$(stat -c %s good)
	for at in 0 9 40 63 64 100 4000; do
		cp good wrong
		flip wrong $at
		refuse "bit at $at" 3 'snapshot' restore wrong
	done
	cp good wrong
	flip wrong $((size - 200000))
	refuse 'bit of memory' 3 'memory does not hold' restore wrong
	refuse 'bit of memory, --lazy' 3 'memory does not hold.*stopped' restore --lazy wrong
	truncate -s $((size - 4096)) wrong
	refuse 'truncated' 3 'length' restore wrong
	refuse 'empty' 3 'does not begin' restore /dev/null
	refuse 'no such file' 2 'nowhere' restore nowhere
	refuse 'a folder' 4 'cannot read' restore /
	refuse 'no machine of that name' 2 'nobody' save nobody f
	refuse 'no such folder' 2 'folder' save nobody nowhere/f
	refuse 'no words' 2 'usage' save
	refuse 'no file' 2 'usage' restore
	check 'nothing runs' "$(vmm list)" test -z "$(vmm list)"
}

# A hundred snapshots that are wrong somewhere, and none of them is begun with: the guest would say
# `hop 2`, since its byte is there. What pads the metadata up to the memory belongs to neither.
random() {
	fresh
	start run --nodefaults --name random -m 4 -k hop.bin -p dirty=64
	line out 'hop 1'
	vmm save random good 2>err.save
	ended 36
	size=$(stat -c %s good)
	meta=$((64 + $(hexdump -s 24 -n 8 -e '1/8 "%u"' good)))
	ram=$((size - 4194304))
	awk -v seed="$size" -v meta=$meta -v ram=$ram -v size="$size" 'BEGIN {
		srand(seed)
		for (i = 0; i < 100; i++) {
			kind = int(rand() * 5)
			print kind == 0 ? "cut" : kind == 1 ? "more" : kind == 4 ? "lazy" : "flip", \
				kind == 0 ? int(rand() * size) : kind == 1 ? 1 + int(rand() * 8192) : \
				kind == 2 ? int(rand() * meta) : ram + int(rand() * (size - ram)), int(rand() * 8)
		}
	}' >cases
	cp good wrong
	: >out
	while read -r kind at bit; do
		lazy='' to=out
		case $kind in
		cut) truncate -s "$at" wrong ;;
		more) truncate -s $((size + at)) wrong ;;
		flip) flip wrong "$at" "$bit" ;;
		# Begun with, and stopped where it is wrong.
		lazy) flip wrong "$at" "$bit"; lazy=--lazy to=lazily ;;
		esac
		# shellcheck disable=SC2086
		echo x | timeout 60 vmm restore $lazy wrong >>$to 2>err
		status=$?
		[ $status -eq 3 ] || echo "$kind $at $bit: $status $(cat err)"
		case $kind in
		flip | lazy) flip wrong "$at" "$bit" ;;
		*) cp good wrong ;;
		esac
	done <cases >bad
	check 'a hundred that are wrong somewhere' "$(cat bad)" test ! -s bad -a "$(wc -l <cases)" -eq 100
	check 'none of them was begun with' "$(cat out)" test ! -s out
	start restore good
	printf x >&4
	line out 'hop 2' && printf q >&4
	check 'the one between them is good' "$(cat out err)" cmp good wrong
}

groups='registers pending same files pipes kept trust preflight damaged random clones frozen moved clock linux'
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
