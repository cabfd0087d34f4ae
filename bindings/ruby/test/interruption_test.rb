# frozen_string_literal: true

require "logger"
require "stringio"
require_relative "helper"

# Timeout, Thread#raise and Ctrl-C end a call at once, whatever it waits for, and nothing is left of it.
class InterruptionTest < Minitest::Test
  include Helper

  # Within which the fastest of a few interruptions ends a call. A busy machine is late.
  MAX_SECONDS = Float(ENV.fetch("INTERRUPTION_SECONDS"))
  # An exception that another thread raises.
  Stop = Class.new(StandardError)

  # Calls that wait, by what they wait for. A program of its own calls them, too.
  WAITING_CALLS = <<~'RUBY'
    plain = MlflowGateway::Client.new(route: "r", uri: COMMANDED, max_retries: 0)
    chat = MlflowGateway::Client.new(route: "chat", uri: COMMANDED, max_retries: 0)
    connecting = MlflowGateway::Client.new(route: "r", uri: UNREACHABLE)
    resolving = MlflowGateway::Client.new(route: "r", uri: UNRESOLVED)
    retrying = MlflowGateway::Client.new(route: "r", uri: REFUSED, max_retries: 5, retry_backoff_ms: 60_000)
    queue = plain.queue
    {
      "the response" => -> { plain.complete("stall") },
      "the first event" => -> { chat.stream("stall") { nil } },
      "the next event" => -> { chat.stream("half of it") { nil } },
      "the next event of an enumerator" => -> { chat.stream("half of it").to_a },
      "a connection" => -> { connecting.complete("x") },
      "a connection for a stream" => -> { connecting.stream("x") { nil } },
      "a connection for routes" => -> { connecting.routes },
      "a host name" => -> { resolving.complete("x") },
      "a host name for routes" => -> { resolving.routes },
      "a retry" => -> { retrying.complete("x") },
      "a retry of a stream" => -> { retrying.stream("x") { nil } },
      "a queue" => -> { queue.next }
    }
  RUBY

  def waiting_calls
    @waiting_calls ||= binding.eval(WAITING_CALLS) # rubocop:disable Security/Eval
  end

  def test_timeout_ends_a_call_at_once
    waiting_calls.each do |what, call|
      late = least { seconds { assert_raises(Timeout::Error, what) { Timeout.timeout(0.05) { call.call } } } - 0.05 }
      assert_operator late, :<, MAX_SECONDS, what
    end
  end

  def test_raise_and_kill_of_another_thread_end_a_call_at_once
    [->(thread) { thread.raise(Stop) }, :kill.to_proc].each do |interrupt|
      waiting_calls.each do |what, call|
        late = least { seconds_to_end(interrupt, &call) }
        assert_operator late, :<, MAX_SECONDS, what
      end
    end
  end

  # Each call is interrupted a few times, as in a program that continues after Ctrl-C.
  INTERRUPTED = <<~'RUBY'
    require "mlflow_gateway"
    trap(:INT, "DEFAULT") # a process in the background may inherit that it is ignored
    COMMANDED, REFUSED, UNREACHABLE, UNRESOLVED, calls = ARGV
    eval(calls).each do |what, call|
      late = Array.new(3) do
        sent = nil
        Thread.new do
          sleep 0.05
          sent = Process.clock_gettime(Process::CLOCK_MONOTONIC)
          Process.kill(:INT, Process.pid)
        end
        call.call
        abort("#{what}: not interrupted")
      rescue Interrupt
        Process.clock_gettime(Process::CLOCK_MONOTONIC) - sent
      end
      puts "#{late.min} #{what}"
    end
  RUBY

  def test_ctrl_c_ends_a_call_at_once
    status, output = ruby(INTERRUPTED, COMMANDED, REFUSED, UNREACHABLE, UNRESOLVED, WAITING_CALLS)
    assert_predicate status, :success?, output
    assert_equal waiting_calls.keys, (output.lines.map { |line| line.chomp.split(" ", 2).last })
    output.each_line { |line| assert_operator Float(line.split.first), :<, MAX_SECONDS, line }
  end

  # Signals are not deferred by Thread.handle_interrupt, so they arrive also while objects are destroyed.
  STORM = <<~'RUBY'
    require "mlflow_gateway"
    client = MlflowGateway::Client.new(route: "completions", uri: ARGV[0], max_retries: 0)
    queue = client.queue
    calls = [-> { client.complete("stall") }, -> { client.complete("x") }, -> { client.stream("stall") { nil } },
             -> { queue.submit(prompt: "x") && queue.next(timeout: 0.01) }, -> { client.route }]
    parent = Process.pid
    storm = fork do
      while Process.ppid == parent
        sleep rand * 0.003
        Process.kill(:INT, parent)
      end
    end
    interrupted = 0
    is_armed = false
    trap(:INT) do
      was_armed = is_armed
      is_armed = false
      raise Interrupt if was_armed
    end
    until interrupted == Integer(ARGV[1])
      begin
        is_armed = true
        calls[interrupted % calls.size].call
        is_armed = false
      rescue Interrupt
        interrupted += 1
      end
    end
    Process.kill(:KILL, storm)
    Process.wait(storm)
    queue.abort
    GC.start
    puts client.complete("after").text, Dir.children("/proc/self/fd").size
  RUBY

  def test_ctrl_c_at_any_moment_destroys_nothing_twice
    status, output = ruby(STORM, FAST, [400, Integer(ENV.fetch("INTERRUPTIONS")) / 4].max.to_s)
    assert_predicate status, :success?, output
    text, descriptors = output.lines(chomp: true)
    assert_equal "after", text, output
    assert_operator Integer(descriptors), :<, 60
  end

  def test_interruptions_within_log_lines_leak_nothing_and_are_not_lost
    logger = Logger.new(StringIO.new)
    logger.formatter = ->(*) { sleep(0.002).to_s }
    client = client(uri: FAST, route: "completions", logger: logger)
    client.complete("x")
    before = [descriptors, threads]
    interrupts = [->(thread) { thread.raise(Stop) }, :kill.to_proc]
    100.times do |number|
      thread = Thread.new { loop { client.complete("x") } }
      thread.report_on_exception = false
      sleep rand * 0.005
      interrupts[number % 2].call(thread)
      assert thread.join(30), "an interruption was lost"
    rescue Stop
      next
    end
    assert_eventually("#{[descriptors, threads]}, before: #{before}") do
      GC.start
      descriptors <= before[0] + 8 && threads <= before[1] + 8
    end
  end

  def test_client_works_after_interruptions
    client = client(route: "chat")
    connecting = client(uri: UNREACHABLE)
    GC.disable
    before = descriptors
    20.times do
      assert_raises(Timeout::Error) { Timeout.timeout(0.005) { client.stream("half of it") { nil } } }
      assert_raises(Timeout::Error) { Timeout.timeout(0.005) { connecting.routes } }
      assert_equal "hello", client.stream("hello").map(&:to_s).join
    end
    assert_eventually("#{descriptors} descriptors, before: #{before}") { descriptors <= before + 8 }
  ensure
    GC.enable
  end

  def test_interruption_at_any_moment_loses_no_response
    client = client(uri: FAST, route: "completions")
    counts = Hash.new(0)
    caller = Thread.handle_interrupt(Stop => :never) do
      Thread.new do
        until counts[:interrupted] >= 300 && counts[:done] >= 20
          begin
            text = "echo #{counts[:done]} #{counts[:interrupted]}"
            Thread.handle_interrupt(Stop => :immediate) { assert_equal text, client.complete(text).text }
            counts[:done] += 1
          rescue Stop
            counts[:interrupted] += 1
          end
        end
      end
    end
    caller.report_on_exception = false
    while caller.alive?
      caller.raise(Stop) unless caller.pending_interrupt?
      # Longer on a machine that finishes no call in between.
      sleep rand * 0.001 * (1 + (counts[:interrupted] / 300))
    end
    caller.join
  end

  # In one process, so that what is left of the first ones is known.
  def test_nothing_leaks
    count = Integer(ENV.fetch("INTERRUPTIONS"))
    fast = client(uri: FAST, route: "completions")
    connecting = client(uri: UNREACHABLE)
    retrying = MlflowGateway::Client.new(route: "r", uri: REFUSED, max_retries: 5, retry_backoff_ms: 60_000)
    calls = [-> { fast.complete("stall") }, -> { fast.stream("stall") { nil } }, -> { connecting.complete("x") },
             -> { retrying.complete("x") }, -> { connecting.routes }]
    interrupt = lambda do |number|
      Timeout.timeout(0.0005 + (rand * 0.001)) { calls[number % calls.size].call }
      flunk "not interrupted"
    rescue Timeout::Error
      nil
    end
    (count / 10).times(&interrupt)
    GC.start
    before = [descriptors, threads, resident_kib]
    count.times(&interrupt)
    GC.start
    assert_eventually("#{descriptors} descriptors, #{threads} threads; before: #{before}") do
      descriptors <= before[0] + 8 && threads <= before[1] + 8
    end
    assert_operator resident_kib - before[2], :<, 8192
  end

  private

  def seconds_to_end(interrupt, &call)
    thread = Thread.new(&call)
    thread.report_on_exception = false
    sleep 0.05
    seconds do
      interrupt.call(thread)
      thread.join
    rescue Stop
      nil
    end
  end
end
