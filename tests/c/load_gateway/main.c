/*
 * A gateway for measurements of load: one thread with epoll, so that it costs less than the clients that it serves.
 * It responds to completions requests with their prompt. settings.h lists what it can be set to: how many requests it
 * serves at once and how long each takes, how many it accepts in a second, and the events of its streams.
 *
 * usage: load_gateway [NAME=NUMBER&...]
 *   out: its port. It exits at the end of standard input.
 *
 * GET /set?NAME=NUMBER&... changes settings, GET /counts returns what it has counted, and GET /reset forgets that.
 */
#define _GNU_SOURCE

#include "connection.h"
#include "serve.h"
#include "settings.h"
#include "timers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS 256

static int listen_on_free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    NEED(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    NEED(listen(listener, 8192) == 0 && getsockname(listener, (struct sockaddr *)&address, &len) == 0);
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void watch_input(int poll, int fd)
{
    NEED(epoll_ctl(poll, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN, .data.fd = fd }) == 0);
}

static void accept_all(int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        open_connection(serve_poll, fd);
    NEED(errno == EAGAIN || errno == ECONNABORTED);
}

/* Makes the timer descriptor readable at the earliest timer. */
static void set_alarm(int alarm)
{
    static uint64_t set_ns = NEVER;
    uint64_t next = next_timer();

    if (next == set_ns)
        return;
    set_ns = next;
    struct itimerspec time = { 0 };
    if (next != NEVER) {
        time.it_value.tv_sec = (time_t)(next / 1000000000);
        time.it_value.tv_nsec = (long)(next % 1000000000);
    }
    NEED(timerfd_settime(alarm, TFD_TIMER_ABSTIME, &time, NULL) == 0);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    NEED(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max < MAX_DESCRIPTORS ? limit.rlim_max : MAX_DESCRIPTORS;
    NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];

    raise_descriptor_limit();
    NEED(argc < 2 || set_settings(argv[1]));
    int listener = listen_on_free_port(), alarm = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    serve_poll = epoll_create1(EPOLL_CLOEXEC);
    NEED(alarm >= 0 && serve_poll >= 0);
    watch_input(serve_poll, listener);
    watch_input(serve_poll, STDIN_FILENO);
    watch_input(serve_poll, alarm);
    for (;;) {
        set_alarm(alarm);
        int count = epoll_wait(serve_poll, events, EVENTS, -1);
        NEED(count >= 0 || errno == EINTR);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_all(listener);
            } else if (fd == STDIN_FILENO) {
                if (read(STDIN_FILENO, &(char){ 0 }, 1) <= 0)
                    return 0;
            } else if (fd != alarm) {
                if (connection_of(fd)->is_open && events[i].events & EPOLLOUT)
                    serve_room(fd);
                if (connection_of(fd)->is_open && events[i].events & ~(uint32_t)EPOLLOUT)
                    serve_input(fd);
            }
        }
        uint64_t now = now_ns();
        while (next_timer() <= now)
            serve_timer(take_timer());
    }
}
