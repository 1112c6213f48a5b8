/* A disk that fails from the Nth change to a regular file on; loaded before libc (LD_PRELOAD). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static long first = -1, seen = 0, struck = 0;
static int error = 0, syncs_fail = 0;

void disk_fails(long from, int with, int syncs) {
    first = from, error = with, syncs_fail = syncs, seen = struck = 0;
}

long disk_struck(void) { return struck; }

long disk_seen(void) { return seen; }

static int fails(int file, int is_sync) {
    struct stat info;
    if (first < 0 || file < 3 || (is_sync && !syncs_fail) || fstat(file, &info) || !S_ISREG(info.st_mode)) return 0;
    if (seen++ < first) return 0;
    struck++;
    errno = error;
    return 1;
}

#define INSTEAD(result, name, parameters, arguments, is_sync)            \
    result name parameters {                                             \
        static result(*real) parameters;                                 \
        if (!real) real = (result(*) parameters)dlsym(RTLD_NEXT, #name); \
        return fails(file, is_sync) ? -1 : real arguments;               \
    }

INSTEAD(ssize_t, write, (int file, const void *data, size_t size), (file, data, size), 0)
INSTEAD(ssize_t, pwrite, (int file, const void *data, size_t size, off_t at), (file, data, size, at), 0)
INSTEAD(ssize_t, pwrite64, (int file, const void *data, size_t size, off64_t at), (file, data, size, at), 0)
INSTEAD(ssize_t, sendfile, (int file, int from, off_t *at, size_t size), (file, from, at, size), 0)
INSTEAD(ssize_t, sendfile64, (int file, int from, off64_t *at, size_t size), (file, from, at, size), 0)
INSTEAD(int, fsync, (int file), (file), 1)
INSTEAD(int, fdatasync, (int file), (file), 1)
