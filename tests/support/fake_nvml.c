/* A stand-in for libnvidia-ml.so.1 whose energy is known exactly.
 *
 * Every GPU follows a power-against-time trace whose integral has a closed form, so the true energy between any two
 * instants is known to rounding. What the sensors show of it (a counter that refreshes now and then, power averaged
 * over a window, the driver's sample buffer) is derived from that integral. Faults come from the script too.
 *
 * The script is text, from fake_configure() or from the file that $FAKE_NVML names, one setting per line:
 *
 *     clock real|scripted             scripted: time moves by fake_advance(), and by slow calls
 *     start SECONDS                   time 0 on CLOCK_MONOTONIC, so that processes agree; when it is read unless given
 *     day_step AT SECONDS             the time of day is set by so many seconds at this time
 *     init CODE                       nvmlInit fails with this code (9: driver not loaded)
 *     gpu                             begins a GPU; what follows is about it
 *       uuid GPU-...  | name TEXT | pci 00000000:01:00.0 | arch 9 | limit WATTS
 *       trace constant WATTS
 *       trace square LOW HIGH HERTZ [DUTY [PHASE]]          duty and phase as parts of a period
 *       trace sine MEAN AMPLITUDE HERTZ [PHASE]
 *       trace steps SECONDS WATTS [SECONDS WATTS ...]       repeated for ever
 *       counter PERIOD [OFFSET [JITTER [walk]]]             jitter as a part of the period; PERIOD 0: none
 *       partial SECONDS               the counter sees only the last so many seconds of each period
 *       origin JOULES                 what the counter showed at time 0
 *       power PERIOD WINDOW [OFFSET]  instantaneous power; nvmlDeviceGetPowerUsage shows it unless there is an average
 *       average PERIOD WINDOW [OFFSET]  averaged power (Ampere and newer), shown by nvmlDeviceGetPowerUsage too
 *       samples PERIOD COUNT          the driver's buffer of power samples; COUNT 0: none
 *       default_limit WATTS           the limit that the maker gave it; the other one unless given
 *       samples_frozen FROM [TO]      the buffer of power samples stands still
 *       leap AT JOULES [TO]           the counter shows so much more between these seconds
 *       wrong FUNCTION VALUE [FROM [TO]]   what the driver tells in the place of its value, in its unit
 *       hang FUNCTION                 a call of it does not come back before fake_release()
 *       lost FROM [TO]                GPU_IS_LOST between these seconds
 *       reset AT                      the counter begins anew from zero
 *       frozen FROM [TO]              the counter stands still
 *       gain FACTOR                   the counter shows so many times the truth
 *       error FUNCTION CODE [FROM [TO]]   or "error field:ID CODE ..." for one field value
 *       flaky SHARE [CODE]            so many of the calls fail, with UNKNOWN unless given
 *       once FUNCTION CODE            every other call of it fails
 *       slow SECONDS                  what a call takes
 *       mig UUID GI CI SLICES MEMORY_MB   a MIG device
 *       process PID [SM_PERCENT [FROM [TO]]]   a compute process, and how much of the time between these seconds its
 *                                     kernels run; a line for each stretch
 *       joins PID FROM [TO]           a compute process that is listed between these seconds only
 *       utilization PERIOD [COUNT]    the driver's buffer of such samples, 100 every sixth of a second unless given
 *
 * Struct layouts and codes follow NVIDIA's nvml.h (PyPI nvidia-nvml-dev 13.5.37).
 */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))
#define MAX_GPUS 16
#define MAX_STEPS 32
#define MAX_ERRORS 16
#define MAX_MIG 8
#define MAX_PROCESSES 16
#define UTILIZATION_ROOM 100 /* what drivers ask for, however many processes there are */
#define MAX_FUNCTIONS 64
#define MEMORY_MB 81920ULL

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
       FUNCTION_NOT_FOUND = 13, GPU_IS_LOST = 15, ARGUMENT_VERSION_MISMATCH = 25, UNKNOWN = 999 };
enum { FIELD_ENERGY = 83, FIELD_POWER_AVERAGE = 185, FIELD_POWER_INSTANT = 186, FIELD_ENERGY_2 = 191 };
enum { TYPE_UNSIGNED_INT = 1, TYPE_UNSIGNED_LONG_LONG = 3 };

typedef struct { double period, window, offset; } Power;
typedef struct { char function[64]; int code; double from, to; } Error;
typedef struct { char uuid[96]; unsigned gi, ci, slices; unsigned long long memory_mb; int gpu; } Mig;
typedef struct { unsigned pid, sm; double from, to, listed_from, listed_to; } Process;
typedef struct { char function[64]; double value, from, to; } Wrong;

