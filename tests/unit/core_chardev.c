// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/core/chardev.h"
#include "vmm/core/loop.h"

enum { MB = 1 << 20, RING = 64 * 1024 };

/* The device: takes `appetite` bytes of input (then none until told), notes calls. */
struct guest {
	struct device dev;
	struct chardev_user user;
	uint8_t *got;
	size_t ngot, appetite;
	unsigned int rooms;
};

static struct loop *loop;
static struct guest guest;
static const struct device_ops guest_ops;

static size_t guest_input(struct chardev_user *user, const uint8_t *data, size_t len)
{
	struct guest *g = container_of(user, struct guest, user);

	if (len > g->appetite)
		len = g->appetite;
	memcpy(g->got + g->ngot, data, len);
	g->ngot += len;
	g->appetite -= len;
	return len;
}

static void guest_room(struct chardev_user *user)
{
	container_of(user, struct guest, user)->rooms++;
}

static void setup(void)
{
	struct device_env env = { .base = 0 };

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(loop_create(&loop), 0);
	memset(&guest, 0, sizeof(guest));
	device_init(&guest.dev, &guest_ops, "guest", &env);
	guest.user = (struct chardev_user){ &guest.dev, guest_input, guest_room, NULL };
	guest.got = malloc(2 * MB);
	guest.appetite = SIZE_MAX;
}

static void teardown(void)
{
	free(guest.got);
	loop_destroy(loop);
	device_fini(&guest.dev);
}

static struct chardev *console(int in, int out)
{
	struct chardev *chr;

	ck_assert_int_eq(chardev_create(&chr, loop, in, out), 0);
	chardev_connect(chr, &guest.user);
	return chr;
}

static size_t put(struct chardev *chr, const void *data, size_t len)
{
	size_t n;

	pthread_mutex_lock(&guest.dev.lock);
	n = chardev_write(chr, data, len);
	pthread_mutex_unlock(&guest.dev.lock);
	return n;
}

static void take_more(struct chardev *chr, size_t appetite)
{
	pthread_mutex_lock(&guest.dev.lock);
	guest.appetite = appetite;
	chardev_resume(chr);
	pthread_mutex_unlock(&guest.dev.lock);
}

static void settle(void)
{
	while (loop_poll(loop, 0))
		;
}

static void put_all(int fd, const void *data, size_t len)
{
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 251 + i / 65521);
}

/* --- output ----------------------------------------------------------------------------------- */

/* Pairs that output can go to; [0] is read by the test. */
static void make_pair(int kind, int fds[2])
{
	int swap[2];

	if (kind == 0) {
		ck_assert_int_eq(pipe(fds), 0);
	} else if (kind == 1) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	} else {
		struct termios raw;

		ck_assert_int_eq(openpty(&swap[0], &swap[1], NULL, NULL, NULL), 0);
		tcgetattr(swap[1], &raw);
		cfmakeraw(&raw);
		tcsetattr(swap[1], TCSANOW, &raw);
		/* 2: our side is the terminal; 3: our side is the pty's master. */
		fds[0] = swap[kind == 3];
		fds[1] = swap[kind == 2];
	}
}

struct reader {
	int fd, end;
	size_t want, got, bad;
};

static void *slow_reader(void *arg)
{
	struct reader *r = arg;
	uint8_t buf[3001];

	while (r->got < r->want) {
		ssize_t n = read(r->fd, buf, sizeof(buf));

		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			r->bad += buf[i] != pattern(r->got + (size_t)i);
		r->got += (size_t)n;
		sched_yield();
	}
	return NULL;
}

