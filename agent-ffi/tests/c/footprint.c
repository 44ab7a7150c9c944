/* What the library costs a host in memory: resident bytes before it is loaded, and after some ticks with the defaults.
 *
 *     footprint LIBRARY      prints both, and the cost of reading a value */
#include <bartizan.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long resident_kib(const char *which) {
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, which, strlen(which)) == 0) {
            kib = strtol(line + strlen(which), NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ISO C has no conversion from an object's pointer to a function's; POSIX promises that this works. */
#define LOAD(name)                                            \
    do {                                                      \
        void *symbol_ = dlsym(library, #name);                \
        if (symbol_ == NULL) {                                \
            fprintf(stderr, "%s is missing\n", #name);        \
            return 1;                                         \
        }                                                     \
        memcpy(&name##_call, &symbol_, sizeof symbol_);       \
    } while (0)

int main(int argc, char **argv) {
    btz_status (*btz_agent_new_call)(uint32_t, const btz_config *, btz_agent **, btz_error *);
    btz_status (*btz_agent_step_call)(btz_agent *, btz_error *);
    btz_status (*btz_agent_maintain_call)(btz_agent *, btz_error *);
    btz_status (*btz_agent_read_many_call)(const btz_agent *, const btz_query *, size_t, btz_value *, size_t);
    btz_status (*btz_agent_read_call)(const btz_agent *, btz_entity, uint32_t, btz_value *);
    btz_agent *agent = NULL;
    btz_query queries[64];
    btz_value values[64], value = BTZ_VALUE_INIT;
    long before = resident_kib("VmRSS:"), after;
    int at;
    double begin, one, many;
    void *library = dlopen(argc > 1 ? argv[1] : "libbartizan.so.0", RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    LOAD(btz_agent_new);
    LOAD(btz_agent_step);
    LOAD(btz_agent_maintain);
    LOAD(btz_agent_read_many);
    LOAD(btz_agent_read);
    if (btz_agent_new_call(BTZ_ABI_VERSION, NULL, &agent, NULL) != BTZ_OK) {
        return 1;
    }
    for (at = 0; at < 130; at++) {
        if (btz_agent_maintain_call(agent, NULL) != BTZ_OK || btz_agent_step_call(agent, NULL) != BTZ_OK) {
            return 1;
        }
    }
    after = resident_kib("VmRSS:");
    begin = now_ns();
    for (at = 0; at < 100000; at++) {
        btz_agent_read_call(agent, BTZ_ENTITY_HOST, BTZ_METRIC_HOST_MEMORY_TOTAL, &value);
    }
    one = (now_ns() - begin) / 100000;
    memset(queries, 0, sizeof queries);
    for (at = 0; at < 64; at++) {
        queries[at].entity = BTZ_ENTITY_HOST;
        queries[at].metric = BTZ_METRIC_HOST_CPU_USER + (uint32_t)at;
    }
    begin = now_ns();
    for (at = 0; at < 10000; at++) {
        btz_agent_read_many_call(agent, queries, 64, values, sizeof values[0]);
    }
    many = (now_ns() - begin) / 10000 / 64;
    printf("resident KiB: %ld before, %ld after (%ld anonymous, %ld of files); one read %.0f ns, in a batch %.1f ns\n",
           before, after, resident_kib("RssAnon:"), resident_kib("RssFile:"), one, many);
    return 0;
}
