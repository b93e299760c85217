#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: what `vmm run` must refuse. Each refusal is one line on stderr that says
# what, where, why and what to do; nothing on stdout; no child and no tap is left.

suite=badinput
# shellcheck source=tests/lib.sh
. ./lib.sh

gic=2 other=3 not=gicv3-its can="gicv2, gicv2m, gicv2-user;"
if grep -q GICv3 /proc/interrupts; then
	gic=3 other=2 not=gicv2m can="gicv3, gicv3-its, gicv2-user;"
fi
modprobe tun 2>/dev/null
mkdir -p folder
mkfifo pipe
head -c 1048576 /dev/zero >disk
truncate -s 1G large
ln -s large large.bin

# refused NAME STATUS PATTERN OPTION...: judges the last run.
refused() {
	name=$1 want=$2 pattern=$3
	if [ "$status" -ne "$want" ]; then
		fail "$name" "exit status $status, not $want" err out
	elif [ "$(wc -l <err)" -ne 1 ]; then
		fail "$name" "$(wc -l <err) lines on stderr, not 1" err
	elif ! grep -qiE -e "$pattern" err; then
		fail "$name" "the message does not match '$pattern'" err
	elif [ -s out ]; then
		fail "$name" "something on stdout" out
	elif pidof vmm gzip zstd >left; then
		fail "$name" "processes are left: $(cat left)"
	elif [ "$(ls /sys/class/net)" != "$nets" ]; then
		fail "$name" "a network interface is left"
	else
		pass "$name"
		return
	fi
}
nets=$(ls /sys/class/net)

# bad NAME STATUS PATTERN OPTION...
bad() {
	row="$1" code="$2" message="$3"
	shift 3
	vmm_run "$@"
	refused "$row" "$code" "$message"
}

# cuts NAME FILE LENGTH...: the file cut at each length must be refused.
cuts() {
	row="$1" file=$2 good=0 all=0
	shift 2
	for length; do
		head -c "$length" "$file" >piece
		vmm_run -k piece
		all=$((all + 1))
		if [ "$status" -eq 2 ] && [ "$(wc -l <err)" -eq 1 ] && [ ! -s out ]; then
			good=$((good + 1))
		else
			echo "$file cut at $length: status $status" >>cuts
			cat err >>cuts
		fi
	done
	if [ $good -eq $all ]; then
		pass "$row"
	else
		fail "$row" "$((all - good)) of $all were not refused well" cuts
	fi
	rm -f cuts
}

# --- kernels -------------------------------------------------------------------------------------
bad 'no kernel'              2 'kernel'
bad 'kernel missing'         2 'nosuch.*no such file'        -k nosuch
bad 'kernel a folder'        2 'folder.*directory'           -k folder
bad 'kernel a pipe'          2 'pipe'                        -k pipe
bad 'kernel empty'           2 'empty'                       -k empty
bad 'kernel a text'          2 'text.*(not|no) '             -k text
bad 'kernel an ELF file'     2 'elf'                         -k elf
bad 'kernel 32-bit'          2 'zimage32.*32-bit'            -k zimage32
bad 'kernel big-endian'      2 'big-endian'                  -k big-endian
bad 'kernel offset huge'     2 'memory|--mem'                -k offset-huge
bad 'kernel image_size huge' 2 'memory|--mem'                -k size-huge
bad 'kernel larger than RAM' 2 'memory|--mem'                -k size-16m -m 8
bad 'kernel file beyond RAM' 2 'memory|--mem'                -k large.bin -m 64
bad 'section table cut'      2 'truncated|cut|short'         -k stub-cut-sections
bad 'sections cut'           2 'truncated|cut|short'         -k stub-cut-body
bad 'gzip cut'               2 'gz-cut'                      -k gz-cut
bad 'gzip checksum'          2 'gz-crc'                      -k gz-crc
bad 'gzip of no kernel'      2 'gz-text'                     -k gz-text
bad 'zboot cut'              2 'truncated|cut|short'         -k zboot-cut
bad 'zboot compression'      2 'brotli'                      -k zboot-kind
bad 'zboot not compressed'   2 'zboot-text'                  -k zboot-text
# shellcheck disable=SC2046
cuts 'Image header cut anywhere' image $(seq 1 63)
# shellcheck disable=SC2046
cuts 'PE header and sections cut anywhere' stub $(seq 64 8 320) $(seq 321 503 8191)
# shellcheck disable=SC2046
cuts 'gzip cut anywhere' gz $(seq 1 15) $(seq 16 9001 65000)
# shellcheck disable=SC2046
cuts 'zboot cut anywhere' zboot $(seq 1 4 64) $(seq 64 3001 65000)

