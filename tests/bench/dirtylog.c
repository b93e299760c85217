// SPDX-License-Identifier: GPL-2.0-only
/*
 * dirtylog bitmap|ring MIB PAGES: a guest of so much RAM, all of it mapped, writes to that many
 * pages of it, evenly apart, and again; after each time what it wrote is taken from KVM: as a bitmap
 * that is protected again as it is read, or from a ring of the default size of other VMMs. Says, in
 * ns a round, how long the guest took and how long it was to take the log.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "tests/bench/bare.h"

enum {
	RAM = 0x40000000,
	UART = 0x09000000,
	PAGE = 4096,
	SLICE = 64 << 10,
	RING = 4096,
	ROUNDS = 3
};

static const uint32_t code[] = {
	0xb9000023, /* str w3, [x1] */
	0x8b020021, /* add x1, x1, x2 */
	0xf1000400, /* subs x0, x0, #1 */
	0x54ffffa1, /* b.ne -12 */
	0xb9000083, /* str w3, [x4]: exits */
	0x17fffffb, /* b -20 */
};

struct bench {
	bool ring;
	uint64_t pages;
	int vm, vcpu;
	struct kvm_run *run;
	struct kvm_dirty_gfn *gfns;
	uint64_t next; /* of the ring */
	uint64_t *bits, *log;
	uint64_t guest_ns, take_ns;
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void enable(int vm, uint32_t cap, uint64_t arg)
{
	struct kvm_enable_cap enable = { .cap = cap, .args = { arg } };

	must("ENABLE_CAP", ioctl(vm, KVM_ENABLE_CAP, &enable));
}

static void make_vcpu(struct bench *b, int kvm)
{
	struct kvm_vcpu_init init;

	b->vcpu = must("CREATE_VCPU", ioctl(b->vm, KVM_CREATE_VCPU, 0));
	must("PREFERRED_TARGET", ioctl(b->vm, KVM_ARM_PREFERRED_TARGET, &init));
	must("VCPU_INIT", ioctl(b->vcpu, KVM_ARM_VCPU_INIT, &init));
	b->run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		      MAP_SHARED, b->vcpu, 0);
	if (b->ring)
		b->gfns = mmap(NULL, RING * sizeof(*b->gfns), PROT_READ | PROT_WRITE, MAP_SHARED,
			       b->vcpu, KVM_DIRTY_LOG_PAGE_OFFSET * PAGE);
	if (b->run == MAP_FAILED || b->gfns == MAP_FAILED)
		must("mmap", -1);
}

static void make(struct bench *b)
{
	int kvm = must("/dev/kvm", open("/dev/kvm", O_RDWR));

	b->vm = must("CREATE_VM", ioctl(kvm, KVM_CREATE_VM, 0));
	b->bits = calloc(b->pages / 64, sizeof(*b->bits));
	b->log = calloc(b->pages / 64, sizeof(*b->log));
	if (!b->bits || !b->log)
		must("memory", -1);
	if (b->ring) {
		enable(b->vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, RING * sizeof(*b->gfns));
		enable(b->vm, KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP, 0);
	} else {
		enable(b->vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		       KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET);
	}
	make_vcpu(b, kvm);
}

/* --- what was written -------------------------------------------------------------------------- */

