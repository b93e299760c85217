#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the interface of tests/arm64-host on an emulated host.
#   tests/host/check.sh          the streams, statuses, files, ends
#   tests/host/check.sh lanes    every kind of host too

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
suite=host
. tests/lib.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
out=$scratch/out err=$scratch/err
# No other run of the host has it on its command line.
token=arm64-host-check-$$

host() {
	tests/arm64-host --timeout 60 --append "$token" "$@" >"$out" 2>"$err"
	status=$?
}

# same NAME WANTED GOT
same() {
	check "$1" "'$3', not '$2'" [ "$2" = "$3" ]
}

bad_options() {
	local name=$1 lines
	shift
	tests/arm64-host "$@" >"$out" 2>"$err" </dev/null
	same "$name" 2 $?
	lines=$(wc -l <"$err")
	same "$name, one line" "1 0" "$lines $(wc -c <"$out")"
}

nothing_left() {
	check "$1 leaves no QEMU" "one runs" [ -z "$(pgrep -f "qemu.*$token")" ]
}

bad_options 'unknown option' --nonsense -- true
bad_options 'no command' --gic 3 --
bad_options 'no --' true
bad_options 'no value' --gic
bad_options 'wrong gic' --gic 4 -- true
bad_options 'wrong kernel' --kernel 5.10 -- true
bad_options 'wrong CPUs' --smp 0 -- true
bad_options 'wrong memory' --mem lots -- true
bad_options 'wrong timeout' --timeout never -- true
bad_options 'wrong QEMU' --qemu 3 -- true
bad_options 'wrong end of a wire' --link "$scratch/wire:3" -- true
bad_options 'icount with CPUs' --icount --smp 2 -- true
bad_options 'file that is not there' --file "$scratch/none" -- true
check 'help' 'not all options' [ "$(tests/arm64-host --help | grep -c '^  --')" -eq 13 ]

# Streams, files and status of a command that fails.
head -c 4000000 /dev/urandom >"$scratch/random"
sum=$(sha256sum <"$scratch/random")
mkdir "$scratch/folder"
echo inside >"$scratch/folder/file"
ln -s file "$scratch/folder/link"
host --file "$scratch/random:sub/copy" --file "$scratch/folder" --file "$scratch/random:/opt/there" \
	--get made:"$scratch/made" --get tree:"$scratch/tree" -- '
	echo to stderr >&2
	cmp sub/copy /opt/there && [ "$(cat folder/link)" = inside ] && echo files >&2
	mkdir -p tree/sub && echo leaf >tree/sub/leaf
	cat >made
	cat made
	exit 77' <"$scratch/random"
same 'status' 77 $status
same 'input to output' "$sum" "$(sha256sum <"$out")"
same 'stderr apart' $'to stderr\nfiles' "$(cat "$err")"
same 'file back after a failure' "$sum" "$(sha256sum <"$scratch/made")"
same 'folder back' leaf "$(cat "$scratch/tree/sub/leaf")"
nothing_left 'a command that ends'

# A command of words; the machine it finds.
host -- sh -c 'echo "$#" "$1" "$2"; id -u; hostname; [ -c /dev/kvm ] && modprobe vhost_net &&
	grep -q ^tun /proc/modules || modprobe tun; ls /dev/net/tun /dev/vhost-net
	ls -d /sys/kernel/debug/kvm /sys/kernel/tracing/events /dev/pts/ptmx /dev/shm
	sleep 1000 & exit 0' - "it's \"quoted\" \$HOME" 'two  blanks' </dev/null
same 'words' "0 2 it's \"quoted\" \$HOME two  blanks" "$status $(head -n 1 "$out")"
same 'machine' '0 arm64-host /dev/net/tun /dev/vhost-net /dev/pts/ptmx /dev/shm '\
'/sys/kernel/debug/kvm /sys/kernel/tracing/events' "$(tail -n +2 "$out" | tr '\n' ' ' | sed 's/ $//')"

