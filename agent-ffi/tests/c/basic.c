/* Everything once, as a host that drives the agent itself would use it. */
#include "check.h"

#include <math.h>
#include <poll.h>

static int log_lines;
/* Threads of the agent's own log too. */
#define COUNT_LINE() __atomic_add_fetch(&log_lines, 1, __ATOMIC_RELAXED)

static void on_log(void *user, uint32_t level, const char *target, const char *message, size_t length) {
    CHECK(user == &log_lines);
    CHECK(level >= BTZ_LOG_ERROR && level <= BTZ_LOG_TRACE);
    CHECK(target[0] != '\0' && strlen(message) == length && length < 1024);
    /* The hook must not call back. */
    STATUS(BTZ_ERR_REENTRY, btz_log_set(NULL, NULL, 0, NULL));
    COUNT_LINE();
}

/* The INIT macros and the init functions write the same bytes. */
#define SAME_BYTES(type, macro, init)                          \
    do {                                                       \
        type by_macro_ = macro, by_function_;                  \
        memset(&by_function_, 0xa5, sizeof by_function_);      \
        STATUS(BTZ_OK, init(&by_function_, sizeof by_function_)); \
        CHECK(memcmp(&by_macro_, &by_function_, sizeof by_macro_) == 0); \
        STATUS(BTZ_ERR_SIZE, init(&by_function_, 3));          \
        STATUS(BTZ_ERR_NULL, init(NULL, sizeof by_function_)); \
    } while (0)

static void structs(void) {
    SAME_BYTES(btz_error, BTZ_ERROR_INIT, btz_error_init);
    SAME_BYTES(btz_options, BTZ_OPTIONS_INIT, btz_options_init);
    SAME_BYTES(btz_value, BTZ_VALUE_INIT, btz_value_init);
    SAME_BYTES(btz_tick, BTZ_TICK_INIT, btz_tick_init);
    SAME_BYTES(btz_metric, BTZ_METRIC_INIT, btz_metric_init);
    SAME_BYTES(btz_accounting, BTZ_ACCOUNTING_INIT, btz_accounting_init);
    SAME_BYTES(btz_cost, BTZ_COST_INIT, btz_cost_init);
    SAME_BYTES(btz_finding, BTZ_FINDING_INIT, btz_finding_init);
    SAME_BYTES(btz_check_state, BTZ_CHECK_STATE_INIT, btz_check_state_init);
    SAME_BYTES(btz_waiver, BTZ_WAIVER_INIT, btz_waiver_init);
}

static void versions(void) {
    CHECK(btz_abi_version() == BTZ_ABI_VERSION);
    CHECK(BTZ_ABI_VERSION == BTZ_ABI_MAJOR * 65536 + BTZ_ABI_MINOR);
    CHECK(strchr(btz_version(), '.') != NULL);
    CHECK(strcmp(btz_status_name(BTZ_ERR_FORKED), "BTZ_ERR_FORKED") == 0);
    CHECK(strcmp(btz_scope_name(BTZ_SCOPE_VCPU), "vcpu") == 0);
    CHECK(strcmp(btz_availability_name(BTZ_AVAILABILITY_DENIED), "denied") == 0);
    CHECK(strcmp(btz_source_name(BTZ_SOURCE_MEMINFO), "meminfo") == 0);
    CHECK(strcmp(btz_severity_name(BTZ_SEVERITY_CRITICAL), "critical") == 0);
    CHECK(strcmp(btz_vmm_name(BTZ_VMM_QEMU), "qemu") == 0);
    CHECK(strcmp(btz_vmm_name(99), "unknown") == 0);
    CHECK(strcmp(btz_verdict_name(BTZ_VERDICT_NOT_APPLICABLE), "not-applicable") == 0);
    CHECK(strcmp(btz_check_severity_name(BTZ_CHECK_SEVERITY_HIGH), "high") == 0);
    CHECK(strcmp(btz_check_scope_name(BTZ_CHECK_SCOPE_VMS), "vms") == 0);
    CHECK(strcmp(btz_change_name(BTZ_CHANGE_GONE), "gone") == 0);
}

