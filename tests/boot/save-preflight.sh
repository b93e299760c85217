# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Part of save.sh: snapshots that do not fit this host. Each is a good one that snapedit has changed.

# misfit NAME CODE REASONS PATTERN EDIT...: of a machine that is edited so, `restore --check` ends with CODE,
# and of that many reasons one is like PATTERN. Nothing comes of it.
misfit() {
	case_name="does not fit: $1" want=$2 reasons=$3 pattern=$4
	shift 4
	./snapedit "${base:-snap}" wrong "$@" 2>edited || fail "$case_name" "cannot be made" edited
	timeout 60 vmm restore --check ${check_options-} wrong <in >>out 2>err
	status=$?
	if [ $status -ne "$want" ]; then
		fail "$case_name" "exit status $status, not $want" err
	elif [ "$want" -eq 0 ]; then
		pass "$case_name"
	elif [ "$(wc -l <err)" -ne $((reasons + 1)) ] || ! grep -q "for $reasons reasons* above" err; then
		fail "$case_name" "not $reasons reasons" err
	elif ! grep -qE -e "$pattern" err; then
		fail "$case_name" "no line is like '$pattern'" err
	else
		pass "$case_name"
	fi
}

# What there is of machines: their sockets, and files that have no name yet.
traces() {
	find /run
	ls -A | grep vmm || true
}

# What is of another host in each thing that is compared.
preflight_values() {
	misfit 'MIDR_EL1' 3 1 'MIDR_EL1.PartNum is 0x[0-9a-f]+ in the snapshot, 0x[0-9a-f]+ on this host' \
		vcpu/0:MIDR_EL1^=0x10 vcpu/1:MIDR_EL1^=0x10
	misfit 'a field' 3 1 'ID_AA64ISAR0_EL1.AES is 0xf in the snapshot, 0x[0-9] on this host' 'vcpu/0:ID_AA64ISAR0_EL1|=0xf0'
	misfit 'two fields, and a bit without name' 3 3 '0: ID_AA64ISAR0_EL1.(SHA1|RNDR|\[3:0\]) is 0xf' \
		'vcpu/0:ID_AA64ISAR0_EL1|=0xf000000000000f0f'
	check_options='--allow-register ID_AA64ISAR0_EL1.AES'
	misfit 'a field that is allowed' 0 0 '' 'vcpu/0:ID_AA64ISAR0_EL1|=0xf0'
	misfit 'another beside it' 3 1 '0: ID_AA64ISAR0_EL1.SHA1 is 0xf' 'vcpu/0:ID_AA64ISAR0_EL1|=0xff0'
	check_options=
	misfit 'one CPU of two' 3 1 '^vCPU 1: MIDR_EL1.Revision is' vcpu/1:MIDR_EL1^=1
	misfit 'counter' 3 1 'CNTFRQ_EL0.* runs at 1000 Hz' machine:counter_hz=1000
	misfit 'firmware register' 3 1 'smccc_workaround_1 is 0xf in the snapshot, 0x' vcpu/0:smccc_workaround_1=15
	misfit 'another workaround' 3 1 'smccc_workaround_3 is 0xf in the snapshot, 0x' vcpu/0:smccc_workaround_3=15
	misfit 'a register that is not there' 3 1 'S3_7_C15_C15_7 is 0x5 in the snapshot, this host has no such register' \
		vcpu/0:0x603000000013ffff=5
	misfit 'it was never used' 0 0 '' vcpu/0:0x603000000013ffff=0
	misfit 'a PSCI that nobody knows' 3 1 'PSCI 1.9, which this vmm' machine:psci_version=0x10009
	! grep -q '^sve: yes' checked || misfit 'vector lengths' 3 1 'SVE vector lengths.*: 128, 384 bits in the snapshot, 128, 256' \
		vcpu/0:sve_vls=5 vcpu/1:sve_vls=5
	! grep -qE '^ipa bits: 4[0-6]' checked || misfit 'addresses' 3 1 'addresses \(IPA\) of 46 bits, this host.s KVM has 4' \
		'machine:options+=mem 33554432'
}

