/* Memory that runs out anywhere while an agent is made: an error each time, never the end of the host. */
#include "check.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bytes of address space in use. */
static rlim_t in_use(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* In a child: makes an agent with so much more memory and no more; 0 made, 1 refused. */
static int attempt(const btz_config *config, rlim_t spare) {
    struct rlimit limit;
    btz_agent *agent = NULL;
    btz_error error = BTZ_ERROR_INIT;
    btz_status status;
    limit.rlim_cur = limit.rlim_max = in_use() + spare;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    status = btz_agent_new(BTZ_ABI_VERSION, config, &agent, &error);
    if (status == BTZ_OK) {
        return 0;
    }
    CHECK(status == BTZ_ERR_MEMORY && agent == NULL && error.message[0] != '\0');
    return 1;
}

int main(void) {
    btz_config *config = NULL;
    btz_agent *agent = NULL;
    uint64_t bytes = 0;
    rlim_t spare;
    int outcome[2] = { 0, 0 };
    STATUS(BTZ_OK, btz_config_new(BTZ_ABI_VERSION, &config, NULL));
    STATUS(BTZ_OK, btz_config_memory(config, &bytes));
    /* Once without a limit, so that what is only ever made once is there. */
    STATUS(BTZ_OK, btz_agent_new(BTZ_ABI_VERSION, config, &agent, NULL));
    STATUS(BTZ_OK, btz_agent_free(agent));
    for (spare = 0; spare < (rlim_t)bytes * 2 + (32 << 20); spare += 512 << 10) {
        int status = 0;
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            _exit(attempt(config, spare));
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) {
            fprintf(stderr, "with %lu KiB to spare: status %d\n", (unsigned long)(spare >> 10), status);
            outcome[0] = -1000000;
            continue;
        }
        outcome[WEXITSTATUS(status)] += 1;
    }
    printf("%d made, %d refused; %lu KiB are promised\n", outcome[0], outcome[1], (unsigned long)(bytes >> 10));
    CHECK(outcome[0] > 0 && outcome[1] > 0);
    STATUS(BTZ_OK, btz_config_free(config));
    printf("ok\n");
    return 0;
}