static void configurations(void) {
    static const char text[] = "[sampling]\ninterval_ms = 250\n[limits]\nvms = 7\n";
    static const char wrong[] = "[sampling]\ninterval_msec = 250\n";
    btz_config *config = NULL, *copy = NULL;
    btz_error error = BTZ_ERROR_INIT;
    btz_options options = BTZ_OPTIONS_INIT;
    uint64_t few = 0, many = 0;
    uint8_t one[32], other[32];
    size_t needed = 0;
    char *toml;

    STATUS(BTZ_OK, btz_config_from_toml(BTZ_ABI_VERSION, text, strlen(text), &config, &error));
    STATUS(BTZ_OK, btz_config_options(config, &options));
    CHECK(options.interval_ms == 250 && options.vms == 7 && options.struct_size == sizeof options);
    STATUS(BTZ_OK, btz_config_memory(config, &few));

    /* Memory is told beforehand, and grows with the limits. */
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.vms = 1024;
    STATUS(BTZ_OK, btz_config_apply(config, &options, &error));
    STATUS(BTZ_OK, btz_config_memory(config, &many));
    CHECK(few > 0 && many > few);

    /* A mistake changes nothing, and says what is allowed. */
    options.vms = 0xfffffff0u;
    STATUS(BTZ_ERR_CONFIG, btz_config_apply(config, &options, &error));
    CHECK(error.code == BTZ_ERR_CONFIG && strstr(error.message, "limits.vms") != NULL);
    STATUS(BTZ_OK, btz_config_fingerprint(config, one));

    /* Out as text, and in again. */
    STATUS(BTZ_OK, btz_config_to_toml(config, NULL, 0, &needed));
    toml = malloc(needed);
    CHECK(toml != NULL);
    STATUS(BTZ_ERR_BUFFER, btz_config_to_toml(config, toml, needed - 1, &needed));
    STATUS(BTZ_OK, btz_config_to_toml(config, toml, needed, &needed));
    CHECK(strlen(toml) + 1 == needed);
    STATUS(BTZ_OK, btz_config_from_toml(BTZ_ABI_VERSION, toml, needed - 1, &copy, &error));
    STATUS(BTZ_OK, btz_config_fingerprint(copy, other));
    CHECK(memcmp(one, other, sizeof one) == 0);
    free(toml);
    STATUS(BTZ_OK, btz_config_free(copy));

    /* A mistake in a text names its place and the cure. */
    copy = NULL;
    STATUS(BTZ_ERR_CONFIG, btz_config_from_toml(BTZ_ABI_VERSION, wrong, strlen(wrong), &copy, &error));
    CHECK(copy == NULL && strstr(error.message, ":2:1") != NULL && strstr(error.message, "interval_ms") != NULL);
    STATUS(BTZ_ERR_CONFIG, btz_config_from_file(BTZ_ABI_VERSION, "/nowhere/x.toml", 15, &copy, &error));
    CHECK(strstr(error.message, "/nowhere/x.toml") != NULL);

    STATUS(BTZ_OK, btz_config_set_root(config, "/nowhere", 8, &error));
    STATUS(BTZ_ERR_CONFIG, btz_config_set_root(config, "relative", 8, &error));
    STATUS(BTZ_OK, btz_config_set_root(config, NULL, 0, &error));
    STATUS(BTZ_OK, btz_config_free(config));
    STATUS(BTZ_OK, btz_config_free(NULL));
}

static void catalogue(void) {
    btz_metric metric = BTZ_METRIC_INIT, again = BTZ_METRIC_INIT;
    size_t place, count = btz_metric_count();
    CHECK(count >= 250);
    for (place = 0; place < count; place++) {
        STATUS(BTZ_OK, btz_metric_at(place, &metric));
        STATUS(BTZ_OK, btz_metric_by_id(metric.id, &again));
        CHECK(memcmp(&metric, &again, sizeof metric) == 0);
        STATUS(BTZ_OK, btz_metric_by_name(metric.name, strlen(metric.name), &again));
        CHECK(memcmp(&metric, &again, sizeof metric) == 0);
        CHECK(metric.scope == metric.id / 1000 && metric.scale > 0 && metric.help[0] != '\0');
    }
    STATUS(BTZ_ERR_NOT_FOUND, btz_metric_at(count, &metric));
    STATUS(BTZ_ERR_NOT_FOUND, btz_metric_by_id(999, &metric));
    STATUS(BTZ_ERR_NOT_FOUND, btz_metric_by_name("no such", 7, &metric));
    STATUS(BTZ_OK, btz_metric_by_id(BTZ_METRIC_VM_CPU_USER, &metric));
    CHECK(metric.scope == BTZ_SCOPE_VM && metric.kind == BTZ_KIND_COUNTER);
}

