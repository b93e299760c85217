// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/pl011.h"
#include "tests/fake/board.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "vmm/core/chardev.h"
#include "vmm/core/stores.h"

/* Polled output of the PL011 through a queue of stores: every byte, in order, soon, and nobody is
 * woken for nothing. */

enum { DR = 0x00, FR = 0x18, CR = 0x30, IMSC = 0x38, RIS = 0x3c, ICR = 0x44 };
enum { RXFE = 0x10, TXFF = 0x20, TX = 0x20, ROOM = 16, OUT_MAX = 1 << 21, BYTES = 300000 };

/* The kernel's half: `taken` is ours, `given` is what the guest may use again. */
struct fake_stores {
	struct stores stores;
	pthread_mutex_t lock;
	bool on;
	int err;
	unsigned int watches;
	gpa_t addr[ROOM];
	uint64_t val[ROOM];
	unsigned int in, taken, given;
};

static struct board board;
static struct fake_stores queue;
static struct device *dev;
static struct chardev *chr;
static int in, out;
static atomic_bool shown;
static uint8_t *got;
static size_t ngot;

static struct fake_stores *to_fake(struct stores *stores)
{
	return container_of(stores, struct fake_stores, stores);
}

static int fake_watch(struct stores *stores, gpa_t addr, uint32_t size, bool on)
{
	struct fake_stores *f = to_fake(stores);

	ck_assert_uint_eq(addr, BOARD_BASE + DR);
	ck_assert_uint_eq(size, 4);
	f->watches++;
	if (f->err)
		return f->err;
	pthread_mutex_lock(&f->lock);
	ck_assert(f->on != on);
	f->on = on;
	pthread_mutex_unlock(&f->lock);
	return 0;
}

static bool fake_take(struct stores *stores, gpa_t *addr, uint64_t *val)
{
	struct fake_stores *f = to_fake(stores);
	bool some;

	pthread_mutex_lock(&f->lock);
	some = f->taken != f->in;
	if (some) {
		*addr = f->addr[f->taken % ROOM];
		*val = f->val[f->taken % ROOM];
		f->taken++;
	}
	pthread_mutex_unlock(&f->lock);
	return some;
}

static void fake_give_back(struct stores *stores)
{
	struct fake_stores *f = to_fake(stores);

	pthread_mutex_lock(&f->lock);
	f->given = f->taken;
	pthread_mutex_unlock(&f->lock);
}

static int map(struct regpage *page, bool on)
{
	(void)page;
	atomic_store(&shown, on);
	return 0;
}

static void setup(void)
{
	int in_pipe[2], out_pipe[2];

	board_init(&board);
	queue = (struct fake_stores){
		.stores = { .room = ROOM,
			    .watch = fake_watch,
			    .take = fake_take,
			    .give_back = fake_give_back },
	};
	pthread_mutex_init(&queue.lock, NULL);
	shown = false;
	board.env.stores = &queue.stores;
	board.page.map = map;
	ck_assert_int_eq(pipe2(in_pipe, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out_pipe, O_CLOEXEC), 0);
	ck_assert_int_eq(chardev_create(&chr, board.loop, in_pipe[0], out_pipe[1]), 0);
	ck_assert_int_eq(pl011_create(&board.env, chr, &dev, NULL), 0);
	regpage_show(&board.page);
	in = in_pipe[1];
	out = out_pipe[0];
	ck_assert_int_eq(fcntl(out, F_SETFL, O_NONBLOCK), 0);
	got = malloc(OUT_MAX);
	ngot = 0;
}

static void teardown(void)
{
	if (dev)
		dev->ops->destroy(dev);
	chardev_destroy(chr);
	board_fini(&board, NULL);
	pthread_mutex_destroy(&queue.lock);
	free(got);
}

/* One store of the guest's: whether it was queued, and so did not exit. */
static bool store_at(uint64_t off, uint64_t val)
{
	bool queued;

	pthread_mutex_lock(&queue.lock);
	queued = queue.on && queue.in - queue.given < ROOM;
	if (queued) {
		queue.addr[queue.in % ROOM] = BOARD_BASE + off;
		queue.val[queue.in++ % ROOM] = val;
	}
	pthread_mutex_unlock(&queue.lock);
	if (!queued)
		board_write(&board, off, 4, val);
	return queued;
}

static bool store(uint8_t byte)
{
	return store_at(DR, byte | 0x5a00);
}

static uint32_t load_fr(void)
{
	if (atomic_load(&shown))
		return __atomic_load_n((uint32_t *)regpage_at(&board.page, BOARD_BASE + FR),
				       __ATOMIC_ACQUIRE);
	return board_get(&board, FR);
}

