/*
 * What the checks find: with rules of a folder's own, driven by the host; or, with a VM's name too, on the agent's own
 * threads, until the VM has been found, the file changed, and the VM gone.
 *
 *     checks FOLDER [VM]
 *
 * FOLDER/rules/own.toml has the rules "own.file", which passes while others may not read FOLDER/file, and "own.vm", which no VM
 * passes.
 */
#include "check.h"

#include <poll.h>
#include <sys/stat.h>
#include <time.h>

#define FILE_RULE "own.file"
#define VM_RULE "own.vm"

static btz_error error = BTZ_ERROR_INIT;

static btz_agent *agent_with(const char *folder) {
    char text[1024];
    btz_config *config = NULL;
    btz_agent *agent = NULL;
    int length = snprintf(text, sizeof text,
                          "[limits]\nvms = 4096\nvcpus = 32768\nhistory_ticks = 8\n[sampling]\ninterval_ms = 100\n"
                          "[checks]\nfolder = \"%s/rules\"\nwaivers = \"%s/waivers\"\n", folder, folder);
    CHECK(length > 0 && (size_t)length < sizeof text);
    STATUS(BTZ_OK, btz_config_from_toml(BTZ_ABI_VERSION, text, (size_t)length, &config, &error));
    STATUS(BTZ_OK, btz_agent_new(BTZ_ABI_VERSION, config, &agent, &error));
    STATUS(BTZ_OK, btz_config_free(config));
    return agent;
}

/* Whether something waits. */
static int ready(btz_agent *agent) {
    struct pollfd polled;
    polled.fd = btz_agent_check_fd(agent);
    polled.events = POLLIN;
    CHECK(polled.fd >= 0);
    return poll(&polled, 1, 0);
}

static void exact(btz_agent *agent) {
    btz_accounting a = BTZ_ACCOUNTING_INIT;
    STATUS(BTZ_OK, btz_agent_check_accounting(agent, &a));
    CHECK(a.produced == a.delivered + a.suppressed + a.dropped + a.in_flight && a.suppressed == 0);
}

/* Takes changes until one is about this rule (and VM) and of this kind; sequences leave no gap. */
static btz_finding until(btz_agent *agent, const char *rule, const char *vm, uint32_t kind, int driven) {
    static uint64_t last;
    time_t deadline = time(NULL) + 60;
    while (time(NULL) < deadline) {
        btz_finding found;
        size_t count = 0;
        uint32_t more = 0;
        if (driven) {
            STATUS(BTZ_OK, btz_agent_check(agent, 1000000, &more, &error));
            CHECK(more <= 1);
        }
        STATUS(BTZ_OK, btz_agent_check_changes(agent, &found, sizeof found, 1, &count));
        if (count == 1) {
            CHECK(found.sequence == last + 1 && found.change >= BTZ_CHANGE_NEW && found.struct_size == sizeof found);
            last = found.sequence;
            if (strcmp(found.rule, rule) == 0 && strcmp(found.subject, vm) == 0 && found.change == kind) {
                return found;
            }
        } else if (!more) {
            struct pollfd polled;
            polled.fd = btz_agent_check_fd(agent);
            polled.events = POLLIN;
            poll(&polled, 1, 20);
        }
    }
    fprintf(stderr, "no %s of %s %s within 60 s\n", btz_change_name(kind), rule, vm);
    exit(2);
}

/* Everything that is found, in batches so small that the list must go on many times. */
static size_t listed(btz_agent *agent, const char *rule, const char *vm, btz_finding *wanted) {
    btz_finding batch[3];
    size_t count = 0, at, matching = 0;
    STATUS(BTZ_OK, btz_agent_findings(agent, NULL, batch, sizeof batch[0], 3, &count, NULL));
    while (count > 0) {
        for (at = 0; at < count; at++) {
            CHECK(batch[at].verdict >= BTZ_VERDICT_NOT_APPLICABLE && batch[at].verdict <= BTZ_VERDICT_FAIL);
            CHECK(batch[at].sequence == 0 && batch[at].change == 0);
            CHECK((batch[at].pid == 0) == (batch[at].entity == BTZ_ENTITY_HOST));
            if (strcmp(batch[at].rule, rule) == 0 && strcmp(batch[at].subject, vm) == 0) {
                *wanted = batch[at];
                matching++;
            }
        }
        STATUS(BTZ_OK, btz_agent_findings(agent, &batch[count - 1], batch, sizeof batch[0], 3, &count, NULL));
    }
    CHECK(matching <= 1);
    return matching;
}