typedef struct {
    char uuid[96], name[96], pci[32];
    unsigned arch, limit_watts, default_limit_watts;
    enum { CONSTANT, SQUARE, SINE, STEPS } kind;
    double a, b, hertz, duty, phase;
    int steps;
    double step_seconds[MAX_STEPS], step_watts[MAX_STEPS];
    double period, offset, jitter, partial, origin, gain;
    int walk;
    long walk_tick;
    double walk_seconds;
    Power instant, average;
    double sample_period;
    int sample_count;
    double utilization_period;
    int utilization_count;
    double lost_from, lost_to, reset_at, frozen_from, frozen_to, flaky, slow;
    double samples_frozen_from, samples_frozen_to, leap_from, leap_to, leap_joules;
    char hang[64], once[64];
    int flaky_code, once_code, once_turn;
    int errors, migs, processes, wrongs;
    Wrong wrong[MAX_ERRORS];
    Error error[MAX_ERRORS];
    Mig mig[MAX_MIG];
    Process process[MAX_PROCESSES];
    unsigned long long random;
} Gpu;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Gpu gpus[MAX_GPUS];
static int gpu_count, init_code, initialised, scripted, configured;
static double scripted_now, epoch, day_minus_monotonic, day_step_at, day_step;
static volatile int released;
static struct { char name[64]; unsigned long calls; } counts[MAX_FUNCTIONS];

/* ---- time ---- */

