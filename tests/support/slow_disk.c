/* A disk that is slow or hangs, for the files of one process: LD_PRELOAD it.
 *
 *     SLOW_DISK_PATH      pattern of paths, as of a shell, that are on the disk: "*.jsonl"
 *     SLOW_DISK_WRITE_MS  what every write to them takes, in ms
 *     SLOW_DISK_FSYNC_MS  what every fsync and fdatasync of them takes, in ms
 *     SLOW_DISK_HANG      a file; while it exists, writes and syncs of them do not return
 *     SLOW_DISK_HANG_SYNC a file; while it exists, syncs of them do not return
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void pause_ms(double ms) {
    struct timespec rest = {(time_t)(ms / 1e3), (long)(ms * 1e6) % 1000000000L};
    while (nanosleep(&rest, &rest) != 0) {}
}

static int is_on_the_disk(int fd) {
    const char *pattern = getenv("SLOW_DISK_PATH");
    char link[64], path[4096];
    if (!pattern) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fnmatch(pattern, path, 0) == 0;
}

static void hang(const char *variable) {
    const char *path = getenv(variable);
    while (path && access(path, F_OK) == 0) pause_ms(5);
}

static void be_slow(int fd, const char *variable, int is_sync) {
    if (!is_on_the_disk(fd)) return;
    const char *ms = getenv(variable);
    if (ms) pause_ms(strtod(ms, NULL));
    hang("SLOW_DISK_HANG");
    if (is_sync) hang("SLOW_DISK_HANG_SYNC");
}

ssize_t write(int fd, const void *data, size_t size) {
    be_slow(fd, "SLOW_DISK_WRITE_MS", 0);
    return NEXT(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    be_slow(fd, "SLOW_DISK_WRITE_MS", 0);
    return NEXT(pwrite)(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    be_slow(fd, "SLOW_DISK_WRITE_MS", 0);
    return NEXT(writev)(fd, parts, count);
}

int fsync(int fd) {
    be_slow(fd, "SLOW_DISK_FSYNC_MS", 1);
    return NEXT(fsync)(fd);
}

int fdatasync(int fd) {
    be_slow(fd, "SLOW_DISK_FSYNC_MS", 1);
    return NEXT(fdatasync)(fd);
}
