#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on the arm64 host: machines that are listed, paused, reset, stopped and killed.

suite=control
# shellcheck source=tests/lib.sh
. ./lib.sh
unset VMM_RUNTIME_DIR XDG_RUNTIME_DIR
mkdir -p /run
limit=60

# exits FILE: how many register reads a `vmm stat` shows.
exits() {
	sed -n 's/^exits mmio_read: \[\([0-9]*\).*/\1/p' "$1"
}

# lines FILE PATTERN COUNT: whether so many whole lines match.
lines() {
	[ "$(grep -cxE -e "$2" "$1")" -eq "$3" ]
}

# --- one machine: the guest says `ready` at each start ---------------------------------------------
first() {
	vmm list >list
	vmm stat box >stat1
	vmm pause box && vmm pause box && vmm list >list-paused
	vmm stat box >stat2
	vmm stat box >stat3
	vmm resume box && vmm resume box
	vmm stat box >stat4
	vmm stat --json box >stat.json
	vmm stat --watch --json box >watched &
	awk 'BEGIN { while (n++ < 1000) print "{\"command\":\"pause\"}\n{\"command\":\"resume\"}" }' |
		vmm ctl box >storm
	for words in 'vda 1536K' 'data 2' 'vdb' '0 1' 'vdc 4' 'data much'; do
		# shellcheck disable=SC2086
		vmm resize box $words 2>&1
		echo $?
	done >resized
	for words in 256M --stats 2G ''; do
		# shellcheck disable=SC2086
		vmm balloon box $words 2>&1
		echo $?
	done >balloon
	vmm ctl box '{"command":"nothing"}' >refused 2>&1
	echo "status $?" >>refused
	vmm run --nodefaults --name box -k off.bin </dev/null >second 2>&1
	echo "status $?" >>second
	vmm run --nodefaults -k off.bin </dev/null >unnamed 2>&1
	echo "status $?" >>unnamed
	vmm stat box >stat5
	vmm reset box
}

second() {
	vmm list >list-reset
	vmm stat box >stat-reset
	vmm pause box
	vmm reset box
}

third() {
	vmm list >list-third
	echo "$(stat -c %a /run/vmm) $(stat -c %a /run/vmm/box.sock)" >modes
	vmm stat --watch box 1 >watched-text &
	until [ "$(grep -c '^state: running' watched-text)" -ge 2 ]; do usleep 50000; done
	vmm stop --force box
	echo "stop $?" >stopped
	vmm list >>stopped
	wait $!
	echo "watch $?" >>stopped
}

truncate -s 1M disk other
vmm_drive 'ready*' 'run first' 'ready*' 'run second' 'ready*' 'run third' -- \
	--nodefaults --name box -c 2 --no-reboot -k poll.bin -d disk,serial=data -d other --balloon 512M
expect 'stop --force' 143 ready
check 'gone when stop returns' "$(cat stopped)" lines stopped 'stop 0' 1
check 'nothing is listed then' "$(cat stopped)" lines stopped '.*' 2
check 'stat --watch ends with it' "$(cat stopped)" lines stopped 'watch 0' 1
check 'stat --watch goes on through resets' "$(cat watched)" test "$(wc -l <watched)" -ge 2
check 'list' "$(cat list)" lines list 'box +[0-9]+ running' 1
check 'list, paused' "$(cat list-paused)" lines list-paused 'box +[0-9]+ paused' 1
check 'stands still when paused' "$(diff stat2 stat3)" cmp -s stat2 stat3
check 'paused in stat' "$(cat stat2)" lines stat2 'state: paused' 1
check 'ran before' "$(exits stat1) then $(exits stat2)" test "$(exits stat2)" -gt "$(exits stat1)"
check 'runs again' "$(exits stat3) then $(exits stat4)" test "$(exits stat4)" -gt "$(exits stat3)"
check 'stat --json' "$(cat stat.json)" grep -qE '^\{"ok":true,"name":"box",.*"exits":\{.*\},"devices":\[.*\]\}$' \
	stat.json
check 'stat of devices' "$(cat stat1)" lines stat1 \
	'devices (pl011@9000000|pl031@9010000|gpio@9030000): interrupts [0-9]+' 3
check 'stat of memory' "$(cat stat1)" lines stat1 'memory: 536870912|resident: [1-9][0-9]{4,7}' 2
check 'resize: the file has grown' "$(cat resized; ls -l disk)" \
	test "$(stat -c %s disk)" = 2097152
check 'resize: of what it can be' "$(cat resized)" lines resized \
	"0|0|0|2|2|2|vmm: the machine refuses: .*only grows|vmm: the machine refuses: there is no disk 'vdc'.*|vmm: 'much' is no size.*" 9
check 'balloon' "$(cat balloon)" lines balloon \
	'0|0|2|2|target: 268435456|.*the guest cannot be left with.*|.*give a SIZE, or --stats' 7
check '1,000 pauses' "$(sort storm | uniq -c)" lines storm '\{"ok":true\}' 2000
check 'runs after them' "$(exits stat4) then $(exits stat5)" \
	test "$(exits stat5)" -gt "$(exits stat4)"