static double clock_seconds(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double now(void) { return scripted ? scripted_now : clock_seconds(CLOCK_MONOTONIC) - epoch; }

static unsigned long long day_microseconds(double t) {
    return (unsigned long long)((t + epoch + day_minus_monotonic + (t >= day_step_at ? day_step : 0)) * 1e6);
}

/* ---- the truth: energy from time 0 to t, in J ---- */

static double cycle_energy(double t, double (*within)(const Gpu *, double), const Gpu *g, double seconds) {
    double cycles = floor(t / seconds);
    return cycles * within(g, seconds) + within(g, t - cycles * seconds);
}

static double square_within(const Gpu *g, double t) {
    double high = g->duty / g->hertz;
    return g->a * t + (g->b - g->a) * fmin(t, high);
}

static double steps_within(const Gpu *g, double t) {
    double joules = 0;
    for (int i = 0; i < g->steps; i++) {
        double part = fmin(fmax(t, 0), g->step_seconds[i]);
        joules += part * g->step_watts[i];
        t -= g->step_seconds[i];
    }
    return joules;
}

static double energy(const Gpu *g, double t) {
    if (g->kind == CONSTANT) return g->a * t;
    if (g->kind == SINE) {
        double w = 2 * M_PI * g->hertz, p = 2 * M_PI * g->phase;
        return g->a * t + g->b / w * (cos(p) - cos(w * t + p));
    }
    if (g->kind == SQUARE) {
        double shift = g->phase / g->hertz;
        return cycle_energy(t + shift, square_within, g, 1 / g->hertz) - cycle_energy(shift, square_within, g, 1 / g->hertz);
    }
    double total = 0;
    for (int i = 0; i < g->steps; i++) total += g->step_seconds[i];
    return cycle_energy(t, steps_within, g, total);
}

/* ---- what the sensors show of it ---- */

static unsigned long long mix(unsigned long long x) { /* splitmix64, by Sebastiano Vigna, public domain */
    x += 0x9E3779B97F4A7C15ULL;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
}

static double uniform(unsigned long long seed) { return (double)(mix(seed) >> 11) / 9007199254740992.0; }

static double wobble(const Gpu *g, long tick) {
    return g->jitter * g->period * (2 * uniform((unsigned long long)(g - gpus) * 1000003ULL + (unsigned long long)tick) - 1);
}

/* The last refresh of the counter not after t: each off its place by the jitter, or each interval off its length. */
static double refresh(Gpu *g, double t, long *tick) {
    if (!g->walk) {
        long k = (long)floor((t - g->offset) / g->period) + 1;
        while (g->offset + (double)k * g->period + wobble(g, k) > t) k--;
        *tick = k;
        return g->offset + (double)k * g->period + wobble(g, k);
    }
    if (t < g->walk_seconds || g->walk_tick == 0) { g->walk_tick = 1; g->walk_seconds = g->offset - g->period; }
    for (;;) {
        double next = g->walk_seconds + g->period + wobble(g, g->walk_tick);
        if (next > t) break;
        g->walk_seconds = next;
        g->walk_tick++;
    }
    *tick = g->walk_tick;
    return g->walk_seconds;
}

static unsigned long long counter_millijoules(Gpu *g, double t) {
    long tick;
    if (t >= g->frozen_from && t < g->frozen_to) t = g->frozen_from;
    double seconds = refresh(g, t, &tick), joules;
    if (g->partial > 0) {
        joules = 0;
        for (long k = 0; k <= tick; k++) { /* short runs only: tests of aliasing */
            double end = g->offset + (double)k * g->period;
            joules += (energy(g, end) - energy(g, end - g->partial)) * g->period / g->partial;
        }
    } else joules = energy(g, seconds);
    if (t >= g->reset_at) joules = seconds >= g->reset_at ? joules - energy(g, g->reset_at) : 0;
    else joules += g->origin;
    if (t >= g->leap_from && t < g->leap_to) joules += g->leap_joules;
    return (unsigned long long)floor(fmax(0, joules * g->gain) * 1e3);
}

static unsigned milliwatts(const Gpu *g, const Power *p, double t) {
    double at = p->offset + floor((t - p->offset) / p->period) * p->period;
    return (unsigned)lround((energy(g, at) - energy(g, at - p->window)) / p->window * 1e3);
}

/* ---- the script ---- */

static double number(char **rest, double otherwise) {
    char *end;
    double value = strtod(*rest, &end);
    if (end == *rest) return otherwise;
    *rest = end;
    return value;
}

static void word(char **rest, char *out, size_t size) {
    while (**rest == ' ') (*rest)++;
    size_t n = strcspn(*rest, " ");
    snprintf(out, size, "%.*s", (int)n, *rest);
    *rest += n;
}

static Gpu *new_gpu(void) {
    Gpu *g = &gpus[gpu_count];
    memset(g, 0, sizeof *g);
    snprintf(g->uuid, sizeof g->uuid, "GPU-%08x-0000-4000-8000-%012x", 0xabc00000u + (unsigned)gpu_count, (unsigned)gpu_count);
    snprintf(g->name, sizeof g->name, "NVIDIA Scripted GPU");
    snprintf(g->pci, sizeof g->pci, "%08X:%02X:00.0", 0u, (unsigned)gpu_count + 1);
    g->arch = 5;
    g->limit_watts = 700;
    g->a = 300;
    g->period = 0.1;
    g->origin = 1e6;
    g->gain = 1;
    g->instant = (Power){0.02, 0.01, 0};
    g->utilization_period = 1.0 / 6;
    g->utilization_count = 100;
    g->samples_frozen_from = g->samples_frozen_to = g->leap_from = g->leap_to = INFINITY;
    g->lost_from = g->lost_to = g->reset_at = g->frozen_from = g->frozen_to = INFINITY;
    g->random = 12345 + (unsigned long long)gpu_count++;
    return g;
}

static void set_trace(Gpu *g, char *rest) {
    char kind[16];
    word(&rest, kind, sizeof kind);
    g->kind = !strcmp(kind, "square") ? SQUARE : !strcmp(kind, "sine") ? SINE : !strcmp(kind, "steps") ? STEPS : CONSTANT;
    if (g->kind == STEPS) {
        for (g->steps = 0; g->steps < MAX_STEPS; g->steps++) {
            double seconds = number(&rest, -1);
            if (seconds < 0) break;
            g->step_seconds[g->steps] = seconds;
            g->step_watts[g->steps] = number(&rest, 0);
        }
        return;
    }
    g->a = number(&rest, 300);
    if (g->kind == CONSTANT) return;
    g->b = number(&rest, 0);
    g->hertz = number(&rest, 1);
    if (g->kind == SQUARE) g->duty = number(&rest, 0.5);
    g->phase = number(&rest, 0);
}

static void set_power(Power *p, char *rest) {
    p->period = number(&rest, 0.1);
    p->window = number(&rest, p->period);
    p->offset = number(&rest, 0);
}

static void set_fault(Gpu *g, const char *key, char *rest) {
    if (!strcmp(key, "lost")) { g->lost_from = number(&rest, 0); g->lost_to = number(&rest, INFINITY); }
    else if (!strcmp(key, "reset")) g->reset_at = number(&rest, 0);
    else if (!strcmp(key, "frozen")) { g->frozen_from = number(&rest, 0); g->frozen_to = number(&rest, INFINITY); }
    else if (!strcmp(key, "samples_frozen")) { g->samples_frozen_from = number(&rest, 0); g->samples_frozen_to = number(&rest, INFINITY); }
    else if (!strcmp(key, "leap")) { g->leap_from = number(&rest, 0); g->leap_joules = number(&rest, 0); g->leap_to = number(&rest, INFINITY); }
    else if (!strcmp(key, "hang")) word(&rest, g->hang, sizeof g->hang);
    else if (!strcmp(key, "wrong") && g->wrongs < MAX_ERRORS) {
        Wrong *w = &g->wrong[g->wrongs++];
        word(&rest, w->function, sizeof w->function);
        w->value = number(&rest, 0);
        w->from = number(&rest, -INFINITY);
        w->to = number(&rest, INFINITY);
    }
    else if (!strcmp(key, "gain")) g->gain = number(&rest, 1);
    else if (!strcmp(key, "flaky")) { g->flaky = number(&rest, 0); g->flaky_code = (int)number(&rest, UNKNOWN); }
    else if (!strcmp(key, "once")) { word(&rest, g->once, sizeof g->once); g->once_code = (int)number(&rest, UNKNOWN); }
    else if (!strcmp(key, "slow")) g->slow = number(&rest, 0);
    else if (!strcmp(key, "error") && g->errors < MAX_ERRORS) {
        Error *e = &g->error[g->errors++];
        word(&rest, e->function, sizeof e->function);
        e->code = (int)number(&rest, UNKNOWN);
        e->from = number(&rest, -INFINITY);
        e->to = number(&rest, INFINITY);
    }
}

static void set_gpu(Gpu *g, const char *key, char *rest) {
    if (!strcmp(key, "uuid")) word(&rest, g->uuid, sizeof g->uuid);
    else if (!strcmp(key, "pci")) word(&rest, g->pci, sizeof g->pci);
    else if (!strcmp(key, "name")) snprintf(g->name, sizeof g->name, "%s", rest + strspn(rest, " "));
    else if (!strcmp(key, "arch")) g->arch = (unsigned)number(&rest, 9);
    else if (!strcmp(key, "limit")) g->limit_watts = (unsigned)number(&rest, 700);
    else if (!strcmp(key, "default_limit")) g->default_limit_watts = (unsigned)number(&rest, 700);
    else if (!strcmp(key, "trace")) set_trace(g, rest);
    else if (!strcmp(key, "counter")) {
        char walk[8] = "";
        g->period = number(&rest, 0.1);
        g->offset = number(&rest, 0);
        g->jitter = number(&rest, 0);
        word(&rest, walk, sizeof walk);
        g->walk = !strcmp(walk, "walk");
    }
    else if (!strcmp(key, "partial")) g->partial = number(&rest, 0);
    else if (!strcmp(key, "origin")) g->origin = number(&rest, 0);
    else if (!strcmp(key, "power")) set_power(&g->instant, rest);
    else if (!strcmp(key, "average")) set_power(&g->average, rest);
    else if (!strcmp(key, "samples")) { g->sample_period = number(&rest, 0.02); g->sample_count = (int)number(&rest, 0); }
    else if (!strcmp(key, "mig") && g->migs < MAX_MIG) {
        Mig *m = &g->mig[g->migs++];
        word(&rest, m->uuid, sizeof m->uuid);
        m->gi = (unsigned)number(&rest, 0);
        m->ci = (unsigned)number(&rest, 0);
        m->slices = (unsigned)number(&rest, 1);
        m->memory_mb = (unsigned long long)number(&rest, 10240);
        m->gpu = (int)(g - gpus);
    }
    else if (!strcmp(key, "process") && g->processes < MAX_PROCESSES) {
        Process *p = &g->process[g->processes++];
        p->pid = (unsigned)number(&rest, 0);
        p->sm = (unsigned)number(&rest, 0);
        p->from = number(&rest, -INFINITY);
        p->to = number(&rest, INFINITY);
        p->listed_from = -INFINITY;
        p->listed_to = INFINITY;
    }
    else if (!strcmp(key, "joins") && g->processes < MAX_PROCESSES) {
        Process *p = &g->process[g->processes++];
        p->pid = (unsigned)number(&rest, 0);
        p->sm = 0;
        p->from = p->to = INFINITY;
        p->listed_from = number(&rest, 0);
        p->listed_to = number(&rest, INFINITY);
    }
    else if (!strcmp(key, "utilization")) {
        g->utilization_period = number(&rest, g->utilization_period);
        g->utilization_count = (int)number(&rest, g->utilization_count);
    }
    else set_fault(g, key, rest);
}

EXPORT void fake_configure(const char *script) {
    pthread_mutex_lock(&lock);
    char *copy = strdup(script), *saved = NULL;
    Gpu *g = NULL;
    double start = 0;
    gpu_count = init_code = scripted = released = 0;
    day_step_at = INFINITY;
    configured = 1;
    memset(counts, 0, sizeof counts);
    for (char *line = strtok_r(copy, "\n", &saved); line; line = strtok_r(NULL, "\n", &saved)) {
        char key[32], *rest = line;
        word(&rest, key, sizeof key);
        if (!*key || *key == '#') continue;
        if (!strcmp(key, "clock")) scripted = strstr(rest, "scripted") != NULL;
        else if (!strcmp(key, "start")) start = number(&rest, 0);
        else if (!strcmp(key, "day_step")) { day_step_at = number(&rest, 0); day_step = number(&rest, 0); }
        else if (!strcmp(key, "init")) init_code = (int)number(&rest, 9);
        else if (!strcmp(key, "gpu")) { if (gpu_count < MAX_GPUS) g = new_gpu(); }
        else if (g) set_gpu(g, key, rest);
    }
    free(copy);
    scripted_now = 0;
    epoch = scripted ? 0 : start > 0 ? start : clock_seconds(CLOCK_MONOTONIC);
    day_minus_monotonic = scripted ? 1.7e9 : clock_seconds(CLOCK_REALTIME) - clock_seconds(CLOCK_MONOTONIC);
    pthread_mutex_unlock(&lock);
}

static void configure_from_environment(void) {
    const char *path = getenv("FAKE_NVML");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file) return;
    char script[65536];
    script[fread(script, 1, sizeof script - 1, file)] = 0;
    fclose(file);
    fake_configure(script);
}

