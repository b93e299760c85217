// SPDX-License-Identifier: GPL-2.0-only
#include "devices/pl011.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fake/board.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "vmm/core/chardev.h"
#include "vmm/core/state.h"

enum { DR = 0x00, RSR = 0x04, FR = 0x18, ILPR = 0x20, IBRD = 0x24, FBRD = 0x28, LCR_H = 0x2c };
enum { CR = 0x30, IFLS = 0x34, IMSC = 0x38, RIS = 0x3c, MIS = 0x40, ICR = 0x44, DMACR = 0x48 };
enum { BUSY = 0x08, RXFE = 0x10, TXFF = 0x20, RXFF = 0x40, TXFE = 0x80, MODEM = 0x07 };
enum { RX = 0x10, TX = 0x20, RT = 0x40, FEN = 0x10, ENABLE = 0x301 };
enum { OUT_MAX = 1 << 20 };

/* A UART whose console is two pipes, and one without a console to load state into. */
static struct board board, other_board;
static struct device *dev, *other;
static struct chardev *chr;
static int in, out, console_out; /* our ends, and where it writes */
static uint8_t got[OUT_MAX];
static size_t ngot;

static void setup(void)
{
	int in_pipe[2], out_pipe[2];

	board_init(&board);
	board_init(&other_board);
	ck_assert_int_eq(pipe2(in_pipe, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out_pipe, O_CLOEXEC), 0);
	ck_assert_int_eq(chardev_create(&chr, board.loop, in_pipe[0], out_pipe[1]), 0);
	ck_assert_int_eq(pl011_create(&board.env, chr, &dev, NULL), 0);
	ck_assert_int_eq(pl011_create(&other_board.env, NULL, &other, NULL), 0);
	in = in_pipe[1];
	out = out_pipe[0];
	console_out = out_pipe[1];
	ck_assert_int_eq(fcntl(out, F_SETFL, O_NONBLOCK), 0);
	ngot = 0;
}

static void teardown(void)
{
	if (dev) {
		dev->ops->destroy(dev);
		chardev_destroy(chr);
	}
	board_fini(&board, NULL);
	board_fini(&other_board, other);
}

static void type(const char *text)
{
	ck_assert_int_eq(write(in, text, strlen(text)), (ssize_t)strlen(text));
}

/* Everything that is ready runs. */
static void settle(void)
{
	while (loop_poll(board.loop, 0))
		;
}

static void collect(void)
{
	ssize_t n;

	while ((n = read(out, got + ngot, OUT_MAX - ngot)) > 0)
		ngot += (size_t)n;
}

START_TEST(test_identity)
{
	static const uint8_t id[8] = { 0x11, 0x10, 0x14, 0, 0x0d, 0xf0, 0x05, 0xb1 };

	ck_assert_str_eq(dev->name, "pl011@9000000");
	for (unsigned int i = 0; i < 8; i++)
		ck_assert_uint_eq(board_get(&board, 0xfe0 + 4 * i), id[i]);
}
END_TEST

START_TEST(test_registers)
{
	static const struct {
		uint32_t off, reset, mask;
	} regs[] = {
		{ RSR, 0, 0 },	    { ILPR, 0, 0xff },	   { IBRD, 0, 0xffff },	 { FBRD, 0, 0x3f },
		{ LCR_H, 0, 0xff }, { CR, 0x300, 0xff87 }, { IFLS, 0x12, 0x3f }, { IMSC, 0, 0x7ff },
		{ RIS, 0, 0 },	    { MIS, 0, 0 },	   { ICR, 0, 0 },	 { DMACR, 0, 7 },
	};

	ck_assert_uint_eq(board_get(&board, FR), RXFE | TXFE | MODEM);
	for (unsigned int i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		ck_assert_uint_eq(board_get(&board, regs[i].off), regs[i].reset);
		board_set(&board, regs[i].off, 0xffffffff);
		ck_assert_uint_eq(board_get(&board, regs[i].off), regs[i].mask);
		ck_assert_uint_eq(board_read(&board, regs[i].off, 2), regs[i].mask);
		ck_assert_uint_eq(board_read(&board, regs[i].off, 1), regs[i].mask & 0xff);
		board_set(&board, regs[i].off, 0);
		ck_assert_uint_eq(board_get(&board, regs[i].off), 0);
	}
	board_reset(dev);
	board_same(dev, other);
}
END_TEST

