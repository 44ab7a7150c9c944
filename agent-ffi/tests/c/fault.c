/* Watches as a host agent would, and ends when the alert that is named on the command line has come.
 *
 *     fault RULE SUBJECT
 *
 * Prints "watching" once the VM of that name is known, then the alert; exit status 2 after 60 s without one. */
#include "check.h"

#include <poll.h>
#include <time.h>

static int knows(btz_agent *agent, const char *name) {
    size_t total = 0, room, at;
    int found = 0;
    btz_vm *vms;
    STATUS(BTZ_OK, btz_agent_vms(agent, NULL, sizeof *vms, 0, &total));
    room = total + 1;
    vms = calloc(room, sizeof *vms);
    CHECK(vms != NULL);
    STATUS(BTZ_OK, btz_agent_vms(agent, vms, sizeof *vms, room, &total));
    for (at = 0; at < total && at < room; at++) {
        found = found || strcmp(vms[at].name, name) == 0;
    }
    free(vms);
    return found;
}

int main(int argc, char **argv) {
    static const char toml[] =
        "[sampling]\ninterval_ms = 100\n[limits]\nvms = 4096\nvcpus = 32768\n"
        "[[rules]]\nname = \"test-vcpu-busy\"\nsummary = \"vCPU busy\"\nmetric = \"vcpu_run_seconds\"\nabove = 0.05\n"
        "for_s = 0.3\nseverity = \"critical\"\n";
    btz_config *config = NULL;
    btz_agent *agent = NULL;
    btz_error error = BTZ_ERROR_INIT;
    btz_accounting a = BTZ_ACCOUNTING_INIT;
    time_t deadline = time(NULL) + 60;
    btz_status status;
    int watching = 0;

    CHECK(argc == 3);
    if (btz_config_from_toml(BTZ_ABI_VERSION, toml, strlen(toml), &config, &error) != BTZ_OK ||
        btz_agent_new(BTZ_ABI_VERSION, config, &agent, &error) != BTZ_OK || btz_agent_start(agent, &error) != BTZ_OK) {
        fprintf(stderr, "%s: %s\n", btz_status_name(error.code), error.message);
        return 1;
    }
    STATUS(BTZ_OK, btz_config_free(config));
    while (time(NULL) < deadline) {
        struct pollfd polled;
        btz_alert alerts[16];
        size_t count = 0, at;
        polled.fd = btz_agent_alert_fd(agent);
        polled.events = POLLIN;
        if (!watching && knows(agent, argv[2])) {
            printf("watching\n");
            fflush(stdout);
            watching = 1;
        }
        poll(&polled, 1, 100);
        STATUS(BTZ_OK, btz_agent_alerts(agent, alerts, sizeof alerts[0], 16, &count));
        for (at = 0; at < count; at++) {
            if (strcmp(alerts[at].rule, argv[1]) != 0 || strcmp(alerts[at].subject, argv[2]) != 0 ||
                alerts[at].state != BTZ_ALERT_FIRING) {
                continue;
            }
            printf("%s %s %s: %s\n", btz_severity_name(alerts[at].severity), alerts[at].rule, alerts[at].subject,
                   alerts[at].message);
            STATUS(BTZ_OK, btz_agent_accounting(agent, &a));
            CHECK(a.produced == a.delivered + a.suppressed + a.dropped + a.in_flight);
            /* On a machine that is busy with other things the threads may need longer than one free waits. */
            while ((status = btz_agent_free(agent)) == BTZ_ERR_TIMEOUT && time(NULL) < deadline + 60) {
            }
            STATUS(BTZ_OK, status);
            return 0;
        }
    }
    fprintf(stderr, "no such alert within 60 s\n");
    return 2;
}
