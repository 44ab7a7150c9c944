/* Several threads on one agent: what excludes each other says so, everything else works side by side. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

static btz_agent *agent;
static atomic_int stop, ticks, busy, reads;

static void *stepper(void *unused) {
    (void)unused;
    while (!atomic_load(&stop)) {
        btz_error error = BTZ_ERROR_INIT;
        btz_status status = btz_agent_step(agent, &error);
        CHECK(status == BTZ_OK || status == BTZ_ERR_BUSY);
        CHECK(status == BTZ_OK || error.code == BTZ_ERR_BUSY);
        atomic_fetch_add(status == BTZ_OK ? &ticks : &busy, 1);
        status = btz_agent_maintain(agent, NULL);
        CHECK(status == BTZ_OK || status == BTZ_ERR_BUSY);
    }
    return NULL;
}

static void *reader(void *unused) {
    (void)unused;
    while (!atomic_load(&stop)) {
        btz_value value = BTZ_VALUE_INIT;
        btz_accounting a = BTZ_ACCOUNTING_INIT;
        btz_alert alerts[4];
        btz_vm vms[16];
        size_t n = 0;
        STATUS(BTZ_OK, btz_agent_read(agent, BTZ_ENTITY_AGENT, BTZ_METRIC_AGENT_TICKS, &value));
        STATUS(BTZ_OK, btz_agent_alerts(agent, alerts, sizeof alerts[0], 4, &n));
        CHECK(n <= 4);
        STATUS(BTZ_OK, btz_agent_accounting(agent, &a));
        CHECK(a.produced == a.delivered + a.suppressed + a.dropped + a.in_flight);
        STATUS(BTZ_OK, btz_agent_vms(agent, vms, sizeof vms[0], 16, &n));
        atomic_fetch_add(&reads, 1);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[5];
    int at;
    agent = small_agent(10);
    for (at = 0; at < 5; at++) {
        CHECK(pthread_create(&threads[at], NULL, at < 2 ? stepper : reader, NULL) == 0);
    }
    while (atomic_load(&ticks) < 200 || atomic_load(&reads) < 200) {
        btz_status status;
        poll(NULL, 0, 1);
        /* Freed under the others' feet: refused. Started and stopped: refused, or it excludes the steppers. */
        status = btz_agent_stop(agent, 1000, NULL);
        CHECK(status == BTZ_OK || status == BTZ_ERR_BUSY);
    }
    atomic_store(&stop, 1);
    for (at = 0; at < 5; at++) {
        CHECK(pthread_join(threads[at], NULL) == 0);
    }
    STATUS(BTZ_OK, btz_agent_free(agent));
    printf("ok: %d ticks, %d refused, %d reads\n", atomic_load(&ticks), atomic_load(&busy), atomic_load(&reads));
    return 0;
}
