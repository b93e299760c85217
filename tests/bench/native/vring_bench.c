// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/native/driver.h"
#include "virtio/vring.h"

/*
 * How fast a ring is. With --parallel a driver and a device, each a process on a CPU of its own that
 * sees the ring at an address of its own, move 4 bytes out and 4 bytes in a transfer, in three
 * shapes of scattered buffers; each sleeps on a pipe when it has nothing to do. Without, one process
 * is both and tells how many descriptors a second the device's side walks.
 */

enum {
	GUEST_BASE = 0x40000000, /* where the guest sees the memory */
	SLOTS = DRV_NUM + 1, /* of data: one more than can be in use */
	TABLES = DRV_SIZE + 8192, /* behind ring and data */
	MEM_SIZE = TABLES + DRV_NUM * DRV_SG_MAX * 16,
	BATCH = 16, /* transfers that the device completes at a time */
	LOOKS = 1000, /* at a ring that is empty, or full, before going to sleep: about 50 us */
};

struct opts {
	uint64_t features;
	bool parallel, alternate;
	unsigned long xfers;
};

#define NEED(cond)                                                                             \
	do {                                                                                   \
		if (!(cond)) {                                                                 \
			fprintf(stderr, "vring_bench: line %d: %s failed\n", __LINE__, #cond); \
			exit(1);                                                               \
		}                                                                              \
	} while (0)

static void relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* --- the driver -------------------------------------------------------------------------------- */

struct guest {
	struct drv drv;
	uint8_t *mem;
	bool alternate;
	int wake, sleep; /* pipes: to the device, from the device */
	unsigned long given, finished, notified, pinged;
};

static unsigned int cut(struct drv_buf *bufs, uint64_t addr, bool in, const uint8_t *lens)
{
	unsigned int n = 0;

	for (; lens[n]; addr += lens[n++])
		bufs[n] = (struct drv_buf){ addr, lens[n], in };
	return n;
}

/* 4 bytes out and 4 in, each in three, two or one buffers. */
static bool give(struct guest *g)
{
	static const uint8_t shapes[][5] = { { 1, 2, 1 }, { 1, 3 }, { 4 } };
	unsigned int slot = g->given % SLOTS, n;
	const uint8_t *shape = shapes[g->given / 4 % 3];
	uint32_t *data = (uint32_t *)(g->mem + DRV_SIZE) + 2 * slot;
	uint64_t at = GUEST_BASE + DRV_SIZE + 8 * slot, table = TABLES + g->given % DRV_NUM * 96;
	struct drv_buf bufs[DRV_SG_MAX];

	*data = g->given;
	n = cut(bufs, at, false, shape);
	n += cut(bufs + n, at + 4, true, shape);
	return drv_add(&g->drv, bufs, n, g->mem + table, GUEST_BASE + table);
}

/* As the 6.12 kernel's test has it: out and in by turns, in one of four shapes. */
static bool give_one_way(struct guest *g)
{
	static const uint8_t shapes[][5] = { { 1, 2, 1 }, { 1, 3 }, { 4 }, { 1, 1, 1, 1 } };
	unsigned int slot = g->given % SLOTS, n;
	uint32_t *data = (uint32_t *)(g->mem + DRV_SIZE) + slot;
	uint64_t table = TABLES + g->given % DRV_NUM * 64;
	struct drv_buf bufs[4];

	*data = g->given % 2 ? UINT32_MAX : g->given;
	n = cut(bufs, GUEST_BASE + DRV_SIZE + 4 * slot, g->given % 2, shapes[g->given / 4 % 4]);
	return drv_add(&g->drv, bufs, n, g->mem + table, GUEST_BASE + table);
}

static bool take(struct guest *g)
{
	const uint32_t *data = (uint32_t *)(g->mem + DRV_SIZE);
	unsigned int slot = g->finished % SLOTS;
	uint32_t len;

	if (!drv_get(&g->drv, &len))
		return false;
	if (!g->alternate)
		NEED(len == 4 && data[2 * slot] == (uint32_t)g->finished &&
		     data[2 * slot + 1] == data[2 * slot]);
	else
		NEED(len == g->finished % 2 * 4 && data[slot] == (uint32_t)(g->finished & ~1UL));
	g->finished++;
	return true;
}

/* Until the device has used most of what it has. */
static void guest_sleep(struct guest *g)
{
	char buf[128];

	for (unsigned int i = 0; i < LOOKS; i++) {
		if (take(g))
			return;
		relax();
	}
	if (!drv_arm(&g->drv))
		return;
	NEED(read(g->sleep, buf, sizeof(buf)) > 0);
	g->pinged++;
	drv_disarm(&g->drv);
}

static void guest_run(struct guest *g, unsigned long xfers)
{
	while (g->finished < xfers) {
		while (take(g))
			;
		if (g->finished == xfers)
			break;
		if (g->given == xfers || !(g->alternate ? give_one_way(g) : give(g))) {
			guest_sleep(g);
			continue;
		}
		g->given++;
		if (drv_wants_kick(&g->drv)) {
			NEED(write(g->wake, "", 1) == 1);
			g->notified++;
		}
	}
	printf("Guest: notified %lu, pinged %lu\n", g->notified, g->pinged);
}

/* --- the device -------------------------------------------------------------------------------- */

struct host {
	struct guest_mem mem;
	struct virtq vq;
	int wake, sleep;
	unsigned long done, notified, pinged, walked;
};

static void host_init(struct host *h, uint8_t *mem, uint64_t features)
{
	NEED(!guest_mem_add(&h->mem, GUEST_BASE, MEM_SIZE, mem));
	virtq_init(&h->vq, &h->mem, DRV_NUM);
	h->vq.num = DRV_NUM;
	h->vq.desc = GUEST_BASE;
	h->vq.avail = GUEST_BASE + DRV_AVAIL;
	h->vq.used = GUEST_BASE + DRV_USED;
	NEED(!virtq_enable(&h->vq, features));
}

/* What came out goes in: at once, or with the next chain. */
static uint32_t copy(struct virtq_chain *chain, uint8_t *buf)
{
	if (chain->out.n)
		NEED(virtq_pull(chain, buf, 5) == 4);
	if (!chain->in.n)
		return 0;
	NEED(virtq_put(chain, buf, 4) == 4 && chain->in.at == chain->in.n);
	return 4;
}

static void host_publish(struct host *h)
{
	if (virtq_publish(&h->vq)) {
		NEED(write(h->wake, "", 1) == 1);
		h->notified++;
	}
}

static bool host_look(struct host *h, struct virtq_chain *chain)
{
	for (unsigned int i = 0; i < LOOKS; i++) {
		int ret = virtq_pop(&h->vq, chain);

		NEED(ret >= 0);
		if (ret)
			return true;
		relax();
	}
	return false;
}

static void host_sleep(struct host *h)
{
	char buf[128];

	if (virtq_listen(&h->vq))
		return;
	NEED(read(h->sleep, buf, sizeof(buf)) > 0);
	h->pinged++;
	virtq_mute(&h->vq);
}

static void host_run(struct host *h, unsigned long xfers)
{
	struct iovec iov[2 * DRV_SG_MAX];
	struct virtq_chain chain;
	uint8_t buf[5];
	unsigned int batch = 0;
	int ret;

	virtq_chain_init(&chain, iov, 2 * DRV_SG_MAX);
	while (h->done < xfers) {
		ret = virtq_pop(&h->vq, &chain);
		NEED(ret >= 0);
		if (!ret) {
			host_publish(h);
			batch = 0;
			if (!host_look(h, &chain)) {
				host_sleep(h);
				continue;
			}
		}
		h->walked += chain.out.n + chain.in.n;
		virtq_push(&h->vq, &chain, copy(&chain, buf));
		h->done++;
		if (++batch == BATCH) {
			host_publish(h);
			batch = 0;
		}
	}
	host_publish(h);
	virtq_chain_free(&chain);
	virtq_disable(&h->vq);
}

/* --- both -------------------------------------------------------------------------------------- */

/* Two CPUs as far apart as there are. */
static void find_cpus(unsigned int *first, unsigned int *last)
{
	cpu_set_t set;

	NEED(!sched_getaffinity(0, sizeof(set), &set));
	for (*first = 0; !CPU_ISSET(*first, &set);)
		++*first;
	for (*last = CPU_SETSIZE - 1; !CPU_ISSET(*last, &set);)
		--*last;
}

static void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	NEED(!sched_setaffinity(0, sizeof(set), &set));
}

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double seconds(struct timeval tv)
{
	return tv.tv_sec + tv.tv_usec / 1e6;
}