# --- the rest of a machine -----------------------------------------------------------------------
bad 'name with a slash'       2 'no name'                    -k off.bin --name a/b
bad 'initrd missing'         2 'nosuch.*no such file'        -k off.bin -i nosuch
bad 'initrd a folder'        2 'folder.*directory'           -k off.bin -i folder
bad 'initrd beyond RAM'      2 'memory|--mem'                -k off.bin -i large -m 64
bad 'memory 0'               2 '(--mem|-m).*0'               -k off.bin -m 0
bad 'memory no number'       2 'lots'                        -k off.bin -m lots
bad 'memory negative'        2 '-5'                          -k off.bin -m -5
bad 'memory odd'             2 '4097B?|page'                 -k off.bin -m 4194305B
bad 'memory beyond IPA'      2 'memory|--mem'                -k off.bin -m 60T
bad 'memory beyond 64 bits'  2 '99999999999T'                -k off.bin -m 99999999999T
bad 'no CPU'                 2 '(--cpus|-c).*0'              -k off.bin -c 0
bad 'CPUs no number'         2 'two'                         -k off.bin -c two
bad 'CPUs beyond the host'   2 'cpus|vCPU'                   -k off.bin -c 4000
bad 'CPUs beyond options'    2 '99999'                       -k off.bin -c 99999
[ $gic -ne 2 ] ||
bad 'CPUs beyond GICv2'      2 '8'                           -k off.bin -c 9
bad 'GIC not on this host'   2 "gicv$other"                  -k off.bin --irqchip gicv$other
bad 'MSIs not on this host'  2 "it can $can"                 -k off.bin --irqchip $not
bad 'SPIs too few'           2 '--spis 96.*112'              -k off.bin --spis 96
bad 'SPIs too many'          2 '--spis 988.*960'             -k off.bin --spis 988
bad 'balloon beyond RAM'     2 '--balloon.*64 MiB'          -k off.bin -m 64 --balloon 65
bad 'balloon 0'              2 '--balloon.*0'               -k off.bin --balloon 0
bad 'port without a name'    2 '--port.*name='               -k off.bin --port pty
bad 'port name impossible'   2 '--port.*a/b'                 -k off.bin --port name=a/b,pty
bad 'port to nowhere'        2 '--port.*x.*socket='          -k off.bin --port name=x
bad 'port to two places'     2 '--port.*one'                 -k off.bin --port name=x,pty,fd=1
bad 'port twice'             2 '--port.*two.*x'              -k off.bin --port name=x,pty --port name=x,pty
bad 'port word unknown'      2 'sokcet.*socket'              -k off.bin --port name=x,sokcet=y
bad 'port file impossible'   2 'port x.*nosuch/file'         -k off.bin --port name=x,file=nosuch/file
bad 'port socket no socket'  2 'port x.*off.bin.*exists'     -k off.bin --port name=x,socket=off.bin
bad 'port fd not open'       2 'port x.*77'                  -k off.bin --port name=x,fd=77
bad 'CPUs beyond a GICv2'    2 'gicv2-user allows at most 8' -k off.bin --irqchip gicv2-user -c 9
bad 'GIC unknown'            2 'gicv9.*gicv'                 -k off.bin --irqchip gicv9
bad 'its trace without it'   2 '--trace its.*--its user'     -k off.bin --trace its
bad 'its fault without it'   2 '--inject its.*--its user'    -k off.bin --inject its:INV=drop
bad 'its fault unknown'      2 'MAPT.*MAP'                   -k off.bin --its user --inject its:MAPT=drop
bad 'its fault code unknown' 2 'E_ITS_INV_UNMAPED.*E_ITS_INV' -k off.bin --its user --inject its:INV=E_ITS_INV_UNMAPED_INTERRUPT
bad 'its user without ITS'   2 '--its user.*gicv2-user'      -k off.bin --its user --irqchip gicv2-user
[ $gic -eq 3 ] ||
bad 'its user on a GICv2'    2 '--its user'                  -k off.bin --its user
[ $gic -ne 3 ] ||
bad 'its user on gicv3'      2 '--its user.*gicv3-its'       -k off.bin --its user --irqchip gicv3
bad 'its unknown'            2 'usr.*user'                   -k off.bin --its usr
bad 'console unknown'        2 'teletype.*serial'            -k off.bin --console teletype
bad 'log level unknown'      2 'loud'                        -k off.bin --loglevel loud
bad 'log file impossible'    2 'nosuch/log'                  -k off.bin --log-file nosuch/log
bad 'dtb file impossible'    2 'nosuch/dtb'                  -k off.bin --dump-dtb nosuch/dtb
bad 'disk missing'           2 'nosuch.*no such file'        -k off.bin -d nosuch
bad 'disk a folder'          2 'folder'                      -k off.bin -d folder
bad 'disk empty'             2 'empty'                       -k off.bin -d empty
bad 'disk option unknown'    2 'readonyl'                    -k off.bin -d image,readonyl
bad 'disk without a name'    2 'disk'                        -k off.bin -d ''
bad 'network unknown'        2 'bridge'                      -k off.bin -n mode=bridge
bad 'network option unknown' 2 'tapfi'                       -k off.bin -n mode=tap,tapfi=x
bad 'tap missing'            2 'nosuch'                      -k off.bin -n mode=tap,tapif=nosuch
bad 'tap name too long'      2 'far-too-long'                -k off.bin -n mode=tap,tapif=far-too-long-a-name
bad 'passt missing'          2 'apt-get install passt'       -k off.bin -n mode=user
bad 'vhost-net missing'      2 'modprobe vhost_net'          -k off.bin -n mode=tap,vhost=on
bad 'vhost of a socket'      2 'vhost= is for mode=tap'      -k off.bin -n mode=user,vhost=on
bad 'queues too many'        2 'queues=9 '                   -k off.bin -n mode=tap,queues=9
bad 'port to forward'        2 'fwd=80 .*8080:80'            -k off.bin -n mode=user,fwd=80
bad 'mtu too small'          2 'mtu=10 '                     -k off.bin -n mode=tap,mtu=10
bad 'mac address'            2 '12:34'                       -k off.bin -n mode=tap,mac=12:34