/* Every store is taken or ignored; every load gives the bytes of the registers, UARTDR's being 0
 * but for what is received. */
static void sweep(struct board *b, unsigned int width)
{
	static const uint64_t values[] = { 0, 1, 0x55555555, 0xaaaaaaaa, UINT64_MAX };
	uint8_t bytes[PL011_SIZE];

	for (uint64_t off = 0; off + width <= PL011_SIZE; off++)
		for (unsigned int i = 0; i < sizeof(values) / sizeof(values[0]); i++)
			board_write(b, off, width, values[i]);
	for (uint64_t off = 0; off < PL011_SIZE; off += 4) {
		uint32_t val = board_get(b, off);

		memcpy(bytes + off, &val, 4);
	}
	for (uint64_t off = 0; off + width <= PL011_SIZE; off++) {
		uint64_t val = board_read(b, off, width);

		quick_assert(!memcmp(&val, bytes + off, width), "0x%llx at 0x%llx",
			     (unsigned long long)val, (unsigned long long)off);
	}
}

START_TEST(test_sweep)
{
	for (unsigned int width = 1; width <= 8; width *= 2) {
		sweep(&other_board, width);
		sweep(&board, width);
	}
	settle();
	board_reset(dev);
	board_reset(other);
	board_same(dev, other);
	ck_assert(!board.irq.level);
}
END_TEST

/* Any width, and before anything is set up: what earlycon and bare-metal programs do. */
START_TEST(test_output)
{
	board_write(&board, DR, 1, 'a');
	board_write(&board, DR, 2, 'b');
	board_write(&board, DR, 4, 'c');
	board_write(&board, DR, 8, 'x');
	board_write(&board, DR + 1, 1, 'x');
	settle();
	collect();
	ck_assert_uint_eq(ngot, 3);
	ck_assert_mem_eq(got, "abc", 3);
	ck_assert_uint_eq(board_get(&board, FR), RXFE | TXFE | MODEM);
}
END_TEST

START_TEST(test_transmit_interrupt)
{
	/* Nothing was ever sent: no event. */
	board_set(&board, LCR_H, FEN);
	board_set(&board, IMSC, TX);
	ck_assert_uint_eq(board_get(&board, RIS), 0);
	board_set(&board, DR, 'a');
	ck_assert_uint_eq(board_get(&board, RIS), TX);
	ck_assert_uint_eq(board_get(&board, MIS), TX);
	ck_assert(board.irq.level);
	board_set(&board, IMSC, 0);
	ck_assert_uint_eq(board_get(&board, MIS), 0);
	ck_assert(!board.irq.level);
	board_set(&board, IMSC, TX);
	ck_assert(board.irq.level);
	board_set(&board, ICR, (uint16_t)~TX);
	ck_assert(board.irq.level);
	board_set(&board, ICR, TX);
	ck_assert(!board.irq.level);
	ck_assert_uint_eq(board_get(&board, RIS), 0);
}
END_TEST

static bool room_again(void *arg)
{
	collect();
	return !(board_get(arg, FR) & TXFF);
}

static bool has_come(void *arg)
{
	collect();
	return ngot >= *(const size_t *)arg;
}

static bool all_out(void *arg)
{
	collect();
	return board_get(arg, FR) & TXFE;
}

/* A reader that does not read: the guest sees a full FIFO, nothing blocks, and what it sent by the
 * rules arrives in order once somebody reads. */
static size_t fill(uint32_t lcr_h)
{
	size_t sent = 0;

	board_set(&board, LCR_H, lcr_h);
	while (!(board_get(&board, FR) & TXFF)) {
		quick_assert(sent < OUT_MAX, "never full");
		board_set(&board, DR, (uint8_t)(sent++ % 251));
		if (sent % 4096 == 0)
			settle();
	}
	return sent;
}

START_TEST(test_flow_control)
{
	uint32_t depth = _i ? 16 : 1;
	size_t sent;

	board_set(&board, IMSC, TX);
	sent = fill(_i ? FEN : 0);
	ck_assert_uint_eq(board_get(&board, FR) & (TXFF | TXFE | BUSY), TXFF | BUSY);
	ck_assert_uint_eq(board_get(&board, RIS), 0);
	ck_assert(!board.irq.level);
	/* Against TXFF: dropped. */
	for (int i = 0; i < 100; i++)
		board_set(&board, DR, '!');
	ck_assert_uint_eq(board_get(&board, RIS), 0);

	ck_assert(board_wait(&board, room_again, &board, 30000));
	ck_assert(board.irq.level);
	ck_assert_uint_eq(board_get(&board, RIS), TX);
	ck_assert(board_wait(&board, all_out, &board, 30000));
	ck_assert(board_wait(&board, has_come, &sent, 30000));
	ck_assert_uint_gt(sent, depth + 65536);
	ck_assert_uint_eq(ngot, sent);
	for (size_t i = 0; i < sent; i++)
		quick_assert(got[i] == i % 251, "byte %zu", i);
}
END_TEST