check 'unknown command' "$(cat refused)" lines refused '\{"ok":false,.*unknown.*|status 2' 2
check 'a name taken' "$(cat second)" lines second \
	"vmm: a machine named 'box' is running already.*|status 2" 2
check 'a name of its own' "$(cat unnamed)" lines unnamed 'status 0' 1
check 'reset, despite --no-reboot' "$(cat list-reset)" lines list-reset 'box .* running' 1
check 'counts anew' "$(exits stat-reset)" test "$(exits stat-reset)" -lt "$(exits stat5)"
check 'reset when paused' "$(cat list-third)" lines list-third 'box .* running' 1
check 'modes' "$(cat modes)" lines modes '700 600' 1

# --- ends ----------------------------------------------------------------------------------------
vmm_drive 'ready*' 'run vmm stop box; echo "stop $?" >stopped' -- \
	--nodefaults --name box --grace 1 -k console.bin
expect 'stop of a guest that ignores the key' 143 ready
check 'stop has waited' "$(cat stopped)" lines stopped 'stop 0' 1
vmm_drive 'ready*' 'run vmm pause box && kill -s TERM "$(cat pid)"' -- \
	--nodefaults --name box --grace 1 -k console.bin
expect 'SIGTERM when paused' 143 ready
vmm_drive 'ready*' 'run vmm pause box && vmm stop -f box' -- --nodefaults --name box -k console.bin
expect 'stop --force when paused' 143 ready

killed() {
	kill -9 "$(vmm list | awk '{ print $2 }')"
}
vmm_drive 'ready*' 'run killed' -- --nodefaults --name box -k console.bin
check 'kill -9 leaves a socket' 'none' test -S /run/vmm/box.sock
vmm_run --nodefaults --name box -k off.bin
expect 'its name is free' 0
vmm_drive 'ready*' 'run killed' -- --nodefaults --name box -k console.bin
check 'and is not listed' "$(vmm list)" test -z "$(vmm list)"
check 'nor left' "$(ls /run/vmm)" test -z "$(ls /run/vmm)"

# --- no folder -----------------------------------------------------------------------------------
export VMM_RUNTIME_DIR=/proc/none
vmm_run --nodefaults -k off.bin
expect 'no folder for sockets' 0
check 'said to nobody' "$(cat err)" test ! -s err
vmm_run --nodefaults --name box -k off.bin
expect 'no folder for a named machine' 2
unset VMM_RUNTIME_DIR
vmm stop nobody 2>err
status=$?
cp err out
expect 'stop of no machine' 2 "vmm: no machine named 'nobody' is running.*"

# --- the console ---------------------------------------------------------------------------------
attached() {
	echo 'hello there' | vmm console box >attached 2>attached-err &
	vmm console -r box </dev/null >watched 2>/dev/null &
	vmm ctl box '{"command":"console","readonly":1}' >refused 2>&1
}
vmm_drive 'ready*' 'run attached' '*polled: hello there*' 'send one more\nquit\n' -- \
	--nodefaults --name box -k console.bin
wait
expect 'typed by another' 0 '.*polled: hello there' 'echo: one more'
tr -d '\r' <attached >attached-lines
check 'attached: before and after' "$(cat attached)" lines attached-lines \
	'ready.*|.*polled: hello there|echo: one more' 3
check 'attached: to the end' "$(cat attached-err)" lines attached-err "vmm: machine 'box' has ended" 1
check 'watched the same' "$(diff attached watched)" cmp -s attached watched
check 'a wrong member' "$(cat refused)" lines refused '.*"ok":false.*not true or false.*' 1

# --- files of options -------------------------------------------------------------------------------
vmm run --nodefaults -k off.bin --name box -m 64 -p ' two  "words" ' --dry-run >plan 2>err </dev/null
vmm run --config plan --dry-run >plan2 2>>err </dev/null
check 'printed, read back, printed' "$(diff plan plan2; cat err)" cmp -s plan plan2
check 'the plan' "$(cat plan)" lines plan '# kernel: .*|kernel off.bin|mem 64|params " two .*"' 4
vmm_run --config plan
expect 'runs by it' 0
echo 'mem none' >>plan
vmm_run --config plan
expect 'a bad line' 2
check 'named' "$(cat err)" grep -q '^vmm: plan:[0-9]*: mem none: give a size' err

# --- twenty at once --------------------------------------------------------------------------------
mkfifo said
exec 6<>said
i=0
while [ $i -lt 20 ]; do
	{
		timeout 120 vmm run --nodefaults -m 16 --name "vm$i" -k poll.bin -p idle=1 \
			</dev/null 2>&1
		echo $? >"status$i"
	} | {
		grep -m 1 ready >/dev/null
		echo "vm$i" >said
		cat >/dev/null
	} &
	i=$((i + 1))
done
while [ $i -gt 0 ]; do
	read -r _ <&6
	i=$((i - 1))
done
vmm list >list
check 'twenty listed' "$(cat list)" lines list 'vm[0-9]+ +[0-9]+ running' 20
while [ $i -lt 20 ]; do
	vmm stop --force "vm$i"
	i=$((i + 1))
done
wait
cat status? status1? >list
check 'twenty stopped' "$(sort list | uniq -c)" lines list 143 20
check 'none listed' "$(vmm list)" test -z "$(vmm list)"

summary