/* A megabyte, more than all buffers, in order and whole, past a reader that is slower. */
START_TEST(output_in_order)
{
	struct reader r = { .want = MB };
	size_t sent = 0;
	pthread_t thread;
	struct chardev *chr;
	uint8_t chunk[777];
	int fds[2];

	make_pair(_i, fds);
	chr = console(-1, fds[1]);
	r.fd = fds[0];
	pthread_create(&thread, NULL, slow_reader, &r);
	while (sent < MB) {
		size_t len = MB - sent < sizeof(chunk) ? MB - sent : sizeof(chunk);
		unsigned int rooms = guest.rooms;

		for (size_t i = 0; i < len; i++)
			chunk[i] = pattern(sent + i);
		len = put(chr, chunk, len);
		sent += len;
		if (len == 0)
			while (guest.rooms == rooms)
				loop_poll(loop, -1);
	}
	chardev_flush(chr, -1);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(r.got, MB);
	ck_assert_uint_eq(r.bad, 0);
	ck_assert_uint_gt(guest.rooms, 0);
	chardev_destroy(chr);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* Nobody reads: the queue fills, says so, and nothing blocks; then room is announced once. */
START_TEST(full_queue_and_room)
{
	static uint8_t data[3 * RING], back[16 * RING];
	size_t sent, got = 0;
	struct chardev *chr;
	int fds[2];

	make_pair(_i, fds);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	chr = console(-1, fds[1]);
	ck_assert_uint_eq(chardev_space(chr), RING);
	sent = put(chr, data, sizeof(data));
	ck_assert_uint_eq(sent, RING);
	ck_assert_uint_eq(chardev_space(chr), 0);
	do {
		sent += put(chr, data, sizeof(data));
		settle();
	} while (chardev_space(chr));
	ck_assert(!loop_poll(loop, 0));

	guest.rooms = 0;
	while (got < sent) {
		ssize_t n = read(fds[0], back + got, sizeof(back) - got);

		if (n < 0)
			loop_poll(loop, -1);
		else
			got += (size_t)n;
	}
	settle();
	ck_assert_uint_eq(guest.rooms, 1);
	ck_assert_uint_eq(chardev_space(chr), RING);
	chardev_destroy(chr);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* Room is still owed when the queue was full once and a little was written since. */
START_TEST(room_is_not_forgotten)
{
	static uint8_t data[RING], back[RING];
	struct chardev *chr;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	chr = console(-1, fds[1]);
	do {
		put(chr, data, sizeof(data));
		settle();
	} while (chardev_space(chr));
	guest.rooms = 0;
	ck_assert_int_eq(read(fds[0], back, RING / 4), RING / 4);
	settle();
	ck_assert_uint_gt(chardev_space(chr), 0);
	ck_assert_uint_eq(guest.rooms, 0);
	ck_assert_uint_eq(put(chr, data, 1), 1);
	ck_assert_int_eq(read(fds[0], back, RING / 2), RING / 2);
	settle();
	ck_assert_uint_eq(guest.rooms, 1);
	chardev_destroy(chr);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* O_NONBLOCK stays ours: other users of the descriptor do not see it. */
START_TEST(nonblock_does_not_leak)
{
	struct chardev *chr;
	int in[2], out[2];

	make_pair(_i, in);
	make_pair(_i, out);
	chr = console(in[0], out[1]);
	put(chr, "x", 1);
	settle();
	ck_assert_int_eq(fcntl(in[0], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl(out[1], F_GETFL) & O_NONBLOCK, 0);
	chardev_destroy(chr);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_ge(fcntl(in[i], F_GETFL), 0); /* borrowed: still open */
		close(in[i]);
		close(out[i]);
	}
}
END_TEST

START_TEST(closed_reader_discards)
{
	static uint8_t data[2 * RING];
	struct chardev *chr;
	int fds[2];

	make_pair(_i, fds);
	chr = console(-1, fds[1]);
	put(chr, data, sizeof(data));
	settle();
	close(fds[0]);
	settle();
	put(chr, data, sizeof(data));
	settle();
	ck_assert_uint_eq(chardev_space(chr), RING);
	ck_assert_uint_eq(put(chr, data, sizeof(data)), sizeof(data));
	ck_assert(!loop_poll(loop, 0));
	chardev_flush(chr, -1);
	chardev_destroy(chr);
	close(fds[1]);
}
END_TEST

START_TEST(closed_before_the_start_discards)
{
	struct chardev *chr;
	int fds[2];

	make_pair(_i, fds);
	close(fds[0]);
	chr = console(-1, fds[1]);
	put(chr, "hello", 5);
	settle();
	ck_assert_uint_eq(chardev_space(chr), RING);
	ck_assert(!loop_poll(loop, 0));
	chardev_destroy(chr);
	close(fds[1]);
}
END_TEST

START_TEST(no_descriptors)
{
	struct chardev *chr = console(-1, -1);

	ck_assert_uint_eq(put(chr, "hello", 5), 5);
	settle();
	chardev_flush(chr, -1);
	chardev_destroy(chr);
	chardev_destroy(NULL);
	ck_assert_int_eq(chardev_create(&chr, loop, 9999, -1), -EBADF);
}
END_TEST

/* Appended to by others too: the offset is shared, as a shell's >> expects. */
START_TEST(regular_file)
{
	static uint8_t data[RING], back[RING + 8];
	int fd = memfd_create("file", 0);
	struct chardev *chr = console(-1, fd);

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = pattern(i);
	put_all(fd, "head", 4);
	ck_assert_uint_eq(put(chr, data, sizeof(data)), sizeof(data));
	settle();
	put_all(fd, "tail", 4);
	ck_assert_int_eq(pread(fd, back, sizeof(back), 0), sizeof(back));
	ck_assert_mem_eq(back, "head", 4);
	ck_assert_mem_eq(back + 4, data, sizeof(data));
	ck_assert_mem_eq(back + 4 + RING, "tail", 4);
	chardev_destroy(chr);
	close(fd);
}
END_TEST

START_TEST(full_device_discards)
{
	int fd = open("/dev/full", O_WRONLY);
	struct chardev *chr = console(-1, fd);

	put(chr, "hello", 5);
	settle();
	ck_assert_uint_eq(chardev_space(chr), RING);
	chardev_destroy(chr);
	close(fd);
}
END_TEST

/* One turn of the loop serves any number of single bytes. */
START_TEST(bytes_coalesce)
{
	struct chardev *chr;
	uint8_t back[2000];
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	chr = console(-1, fds[1]);
	settle();
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_eq(put(chr, "x", 1), 1);
	ck_assert(loop_poll(loop, -1));
	ck_assert(!loop_poll(loop, 0));
	ck_assert_int_eq(read(fds[0], back, sizeof(back)), 1000);
	chardev_destroy(chr);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* What follows soon waits for the others, and comes by itself; what is much does not wait. */
START_TEST(bytes_are_held)
{
	static uint8_t much[RING / 2], back[RING];
	uint64_t begin = loop_now_ns();
	struct chardev *chr;
	int fds[2];
	bool ran;

	ck_assert_int_eq(pipe(fds), 0);
	chr = console(-1, fds[1]);
	settle();
	put(chr, "a", 1);
	ck_assert(loop_poll(loop, -1));
	ck_assert_int_eq(read(fds[0], back, sizeof(back)), 1);
	put(chr, "b", 1);
	ran = loop_poll(loop, 0);
	ck_assert(!ran || loop_now_ns() - begin >= 5000000);
	ck_assert(ran || loop_poll(loop, 5000));
	ck_assert_int_eq(read(fds[0], back, sizeof(back)), 1);
	ck_assert_uint_eq(back[0], 'b');
	put(chr, much, sizeof(much));
	ck_assert(loop_poll(loop, 0));
	ck_assert_int_eq(read(fds[0], back, sizeof(back)), sizeof(much));
	chardev_destroy(chr);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* Many single bytes from another thread, in order. */
static void *single_bytes(void *arg)
{
	struct chardev *chr = arg;

	for (size_t i = 0; i < RING / 2; i++) {
		uint8_t byte = pattern(i);

		while (put(chr, &byte, 1) == 0)
			sched_yield();
	}
	return NULL;
}

START_TEST(bytes_from_a_vcpu)
{
	struct reader r = { .want = RING / 2 };
	pthread_t writer, reader;
	struct chardev *chr;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	chr = console(-1, fds[1]);
	r.fd = fds[0];
	pthread_create(&reader, NULL, slow_reader, &r);
	pthread_create(&writer, NULL, single_bytes, chr);
	while (loop_poll(loop, 200))
		;
	pthread_join(writer, NULL);
	chardev_flush(chr, -1);
	pthread_join(reader, NULL);
	ck_assert_uint_eq(r.got, r.want);
	ck_assert_uint_eq(r.bad, 0);
	chardev_destroy(chr);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(flush_gives_up_when_told)
{
	static uint8_t data[RING];
	int fds[2], stop = eventfd(1, 0);
	struct chardev *chr;

	ck_assert_int_eq(pipe(fds), 0);
	chr = console(-1, fds[1]);
	for (int i = 0; i < 4; i++) {
		put(chr, data, sizeof(data));
		settle();
	}
	ck_assert_uint_eq(chardev_space(chr), 0);
	chardev_flush(chr, stop); /* returns although nobody reads */
	ck_assert_uint_eq(chardev_space(chr), 0);
	chardev_destroy(chr);
	close(stop);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* --- input ------------------------------------------------------------------------------------ */

START_TEST(input_only_as_much_as_taken)
{
	struct chardev *chr;
	int fds[2];

	make_pair(_i, fds);
	chr = console(fds[0], -1);
	guest.appetite = 3;
	settle();
	put_all(fds[1], "hello world", 11);
	while (guest.ngot < 3)
		ck_assert(loop_poll(loop, 1000));
	settle();
	ck_assert_uint_eq(guest.ngot, 3);
	take_more(chr, 4);
	settle();
	ck_assert_uint_eq(guest.ngot, 7);
	take_more(chr, SIZE_MAX);
	settle();
	ck_assert_uint_eq(guest.ngot, 11);
	ck_assert_mem_eq(guest.got, "hello world", 11);
	chardev_destroy(chr);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* A guest that takes nothing stops the reading once the buffer is full, without a busy loop; then
 * everything arrives, in order, and the end of input is only the end of input. */
START_TEST(input_waits_and_ends)
{
	static uint8_t data[40000];
	struct chardev *chr;
	int fds[2];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = pattern(i);
	make_pair(_i, fds);
	chr = console(fds[0], -1);
	guest.appetite = 0;
	put_all(fds[1], data, sizeof(data));
	close(fds[1]);
	settle();
	ck_assert(!loop_poll(loop, 20));
	for (size_t i = 0; guest.ngot < sizeof(data); i++) {
		take_more(chr, 1 + i % 1000);
		settle();
	}
	ck_assert_mem_eq(guest.got, data, sizeof(data));
	ck_assert(!loop_poll(loop, 20));
	chardev_destroy(chr);
	close(fds[0]);
}
END_TEST

START_TEST(input_from_a_file)
{
	static uint8_t data[20000];
	int fd = memfd_create("file", 0);
	struct chardev *chr;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = pattern(i);
	put_all(fd, data, sizeof(data));
	lseek(fd, 0, SEEK_SET);
	chr = console(fd, -1);
	guest.appetite = 100;
	settle();
	ck_assert_uint_eq(guest.ngot, 100);
	take_more(chr, SIZE_MAX);
	settle();
	ck_assert_uint_eq(guest.ngot, sizeof(data));
	ck_assert_mem_eq(guest.got, data, sizeof(data));
	chardev_destroy(chr);
	close(fd);
}
END_TEST

START_TEST(input_from_dev_null_ends)
{
	int fd = open("/dev/null", O_RDONLY);
	struct chardev *chr = console(fd, -1);

	settle();
	ck_assert_uint_eq(guest.ngot, 0);
	ck_assert(!loop_poll(loop, 0));
	chardev_destroy(chr);
	close(fd);
}
END_TEST

/* Drops every 'x' and counts: an escape key. */
static size_t no_x(void *arg, uint8_t *data, size_t len)
{
	unsigned int *seen = arg;
	size_t kept = 0;

	for (size_t i = 0; i < len; i++) {
		if (data[i] == 'x')
			++*seen;
		else
			data[kept++] = data[i];
	}
	return kept;
}

/* The filter sees the key even though the guest takes nothing. */
START_TEST(filter_sees_input_first)
{
	unsigned int seen = 0;
	struct chardev *chr;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	chr = console(fds[0], -1);
	chardev_filter(chr, no_x, &seen);
	guest.appetite = 0;
	put_all(fds[1], "ab", 2);
	settle();
	put_all(fds[1], "xcxxd", 5);
	settle();
	ck_assert_uint_eq(seen, 3);
	ck_assert_uint_eq(guest.ngot, 0);
	take_more(chr, SIZE_MAX);
	settle();
	ck_assert_uint_eq(guest.ngot, 4);
	ck_assert_mem_eq(guest.got, "abcd", 4);
	put_all(fds[1], "xxx", 3);
	settle();
	ck_assert_uint_eq(guest.ngot, 4);
	chardev_destroy(chr);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* One socket or terminal both ways, as stdin and stdout usually are. */
START_TEST(both_ways_on_one_descriptor)
{
	static uint8_t data[MB], back[MB];
	size_t sent = 0, echoed = 0, got = 0;
	struct chardev *chr;
	int fds[2];

	for (size_t i = 0; i < MB; i++)
		data[i] = pattern(i);
	make_pair(_i, fds);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	chr = console(fds[1], fds[1]);
	while (got < MB) {
		ssize_t n = write(fds[0], data + sent, MB - sent);

		sent += n > 0 ? (size_t)n : 0;
		settle();
		echoed += put(chr, guest.got + echoed, guest.ngot - echoed);
		settle();
		n = read(fds[0], back + got, MB - got);
		got += n > 0 ? (size_t)n : 0;
	}
	ck_assert_mem_eq(back, data, MB);
	chardev_destroy(chr);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(reconnect)
{
	struct guest other = guest;
	struct chardev *chr;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	chr = console(fds[0], -1);
	guest.appetite = 1;
	put_all(fds[1], "abc", 3);
	settle();
	chardev_connect(chr, NULL);
	put_all(fds[1], "def", 3);
	ck_assert(!loop_poll(loop, 0));
	other.user.dev = &other.dev;
	other.appetite = SIZE_MAX;
	other.ngot = 0;
	other.got = guest.got + 1;
	chardev_connect(chr, &other.user);
	settle();
	ck_assert_uint_eq(other.ngot, 5);
	ck_assert_mem_eq(guest.got, "abcdef", 6);
	chardev_destroy(chr);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_chardev");
	TCase *tc = tcase_create("chardev");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, output_in_order, 0, 4);
	tcase_add_loop_test(tc, full_queue_and_room, 0, 2);
	tcase_add_test(tc, room_is_not_forgotten);
	tcase_add_loop_test(tc, nonblock_does_not_leak, 0, 4);
	tcase_add_loop_test(tc, closed_reader_discards, 0, 3);
	tcase_add_loop_test(tc, closed_before_the_start_discards, 0, 3);
	tcase_add_test(tc, no_descriptors);
	tcase_add_test(tc, regular_file);
	tcase_add_test(tc, full_device_discards);
	tcase_add_test(tc, bytes_coalesce);
	tcase_add_test(tc, bytes_are_held);
	tcase_add_test(tc, bytes_from_a_vcpu);
	tcase_add_test(tc, flush_gives_up_when_told);
	tcase_add_loop_test(tc, input_only_as_much_as_taken, 0, 2);
	tcase_add_loop_test(tc, input_waits_and_ends, 0, 2);
	tcase_add_test(tc, input_from_a_file);
	tcase_add_test(tc, input_from_dev_null_ends);
	tcase_add_test(tc, filter_sees_input_first);
	tcase_add_loop_test(tc, both_ways_on_one_descriptor, 1, 3);
	tcase_add_test(tc, reconnect);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