# --- options -------------------------------------------------------------------------------------
bad 'option unknown'         2 '--kernal.*--kernel'          --kernal off.bin
bad 'letter unknown'         2 '-Z'                          -Z
bad 'argument missing'       2 '(--kernel|-k).*'             -k
bad 'flag with an argument'  2 '--nodefaults'                --nodefaults=yes -k off.bin
bad 'a word too many'        2 'surplus'                     -k off.bin surplus
timeout 20 vmm rnu -k off.bin <"${input:-/dev/null}" >out 2>err
status=$?
refused 'command unknown' 2 'rnu.*run'
timeout 20 vmm </dev/null >out 2>err
status=$?
refused 'no command' 2 'vmm'

# --- what the host lacks -------------------------------------------------------------------------
second='timeout 20 vmm run -k off.bin -d disk </dev/null >second.out 2>second.err; echo $? >second'
vmm_drive ready "run $second; kill \$(cat pid); kill \$(cat pid)" -- \
	--nodefaults -k console.bin -d disk
read -r status <second
mv second.out out
mv second.err err
refused 'disk locked' 2 'disk.*(locked|in use)'

mkdir ro
if [ "$(id -u)" -eq 0 ]; then
	mount -t tmpfs ro ro
	cp disk ro
	mount -o remount,ro ro
else
	cp disk ro
	chmod 444 ro/disk
fi
bad 'disk read-only'         2 'ro/disk.*,ro'                -k off.bin -d ro/disk

# The rest changes the machine, which only an emulated one is for.
if [ -e /host/command ]; then
	mv /dev/kvm /dev/kvm-away
	bad 'no /dev/kvm'            4 '/dev/kvm'                -k off.bin
	mknod /dev/kvm c 1 3
	bad '/dev/kvm not KVM'       4 '/dev/kvm'                -k off.bin
	rm /dev/kvm
	mv /dev/kvm-away /dev/kvm
	tunctl -t tap0 >/dev/null
	nets=$(ls /sys/class/net)
	mv /dev/net/tun /dev/net/tun-away
	bad 'no /dev/net/tun'        4 '/dev/net/tun'            -k off.bin -n mode=tap,tapif=tap0
	mv /dev/net/tun-away /dev/net/tun
	echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
	chmod 755 . /root
	su -s /bin/sh nobody -c 'timeout 20 vmm run -k off.bin' </dev/null >out 2>err
	status=$?
	refused 'no permission for /dev/kvm' 4 '/dev/kvm.*permission'
	chmod 666 /dev/kvm
	echo secret >secret
	chmod 0 secret
	su -s /bin/sh nobody -c 'timeout 20 vmm run -k secret' </dev/null >out 2>err
	status=$?
	refused 'no permission for the kernel' 2 'secret.*permission'
fi

summary