/* ---- for the tests ---- */

EXPORT double fake_now(void) { return now(); }

/* The script's time 0 on CLOCK_MONOTONIC, which is Python's time.monotonic(). */
EXPORT double fake_epoch(void) { return epoch; }

EXPORT double fake_day(void) { return (double)day_microseconds(now()) * 1e-6; }

EXPORT void fake_release(void) { released = 1; }

EXPORT void fake_advance(double seconds) { scripted_now += seconds; }

/* The true energy of a GPU from time 0 to a monotonic instant (as time.monotonic() says), in J. */
EXPORT double fake_energy(int gpu, double monotonic_seconds) { return energy(&gpus[gpu], monotonic_seconds - epoch); }

EXPORT unsigned long fake_calls(const char *function) {
    unsigned long calls = 0;
    for (int i = 0; i < MAX_FUNCTIONS && *counts[i].name; i++)
        if (!*function || !strcmp(counts[i].name, function)) calls += counts[i].calls;
    return calls;
}

/* ---- a call: counted, slowed, failed ---- */

static void count(const char *function) {
    for (int i = 0; i < MAX_FUNCTIONS; i++) {
        if (!*counts[i].name) snprintf(counts[i].name, sizeof counts[i].name, "%s", function);
        if (!strcmp(counts[i].name, function)) { counts[i].calls++; return; }
    }
}