static void report(double began, unsigned long count, const char *what)
{
	struct rusage self, child;
	double took = now(CLOCK_MONOTONIC) - began;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &child);
	printf("Time: R=%.3f U=%.3f S=%.3f\n", took,
	       seconds(self.ru_utime) + seconds(child.ru_utime),
	       seconds(self.ru_stime) + seconds(child.ru_stime));
	printf("%.0f %s a second\n", count / took, what);
}

static int parallel(const struct opts *o)
{
	int fd = memfd_create("vring", 0), to_guest[2], to_host[2], status;
	unsigned int first, last;
	uint8_t *host_map, *guest_map;
	double began = now(CLOCK_MONOTONIC);

	NEED(fd >= 0 && !ftruncate(fd, MEM_SIZE));
	host_map = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	guest_map = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(host_map != MAP_FAILED && guest_map != MAP_FAILED && host_map != guest_map);
	NEED(!pipe(to_guest) && !pipe(to_host));
	find_cpus(&first, &last);
	printf("Using CPUS %u and %u\n", first, last);
	fflush(stdout);
	if (fork() == 0) {
		struct guest g = {
			.mem = guest_map,
			.alternate = o->alternate,
			.wake = to_host[1],
			.sleep = to_guest[0],
		};

		munmap(host_map, MEM_SIZE);
		close(to_guest[1]);
		close(to_host[0]);
		pin(last);
		drv_init(&g.drv, g.mem, o->features);
		guest_run(&g, o->xfers);
		exit(0);
	}
	struct host h = { .wake = to_guest[1], .sleep = to_host[0] };

	munmap(guest_map, MEM_SIZE);
	close(to_guest[0]);
	close(to_host[1]);
	pin(first);
	host_init(&h, host_map, o->features);
	host_run(&h, o->xfers);
	NEED(wait(&status) > 0 && WIFEXITED(status) && !WEXITSTATUS(status));
	printf("Host: notified %lu, pinged %lu\n", h.notified, h.pinged);
	report(began, o->xfers, "transfers");
	return 0;
}