/* While the FIFO is filling up: the event comes with the level of UARTIFLS, not before. */
START_TEST(test_transmit_levels)
{
	static const uint32_t levels[8] = { 2, 4, 8, 12, 14, 14, 14, 14 };
	uint32_t held = 0;

	fill(0);
	/* One byte is held already; now sixteen fit. */
	board_set(&board, LCR_H, FEN);
	board_set(&board, IFLS, (uint32_t)_i);
	for (held = 2; held <= 16; held++) {
		board_set(&board, DR, 'x');
		ck_assert_uint_eq(board_get(&board, RIS), held <= levels[_i] ? TX : 0);
		ck_assert_uint_eq(board_get(&board, FR) & TXFF, held == 16 ? TXFF : 0);
	}
}
END_TEST

START_TEST(test_reset_keeps_what_was_sent)
{
	size_t sent = fill(FEN);

	board_reset(dev);
	ck_assert_uint_eq(board_get(&board, IMSC), 0);
	ck_assert(board_wait(&board, all_out, &board, 30000));
	ck_assert(board_wait(&board, has_come, &sent, 30000));
	ck_assert_uint_eq(ngot, sent);
}
END_TEST

static void *reader(void *arg)
{
	(void)arg;
	while (read(out, &got[ngot], 1) == 1)
		ngot++;
	return NULL;
}

/* The machine is off and no loop runs: what the guest sent still comes out whole. */
START_TEST(test_flush_at_the_end)
{
	size_t sent = fill(FEN);
	pthread_t thread;

	ck_assert_int_eq(fcntl(out, F_SETFL, 0), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, reader, NULL), 0);
	chardev_flush(chr, -1);
	ck_assert_uint_eq(board_get(&board, FR) & TXFE, TXFE);
	dev->ops->destroy(dev);
	chardev_destroy(chr);
	close(console_out); /* the reader's end of file */
	pthread_join(thread, NULL);
	ck_assert_uint_eq(ngot, sent);
	for (size_t i = 0; i < sent; i++)
		quick_assert(got[i] == i % 251, "byte %zu", i);
	dev = NULL;
}
END_TEST

/* Input waits in the host until the receiver is on. */
START_TEST(test_input_held_back)
{
	static const uint32_t off[] = { 0, 0x300, 0x1, 0x101 };

	type("hello");
	for (unsigned int i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		board_set(&board, CR, off[i]);
		settle();
		ck_assert_uint_eq(board_get(&board, FR) & RXFE, RXFE);
		ck_assert_uint_eq(board_get(&board, DR), 0);
	}
	board_set(&board, LCR_H, FEN);
	board_set(&board, CR, ENABLE);
	settle();
	for (const char *p = "hello"; *p; p++)
		ck_assert_uint_eq(board_get(&board, DR), (uint8_t)*p);
	ck_assert_uint_eq(board_get(&board, FR) & RXFE, RXFE);
}
END_TEST

START_TEST(test_receive_interrupts)
{
	board_set(&board, LCR_H, FEN);
	board_set(&board, CR, ENABLE);
	board_set(&board, IMSC, RT);
	type("a");
	settle();
	ck_assert_uint_eq(board_get(&board, RIS), RT);
	ck_assert(board.irq.level);
	/* Cleared, it is over again at once: there is still a byte. */
	board_set(&board, ICR, 0x7ff);
	ck_assert(board.irq.level);
	ck_assert_uint_eq(board_get(&board, DR), 'a');
	ck_assert(!board.irq.level);
	ck_assert_uint_eq(board_get(&board, RIS), 0);
}
END_TEST

