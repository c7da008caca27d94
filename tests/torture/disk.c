/* A layer between a process and its disk: records every call that changes files below one folder, kills the process
 * at the n-th of them, or lets the n-th (and those after it) fail.
 *
 * Built as a shared library and preloaded (LD_PRELOAD), so that it stands between libc and SQLite, Python and all
 * else in the process. Nothing happens until `disk_arm`; or, where the environment names a folder (DISK_FOLDER) and a
 * file (DISK_FULL), the disk below the folder is full, for all processes, while that file is there. A call counts if it may change what is below the folder:
 * creating or emptying a file, write, truncate, fsync, rename, link, unlink, mkdir, rmdir. What was done is written
 * to the log's descriptor after it succeeded, and before the caller hears of it, under a mutex: the log's order is
 * the disk's. Calls that would change files and are not understood here end the process with 99, never unseen.
 *
 * A record: struct record, then the first path, the second path, then (for writes and marks) the data.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, CLOSE, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR, LINK, MARK, FAILED };
enum { NOTHING, KILL, KILL_HALFWAY, FAIL_ONCE, FAIL_ON, SHORT_THEN_FAIL };

struct record {
    uint32_t magic, op;
    int32_t fd, flags; /* flags: of an open, 1 created, 2 emptied, 4 to be written; of a failure, which call */
    uint64_t offset, size;
    uint32_t path, path2;
};

#define FDS 65536
#define MAGIC 0x6b736964
static unsigned char tracked[FDS]; /* descriptors below the folder */
static char root[PATH_MAX];
static size_t root_size;
static int armed, lazy, log_fd = -1, mode, fault_errno;
static long count, at;
static const char *full_while;
static pthread_mutex_t turn = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static ssize_t raw_write(int fd, const void *data, size_t size) {
    REAL(write);
    return real(fd, data, size);
}

static void say(int op, int fd, int flags, uint64_t offset, const char *path, const char *path2, const void *data,
                uint64_t size) {
    if (log_fd < 0) return;
    struct record head = {MAGIC, op, fd, flags, offset, size, path ? strlen(path) : 0, path2 ? strlen(path2) : 0};
    size_t total = sizeof head + head.path + head.path2 + size, done = 0;
    char *block = malloc(total);
    if (!block) _exit(98);
    memcpy(block, &head, sizeof head);
    if (path) memcpy(block + sizeof head, path, head.path);
    if (path2) memcpy(block + sizeof head + head.path, path2, head.path2);
    if (size) memcpy(block + sizeof head + head.path + head.path2, data, size);
    int kept = errno;
    while (done < total) {
        ssize_t n = raw_write(log_fd, block + done, total - done);
        if (n < 0) {
            if (errno == EINTR) continue;
            _exit(98);
        }
        done += n;
    }
    errno = kept;
    free(block);
}

static int whole(int dir, const char *path, char *out) {
    char base[PATH_MAX] = "";
    if (path[0] != '/') {
        if (dir == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) return 0;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
            ssize_t n = readlink(link, base, sizeof base - 1);
            if (n < 0) return 0;
            base[n] = 0;
        }
        if (snprintf(out, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return 0;
    } else if (snprintf(out, PATH_MAX, "%s", path) >= PATH_MAX) {
        return 0;
    }
    size_t end = strlen(out);
    while (end > 1 && out[end - 1] == '/') out[--end] = 0;
    return 1;
}

static int below(int dir, const char *path, char *out) {
    return armed && path && whole(dir, path, out) && !strncmp(out, root, root_size)
           && (out[root_size] == '/' || !out[root_size]);
}

static int ours(int fd) { return armed && fd >= 0 && fd < FDS && tracked[fd]; }

/* Before a call that counts. 0: go on; 1: fail with errno; 2: do the half of it, and then what `after` does. */
static int fault(int op) {
    long now = ++count;
    if (full_while && (op == OPEN || op == WRITE || op == MKDIR) && !access(full_while, F_OK)) {
        errno = ENOSPC;
        return 1;
    }
    if (mode == NOTHING || now < at) return 0;
    if (now == at) {
        if (mode == KILL) kill(getpid(), SIGKILL);
        if (mode == KILL_HALFWAY) return 2;
        if (mode == SHORT_THEN_FAIL && op == WRITE) return 2;
    } else if (mode == FAIL_ONCE) {
        return 0;
    }
    /* A full disk lets go of what is there. */
    if (fault_errno == ENOSPC && (op == UNLINK || op == RMDIR)) return 0;
    say(FAILED, -1, op, count, 0, 0, 0, 0);
    errno = fault_errno;
    return 1;
}

static void after(int how) {
    if (how == 2 && mode == KILL_HALFWAY) kill(getpid(), SIGKILL);
}

#define LOCK pthread_mutex_lock(&turn)
#define UNLOCK do { int kept_ = errno; pthread_mutex_unlock(&turn); errno = kept_; } while (0)

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("DISK_FOLDER");
    full_while = getenv("DISK_FULL");
    if (!folder || !full_while) return;
    snprintf(root, sizeof root, "%s", folder);
    root_size = strlen(root);
    armed = 1;
}

