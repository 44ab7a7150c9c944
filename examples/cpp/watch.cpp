// An agent that runs on threads of its own, embedded into a C++17 program that only listens.
//
//     watch [--seconds N] [CONFIG.toml]
#include <bartizan.hpp>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <poll.h>
#include <string>

using namespace std::chrono_literals;

namespace {

volatile std::sig_atomic_t ended = 0;

// A value, or why there is none: what cannot be read is never 0.
std::string told(const btz::value &value, double divisor = 1) {
    if (const auto number = value.get()) {
        return std::to_string(*number / divisor);
    }
    return std::string(value.availability_name());
}

// How each source of the host is read, and why not better.
void print_sources(const btz::agent &agent) {
    for (const btz_source &source : agent.sources(BTZ_ENTITY_HOST).value()) {
        std::cout << "  " << source.name << ": " << source.tier << ", " << btz_availability_name(source.availability);
        if (source.reason[0] != '\0') {
            std::cout << " (" << source.reason << ')';
        }
        std::cout << '\n';
    }
}

void print_host(const btz::agent &agent) {
    const auto memory = agent.read(BTZ_ENTITY_HOST, BTZ_METRIC_HOST_MEMORY_AVAILABLE).value();
    std::cout << "host: available MiB " << told(memory, 1024 * 1024) << '\n';
    for (const btz_vm &vm : agent.vms().value()) {
        const auto values = agent
                                .read({{vm.entity, BTZ_METRIC_VM_CPU_USER, 0},
                                       {vm.entity, BTZ_METRIC_VM_MEMORY_RESIDENT, 0}})
                                .value();
        std::cout << "  " << vm.name << " (" << btz_vmm_name(vm.vmm) << ", " << vm.vcpus << " vCPUs): CPU s "
                  << told(values[0]) << ", resident MiB " << told(values[1], 1024 * 1024) << '\n';
    }
    std::cout << std::flush;
}

void watch(const btz::config &config, std::chrono::seconds duration) {
    btz::agent agent = btz::agent::make(config).value();
    agent.start().value();
    const auto begin = std::chrono::steady_clock::now();
    auto next = begin + 1s;
    bool sources_shown = false;
    while (ended == 0 && (duration == 0s || std::chrono::steady_clock::now() < begin + duration)) {
        pollfd fds[] = {{agent.alert_fd(), POLLIN, 0}, {agent.check_fd(), POLLIN, 0}};
        poll(fds, 2, 200);
        for (const btz_alert &alert : agent.alerts().value()) {
            std::cout << (alert.state == BTZ_ALERT_FIRING ? "ALERT " : "over ") << alert.rule << ": " << alert.message
                      << std::endl;
        }
        for (const btz_finding &change : agent.check_changes().value()) {
            std::cout << "CHECK " << btz_verdict_name(change.verdict) << ' ' << change.rule << ' '
                      << (change.pid == 0 ? "host" : change.subject) << ": " << change.reason << std::endl;
        }
        if (std::chrono::steady_clock::now() >= next) {
            if (!sources_shown) {
                print_sources(agent);
                sources_shown = true;
            }
            print_host(agent);
            next += 2s;
        }
    }
    const btz_cost cost = agent.cost().value();
    const auto cpu_ns = cost.sampler_cpu_ns + cost.planner_cpu_ns + cost.checks_cpu_ns;
    std::cout << "it cost " << static_cast<double>(cpu_ns) * 1e-6 << " ms of CPU in " << cost.ticks << " ticks\n";
    // The destructor stops the threads and frees everything.
}

} // namespace

int main(int argc, char **argv) {
    std::chrono::seconds duration{0};
    const char *path = nullptr;
    for (int at = 1; at < argc; ++at) {
        if (std::string_view(argv[at]) == "--seconds" && at + 1 < argc) {
            duration = std::chrono::seconds(std::strtol(argv[++at], nullptr, 10));
        } else if (argv[at][0] != '-' && path == nullptr) {
            path = argv[at];
        } else {
            std::cerr << "usage: " << argv[0] << " [--seconds N] [CONFIG.toml]\n";
            return 2;
        }
    }
    std::signal(SIGINT, [](int) { ended = 1; });
    std::signal(SIGTERM, [](int) { ended = 1; });
    try {
        watch(path == nullptr ? btz::config::defaults().value() : btz::config::from_file(path).value(), duration);
    } catch (const btz::failure &failure) {
        std::cerr << btz_status_name(failure.code()) << ": " << failure.what() << '\n';
        return 1;
    }
    return 0;
}
