/* Agents made, used and freed over and over: no descriptor, thread or memory stays behind. */
#include "check.h"

#include <malloc.h>
#include <poll.h>

static void cycle(int with_threads) {
    btz_agent *agent = small_agent(10);
    btz_tick tick = BTZ_TICK_INIT;
    if (with_threads) {
        STATUS(BTZ_OK, btz_agent_start(agent, NULL));
        while (tick.number < 2) {
            poll(NULL, 0, 2);
            STATUS(BTZ_OK, btz_agent_tick(agent, &tick));
        }
    } else {
        STATUS(BTZ_OK, btz_agent_maintain(agent, NULL));
        STATUS(BTZ_OK, btz_agent_step(agent, NULL));
        STATUS(BTZ_OK, btz_agent_step(agent, NULL));
    }
    STATUS(BTZ_OK, btz_agent_free(agent));
}

int main(int argc, char **argv) {
    int cycles = argc > 1 ? atoi(argv[1]) : 100, done, fds, threads;
    size_t heap, after;
    /* The first half fills caches that stay for the life of the process; the second may add nothing. */
    for (done = 0; done < cycles; done++) {
        cycle(done % 2);
    }
    fds = count_entries("/proc/self/fd");
    threads = count_entries("/proc/self/task");
    heap = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (done = 0; done < cycles; done++) {
        cycle(done % 2);
    }
    CHECK(count_entries("/proc/self/fd") == fds);
    CHECK(count_entries("/proc/self/task") == threads && threads == 1);
    after = mallinfo2().uordblks + mallinfo2().hblkhd;
    printf("ok: %d cycles, heap %zu before, %zu after\n", cycles, heap, after);
    /* One byte lost per cycle would be seen; what other threads' caches hold moves by a little. */
    CHECK(after <= heap + 4096);
    return 0;
}