/* --- what the driver calls ------------------------------------------------------------------------------------- */

/* From now on, below `folder`: log to `fd`; at the `n`-th call do what `how` says, with `error`. */
void disk_arm(const char *folder, int fd, int how, long n, int error) {
    snprintf(root, sizeof root, "%s", folder);
    root_size = strlen(root);
    memset(tracked, 0, sizeof tracked);
    log_fd = fd, mode = how, at = n, fault_errno = error, count = 0;
    armed = 1;
}

/* The disk works again; still recorded. */
void disk_mend(void) { mode = NOTHING; }
void disk_disarm(void) { armed = 0; }
/* fsync returns at once without being done: nobody pulls the plug of this machine. Recorded all the same. */
void disk_lazy(int on) { lazy = on; }
long disk_count(void) { return count; }

void disk_mark(const char *data, long size) {
    LOCK;
    if (armed) say(MARK, -1, 0, count, 0, 0, data, size);
    UNLOCK;
}

/* --- the calls --------------------------------------------------------------------------------------------------- */

static int opening(int dir, const char *path, int flags, mode_t rights) {
    REAL(openat);
    char full[PATH_MAX];
    if (!below(dir, path, full)) {
        int fd = real(dir, path, flags, rights);
        if (armed && fd >= 0 && fd < FDS) tracked[fd] = 0;
        return fd;
    }
    LOCK;
    struct stat status;
    int there = !lstat(full, &status);
    int creates = (flags & O_CREAT) && !there, empties = (flags & O_TRUNC) && there && status.st_size > 0;
    int how = creates || empties ? fault(OPEN) : 0, fd = -1;
    if (how != 1) {
        fd = real(dir, path, flags, rights);
        if (fd >= 0) {
            if (fd >= FDS || (flags & O_APPEND) || (flags & O_TMPFILE) == O_TMPFILE) _exit(99);
            tracked[fd] = 1;
            say(OPEN, fd, (creates ? 1 : 0) | (empties ? 2 : 0) | (flags & O_ACCMODE ? 4 : 0), 0, full, 0, 0, 0);
        }
        after(how);
    }
    UNLOCK;
    return fd;
}

#define RIGHTS \
    mode_t rights = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); rights = va_arg(rest, int); va_end(rest); }

int open(const char *path, int flags, ...) { RIGHTS return opening(AT_FDCWD, path, flags, rights); }
int open64(const char *path, int flags, ...) { RIGHTS return opening(AT_FDCWD, path, flags, rights); }
int openat(int dir, const char *path, int flags, ...) { RIGHTS return opening(dir, path, flags, rights); }
int openat64(int dir, const char *path, int flags, ...) { RIGHTS return opening(dir, path, flags, rights); }
int creat(const char *path, mode_t rights) { return opening(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, rights); }
int creat64(const char *path, mode_t rights) { return creat(path, rights); }