static void collect(void)
{
	ssize_t n;

	while ((n = read(out, got + ngot, OUT_MAX - ngot)) > 0)
		ngot += (size_t)n;
}

static void settle(void)
{
	while (loop_poll(board.loop, 0))
		;
	collect();
}

static bool idle(void *arg)
{
	(void)arg;
	collect();
	return !queue.on;
}

static bool has_come(void *arg)
{
	collect();
	return ngot >= *(size_t *)arg;
}

static void expect_bytes(size_t n)
{
	ck_assert(board_wait(&board, has_come, &n, 30000));
	ck_assert_uint_eq(ngot, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(got[i], (uint8_t)(i % 251));
}

/* In a burst from here on. */
static void begin(void)
{
	ck_assert(!store(0));
	settle();
	ck_assert(queue.on && shown);
}

/* --- a burst ----------------------------------------------------------------------------------- */

/* The first store exits, the rest is queued; it comes out by the timer; then all is as before, and
 * no timer is left that would wake the loop. */
START_TEST(begins_and_ends)
{
	uint64_t began;

	ck_assert(!queue.on && !shown);
	begin();
	for (unsigned int i = 1; i < ROOM; i++)
		ck_assert(store((uint8_t)i));
	began = loop_now_ns();
	expect_bytes(ROOM);
	ck_assert_uint_lt(loop_now_ns() - began, 1000000000);
	ck_assert(board_wait(&board, idle, NULL, 30000));
	/* Loads are still loads. */
	ck_assert(shown);
	settle();
	ck_assert(!loop_poll(board.loop, 100));
	ck_assert(!store(ROOM));
	settle();
	ck_assert(queue.on);
	expect_bytes(ROOM + 1);
}
END_TEST

/* Single bytes with the host's loop running between, or not: each in its place. */
START_TEST(order)
{
	unsigned int seed = 3, exits = 0;

	for (unsigned int i = 0; i < BYTES; i++) {
		while (load_fr() & TXFF)
			settle();
		exits += !store((uint8_t)(i % 251));
		if (rand_r(&seed) % 1000 == 0)
			settle();
		if (rand_r(&seed) % 20000 == 0)
			board_wait(&board, idle, NULL, 30000);
	}
	expect_bytes(BYTES);
	/* One in a queue's length, and what comes before the loop has begun a burst. */
	ck_assert_uint_lt(exits, BYTES / 4);
}
END_TEST

/* Offsets 1 to 3 are watched with UARTDR, and nothing is there. */
START_TEST(beside_the_register)
{
	begin();
	for (unsigned int off = 1; off < 4; off++)
		ck_assert(store_at(off, 'x'));
	ck_assert(store(1));
	expect_bytes(2);
}
END_TEST

/* An access that exits comes after what is queued. */
START_TEST(exits_come_after)
{
	begin();
	ck_assert(store(1));
	board_set(&board, ICR, TX);
	ck_assert_uint_eq(board_get(&board, RIS) & TX, 0);
	ck_assert(store(2));
	ck_assert_uint_eq(board_get(&board, RIS) & TX, TX);
	ck_assert_uint_eq(queue.taken, 2);
	expect_bytes(3);
}
END_TEST

START_TEST(transmit_interrupt_ends_it)
{
	begin();
	ck_assert(store(1));
	board_set(&board, ICR, TX);
	board_set(&board, IMSC, TX);
	ck_assert(!board.irq.level);
	/* Queued before the loop gets to it: sent, and the interrupt is raised then. */
	ck_assert(store(2));
	settle();
	ck_assert(!queue.on);
	ck_assert(board.irq.level);
	ck_assert(!store(3));
	settle();
	ck_assert(!queue.on);
	expect_bytes(4);
	board_set(&board, IMSC, 0);
	ck_assert(!store(4));
	settle();
	ck_assert(queue.on);
}
END_TEST

static bool visible(void *arg)
{
	(void)arg;
	store(1);
	return shown;
}

/* What is received is read once: loads exit until some time after the last of it was. */
START_TEST(input_hides_the_page)
{
	board_set(&board, CR, 0x301);
	begin();
	ck_assert_uint_eq(load_fr() & RXFE, RXFE);
	ck_assert_int_eq(write(in, "ab", 2), 2);
	settle();
	ck_assert(!shown);
	ck_assert_uint_eq(load_fr() & RXFE, 0);
	ck_assert(store(1));
	ck_assert_uint_eq(board_get(&board, DR), 'a');
	/* The FIFO is one byte deep. */
	ck_assert_uint_eq(load_fr() & RXFE, RXFE);
	settle();
	ck_assert_uint_eq(board_get(&board, DR), 'b');
	ck_assert(!shown);
	ck_assert(board_wait(&board, visible, NULL, 30000));
	ck_assert_uint_eq(load_fr() & RXFE, RXFE);
	ck_assert_uint_eq(board_get(&board, DR), 0);
}
END_TEST

/* A reader that does not read: UARTFR says so in time, and no byte that was sent by it is lost. */
START_TEST(slow_reader)
{
	unsigned int sent = 0;

	while (!(load_fr() & TXFF)) {
		ck_assert_uint_lt(sent, OUT_MAX);
		store((uint8_t)(sent++ % 251));
		if (sent % 5000 == 0)
			while (loop_poll(board.loop, 0))
				;
	}
	ck_assert_uint_gt(sent, 60000);
	expect_bytes(sent);
	ck_assert(board_wait(&board, idle, NULL, 30000));
}
END_TEST

START_TEST(host_refuses)
{
	queue.err = -ENOMEM;
	for (unsigned int i = 0; i < 100; i++) {
		ck_assert(!store((uint8_t)i));
		settle();
	}
	ck_assert_uint_eq(queue.watches, 1);
	ck_assert(!shown);
	expect_bytes(100);
}
END_TEST

/* No queue of the host's, and one that comes with the VM. */
START_TEST(no_queue)
{
	queue.stores.room = 0;
	ck_assert(!store(0));
	settle();
	ck_assert_uint_eq(queue.watches, 0);
	queue.stores.room = ROOM;
	ck_assert(!store(1));
	settle();
	ck_assert(queue.on);
}
END_TEST

/* --- its ends ---------------------------------------------------------------------------------- */

START_TEST(flush)
{
	begin();
	ck_assert(store(1));
	stores_flush(&queue.stores);
	ck_assert_uint_eq(queue.taken, 1);
	chardev_flush(chr, -1);
	collect();
	ck_assert_uint_eq(ngot, 2);
}
END_TEST

START_TEST(state_has_no_burst)
{
	struct stream before, after;

	ck_assert(!store(0));
	before = device_saved(dev);
	settle();
	ck_assert(queue.on);
	ck_assert(store(1));
	after = device_saved(dev);
	ck_assert_uint_eq(queue.taken, 1);
	ck_assert_uint_eq(before.len, after.len);
	ck_assert_mem_eq(before.buf, after.buf, before.len);
	ck_assert(store(2));
	ck_assert_int_eq(device_load(dev, before.buf, before.len), 0);
	ck_assert(!queue.on && !shown);
	expect_bytes(3);
	stream_close(&before);
	stream_close(&after);
}
END_TEST

/* As a reset of the machine, where the kernel's queue has ended already. */
START_TEST(reset)
{
	begin();
	ck_assert(store(1));
	board_reset(dev);
	ck_assert(!queue.on && !shown);
	expect_bytes(2);
	ck_assert(!store(2));
	settle();
	ck_assert(queue.on && shown);
	expect_bytes(3);
}
END_TEST

START_TEST(destroy)
{
	begin();
	ck_assert(store(1));
	dev->ops->destroy(dev);
	dev = NULL;
	ck_assert(!queue.on);
	chardev_flush(chr, -1);
	collect();
	ck_assert_uint_eq(ngot, 2);
	/* The console's own timer is the last. */
	for (unsigned int n = 0; loop_poll(board.loop, 50); n++)
		ck_assert_uint_lt(n, 5);
}
END_TEST

/* --- a vCPU beside the loop -------------------------------------------------------------------- */

static void *vcpu(void *arg)
{
	for (unsigned int i = 0; i < BYTES / 4; i++) {
		while (load_fr() & TXFF)
			usleep(100);
		store((uint8_t)(i % 251));
		/* Lines, with and without a pause that ends the burst. */
		if (i % 10000 == 0)
			usleep(50000);
	}
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

static bool ended(void *arg)
{
	collect();
	return atomic_load((atomic_bool *)arg);
}

START_TEST(beside_the_loop)
{
	atomic_bool done = false;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, vcpu, &done), 0);
	while (!board_wait(&board, ended, &done, 100))
		;
	pthread_join(thread, NULL);
	expect_bytes(BYTES / 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("devices_burst");
	TCase *tc = tcase_create("burst");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, begins_and_ends);
	tcase_add_test(tc, order);
	tcase_add_test(tc, beside_the_register);
	tcase_add_test(tc, exits_come_after);
	tcase_add_test(tc, transmit_interrupt_ends_it);
	tcase_add_test(tc, input_hides_the_page);
	tcase_add_test(tc, slow_reader);
	tcase_add_test(tc, host_refuses);
	tcase_add_test(tc, no_queue);
	tcase_add_test(tc, flush);
	tcase_add_test(tc, state_has_no_burst);
	tcase_add_test(tc, reset);
	tcase_add_test(tc, destroy);
	tcase_add_test(tc, beside_the_loop);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