START_TEST(test_receive_levels)
{
	static const uint32_t levels[8] = { 2, 4, 8, 12, 14, 14, 14, 14 };

	board_set(&board, LCR_H, FEN);
	board_set(&board, CR, ENABLE);
	board_set(&board, IFLS, (uint32_t)_i << 3);
	board_set(&board, IMSC, RX);
	for (uint32_t n = 1; n <= 16; n++) {
		type("x");
		settle();
		ck_assert(board.irq.level == (n >= levels[_i]));
		ck_assert_uint_eq(board_get(&board, FR) & RXFF, n == 16 ? RXFF : 0);
	}
	for (uint32_t n = 15; n > 0; n--) {
		board_get(&board, DR);
		ck_assert(board.irq.level == (n >= levels[_i]));
	}
}
END_TEST

START_TEST(test_receive_one_deep)
{
	board_set(&board, CR, ENABLE);
	board_set(&board, IMSC, RX);
	type("ab");
	settle();
	ck_assert_uint_eq(board_get(&board, FR) & (RXFF | RXFE), RXFF);
	ck_assert(board.irq.level);
	ck_assert_uint_eq(board_get(&board, DR), 'a');
	ck_assert_uint_eq(board_get(&board, FR) & (RXFF | RXFE), RXFE);
	ck_assert(!board.irq.level);
	settle();
	ck_assert_uint_eq(board_get(&board, DR), 'b');
}
END_TEST

static bool readable(void *arg)
{
	return !(board_get(arg, FR) & RXFE);
}

/* More than FIFO and host buffer hold: nothing is lost or reordered. */
START_TEST(test_input_flood)
{
	const size_t total = 20000;
	size_t sent = 0, seen = 0;

	ck_assert_int_eq(fcntl(in, F_SETFL, O_NONBLOCK), 0);
	board_set(&board, LCR_H, _i ? FEN : 0);
	board_set(&board, CR, ENABLE);
	while (seen < total) {
		for (uint8_t c = (uint8_t)(sent % 251); sent < total; c = (uint8_t)(sent % 251)) {
			if (write(in, &c, 1) != 1)
				break;
			sent++;
		}
		ck_assert(board_wait(&board, readable, &board, 30000));
		for (; readable(&board); seen++)
			quick_assert(board_get(&board, DR) == seen % 251, "byte %zu", seen);
	}
	ck_assert_uint_eq(seen, total);
}
END_TEST

/* The order of Linux's amba-pl011: probe, startup with input already there, echo by interrupt. */
START_TEST(test_linux_startup)
{
	uint32_t status;

	type("login\n");
	settle();
	board_write(&board, IMSC, 2, 0);
	board_write(&board, ICR, 2, 0x7ff);
	board_write(&board, IFLS, 2, 0x12);
	board_write(&board, LCR_H, 2, 0x60 | FEN);
	board_write(&board, CR, 2, ENABLE);
	board_write(&board, ICR, 2, RT | RX);
	for (int i = 0; i < 32 && !(board_read(&board, FR, 2) & RXFE); i++)
		board_read(&board, DR, 2);
	board_write(&board, IMSC, 2, RT | RX);
	settle();

	ck_assert(board.irq.level);
	while ((status = (uint32_t)board_read(&board, RIS, 2) & (RT | RX | TX))) {
		board_write(&board, ICR, 2, status & ~(uint32_t)(RT | RX | TX));
		while (!(board_read(&board, FR, 2) & RXFE))
			board_write(&board, DR, 2, board_read(&board, DR, 2));
		board_write(&board, ICR, 2, TX);
	}
	ck_assert(!board.irq.level);
	settle();
	collect();
	ck_assert_uint_eq(ngot, 6);
	ck_assert_mem_eq(got, "login\n", 6);
}
END_TEST

START_TEST(test_round_trip)
{
	struct stream saved;

	board_set(&board, LCR_H, FEN);
	board_set(&board, IBRD, 13);
	board_set(&board, FBRD, 1);
	board_set(&board, DMACR, 3);
	board_set(&board, CR, ENABLE);
	board_set(&board, IMSC, RT | TX);
	board_set(&board, DR, 'x');
	type("saved");
	settle();
	saved = device_saved(dev);
	ck_assert_int_eq(device_load(other, saved.buf, saved.len), 0);
	stream_close(&saved);

	board_same(dev, other);
	ck_assert(other_board.irq.level);
	ck_assert_uint_eq(board_get(&other_board, RIS), RT | TX);
	for (const char *p = "saved"; *p; p++)
		ck_assert_uint_eq(board_get(&other_board, DR), (uint8_t)*p);
	board_set(&other_board, ICR, TX);
	ck_assert(!other_board.irq.level);
	board_truncate(dev, other);
}
END_TEST