/* The driver fills the ring, the device empties it; only the device's time counts. */
static int walk(const struct opts *o)
{
	uint8_t *mem =
		mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct guest g = { .mem = mem, .alternate = o->alternate };
	struct iovec iov[2 * DRV_SG_MAX];
	struct virtq_chain chain;
	struct host h = { 0 };
	double spent = 0;

	NEED(mem != MAP_FAILED);
	host_init(&h, mem, o->features);
	drv_init(&g.drv, mem, o->features);
	virtq_chain_init(&chain, iov, 2 * DRV_SG_MAX);
	while (h.done < o->xfers) {
		double began;

		while (o->alternate ? give_one_way(&g) : give(&g))
			g.given++;
		began = now(CLOCK_THREAD_CPUTIME_ID);
		while (virtq_pop(&h.vq, &chain) > 0) {
			h.walked += chain.out.n + chain.in.n;
			virtq_push(&h.vq, &chain, chain.in.left);
			h.done++;
		}
		virtq_publish(&h.vq);
		spent += now(CLOCK_THREAD_CPUTIME_ID) - began;
		g.finished = g.given;
		for (uint32_t len; drv_get(&g.drv, &len);)
			;
	}
	NEED(h.done == g.given && !g.drv.given);
	printf("%lu chains, %lu descriptors in %.3f s\n", h.done, h.walked, spent);
	printf("%.0f descriptors a second\n", h.walked / spent);
	virtq_chain_free(&chain);
	virtq_disable(&h.vq);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: vring_bench [--indirect] [--eventidx] [--packed] [--parallel]\n"
			"                   [--one-way] [--xfers N]\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct opts o = { .features = 1ULL << VIRTIO_F_VERSION_1, .xfers = 10000000 };

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--indirect"))
			o.features |= 1ULL << VIRTIO_RING_F_INDIRECT_DESC;
		else if (!strcmp(argv[i], "--eventidx"))
			o.features |= 1ULL << VIRTIO_RING_F_EVENT_IDX;
		else if (!strcmp(argv[i], "--packed"))
			o.features |= 1ULL << VIRTIO_F_RING_PACKED;
		else if (!strcmp(argv[i], "--parallel"))
			o.parallel = true;
		else if (!strcmp(argv[i], "--one-way"))
			o.alternate = true;
		else if (!strcmp(argv[i], "--xfers") && i + 1 < argc)
			o.xfers = strtoul(argv[++i], NULL, 10);
		else
			return usage();
	}
	if (!o.xfers)
		return usage();
	return o.parallel ? parallel(&o) : walk(&o);
}
