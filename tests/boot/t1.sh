#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: every tiny guest once, or more often with different options.

suite=t1
# shellcheck source=tests/lib.sh
. ./lib.sh

gic=2
! grep -q GICv3 /proc/interrupts || gic=3

# reports NAME COUNT: the guest of the last run said `done`, no FAIL, and COUNT times `ok`.
reports() {
	fails=$(grep -ac '^FAIL' out)
	oks=$(grep -ac '^ok' out)
	if [ "$fails" -ne 0 ]; then
		fail "$1" "$(grep -a '^FAIL' out | head -n 1)" out err
	elif [ "$oks" -ne "$2" ]; then
		fail "$1" "$oks results, not $2" out err
	elif ! grep -aqx 'done' out; then
		fail "$1" "the guest did not come to its end" out err
	else
		return 0
	fi
	return 1
}

# guest NAME COUNT OPTIONS PATTERN...: a guest that reports COUNT results and powers off; each
# PATTERN must match a line. OPTIONS are words without quotes; $args are the boot arguments.
guest() {
	name=$1 count=$2 options=$3
	shift 3
	# shellcheck disable=SC2086
	vmm_run --nodefaults -k "${name%% *}.bin" ${args:+-p "$args"} $options
	[ "$status" -ne 0 ] || reports "$name" "$count" || return
	expect "$name" 0 "$@"
}

# --- guests that report by themselves ------------------------------------------------------------
#     name            results options                     lines
args='one two=3' \
guest hwregs                4 '-m 100'                    "hwregs: gic $gic" 'hwregs: cpus 1' \
	'hwregs: ram 6400000' 'hwregs: bootargs one two=3'
guest 'hwregs irqchip'      4 "--irqchip gicv$gic -c 3"   'hwregs: cpus 3'
guest timer                 8 ''
guest 'smp 1'              13 '-c 1'                      'smp: 1 cpus'
guest 'smp 4'              13 '-c 4'                      'smp: 4 cpus'
guest 'smp 8'              13 '-c 8'                      'smp: 8 cpus'
if [ $gic -eq 2 ]; then
	args='spis=960' guest 'spis gicv2m' 3 '--irqchip gicv2m --spis 960'
	guest gicv2m        5 '--irqchip gicv2m'
else
	guest 'smp 20'     13 '-c 20' 'smp: 20 cpus'
	limit=60
	args='its=kernel' guest 'its kernel' 38 '--irqchip gicv3-its -c 2'
	args='its=user' guest 'its user' 40 "--irqchip gicv3-its --its user -c 2 --loglevel error \
		--trace its --inject its:SYNC=E_ITS_INV_UNMAPPED_INTERRUPT@2"
	check 'its user, injected' "$(grep -c injected err) times" \
		test "$(grep -c ' its SYNC cpu=0 -> E_ITS_INV_UNMAPPED_INTERRUPT (injected)$' err)" -eq 1
	limit=20
	args='spis=960' guest 'spis gicv3-its' 3 '--irqchip gicv3-its --spis 960'
	guest 'gicv3'                21 '--irqchip gicv3'
	guest 'gicv3 gicv3-its'      21 '--irqchip gicv3-its'
	args='cpus=256' guest 'redist 256' 3 '--irqchip gicv3 -c 256'
	args='cpus=124 its=1' guest 'redist 124' 3 '--irqchip gicv3-its -c 124'
fi
args='spis=128' guest 'spis' 3 '--spis 112'
# A GICv2 is the same for its guest in the kernel, and in vmm on any host.
for kind in $([ $gic -eq 3 ] || echo gicv2) gicv2-user; do
	guest "gicv2 $kind" 3 "--irqchip $kind -c 4"
	grep -a '^gic: ' out | tr -d '\r' >same
	check "$kind, line by line" "$(diff same gicv2.txt | head -n 4)" cmp -s same gicv2.txt
