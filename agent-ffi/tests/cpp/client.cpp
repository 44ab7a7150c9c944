// The C++ header, used as a host would: everything once; or, with RULE and SUBJECT, until that alert comes.
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
    if (argc == 3) {
        return until_alert(argv[1], argv[2]);
    }
    everything();
    std::puts("ok");
    return 0;
}