static void take_ring(struct bench *b)
{
	for (;; b->next++) {
		struct kvm_dirty_gfn *g = &b->gfns[b->next % RING];

		if (!(__atomic_load_n(&g->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY))
			break;
		b->bits[g->offset / 64] |= UINT64_C(1) << g->offset % 64;
		__atomic_store_n(&g->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
	}
	must("RESET_DIRTY_RINGS", ioctl(b->vm, KVM_RESET_DIRTY_RINGS, 0));
}

static void take_bitmap(struct bench *b)
{
	struct kvm_dirty_log log = { .dirty_bitmap = b->log };

	must("GET_DIRTY_LOG", ioctl(b->vm, KVM_GET_DIRTY_LOG, &log));
	for (uint64_t at = 0; at < b->pages; at += SLICE) {
		struct kvm_clear_dirty_log clear = {
			.first_page = at,
			.num_pages = b->pages - at < SLICE ? (uint32_t)(b->pages - at) : SLICE,
			.dirty_bitmap = b->log + at / 64,
		};

		must("CLEAR_DIRTY_LOG", ioctl(b->vm, KVM_CLEAR_DIRTY_LOG, &clear));
	}
	for (uint64_t i = 0; i < b->pages / 64; i++)
		b->bits[i] |= b->log[i];
}

/* How many pages; all are forgotten. */
static uint64_t found(struct bench *b)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < b->pages / 64; i++) {
		n += (uint64_t)__builtin_popcountll(b->bits[i]);
		b->bits[i] = 0;
	}
	return n;
}

/* --- rounds ------------------------------------------------------------------------------------ */

/* Writes `n` pages; what of it is logged is taken, in the middle, too, when a ring is full. */
static void write_pages(struct bench *b, uint64_t n, bool logged)
{
	uint64_t began = now(), end;

	set_reg(b->vcpu, KVM_REG_ARM_CORE_REG(regs.regs[0]), n);
	set_reg(b->vcpu, KVM_REG_ARM_CORE_REG(regs.regs[1]), RAM + PAGE);
	set_reg(b->vcpu, KVM_REG_ARM_CORE_REG(regs.regs[2]), (b->pages - 1) / n * PAGE);
	while (ioctl(b->vcpu, KVM_RUN, 0), b->run->exit_reason == KVM_EXIT_DIRTY_RING_FULL)
		take_ring(b);
	end = now();
	if (b->run->exit_reason != KVM_EXIT_MMIO)
		must("KVM_RUN", -1);
	if (!logged)
		return;
	(b->ring ? take_ring : take_bitmap)(b);
	b->guest_ns += end - began;
	b->take_ns += now() - end;
}

int main(int argc, char **argv)
{
	struct bench b = { .ring = argc == 4 && !strcmp(argv[1], "ring") };
	struct kvm_userspace_memory_region slot = { .guest_phys_addr = RAM };
	uint64_t n, got = 0;
	void *ram;

	if (argc != 4)
		return 2;
	slot.memory_size = strtoull(argv[2], NULL, 0) << 20;
	b.pages = slot.memory_size / PAGE;
	n = strtoull(argv[3], NULL, 0);
	make(&b);
	ram = mmap(NULL, slot.memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
	if (ram == MAP_FAILED)
		must("mmap", -1);
	madvise(ram, slot.memory_size, MADV_NOHUGEPAGE);
	memset(ram, 1, slot.memory_size);
	memcpy(ram, code, sizeof(code));
	slot.userspace_addr = (uintptr_t)ram;
	must("memory", ioctl(b.vm, KVM_SET_USER_MEMORY_REGION, &slot));
	set_reg(b.vcpu, KVM_REG_ARM_CORE_REG(regs.pc), RAM);
	set_reg(b.vcpu, KVM_REG_ARM_CORE_REG(regs.regs[4]), UART);
	write_pages(&b, b.pages - 1, false);
	slot.flags = KVM_MEM_LOG_DIRTY_PAGES;
	must("log", ioctl(b.vm, KVM_SET_USER_MEMORY_REGION, &slot));
	write_pages(&b, n, true);
	found(&b);
	b.guest_ns = b.take_ns = 0;
	for (int i = 0; i < ROUNDS; i++) {
		write_pages(&b, n, true);
		got += found(&b);
	}
	printf("%llu %llu\n", (unsigned long long)b.guest_ns / ROUNDS,
	       (unsigned long long)b.take_ns / ROUNDS);
	/* A page that is written when its ring is full is there twice, and counted once. */
	return got == n * ROUNDS ? 0 : 1;
}
