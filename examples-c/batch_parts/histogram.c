/*
 * Writes an SVG image that needs nothing else, in light or dark colors as the reader's system asks for.
 *
 * The axis ends near the 99th percentile. The last bar has all slower requests, in another color.
 */
#include "histogram.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

enum {
    WIDTH = 800,
    HEIGHT = 420,
    LEFT = 64,
    RIGHT = 24,
    TOP = 64,
    BOTTOM = 56,
    LEAST_BINS = 20, /* at most 2.5 times as many */
    TICKS = 5
};

static const char STYLE[] =
    "<style>\n"
    "  svg { --page: #ffffff; --text: #1f2328; --muted: #59636e; --grid: #d1d9e0; --bar: #0969da; --slow: #bc4c00;\n"
    "        font: 13px system-ui, sans-serif; }\n"
    "  @media (prefers-color-scheme: dark) {\n"
    "    svg { --page: #0d1117; --text: #f0f6fc; --muted: #9198a1; --grid: #3d444d; --bar: #4493f8;\n"
    "          --slow: #f0883e; }\n"
    "  }\n"
    "  .page { fill: var(--page); } text { fill: var(--text); } .muted { fill: var(--muted); }\n"
    "  .grid { stroke: var(--grid); } .bar { fill: var(--bar); } rect.slow, text.slow { fill: var(--slow); }\n"
    "  .mark { stroke: var(--text); stroke-dasharray: 4 3; } .title { font-size: 16px; font-weight: 600; }\n"
    "</style>\n";

/* Returns the smallest of 1, 2, 5, 10, 20 ... that is at least `least`. */
static double nice(double least)
{
    double unit = 1;

    while (unit * 10 <= least)
        unit *= 10;
    while (unit > least)
        unit /= 10;
    return least <= unit ? unit : least <= 2 * unit ? 2 * unit : least <= 5 * unit ? 5 * unit : 10 * unit;
}

struct bins {
    double us_per_bin;
    size_t count;
    size_t *sizes;
    size_t largest;
};

/* Counts the samples of each bin. The last bin has all that are slower than the others. */
static void fill(struct bins *bins, const struct samples *samples)
{
    double end = (double)samples_percentile(samples, 99);

    bins->us_per_bin = nice(end > LEAST_BINS ? end / (LEAST_BINS * 2.5) : 1);
    bins->count = (size_t)(end / bins->us_per_bin) + 2;
    bins->sizes = allocate(bins->count * sizeof *bins->sizes);
    memset(bins->sizes, 0, bins->count * sizeof *bins->sizes);
    for (size_t i = 0; i < samples->count; i++) {
        size_t bin = (size_t)((double)samples->us[i] / bins->us_per_bin);
        bins->sizes[bin < bins->count ? bin : bins->count - 1]++;
    }
    bins->largest = 1;
    for (size_t bin = 0; bin < bins->count; bin++)
        if (bins->sizes[bin] > bins->largest)
            bins->largest = bins->sizes[bin];
}

static double x_of(const struct bins *bins, double us)
{
    double end = bins->us_per_bin * (double)bins->count;
    return LEFT + (WIDTH - LEFT - RIGHT) * (us < end ? us / end : 1);
}

static double y_of(double share)
{
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share;
}

static void write_axes(const struct bins *bins, FILE *file)
{
    double end = bins->us_per_bin * (double)bins->count;
    double unit = end < 2e6 ? 1e3 : 1e6;
    double step = nice(end / unit / TICKS / 1.5);
    double requests = nice((double)bins->largest / TICKS);

    for (double count = 0; count <= (double)bins->largest; count += requests < 1 ? 1 : requests) {
        double y = y_of(count / (double)bins->largest);
        fprintf(file, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", LEFT, y, WIDTH - RIGHT);
        fprintf(file, "<text class=\"muted\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.0f</text>\n", LEFT - 8, y + 4,
                count);
    }
    for (double value = 0; value * unit <= end; value += step)
        fprintf(file, "<text class=\"muted\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
                x_of(bins, value * unit), HEIGHT - BOTTOM + 20, value);
    fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">latency (%s)</text>\n", (LEFT + WIDTH - RIGHT) / 2,
            HEIGHT - 12, unit < 1e6 ? "ms" : "s");
    fprintf(file, "<text transform=\"translate(16 %d) rotate(-90)\" text-anchor=\"middle\">requests</text>\n",
            (TOP + HEIGHT - BOTTOM) / 2);
}

static void write_bars(const struct bins *bins, FILE *file)
{
    for (size_t bin = 0; bin < bins->count; bin++) {
        double left = x_of(bins, bins->us_per_bin * (double)bin);
        double right = x_of(bins, bins->us_per_bin * (double)(bin + 1));
        double top = y_of((double)bins->sizes[bin] / (double)bins->largest);
        int is_last = bin == bins->count - 1;
        if (bins->sizes[bin] == 0)
            continue;
        fprintf(file,
                "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">"
                "<title>%s%g ms: %zu</title></rect>\n",
                is_last ? "slow" : "bar", left + 0.5, top, right - left - 1, y_of(0) - top, is_last ? "from " : "",
                bins->us_per_bin * (double)bin / 1e3, bins->sizes[bin]);
    }
    if (bins->sizes[bins->count - 1] != 0)
        fprintf(file, "<text class=\"slow\" x=\"%d\" y=\"%d\" text-anchor=\"end\">last bar: all slower ones</text>\n",
                WIDTH - RIGHT, HEIGHT - 12);
}

/* Marks a percentile. Each has a line of its own for its name, because they may be close to each other. */
static void write_mark(const struct bins *bins, const struct samples *samples, int percent, int y, FILE *file)
{
    int64_t us = samples_percentile(samples, percent);
    double x = x_of(bins, (double)us);
    int is_right = x > WIDTH - 130;

    fprintf(file, "<path class=\"mark\" d=\"M%.1f %dV%d\"/>", x, y - 10, HEIGHT - BOTTOM);
    fprintf(file, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">p%d %.*f %s</text>\n", is_right ? x - 5 : x + 5, y,
            is_right ? "end" : "start", percent, us < 1000000 ? 0 : 2, (double)us / (us < 1000000 ? 1e3 : 1e6),
            us < 1000000 ? "ms" : "s");
}

void histogram_write(const struct samples *samples, FILE *file)
{
    struct bins bins;

    fill(&bins, samples);
    fprintf(file, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\">\n", WIDTH, HEIGHT);
    fprintf(file, "<title>Latencies of %zu requests</title>\n%s", samples->count, STYLE);
    fprintf(file, "<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n", WIDTH, HEIGHT);
    fprintf(file, "<text class=\"title\" x=\"%d\" y=\"24\">Latencies of %zu requests</text>\n", LEFT, samples->count);
    write_axes(&bins, file);
    write_bars(&bins, file);
    write_mark(&bins, samples, 50, TOP - 12, file);
    write_mark(&bins, samples, 95, TOP + 4, file);
    write_mark(&bins, samples, 99, TOP + 20, file);
    fputs("</svg>\n", file);
    free(bins.sizes);
}
