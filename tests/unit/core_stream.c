// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/core/stream.h"

enum { TOTAL = 300000 };

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 13 + i / 257);
}

/* Pieces of many sizes, below and above the stream's buffer. */
static const size_t pieces[] = { 1, 7, 4096, 65535, 65536, 65537, 100000, 3 };

static void *write_pieces(void *arg)
{
	struct stream *s = arg;
	uint8_t *buf = malloc(TOTAL);
	size_t at = 0;

	for (size_t i = 0; at < TOTAL; i = (i + 1) % 8) {
		size_t len = TOTAL - at < pieces[i] ? TOTAL - at : pieces[i];

		for (size_t j = 0; j < len; j++)
			buf[j] = pattern(at + j);
		if (stream_write(s, buf, len))
			break;
		at += len;
	}
	free(buf);
	return NULL;
}

static void *write_and_close(void *arg)
{
	write_pieces(arg);
	stream_close(arg);
	return NULL;
}

static void read_pieces(struct stream *s)
{
	uint8_t *buf = malloc(TOTAL);
	size_t at = 0, bad = 0;

	for (size_t i = 4; at < TOTAL; i = (i + 3) % 8) {
		size_t len = TOTAL - at < pieces[i] ? TOTAL - at : pieces[i];

		ck_assert_int_eq(stream_read(s, buf, len), 0);
		for (size_t j = 0; j < len; j++)
			bad += buf[j] != pattern(at + j);
		at += len;
	}
	ck_assert_uint_eq(bad, 0);
	free(buf);
}

START_TEST(buffer_round_trip)
{
	struct stream s;
	uint8_t byte = 1;

	stream_open_buf(&s);
	write_pieces(&s);
	ck_assert_int_eq(s.err, 0);
	stream_rewind(&s);
	ck_assert_uint_eq(stream_left(&s), TOTAL);
	read_pieces(&s);
	ck_assert_uint_eq(stream_left(&s), 0);
	ck_assert_int_eq(stream_read(&s, &byte, 0), 0);
	ck_assert_int_eq(stream_read(&s, &byte, 1), -ENODATA);
	ck_assert_uint_eq(byte, 0);
	ck_assert_int_eq(stream_close(&s), -ENODATA);
}
END_TEST

START_TEST(file_round_trip)
{
	int fd = memfd_create("file", 0);
	struct stream s;

	stream_open_fd(&s, fd, true);
	write_pieces(&s);
	ck_assert_int_eq(stream_close(&s), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), TOTAL);
	lseek(fd, 0, SEEK_SET);
	stream_open_fd(&s, fd, false);
	read_pieces(&s);
	ck_assert_int_eq(stream_close(&s), 0);
	ck_assert_int_eq(close(fd), 0); /* borrowed: it was still open */
}
END_TEST

/* Sockets and pipes give and take less than asked for; non-blocking ones say EAGAIN. */
START_TEST(socket_and_pipe_round_trip)
{
	int fds[2], swap;
	struct stream in, out;
	pthread_t thread;

	if (_i & 1) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	} else {
		ck_assert_int_eq(pipe(fds), 0);
		swap = fds[0];
		fds[0] = fds[1];
		fds[1] = swap;
	}
	if (_i & 2) {
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
		fcntl(fds[1], F_SETFL, O_NONBLOCK);
	}
	stream_open_fd(&out, fds[0], true);
	stream_open_fd(&in, fds[1], false);
	pthread_create(&thread, NULL, write_and_close, &out);
	read_pieces(&in);
	pthread_join(thread, NULL);
	ck_assert_int_eq(out.err, 0);
	ck_assert_int_eq(stream_close(&in), 0);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(errors_stick)
{
	struct stream s;
	uint8_t buf[16];
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(write(fds[1], "abc", 3), 3);
	close(fds[1]);
	stream_open_fd(&s, fds[0], false);
	ck_assert_int_eq(stream_read(&s, buf, 2), 0);
	memset(buf, 0xee, sizeof(buf));
	ck_assert_int_eq(stream_read(&s, buf, 4), -ENODATA);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(buf[i], 0);
	ck_assert_uint_eq(buf[4], 0xee);
	ck_assert_int_eq(stream_read(&s, buf, 1), -ENODATA);
	ck_assert_int_eq(stream_close(&s), -ENODATA);
	close(fds[0]);

	stream_open_fd(&s, open("/dev/full", O_WRONLY), true);
	ck_assert_int_eq(stream_write(&s, buf, 1), 0); /* buffered */
	ck_assert_int_eq(stream_flush(&s), -ENOSPC);
	ck_assert_int_eq(stream_write(&s, buf, 1), -ENOSPC);
	close(s.fd);
	ck_assert_int_eq(stream_close(&s), -ENOSPC);
}
END_TEST

/* --- CRC-32C ---------------------------------------------------------------------------------- */

static uint32_t crc_by_bit(uint32_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	for (; len; len--, p++) {
		crc ^= *p;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* RFC 3720 B.4 and the usual check value. */
START_TEST(crc_known_values)
{
	uint8_t data[32];

	ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(crc32c(0, "", 0), 0);
	memset(data, 0, sizeof(data));
	ck_assert_uint_eq(crc32c(0, data, 32), 0x8a9136aa);
	memset(data, 0xff, sizeof(data));
	ck_assert_uint_eq(crc32c(0, data, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		data[i] = (uint8_t)i;
	ck_assert_uint_eq(crc32c(0, data, 32), 0x46dd794e);
}
END_TEST

START_TEST(crc_matches_the_definition)
{
	uint8_t data[600];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = pattern(i * i);
	for (size_t from = 0; from < 9; from++) {
		for (size_t len = 0; len + from < 300; len++) {
			uint32_t want = crc_by_bit(0, data + from, len);
			size_t half = len / 3;

			ck_assert_uint_eq(crc32c(0, data + from, len), want);
			ck_assert_uint_eq(crc32c(crc32c(0, data + from, half), data + from + half,
						 len - half),
					  want);
		}
	}
}
END_TEST

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* A wait of both directions ends at its deadline, or when somebody wants it to. */
START_TEST(waiting_ends)
{
	static uint8_t data[1 << 20];
	int pair[2], stop = eventfd(0, EFD_CLOEXEC);
	struct stream s;
	uint64_t began = now_ns();

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	stream_open_fd(&s, pair[0], _i);
	s.stop_fd = stop;
	s.deadline_ns = began + 50000000;
	ck_assert_int_eq(_i ? stream_write(&s, data, sizeof(data)) : stream_read(&s, data, 1),
			 -ETIMEDOUT);
	ck_assert_uint_ge(now_ns(), began + 50000000);
	stream_close(&s);
	stream_open_fd(&s, pair[0], _i);
	s.stop_fd = stop;
	s.deadline_ns = now_ns() + 60000000000;
	eventfd_write(stop, 1);
	ck_assert_int_eq(_i ? stream_write(&s, data, sizeof(data)) : stream_read(&s, data, 1),
			 -ECANCELED);
	stream_close(&s);
	close(stop);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_stream");
	TCase *tc = tcase_create("stream");

	tcase_set_timeout(tc, 60);
	signal(SIGPIPE, SIG_IGN);
	tcase_add_test(tc, buffer_round_trip);
	tcase_add_test(tc, file_round_trip);
	tcase_add_loop_test(tc, socket_and_pipe_round_trip, 0, 4);
	tcase_add_test(tc, errors_stick);
	tcase_add_loop_test(tc, waiting_ends, 0, 2);
	tcase_add_test(tc, crc_known_values);
	tcase_add_test(tc, crc_matches_the_definition);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
