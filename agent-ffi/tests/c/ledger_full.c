/* A disk that somebody else fills: the state tells, what is refused is counted, nothing that was queued is lost, and all
 * becomes durable once there is room. The argument is a small file system. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

static btz_ledger_status state_of(btz_ledger *ledger) {
    btz_ledger_status state = BTZ_LEDGER_STATUS_INIT;
    STATUS(BTZ_OK, btz_ledger_state(ledger, &state));
    return state;
}

int main(int argc, char **argv) {
    char path[512], ballast[512];
    static char block[4096];
    static uint8_t payload[1000];
    btz_ledger *ledger = NULL;
    btz_ledger_options options = BTZ_LEDGER_OPTIONS_INIT;
    btz_ledger_status state;
    btz_error error = BTZ_ERROR_INIT;
    struct pollfd ready;
    uint64_t sequence = 0, queued = 0, refused = 0;
    int file, round;
    btz_status status;
    CHECK(argc == 2);
    snprintf(path, sizeof path, "%s/ledger", argv[1]);
    snprintf(ballast, sizeof ballast, "%s/ballast", argv[1]);
    options.origin = "bartizan/full";
    options.origin_length = 13;
    options.reserve_bytes = 16384;
    options.queue_bytes = 65536;
    STATUS(BTZ_OK, btz_ledger_open(BTZ_ABI_VERSION, path, strlen(path), &options, &ledger, &error));
    ready.fd = btz_ledger_fd(ledger);
    ready.events = POLLIN;
    file = open(ballast, O_CREAT | O_WRONLY, 0600);
    CHECK(file >= 0);
    while (write(file, block, sizeof block) > 0) {
    }
    close(file);
    /* More than what is left of the segment and the reserve. */
    for (round = 0; round < 1000 && state_of(ledger).disk == BTZ_DISK_GOOD; round++) {
        status = btz_ledger_append(ledger, BTZ_RECORD_HOST, NULL, 0, payload, sizeof payload, &sequence, NULL);
        CHECK(status == BTZ_OK || status == BTZ_ERR_FULL);
        poll(&ready, 1, 1);
    }
    CHECK(state_of(ledger).disk == BTZ_DISK_FULL);
    do {
        status = btz_ledger_append(ledger, BTZ_RECORD_HOST, NULL, 0, payload, sizeof payload, &sequence, NULL);
        queued += status == BTZ_OK;
    } while (status == BTZ_OK && queued < 10000);
    STATUS(BTZ_ERR_FULL, status);
    state = state_of(ledger);
    refused = state.refused;
    CHECK(state.disk_error != 0 && refused >= 1 && state.queued_bytes > 0 && state.failures > 0);
    status = btz_ledger_wait(ledger, sequence, 100, &error);
    CHECK(status == BTZ_ERR_DISK || status == BTZ_ERR_TIMEOUT);
    CHECK(unlink(ballast) == 0);
    /* By itself, and the descriptor tells. */
    /* With the records of the change and of the loss, which come behind it. */
    while ((state = state_of(ledger)).disk != BTZ_DISK_GOOD || state.durable <= sequence || state.queued_bytes > 0) {
        CHECK(poll(&ready, 1, 30000) == 1);
    }
    CHECK(state.refused == refused && state.disk_error == 0);
    STATUS(BTZ_OK, btz_ledger_close(ledger, 10000, &error));
    STATUS(BTZ_OK, btz_ledger_free(ledger));
    printf("ok: %llu queued, %llu refused\n", (unsigned long long)queued, (unsigned long long)refused);
    return 0;
}