static void json_has(btz_agent *agent, const btz_finding *of, const char *what) {
    size_t needed = 0;
    char *text;
    STATUS(BTZ_OK, btz_agent_finding(agent, of->rule, strlen(of->rule), of->pid, of->start_ticks, NULL, 0, &needed));
    /* It may grow between two calls: with room to spare. */
    text = malloc(needed + 4096);
    CHECK(text != NULL);
    STATUS(BTZ_OK, btz_agent_finding(agent, of->rule, strlen(of->rule), of->pid, 0, text, needed + 4096, &needed));
    if (strstr(text, what) == NULL) {
        fprintf(stderr, "no %s in %s\n", what, text);
        exit(1);
    }
    CHECK(text[0] == '{' && strstr(text, "\"evidence\"") != NULL);
    free(text);
}

static void rules(btz_agent *agent) {
    btz_check *checks;
    size_t total = 0, again = 0, at, needed = 0;
    char text[512];
    int own = 0;
    STATUS(BTZ_OK, btz_agent_checks(agent, NULL, sizeof *checks, 0, &total));
    checks = calloc(total, sizeof *checks);
    CHECK(checks != NULL);
    STATUS(BTZ_OK, btz_agent_checks(agent, checks, sizeof *checks, total, &again));
    CHECK(again == total && total > 2);
    for (at = 0; at < total; at++) {
        const size_t length = strlen(checks[at].id);
        CHECK(checks[at].facets >= BTZ_FACET_RUNTIME && checks[at].facets <= 3 && checks[at].title[0] != '\0');
        CHECK(strncmp(checks[at].id, checks[at].group, strlen(checks[at].group)) == 0);
        STATUS(BTZ_OK, btz_agent_check_text(agent, checks[at].id, length, BTZ_CHECK_TEXT_JSON, NULL, 0, &needed));
        CHECK(needed > length);
        if (strcmp(checks[at].id, FILE_RULE) == 0) {
            own++;
            CHECK(checks[at].severity == BTZ_CHECK_SEVERITY_HIGH && checks[at].scope == BTZ_CHECK_SCOPE_HOST);
            STATUS(BTZ_OK, btz_agent_check_text(agent, FILE_RULE, length, BTZ_CHECK_TEXT_REMEDIATION, text, sizeof text,
                                                &needed));
            CHECK(strcmp(text, "chmod o= file") == 0 && needed == strlen(text) + 1);
        }
    }
    CHECK(own == 1);
    free(checks);
}

static void waive(btz_agent *agent) {
    btz_waiver waiver = BTZ_WAIVER_INIT;
    waiver.rule = FILE_RULE;
    waiver.rule_length = strlen(FILE_RULE);
    waiver.owner = "ops@example.com";
    waiver.owner_length = strlen(waiver.owner);
    waiver.reason = "until the move";
    waiver.reason_length = strlen(waiver.reason);
    waiver.expires = "2999-12-31";
    waiver.expires_length = 10;
    STATUS(BTZ_OK, btz_agent_waive(agent, &waiver, &error));
}

