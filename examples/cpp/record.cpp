// Records an event of the program's own, durably; hands every alert on only once it is recorded; verifies the whole.
//
//     record FOLDER [SECONDS]
#include <bartizan.hpp>

#include <iostream>
#include <poll.h>

using namespace std::chrono_literals;

int main(int argc, char **argv) try {
    if (argc < 2) {
        std::cerr << "usage: record FOLDER [SECONDS]\n";
        return 64;
    }
    const std::string folder = argv[1];
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(argc > 2 ? std::stoi(argv[2]) : 60);
    btz::ledger_options options;
    options.origin = "bartizan/example";
    btz::ledger ledger = btz::ledger::open(folder, options).value();
    const std::string key = ledger.key().value();
    ledger.wait(ledger.append(BTZ_RECORD_HOST, "watching begins").value(), 5s).value();
    {
        // Ends before the ledger does.
        btz::agent agent = btz::agent::make().value();
        agent.record(ledger, 250ms).value();
        agent.start().value();
        while (std::chrono::steady_clock::now() < end) {
            pollfd ready = {agent.alert_fd(), POLLIN, 0};
            poll(&ready, 1, 500);
            for (const btz_alert &alert : agent.alerts().value()) {
                std::cout << alert.rule << ": " << alert.message << '\n';
            }
        }
    }
    ledger.close(5s).value();
    const btz_ledger_report report = btz::ledger::verify(folder, key).value();
    std::cout << "verified with outcome " << report.outcome << ": records " << report.first << " to "
              << report.next - 1 << ' ' << report.what << '\n';
    return static_cast<int>(report.outcome);
} catch (const btz::failure &failure) {
    std::cerr << btz_status_name(failure.code()) << ": " << failure.what() << '\n';
    return 1;
}
