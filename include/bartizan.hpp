/*
 * Bartizan for C++17: the C API of bartizan.h with ownership, containers and results instead of handles, buffers and
 * statuses. Header-only; link libbartizan. What a call does, which threads may make it and whether it blocks is written
 * at the C function of the same name, which is the authority.
 *
 * Errors. A function that can fail returns btz::result<T>, which must be looked at: test it, then take the value.
 *     auto made = btz::agent::make(config);
 *     if (!made) { std::cerr << made.error().message() << '\n'; return 1; }
 *     btz::agent agent = std::move(made).value();
 * value() of a failed result throws btz::failure; where exceptions are switched off, it aborts, so test first there.
 *
 * Ownership. btz::config, btz::ledger, btz::ledger_cursor and btz::agent are move-only and end what they own. A moved-from one may only be assigned to or
 * destroyed; every other call on it returns BTZ_ERR_NULL.
 */
#ifndef BARTIZAN_HPP
#define BARTIZAN_HPP

#include "bartizan.h"

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace btz {

/* A status that is not BTZ_OK, with its text. */
class error {
public:
    error(btz_status code, std::string message) : code_(code), message_(std::move(message)) {}

    btz_status code() const noexcept { return code_; }
    /* Such as "BTZ_ERR_BUSY". */
    std::string_view name() const noexcept { return btz_status_name(code_); }
    /* What is wrong and the cure; the name where the call has no text. May have several lines. */
    const std::string &message() const noexcept { return message_; }

private:
    btz_status code_;
    std::string message_;
};

/* What value() of a failed result throws. */
class failure : public std::runtime_error {
public:
    explicit failure(const btz::error &error) : std::runtime_error(error.message()), code_(error.code()) {}
    btz_status code() const noexcept { return code_; }

private:
    btz_status code_;
};

namespace detail {
[[noreturn]] inline void fail(const btz::error &error) {
#if defined(__cpp_exceptions)
    throw failure(error);
#else
    (void)error;
    std::abort();
#endif
}
} // namespace detail

/* A value, or why there is none. */
template <typename T>
class [[nodiscard]] result {
public:
    result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    result(btz::error error) : state_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const noexcept { return state_.index() == 0; }
    btz_status status() const noexcept { return *this ? BTZ_OK : std::get_if<1>(&state_)->code(); }
    /* Only of a failed result. */
    const btz::error &error() const noexcept { return *std::get_if<1>(&state_); }
    T &value() & { return checked(), *std::get_if<0>(&state_); }
    const T &value() const & { return checked(), *std::get_if<0>(&state_); }
    /* By value: `for (auto &vm : agent.vms().value())` must not look into what is gone. */
    T value() && { return checked(), std::move(*std::get_if<0>(&state_)); }

private:
    void checked() const {
        if (!*this) {
            detail::fail(error());
        }
    }
    std::variant<T, btz::error> state_;
};

/* Done, or why not. */
template <>
class [[nodiscard]] result<void> {
public:
    result() = default;
    result(btz::error error) : error_(std::move(error)) {}

    explicit operator bool() const noexcept { return !error_; }
    btz_status status() const noexcept { return error_ ? error_->code() : BTZ_OK; }
    /* Only of a failed result. */
    const btz::error &error() const noexcept { return *error_; }
    void value() const {
        if (error_) {
            detail::fail(*error_);
        }
    }

private:
    std::optional<btz::error> error_;
};

/* One value: btz_value, with a safe way to look at it. */
struct value : btz_value {
    value() noexcept : btz_value BTZ_VALUE_INIT {}
    bool ok() const noexcept { return availability == BTZ_AVAILABILITY_OK; }
    /* In the exported unit, if it is good: unavailable is never 0. */
    std::optional<double> get() const noexcept { return ok() ? std::optional<double>(scaled) : std::nullopt; }
    /* Such as "denied". */
    std::string_view availability_name() const noexcept { return btz_availability_name(availability); }
    std::chrono::nanoseconds age() const noexcept {
        constexpr auto longest = static_cast<uint64_t>(INT64_MAX);
        return std::chrono::nanoseconds(static_cast<int64_t>(age_ns < longest ? age_ns : longest));
    }
};

namespace detail {

template <typename Handle, btz_status (*Free)(Handle *)>
struct free_handle {
    void operator()(Handle *handle) const noexcept {
        /* Refused only while another thread is inside a call, which is the program's mistake: then it is left alone. */
        (void)Free(handle);
    }
};
template <typename Handle, btz_status (*Free)(Handle *)>
using owner = std::unique_ptr<Handle, free_handle<Handle, Free>>;

inline btz::error bare(btz_status status) { return {status, btz_status_name(status)}; }

/* A call that fills a btz_error. */
template <typename Call>
result<void> told(Call call) {
    btz_error error = BTZ_ERROR_INIT;
    const btz_status status = call(&error);
    if (status == BTZ_OK) {
        return {};
    }
    return btz::error(status, error.message);
}

/* A call that makes a T through a pointer. */
template <typename T, typename Call>
result<T> filled(T start, Call call) {
    const btz_status status = call(&start);
    if (status == BTZ_OK) {
        return start;
    }
    return bare(status);
}

/* A list whose length is only known once it was asked for; it may grow between two calls. */
template <typename T, typename Call>
result<std::vector<T>> list(Call call) {
    std::vector<T> items;
    for (;;) {
        std::size_t total = 0;
        const btz_status status = call(items.data(), sizeof(T), items.size(), &total);
        if (status != BTZ_OK) {
            return bare(status);
        }
        if (total <= items.size()) {
            items.resize(total);
            return items;
        }
        items.resize(total + total / 8);
    }
}

/* A text whose length is only known once it was asked for; it may grow between two calls. */
template <typename Call>
result<std::string> text(Call call) {
    std::string text;
    std::size_t needed = 0;
    btz_status status = call(static_cast<char *>(nullptr), std::size_t{0}, &needed);
    do {
        text.resize(status == BTZ_OK || status == BTZ_ERR_BUFFER ? needed : 0);
        if (text.empty()) {
            return bare(status);
        }
        status = call(text.data(), text.size(), &needed);
    } while (status != BTZ_OK);
    text.resize(needed - 1);
    return text;
}

} // namespace detail

/* Somebody answers for a finding: for what was observed, until a day. */
struct waiver {
    std::string rule;
    /* "host", or a VM's name or UUID. */
    std::string subject = "host";
    std::string owner;
    std::string reason;
    /* The last day it holds, YYYY-MM-DD, UTC. */
    std::string expires;
    /* Empty: what is found now. */
    std::string observed = {};
    /* Where it was decided. */
    std::string ticket = {};
};

/* A configuration. One thread at a time; agents copy it. */
class config {
public:
    /* The defaults, which watch this host. */
    static result<config> defaults() {
        return make([](btz_config **out, btz_error *error) { return btz_config_new(BTZ_ABI_VERSION, out, error); });
    }
    static result<config> from_toml(std::string_view text) {
        return make([=](btz_config **out, btz_error *error) {
            return btz_config_from_toml(BTZ_ABI_VERSION, text.data(), text.size(), out, error);
        });
    }
    /* A file and its drop-ins. */
    static result<config> from_file(std::string_view path) {
        return make([=](btz_config **out, btz_error *error) {
            return btz_config_from_file(BTZ_ABI_VERSION, path.data(), path.size(), out, error);
        });
    }

    result<void> apply(const btz_options &options) {
        return detail::told([&](btz_error *error) { return btz_config_apply(handle(), &options, error); });
    }
    result<btz_options> options() const {
        return detail::filled(btz_options BTZ_OPTIONS_INIT, [&](auto *out) { return btz_config_options(handle(), out); });
    }
    result<void> set_root(std::string_view path) {
        return detail::told(
            [&](btz_error *error) { return btz_config_set_root(handle(), path.data(), path.size(), error); });
    }
    /* Bytes that an agent with this configuration sets aside. */
    result<uint64_t> memory() const {
        return detail::filled(uint64_t{0}, [&](auto *out) { return btz_config_memory(handle(), out); });
    }
    result<std::array<uint8_t, 32>> fingerprint() const {
        return detail::filled(std::array<uint8_t, 32>{},
                              [&](auto *out) { return btz_config_fingerprint(handle(), out->data()); });
    }
    result<std::string> to_toml() const {
        return detail::text([&](auto *buffer, auto capacity, auto *needed) {
            return btz_config_to_toml(handle(), buffer, capacity, needed);
        });
    }
    result<std::vector<btz_rule>> rules() const {
        return detail::list<btz_rule>([&](auto *out, auto stride, auto capacity, auto *total) {
            return btz_config_rules(handle(), out, stride, capacity, total, nullptr);
        });
    }

    btz_config *handle() const noexcept { return owned_.get(); }

private:
    explicit config(btz_config *owned) : owned_(owned) {}
    template <typename Call>
    static result<config> make(Call call) {
        btz_config *made = nullptr;
        auto done = detail::told([&](btz_error *error) { return call(&made, error); });
        if (!done) {
            return done.error();
        }
        return config(made);
    }
    detail::owner<btz_config, btz_config_free> owned_;
};

/* How a ledger is opened: btz_ledger_options, with texts that own themselves. */
struct ledger_options {
    /* What names the ledger for good, such as "bartizan/host-17.example". */
    std::string origin;
    /* Public keys of witnesses. */
    std::vector<std::string> witnesses = {};
    /* The host calls maintain(). */
    bool driven = false;
    /* 0 keeps everything. */
    uint64_t bytes_max = 0;
    /* 0 keeps everything. */
    std::chrono::seconds age_max{0};
    std::chrono::milliseconds checkpoint_interval{60000};
    /* 0: the defaults of btz_ledger_options. */
    uint32_t segment_bytes = 0;
    uint32_t queue_bytes = 0;
    uint32_t reserve_bytes = 0;
};

/* A record with its payload. */
struct record : btz_record {
    record() noexcept : btz_record BTZ_RECORD_INIT {}
    std::string payload;
};

/* Reads a ledger's folder, which may be one that is being written. One thread at a time. */
class ledger_cursor {
public:
    static result<ledger_cursor> make(std::string_view folder, uint64_t from = 0) {
        btz_ledger_cursor *made = nullptr;
        auto done = detail::told([&](btz_error *error) {
            return btz_ledger_cursor_new(BTZ_ABI_VERSION, folder.data(), folder.size(), from, &made, error);
        });
        if (!done) {
            return done.error();
        }
        return ledger_cursor(made);
    }
    /* The next records; empty: there are none yet. */
    result<std::vector<record>> next(std::size_t count_max = 256) {
        std::vector<btz_record> taken(count_max);
        std::size_t count = 0;
        auto done = detail::told([&](btz_error *error) {
            return btz_ledger_cursor_next(handle(), taken.data(), sizeof(btz_record), taken.size(), payloads_.data(),
                                          payloads_.size(), &count, nullptr, error);
        });
        if (!done) {
            return done.error();
        }
        std::vector<record> records(count);
        for (std::size_t at = 0; at < count; ++at) {
            static_cast<btz_record &>(records[at]) = taken[at];
            const auto *begin = reinterpret_cast<const char *>(payloads_.data()) + taken[at].payload_offset;
            records[at].payload.assign(begin, static_cast<std::size_t>(taken[at].payload_length));
        }
        return records;
    }

    btz_ledger_cursor *handle() const noexcept { return owned_.get(); }

private:
    explicit ledger_cursor(btz_ledger_cursor *owned) : owned_(owned), payloads_(4 * BTZ_PAYLOAD_BYTES_MAX) {}
    detail::owner<btz_ledger_cursor, btz_ledger_cursor_free> owned_;
    std::vector<uint8_t> payloads_;
};

/* A ledger. Calls may be made from any thread, unless the C function says otherwise; the destructor excludes all. It
 * does not end the run in order: close() does, and says whether it could. */
class ledger {
public:
    static result<ledger> open(std::string_view folder, const ledger_options &given) {
        std::string witnesses;
        for (const auto &witness : given.witnesses) {
            witnesses += witness + '\n';
        }
        btz_ledger_options options = BTZ_LEDGER_OPTIONS_INIT;
        options.driven = given.driven ? BTZ_ON : 0;
        options.origin = given.origin.data(), options.origin_length = given.origin.size();
        options.witnesses = witnesses.data(), options.witnesses_length = witnesses.size();
        options.bytes_max = given.bytes_max;
        options.age_s_max = given.age_max.count() < 0 ? 0 : static_cast<uint64_t>(given.age_max.count());
        options.checkpoint_interval_ms = milliseconds(given.checkpoint_interval);
        options.segment_bytes = given.segment_bytes;
        options.queue_bytes = given.queue_bytes;
        options.reserve_bytes = given.reserve_bytes;
        btz_ledger *made = nullptr;
        auto done = detail::told([&](btz_error *error) {
            return btz_ledger_open(BTZ_ABI_VERSION, folder.data(), folder.size(), &options, &made, error);
        });
        if (!done) {
            return done.error();
        }
        return ledger(made);
    }

    /* Records an event of the host's; the record's number. kind: from BTZ_RECORD_HOST on. tenant: empty for the host's own. */
    result<uint64_t> append(uint32_t kind, std::string_view payload, std::string_view tenant = {}) {
        uint64_t sequence = 0;
        auto done = detail::told([&](btz_error *error) {
            return btz_ledger_append(handle(), kind, text(tenant), tenant.size(),
                                     reinterpret_cast<const uint8_t *>(payload.data()), payload.size(), &sequence, error);
        });
        if (!done) {
            return done.error();
        }
        return sequence;
    }
    /* Until it would survive a loss of power. */
    result<void> wait(uint64_t sequence, std::chrono::milliseconds timeout) {
        return detail::told(
            [&](btz_error *error) { return btz_ledger_wait(handle(), sequence, milliseconds(timeout), error); });
    }
    result<void> maintain() {
        return detail::told([&](btz_error *error) { return btz_ledger_maintain(handle(), error); });
    }
    /* Makes a checkpoint now. */
    result<void> sign() {
        return detail::told([&](btz_error *error) { return btz_ledger_sign(handle(), error); });
    }
    result<void> rotate_key() {
        return detail::told([&](btz_error *error) { return btz_ledger_rotate_key(handle(), error); });
    }
    result<void> cosigned(std::string_view note) {
        return detail::told(
            [&](btz_error *error) { return btz_ledger_cosigned(handle(), note.data(), note.size(), error); });
    }
    /* Ends the run in order. */
    result<void> close(std::chrono::milliseconds timeout) {
        return detail::told([&](btz_error *error) { return btz_ledger_close(handle(), milliseconds(timeout), error); });
    }

    /* To be polled, neither read nor closed; negative: a BTZ_ERR_*. */
    int fd() const noexcept { return btz_ledger_fd(handle()); }
    result<btz_ledger_status> state() const {
        return detail::filled(btz_ledger_status BTZ_LEDGER_STATUS_INIT,
                              [&](auto *out) { return btz_ledger_state(handle(), out); });
    }
    result<std::string> key() const {
        return detail::text([&](auto *buffer, auto capacity, auto *needed) {
            return btz_ledger_key(handle(), buffer, capacity, needed);
        });
    }
    /* The last signed checkpoint of a tenant's log, or of the host's. */
    result<std::string> checkpoint(std::string_view tenant = {}) const {
        return detail::text([&](auto *buffer, auto capacity, auto *needed) {
            return btz_ledger_checkpoint(handle(), text(tenant), tenant.size(), buffer, capacity, needed, nullptr);
        });
    }
    result<std::string> prove(uint64_t sequence) const {
        return detail::text([&](auto *buffer, auto capacity, auto *needed) {
            return btz_ledger_prove(handle(), sequence, buffer, capacity, needed, nullptr);
        });
    }

    /* Verifies a folder by its files and a key; what came out is in the report's outcome. */
    static result<btz_ledger_report> verify(std::string_view folder, std::string_view key = {},
                                            std::string_view tenant = {}, std::string_view checkpoint = {}) {
        btz_ledger_report report = BTZ_LEDGER_REPORT_INIT;
        auto done = detail::told([&](btz_error *error) {
            return btz_ledger_verify(BTZ_ABI_VERSION, folder.data(), folder.size(), text(key), key.size(), text(tenant),
                                     tenant.size(), text(checkpoint), checkpoint.size(), &report, error);
        });
        if (!done) {
            return done.error();
        }
        return report;
    }

    btz_ledger *handle() const noexcept { return owned_.get(); }

private:
    explicit ledger(btz_ledger *owned) : owned_(owned) {}
    /* Empty stands for none. */
    static const char *text(std::string_view given) noexcept { return given.empty() ? nullptr : given.data(); }
    static uint32_t milliseconds(std::chrono::milliseconds given) noexcept {
        const auto count = given.count();
        return count < 0 ? 0u : count > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(count);
    }
    detail::owner<btz_ledger, btz_ledger_free> owned_;
};

/* An agent. Calls may be made from any thread, unless the C function says otherwise; the destructor excludes all. */
class agent {
public:
    static result<agent> make(const config &config) { return make(config.handle()); }
    /* With the defaults. */
    static result<agent> make() { return make(static_cast<const btz_config *>(nullptr)); }

    result<void> start() {
        return detail::told([&](btz_error *error) { return btz_agent_start(handle(), error); });
    }
    result<void> stop(std::chrono::milliseconds timeout) {
        const auto count = timeout.count();
        const auto ms = count < 0 ? 0u : count > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(count);
        return detail::told([&](btz_error *error) { return btz_agent_stop(handle(), ms, error); });
    }
    result<void> step() {
        return detail::told([&](btz_error *error) { return btz_agent_step(handle(), error); });
    }
    result<void> maintain() {
        return detail::told([&](btz_error *error) { return btz_agent_maintain(handle(), error); });
    }
    result<void> reload(const config &config) {
        return detail::told([&](btz_error *error) { return btz_agent_reload(handle(), config.handle(), error); });
    }

    /* Alerts and changes are recorded before they are handed out, and held back for the disk for so long at most. The
     * ledger must live until forget_ledger(), or longer than the agent. */
    result<void> record(const ledger &ledger, std::chrono::milliseconds hold) {
        const auto count = hold.count();
        const auto ms = count < 0 ? 0u : count > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(count);
        return detail::told([&](btz_error *error) { return btz_agent_record(handle(), ledger.handle(), ms, error); });
    }
    result<void> forget_ledger() {
        return detail::told([&](btz_error *error) { return btz_agent_record(handle(), nullptr, 0, error); });
    }

    /* When step() is due, by CLOCK_MONOTONIC. */
    result<std::chrono::nanoseconds> deadline() const {
        auto read = detail::filled(uint64_t{0}, [&](auto *out) { return btz_agent_deadline(handle(), out); });
        if (!read) {
            return read.error();
        }
        return std::chrono::nanoseconds(static_cast<int64_t>(read.value()));
    }
    /* To be polled, neither read nor closed; negative: a BTZ_ERR_*. */
    int alert_fd() const noexcept { return btz_agent_alert_fd(handle()); }
    /* To be polled, neither read nor closed; negative: a BTZ_ERR_*. */
    int maintenance_fd() const noexcept { return btz_agent_maintenance_fd(handle()); }
    /* BTZ_STATE_*. */
    result<uint32_t> state() const {
        return detail::filled(uint32_t{0}, [&](auto *out) { return btz_agent_state(handle(), out); });
    }

    result<btz_tick> tick() const {
        return detail::filled(btz_tick BTZ_TICK_INIT, [&](auto *out) { return btz_agent_tick(handle(), out); });
    }
    result<btz::value> read(btz_entity entity, uint32_t metric) const {
        return detail::filled(btz::value(),
                              [&](auto *out) { return btz_agent_read(handle(), entity, metric, out); });
    }
    result<std::vector<btz::value>> read(const std::vector<btz_query> &queries) const {
        std::vector<btz::value> values(queries.size());
        const btz_status status =
            btz_agent_read_many(handle(), queries.data(), queries.size(), values.data(), sizeof(btz::value));
        if (status != BTZ_OK) {
            return detail::bare(status);
        }
        return values;
    }
    /* Oldest first. */
    result<std::vector<btz_point>> history(btz_entity entity, uint32_t metric, std::size_t ticks_max) const {
        std::vector<btz_point> points(ticks_max);
        std::size_t count = 0;
        const btz_status status =
            btz_agent_history(handle(), entity, metric, points.data(), sizeof(btz_point), points.size(), &count);
        if (status != BTZ_OK) {
            return detail::bare(status);
        }
        points.resize(count);
        return points;
    }

    result<std::vector<btz_vm>> vms() const {
        return detail::list<btz_vm>([&](auto *out, auto stride, auto capacity, auto *total) {
            return btz_agent_vms(handle(), out, stride, capacity, total);
        });
    }
    /* Of a VM, or of BTZ_ENTITY_HOST. */
    result<std::vector<btz_part>> parts(btz_entity whole) const {
        return detail::list<btz_part>([&](auto *out, auto stride, auto capacity, auto *total) {
            return btz_agent_parts(handle(), whole, out, stride, capacity, total);
        });
    }
    /* Of a VM, or of BTZ_ENTITY_HOST. */
    result<std::vector<btz_source>> sources(btz_entity whole) const {
        return detail::list<btz_source>([&](auto *out, auto stride, auto capacity, auto *total) {
            return btz_agent_sources(handle(), whole, out, stride, capacity, total);
        });
    }
    result<std::vector<btz_rule>> rules() const {
        return detail::list<btz_rule>([&](auto *out, auto stride, auto capacity, auto *total) {
            return btz_agent_rules(handle(), out, stride, capacity, total);
        });
    }

    /* The oldest alerts that wait, at most so many: they are the caller's. */
    result<std::vector<btz_alert>> alerts(std::size_t count_max = 64) {
        std::vector<btz_alert> taken(count_max);
        std::size_t count = 0;
        const btz_status status = btz_agent_alerts(handle(), taken.data(), sizeof(btz_alert), taken.size(), &count);
        if (status != BTZ_OK) {
            return detail::bare(status);
        }
        taken.resize(count);
        return taken;
    }
    result<btz_accounting> accounting() const {
        return detail::filled(btz_accounting BTZ_ACCOUNTING_INIT,
                              [&](auto *out) { return btz_agent_accounting(handle(), out); });
    }
    /* Checks of isolation and configuration: the rules. */
    result<std::vector<btz_check>> checks() const {
        return detail::list<btz_check>([&](auto *out, auto stride, auto capacity, auto *total) {
            return btz_agent_checks(handle(), out, stride, capacity, total);
        });
    }
    /* One text about a rule: BTZ_CHECK_TEXT_*. */
    result<std::string> check_text(std::string_view id, uint32_t part) const {
        return detail::text([&](auto *buffer, auto capacity, auto *needed) {
            return btz_agent_check_text(handle(), id.data(), id.size(), part, buffer, capacity, needed);
        });
    }
    /* What is found now: the host's first, then VM by VM; what passes, too. */
    result<std::vector<btz_finding>> findings() const {
        constexpr std::size_t batch = 256;
        std::vector<btz_finding> found;
        for (std::size_t count = batch; count == batch;) {
            const std::size_t before = found.size();
            const btz_finding last = before == 0 ? btz_finding BTZ_FINDING_INIT : found.back();
            found.resize(before + batch);
            const btz_status status = btz_agent_findings(handle(), before == 0 ? nullptr : &last, &found[before],
                                                         sizeof(btz_finding), batch, &count, nullptr);
            if (status != BTZ_OK) {
                return detail::bare(status);
            }
            found.resize(before + count);
        }
        return found;
    }
    /* A finding in full, as JSON: with its evidence. */
    result<std::string> finding_json(const btz_finding &of) const {
        const std::string_view rule = of.rule;
        return detail::text([&](auto *buffer, auto capacity, auto *needed) {
            return btz_agent_finding(handle(), rule.data(), rule.size(), of.pid, of.start_ticks, buffer, capacity, needed);
        });
    }
    /* To be polled, neither read nor closed; negative: a BTZ_ERR_*. */
    int check_fd() const noexcept { return btz_agent_check_fd(handle()); }
    /* The oldest changes that wait, at most so many: they are the caller's. */
    result<std::vector<btz_finding>> check_changes(std::size_t count_max = 64) {
        std::vector<btz_finding> taken(count_max);
        std::size_t count = 0;
        const btz_status status =
            btz_agent_check_changes(handle(), taken.data(), sizeof(btz_finding), taken.size(), &count);
        if (status != BTZ_OK) {
            return detail::bare(status);
        }
        taken.resize(count);
        return taken;
    }
    result<btz_accounting> check_accounting() const {
        return detail::filled(btz_accounting BTZ_ACCOUNTING_INIT,
                              [&](auto *out) { return btz_agent_check_accounting(handle(), out); });
    }
    result<btz_check_state> check_state() const {
        return detail::filled(btz_check_state BTZ_CHECK_STATE_INIT,
                              [&](auto *out) { return btz_agent_check_state(handle(), out); });
    }
    /* A full run, soon. */
    result<void> sweep_checks() {
        const btz_status status = btz_agent_check_sweep(handle());
        return status == BTZ_OK ? result<void>() : result<void>(detail::bare(status));
    }
    /* Works on the checks, on this thread; whether there is more to do at once. */
    result<bool> check(std::chrono::nanoseconds budget) {
        const auto ns = budget.count() < 0 ? uint64_t{0} : static_cast<uint64_t>(budget.count());
        uint32_t more = 0;
        auto done = detail::told([&](btz_error *error) { return btz_agent_check(handle(), ns, &more, error); });
        if (!done) {
            return done.error();
        }
        return more != 0;
    }
    result<void> waive(const waiver &given) {
        btz_waiver waiver = BTZ_WAIVER_INIT;
        waiver.rule = given.rule.data(), waiver.rule_length = given.rule.size();
        waiver.subject = given.subject.data(), waiver.subject_length = given.subject.size();
        waiver.owner = given.owner.data(), waiver.owner_length = given.owner.size();
        waiver.reason = given.reason.data(), waiver.reason_length = given.reason.size();
        waiver.expires = given.expires.data(), waiver.expires_length = given.expires.size();
        waiver.ticket = given.ticket.data(), waiver.ticket_length = given.ticket.size();
        if (!given.observed.empty()) {
            waiver.observed = given.observed.data(), waiver.observed_length = given.observed.size();
        }
        return detail::told([&](btz_error *error) { return btz_agent_waive(handle(), &waiver, error); });
    }

    result<btz_cost> cost() const {
        return detail::filled(btz_cost BTZ_COST_INIT, [&](auto *out) { return btz_agent_cost(handle(), out); });
    }

    btz_agent *handle() const noexcept { return owned_.get(); }

private:
    explicit agent(btz_agent *owned) : owned_(owned) {}
    static result<agent> make(const btz_config *config) {
        btz_agent *made = nullptr;
        auto done =
            detail::told([&](btz_error *error) { return btz_agent_new(BTZ_ABI_VERSION, config, &made, error); });
        if (!done) {
            return done.error();
        }
        return agent(made);
    }
    detail::owner<btz_agent, btz_agent_free> owned_;
};

/* Every metric there is. */
inline std::vector<btz_metric> metrics() {
    std::vector<btz_metric> all(btz_metric_count(), btz_metric BTZ_METRIC_INIT);
    for (std::size_t place = 0; place < all.size(); ++place) {
        (void)btz_metric_at(place, &all[place]);
    }
    return all;
}

/* The metric of a name, such as "vm_cpu_user_seconds". */
inline result<btz_metric> metric(std::string_view name) {
    return detail::filled(btz_metric BTZ_METRIC_INIT,
                          [&](auto *out) { return btz_metric_by_name(name.data(), name.size(), out); });
}

} // namespace btz

#endif