static void driven(const char *folder) {
    char path[512];
    uint32_t more = 1;
    btz_agent *agent = agent_with(folder);
    btz_check_state state = BTZ_CHECK_STATE_INIT;
    btz_cost cost = BTZ_COST_INIT;
    btz_finding found = BTZ_FINDING_INIT;
    snprintf(path, sizeof path, "%s/file", folder);
    CHECK(chmod(path, 0600) == 0);

    rules(agent);
    STATUS(BTZ_OK, btz_agent_check_state(agent, &state));
    CHECK(state.enabled == 1 && state.sweeps == 0 && state.passed == 0 && ready(agent) == 0);
    CHECK(listed(agent, FILE_RULE, "", &found) == 0);
    while (more) {
        STATUS(BTZ_OK, btz_agent_check(agent, 100000, &more, &error));
    }
    rules(agent);
    STATUS(BTZ_OK, btz_agent_check_state(agent, &state));
    CHECK(state.sweeps == 1 && state.swept_wall_ns > 0 && state.cpu_ns > 0 && state.facts > 0 && state.passed > 0);
    STATUS(BTZ_OK, btz_agent_cost(agent, &cost));
    CHECK(cost.checks_cpu_ns > 0 && cost.checks_cpu_ns <= state.cpu_ns);
    CHECK(listed(agent, FILE_RULE, "", &found) == 1 && found.verdict == BTZ_VERDICT_PASS);
    CHECK(found.runtime == BTZ_VERDICT_PASS && found.persisted == 0 && found.before == 0 && found.flags == 0);
    exact(agent);

    CHECK(chmod(path, 0604) == 0);
    found = until(agent, FILE_RULE, "", BTZ_CHANGE_VERDICT, 1);
    CHECK(found.verdict == BTZ_VERDICT_FAIL && found.before == BTZ_VERDICT_PASS && found.flaps == 1);
    CHECK(found.flags == BTZ_FINDING_OPEN && found.reason[0] != '\0' && found.changed_wall_ns >= found.first_seen_wall_ns);
    json_has(agent, &found, "path.others:");
    waive(agent);
    found = until(agent, FILE_RULE, "", BTZ_CHANGE_WAIVER, 1);
    CHECK(found.verdict == BTZ_VERDICT_FAIL && found.flags == BTZ_FINDING_WAIVED);
    CHECK(strcmp(found.owner, "ops@example.com") == 0 && strcmp(found.expires, "2999-12-31") == 0);
    json_has(agent, &found, "until the move");

    STATUS(BTZ_OK, btz_agent_check_sweep(agent));
    do {
        STATUS(BTZ_OK, btz_agent_check(agent, 1000000000, &more, &error));
        STATUS(BTZ_OK, btz_agent_check_state(agent, &state));
    } while (more);
    CHECK(state.sweeps == 2 && state.waived == 1);
    exact(agent);
    STATUS(BTZ_OK, btz_agent_start(agent, &error));
    STATUS(BTZ_ERR_STATE, btz_agent_check(agent, 1000, &more, &error));
    STATUS(BTZ_OK, btz_agent_free(agent));
    printf("ok\n");
}

static void told(const char *what) {
    puts(what);
    fflush(stdout);
}

static void threads(const char *folder, const char *vm) {
    btz_agent *agent = agent_with(folder);
    btz_finding found, again;
    STATUS(BTZ_OK, btz_agent_start(agent, &error));
    found = until(agent, VM_RULE, vm, BTZ_CHANGE_NEW, 0);
    CHECK(found.verdict == BTZ_VERDICT_FAIL && found.pid > 0 && found.scope == BTZ_CHECK_SCOPE_VM);
    CHECK(btz_entity_scope(found.entity) == BTZ_SCOPE_VM);
    CHECK(listed(agent, VM_RULE, vm, &again) == 1 && again.pid == found.pid && again.entity == found.entity);
    json_has(agent, &found, vm);
    told("watching");
    (void)until(agent, FILE_RULE, "", BTZ_CHANGE_VERDICT, 0);
    told("changed");
    again = until(agent, VM_RULE, vm, BTZ_CHANGE_GONE, 0);
    CHECK(again.pid == found.pid && again.start_ticks == found.start_ticks);
    told("gone");
    exact(agent);
    STATUS(BTZ_OK, btz_agent_free(agent));
}

int main(int argc, char **argv) {
    CHECK(argc == 2 || argc == 3);
    if (argc == 2) {
        driven(argv[1]);
    } else {
        threads(argv[1], argv[2]);
    }
    return 0;
}