done
guest 'timer gicv2-user'    8 '--irqchip gicv2-user'
guest 'smp gicv2-user'     13 '--irqchip gicv2-user -c 8'
guest 'smp gicv2-user, kernel' 13 '--irqchip gicv2-user -c 3 --psci kernel'
guest 'gicv2m gicv2-user'   5 '--irqchip gicv2-user'
limit=60
args=n=500 guest storm      5 '-c 4'
args=n=1000 guest 'storm gicv2-user 2' 3 '--irqchip gicv2-user -c 2'
args=n=300 guest 'storm gicv2-user 4' 5 '--irqchip gicv2-user -c 4'
limit=20
args='spis=960' guest 'spis gicv2-user' 3 '--irqchip gicv2-user --spis 960'
head -c 1048576 /dev/zero >disk
head -c 1048576 /dev/zero >read-only
limit=180
guest sweep                23 '-m 64 -d disk -d read-only,ro -c 2'
limit=20
head -c 1048576 /dev/zero >disk
guest 'virtio blk'         16 '-d disk,serial=abc -d read-only,ro' "virtio: blk id 'abc'" \
	'virtio: blk of 2048 sectors' 'virtio: blk of 2048 sectors, read-only'
# The pattern of the guest's test_blk_io(), as printf takes it.
pattern=$(awk 'BEGIN { for (i = 0; i < 2048; i++) printf "\\%03o", (i * 7 + int(i / 256)) % 256 }')
# shellcheck disable=SC2059
check 'virtio blk on disk' 'the image does not hold what the guest wrote' \
	test "$(tail -c 2048 disk | md5sum)" = "$(printf "$pattern" | md5sum)"
limit=180
guest 'hostile blk'        66 '-d disk -d read-only,ro'
limit=20

# What runs without --nodefaults has an rng.
vmm_run -k virtio.bin
[ "$status" -ne 0 ] || reports 'virtio rng' 9 && expect 'virtio rng' 0 'virtio: slot 0 id 4'
vmm_run -k hostile.bin
[ "$status" -ne 0 ] || reports 'hostile rng' 33 && expect 'hostile rng' 0
limit=180
vmm_run -k sweep.bin -p 'step=4'
limit=20
[ "$status" -ne 0 ] || reports 'sweep defaults' 23 && expect 'sweep defaults' 0
limit=180
args='step=8' guest 'sweep gicv2-user' 23 '-m 64 --irqchip gicv2-user -c 2'
limit=20

# --- registers that are read without an exit -------------------------------------------------------
limit=60
# The same trace in each mode; in lazy, InterruptStatus is another.
for mode in off exact lazy; do
	lazy=0
	[ $mode != lazy ] || lazy=1
	args=lazy=$lazy guest "virtio_regs $mode" 6 "-d disk --mmio-pages $mode" 'regs: id 2'
	grep -a '^regs: ' out >regs.$mode
	grep -a '^status: ' out >status.$mode
done
check 'virtio_regs, exact as off' 'a load tells them apart' cmp regs.off regs.exact
check 'virtio_regs, status exact as off' 'a load tells them apart' cmp status.off status.exact
check 'virtio_regs, lazy as off' 'a load tells them apart' cmp regs.off regs.lazy
# CAP_READONLY_MEM
timeout 20 ./nocap 81 vmm run --dry-run -k off.bin >out 2>err
status=$?
expect 'no read-only memory' 0 '# mmio pages: off'
timeout 20 vmm run --dry-run -k off.bin >out 2>err
status=$?
expect 'read-only memory' 0 '# mmio pages: exact'
timeout 60 ./nocap 81 vmm run --nodefaults -k virtio_regs.bin -d disk >out 2>err </dev/null
status=$?
expect 'no read-only memory, run' 0 'done'
grep -a '^regs: ' out >regs.without
check 'virtio_regs, as without read-only memory' 'a load tells them apart' \
	cmp regs.without regs.exact
limit=20

# --- accesses without a syndrome, and to where nothing is -----------------------------------------
# says NAME PATTERN...: whole lines that vmm itself wrote in the last run.
says() {
	name=$1
	shift
	for pattern; do
		grep -aqxE -e "vmm: $pattern" err && continue
		fail "$name" "vmm did not say '$pattern'" err
		return
	done
	pass "$name"
}