static void readings(btz_agent *agent) {
    btz_value value = BTZ_VALUE_INIT, values[3];
    btz_query queries[3];
    btz_point points[8];
    size_t count = 0, at;

    STATUS(BTZ_OK, btz_agent_read(agent, BTZ_ENTITY_AGENT, BTZ_METRIC_AGENT_TICKS, &value));
    CHECK(value.availability == BTZ_AVAILABILITY_OK && value.raw >= 1 && value.scaled == (double)value.raw);
    CHECK(value.source == BTZ_SOURCE_AGENT && value.read_at_ns > 0 && value.age_ns < 3600000000000u);

    /* What does not exist is never 0. */
    STATUS(BTZ_OK, btz_agent_read(agent, BTZ_ENTITY_AGENT, BTZ_METRIC_VM_CPU_USER, &value));
    CHECK(value.availability == BTZ_AVAILABILITY_UNSUPPORTED);
    CHECK(value.raw == BTZ_NO_VALUE && isnan(value.scaled) && value.age_ns == UINT64_MAX);
    STATUS(BTZ_OK, btz_agent_read(agent, ((btz_entity)BTZ_SCOPE_VM << 56) | 99u, BTZ_METRIC_VM_CPU_USER, &value));
    CHECK(value.availability == BTZ_AVAILABILITY_GONE && value.raw == BTZ_NO_VALUE);

    memset(queries, 0, sizeof queries);
    queries[0].entity = queries[1].entity = BTZ_ENTITY_AGENT;
    queries[2].entity = BTZ_ENTITY_HOST;
    queries[0].metric = BTZ_METRIC_AGENT_TICKS;
    queries[1].metric = BTZ_METRIC_AGENT_VMS;
    queries[2].metric = BTZ_METRIC_HOST_MEMORY_TOTAL;
    STATUS(BTZ_OK, btz_agent_read_many(agent, queries, 3, values, sizeof values[0]));
    CHECK(values[0].struct_size == sizeof values[0] && values[0].raw >= 1);
    CHECK(values[2].availability == BTZ_AVAILABILITY_OK && values[2].raw > 0 && values[2].unit == BTZ_UNIT_BYTES);

    STATUS(BTZ_OK, btz_agent_history(agent, BTZ_ENTITY_AGENT, BTZ_METRIC_AGENT_TICKS, points, sizeof points[0], 8,
                                     &count));
    CHECK(count >= 3);
    for (at = 1; at < count; at++) {
        CHECK(points[at].tick == points[at - 1].tick + 1 && points[at].mono_ns > points[at - 1].mono_ns);
        CHECK(points[at].availability == BTZ_AVAILABILITY_OK && points[at].raw == points[at - 1].raw + 1);
    }
}

static void lists(btz_agent *agent) {
    btz_part *parts;
    btz_source sources[64];
    btz_rule rules[512];
    size_t total = 0, again = 0, at, cpus = 0;

    STATUS(BTZ_OK, btz_agent_vms(agent, NULL, sizeof(btz_vm), 0, &total));
    STATUS(BTZ_OK, btz_agent_parts(agent, BTZ_ENTITY_HOST, NULL, sizeof(btz_part), 0, &total));
    CHECK(total >= 1);
    parts = calloc(total, sizeof *parts);
    CHECK(parts != NULL);
    STATUS(BTZ_OK, btz_agent_parts(agent, BTZ_ENTITY_HOST, parts, sizeof *parts, total, &again));
    for (at = 0; at < total && at < again; at++) {
        CHECK(parts[at].struct_size == sizeof *parts && btz_entity_scope(parts[at].entity) == parts[at].scope);
        cpus += parts[at].scope == BTZ_SCOPE_CPU;
    }
    CHECK(cpus >= 1);
    free(parts);

    STATUS(BTZ_OK, btz_agent_sources(agent, BTZ_ENTITY_HOST, sources, sizeof sources[0], 64, &total));
    CHECK(total >= 5 && total <= 64);
    for (at = 0; at < total; at++) {
        CHECK(strcmp(sources[at].name, btz_source_name(sources[at].source)) == 0 && sources[at].tier[0] != '\0');
        CHECK(sources[at].availability == BTZ_AVAILABILITY_OK || sources[at].reason[0] != '\0');
    }
    STATUS(BTZ_OK, btz_agent_rules(agent, rules, sizeof rules[0], 512, &total));
    CHECK(total >= 1 && total <= 512 && rules[0].name[0] != '\0' && rules[0].description[0] != '\0');
    STATUS(BTZ_ERR_NOT_FOUND,
           btz_agent_sources(agent, ((btz_entity)BTZ_SCOPE_VM << 56) | 99u, sources, sizeof sources[0], 64, &total));
}

