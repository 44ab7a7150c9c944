// The C++ header, used as a host would: everything once; with RULE and SUBJECT, until that alert comes; with
// FOLDER, what the checks find by its rules; with "checks", FOLDER and VM, until the VM was found and is gone.
#include <bartizan.hpp>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <poll.h>
#include <thread>
#include <type_traits>

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            std::exit(1);                                                                 \
        }                                                                                 \
    } while (0)

static_assert(!std::is_copy_constructible_v<btz::agent> && std::is_nothrow_move_constructible_v<btz::agent>);
static_assert(!std::is_copy_constructible_v<btz::config> && std::is_nothrow_move_constructible_v<btz::config>);
static_assert(sizeof(btz::value) == sizeof(btz_value) && std::is_standard_layout_v<btz_alert>);

static btz::config small_config() {
    btz::config config = btz::config::from_toml("[limits]\nvms = 4096\nvcpus = 32768\n"
                                                "[sampling]\ninterval_ms = 100\n"
                                                "[[rules]]\nname = \"test-vcpu-busy\"\nsummary = \"vCPU busy\"\n"
                                                "metric = \"vcpu_run_seconds\"\nabove = 0.05\nfor_s = 0.3\n")
                             .value();
    btz_options options = BTZ_OPTIONS_INIT;
    options.history_ticks = 8;
    config.apply(options).value();
    return config;
}

static void everything() {
    btz::config config = small_config();
    CHECK(config.options().value().history_ticks == 8);
    CHECK(config.memory().value() > 0);
    CHECK(btz::config::from_toml(config.to_toml().value()).value().fingerprint().value() ==
          config.fingerprint().value());
    CHECK(!config.rules().value().empty());

    auto wrong = btz::config::from_toml("[limits]\nvm = 3\n");
    CHECK(!wrong && wrong.status() == BTZ_ERR_CONFIG && wrong.error().name() == "BTZ_ERR_CONFIG");
    CHECK(wrong.error().message().find("vms") != std::string::npos);
    CHECK(btz::config::from_file("/nowhere/at/all").status() == BTZ_ERR_CONFIG);
#if defined(__cpp_exceptions)
    try {
        (void)wrong.value();
        CHECK(false);
    } catch (const btz::failure &failure) {
        CHECK(failure.code() == BTZ_ERR_CONFIG && std::strstr(failure.what(), "vms") != nullptr);
    }
#endif

    btz::agent agent = btz::agent::make(config).value();
    for (int tick = 0; tick < 3; ++tick) {
        agent.maintain().value();
        const auto before = agent.deadline().value();
        agent.step().value();
        CHECK(agent.deadline().value() > before);
    }
    CHECK(agent.tick().value().number == 3);
    CHECK(agent.alert_fd() >= 0 && agent.maintenance_fd() >= 0);

    const btz::value ticks = agent.read(BTZ_ENTITY_AGENT, BTZ_METRIC_AGENT_TICKS).value();
    CHECK(ticks.ok() && *ticks.get() >= 1 && ticks.age() < std::chrono::hours(1));
    const btz::value none = agent.read(BTZ_ENTITY_AGENT, BTZ_METRIC_VM_CPU_USER).value();
    CHECK(!none.get() && none.availability_name() == "unsupported" && std::isnan(none.scaled));
    const auto many = agent
                          .read({{BTZ_ENTITY_HOST, BTZ_METRIC_HOST_MEMORY_TOTAL, 0},
                                 {BTZ_ENTITY_AGENT, BTZ_METRIC_AGENT_TICKS, 0}})
                          .value();
    CHECK(many.size() == 2 && many[0].ok() && many[0].raw > 0 && many[1].raw == ticks.raw);
    CHECK(agent.history(BTZ_ENTITY_AGENT, BTZ_METRIC_AGENT_TICKS, 5).value().size() == 3);
    CHECK(!agent.parts(BTZ_ENTITY_HOST).value().empty() && !agent.sources(BTZ_ENTITY_HOST).value().empty());
    CHECK(agent.parts(1).status() == BTZ_ERR_ARGUMENT);
    CHECK(!agent.rules().value().empty());
    (void)agent.vms().value();
    (void)agent.alerts().value();
    const btz_accounting a = agent.accounting().value();
    CHECK(a.produced == a.delivered + a.suppressed + a.dropped + a.in_flight);
    CHECK(agent.cost().value().ticks == 3);
    agent.reload(config).value();

    agent.start().value();
    CHECK(agent.state().value() == BTZ_STATE_RUNNING && agent.step().status() == BTZ_ERR_STATE);
    agent.stop(std::chrono::seconds(60)).value();

    btz::agent other = std::move(agent);
    CHECK(agent.step().status() == BTZ_ERR_NULL); // NOLINT(bugprone-use-after-move): what it promises
    other.step().value();
    other = btz::agent::make(config).value();

    CHECK(btz::metrics().size() == btz_metric_count());
    CHECK(btz::metric("vm_cpu_user_seconds").value().id == BTZ_METRIC_VM_CPU_USER);
    CHECK(btz::metric("nonsense").status() == BTZ_ERR_NOT_FOUND);
}

