#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: README's command lines for vmm, in `commands`, in their order. Image powers
# off at once; a machine called box is there whenever a line may want it.

suite=readme
# shellcheck source=tests/lib.sh
. ./lib.sh

head -c 1048576 /dev/zero >root.ext4
for file in initrd.gz disk.img a,b.img vda; do
	cp root.ext4 "$file"
done
modprobe tun
tunctl -t tap0 >/dev/null

box_start() {
	vmm run --nodefaults --name box --balloon 512M -d vda --grace 1 -k poll.bin -p idle=1 \
		</dev/null >box-out 2>&1 &
	until grep -q ready box-out; do usleep 20000; done
}

while read -r line; do
	case $line in
	vmm\ restore*) vmm stop --force box 2>/dev/null ;;
	vmm\ run* | vmm\ inspect* | vmm\ check* | vmm\ test*) ;;
	*) vmm list | grep -q '^box ' || box_start ;;
	esac
	case $line in
	vmm\ console*)
		# Attached until the machine ends.
		eval "timeout 60 $line" </dev/null >out 2>err &
		until grep -q ready out; do usleep 20000; done
		vmm stop --force box
		wait $!
		;;
	vmm\ restore*box.vmm)
		# It goes on until it is ended.
		case $line in
		*--check*) ;;
		*) { until vmm list | grep -q running; do :; done; vmm stop --force "$(vmm list | sed 's/ .*//')"; } & ;;
		esac
		timeout 60 sh -c "$line; s=\$?; [ \$s -eq 0 ] || [ \$s -eq 143 ]" </dev/null >out 2>err
		;;
	*) timeout 60 sh -c "$line" </dev/null >out 2>err ;;
	esac
	status=$?
	if [ $status -eq 0 ]; then
		pass "$line"
	else
		fail "$line" "exit status $status" out err
	fi
done <commands
vmm stop --force box 2>/dev/null
check 'what was printed is a file of options' "$(cat box.conf)" grep -qx 'params console=ttyAMA0 quiet' box.conf
summary
