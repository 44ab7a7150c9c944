/* Every call, called wrongly: an error code, never a crash. */
#include "check.h"

static btz_error error = BTZ_ERROR_INIT;

static void nulls(btz_agent *agent, btz_config *config) {
    btz_agent *made = NULL;
    btz_config *read = NULL;
    size_t n = 0;
    uint32_t u = 0;
    uint64_t wide = 0;
    btz_value value = BTZ_VALUE_INIT;
    btz_query query = { BTZ_ENTITY_HOST, BTZ_METRIC_HOST_MEMORY_TOTAL, 0 };
    btz_waiver nobody = BTZ_WAIVER_INIT;

    STATUS(BTZ_ERR_NULL, btz_agent_new(BTZ_ABI_VERSION, config, NULL, &error));
    CHECK(error.code == BTZ_ERR_NULL && error.message[0] != '\0');
    STATUS(BTZ_ERR_NULL, btz_agent_start(NULL, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_stop(NULL, 1, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_step(NULL, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_maintain(NULL, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_reload(NULL, config, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_reload(agent, NULL, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_deadline(NULL, &wide));
    STATUS(BTZ_ERR_NULL, btz_agent_deadline(agent, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_state(NULL, &u));
    STATUS(BTZ_ERR_NULL, btz_agent_state(agent, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_alert_fd(NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_maintenance_fd(NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_tick(agent, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_read(agent, BTZ_ENTITY_HOST, BTZ_METRIC_HOST_MEMORY_TOTAL, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_read(NULL, BTZ_ENTITY_HOST, BTZ_METRIC_HOST_MEMORY_TOTAL, &value));
    STATUS(BTZ_ERR_NULL, btz_agent_read_many(agent, NULL, 1, &value, sizeof value));
    STATUS(BTZ_ERR_NULL, btz_agent_read_many(agent, &query, 1, NULL, sizeof value));
    STATUS(BTZ_OK, btz_agent_read_many(agent, NULL, 0, NULL, sizeof value));
    STATUS(BTZ_ERR_NULL, btz_agent_history(agent, BTZ_ENTITY_HOST, BTZ_METRIC_AGENT_TICKS, NULL, sizeof(btz_point), 1, &n));
    STATUS(BTZ_ERR_NULL, btz_agent_history(agent, BTZ_ENTITY_HOST, BTZ_METRIC_AGENT_TICKS, NULL, sizeof(btz_point), 0, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_vms(agent, NULL, sizeof(btz_vm), 1, &n));
    STATUS(BTZ_ERR_NULL, btz_agent_vms(agent, NULL, sizeof(btz_vm), 0, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_parts(agent, BTZ_ENTITY_HOST, NULL, sizeof(btz_part), 1, &n));
    STATUS(BTZ_ERR_NULL, btz_agent_sources(agent, BTZ_ENTITY_HOST, NULL, sizeof(btz_source), 1, &n));
    STATUS(BTZ_ERR_NULL, btz_agent_rules(agent, NULL, sizeof(btz_rule), 1, &n));
    STATUS(BTZ_ERR_NULL, btz_agent_alerts(agent, NULL, sizeof(btz_alert), 1, &n));
    STATUS(BTZ_ERR_NULL, btz_agent_alerts(agent, NULL, sizeof(btz_alert), 0, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_accounting(agent, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_cost(agent, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_checks(agent, NULL, sizeof(btz_check), 1, &n));
    STATUS(BTZ_ERR_NULL, btz_agent_checks(agent, NULL, sizeof(btz_check), 0, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_check_text(agent, NULL, 3, BTZ_CHECK_TEXT_JSON, NULL, 0, &n));
    STATUS(BTZ_ERR_NULL, btz_agent_findings(agent, NULL, NULL, sizeof(btz_finding), 1, &n, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_findings(agent, NULL, NULL, sizeof(btz_finding), 0, NULL, &n));
    STATUS(BTZ_ERR_NULL, btz_agent_finding(agent, NULL, 3, 0, 0, NULL, 0, &n));
    STATUS(BTZ_ERR_NULL, btz_agent_check_fd(NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_check_changes(agent, NULL, sizeof(btz_finding), 1, &n));
    STATUS(BTZ_ERR_NULL, btz_agent_check_changes(agent, NULL, sizeof(btz_finding), 0, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_check_accounting(agent, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_check_state(agent, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_check(NULL, 1, &u, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_check_sweep(NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_waive(agent, NULL, NULL));
    STATUS(BTZ_ERR_NULL, btz_agent_waive(agent, &nobody, NULL));
    STATUS(BTZ_ERR_NULL, btz_config_new(BTZ_ABI_VERSION, NULL, NULL));
    STATUS(BTZ_ERR_NULL, btz_config_from_toml(BTZ_ABI_VERSION, NULL, 3, &read, NULL));
    STATUS(BTZ_ERR_NULL, btz_config_from_file(BTZ_ABI_VERSION, NULL, 3, &read, NULL));
    STATUS(BTZ_ERR_NULL, btz_config_apply(config, NULL, NULL));
    STATUS(BTZ_ERR_NULL, btz_config_apply(NULL, NULL, NULL));
    STATUS(BTZ_ERR_NULL, btz_config_options(config, NULL));
    STATUS(BTZ_ERR_NULL, btz_config_memory(config, NULL));
    STATUS(BTZ_ERR_NULL, btz_config_to_toml(config, NULL, 0, NULL));
    STATUS(BTZ_ERR_NULL, btz_config_to_toml(config, NULL, 1, &n));
    STATUS(BTZ_ERR_NULL, btz_config_fingerprint(config, NULL));
    STATUS(BTZ_ERR_NULL, btz_config_set_root(config, NULL, 4, NULL));
    STATUS(BTZ_ERR_NULL, btz_config_rules(NULL, NULL, sizeof(btz_rule), 0, &n, NULL));
    STATUS(BTZ_ERR_NULL, btz_metric_at(0, NULL));
    STATUS(BTZ_ERR_NULL, btz_metric_by_id(1000, NULL));
    STATUS(BTZ_ERR_NULL, btz_metric_by_name(NULL, 3, NULL));
    CHECK(made == NULL && read == NULL);
}

/* What a freed handle may look like, without the undefined behaviour of using one. */
static void dead_handles(void) {
    static uint64_t zeroes[512];
    btz_agent *agent = (btz_agent *)(void *)zeroes;
    btz_config *config = (btz_config *)(void *)zeroes;
    btz_agent *made = NULL;
    uint32_t state;
    uint64_t bytes;
    STATUS(BTZ_ERR_HANDLE, btz_agent_step(agent, &error));
    STATUS(BTZ_ERR_HANDLE, btz_agent_free(agent));
    STATUS(BTZ_ERR_HANDLE, btz_agent_state(agent, &state));
    STATUS(BTZ_ERR_HANDLE, btz_agent_alert_fd(agent));
    STATUS(BTZ_ERR_HANDLE, btz_config_free(config));
    STATUS(BTZ_ERR_HANDLE, btz_config_memory(config, &bytes));
    STATUS(BTZ_ERR_HANDLE, btz_agent_new(BTZ_ABI_VERSION, config, &made, &error));
    STATUS(BTZ_ERR_HANDLE, btz_agent_step((btz_agent *)(void *)((char *)zeroes + 1), &error));
    CHECK(made == NULL);
}

static void sizes(btz_agent *agent, btz_config *config) {
    /* From a future in which every struct has grown by 64 bytes. */
    struct { btz_value known; unsigned char tail[64]; } value;
    struct { btz_options known; unsigned char tail[64]; } options;
    struct { btz_error known; unsigned char tail[64]; } later;
    struct { btz_value known; uint64_t tail; } rows[2];
    btz_query queries[2];
    size_t at;

    memset(&value, 0x5a, sizeof value);
    value.known.struct_size = sizeof value;
    STATUS(BTZ_OK, btz_agent_read(agent, BTZ_ENTITY_AGENT, BTZ_METRIC_AGENT_TICKS, &value.known));
    CHECK(value.known.struct_size == sizeof value && value.known.raw >= 1);
    for (at = 0; at < sizeof value.tail; at++) {
        CHECK(value.tail[at] == 0);
    }
    value.known.struct_size = sizeof(btz_value) - 1;
    STATUS(BTZ_ERR_SIZE, btz_agent_read(agent, BTZ_ENTITY_AGENT, BTZ_METRIC_AGENT_TICKS, &value.known));
    value.known.struct_size = 0;
    STATUS(BTZ_ERR_SIZE, btz_agent_read(agent, BTZ_ENTITY_AGENT, BTZ_METRIC_AGENT_TICKS, &value.known));
    value.known.struct_size = 0xfffffff0u;
    STATUS(BTZ_ERR_SIZE, btz_agent_read(agent, BTZ_ENTITY_AGENT, BTZ_METRIC_AGENT_TICKS, &value.known));

    memset(&options, 0, sizeof options);
    options.known.struct_size = sizeof options;
    options.known.interval_ms = 33;
    STATUS(BTZ_OK, btz_config_apply(config, &options.known, &error));
    options.tail[63] = 1;
    STATUS(BTZ_ERR_SIZE, btz_config_apply(config, &options.known, &error));

    memset(&later, 0x5a, sizeof later);
    later.known.struct_size = sizeof later;
    STATUS(BTZ_ERR_NULL, btz_agent_step(NULL, &later.known));
    CHECK(later.known.code == BTZ_ERR_NULL && later.tail[0] == 0 && later.tail[63] == 0);
    /* An error of a wrong size is left alone. */
    later.known.struct_size = 7;
    later.known.code = 12345;
    STATUS(BTZ_ERR_NULL, btz_agent_step(NULL, &later.known));
    CHECK(later.known.code == 12345);

    memset(rows, 0x5a, sizeof rows);
    memset(queries, 0, sizeof queries);
    queries[0].entity = queries[1].entity = BTZ_ENTITY_AGENT;
    queries[0].metric = queries[1].metric = BTZ_METRIC_AGENT_TICKS;
    STATUS(BTZ_OK, btz_agent_read_many(agent, queries, 2, &rows[0].known, sizeof rows[0]));
    CHECK(rows[1].known.raw == rows[0].known.raw && rows[1].known.struct_size == sizeof rows[0]);
    CHECK(rows[0].tail == 0 && rows[1].tail == 0);
    STATUS(BTZ_ERR_SIZE, btz_agent_read_many(agent, queries, 2, &rows[0].known, sizeof(btz_value) - 8));
    STATUS(BTZ_ERR_SIZE, btz_agent_read_many(agent, queries, 2, &rows[0].known, sizeof(btz_value) + 1));
    STATUS(BTZ_ERR_SIZE, btz_agent_read_many(agent, queries, (size_t)-1, &rows[0].known, sizeof(btz_value)));
}

static void checks(btz_agent *agent) {
    btz_waiver waiver = BTZ_WAIVER_INIT;
    btz_finding after = BTZ_FINDING_INIT, found;
    btz_check first;
    char text[8];
    size_t n = 0;
    STATUS(BTZ_OK, btz_agent_checks(agent, &first, sizeof first, 1, &n));
    CHECK(n >= 1);
    STATUS(BTZ_ERR_ARGUMENT, btz_agent_check_text(agent, first.id, strlen(first.id), 0, NULL, 0, &n));
    STATUS(BTZ_ERR_ARGUMENT, btz_agent_check_text(agent, first.id, strlen(first.id), 99, NULL, 0, &n));
    STATUS(BTZ_ERR_BUFFER, btz_agent_check_text(agent, first.id, strlen(first.id), BTZ_CHECK_TEXT_JSON, text,
                                                sizeof text, &n));
    STATUS(BTZ_ERR_NOT_FOUND, btz_agent_check_text(agent, "no.such", 7, BTZ_CHECK_TEXT_JSON, NULL, 0, &n));
    STATUS(BTZ_ERR_NOT_FOUND, btz_agent_finding(agent, "no.such", 7, 0, 0, NULL, 0, &n));
    STATUS(BTZ_ERR_NOT_FOUND, btz_agent_finding(agent, first.id, strlen(first.id), -1, 7, NULL, 0, &n));
    /* The last finding of a call before, from nowhere or of a wrong size. */
    after.pid = -5;
    STATUS(BTZ_OK, btz_agent_findings(agent, &after, &found, sizeof found, 1, &n, NULL));
    after.struct_size = 8;
    STATUS(BTZ_ERR_SIZE, btz_agent_findings(agent, &after, &found, sizeof found, 1, &n, NULL));
    STATUS(BTZ_ERR_SIZE, btz_agent_findings(agent, NULL, &found, sizeof found - 8, 1, &n, NULL));
    waiver.rule = first.id;
    waiver.rule_length = strlen(first.id);
    waiver.owner = waiver.reason = waiver.observed = "x";
    waiver.owner_length = waiver.reason_length = waiver.observed_length = 1;
    waiver.expires = "tomorrow";
    waiver.expires_length = 8;
    STATUS(BTZ_ERR_ARGUMENT, btz_agent_waive(agent, &waiver, &error));
    CHECK(strstr(error.message, "tomorrow") != NULL);
    waiver.expires = "2999-12-31";
    waiver.expires_length = 10;
    waiver.owner = "  ";
    waiver.owner_length = 2;
    STATUS(BTZ_ERR_ARGUMENT, btz_agent_waive(agent, &waiver, &error));
    waiver.owner_length = (size_t)-1;
    STATUS(BTZ_ERR_ARGUMENT, btz_agent_waive(agent, &waiver, &error));
    waiver.owner_length = 1;
    waiver.subject = "nobody";
    waiver.subject_length = 6;
    waiver.observed = NULL;
    STATUS(BTZ_ERR_NOT_FOUND, btz_agent_waive(agent, &waiver, &error));
    waiver.struct_size = 1;
    STATUS(BTZ_ERR_SIZE, btz_agent_waive(agent, &waiver, &error));
}

static void values(btz_agent *agent, btz_config *config) {
    btz_value value = BTZ_VALUE_INIT;
    btz_config *read = NULL;
    btz_agent *made = NULL;
    size_t n = 0;
    STATUS(BTZ_ERR_ABI, btz_agent_new(0, config, &made, &error));
    STATUS(BTZ_ERR_ABI, btz_agent_new(BTZ_ABI_VERSION + 1, config, &made, &error));
    STATUS(BTZ_ERR_ABI, btz_agent_new(BTZ_ABI_VERSION + 65536, config, &made, &error));
    STATUS(BTZ_ERR_ABI, btz_config_new(0xdeadbeefu, &read, &error));
    STATUS(BTZ_ERR_ARGUMENT, btz_agent_read(agent, 0, BTZ_METRIC_AGENT_TICKS, &value));
    STATUS(BTZ_ERR_ARGUMENT, btz_agent_read(agent, UINT64_MAX, BTZ_METRIC_AGENT_TICKS, &value));
    STATUS(BTZ_ERR_NOT_FOUND, btz_agent_read(agent, BTZ_ENTITY_AGENT, 0, &value));
    STATUS(BTZ_ERR_NOT_FOUND, btz_agent_read(agent, BTZ_ENTITY_AGENT, 0xffffffffu, &value));
    STATUS(BTZ_ERR_ARGUMENT, btz_agent_parts(agent, BTZ_ENTITY_AGENT, NULL, sizeof(btz_part), 0, &n));
    STATUS(BTZ_ERR_ARGUMENT, btz_config_from_toml(BTZ_ABI_VERSION, "\xff\xfe", 2, &read, &error));
    STATUS(BTZ_ERR_ARGUMENT, btz_config_from_toml(BTZ_ABI_VERSION, "x", (size_t)-1, &read, &error));
    STATUS(BTZ_ERR_ARGUMENT, btz_metric_by_name("x", (size_t)-1, NULL));
    STATUS(BTZ_ERR_ARGUMENT, btz_log_set((btz_log_fn)(void (*)(void))abort, NULL, 9, &error));
    CHECK(made == NULL && read == NULL);
    checks(agent);
}

int main(void) {
    btz_config *config = small_config(10);
    btz_agent *agent = small_agent(10);
    STATUS(BTZ_OK, btz_agent_maintain(agent, &error));
    STATUS(BTZ_OK, btz_agent_step(agent, &error));
    nulls(agent, config);
    dead_handles();
    sizes(agent, config);
    values(agent, config);
    STATUS(BTZ_OK, btz_agent_step(agent, &error));
    STATUS(BTZ_OK, btz_agent_free(agent));
    STATUS(BTZ_OK, btz_config_free(config));
    printf("ok\n");
    return 0;
}