static int fault(Gpu *g, const char *function) {
    double t = now();
    if (t >= g->lost_from && t < g->lost_to) return GPU_IS_LOST;
    for (int i = 0; i < g->errors; i++)
        if (!strcmp(g->error[i].function, function) && t >= g->error[i].from && t < g->error[i].to) return g->error[i].code;
    if (g->flaky > 0 && uniform(g->random += 7919) < g->flaky) return g->flaky_code;
    if (!strcmp(g->once, function) && g->once_turn++ % 2 == 0) return g->once_code;
    return SUCCESS;
}

/* What a function tells: its value, or what the script has in the place of it. */
static double told(const Gpu *g, const char *function, double value) {
    double t = now();
    for (int i = 0; i < g->wrongs; i++) {
        const Wrong *w = &g->wrong[i];
        if (!strcmp(w->function, function) && t >= w->from && t < w->to) return w->value;
    }
    return value;
}

/* Handles are pointers into the tables, of a GPU or of a MIG device. */
static Mig *mig_of(void *handle) {
    for (int i = 0; i < gpu_count; i++)
        if ((char *)handle >= (char *)gpus[i].mig && (char *)handle < (char *)(gpus[i].mig + MAX_MIG)) return handle;
    return NULL;
}

static Gpu *gpu_of(void *handle) { return mig_of(handle) ? NULL : handle; }

static int begin(const char *function, Gpu *g) {
    pthread_mutex_lock(&lock);
    count(function);
    double slow = g ? g->slow : 0;
    if (slow > 0 && scripted) scripted_now += slow;
    pthread_mutex_unlock(&lock);
    if (slow > 0 && !scripted) {
        struct timespec pause = {(time_t)slow, (long)((slow - floor(slow)) * 1e9)};
        nanosleep(&pause, NULL);
    }
    while (g && !strcmp(g->hang, function) && !released) nanosleep(&(struct timespec){0, 5000000}, NULL);
    if (!initialised) return UNINITIALIZED;
    return g ? fault(g, function) : SUCCESS;
}

#define CALL(g) do { int code_ = begin(__func__, g); if (code_) return code_; } while (0)
#define GPU_CALL Gpu *g = gpu_of(device); if (!g) { begin(__func__, NULL); return NOT_SUPPORTED; } CALL(g)

/* ---- the library ---- */

EXPORT int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    if (!configured) configure_from_environment();
    pthread_mutex_lock(&lock);
    count(__func__);
    if (!init_code) initialised++;
    pthread_mutex_unlock(&lock);
    return init_code;
}

EXPORT int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

EXPORT int nvmlShutdown(void) {
    pthread_mutex_lock(&lock);
    count(__func__);
    int code = initialised ? SUCCESS : UNINITIALIZED;
    if (initialised) initialised--;
    pthread_mutex_unlock(&lock);
    return code;
}

EXPORT const char *nvmlErrorString(int code) {
    switch (code) {
    case SUCCESS: return "Success";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID_ARGUMENT: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case 4: return "Insufficient Permissions";
    case NOT_FOUND: return "Not Found";
    case INSUFFICIENT_SIZE: return "Insufficient Size";
    case 9: return "Driver Not Loaded";
    case 10: return "Timeout";
    case FUNCTION_NOT_FOUND: return "Function Not Found";
    case GPU_IS_LOST: return "GPU is lost";
    case 16: return "GPU requires reset";
    default: return "Unknown Error";
    }
}

