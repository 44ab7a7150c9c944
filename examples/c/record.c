/*
 * Records an event of the program's own, durably; hands every alert on only once it is recorded; verifies the whole.
 *
 *     record FOLDER [SECONDS]
 */
#include <bartizan.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int failed(const char *what, const btz_error *error) {
    fprintf(stderr, "%s: %s: %s\n", what, btz_status_name(error->code), error->message);
    return 1;
}

int main(int argc, char **argv) {
    static const char event[] = "watching begins", origin[] = "bartizan/example";
    btz_ledger_options options = BTZ_LEDGER_OPTIONS_INIT;
    btz_ledger_report report = BTZ_LEDGER_REPORT_INIT;
    btz_error error = BTZ_ERROR_INIT;
    btz_ledger *ledger = NULL;
    btz_agent *agent = NULL;
    char key[512];
    size_t needed, count, at;
    uint64_t sequence;
    time_t end = time(NULL) + (argc > 2 ? atoi(argv[2]) : 60);
    if (argc < 2) {
        fprintf(stderr, "usage: record FOLDER [SECONDS]\n");
        return 64;
    }
    options.origin = origin;
    options.origin_length = strlen(origin);
    if (btz_ledger_open(BTZ_ABI_VERSION, argv[1], strlen(argv[1]), &options, &ledger, &error) != BTZ_OK) {
        return failed("the ledger", &error);
    }
    if (btz_ledger_key(ledger, key, sizeof key, &needed) != BTZ_OK ||
        btz_ledger_append(ledger, BTZ_RECORD_HOST, NULL, 0, (const uint8_t *)event, strlen(event), &sequence, &error) ||
        btz_ledger_wait(ledger, sequence, 5000, &error) || btz_agent_new(BTZ_ABI_VERSION, NULL, &agent, &error) ||
        btz_agent_record(agent, ledger, 250, &error) || btz_agent_start(agent, &error)) {
        return failed("recording", &error);
    }
    while (time(NULL) < end) {
        struct pollfd ready = { btz_agent_alert_fd(agent), POLLIN, 0 };
        btz_alert alerts[8];
        poll(&ready, 1, 500);
        count = 0;
        btz_agent_alerts(agent, alerts, sizeof alerts[0], 8, &count);
        for (at = 0; at < count; at++) {
            printf("%s: %s\n", alerts[at].rule, alerts[at].message);
        }
    }
    btz_agent_free(agent);
    if (btz_ledger_close(ledger, 5000, &error) != BTZ_OK) {
        return failed("the end", &error);
    }
    btz_ledger_free(ledger);
    if (btz_ledger_verify(BTZ_ABI_VERSION, argv[1], strlen(argv[1]), key, strlen(key), NULL, 0, NULL, 0, &report,
                          &error) != BTZ_OK) {
        return failed("verifying", &error);
    }
    printf("verified with outcome %u: records %llu to %llu %s\n", report.outcome, (unsigned long long)report.first,
           (unsigned long long)report.next - 1, report.what);
    return (int)report.outcome;
}