# Results that depend on what the CPU has.
count=31
! grep -qw atomics /proc/cpuinfo || count=$((count + 2))
! grep -qw sve /proc/cpuinfo || count=$((count + 1))
# Loads from a page that is shown are no accesses to a device.
args='' guest nosyndrome $count '-d disk --mmio-pages off'
args=store=1 guest 'nosyndrome wide' 1 ''
there='where nothing is: ignored'
says 'nosyndrome wide, seen' \
	"warning: vCPU 0: write of 8 bytes at 0xb000000 \(0xffffffff000000a5\), $there" \
	"warning: vCPU 0: write of 8 bytes at 0xb000008 \(0xeeeeeeee000000c3\), $there" \
	"warning: vCPU 0: write of 8 bytes at 0xb000100 \(0x5a\), $there" \
	"warning: vCPU 0: write of 8 bytes at 0xb000108 \(0x1122334455667788\), $there" \
	"warning: vCPU 0: write of 8 bytes at 0xb000210 \(0x5a\), $there" \
	"warning: vCPU 0: write of 8 bytes at 0xb000218 \(0x1122334455667788\), $there" \
	"warning: vCPU 0: write of 8 bytes at 0xb000220 \(0x3c\), $there" \
	"warning: vCPU 0: write of 8 bytes at 0xb000228 \(0x99aabbccddeeff00\), $there"
args=store=2 guest 'nosyndrome zva' 1 ''
says 'nosyndrome zva, seen' \
	"warning: vCPU 0: write of 8 bytes at 0xb000380 \(0x0\), $there" \
	"warning: vCPU 0: write of 8 bytes at 0xb0003b8 \(0x0\), $there"
args=unmapped=abort guest 'nosyndrome unmapped' 7 '--unmapped abort'
says 'nosyndrome unmapped, said' \
	'warning: vCPU 0: write of 4 bytes at 0xb000004 \(0xa5\), where nothing is: external abort'
vmm_run --nodefaults -k nosyndrome.bin --unmapped stop
expect 'unmapped stop' 33
says 'unmapped stop, said' \
	'error: vCPU 0: read of 4 bytes at 0x9001000, where nothing is: stopped \(--unmapped stop\)'
vmm_run --nodefaults -k nosyndrome.bin -p unmapped=stop --unmapped stop -c 2
expect 'unmapped stop pair' 33
says 'unmapped stop pair, said' "error: vCPU 0: write of 8 bytes at 0xb000000 \\(.*\\), ${there%i*}.*"

# --- ends ----------------------------------------------------------------------------------------
vmm_run --nodefaults -k off.bin
expect off 0
check 'off is silent' 'output' test ! -s out
vmm_run --nodefaults -k exits.bin -p 'n=1000'
expect exits 0

vmm_drive ready 'send r' ready 'send r' ready 'send o' -- --nodefaults -k reset.bin -c 2
reports reset 42 && expect reset 0
vmm_drive ready 'send r' -- --nodefaults -k reset.bin --no-reboot
expect 'reset --no-reboot' 32 ready

# A guest that does not know the power key, and the signals that press it.
key='*power key*'
for row in TERM:143 INT:130 HUP:129; do
	vmm_drive ready "signal ${row%:*}" "$key" "signal ${row%:*}" -- \
		--nodefaults --loglevel info -k console.bin
	expect "SIG${row%:*} twice" "${row#*:}" ready
done
vmm_drive ready 'signal TERM' -- --nodefaults --loglevel info --grace 1 -k console.bin
expect '--grace' 143 'vmm: .*did not power off within 1 s.*'

# --- kvm-unit-tests' way of calling ----------------------------------------------------------------
cp flat.bin x.flat
printf 'TMOUT=90s\nGREETING=hello there\n' >env
# called_as TITLE CODE OPTION...
called_as() {
	title=$1 code=$2
	shift 2
	vmm_run --nodefaults --network mode=none --loglevel=warning --cpus 2 --mem 128 \
		--params "code=$code  a=\"b c\" -- 'd'" --kernel x.flat --initrd env "$@"
	reports "$title" 5 && expect "$title" 0 'cpus 2' "params: code=$code  a=\"b c\" -- 'd'" \
		TMOUT=90s 'GREETING=hello there' "EXIT: STATUS=$((code * 2 + 1))"
	# They go where nothing is, and are told of it.
	check "$title is silent otherwise" "$(cat err)" \
		test "$(grep -cv 'where nothing is' err)" -eq 0
}
called_as 'like kvm-unit-tests' 0
called_as "like kvm-unit-tests, gicv$gic" 1 --irqchip=gicv$gic
called_as 'like kvm-unit-tests, pmu' 38 --pmu
[ $gic -eq 2 ] || called_as 'like kvm-unit-tests, its' 0 --irqchip=gicv3-its
check 'its words in --help' 'they are not there' sh -c 'vmm --help | grep -q "The most commonly used"'
# Each command is there, and says what it takes.
vmm help | sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p' >commands
check 'commands' "$(cat commands)" test "$(wc -l <commands)" -ge 15
while read -r command; do
	vmm "$command" --help >out 2>err </dev/null
	status=$?
	check "$command --help" "$(cat out err)" test $status -eq 0 -a -s out
