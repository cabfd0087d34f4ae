"""Every test that is not run on an emulated machine, or that fails there because of the emulator, with the reason.

usage: tests/cross/differences.py    print cargo's arguments that skip unit tests
"""

NATIVE_ONLY = {
    "test_abi.py": "about the header and the library of this machine",
    "test_bindings.py": "needs Python and Zig for that machine",
    "test_compat.py": "about README.md",
    "test_cxx.py": "about the compilers of this machine",
    "test_demo.py": "needs real servers",
    "test_documentation.py": "about the documentation",
    "test_examples_batch_mpi.py": "needs the MPI of this machine",
    "test_examples_chat_cxx.py": "about the C++ compiler of this machine",
    "test_go.py": "needs Go for that machine",
    "test_go_cost.py": "needs Go for that machine",
    "test_go_examples.py": "needs Go for that machine",
    "test_go_install.py": "needs Go for that machine",
    "test_guide_batch.py": "about the documentation",
    "test_header.py": "about the header",
    "test_install.py": "about the installation on this machine",
    "test_language.py": "about the language of the source tree",
    "test_man.py": "about the documentation",
    "test_ruby.py": "needs Ruby for that machine",
    "test_shared_library.py": "about the library of this machine",
    "test_sanitizers.py": "needs tools that do not run under qemu",
}
"""Files whose tests are not run, with the reason."""

NO_MEMORY_LIMIT = "qemu-user accepts a limit of the address space (RLIMIT_AS), but does not enforce it"
MILLISECONDS = "measures milliseconds, and each emulated call may take a hundred of them"
FORK_OF_THREADS = "qemu-user 7.2 may abort in the child of a process with several threads (qemu_plugin_vcpu_init_hook)"
MEMORY = "the memory of the process includes qemu's own, such as translated code and the state of each thread"

UNIT_TESTS = {"dialect::pointer::tests::time_grows_only_with_the_length_of_the_document": MILLISECONDS}
"""Unit tests of the library that are not run."""

NOT_RUN = (NO_MEMORY_LIMIT, MILLISECONDS)
"""Reasons for which a test is not even run: it would take minutes, or its result would be chance."""

DIFFERENCES = {
    "test_connections.py::test_server_that_does_not_read_times_out": MILLISECONDS,
    "test_connections.py::test_response_that_does_not_fit_into_memory_is_out_of_memory": NO_MEMORY_LIMIT,
    "test_examples_batch_resume.py::test_memory_is_modest_for_many_lines": MEMORY,
    "test_host_process.py::test_library_can_be_unloaded_and_loaded_again": MEMORY,
    "test_host_process.py::test_cancel_token_cancels_calls_of_its_own_process_only": FORK_OF_THREADS,
    "test_queue_host_process.py::test_process_may_fork_while_64_threads_use_a_queue": FORK_OF_THREADS,
    "test_queue_host_process.py::test_queue_belongs_to_the_process_that_created_it": FORK_OF_THREADS,
    "test_queue_host_process.py::test_queue_over_tls_belongs_to_the_process_that_created_it": FORK_OF_THREADS,
    "test_queue_load.py::test_10000_prompts_get_their_own_responses_and_memory_does_not_grow": MEMORY,
    "test_queue_load.py::test_1000_streams_at_once_lose_no_event_and_take_little_memory": MEMORY,
    "test_queue_load.py::test_4000_sends_are_in_flight_at_once": MEMORY,
    "test_queue_load.py::test_consumer_that_sleeps_longer_than_the_idle_timeout_loses_nothing_and_fills_no_memory": (
        MEMORY
    ),
    "test_queue_windows.py::test_slow_program_stops_the_server_and_loses_nothing": MEMORY,
    "test_size_limits.py::test_stream_beyond_available_memory_is_out_of_memory": NO_MEMORY_LIMIT,
    "test_size_limits.py::test_response_beyond_available_memory_is_out_of_memory": NO_MEMORY_LIMIT,
    "test_retries.py::test_backoff_beyond_the_deadline_fails_at_once": MILLISECONDS,
    "test_retries.py::test_pauses_are_random_below_a_doubling_limit": MILLISECONDS,
    "test_streams.py::test_times_of_each_phase_are_reported": MILLISECONDS,
}
"""Tests that fail because of the emulator, with the reason. One that passes nevertheless is reported."""

if __name__ == "__main__":
    print(*(f"--skip {name}" for name in UNIT_TESTS))