EXPORT int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    CALL(NULL);
    snprintf(version, length, "999.00");
    return SUCCESS;
}

EXPORT int nvmlSystemGetNVMLVersion(char *version, unsigned length) {
    CALL(NULL);
    snprintf(version, length, "13.999.00");
    return SUCCESS;
}

EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    CALL(NULL);
    *version = 13000;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetCount_v2(unsigned *device_count) {
    CALL(NULL);
    *device_count = (unsigned)gpu_count;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    CALL(NULL);
    if (index >= (unsigned)gpu_count) return INVALID_ARGUMENT;
    int code = fault(&gpus[index], __func__);
    *device = &gpus[index];
    return code;
}

EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    CALL(NULL);
    for (int i = 0; i < gpu_count; i++) {
        if (!strcmp(gpus[i].uuid, uuid)) { *device = &gpus[i]; return fault(&gpus[i], __func__); }
        for (int m = 0; m < gpus[i].migs; m++)
            if (!strcmp(gpus[i].mig[m].uuid, uuid)) { *device = &gpus[i].mig[m]; return SUCCESS; }
    }
    return NOT_FOUND;
}

EXPORT int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **device) {
    CALL(NULL);
    for (int i = 0; i < gpu_count; i++)
        if (!strcasecmp(gpus[i].pci, bus)) { *device = &gpus[i]; return fault(&gpus[i], __func__); }
    return NOT_FOUND;
}

