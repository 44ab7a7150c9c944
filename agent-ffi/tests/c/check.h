/* What every test program here shares: checks that name their place, and counts of what the process holds. */
#ifndef CHECK_H
#define CHECK_H

#include <bartizan.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                          \
    do {                                                                          \
        if (!(condition)) {                                                       \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                              \
        }                                                                         \
    } while (0)

/* The call must return exactly this status. */
#define STATUS(expected, call)                                                    \
    do {                                                                          \
        btz_status got_ = (call);                                                 \
        if (got_ != (expected)) {                                                 \
            fprintf(stderr, "%s:%d: %s: got %s, expected %s\n", __FILE__, __LINE__, #call, \
                    btz_status_name(got_), btz_status_name(expected));            \
            exit(1);                                                              \
        }                                                                         \
    } while (0)

/* A small agent: what it reserves is a few MiB, so that a hundred can be made under valgrind. */
static btz_config *small_config(uint32_t interval_ms) {
    btz_config *config = NULL;
    btz_options options = BTZ_OPTIONS_INIT;
    btz_error error = BTZ_ERROR_INIT;
    options.vms = 16;
    options.vcpus = 64;
    options.vm_nics = 16;
    options.vm_disks = 16;
    options.alerts = 256;
    options.history_ticks = 16;
    options.interval_ms = interval_ms;
    STATUS(BTZ_OK, btz_config_new(BTZ_ABI_VERSION, &config, &error));
    STATUS(BTZ_OK, btz_config_apply(config, &options, &error));
    return config;
}

static btz_agent *small_agent(uint32_t interval_ms) {
    btz_config *config = small_config(interval_ms);
    btz_agent *agent = NULL;
    btz_error error = BTZ_ERROR_INIT;
    STATUS(BTZ_OK, btz_agent_new(BTZ_ABI_VERSION, config, &agent, &error));
    STATUS(BTZ_OK, btz_config_free(config));
    return agent;
}

/* Entries of a folder such as /proc/self/fd or /proc/self/task. */
static int count_entries(const char *path) {
    int count = 0;
    struct dirent *entry;
    DIR *folder = opendir(path);
    CHECK(folder != NULL);
    while ((entry = readdir(folder)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    closedir(folder);
    return count;
}

/* A program does not use all of these. */
static inline void check_h_uses(void) {
    (void)small_agent;
    (void)count_entries;
    (void)check_h_uses;
}

#endif
