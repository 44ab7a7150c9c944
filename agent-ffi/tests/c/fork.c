/* A child of the process: every call on the parent's agent is refused there, and the parent's goes on. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

static void child(btz_agent *agent, btz_config *config) {
    btz_error error = BTZ_ERROR_INIT;
    btz_value value = BTZ_VALUE_INIT;
    btz_alert alert;
    btz_agent *own = NULL;
    uint32_t state = 0;
    uint64_t wide = 0;
    size_t n = 0;
    STATUS(BTZ_ERR_FORKED, btz_agent_step(agent, &error));
    CHECK(error.code == BTZ_ERR_FORKED);
    STATUS(BTZ_ERR_FORKED, btz_agent_maintain(agent, &error));
    STATUS(BTZ_ERR_FORKED, btz_agent_start(agent, &error));
    STATUS(BTZ_ERR_FORKED, btz_agent_stop(agent, 1000, &error));
    STATUS(BTZ_ERR_FORKED, btz_agent_reload(agent, config, &error));
    STATUS(BTZ_ERR_FORKED, btz_agent_state(agent, &state));
    STATUS(BTZ_ERR_FORKED, btz_agent_deadline(agent, &wide));
    STATUS(BTZ_ERR_FORKED, btz_agent_alert_fd(agent));
    STATUS(BTZ_ERR_FORKED, btz_agent_read(agent, BTZ_ENTITY_HOST, BTZ_METRIC_HOST_MEMORY_TOTAL, &value));
    STATUS(BTZ_ERR_FORKED, btz_agent_alerts(agent, &alert, sizeof alert, 1, &n));
    STATUS(BTZ_ERR_FORKED, btz_agent_check_fd(agent));
    STATUS(BTZ_ERR_FORKED, btz_agent_check(agent, 1000, NULL, &error));
    STATUS(BTZ_ERR_FORKED, btz_agent_check_sweep(agent));
    STATUS(BTZ_ERR_FORKED, btz_agent_free(agent));
    /* An agent of its own works. */
    STATUS(BTZ_OK, btz_agent_new(BTZ_ABI_VERSION, config, &own, &error));
    STATUS(BTZ_OK, btz_agent_maintain(own, &error));
    STATUS(BTZ_OK, btz_agent_step(own, &error));
    STATUS(BTZ_OK, btz_agent_start(own, &error));
    STATUS(BTZ_OK, btz_agent_free(own));
}

int main(void) {
    int with_threads;
    for (with_threads = 0; with_threads < 2; with_threads++) {
        btz_config *config = small_config(10);
        btz_agent *agent = small_agent(10);
        btz_tick tick = BTZ_TICK_INIT;
        uint64_t before;
        int status = -1;
        pid_t pid;
        CHECK(fcntl(btz_agent_alert_fd(agent), F_GETFD) & FD_CLOEXEC);
        CHECK(fcntl(btz_agent_maintenance_fd(agent), F_GETFD) & FD_CLOEXEC);
        CHECK(fcntl(btz_agent_check_fd(agent), F_GETFD) & FD_CLOEXEC);
        if (with_threads) {
            STATUS(BTZ_OK, btz_agent_start(agent, NULL));
        } else {
            STATUS(BTZ_OK, btz_agent_maintain(agent, NULL));
            STATUS(BTZ_OK, btz_agent_step(agent, NULL));
        }
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            child(agent, config);
            _exit(0);
        }
        CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
        STATUS(BTZ_OK, btz_agent_tick(agent, &tick));
        before = tick.number;
        while (tick.number < before + 2) {
            if (with_threads) {
                poll(NULL, 0, 2);
            } else {
                STATUS(BTZ_OK, btz_agent_step(agent, NULL));
            }
            STATUS(BTZ_OK, btz_agent_tick(agent, &tick));
        }
        STATUS(BTZ_OK, btz_agent_free(agent));
        STATUS(BTZ_OK, btz_config_free(config));
    }
    printf("ok\n");
    return 0;
}
