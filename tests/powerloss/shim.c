/*
 * Loaded before the C library (LD_PRELOAD) into a child of the tests. It notes every change of the files below one
 * folder in the order in which it took effect, may let one call fail, and may move the wall clock.
 *
 *   QUORATE_SHIM_DIR    the folder, absolute
 *   QUORATE_SHIM_TRACE  where the notes go; without it nothing is noted
 *   QUORATE_SHIM_ENDS   the process ends, as if killed, with the acknowledgement of this number
 *   QUORATE_SHIM_FAIL   "CALLS:N:ERRNO:COUNT": of the calls in CALLS (w write, s sync, z size, n name, o open) COUNT fail
 *                       from the N-th on
 *   QUORATE_SHIM_CLOCK  a file of 8 bytes, mapped: nanoseconds added to the wall clock, an i64
 *
 * A note is {u32 kind, u32 data length, u64 file, i64 number} and its data. A change and its note are made under one
 * lock, so the notes say exactly what a reader of the folder would see. A sync is noted before and after: only what
 * was noted before it began is sure to be covered. Calls that write in ways not noted here are refused, and the
 * standard library then takes another way.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    OPENED = 1, WRITTEN, SYNC_BEGAN, SYNC_ENDED, SIZED, RENAMED, UNLINKED, MADE_DIR, SAID, REMOVED_DIR, LINKED, STARTED,
};

struct note {
    uint32_t kind, length;
    uint64_t file;
    int64_t number;
};

static char dir[4096];
static size_t dir_length;
static int trace = -1;
static long ends = -1, said;
static dev_t device;
static const _Atomic int64_t *clock_offset;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t syncs;

static char fail_calls[16];
static long fail_at = -1, fail_count, calls_seen;
static int fail_errno;

#define MAX_FILES 8192
static uint64_t files[MAX_FILES];
static int file_count;

/* Everything below is called with the lock held, except where it says otherwise. */

static void note(uint32_t kind, uint64_t file, int64_t number, const void *data, size_t length) {
    if (trace < 0) return;
    int before = errno;
    struct note head = {kind, (uint32_t)length, file, number};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)data, length}};
    size_t whole = sizeof head + length, done = 0;
    while (done < whole) {
        ssize_t n = syscall(SYS_writev, trace, parts, 2);
        if (n <= 0) _exit(99);
        done += n;
        for (int i = 0; i < 2; i++) {
            size_t take = (size_t)n < parts[i].iov_len ? (size_t)n : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + take;
            parts[i].iov_len -= take;
            n -= take;
        }
    }
    errno = before;
}

static int below(const char *path) {
    return dir_length && path && !strncmp(path, dir, dir_length) && (path[dir_length] == '/' || !path[dir_length]);
}

static int known(uint64_t ino) {
    for (int i = file_count - 1; i >= 0; i--)
        if (files[i] == ino) return 1;
    return 0;
}

/* The file behind a descriptor when it is one of ours, else 0. */
static uint64_t ours(int fd) {
    struct stat st;
    if (!dir_length || syscall(SYS_fstat, fd, &st) || st.st_dev != device) return 0;
    return known(st.st_ino) ? st.st_ino : 0;
}

static int fails(char call) {
    if (fail_at < 0 || !strchr(fail_calls, call)) return 0;
    long n = calls_seen++;
    if (n < fail_at || n >= fail_at + fail_count) return 0;
    errno = fail_errno;
    return 1;
}

static void opened(int fd, const char *path, int made) {
    struct stat st;
    if (fd < 0 || syscall(SYS_fstat, fd, &st)) return;
    device = st.st_dev;
    if (!known(st.st_ino)) {
        if (file_count == MAX_FILES) _exit(98);
        files[file_count++] = st.st_ino;
    }
    note(OPENED, st.st_ino, (made ? 1 : 0) | (S_ISDIR(st.st_mode) ? 2 : 0), path, strlen(path));
}

__attribute__((constructor)) static void begin(void) {
    const char *d = getenv("QUORATE_SHIM_DIR"), *t = getenv("QUORATE_SHIM_TRACE"), *c = getenv("QUORATE_SHIM_CLOCK");
    const char *e = getenv("QUORATE_SHIM_ENDS"), *f = getenv("QUORATE_SHIM_FAIL");
    if (d && strlen(d) < sizeof dir) {
        strcpy(dir, d);
        dir_length = strlen(dir);
    }
    if (f) sscanf(f, "%15[a-z]:%ld:%d:%ld", fail_calls, &fail_at, &fail_errno, &fail_count);
    if (e) ends = atol(e);
    if (t) {
        int fd = syscall(SYS_openat, AT_FDCWD, t, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        trace = syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 900);
        if (trace < 0) _exit(97);
        note(STARTED, 0, 0, "", 0);
    }
    if (c) {
        int fd = syscall(SYS_openat, AT_FDCWD, c, O_RDONLY | O_CLOEXEC, 0);
        void *m = mmap(0, 8, PROT_READ, MAP_SHARED, fd, 0);
        if (m != MAP_FAILED) clock_offset = m;
    }
}

