// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traffic between a guest and its host, counted in nanoseconds; on a host that counts instructions
 * they are the instructions of the whole machine.
 *   netload serve                in the guest: UDP echo, TCP sink and TCP source
 *   netload wait IP              until it answers
 *   netload icmp|udp IP N        N round trips of 64 bytes: nanoseconds each
 *   netload send|receive IP N    N MiB by TCP: nanoseconds a MiB
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { UDP_PORT = 7001, SINK_PORT, SOURCE_PORT, MIB = 1 << 20, PIECE = 65536, WARM_UP = 50 };

static void check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int open_socket(int type, int proto, const char *ip, int port, int listening)
{
	const struct timeval limit = { .tv_sec = 5 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, type, proto), one = 1, err;

	check(fd >= 0, "socket");
	check(!ip || inet_pton(AF_INET, ip, &to.sin_addr) == 1, "address");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!listening)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	err = listening ? bind(fd, (struct sockaddr *)&to, sizeof(to))
			: connect(fd, (struct sockaddr *)&to, sizeof(to));
	check(!err, ip ? ip : "bind");
	check(!listening || type != SOCK_STREAM || !listen(fd, 4), "listen");
	return fd;
}

/* --- in the guest ------------------------------------------------------------------------------ */

static void echo(int fd)
{
	static char buf[2048];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

	if (n >= 0)
		sendto(fd, buf, n, 0, (struct sockaddr *)&from, len);
}

/* Takes everything, or gives as many MiB as it is asked for. */
static void transfer(int listener, int gives)
{
	static char buf[PIECE];
	int fd = accept(listener, NULL, NULL);
	uint32_t mib;
	ssize_t n;

	if (gives && read(fd, &mib, sizeof(mib)) == sizeof(mib)) {
		for (uint64_t left = (uint64_t)mib * MIB; left; left -= n) {
			n = write(fd, buf, sizeof(buf));
			if (n <= 0)
				break;
		}
	}
	while (!gives && read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

static void serve(void)
{
	struct pollfd fds[] = {
		{ open_socket(SOCK_DGRAM, 0, NULL, UDP_PORT, 1), POLLIN, 0 },
		{ open_socket(SOCK_STREAM, 0, NULL, SINK_PORT, 1), POLLIN, 0 },
		{ open_socket(SOCK_STREAM, 0, NULL, SOURCE_PORT, 1), POLLIN, 0 },
	};

	while (poll(fds, 3, -1) > 0) {
		if (fds[0].revents)
			echo(fds[0].fd);
		if (fds[1].revents)
			transfer(fds[1].fd, 0);
		if (fds[2].revents)
			transfer(fds[2].fd, 1);
	}
}

/* --- on the host ------------------------------------------------------------------------------- */

static void wait_for(const char *ip)
{
	int fd = open_socket(SOCK_DGRAM, 0, ip, UDP_PORT, 0);
	struct pollfd answer = { fd, POLLIN, 0 };

	/* A network that says at once that nobody is there is asked no faster. */
	for (int i = 0; i < 300; i++) {
		if (send(fd, "?", 1, 0) == 1 && poll(&answer, 1, 100) == 1 &&
		    recv(fd, (char[8]){ 0 }, 8, 0) == 1)
			return;
		usleep(100000);
	}
	fprintf(stderr, "%s does not answer\n", ip);
	exit(1);
}

static uint16_t checksum(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += data[i] << 8 | data[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return htons(~(sum + (sum >> 16)));
}

static void round_trip(int fd, int icmp, unsigned int seq)
{
	uint8_t packet[64] = { 0 }, back[256];
	struct icmphdr *hdr = (struct icmphdr *)packet;
	ssize_t n;

	if (icmp) {
		hdr->type = ICMP_ECHO;
		hdr->un.echo.sequence = htons(seq);
		hdr->checksum = checksum(packet, sizeof(packet));
	}
	check(send(fd, packet, sizeof(packet), 0) == sizeof(packet), "send");
	/* A raw socket gives the IP header, too. */
	n = recv(fd, back, sizeof(back), 0);
	check(n == (icmp ? 84 : 64), "receive");
}

static uint64_t round_trips(int icmp, const char *ip, unsigned int n)
{
	int fd = icmp ? open_socket(SOCK_RAW, IPPROTO_ICMP, ip, 0, 0)
		      : open_socket(SOCK_DGRAM, 0, ip, UDP_PORT, 0);
	uint64_t begin = 0;

	for (unsigned int i = 0; i < n + WARM_UP; i++) {
		if (i == WARM_UP)
			begin = now_ns();
		round_trip(fd, icmp, i);
	}
	return (now_ns() - begin) / n;
}

static uint64_t stream(int gives, const char *ip, uint32_t n)
{
	static char buf[PIECE];
	int fd = open_socket(SOCK_STREAM, 0, ip, gives ? SINK_PORT : SOURCE_PORT, 0);
	uint64_t begin = now_ns(), done = 0;
	ssize_t part = 1;

	if (!gives)
		check(write(fd, &n, sizeof(n)) == sizeof(n), "write");
	while (done < (uint64_t)n * MIB && part > 0) {
		part = gives ? write(fd, buf, sizeof(buf)) : read(fd, buf, sizeof(buf));
		done += part;
	}
	check(part > 0, "transfer");
	shutdown(fd, SHUT_WR);
	/* The end, when the other has everything. */
	check(!read(fd, buf, sizeof(buf)), "end of transfer");
	return (now_ns() - begin) / n;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint64_t cost;

	if (argc == 2 && !strcmp(what, "serve")) {
		serve();
		return 1;
	}
	if (argc == 3 && !strcmp(what, "wait")) {
		wait_for(argv[2]);
		return 0;
	}
	if (argc != 4) {
		fprintf(stderr, "usage: netload serve | wait IP | icmp|udp|send|receive IP N\n");
		return 2;
	}
	if (!strcmp(what, "icmp") || !strcmp(what, "udp"))
		cost = round_trips(*what == 'i', argv[2], atoi(argv[3]));
	else
		cost = stream(!strcmp(what, "send"), argv[2], atoi(argv[3]));
	printf("%" PRIu64 "\n", cost);
	return 0;
}