static void accounts(btz_agent *agent) {
    btz_accounting a = BTZ_ACCOUNTING_INIT;
    btz_cost cost = BTZ_COST_INIT;
    btz_alert alerts[256];
    size_t count = 0;
    STATUS(BTZ_OK, btz_agent_alerts(agent, alerts, sizeof alerts[0], 256, &count));
    STATUS(BTZ_OK, btz_agent_accounting(agent, &a));
    CHECK(a.produced == a.delivered + a.suppressed + a.dropped + a.in_flight && a.delivered >= count);
    STATUS(BTZ_OK, btz_agent_cost(agent, &cost));
    CHECK(cost.ticks >= 3 && cost.memory_reserved_bytes > 0 && cost.sampler_cpu_ns > 0 && cost.planner_cpu_ns > 0);
}

int main(void) {
    btz_agent *agent;
    btz_config *other;
    btz_error error = BTZ_ERROR_INIT;
    btz_tick tick = BTZ_TICK_INIT;
    struct pollfd polled;
    uint64_t before = 0, after = 0;
    uint32_t state = 99;
    int ticks;

    structs();
    versions();
    configurations();
    catalogue();
    STATUS(BTZ_OK, btz_log_set(on_log, &log_lines, BTZ_LOG_TRACE, &error));

    agent = small_agent(10);
    STATUS(BTZ_OK, btz_agent_tick(agent, &tick));
    CHECK(tick.number == 0);
    polled.fd = btz_agent_maintenance_fd(agent);
    polled.events = POLLIN;
    CHECK(polled.fd >= 0 && poll(&polled, 1, 1000) == 1);
    CHECK(btz_agent_alert_fd(agent) >= 0 && btz_agent_alert_fd(agent) != polled.fd);
    for (ticks = 0; ticks < 4; ticks++) {
        STATUS(BTZ_OK, btz_agent_maintain(agent, &error));
        STATUS(BTZ_OK, btz_agent_deadline(agent, &before));
        STATUS(BTZ_OK, btz_agent_step(agent, &error));
        STATUS(BTZ_OK, btz_agent_deadline(agent, &after));
        CHECK(after > before);
    }
    STATUS(BTZ_OK, btz_agent_tick(agent, &tick));
    CHECK(tick.number == 4 && tick.mono_ns > 0 && tick.wall_ns > 0);
    readings(agent);
    lists(agent);
    accounts(agent);

    /* Reload: rules and intervals may change, limits may not. */
    other = small_config(20);
    STATUS(BTZ_OK, btz_agent_reload(agent, other, &error));
    STATUS(BTZ_OK, btz_config_free(other));
    STATUS(BTZ_OK, btz_config_new(BTZ_ABI_VERSION, &other, &error));
    STATUS(BTZ_ERR_RESTART, btz_agent_reload(agent, other, &error));
    CHECK(strstr(error.message, "limits") != NULL);
    STATUS(BTZ_OK, btz_config_free(other));

    /* On its own threads: the host may not step. */
    STATUS(BTZ_OK, btz_agent_state(agent, &state));
    CHECK(state == BTZ_STATE_IDLE);
    STATUS(BTZ_OK, btz_agent_start(agent, &error));
    STATUS(BTZ_OK, btz_agent_state(agent, &state));
    CHECK(state == BTZ_STATE_RUNNING);
    STATUS(BTZ_ERR_STATE, btz_agent_step(agent, &error));
    STATUS(BTZ_ERR_STATE, btz_agent_maintain(agent, &error));
    STATUS(BTZ_ERR_STATE, btz_agent_start(agent, &error));
    before = tick.number;
    while (tick.number < before + 3) {
        poll(NULL, 0, 5);
        STATUS(BTZ_OK, btz_agent_tick(agent, &tick));
    }
    STATUS(BTZ_OK, btz_agent_stop(agent, 60000, &error));
    STATUS(BTZ_OK, btz_agent_stop(agent, 60000, &error));
    STATUS(BTZ_OK, btz_agent_step(agent, &error));
    STATUS(BTZ_OK, btz_agent_free(agent));
    STATUS(BTZ_OK, btz_agent_free(NULL));

    STATUS(BTZ_OK, btz_log_set(NULL, NULL, 0, &error));
    CHECK(log_lines > 0);
    printf("ok: %d log lines\n", log_lines);
    return 0;
}
