/*
 * An agent embedded into a program that has an event loop of its own: no thread is started, the loop drives everything.
 *
 *     watch [--ticks N] [CONFIG.toml]
 *
 * One poll() waits for five things: alerts, what the checks find, work that may block (a bigger host would do that, and
 * the checks, on a worker thread), the next tick's deadline, and, as in any real host, signals.
 */
#include <bartizan.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* So long the checks work after each tick: the first full run is spread over several ticks. */
#define CHECK_SLICE_NS 5000000u

static int failed(const char *what, btz_status status, const btz_error *error) {
    fprintf(stderr, "%s: %s: %s\n", what, btz_status_name(status), error->message);
    return 1;
}

static btz_agent *open_agent(const char *path) {
    btz_error error = BTZ_ERROR_INIT;
    btz_config *config = NULL;
    btz_agent *agent = NULL;
    btz_status status = path == NULL
                            ? btz_config_new(BTZ_ABI_VERSION, &config, &error)
                            : btz_config_from_file(BTZ_ABI_VERSION, path, strlen(path), &config, &error);
    if (status == BTZ_OK) {
        uint64_t bytes = 0;
        btz_config_memory(config, &bytes);
        fprintf(stderr, "setting aside at most %.1f MiB\n", (double)bytes / (1024 * 1024));
        status = btz_agent_new(BTZ_ABI_VERSION, config, &agent, &error);
    }
    if (status != BTZ_OK) {
        failed("cannot watch", status, &error);
    }
    btz_config_free(config); /* the agent has a copy */
    return agent;
}

/* Takes what waits; the buffer is small on purpose, what does not fit comes next time. */
static void print_alerts(btz_agent *agent) {
    btz_alert alerts[8];
    size_t count = 0, at;
    if (btz_agent_alerts(agent, alerts, sizeof alerts[0], 8, &count) != BTZ_OK) {
        return;
    }
    for (at = 0; at < count; at++) {
        printf("%s %s %s: %s\n", alerts[at].state == BTZ_ALERT_FIRING ? "ALERT" : "over",
               btz_severity_name(alerts[at].severity), alerts[at].rule, alerts[at].message);
    }
}

/* What the checks of isolation and configuration say anew: what has to be acted on, and whatever changes about it. */
static void print_changes(btz_agent *agent) {
    btz_finding changes[8];
    size_t count = 0, at;
    if (btz_agent_check_changes(agent, changes, sizeof changes[0], 8, &count) != BTZ_OK) {
        return;
    }
    for (at = 0; at < count; at++) {
        printf("CHECK %s %s %s (%s): %s\n", btz_verdict_name(changes[at].verdict), changes[at].rule,
               changes[at].pid == 0 ? "host" : changes[at].subject, btz_change_name(changes[at].change),
               changes[at].reason);
    }
}

/* A value, or why there is none: what cannot be read is never 0. */
static void print_value(const char *label, const btz_value *value, double divisor) {
    if (value->availability == BTZ_AVAILABILITY_OK) {
        printf("  %s %.1f", label, value->scaled / divisor);
    } else {
        printf("  %s %s", label, btz_availability_name(value->availability));
    }
}

static void print_tick(const btz_agent *agent) {
    static btz_vm vms[16]; /* a host that wants all asks for their number first */
    btz_value values[2];
    btz_query queries[2] = { { BTZ_ENTITY_HOST, BTZ_METRIC_HOST_MEMORY_AVAILABLE, 0 },
                             { BTZ_ENTITY_HOST, BTZ_METRIC_HOST_LOAD_1M, 0 } };
    size_t total = 0, at;
    if (btz_agent_read_many(agent, queries, 2, values, sizeof values[0]) != BTZ_OK ||
        btz_agent_vms(agent, vms, sizeof vms[0], 16, &total) != BTZ_OK) {
        return;
    }
    printf("host");
    print_value("available MiB", &values[0], 1024 * 1024);
    print_value("load", &values[1], 1);
    printf("  VMs %zu\n", total);
    for (at = 0; at < total && at < 16; at++) {
        queries[0].entity = queries[1].entity = vms[at].entity;
        queries[0].metric = BTZ_METRIC_VM_CPU_USER;
        queries[1].metric = BTZ_METRIC_VM_MEMORY_RESIDENT;
        if (btz_agent_read_many(agent, queries, 2, values, sizeof values[0]) == BTZ_OK) {
            printf("  %s (%s, pid %d)", vms[at].name, btz_vmm_name(vms[at].vmm), (int)vms[at].pid);
            print_value("CPU s", &values[0], 1);
            print_value("resident MiB", &values[1], 1024 * 1024);
            printf("\n");
        }
    }
    fflush(stdout);
}

/* Milliseconds until the deadline, rounded up: 0 when it has passed. */
static int until(uint64_t deadline_ns) {
    struct timespec now;
    uint64_t now_ns;
    clock_gettime(CLOCK_MONOTONIC, &now);
    now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return deadline_ns <= now_ns ? 0 : (int)((deadline_ns - now_ns + 999999u) / 1000000u);
}

static int loop(btz_agent *agent, int signals, long ticks_left) {
    btz_error error = BTZ_ERROR_INIT;
    btz_status status = btz_agent_maintain(agent, &error); /* finds what there is, before the first tick */
    struct pollfd fds[4];
    fds[0].fd = btz_agent_alert_fd(agent);
    fds[1].fd = btz_agent_maintenance_fd(agent);
    fds[2].fd = signals;
    fds[3].fd = btz_agent_check_fd(agent);
    fds[0].events = fds[1].events = fds[2].events = fds[3].events = POLLIN;
    while (status == BTZ_OK) {
        uint64_t deadline_ns = 0;
        int wait_ms;
        btz_agent_deadline(agent, &deadline_ns);
        wait_ms = until(deadline_ns);
        poll(fds, 4, wait_ms);
        if (fds[2].revents != 0) {
            return 0;
        }
        if (fds[0].revents != 0) {
            print_alerts(agent);
        }
        if (fds[3].revents != 0) {
            print_changes(agent);
        }
        if (fds[1].revents != 0) {
            status = btz_agent_maintain(agent, &error);
        }
        if (status == BTZ_OK && until(deadline_ns) == 0) {
            status = btz_agent_step(agent, &error);
            print_tick(agent);
            if (status == BTZ_OK) {
                status = btz_agent_check(agent, CHECK_SLICE_NS, NULL, &error);
            }
            if (ticks_left > 0 && --ticks_left == 0) {
                return 0;
            }
        }
    }
    return failed("watching ended", status, &error);
}

int main(int argc, char **argv) {
    const char *path = NULL;
    long ticks = 0;
    int at, result;
    sigset_t ends;
    btz_agent *agent;
    for (at = 1; at < argc; at++) {
        if (strcmp(argv[at], "--ticks") == 0 && at + 1 < argc) {
            ticks = strtol(argv[++at], NULL, 10);
        } else if (argv[at][0] != '-' && path == NULL) {
            path = argv[at];
        } else {
            fprintf(stderr, "usage: %s [--ticks N] [CONFIG.toml]\n", argv[0]);
            return 2;
        }
    }
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    agent = open_agent(path);
    if (agent == NULL) {
        return 1;
    }
    result = loop(agent, signalfd(-1, &ends, SFD_CLOEXEC), ticks);
    btz_agent_free(agent);
    return result;
}
