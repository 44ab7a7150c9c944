/* A ledger of the host's own: recorded, polled for, read back, proven, verified; tampered with; refused what makes no
 * sense; opened and closed over and over. The argument is an empty folder. */
#include "check.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[512];

#define TEXT(text) (text), strlen(text)

static btz_ledger *opened(const char *path, const char *origin, uint32_t driven) {
    btz_ledger *ledger = NULL;
    btz_ledger_options options = BTZ_LEDGER_OPTIONS_INIT;
    btz_error error = BTZ_ERROR_INIT;
    options.origin = origin;
    options.origin_length = strlen(origin);
    options.driven = driven;
    options.reserve_bytes = 4096;
    btz_status status = btz_ledger_open(BTZ_ABI_VERSION, TEXT(path), &options, &ledger, &error);
    if (status != BTZ_OK) {
        fprintf(stderr, "%s: %s\n", path, error.message);
    }
    STATUS(BTZ_OK, status);
    return ledger;
}

static const char *below(const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static uint64_t append(btz_ledger *ledger, const char *tenant, const char *payload) {
    uint64_t sequence = 0;
    STATUS(BTZ_OK, btz_ledger_append(ledger, BTZ_RECORD_HOST + 7, tenant, tenant ? strlen(tenant) : 0,
                                     (const uint8_t *)payload, strlen(payload), &sequence, NULL));
    return sequence;
}

static btz_ledger_report verified(const char *path, const char *key, const char *tenant, const char *kept) {
    btz_ledger_report report = BTZ_LEDGER_REPORT_INIT;
    btz_error error = BTZ_ERROR_INIT;
    btz_status status = btz_ledger_verify(BTZ_ABI_VERSION, TEXT(path), key, key ? strlen(key) : 0, tenant,
                                          tenant ? strlen(tenant) : 0, kept, kept ? strlen(kept) : 0, &report, &error);
    if (status != BTZ_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    STATUS(BTZ_OK, status);
    return report;
}

static char *text_of(btz_status (*call)(const btz_ledger *, char *, size_t, size_t *), const btz_ledger *ledger) {
    size_t needed = 0;
    char *text;
    STATUS(BTZ_OK, call(ledger, NULL, 0, &needed));
    text = malloc(needed);
    CHECK(text != NULL && needed > 1);
    STATUS(BTZ_ERR_BUFFER, call(ledger, text, needed - 1, &needed));
    STATUS(BTZ_OK, call(ledger, text, needed, &needed));
    CHECK(strlen(text) == needed - 1);
    return text;
}

/* Records, waits by poll, reads back, proves, ends in order, verifies. */
static void a_life(void) {
    const char *path = below("life");
    char *place = strdup(path), *key, *checkpoint, *proof;
    btz_ledger *ledger = opened(place, "bartizan/c-host", 0);
    btz_ledger_status state = BTZ_LEDGER_STATUS_INIT;
    btz_ledger_cursor *cursor = NULL;
    btz_record records[3];
    btz_ledger_report report;
    uint8_t payloads[64];
    uint64_t first, last;
    size_t count, needed, seen = 0;
    struct pollfd ready;

    STATUS(BTZ_OK, btz_ledger_state(ledger, &state));
    CHECK(state.run == 1 && state.last_run == BTZ_LAST_RUN_NONE && state.disk == BTZ_DISK_GOOD);
    CHECK(state.durable == 1 && state.next == 1 && state.closed == 0);
    first = append(ledger, NULL, "door opened");
    last = append(ledger, "acme", "console attached");
    CHECK(first == 1 && last == 3);
    ready.fd = btz_ledger_fd(ledger);
    ready.events = POLLIN;
    CHECK(ready.fd >= 0);
    while (state.durable <= last) {
        CHECK(poll(&ready, 1, 10000) == 1);
        STATUS(BTZ_OK, btz_ledger_state(ledger, &state));
    }
    CHECK(state.appended == 4 && state.refused == 0 && state.queued_bytes == 0 && state.bytes > 0);
    STATUS(BTZ_OK, btz_ledger_wait(ledger, last, 0, NULL));
    STATUS(BTZ_ERR_ARGUMENT, btz_ledger_wait(ledger, 4000, 10, NULL));

    /* Nothing is signed yet, or it was a moment ago; then it is, and the descriptor tells. */
    STATUS(BTZ_OK, btz_ledger_sign(ledger, NULL));
    CHECK(poll(&ready, 1, 10000) == 1);
    STATUS(BTZ_OK, btz_ledger_state(ledger, &state));
    CHECK(state.checkpoints >= 1 && state.covered > last && state.checkpoint_wall_ns > 0 && state.tree_size >= 3);
    key = text_of(btz_ledger_key, ledger);
    CHECK(strncmp(key, "bartizan/c-host+", 16) == 0);
    STATUS(BTZ_OK, btz_ledger_checkpoint(ledger, NULL, 0, NULL, 0, &needed, NULL));
    checkpoint = malloc(needed + 64);
    STATUS(BTZ_OK, btz_ledger_checkpoint(ledger, NULL, 0, checkpoint, needed + 64, &needed, NULL));
    CHECK(strncmp(checkpoint, "bartizan/c-host\n", 16) == 0);
    proof = malloc(8192);
    STATUS(BTZ_OK, btz_ledger_checkpoint(ledger, TEXT("acme"), proof, 8192, &needed, NULL));
    CHECK(strncmp(proof, "bartizan/c-host/tenant/", 23) == 0);
    STATUS(BTZ_ERR_NOT_FOUND, btz_ledger_checkpoint(ledger, TEXT("nobody"), proof, 8192, &needed, NULL));
    STATUS(BTZ_OK, btz_ledger_prove(ledger, last, proof, 8192, &needed, NULL));
    CHECK(strncmp(proof, "c2sp.org/tlog-proof@v1\nindex 1\n", 31) == 0);
    STATUS(BTZ_ERR_NOT_FOUND, btz_ledger_prove(ledger, 4000, proof, 8192, &needed, NULL));
    STATUS(BTZ_ERR_ARGUMENT, btz_ledger_cosigned(ledger, checkpoint, strlen(checkpoint), NULL));
    STATUS(BTZ_OK, btz_ledger_rotate_key(ledger, NULL));
    free(proof);
    proof = text_of(btz_ledger_key, ledger);
    CHECK(strcmp(key, proof) != 0);
    free(proof);

    /* Read back while it is open, in batches that the buffers bound. */
    STATUS(BTZ_OK, btz_ledger_cursor_new(BTZ_ABI_VERSION, TEXT(place), first, &cursor, NULL));
    STATUS(BTZ_ERR_BUFFER,
           btz_ledger_cursor_next(cursor, records, sizeof records[0], 3, payloads, 3, &count, &needed, NULL));
    CHECK(count == 0 && needed == 11);
    STATUS(BTZ_OK, btz_ledger_cursor_next(cursor, records, sizeof records[0], 3, payloads, 12, &count, &needed, NULL));
    CHECK(count == 1 && records[0].kind == BTZ_RECORD_HOST + 7 && records[0].sequence == first && records[0].run == 1);
    CHECK(records[0].payload_length == 11 && memcmp(payloads, "door opened", 11) == 0 && records[0].tenant[0] == 0);
    do {
        size_t at;
        uint8_t *large = malloc(BTZ_PAYLOAD_BYTES_MAX);
        STATUS(BTZ_OK, btz_ledger_cursor_next(cursor, records, sizeof records[0], 3, large, BTZ_PAYLOAD_BYTES_MAX,
                                              &count, NULL, NULL));
        for (at = 0; at < count; at++) {
            if (records[at].sequence == last) {
                CHECK(strcmp(records[at].tenant, "acme") == 0 && records[at].payload_length == 16);
                CHECK(memcmp(large + records[at].payload_offset, "console attached", 16) == 0);
                seen++;
            }
        }
        free(large);
    } while (count > 0);
    CHECK(seen == 1);
    STATUS(BTZ_OK, btz_ledger_cursor_free(cursor));

    report = verified(place, key, NULL, NULL);
    CHECK(report.outcome == BTZ_VERIFIED_PROVEN || report.unsigned_records > 0);
    STATUS(BTZ_OK, btz_ledger_close(ledger, 10000, NULL));
    STATUS(BTZ_OK, btz_ledger_close(ledger, 10000, NULL));
    STATUS(BTZ_ERR_STATE, btz_ledger_append(ledger, BTZ_RECORD_HOST, NULL, 0, NULL, 0, NULL, NULL));
    STATUS(BTZ_ERR_STATE, btz_ledger_sign(ledger, NULL));
    STATUS(BTZ_OK, btz_ledger_state(ledger, &state));
    CHECK(state.closed == 1 && state.durable == state.next);
    STATUS(BTZ_OK, btz_ledger_free(ledger));

    /* The first key is the one that is trusted: the hand-over is followed. A checkpoint kept elsewhere is met. */
    report = verified(place, key, "acme", checkpoint);
    CHECK(report.outcome == BTZ_VERIFIED_PROVEN && report.what[0] == 0 && report.leaves == 2 && report.signed_leaves == 2);
    CHECK(report.logs == 2 && report.first == 0 && report.next == state.next && report.bad_sequence == UINT64_MAX);
    CHECK(strcmp(report.origin, "bartizan/c-host") == 0);
    report = verified(place, NULL, NULL, NULL);
    CHECK(report.outcome == BTZ_VERIFIED_UNPROVEN && strstr(report.what, "no key was given") != NULL);
    free(key);
    free(checkpoint);
    free(place);
}

/* One byte of a payload changed: named, by record and place; the ledger does not open. */
static void tampered_with(void) {
    char *place = strdup(below("life")), path[1200];
    btz_ledger_report report;
    btz_ledger_options options = BTZ_LEDGER_OPTIONS_INIT;
    btz_ledger_cursor *cursor = NULL;
    btz_record record;
    btz_ledger *ledger = NULL;
    btz_error error = BTZ_ERROR_INIT;
    static uint8_t bytes[1 << 20];
    size_t length, at, count;
    FILE *file;
    snprintf(path, sizeof path, "%s/segments/0000000000000000.btzl", place);
    file = fopen(path, "rb");
    CHECK(file != NULL);
    length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (at = 0; at + 4 < length && memcmp(bytes + at, "door", 4) != 0; at++) {
    }
    CHECK(at + 4 < length);
    bytes[at] ^= 1;
    file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(bytes, 1, length, file) == length);
    fclose(file);
    report = verified(place, NULL, NULL, NULL);
    CHECK(report.outcome == BTZ_VERIFIED_CHANGED && report.bad_sequence == 1 && report.bad_offset == at - 48);
    CHECK(strcmp(report.bad_path, "segments/0000000000000000.btzl") == 0 && report.what[0] != 0);
    options.origin = "bartizan/c-host";
    options.origin_length = 15;
    STATUS(BTZ_ERR_DAMAGED, btz_ledger_open(BTZ_ABI_VERSION, TEXT(place), &options, &ledger, &error));
    CHECK(ledger == NULL && strstr(error.message, "0000000000000000.btzl") != NULL);
    STATUS(BTZ_OK, btz_ledger_cursor_new(BTZ_ABI_VERSION, TEXT(place), 0, &cursor, NULL));
    STATUS(BTZ_OK, btz_ledger_cursor_next(cursor, &record, sizeof record, 1, bytes, sizeof bytes, &count, NULL, NULL));
    CHECK(count == 1 && record.kind == BTZ_RECORD_START);
    STATUS(BTZ_ERR_DAMAGED,
           btz_ledger_cursor_next(cursor, &record, sizeof record, 1, bytes, sizeof bytes, &count, NULL, &error));
    CHECK(count == 0 && error.code == BTZ_ERR_DAMAGED);
    STATUS(BTZ_OK, btz_ledger_cursor_free(cursor));
    free(place);
}

static void refused(void) {
    char *place = strdup(below("refused"));
    btz_ledger *ledger = NULL, *again = NULL;
    btz_ledger_options options = BTZ_LEDGER_OPTIONS_INIT;
    btz_ledger_status state = BTZ_LEDGER_STATUS_INIT;
    btz_ledger_report report = BTZ_LEDGER_REPORT_INIT;
    btz_ledger_cursor *cursor = NULL;
    btz_record record;
    btz_error error = BTZ_ERROR_INIT;
    size_t count = 7, needed;
    char text[8];
    static uint8_t long_payload[BTZ_PAYLOAD_BYTES_MAX + 1];

    STATUS(BTZ_ERR_NULL, btz_ledger_open(BTZ_ABI_VERSION, NULL, 0, &options, &ledger, &error));
    STATUS(BTZ_ERR_NULL, btz_ledger_open(BTZ_ABI_VERSION, TEXT(place), NULL, &ledger, &error));
    STATUS(BTZ_ERR_NULL, btz_ledger_open(BTZ_ABI_VERSION, TEXT(place), &options, &ledger, &error));
    CHECK(strstr(error.message, "origin") != NULL);
    options.origin = "two words";
    options.origin_length = 9;
    STATUS(BTZ_ERR_ARGUMENT, btz_ledger_open(BTZ_ABI_VERSION, TEXT(place), &options, &ledger, &error));
    options.origin = "bartizan/refused";
    options.origin_length = 16;
    STATUS(BTZ_ERR_NULL, btz_ledger_open(BTZ_ABI_VERSION, TEXT(place), &options, NULL, &error));
    STATUS(BTZ_ERR_ABI, btz_ledger_open(BTZ_ABI_VERSION + 1, TEXT(place), &options, &ledger, &error));
    STATUS(BTZ_ERR_ARGUMENT, btz_ledger_open(BTZ_ABI_VERSION, "", 0, &options, &ledger, &error));
    options.driven = 5;
    STATUS(BTZ_ERR_ARGUMENT, btz_ledger_open(BTZ_ABI_VERSION, TEXT(place), &options, &ledger, &error));
    options.driven = 0;
    options.segment_bytes = 9;
    STATUS(BTZ_ERR_ARGUMENT, btz_ledger_open(BTZ_ABI_VERSION, TEXT(place), &options, &ledger, &error));
    CHECK(strstr(error.message, "allowed are 4096 to") != NULL);
    options.segment_bytes = 0;
    options.witnesses = "not a key";
    options.witnesses_length = 9;
    STATUS(BTZ_ERR_ARGUMENT, btz_ledger_open(BTZ_ABI_VERSION, TEXT(place), &options, &ledger, &error));
    options.witnesses = NULL;
    options.struct_size = 8;
    STATUS(BTZ_ERR_SIZE, btz_ledger_open(BTZ_ABI_VERSION, TEXT(place), &options, &ledger, &error));
    options.struct_size = sizeof options;
    STATUS(BTZ_ERR_DISK, btz_ledger_open(BTZ_ABI_VERSION, TEXT("/dev/null/ledger"), &options, &ledger, &error));
    CHECK(ledger == NULL);

    ledger = opened(place, "bartizan/refused", 0);
    STATUS(BTZ_ERR_LOCKED, btz_ledger_open(BTZ_ABI_VERSION, TEXT(place), &options, &again, &error));
    CHECK(again == NULL);
    STATUS(BTZ_ERR_ARGUMENT, btz_ledger_append(ledger, BTZ_RECORD_ALERT, NULL, 0, NULL, 0, NULL, &error));
    STATUS(BTZ_ERR_ARGUMENT, btz_ledger_append(ledger, 0x10000, NULL, 0, NULL, 0, NULL, &error));
    STATUS(BTZ_ERR_NULL, btz_ledger_append(ledger, BTZ_RECORD_HOST, NULL, 0, NULL, 3, NULL, &error));
    STATUS(BTZ_ERR_ARGUMENT, btz_ledger_append(ledger, BTZ_RECORD_HOST, NULL, 0, long_payload, sizeof long_payload, NULL, NULL));
    STATUS(BTZ_ERR_ARGUMENT, btz_ledger_append(ledger, BTZ_RECORD_HOST, "\xff", 1, NULL, 0, NULL, NULL));
    STATUS(BTZ_ERR_ARGUMENT, btz_ledger_append(ledger, BTZ_RECORD_HOST, (char *)long_payload, 256, NULL, 0, NULL, NULL));
    STATUS(BTZ_OK, btz_ledger_append(ledger, BTZ_RECORD_HOST, NULL, 0, long_payload, BTZ_PAYLOAD_BYTES_MAX, NULL, NULL));
    STATUS(BTZ_ERR_STATE, btz_ledger_maintain(ledger, &error));
    STATUS(BTZ_ERR_NULL, btz_ledger_state(ledger, NULL));
    state.struct_size = 4;
    STATUS(BTZ_ERR_SIZE, btz_ledger_state(ledger, &state));
    STATUS(BTZ_ERR_NULL, btz_ledger_key(ledger, text, sizeof text, NULL));
    STATUS(BTZ_ERR_NULL, btz_ledger_key(ledger, NULL, 5, &needed));
    STATUS(BTZ_ERR_NULL, btz_ledger_append(NULL, BTZ_RECORD_HOST, NULL, 0, NULL, 0, NULL, &error));
    CHECK(strstr(error.message, "ledger") != NULL);
    STATUS(BTZ_ERR_HANDLE, btz_ledger_state((btz_ledger *)(void *)long_payload, &state));
    CHECK(btz_ledger_fd(NULL) == BTZ_ERR_NULL);
    STATUS(BTZ_OK, btz_ledger_free(NULL));
    STATUS(BTZ_OK, btz_ledger_cursor_free(NULL));
    STATUS(BTZ_OK, btz_ledger_free(ledger));

    STATUS(BTZ_ERR_NULL, btz_ledger_cursor_new(BTZ_ABI_VERSION, TEXT(place), 0, NULL, &error));
    STATUS(BTZ_OK, btz_ledger_cursor_new(BTZ_ABI_VERSION, TEXT("/no/such/ledger"), 0, &cursor, &error));
    STATUS(BTZ_ERR_SIZE, btz_ledger_cursor_next(cursor, &record, 8, 1, NULL, 0, &count, NULL, &error));
    STATUS(BTZ_ERR_NULL, btz_ledger_cursor_next(cursor, &record, sizeof record, 1, NULL, 8, &count, NULL, &error));
    STATUS(BTZ_ERR_NULL, btz_ledger_cursor_next(cursor, &record, sizeof record, 1, NULL, 0, NULL, NULL, &error));
    STATUS(BTZ_OK, btz_ledger_cursor_next(cursor, &record, sizeof record, 1, NULL, 0, &count, NULL, &error));
    CHECK(count == 0);
    STATUS(BTZ_OK, btz_ledger_cursor_free(cursor));

    STATUS(BTZ_ERR_NOT_FOUND, btz_ledger_verify(BTZ_ABI_VERSION, TEXT("/no/such/ledger"), NULL, 0, NULL, 0, NULL, 0, &report, &error));
    STATUS(BTZ_ERR_ARGUMENT, btz_ledger_verify(BTZ_ABI_VERSION, TEXT(place), "key", 3, NULL, 0, NULL, 0, &report, &error));
    STATUS(BTZ_ERR_ARGUMENT, btz_ledger_verify(BTZ_ABI_VERSION, TEXT(place), NULL, 0, "nobody", 6, NULL, 0, &report, &error));
    STATUS(BTZ_ERR_NULL, btz_ledger_verify(BTZ_ABI_VERSION, TEXT(place), NULL, 0, NULL, 0, NULL, 0, NULL, &error));
    report.struct_size = 5;
    STATUS(BTZ_ERR_SIZE, btz_ledger_verify(BTZ_ABI_VERSION, TEXT(place), NULL, 0, NULL, 0, NULL, 0, &report, &error));
    free(place);
}

/* The host does the work; and a run that nobody closed is told by the next. */
static void driven(void) {
    char *place = strdup(below("driven"));
    btz_ledger *ledger = opened(place, "bartizan/driven", BTZ_ON);
    btz_ledger_status state = BTZ_LEDGER_STATUS_INIT;
    uint64_t sequence;
    CHECK(count_entries("/proc/self/task") == 1);
    sequence = append(ledger, NULL, "by hand");
    STATUS(BTZ_OK, btz_ledger_state(ledger, &state));
    CHECK(state.durable <= sequence);
    STATUS(BTZ_OK, btz_ledger_maintain(ledger, NULL));
    STATUS(BTZ_OK, btz_ledger_state(ledger, &state));
    CHECK(state.durable > sequence);
    sequence = append(ledger, NULL, "waited for");
    STATUS(BTZ_OK, btz_ledger_wait(ledger, sequence, 0, NULL));
    STATUS(BTZ_OK, btz_ledger_free(ledger));
    ledger = opened(place, "bartizan/driven", BTZ_ON);
    STATUS(BTZ_OK, btz_ledger_state(ledger, &state));
    CHECK(state.run == 2 && state.last_run == BTZ_LAST_RUN_CUT && state.torn_bytes == 0);
    STATUS(BTZ_OK, btz_ledger_close(ledger, 0, NULL));
    STATUS(BTZ_ERR_STATE, btz_ledger_maintain(ledger, NULL));
    STATUS(BTZ_OK, btz_ledger_free(ledger));
    ledger = opened(place, "bartizan/driven", 0);
    STATUS(BTZ_OK, btz_ledger_state(ledger, &state));
    CHECK(state.run == 3 && state.last_run == BTZ_LAST_RUN_CLEAN);
    STATUS(BTZ_OK, btz_ledger_close(ledger, 10000, NULL));
    STATUS(BTZ_OK, btz_ledger_free(ledger));
    free(place);
}

/* An alert is in the ledger, durably, before it is handed out. */
static void alerts_are_recorded_first(void) {
    const char *toml = "[limits]\nvms = 16\nvcpus = 64\nhistory_ticks = 4\n[[rules]]\nname = \"test-now\"\n"
                       "summary = \"memory\"\nmetric = \"host_memory_total_bytes\"\nabove = 1.0\nfor_s = 0.0\n";
    char *place = strdup(below("alerts"));
    btz_config *config = NULL;
    btz_agent *agent = NULL;
    btz_ledger *ledger = opened(place, "bartizan/alerts", 0);
    btz_ledger_status state = BTZ_LEDGER_STATUS_INIT;
    btz_ledger_cursor *cursor = NULL;
    btz_record record;
    btz_error error = BTZ_ERROR_INIT;
    static uint8_t payload[BTZ_PAYLOAD_BYTES_MAX];
    btz_alert alerts[8];
    size_t count = 0, at, found = 0;
    int tries;
    if (btz_config_from_toml(BTZ_ABI_VERSION, TEXT(toml), &config, &error) != BTZ_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    STATUS(BTZ_OK, btz_agent_new(BTZ_ABI_VERSION, config, &agent, &error));
    STATUS(BTZ_OK, btz_config_free(config));
    STATUS(BTZ_OK, btz_agent_record(agent, ledger, 10000, &error));
    STATUS(BTZ_OK, btz_agent_maintain(agent, &error));
    for (tries = 0; tries < 50 && count == 0; tries++) {
        STATUS(BTZ_OK, btz_agent_step(agent, &error));
        STATUS(BTZ_OK, btz_agent_alerts(agent, alerts, sizeof alerts[0], 8, &count));
        poll(NULL, 0, 20);
    }
    CHECK(count > 0);
    STATUS(BTZ_OK, btz_ledger_state(ledger, &state));
    CHECK(state.left_early == 0 && state.durable == state.next && state.appended >= count + 1);
    STATUS(BTZ_OK, btz_ledger_cursor_new(BTZ_ABI_VERSION, TEXT(place), 0, &cursor, &error));
    for (;;) {
        STATUS(BTZ_OK, btz_ledger_cursor_next(cursor, &record, sizeof record, 1, payload, sizeof payload, &at, NULL, &error));
        if (at == 0) {
            break;
        }
        if (record.kind == BTZ_RECORD_ALERT) {
            char text[64];
            snprintf(text, sizeof text, "\"sequence\":%llu,", (unsigned long long)alerts[found].sequence);
            payload[record.payload_length] = 0;
            CHECK(strstr((char *)payload, text) != NULL);
            found++;
        }
    }
    CHECK(found == count);
    STATUS(BTZ_OK, btz_ledger_cursor_free(cursor));
    STATUS(BTZ_OK, btz_agent_free(agent));
    STATUS(BTZ_OK, btz_ledger_close(ledger, 10000, &error));
    STATUS(BTZ_OK, btz_ledger_free(ledger));
    free(place);
}

/* An agent records in it; the ledger stays while it is attached. */
static void attached(void) {
    char *place = strdup(below("attached"));
    btz_agent *agent = small_agent(1000);
    btz_ledger *ledger = opened(place, "bartizan/attached", 0), *driven_one;
    btz_alert alerts[4];
    size_t count;
    STATUS(BTZ_ERR_ARGUMENT, btz_agent_record(agent, ledger, BTZ_HOLD_MS_MAX + 1, NULL));
    STATUS(BTZ_OK, btz_agent_record(agent, ledger, 250, NULL));
    STATUS(BTZ_OK, btz_agent_alerts(agent, alerts, sizeof alerts[0], 4, &count));
    STATUS(BTZ_ERR_BUSY, btz_ledger_free(ledger));
    STATUS(BTZ_OK, btz_agent_record(agent, NULL, 0, NULL));
    STATUS(BTZ_OK, btz_ledger_close(ledger, 10000, NULL));
    STATUS(BTZ_ERR_STATE, btz_agent_record(agent, ledger, 250, NULL));
    STATUS(BTZ_OK, btz_ledger_free(ledger));
    driven_one = opened(below("attached-driven"), "bartizan/attached", BTZ_ON);
    STATUS(BTZ_ERR_STATE, btz_agent_record(agent, driven_one, 250, NULL));
    STATUS(BTZ_OK, btz_ledger_free(driven_one));
    /* An agent that goes lets its ledger go. */
    ledger = opened(place, "bartizan/attached", 0);
    STATUS(BTZ_OK, btz_agent_record(agent, ledger, 250, NULL));
    STATUS(BTZ_OK, btz_agent_free(agent));
    STATUS(BTZ_OK, btz_ledger_free(ledger));
    free(place);
}

static void cycle(const char *place, int number) {
    btz_ledger *ledger = opened(place, "bartizan/cycles", number % 2 ? BTZ_ON : 0);
    append(ledger, number % 3 ? "acme" : NULL, "again");
    if (number % 5) {
        STATUS(BTZ_OK, btz_ledger_close(ledger, 10000, NULL));
    }
    STATUS(BTZ_OK, btz_ledger_free(ledger));
}

static void cycles(int count) {
    char *place = strdup(below("cycles"));
    int done, fds, threads;
    size_t heap, after;
    for (done = 0; done < count; done++) {
        cycle(place, done);
    }
    fds = count_entries("/proc/self/fd");
    threads = count_entries("/proc/self/task");
    heap = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (done = 0; done < count; done++) {
        cycle(place, done);
    }
    CHECK(count_entries("/proc/self/fd") == fds);
    CHECK(count_entries("/proc/self/task") == threads && threads == 1);
    after = mallinfo2().uordblks + mallinfo2().hblkhd;
    printf("ok: %d cycles, heap %zu before, %zu after\n", count, heap, after);
    CHECK(after <= heap + 4096);
    free(place);
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    snprintf(folder, sizeof folder, "%s", argv[1]);
    a_life();
    tampered_with();
    refused();
    driven();
    attached();
    alerts_are_recorded_first();
    cycles(atoi(argv[2]));
    return 0;
}
