/* A call that fails inside leaves a faulted agent and a living host. Needs a library built with `test-hooks`. */
#include "check.h"

btz_status btz_test_panic(const btz_agent *agent);

static char last_line[1024];

static void on_log(void *user, uint32_t level, const char *target, const char *message, size_t length) {
    (void)user;
    (void)target;
    (void)length;
    if (level == BTZ_LOG_ERROR) {
        strncpy(last_line, message, sizeof last_line - 1);
    }
}

int main(void) {
    btz_agent *agent = small_agent(10), *other = small_agent(10);
    btz_error error = BTZ_ERROR_INIT;
    btz_value value = BTZ_VALUE_INIT;
    uint32_t state = 0;
    STATUS(BTZ_OK, btz_log_set(on_log, NULL, BTZ_LOG_ERROR, &error));
    STATUS(BTZ_OK, btz_agent_start(agent, &error));
    STATUS(BTZ_ERR_FAULTED, btz_test_panic(agent));
    CHECK(strstr(last_line, "provoked by a test") != NULL);
    STATUS(BTZ_ERR_FAULTED, btz_agent_step(agent, &error));
    CHECK(error.code == BTZ_ERR_FAULTED && strstr(error.message, "btz_agent_free") != NULL);
    STATUS(BTZ_ERR_FAULTED, btz_agent_stop(agent, 1000, &error));
    STATUS(BTZ_ERR_FAULTED, btz_agent_read(agent, BTZ_ENTITY_AGENT, BTZ_METRIC_AGENT_TICKS, &value));
    STATUS(BTZ_OK, btz_agent_state(agent, &state));
    CHECK(state == BTZ_STATE_FAULTED);
    STATUS(BTZ_OK, btz_agent_free(agent));
    /* Another agent in the same process is untouched. */
    STATUS(BTZ_OK, btz_agent_maintain(other, &error));
    STATUS(BTZ_OK, btz_agent_step(other, &error));
    STATUS(BTZ_OK, btz_agent_free(other));
    CHECK(count_entries("/proc/self/task") == 1);
    printf("ok\n");
    return 0;
}