# And in the parts of it.
preflight_parts() {
	misfit 'GICD_IIDR' 3 1 'gicd.iidr \(0x8\) is 0x43b in the snapshot, 0x4b00' gic:gicd.iidr=0x43b
	if grep -q '^gicv3: yes' checked; then
		misfit 'GICv2' 3 1 'interrupt controller is a gicv2, this host.s KVM can .*gicv3' machine:gic=1
		misfit 'GITS_IIDR' 3 1 'gits.iidr .* is 0x43b in the snapshot, 0x4b00' gic:gits.iidr=0x43b
		misfit 'ICC_CTLR_EL1' 3 1 'icc_ctlr .* is 0x[0-9a-f]* in the snapshot, 0x[0-9a-f]* on' gic:icc_ctlr^=0x3800
		misfit 'an ITS that is not saved' 3 1 'section gic .*gits.iidr' machine:gic=3
	else
		misfit 'GICv3' 3 1 'interrupt controller is a gicv3, this host.s KVM can gicv2' machine:gic=3
		misfit 'ITS' 3 1 'interrupt controller is a gicv3-its, this host.s KVM can gicv2' machine:gic=4
	fi
	other=3 kind=gicv3
	! grep -q '^gicv3: yes' checked || other=2 kind=gicv2
	gunzip -c 1-gic$other.file.gz >golden
	refuse "a machine of a GICv$other host" 3 "interrupt controller is a $kind(m|-its), this host.s KVM can gicv$((5 - other))" \
		restore --check golden
	misfit 'unknown devices' 3 2 'section device/quux@a001000, this machine no such part' \
		+device/quux@a001000 +device/other@1
	misfit 'a device too few' 3 1 'no section device/gpio@9030000' -device/gpio@9030000
	misfit 'a later device' 3 1 'section device/gpio@9030000 has version 2, .*newer' device/gpio@9030000@2
	misfit 'a later option' 3 1 'unknown option hyper' 'machine:options+=hyper 3'
	misfit 'one that drives a terminal' 3 1 'unknown option .*[?].2J' "machine:options+=$(printf 'hy\033[2J') 3"
	base=kernel
	misfit 'the PSCI of the kernel' 3 1 'told of PSCI 1.3, .*--allow-psci-downgrade|PSCI 1.9' \
		"machine:psci_version=$(grep -q '^psci in the kernel: 1.3' checked && echo 0x10009 || echo 0x10003)"
	base=
}

preflight_disks() {
	mv disk moved
	misfit 'a disk that is gone' 2 1 '^disk 0 \(--disk 0=...\): disk disk cannot be opened: No such file'
	misfit 'and more' 3 2 '^disk 0 .*--disk 0=' machine:counter_hz=1000
	mv other elsewhere
	misfit 'both disks' 2 2 '^disk 1 .*--disk 1='
	check_options='--disk 0=moved --disk 1=elsewhere'
	misfit 'both are named again' 0 0 ''
	check_options=
	mv elsewhere other
	head -c 65536 /dev/zero >disk
	misfit 'another in its place' 3 1 'disk 0 .*not as it was left.*--allow-changed-disk'
	head -c 512 /dev/zero >>disk
	misfit 'a longer one' 3 2 'disk 0 .*65536 bytes.*now 66048'
	mv moved disk
	misfit 'the one that it was' 0 0 ''
	chmod o+w snap
	./snapedit snap wrong vcpu/0:MIDR_EL1^=0x10
	chmod o+w wrong
	refuse 'of somebody else: all that is to be named' 2 '--disk 1 is .it was .other.' restore --check snap
	check 'of somebody else: in one list' "$(cat err)" test "$(grep -c 'not yours alone' err)" -eq 2
	refuse 'of somebody else, and does not fit' 3 'MIDR_EL1.PartNum' restore --check wrong
	check 'of somebody else, and does not fit: in one list' "$(cat err)" test "$(grep -c 'not yours alone' err)" -eq 2
	chmod o-w snap
	rm wrong
}

# All at once, by each way to ask.
preflight_list() {
	mv other elsewhere
	misfit 'all at once' 3 8 'MIDR_EL1' machine:counter_hz=1000 machine:psci_version=0x10009 vcpu/0:MIDR_EL1^=0x10 \
		vcpu/1:smccc_workaround_1=15 'vcpu/1:ID_AA64ISAR0_EL1|=0xf0' vcpu/0:0x603000000013ffff=5 +device/quux@1
	cp err listed
	timeout 60 vmm restore wrong <in >>out 2>err
	check 'restore refuses it alike' "status $? $(cat err)" cmp err listed
	timeout 60 vmm restore --check --json wrong <in >json 2>err
	check 'the list as JSON' "$(cat json err)" test "$(tr ',[' '\n\n' <json | grep -c '^"')" -ge 8
	mv elsewhere other
}

preflight() {
	fresh
	vmm check >checked
	head -c 65536 /dev/zero >disk
	head -c 65536 /dev/zero >other
	start run --nodefaults --name kernel --psci kernel -m 4 -k hop.bin
	line out 'hop 1'
	vmm save kernel kernel 2>err.save
	ended 36
	start run --nodefaults --name fit -m 4 -k hop.bin -c 2 -d disk -d other
	line out 'hop 1' 2
	vmm save fit snap 2>err.save
	ended 36
	: >out
	traces >before
	base='' check_options=''
	misfit 'nothing' 0 0 ''
	preflight_values
	preflight_parts
	preflight_disks
	preflight_list
	traces >after
	check 'nothing has run' "$(cat out; vmm list)" test ! -s out -a -z "$(vmm list)"
	check 'nothing is left behind' "$(diff before after)" cmp -s before after
	start restore snap
	printf x >&4
	line out 'hop 2'
	refuse 'beside the machine itself: its disks' 2 'disk 0 .*in use' restore --check snap
	check 'beside the machine itself: its name is free' "$(cat err)" test "$(wc -l <err)" -eq 3
	printf x >&4
	line out 'hop 3' && printf q >&4
	check 'what was checked goes on' "$(cat out err)" ended 0
}
