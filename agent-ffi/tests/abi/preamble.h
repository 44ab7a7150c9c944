/*
 * Bartizan: an embedded host security agent. Watches a hypervisor host and its virtual machines, and says what is wrong.
 *
 * This header is the authoritative documentation of the C ABI. It is generated from agent-ffi; do not edit it.
 *
 *     btz_agent *agent = NULL;
 *     btz_error error = BTZ_ERROR_INIT;
 *     if (btz_agent_new(BTZ_ABI_VERSION, NULL, &agent, &error) != BTZ_OK) { ... error.message ... }
 *     btz_agent_start(agent, &error);
 *     ... poll btz_agent_alert_fd(agent), then btz_agent_alerts(); read values when wanted ...
 *     ... poll btz_agent_check_fd(agent), then btz_agent_check_changes(): is each VM isolated, is the host as promised ...
 *     btz_agent_free(agent);
 *
 * What holds for everything here, unless an item says otherwise:
 *
 * Status.     Functions return BTZ_OK or a negative BTZ_ERR_*. Results are written only on success. A call that can be
 *             refused for many reasons takes a btz_error, which belongs to the caller and may be NULL. Any call may
 *             return BTZ_ERR_NULL, BTZ_ERR_HANDLE, BTZ_ERR_REENTRY, BTZ_ERR_INTERNAL and, on an agent, BTZ_ERR_FORKED
 *             and BTZ_ERR_FAULTED; "Errors" lists the others.
 * Pointers.   Must point to what the call says, aligned, for the duration of the call. NULL is allowed only where it is
 *             mentioned; elsewhere it is BTZ_ERR_NULL. Nothing that is passed in is kept.
 * Structs.    Begin with struct_size, which the caller sets to sizeof by the BTZ_*_INIT macro or the init function; in
 *             arrays, `stride` takes its place. The rules are those of openat2(2): a shorter struct than the library's is
 *             from an older caller, and is served; a longer one is from a newer caller, and is served if what the
 *             library does not know is zero (on the way out, the library makes it zero). No struct has padding.
 * Texts.      In: pointer and length, UTF-8. Out: arrays inside structs, or (buffer, capacity, *needed), always
 *             NUL-terminated and cut between characters. Static texts are never freed. The library never returns memory
 *             that the caller must free; handles are ended by their own functions.
 * Threads.    "any": from any thread, several at the same time. "one at a time": a call beside another returns
 *             BTZ_ERR_BUSY and does nothing.
 * Fork.       In a child process every call on the parent's agent returns BTZ_ERR_FORKED. Descriptors are CLOEXEC.
 * Faults.     A call that fails inside (a bug) returns an error, and the agent is faulted: only btz_agent_free() works.
 *             The library never aborts, exits, prints, or sets a signal handler, and its threads block all signals.
 * Unloading.  Do not dlclose() the library while an agent or a log hook lives.
 * Versions.   "Since" says in which version of the ABI an item appeared. Within a major version items are only added.
 */
