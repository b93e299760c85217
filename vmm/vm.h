/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/regs_state.h"
#include "arch/arm64/vgic.h"
#include "firmware/smccc.h"
#include "vmm/coalesce.h"
#include "vmm/core/bus.h"
#include "vmm/core/fail.h"
#include "vmm/core/irqchip.h"
#include "vmm/core/json.h"
#include "vmm/core/log.h"
#include "vmm/core/loop.h"
#include "vmm/core/mem.h"
#include "vmm/kvm.h"
#include "vmm/pages.h"
#include "vmm/vcpu.h"

/*
 * A virtual machine's life. The host's half (memory, bus, loop, devices) lives from vm_create() to
 * vm_destroy(). The kernel's half (the KVM VM, its interrupt controller, its vCPUs) lives from
 * vm_power_on() to vm_power_off(): a reset of the machine makes a new one, so no state in the
 * kernel can survive it.
 *
 * Threads: the loop thread and one a vCPU. Lock order: vm->run_lock, device, irqchip.
 */

/* What the vCPU threads are asked for. */
enum vm_request { VM_PAUSE, VM_RUN, VM_STOP };

/* Why vm_run() returned. */
enum vm_end { VM_END_NONE, VM_END_OFF, VM_END_RESET, VM_END_CRASH, VM_END_QUIT };

/* What becomes of an access that nobody claims; as --unmapped's words are ordered. */
enum vm_unmapped { VM_UNMAPPED_IGNORE, VM_UNMAPPED_ABORT, VM_UNMAPPED_STOP };

enum { VM_DEVICES_MAX = 40 };

struct vm {
	struct log *log;
	struct guest_mem mem;
	struct bus bus;
	struct loop *loop;
	struct irqchip *chip;
	const struct gic_half *gic; /* of chip */
	struct device *devices[VM_DEVICES_MAX]; /* owned; in creation order */
	unsigned int ndevices;

	struct kvm kvm;
	struct pages pages;
	struct coalesce coalesce;
	struct cpu_model model;
	unsigned int ipa_bits;
	struct vcpu *vcpus;
	unsigned int ncpus;
	bool powered;
	bool log_manual; /* what the log has told is cleared apart from that */
	enum vm_unmapped unmapped;
	const struct smccc *fw; /* borrowed; NULL: the kernel serves PSCI by itself */

	/* The guest's counters while it stands still; its vCPUs go on from there. */
	struct clock clock;
	bool clock_stopped;
	bool clock_moved; /* `clock` is of another process: the physical counter, too, has to go on from there */
	struct device *generation; /* gets a new id before the vCPUs run; NULL: keeps its own */
	uint64_t stopped_at; /* by the host's real time, in ns since 1970 */

	pthread_mutex_t run_lock;
	pthread_cond_t all_parked; /* `parked` has grown; vCPUs wait for their own `wake` */
	enum vm_request request; /* under run_lock */
	unsigned int parked; /* vCPU threads that wait, under run_lock */
	/* Under run_lock: for whom the others stay parked, a vCPU or, by the address of this struct,
	 * the loop thread; or NULL. And how many vCPU threads wait for the latter. */
	const void *holder;
	unsigned int waiting;
	_Atomic int end; /* enum vm_end; the first cause wins */
	int quit_code; /* exit code that goes with VM_END_QUIT */
};

/* Host's half: opens /dev/kvm, makes loop and bus. EXIT_HOST with a sentence. */
int vm_create(struct log *log, struct vm **out, struct fail *fail);
void vm_destroy(struct vm *vm);
/* Ends the guest and its devices, while what the devices borrowed still lives. NULL is fine. */
void vm_destroy_devices(struct vm *vm);

/* Maps guest RAM of `size` bytes at `base`; zeroed, given out page by page by the host. */
int vm_add_ram(struct vm *vm, gpa_t base, uint64_t size, struct fail *fail);
/* All of RAM reads as zero again. No vCPU runs. */
int vm_clear_ram(struct vm *vm, struct fail *fail);

/* The most bits that addresses of a guest can have on this host. */
unsigned int vm_ipa_max(const struct vm *vm);
/* The KVM VM with `ipa_bits`; vm_power_on() uses the one that is open. */
int vm_open_kvm(struct vm *vm, unsigned int ipa_bits, struct fail *fail);

/* Takes over the device, and connects its interrupt. */
int vm_add_device(struct vm *vm, struct device *dev, struct fail *fail);

/* Makes the kernel's half and starts the vCPU threads, paused; CPU 0 at `pc` with x0 = `x0`. */
int vm_power_on(struct vm *vm, uint64_t pc, uint64_t x0, struct fail *fail);
/* Ends the vCPU threads and closes the kernel's half. */
void vm_power_off(struct vm *vm);

/* Private: vm.c and vm_run.c. What the vCPU threads are asked for; they are not waited for. */
void vm_ask(struct vm *vm, enum vm_request request);

/* Begins to log what vCPUs write to RAM, or stops: 0 or -errno. vm_log_take() adds to `bits`, one a
 * page of region `ram`, what they wrote since it was last asked, all of it at first. Any thread. */
int vm_log_writes(struct vm *vm, bool on);
int vm_log_take(struct vm *vm, unsigned int ram, uint64_t *bits);

/* Every vCPU thread parked, its last MMIO access completed, and the guest's counter stopped. Loop
 * thread. */
void vm_pause(struct vm *vm);
/* The counter goes on from where it was. */
void vm_resume(struct vm *vm);
/* The guest's counters, which stand still, have gone on since they stopped. */
void vm_advance_clock(struct vm *vm);
/* Whether the vCPUs are asked to stand still. Loop thread. */
bool vm_paused(const struct vm *vm);

/* Adds to an object what has been counted since the last reset (vmm/control.md, `stat`). Loop
 * thread, no lock held. */
void vm_stat(struct vm *vm, struct json_out *out);

/* Runs the loop, and the vCPUs unless they are to stay `paused`, until the machine ends; the caller
 * becomes the loop thread. The vCPUs are paused when it returns; VM_END_NONE after vm_interrupt(). */
enum vm_end vm_run(struct vm *vm, bool paused);
/* Makes vm_run() return while the machine has not ended, for what has to have all of it still. */
void vm_interrupt(struct vm *vm);
/* Ends vm_run(): the first cause counts. Any thread. `code` matters for VM_END_QUIT. */
void vm_end(struct vm *vm, enum vm_end why, int code);

/* Makes a parked vCPU look again whether PSCI has switched it on. */
void vm_wake(struct vm *vm, unsigned int cpu);

/*
 * For a vCPU's thread: every other vCPU is parked when it returns, and stays so until
 * vm_release_others(). False, and nothing to release, when the machine stops or another vCPU holds.
 */
bool vm_hold_others(struct vm *vm, const struct vcpu *self);
void vm_release_others(struct vm *vm);

/*
 * For the loop thread: every vCPU is parked, or waits to hold the others, when it returns, and stays
 * so until vm_release(). Less than a pause: the guest's counter goes on, and so do devices. False,
 * and nothing to release, while the machine is off or is to stop. No lock held that a vCPU's thread
 * may wait for.
 */
bool vm_hold(struct vm *vm);
void vm_release(struct vm *vm);

/* For vCPU threads, after a kick: waits while the request is VM_PAUSE, and while the CPU is off;
 * false means stop. */
bool vm_park(struct vm *vm, struct vcpu *vcpu);

#endif