EXPORT int nvmlDeviceGetUUID(void *device, char *uuid, unsigned length) {
    Mig *m = mig_of(device);
    CALL(m ? NULL : device);
    snprintf(uuid, length, "%s", m ? m->uuid : ((Gpu *)device)->uuid);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetName(void *device, char *name, unsigned length) {
    Mig *m = mig_of(device);
    CALL(m ? NULL : device);
    snprintf(name, length, "%s", m ? gpus[m->gpu].name : ((Gpu *)device)->name);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetIndex(void *device, unsigned *index) {
    GPU_CALL;
    *index = (unsigned)(g - gpus);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetArchitecture(void *device, unsigned *arch) {
    GPU_CALL;
    *arch = g->arch;
    return SUCCESS;
}

typedef struct {
    char legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
} PciInfo;

EXPORT int nvmlDeviceGetPciInfo_v3(void *device, PciInfo *info) {
    GPU_CALL;
    memset(info, 0, sizeof *info);
    sscanf(g->pci, "%x:%x:%x", &info->domain, &info->bus, &info->device);
    snprintf(info->bus_id, sizeof info->bus_id, "%s", g->pci);
    snprintf(info->legacy, sizeof info->legacy, "%04x:%02x:%02x.0", info->domain & 0xffff, info->bus & 0xff, info->device & 0xff);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules) {
    GPU_CALL;
    if (g->period <= 0) return NOT_SUPPORTED;
    pthread_mutex_lock(&lock);
    double otherwise = told(g, __func__, NAN);
    *millijoules = isnan(otherwise) ? counter_millijoules(g, now()) : otherwise < 0 ? ~0ULL : (unsigned long long)otherwise;
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetPowerUsage(void *device, unsigned *value) {
    GPU_CALL;
    const Power *p = g->average.period > 0 ? &g->average : &g->instant;
    if (p->period <= 0) return NOT_SUPPORTED;
    *value = (unsigned)told(g, __func__, milliwatts(g, p, now()));
    return SUCCESS;
}

EXPORT int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *limit) {
    GPU_CALL;
    *limit = (unsigned)told(g, __func__, g->limit_watts * 1000.0);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetPowerManagementDefaultLimit(void *device, unsigned *limit) {
    GPU_CALL;
    *limit = (unsigned)told(g, __func__, (g->default_limit_watts ? g->default_limit_watts : g->limit_watts) * 1000.0);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetPowerManagementLimit(void *device, unsigned *limit) {
    GPU_CALL;
    *limit = g->limit_watts * 1000;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetPowerManagementMode(void *device, unsigned *mode) {
    GPU_CALL;
    *mode = 1;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetPersistenceMode(void *device, unsigned *mode) {
    GPU_CALL;
    *mode = 1;
    return SUCCESS;
}

typedef union {
    double d;
    int i;
    unsigned u;
    unsigned long ul;
    unsigned long long ull;
    long long ll;
    unsigned short us;
} Value;

typedef struct {
    unsigned field, scope;
    long long timestamp, latency;
    int type, code;
    Value value;
} FieldValue;

static void field_value(Gpu *g, FieldValue *f, double t) {
    char name[32];
    snprintf(name, sizeof name, "field:%u", f->field);
    f->timestamp = (long long)day_microseconds(t);
    f->latency = 1;
    f->type = TYPE_UNSIGNED_INT;
    f->code = fault(g, name);
    f->value.ull = 0;
    if (f->code) return;
    if ((f->field == FIELD_ENERGY || f->field == FIELD_ENERGY_2) && g->period > 0) {
        f->type = TYPE_UNSIGNED_LONG_LONG;
        pthread_mutex_lock(&lock);
        f->value.ull = counter_millijoules(g, t);
        pthread_mutex_unlock(&lock);
    }
    else if (f->field == FIELD_POWER_AVERAGE && g->average.period > 0) f->value.u = (unsigned)told(g, name, milliwatts(g, &g->average, t));
    else if (f->field == FIELD_POWER_INSTANT && g->instant.period > 0) f->value.u = (unsigned)told(g, name, milliwatts(g, &g->instant, t));
    else f->code = NOT_SUPPORTED;
}

EXPORT int nvmlDeviceGetFieldValues(void *device, int n, FieldValue *values) {
    GPU_CALL;
    for (int i = 0; i < n; i++) field_value(g, &values[i], now());
    return SUCCESS;
}

typedef struct { unsigned long long timestamp; Value value; } Sample;

EXPORT int nvmlDeviceGetSamples(void *device, int type, unsigned long long last_seen, int *value_type, unsigned *n, Sample *samples) {
    GPU_CALL;
    if (type != 0 || g->sample_count <= 0) return NOT_SUPPORTED;
    *value_type = TYPE_UNSIGNED_INT;
    if (!samples) { *n = (unsigned)g->sample_count; return SUCCESS; }
    double until = now();
    if (until >= g->samples_frozen_from && until < g->samples_frozen_to) until = g->samples_frozen_from;
    long newest = (long)floor(until / g->sample_period), oldest = newest - g->sample_count + 1;
    unsigned filled = 0;
    for (long k = oldest < 0 ? 0 : oldest; k <= newest && filled < *n; k++) {
        double at = (double)k * g->sample_period;
        unsigned long long stamp = day_microseconds(at);
        if (stamp <= last_seen) continue;
        samples[filled].timestamp = stamp;
        samples[filled].value.ull = 0;
        samples[filled++].value.u = (unsigned)lround((energy(g, at) - energy(g, at - g->sample_period)) / g->sample_period * 1e3);
    }
    *n = filled;
    return filled ? SUCCESS : NOT_FOUND;
}

typedef struct { unsigned long long total, free, used; } Memory;

EXPORT int nvmlDeviceGetMemoryInfo(void *device, Memory *memory) {
    GPU_CALL;
    *memory = (Memory){MEMORY_MB << 20, MEMORY_MB << 19, MEMORY_MB << 19};
    return SUCCESS;
}

EXPORT int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius) {
    (void)sensor;
    GPU_CALL;
    *celsius = (unsigned)told(g, __func__, 50);
    return SUCCESS;
}

typedef struct { unsigned gpu, memory; } Utilization;

EXPORT int nvmlDeviceGetUtilizationRates(void *device, Utilization *rates) {
    GPU_CALL;
    *rates = (Utilization){(unsigned)told(g, __func__, 90), 40};
    return SUCCESS;
}

EXPORT int nvmlDeviceGetClockInfo(void *device, int kind, unsigned *mhz) {
    (void)kind;
    GPU_CALL;
    *mhz = (unsigned)told(g, __func__, 1500);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *reasons) {
    GPU_CALL;
    *reasons = (unsigned long long)told(g, __func__, 0);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons) {
    GPU_CALL;
    *reasons = (unsigned long long)told(g, __func__, 0);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetComputeMode(void *device, int *mode) {
    GPU_CALL;
    *mode = 0;
    return SUCCESS;
}

typedef struct { unsigned pid; unsigned long long memory; unsigned gi, ci; } ProcessInfo;

/* Whether a line of the script is the first about its process. */
static int is_first(const Gpu *g, int line) {
    for (int i = 0; i < line; i++)
        if (g->process[i].pid == g->process[line].pid) return 0;
    return 1;
}

static int is_listed(const Gpu *g, int line) {
    double t = now();
    return is_first(g, line) && t >= g->process[line].listed_from && t < g->process[line].listed_to;
}

static int processes(Gpu *g, unsigned *n, ProcessInfo *infos) {
    unsigned room = *n;
    *n = 0;
    for (int i = 0; i < g->processes; i++) *n += (unsigned)is_listed(g, i);
    if (room < *n || (*n && !infos)) return INSUFFICIENT_SIZE;
    for (int i = 0; i < g->processes; i++)
        if (is_listed(g, i)) *infos++ = (ProcessInfo){g->process[i].pid, 1ULL << 30, ~0u, ~0u};
    return SUCCESS;
}

EXPORT int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *n, ProcessInfo *infos) {
    GPU_CALL;
    return processes(g, n, infos);
}

EXPORT int nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned *n, ProcessInfo *infos) {
    (void)infos;
    GPU_CALL;
    *n = 0;
    return SUCCESS;
}

typedef struct { unsigned pid; unsigned long long timestamp; unsigned sm, memory, encoder, decoder; } ProcessSample;

/* The utilization of a process by one sample of the buffer: the mean over the time since the sample before, in %. */
static double sampled_sm(const Gpu *g, unsigned pid, long sample) {
    double to = (double)sample * g->utilization_period, from = to - g->utilization_period, sum = 0;
    for (int i = 0; i < g->processes; i++) {
        const Process *p = &g->process[i];
        if (p->pid == pid) sum += p->sm * fmax(0, fmin(to, p->to) - fmax(from, p->from)) / g->utilization_period;
    }
    return sum;
}

/* One sample for every process that did something since: the mean, in whole %, and when it was last seen at it. */
static unsigned process_samples(const Gpu *g, unsigned long long last_seen, ProcessSample *samples) {
    long newest = (long)floor(now() / g->utilization_period), oldest = newest - g->utilization_count + 1;
    unsigned filled = 0;
    for (int i = 0; i < g->processes; i++) {
        if (!is_first(g, i)) continue;
        double sum = 0;
        unsigned long long stamp = 0;
        int count = 0;
        for (long k = oldest < 0 ? 0 : oldest; k <= newest; k++) {
            unsigned long long at = day_microseconds((double)k * g->utilization_period);
            if (at <= last_seen) continue;
            double sm = sampled_sm(g, g->process[i].pid, k);
            sum += sm;
            count++;
            if (sm > 0) stamp = at;
        }
        if (stamp) samples[filled++] = (ProcessSample){g->process[i].pid, stamp, (unsigned)lround(sum / count), 0, 0, 0};
    }
    return filled;
}

EXPORT int nvmlDeviceGetProcessUtilization(void *device, ProcessSample *samples, unsigned *n, unsigned long long last_seen) {
    GPU_CALL;
    if (g->migs) return NOT_SUPPORTED;
    unsigned room = *n;
    *n = UTILIZATION_ROOM;
    if (room < *n || !samples) return INSUFFICIENT_SIZE;
    *n = process_samples(g, last_seen, samples);
    return *n ? SUCCESS : NOT_FOUND;
}

typedef struct { unsigned long long timestamp; unsigned pid, sm, memory, encoder, decoder, jpeg, ofa; } ProcessUtilization;
typedef struct { unsigned version, count; unsigned long long last_seen; ProcessUtilization *array; } ProcessesUtilization;

EXPORT int nvmlDeviceGetProcessesUtilizationInfo(void *device, ProcessesUtilization *info) {
    GPU_CALL;
    if (info->version != (sizeof *info | 1u << 24)) return ARGUMENT_VERSION_MISMATCH;
    if (g->migs) return NOT_SUPPORTED;
    unsigned room = info->count;
    info->count = UTILIZATION_ROOM;
    if (room < info->count || !info->array) return INSUFFICIENT_SIZE;
    ProcessSample samples[MAX_PROCESSES];
    info->count = process_samples(g, info->last_seen, samples);
    for (unsigned i = 0; i < info->count; i++)
        info->array[i] = (ProcessUtilization){samples[i].timestamp, samples[i].pid, samples[i].sm, 0, 0, 0, 0, 0};
    return info->count ? SUCCESS : NOT_FOUND;
}

/* ---- MIG ---- */

EXPORT int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
    GPU_CALL;
    *current = *pending = g->migs > 0;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *n) {
    GPU_CALL;
    *n = g->migs ? 7 : 0;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned index, void **mig) {
    GPU_CALL;
    if (index >= (unsigned)g->migs) return NOT_FOUND;
    *mig = &g->mig[index];
    return SUCCESS;
}

EXPORT int nvmlDeviceIsMigDeviceHandle(void *device, unsigned *is_mig) {
    CALL(NULL);
    *is_mig = mig_of(device) != NULL;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *device, void **parent) {
    CALL(NULL);
    Mig *m = mig_of(device);
    if (!m) return NOT_FOUND;
    *parent = &gpus[m->gpu];
    return SUCCESS;
}

EXPORT int nvmlDeviceGetGpuInstanceId(void *device, unsigned *id) {
    CALL(NULL);
    Mig *m = mig_of(device);
    if (!m) return NOT_SUPPORTED;
    *id = m->gi;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetComputeInstanceId(void *device, unsigned *id) {
    CALL(NULL);
    Mig *m = mig_of(device);
    if (!m) return NOT_SUPPORTED;
    *id = m->ci;
    return SUCCESS;
}

typedef struct {
    unsigned multiprocessors, copy, decoders, encoders, jpeg, ofa, gpu_slices, compute_slices;
    unsigned long long memory_mb;
} Attributes;

EXPORT int nvmlDeviceGetAttributes_v2(void *device, Attributes *attributes) {
    CALL(NULL);
    Mig *m = mig_of(device);
    if (!m) return NOT_SUPPORTED;
    *attributes = (Attributes){m->slices * 16, 1, 1, 0, 0, 0, m->slices, m->slices, m->memory_mb};
    return SUCCESS;
}
