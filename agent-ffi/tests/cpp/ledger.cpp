// A ledger as a C++ host would use it: recorded, waited for, read, proven, verified. The argument is an empty folder.
#include <bartizan.hpp>

#include <cstdio>
#include <poll.h>
#include <type_traits>

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            std::exit(1);                                                                 \
        }                                                                                 \
    } while (0)

static_assert(!std::is_copy_constructible_v<btz::ledger> && std::is_nothrow_move_constructible_v<btz::ledger>);
static_assert(!std::is_copy_constructible_v<btz::ledger_cursor>);

using namespace std::chrono_literals;

int main(int argc, char **argv) {
    CHECK(argc == 2);
    const std::string folder = std::string(argv[1]) + "/ledger";
    btz::ledger_options options;
    CHECK(btz::ledger::open(folder, options).status() == BTZ_ERR_ARGUMENT);
    options.origin = "bartizan/cxx-host";
    options.witnesses = {"no key"};
    CHECK(btz::ledger::open(folder, options).status() == BTZ_ERR_ARGUMENT);
    options.witnesses.clear();
    std::string key, checkpoint;
    uint64_t last = 0;
    {
        btz::ledger ledger = btz::ledger::open(folder, options).value();
        CHECK(btz::ledger::open(folder, options).status() == BTZ_ERR_LOCKED);
        CHECK(ledger.append(BTZ_RECORD_ALERT, "not the host's").status() == BTZ_ERR_ARGUMENT);
        ledger.append(BTZ_RECORD_HOST, "of the host").value();
        last = ledger.append(BTZ_RECORD_HOST + 1, std::string_view("of a\0tenant", 11), "acme").value();
        ledger.wait(last, 10s).value();
        ledger.sign().value();
        pollfd ready = {ledger.fd(), POLLIN, 0};
        CHECK(poll(&ready, 1, 10000) == 1);
        const btz_ledger_status state = ledger.state().value();
        CHECK(state.durable > last && state.covered > last && state.disk == BTZ_DISK_GOOD);
        key = ledger.key().value();
        checkpoint = ledger.checkpoint().value();
        CHECK(checkpoint.rfind("bartizan/cxx-host\n", 0) == 0);
        CHECK(ledger.checkpoint("acme").value().rfind("bartizan/cxx-host/tenant/", 0) == 0);
        CHECK(ledger.checkpoint("nobody").status() == BTZ_ERR_NOT_FOUND);
        CHECK(ledger.prove(last).value().rfind("c2sp.org/tlog-proof@v1\nindex 1\n", 0) == 0);
        CHECK(ledger.prove(4711).status() == BTZ_ERR_NOT_FOUND);
        CHECK(ledger.cosigned(checkpoint).status() == BTZ_ERR_ARGUMENT);
        CHECK(ledger.maintain().status() == BTZ_ERR_STATE);

        btz::agent agent = btz::agent::make().value();
        agent.record(ledger, 250ms).value();
        CHECK(agent.alerts().value().empty());
        agent.forget_ledger().value();

        btz::ledger moved = std::move(ledger);
        moved.rotate_key().value();
        moved.close(10s).value();
        CHECK(moved.append(BTZ_RECORD_HOST, "late").status() == BTZ_ERR_STATE);
    }
    auto cursor = btz::ledger_cursor::make(folder, 1).value();
    std::size_t records = 0;
    bool seen = false;
    for (auto batch = cursor.next(2).value(); !batch.empty(); batch = cursor.next(2).value()) {
        for (const auto &record : batch) {
            records++;
            seen = seen || (record.sequence == last && record.payload == std::string("of a\0tenant", 11) &&
                            std::string_view(record.tenant) == "acme" && record.kind == BTZ_RECORD_HOST + 1);
        }
    }
    const auto report = btz::ledger::verify(folder, key, "acme", checkpoint).value();
    CHECK(seen && report.outcome == BTZ_VERIFIED_PROVEN && report.next == records + 1 && report.leaves == 2);
    CHECK(btz::ledger::verify(folder).value().outcome == BTZ_VERIFIED_UNPROVEN);
    CHECK(btz::ledger::verify("/no/such/folder", key).status() == BTZ_ERR_NOT_FOUND);
    return 0;
}
