// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/snapshot_crew.h"

#include <errno.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "vmm/snapshot.h"

enum {
	SECOND = 1000000000,
	PROGRESS_NS = 200000000,
	FEW = 16, /* chunks that no thread is worth */
};

static void note_wrong(struct snapshot_crew *crew, uint32_t chunk, int err)
{
	uint64_t wrong = atomic_load(&crew->wrong), mine = (uint64_t)chunk << 32 | (uint32_t)-err;

	while (mine < wrong && !atomic_compare_exchange_weak(&crew->wrong, &wrong, mine))
		;
	atomic_store(&crew->next, crew->snap->nsums);
}

static void *work(void *arg)
{
	struct snapshot_crew *crew = arg;
	const struct snapshot *snap = crew->snap;
	uint32_t chunk;

	/* Of this thread alone. */
	if (crew->nice)
		setpriority(PRIO_PROCESS, 0, crew->nice);
	while ((chunk = atomic_fetch_add(&crew->next, 1)) < snap->nsums) {
		unsigned int run = 0;
		int err;

		while (run + 1 < snap->nram && snap->ram[run + 1].first <= chunk)
			run++;
		err = crew->chunk(crew->arg, run, chunk - snap->ram[run].first);
		if (err)
			note_wrong(crew, chunk, err);
	}
	return NULL;
}

static void begin(struct snapshot_crew *crew)
{
	crew->nthreads = 0;
	atomic_store(&crew->next, 0);
	atomic_store(&crew->wrong, UINT64_MAX);
}

int crew_start(struct snapshot_crew *crew)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int max = sizeof(crew->threads) / sizeof(crew->threads[0]);
	unsigned int want = cpus < 1 ? 1 : (unsigned int)cpus;

	begin(crew);
	while (crew->nthreads < want && crew->nthreads < max) {
		int err = pthread_create(&crew->threads[crew->nthreads], NULL, work, crew);

		if (err)
			return crew->nthreads ? 0 : -err;
		crew->nthreads++;
	}
	return 0;
}

static void tell_progress(struct snapshot_crew *crew)
{
	uint64_t next = atomic_load(&crew->next), all = crew->snap->nsums;

	crew->progress->fn(crew->progress->arg, (next < all ? next : all) * SNAPSHOT_CHUNK,
			   all * SNAPSHOT_CHUNK);
}

/* Waits for one thread. */
static void join(struct snapshot_crew *crew, pthread_t thread)
{
	struct timespec until;

	while (crew->progress) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += PROGRESS_NS;
		until.tv_sec += until.tv_nsec / SECOND;
		until.tv_nsec %= SECOND;
		if (pthread_timedjoin_np(thread, NULL, &until) != ETIMEDOUT)
			return;
		tell_progress(crew);
	}
	pthread_join(thread, NULL);
}

int crew_wait(struct snapshot_crew *crew, uint32_t *bad)
{
	uint64_t wrong;

	while (crew->nthreads)
		join(crew, crew->threads[--crew->nthreads]);
	wrong = atomic_load(&crew->wrong);
	if (bad)
		*bad = (uint32_t)(wrong >> 32);
	return wrong == UINT64_MAX ? 0 : -(int)(uint32_t)wrong;
}

int crew_run(struct snapshot_crew *crew)
{
	begin(crew);
	if (crew->snap->nsums < FEW || crew_start(crew))
		work(crew);
	return crew_wait(crew, NULL);
}