#define REAL(name)                                                                                                     \
    static __typeof__(name) *real;                                                                                     \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

typedef int opener(const char *, int, ...);

static int open_any(opener *real, const char *path, int flags, mode_t mode) {
    if (!below(path)) return real(path, flags, mode);
    pthread_mutex_lock(&lock);
    int fd = -1;
    struct stat st;
    int had = !stat(path, &st);
    if (!fails('o')) {
        fd = real(path, flags, mode);
        opened(fd, path, !had);
        if (fd >= 0 && had && (flags & O_TRUNC)) note(SIZED, st.st_ino, 0, "", 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...) {                                                                       \
        REAL(name);                                                                                                    \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = va_arg(rest, mode_t);                                                                            \
        va_end(rest);                                                                                                  \
        return open_any(real, path, flags, mode);                                                                      \
    }
OPEN(open)
OPEN(open64)

/* Acknowledgements are lines on standard output. */
static void spoke(const void *bytes, size_t length) {
    if (trace < 0 || !memmem(bytes, length, "ACK ", 4)) return;
    note(SAID, 0, 0, bytes, length);
    if (++said == ends) _exit(42);
}

static ssize_t wrote(int fd, const void *bytes, size_t length, int64_t at, ssize_t (*go)(int, const void *, size_t, int64_t)) {
    pthread_mutex_lock(&lock);
    uint64_t file = ours(fd);
    ssize_t n = -1;
    if (!file || !fails('w')) {
        n = go(fd, bytes, length, at);
        if (file && n > 0) note(WRITTEN, file, at < 0 ? syscall(SYS_lseek, fd, 0, SEEK_CUR) - n : at, bytes, n);
    }
    pthread_mutex_unlock(&lock);
    return n;
}
static ssize_t go_write(int fd, const void *bytes, size_t length, int64_t at) {
    (void)at;
    return syscall(SYS_write, fd, bytes, length);
}
static ssize_t go_pwrite(int fd, const void *bytes, size_t length, int64_t at) {
    return syscall(SYS_pwrite64, fd, bytes, length, at);
}
ssize_t write(int fd, const void *bytes, size_t length) {
    if (fd == 1) {
        pthread_mutex_lock(&lock);
        ssize_t n = syscall(SYS_write, fd, bytes, length);
        spoke(bytes, length);
        pthread_mutex_unlock(&lock);
        return n;
    }
    return wrote(fd, bytes, length, -1, go_write);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return wrote(fd, bytes, length, at, go_pwrite); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return wrote(fd, bytes, length, at, go_pwrite); }

/* Several pieces are written one by one: a short write is legal and the caller goes on from there. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    for (int i = 0; i < count; i++)
        if (parts[i].iov_len) return write(fd, parts[i].iov_base, parts[i].iov_len);
    return 0;
}
#define PWRITEV(name, offset)                                                                                          \
    ssize_t name(int fd, const struct iovec *parts, int count, offset at) {                                            \
        for (int i = 0; i < count; i++)                                                                                \
            if (parts[i].iov_len) return wrote(fd, parts[i].iov_base, parts[i].iov_len, at, go_pwrite);                \
        return 0;                                                                                                      \
    }
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)

static int synced(int fd, long call) {
    pthread_mutex_lock(&lock);
    uint64_t file = ours(fd), token = ++syncs;
    if (file) {
        note(SYNC_BEGAN, file, token, "", 0);
        if (fails('s')) {
            note(SYNC_ENDED, file, token, "f", 1);
            pthread_mutex_unlock(&lock);
            return -1;
        }
    }
    pthread_mutex_unlock(&lock);
    int r = syscall(call, fd);
    if (file) {
        pthread_mutex_lock(&lock);
        note(SYNC_ENDED, file, token, r ? "f" : "", r ? 1 : 0);
        pthread_mutex_unlock(&lock);
    }
    return r;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int sized(int fd, int64_t to) {
    pthread_mutex_lock(&lock);
    uint64_t file = ours(fd);
    int r = -1;
    if (!file || !fails('z')) {
        r = syscall(SYS_ftruncate, fd, to);
        if (file && !r) note(SIZED, file, to, "", 0);
    }
    pthread_mutex_unlock(&lock);
    return r;
}
int ftruncate(int fd, off_t to) { return sized(fd, to); }
int ftruncate64(int fd, off64_t to) { return sized(fd, to); }

static int allocated(int fd, int mode, int64_t at, int64_t length) {
    pthread_mutex_lock(&lock);
    uint64_t file = ours(fd);
    int r = -1;
    if (file && mode) errno = EOPNOTSUPP;
    else if (!file || !fails('z')) {
        r = syscall(SYS_fallocate, fd, mode, at, length);
        struct stat st;
        if (file && !r && !syscall(SYS_fstat, fd, &st)) note(SIZED, file, st.st_size, "", 0);
    }
    pthread_mutex_unlock(&lock);
    return r;
}
int fallocate(int fd, int mode, off_t at, off_t length) { return allocated(fd, mode, at, length); }
int fallocate64(int fd, int mode, off64_t at, off64_t length) { return allocated(fd, mode, at, length); }
int posix_fallocate(int fd, off_t at, off_t length) { return allocated(fd, 0, at, length) ? errno : 0; }
int posix_fallocate64(int fd, off64_t at, off64_t length) { return allocated(fd, 0, at, length) ? errno : 0; }

ssize_t copy_file_range(int from, off64_t *a, int to, off64_t *b, size_t length, unsigned flags) {
    (void)from, (void)a, (void)to, (void)b, (void)length, (void)flags;
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile(int to, int from, off_t *at, size_t length) {
    (void)to, (void)from, (void)at, (void)length;
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t length) { return sendfile(to, from, at, length); }

static int named(uint32_t kind, const char *from, const char *to, int (*go)(const char *, const char *)) {
    if (!below(from) && !below(to)) return go(from, to);
    pthread_mutex_lock(&lock);
    int r = -1;
    if (!fails('n')) {
        r = go(from, to);
        char both[8192];
        int n = to ? snprintf(both, sizeof both, "%s\n%s", from, to) : snprintf(both, sizeof both, "%s", from);
        struct stat st;
        if (!r) note(kind, kind == MADE_DIR && !stat(from, &st) ? st.st_ino : 0, 0, both, n);
    }
    pthread_mutex_unlock(&lock);
    return r;
}
static mode_t dir_mode;
static int go_rename(const char *from, const char *to) { return syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to); }
static int go_link(const char *from, const char *to) { return syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0); }
static int go_unlink(const char *path, const char *none) { (void)none; return syscall(SYS_unlinkat, AT_FDCWD, path, 0); }
static int go_rmdir(const char *path, const char *none) { (void)none; return syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR); }
static int go_mkdir(const char *path, const char *none) { (void)none; return syscall(SYS_mkdirat, AT_FDCWD, path, dir_mode); }
int rename(const char *from, const char *to) { return named(RENAMED, from, to, go_rename); }
int link(const char *from, const char *to) { return named(LINKED, from, to, go_link); }
int linkat(int a, const char *from, int b, const char *to, int flags) {
    if (a == AT_FDCWD && b == AT_FDCWD) return named(LINKED, from, to, go_link);
    return syscall(SYS_linkat, a, from, b, to, flags);
}
int unlink(const char *path) { return named(UNLINKED, path, 0, go_unlink); }
int rmdir(const char *path) { return named(REMOVED_DIR, path, 0, go_rmdir); }
int mkdir(const char *path, mode_t mode) {
    dir_mode = mode;
    return named(MADE_DIR, path, 0, go_mkdir);
}

/* Entries are removed through their folder's descriptor when a whole folder is removed. */
int unlinkat(int at, const char *name, int flags) {
    char path[8192];
    if (at == AT_FDCWD || name[0] == '/') snprintf(path, sizeof path, "%s", name);
    else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t n = readlink(link, path, sizeof path / 2);
        if (n < 0) return -1;
        snprintf(path + n, sizeof path - n, "/%s", name);
    }
    return flags & AT_REMOVEDIR ? rmdir(path) : unlink(path);
}

int clock_gettime(clockid_t id, struct timespec *time) {
    REAL(clock_gettime);
    int r = real(id, time);
    if (!r && clock_offset && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t ns = time->tv_sec * 1000000000LL + time->tv_nsec + *clock_offset;
        time->tv_sec = ns / 1000000000LL;
        time->tv_nsec = ns % 1000000000LL;
    }
    return r;
}
