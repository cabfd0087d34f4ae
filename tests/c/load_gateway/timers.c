#include "timers.h"

#include <time.h>

struct timer {
    uint64_t due_ns;
    int fd;
};

/* A binary heap. `places` is the place of each descriptor's timer in it plus 1; 0 for none. */
static struct timer heap[MAX_DESCRIPTORS];
static int places[MAX_DESCRIPTORS];
static int count;

uint64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void put(int place, struct timer timer)
{
    heap[place] = timer;
    places[timer.fd] = place + 1;
}

/* Moves a timer from a place that is free to where it belongs. */
static void sift(int place, struct timer timer)
{
    while (place > 0 && timer.due_ns < heap[(place - 1) / 2].due_ns) {
        put(place, heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        int child = 2 * place + 1;
        if (child + 1 < count && heap[child + 1].due_ns < heap[child].due_ns)
            child++;
        if (child >= count || timer.due_ns <= heap[child].due_ns)
            break;
        put(place, heap[child]);
        place = child;
    }
    put(place, timer);
}

void set_timer(int fd, uint64_t due_ns)
{
    sift(places[fd] > 0 ? places[fd] - 1 : count++, (struct timer){ due_ns, fd });
}

void clear_timer(int fd)
{
    int place = places[fd] - 1;

    if (place < 0)
        return;
    places[fd] = 0;
    struct timer last = heap[--count];
    if (last.fd != fd)
        sift(place, last);
}

uint64_t next_timer(void)
{
    return count > 0 ? heap[0].due_ns : NEVER;
}

int take_timer(void)
{
    int fd = heap[0].fd;

    clear_timer(fd);
    return fd;
}
