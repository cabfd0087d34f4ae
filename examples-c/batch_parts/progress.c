/* A progress bar on a terminal, and plain lines elsewhere. */
#define _POSIX_C_SOURCE 200809L

#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "batch.h"

static const double SECONDS_BETWEEN_BARS = 0.1;
static const double SECONDS_BETWEEN_LINES = 5;
/* Rates are those of about the last 10 seconds. */
static const double SECONDS_OF_RATES = 10;

enum { MOST_COLUMNS = 200, LEAST_BAR = 8, MOST_BAR = 40 };

static int bar_is_shown;

double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void progress_end(void)
{
    if (bar_is_shown)
        fputs("\r\033[K", stderr);
    bar_is_shown = 0;
}

void report(const char *format, ...)
{
    va_list arguments;

    progress_end();
    fprintf(stderr, "%s: ", PROGRAM);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

void progress_start(struct progress *progress, int is_bar, long long total)
{
    memset(progress, 0, sizeof *progress);
    progress->is_bar = is_bar;
    progress->total = total;
    progress->started = progress->shown = seconds_now();
}

/* Moves a rate towards that since the last line. */
static double moved(double rate, double count, double seconds, double elapsed)
{
    double weight = seconds / (elapsed < SECONDS_OF_RATES ? elapsed : SECONDS_OF_RATES);
    return rate + (count / seconds - rate) * (weight < 1 ? weight : 1);
}

static int columns(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col < MOST_COLUMNS ? size.ws_col : MOST_COLUMNS;
}

/* Writes "1:02:03" or "2:03". */
static void format_time(char *text, size_t room, double seconds)
{
    long long all = (long long)(seconds + 0.5);

    if (all >= 3600)
        snprintf(text, room, "%lld:%02lld:%02lld", all / 3600, all / 60 % 60, all % 60);
    else
        snprintf(text, room, "%lld:%02lld", all / 60, all % 60);
}

/* Appends a part of the text, if it fits on the line. */
static void append_part(char *text, size_t room, const char *format, ...)
{
    char part[64];
    size_t len = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(part, sizeof part, format, arguments);
    va_end(arguments);
    if (len + strlen(part) < room)
        strcpy(text + len, part);
}

/* Prints a bar and its text on one line; the last column stays free. */
static void print_bar(const char *text, double share)
{
    char bar[MOST_BAR + 4] = "";
    int room = columns() - 1 - (int)strlen(text) - 3;

    if (share >= 0 && room >= LEAST_BAR) {
        /* Not the whole room, so that the bar keeps its length while the text changes a little. */
        int width = room < MOST_BAR ? room / 4 * 4 : MOST_BAR;
        int full = (int)(share * width);
        bar[0] = '[';
        memset(bar + 1, '#', (size_t)full);
        memset(bar + 1 + full, '-', (size_t)(width - full));
        strcpy(bar + 1 + width, "] ");
    }
    fprintf(stderr, "\r%s%s\033[K", bar, text);
    bar_is_shown = 1;
}

/* Counts what was done since the last line. */
static void update(struct progress *progress, double now, size_t requests, long long tokens)
{
    double seconds = now - progress->shown, elapsed = now - progress->started;

    progress->request_rate =
        moved(progress->request_rate, (double)(requests - progress->requests), seconds, elapsed);
    progress->token_rate = moved(progress->token_rate, (double)(tokens - progress->tokens), seconds, elapsed);
    progress->shown = now;
    progress->requests = requests;
    progress->tokens = tokens;
}

void progress_show(struct progress *progress, size_t requests, size_t failed, long long tokens)
{
    double now = seconds_now(), share = -1;
    long long done = (long long)(requests + progress->skipped);
    char text[MOST_COLUMNS] = "", left[32];
    size_t room = progress->is_bar ? (size_t)columns() : sizeof text;

    if (now - progress->shown < (progress->is_bar ? SECONDS_BETWEEN_BARS : SECONDS_BETWEEN_LINES))
        return;
    update(progress, now, requests, tokens);
    if (progress->total >= 0) {
        share = done < progress->total ? (double)done / (double)progress->total : 1;
        append_part(text, room, "%3d%% %lld/%lld", (int)(share * 100), done, progress->total);
    } else {
        append_part(text, room, "%lld done", done);
    }
    if (failed != 0)
        append_part(text, room, ", %zu failed", failed);
    if (share >= 0 && progress->request_rate > 0) {
        format_time(left, sizeof left, (double)(progress->total - done) / progress->request_rate);
        append_part(text, room, ", %s left", left);
    }
    append_part(text, room, ", %.1f/s", progress->request_rate);
    append_part(text, room, ", %.0f tokens/s", progress->token_rate);
    if (progress->is_bar)
        print_bar(text, share);
    else
        report("%s", text + strspn(text, " "));
}