int close(int fd) {
    REAL(close);
    if (!ours(fd)) return real(fd);
    LOCK;
    tracked[fd] = 0;
    say(CLOSE, fd, 0, 0, 0, 0, 0, 0);
    int done = real(fd);
    UNLOCK;
    return done;
}

static ssize_t writing(int fd, const void *data, size_t size, off64_t offset, int positioned) {
    REAL(pwrite64);
    LOCK;
    off64_t start = positioned ? offset : lseek64(fd, 0, SEEK_CUR);
    int how = fault(WRITE);
    ssize_t done = -1;
    if (how != 1) {
        size_t part = how == 2 ? size / 2 : size;
        done = part ? real(fd, data, part, start) : 0;
        if (done > 0) {
            if (!positioned) lseek64(fd, start + done, SEEK_SET);
            say(WRITE, fd, 0, start, 0, 0, data, done);
        }
        after(how);
    }
    UNLOCK;
    return done;
}

ssize_t write(int fd, const void *data, size_t size) {
    return ours(fd) ? writing(fd, data, size, 0, 0) : raw_write(fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    REAL(pwrite);
    return ours(fd) ? writing(fd, data, size, offset, 1) : real(fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    REAL(pwrite64);
    return ours(fd) ? writing(fd, data, size, offset, 1) : real(fd, data, size, offset);
}

static int cutting(int fd, off64_t size) {
    REAL(ftruncate64);
    if (!ours(fd)) return real(fd, size);
    LOCK;
    int how = fault(TRUNCATE), done = -1;
    if (how != 1) {
        done = real(fd, size);
        if (!done) say(TRUNCATE, fd, 0, size, 0, 0, 0, 0);
        after(how);
    }
    UNLOCK;
    return done;
}
int ftruncate(int fd, off_t size) { return cutting(fd, size); }
int ftruncate64(int fd, off64_t size) { return cutting(fd, size); }

static int syncing(int fd, int (*real)(int)) {
    if (!ours(fd)) return lazy ? 0 : real(fd);
    LOCK;
    int how = fault(SYNC), done = -1;
    if (how == 1) {
        say(SYNC, fd, 1, 0, 0, 0, 0, 0); /* failed: what it was to write is given up, as Linux does */
    } else {
        done = lazy ? 0 : real(fd);
        if (!done) say(SYNC, fd, 0, 0, 0, 0, 0, 0);
        after(how);
    }
    UNLOCK;
    return done;
}
int fsync(int fd) { REAL(fsync); return syncing(fd, real); }
int fdatasync(int fd) { REAL(fdatasync); return syncing(fd, real); }

static int renaming(int dir, const char *old, int dir2, const char *new, unsigned flags) {
    REAL(renameat2);
    char from[PATH_MAX], to[PATH_MAX];
    int first = below(dir, old, from), second = below(dir2, new, to);
    if (!first && !second) return real(dir, old, dir2, new, flags);
    if (!first || !second || flags) _exit(99);
    LOCK;
    int how = fault(RENAME), done = -1;
    if (how != 1) {
        done = real(dir, old, dir2, new, flags);
        if (!done) say(RENAME, -1, 0, 0, from, to, 0, 0);
        after(how);
    }
    UNLOCK;
    return done;
}
int rename(const char *old, const char *new) { return renaming(AT_FDCWD, old, AT_FDCWD, new, 0); }
int renameat(int dir, const char *old, int dir2, const char *new) { return renaming(dir, old, dir2, new, 0); }
int renameat2(int dir, const char *old, int dir2, const char *new, unsigned flags) {
    return renaming(dir, old, dir2, new, flags);
}

static int removing(int dir, const char *path, int flags) {
    REAL(unlinkat);
    char full[PATH_MAX];
    if (!below(dir, path, full)) return real(dir, path, flags);
    LOCK;
    struct stat status;
    int op = flags & AT_REMOVEDIR ? RMDIR : UNLINK, how = 0, done = -1;
    if (!lstat(full, &status)) how = fault(op); /* removing what is not there changes nothing */
    if (how != 1) {
        done = real(dir, path, flags);
        if (!done) say(op, -1, 0, 0, full, 0, 0, 0);
        after(how);
    }
    UNLOCK;
    return done;
}
int unlink(const char *path) { return removing(AT_FDCWD, path, 0); }
int unlinkat(int dir, const char *path, int flags) { return removing(dir, path, flags); }
int rmdir(const char *path) { return removing(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    struct stat status;
    return removing(AT_FDCWD, path, !lstat(path, &status) && S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0);
}

int mkdirat(int dir, const char *path, mode_t rights) {
    REAL(mkdirat);
    char full[PATH_MAX];
    if (!below(dir, path, full)) return real(dir, path, rights);
    LOCK;
    struct stat status;
    int there = !lstat(full, &status), how = there ? 0 : fault(MKDIR), done = -1;
    if (how != 1) {
        done = real(dir, path, rights);
        if (!done) say(MKDIR, -1, 0, 0, full, 0, 0, 0);
        after(how);
    }
    UNLOCK;
    return done;
}
int mkdir(const char *path, mode_t rights) { return mkdirat(AT_FDCWD, path, rights); }

int linkat(int dir, const char *old, int dir2, const char *new, int flags) {
    REAL(linkat);
    char from[PATH_MAX], to[PATH_MAX];
    if (!below(dir2, new, to)) return real(dir, old, dir2, new, flags);
    if (!below(dir, old, from)) _exit(99);
    LOCK;
    int how = fault(LINK), done = -1;
    if (how != 1) {
        done = real(dir, old, dir2, new, flags);
        if (!done) say(LINK, -1, 0, 0, from, to, 0, 0);
        after(how);
    }
    UNLOCK;
    return done;
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

/* --- what would change files unseen ----------------------------------------------------------------------------- */

#define REFUSED(result, name, arguments, values, fd) \
    result name arguments { REAL(name); if (ours(fd)) _exit(99); return real values; }
REFUSED(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), fd)
REFUSED(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t o), (fd, v, n, o), fd)
REFUSED(ssize_t, pwritev2, (int fd, const struct iovec *v, int n, off_t o, int f), (fd, v, n, o, f), fd)
REFUSED(int, fallocate, (int fd, int m, off_t o, off_t n), (fd, m, o, n), fd)
REFUSED(int, fallocate64, (int fd, int m, off64_t o, off64_t n), (fd, m, o, n), fd)
REFUSED(int, posix_fallocate, (int fd, off_t o, off_t n), (fd, o, n), fd)
REFUSED(int, posix_fallocate64, (int fd, off64_t o, off64_t n), (fd, o, n), fd)
REFUSED(int, dup, (int fd), (fd), fd)
REFUSED(int, dup2, (int fd, int to), (fd, to), fd)
REFUSED(int, dup3, (int fd, int to, int f), (fd, to, f), fd)
REFUSED(ssize_t, sendfile64, (int to, int from, off64_t *o, size_t n), (to, from, o, n), to)
REFUSED(ssize_t, sendfile, (int to, int from, off_t *o, size_t n), (to, from, o, n), to)
ssize_t copy_file_range(int from, off64_t *o, int to, off64_t *p, size_t n, unsigned f) {
    REAL(copy_file_range);
    if (ours(to)) _exit(99);
    return real(from, o, to, p, n, f);
}
int truncate(const char *path, off_t size) {
    REAL(truncate);
    char full[PATH_MAX];
    if (below(AT_FDCWD, path, full)) _exit(99);
    return real(path, size);
}
int symlink(const char *old, const char *new) {
    REAL(symlink);
    char full[PATH_MAX];
    if (below(AT_FDCWD, new, full)) _exit(99);
    return real(old, new);
}
void *mmap64(void *where, size_t size, int protection, int flags, int fd, off64_t offset) {
    REAL(mmap64);
    if ((flags & MAP_TYPE) == MAP_SHARED && (protection & PROT_WRITE) && ours(fd)) _exit(99);
    return real(where, size, protection, flags, fd, offset);
}