/* Bytes that the console had no room for are state: they come out where it is loaded. */
START_TEST(test_round_trip_held_output)
{
	struct board third_board;
	struct chardev *console;
	struct device *third;
	struct stream saved;
	int fds[2];
	char buf[32];

	fill(0);
	board_set(&board, LCR_H, FEN);
	for (const char *p = "last words"; *p; p++)
		board_set(&board, DR, (uint8_t)*p);
	saved = device_saved(dev);

	board_init(&third_board);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(chardev_create(&console, third_board.loop, -1, fds[1]), 0);
	ck_assert_int_eq(pl011_create(&third_board.env, console, &third, NULL), 0);
	ck_assert_int_eq(device_load(third, saved.buf, saved.len), 0);
	while (loop_poll(third_board.loop, 0))
		;
	ck_assert_uint_eq(board_get(&third_board, FR) & TXFE, TXFE);
	ck_assert_int_eq(read(fds[0], buf, sizeof(buf)), 11);
	ck_assert_mem_eq(buf + 1, "last words", 10);
	stream_close(&saved);
	third->ops->destroy(third);
	chardev_destroy(console);
	board_fini(&third_board, NULL);
}
END_TEST

/* One field beyond what the register holds, or more bytes than a FIFO. */
START_TEST(test_hostile_state)
{
	static const struct {
		const char *name;
		uint32_t bad;
	} fields[] = {
		{ "ilpr", 0x100 }, { "ibrd", 0x10000 }, { "fbrd", 0x40 },  { "lcr_h", 0x100 },
		{ "cr", 0x8 },	   { "ifls", 0x40 },	{ "imsc", 0x800 }, { "dmacr", 8 },
	};
	static const char *const fifos[] = { "rx", "tx" };
	uint8_t data[17] = { 0 }, flag;
	struct stream stream;
	struct state s;

	stream_open_buf(&stream);
	state_init_save(&s, &stream);
	for (int i = 0; i < 8; i++) {
		uint32_t val = i == _i ? fields[i].bad : 0;

		state_u32(&s, fields[i].name, &val);
	}
	for (int i = 0; i < 2; i++) {
		uint32_t len = i + 8 == _i ? 17 : 16;

		state_blob(&s, fifos[i], data, &len, 17);
	}
	flag = _i == 10 ? 2 : 1;
	state_u8(&s, "tx_int", &flag);
	ck_assert_int_eq(state_end(&s), 0);
	ck_assert_int_eq(device_load(dev, stream.buf, stream.len), _i == 11		? 0
								   : _i == 8 || _i == 9 ? -EPROTO
											: -ERANGE);
	stream_close(&stream);
	if (_i == 11)
		ck_assert_uint_eq(board_get(&board, FR) & RXFF, RXFF);
	else
		ck_assert_uint_eq(board_get(&board, CR), 0x300);
}
END_TEST

START_TEST(test_no_place)
{
	struct fail fail = { 0 };
	struct device *again = NULL;

	ck_assert_int_eq(pl011_create(&board.env, chr, &again, &fail), -EEXIST);
	ck_assert_ptr_null(again);
	ck_assert_int_eq(fail.code, EXIT_HOST);
	ck_assert_str_ne(fail.text, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("devices_pl011");
	TCase *tc = tcase_create("pl011");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_identity);
	tcase_add_test(tc, test_registers);
	tcase_add_test(tc, test_sweep);
	tcase_add_test(tc, test_output);
	tcase_add_test(tc, test_transmit_interrupt);
	tcase_add_loop_test(tc, test_flow_control, 0, 2);
	tcase_add_loop_test(tc, test_transmit_levels, 0, 8);
	tcase_add_test(tc, test_reset_keeps_what_was_sent);
	tcase_add_test(tc, test_flush_at_the_end);
	tcase_add_test(tc, test_input_held_back);
	tcase_add_test(tc, test_receive_interrupts);
	tcase_add_loop_test(tc, test_receive_levels, 0, 8);
	tcase_add_test(tc, test_receive_one_deep);
	tcase_add_loop_test(tc, test_input_flood, 0, 2);
	tcase_add_test(tc, test_linux_startup);
	tcase_add_test(tc, test_round_trip);
	tcase_add_test(tc, test_round_trip_held_output);
	tcase_add_loop_test(tc, test_hostile_state, 0, 12);
	tcase_add_test(tc, test_no_place);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