// What the checks find, with the rules of a folder: "own.file" is about FOLDER/file, and no VM passes "own.vm".
static btz::agent checking(const std::string &folder) {
    return btz::agent::make(btz::config::from_toml("[limits]\nvms = 4096\nvcpus = 32768\nhistory_ticks = 8\n"
                                                   "[sampling]\ninterval_ms = 100\n"
                                                   "[checks]\nfolder = \"" +
                                                   folder + "/rules\"\nwaivers = \"" + folder + "/waivers\"\n")
                                .value())
        .value();
}

static void checks(const std::string &folder) {
    btz::agent agent = checking(folder);
    while (agent.check(std::chrono::milliseconds(1)).value()) {
    }
    CHECK(agent.check_state().value().sweeps == 1 && agent.check_fd() >= 0);
    CHECK(agent.checks().value().size() > 2);
    CHECK(agent.check_text("own.file", BTZ_CHECK_TEXT_TITLE).value() == "Others may not read the file");
    CHECK(agent.check_text("own.file", BTZ_CHECK_TEXT_WHEN).value().empty());
    CHECK(agent.check_text("own.nothing", BTZ_CHECK_TEXT_JSON).status() == BTZ_ERR_NOT_FOUND);
    CHECK(agent.check_text("own.file", 77).status() == BTZ_ERR_ARGUMENT);
    bool found = false;
    for (const btz_finding &finding : agent.findings().value()) {
        if (std::string_view(finding.rule) == "own.file") {
            found = true;
            CHECK(agent.finding_json(finding).value().find("path.others:") != std::string::npos);
        }
    }
    CHECK(found);
    (void)agent.check_changes().value();
    CHECK(agent.waive({"own.file", "host", "ops@example.com", "until the move", "someday"}).status() ==
          BTZ_ERR_ARGUMENT);
    CHECK(agent.waive({"own.none", "host", "ops@example.com", "until the move", "2999-12-31"}).status() ==
          BTZ_ERR_NOT_FOUND);
    agent.waive({"own.file", "host", "ops@example.com", "until the move", "2999-12-31"}).value();
    agent.sweep_checks().value();
    while (agent.check(std::chrono::milliseconds(1)).value()) {
    }
    const auto changes = agent.check_changes().value();
    CHECK(changes.size() == 1 && changes[0].change == BTZ_CHANGE_WAIVER);
    CHECK((changes[0].flags & BTZ_FINDING_WAIVED) != 0 && std::string_view(changes[0].owner) == "ops@example.com");
    const btz_accounting a = agent.check_accounting().value();
    CHECK(a.produced == a.delivered + a.dropped + a.in_flight && a.delivered >= 1);
    CHECK(agent.cost().value().checks_cpu_ns > 0);
}

static int until_gone(const std::string &folder, std::string_view vm) {
    btz::agent agent = checking(folder);
    agent.start().value();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
        pollfd polled{agent.check_fd(), POLLIN, 0};
        poll(&polled, 1, 100);
        for (const btz_finding &change : agent.check_changes().value()) {
            const bool of_vm = std::string_view(change.subject) == vm && std::string_view(change.rule) == "own.vm";
            if (of_vm && change.change == BTZ_CHANGE_NEW) {
                std::puts("watching");
                std::fflush(stdout);
            } else if (of_vm && change.change == BTZ_CHANGE_GONE) {
                std::puts("gone");
                return 0;
            } else if (std::string_view(change.rule) == "own.file" && change.change == BTZ_CHANGE_VERDICT) {
                std::puts("changed");
                std::fflush(stdout);
            }
        }
    }
    std::fputs("not within 60 s\n", stderr);
    return 2;
}

static int until_alert(const char *rule, const char *subject) {
    btz::agent agent = btz::agent::make(small_config()).value();
    agent.start().value();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    bool watching = false;
    while (std::chrono::steady_clock::now() < deadline) {
        for (const btz_vm &vm : agent.vms().value()) {
            if (!watching && std::strcmp(vm.name, subject) == 0) {
                std::puts("watching");
                std::fflush(stdout);
                watching = true;
            }
        }
        pollfd polled{agent.alert_fd(), POLLIN, 0};
        poll(&polled, 1, 100);
        for (const btz_alert &alert : agent.alerts().value()) {
            if (alert.state == BTZ_ALERT_FIRING && std::strcmp(alert.rule, rule) == 0 &&
                std::strcmp(alert.subject, subject) == 0) {
                std::printf("%s %s %s: %s\n", btz_severity_name(alert.severity), alert.rule, alert.subject,
                            alert.message);
                return 0;
            }
        }
    }
    std::fputs("no such alert within 60 s\n", stderr);
    return 2;
}

int main(int argc, char **argv) {
    if (argc == 4) {
        return until_gone(argv[2], argv[3]);
    }
    if (argc == 3) {
        return until_alert(argv[1], argv[2]);
    }
    if (argc == 2) {
        checks(argv[1]);
        std::puts("ok");
        return 0;
    }
    everything();
    std::puts("ok");
    return 0;
}