# A file that is not there to be had; an input that ends late and is not read.
host --get none -- 'yes | head -c 3000000' < <(sleep 2)
same 'missing file to get' '125 arm64-host: --get none: COMMAND left no such file' \
	"$status $(cat "$err")"
same 'the last byte of the output' 3000000 "$(wc -c <"$out")"

# The ends.
tests/arm64-host --timeout 8 --append "$token" -- 'sleep 1000' >"$out" 2>"$err" </dev/null
same 'timeout' 124 $?
nothing_left 'a timeout'

mkfifo "$scratch/pipe"
tests/arm64-host --timeout 60 --append "$token" -- 'echo up; sleep 1000' \
	>"$scratch/pipe" 2>"$err" </dev/null &
pid=$!
read -r line <"$scratch/pipe"
kill "$pid"
wait "$pid"
same 'SIGTERM' "143 up" "$? $line"
nothing_left 'SIGTERM'

# A second start: a few seconds of a processor, which other work may slow much.
TIMEFORMAT='%U %S'
seconds=$({ time host -- true </dev/null; } 2>&1 | awk '{ print int($1 + $2) }')
check 'a start takes less than 20 s' "$seconds s" [ "$seconds" -lt 20 ]

# shellcheck disable=SC2016
script -qec 'stty rows 33 cols 99; before=$(stty -g)
	tests/arm64-host --timeout 60 -- "tty; stty size; exit 9"
	echo "status $?"; [ "$before" = "$(stty -g)" ] && echo restored' /dev/null < <(sleep 20) |
	tr -d '\r' >"$out"
same 'terminal' '/dev/hvc0 33 99 status 9 restored' "$(xargs <"$out")"

# An arm64 machine with KVM runs the command itself: all that is needed of one is its name.
direct() {
	PATH=$scratch/bin:$PATH tests/arm64-host "$@" >"$out" 2>"$err"
	status=$?
}
if [ -e /dev/kvm ]; then
	mkdir "$scratch/bin"
	printf '#!/bin/sh\necho aarch64\n' >"$scratch/bin/uname"
	chmod +x "$scratch/bin/uname"
	direct --file "$scratch/random:sub/copy" --get made:"$scratch/here" --timeout 20 -- \
		'cat >made; cat sub/copy; echo to stderr >&2; exit 78' <"$scratch/random"
	same 'direct: status' 78 $status
	same 'direct: streams and files' "$sum $sum to stderr" \
		"$(sha256sum <"$out") $(sha256sum <"$scratch/here") $(cat "$err")"
	direct --timeout 1 -- 'sleep 987654' </dev/null
	same 'direct: timeout' 124 $status
	check 'direct: nothing left' 'sleep runs' [ -z "$(pgrep -fx 'sleep 987654')" ]
else
	echo 'skipped: direct execution, for want of /dev/kvm'
fi

lane() {
	local name=$1 release=$2 gic=$3
	shift 3
	host "$@" -- 'uname -r | cut -d . -f -2; awk "/arch_timer/" /proc/interrupts | grep -o "GIC[^ ]*" |
		head -n 1; ls /dev/kvm; modprobe tun && ls /dev/net/tun' </dev/null
	same "lane $name" "$release $gic /dev/kvm /dev/net/tun" "$(cat "$out" "$err" | xargs)"
}
if [ "${1:-}" = lanes ]; then
	lane default 6.12 GICv3
	lane 'gic 2' 6.12 GICv2 --gic 2
	lane '6.1' 6.1 GICv3 --kernel 6.1 --cpu cortex-a57
	lane '7.x' '7.3' GICv3 --kernel 7.x --cpu max
	lane icount 6.12 GICv3 --icount
	lane 'no SVE' 6.12 GICv3 --cpu max,sve=off
	lane 'installed QEMU' 6.1 GICv3 --qemu installed --kernel 6.1 --cpu cortex-a57
fi
summary