done <commands
vmm nonsense >out 2>err
status=$?
expect 'an unknown command' 2
vmm rum >out 2>&1
status=$?
expect 'a near one' 2 "vmm: unknown command 'rum'; did you mean run.*"

# --- consoles ------------------------------------------------------------------------------------
# 150 lines both ways: every byte must come back.
{
	echo hello
	i=0
	while [ $i -lt 150 ]; do
		echo "line $i of the text"
		i=$((i + 1))
	done >text
	cat text
	echo quit
} >typed
input=typed
limit=180
vmm_run --nodefaults -k console.bin
reports 'console' 5 && expect 'console' 0 'polled: hello'
sed -n 's/^echo: //p' out | tr -d '\r' >echoed
check 'console text' 'what came back differs' cmp text echoed
vmm_run --nodefaults -k hvc.bin --console virtio
expect 'hvc' 0 ready 'echo: hello' 'echo: quit' 'done'
sed -n 's/^echo: //p' out | grep -vx -e hello -e quit >echoed
check 'hvc text' 'what came back differs' cmp text echoed
limit=20 input=

# Polled output, which the kernel queues: whole, from every end, and in order from every CPU.
i=0
while [ $i -lt 300 ]; do
	echo "cpu 0 line $i abcdefghijklmnopqrstuvwxyz"
	i=$((i + 1))
done >lines.0
sed 's/^cpu 0/cpu 1/' lines.0 >lines.1
{ cat lines.0; printf 'half a line'; } >half
for row in off:0: reset:32:--no-reboot 'crash:33:--unmapped stop'; do
	end=${row%%:*} row=${row#*:}
	limit=60
	# shellcheck disable=SC2086
	vmm_run --nodefaults -k burst.bin -p "op=$end n=300" ${row#*:}
	expect "burst, $end" "${row%%:*}"
	head -c "$(stat -c %s half)" out >head
	check "burst, $end, whole" 'something is missing' cmp half head
done
vmm_run --nodefaults -k burst.bin -p 'op=lines n=300' -c 2
expect 'burst, 2 CPUs' 0
grep -a '^cpu' out >all
for cpu in 0 1; do
	grep "^cpu $cpu" all >one
	check "burst, lines of CPU $cpu" 'not all, or not in order' cmp one lines.$cpu
done
check 'burst, no other lines' 'a line is broken' test "$(wc -l <all)" -eq 600
vmm_run --nodefaults -k burst.bin -p 'op=bytes n=13000' -c 2
expect 'burst, bytes' 0
head -n 1 out | tr -cd a-m >one
head -n 1 out | tr -cd A-M | tr A-M a-m >two
i=0
while [ $i -lt 1000 ]; do
	printf abcdefghijklm
	i=$((i + 1))
done >bytes
check 'burst, bytes of CPU 0' 'not all, or not in order' cmp one bytes
check 'burst, bytes of CPU 1' 'not all, or not in order' cmp two bytes
{ cat text; printf .; } >typed
input=typed vmm_run --nodefaults -k burst.bin -p op=echo
expect 'burst, echo' 0 ready
sed '1d;$d' out | sed '$d' >echoed
check 'burst, echoed text' 'what came back differs' cmp text echoed
limit=20 input=

# A reader that has gone away, or never was, does not end the guest.
{ timeout 20 vmm run --nodefaults -k timer.bin; echo $? >status; } </dev/null 2>err | true
read -r status <status
: >out
expect 'reader gone' 0
timeout 20 vmm run --nodefaults -k timer.bin </dev/null >&- 2>err
status=$?
expect 'stdout closed' 0
timeout 20 vmm run --nodefaults -k timer.bin <&- >out 2>err
status=$?
expect 'stdin closed' 0 'done'

summary
