// What the Postgres client needs from C: libpq, and the Linux calls that Swift's Glibc module leaves out.
#include <libpq-fe.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

// Declared only under _GNU_SOURCE, which the importer does not define.
extern int pthread_setname_np(pthread_t thread, const char *name);

// Macros of character literals are not imported.
enum {
    DIAGNOSTIC_SQLSTATE = PG_DIAG_SQLSTATE,
    DIAGNOSTIC_MESSAGE_PRIMARY = PG_DIAG_MESSAGE_PRIMARY,
    DIAGNOSTIC_TABLE_NAME = PG_DIAG_TABLE_NAME,
    DIAGNOSTIC_CONSTRAINT_NAME = PG_DIAG_CONSTRAINT_NAME,
};
