# frozen_string_literal: true

require_relative "helper"

# Timeout, Thread#raise and Ctrl-C end a call at once, whatever it waits for, and nothing is left of it.
class InterruptionTest < Minitest::Test
  include Helper

  MAX_SECONDS = 0.02
  # An exception that another thread raises.
  Stop = Class.new(StandardError)

  # Calls that wait, by what they wait for.
  def waiting_calls
    plain = client
    streaming = client(route: "chat")
    connecting = client(uri: UNREACHABLE)
    pausing = MlflowGateway::Client.new(route: "r", uri: COMMANDED, max_retries: 5, retry_backoff_ms: 60_000)
    queue = plain.queue
    {
      "the response" => -> { plain.complete("stall") },
      "the first event" => -> { streaming.stream("stall") { nil } },
      "the next event" => -> { streaming.stream("half of it") { nil } },
      "the next event of an enumerator" => -> { streaming.stream("half of it").to_a },
      "a connection" => -> { connecting.complete("x") },
      "routes, and a connection" => -> { connecting.routes },
      "a retry" => -> { pausing.complete("503") },
      "a queue" => -> { queue.next }
    }
  end

  def test_timeout_ends_a_call_at_once
    waiting_calls.each do |what, call|
      late = least { seconds { assert_raises(Timeout::Error, what) { Timeout.timeout(0.1) { call.call } } } - 0.1 }
      assert_operator late, :<, MAX_SECONDS, what
    end
  end

  def test_raise_of_another_thread_ends_a_call_at_once
    waiting_calls.each do |what, call|
      late = least do
        thread = Thread.new { assert_raises(Stop) { call.call } }
        sleep 0.05
        seconds do
          thread.raise(Stop)
          thread.join
        end
      end
      assert_operator late, :<, MAX_SECONDS, what
    end
  end

  def test_kill_ends_a_call_at_once
    waiting_calls.each do |what, call|
      late = least do
        thread = Thread.new { call.call }
        sleep 0.05
        seconds { thread.kill.join }
      end
      assert_operator late, :<, MAX_SECONDS, what
    end
  end

  INTERRUPTED = <<~'RUBY'
    require "mlflow_gateway"
    uri, route, method = ARGV
    client = MlflowGateway::Client.new(route: route, uri: uri)
    Thread.new { sleep 0.2; $start = Process.clock_gettime(1); Process.kill(:INT, Process.pid) }
    begin
      method == "routes" ? client.routes : client.public_send(method, "stall") { nil }
    rescue Interrupt
      print Process.clock_gettime(1) - $start
    end
  RUBY

  def test_ctrl_c_ends_a_call_at_once
    [[COMMANDED, "r", "complete"], [COMMANDED, "chat", "stream"], [UNREACHABLE, "r", "routes"]].each do |arguments|
      late = least(3) { Float(ruby(INTERRUPTED, *arguments).last) }
      assert_operator late, :<, MAX_SECONDS, arguments
    end
  end

  def test_client_works_after_interruptions
    client = client(route: "chat")
    20.times do
      assert_raises(Timeout::Error) { Timeout.timeout(0.005) { client.stream("half of it") { nil } } }
      assert_equal "hello", client.stream("hello").map(&:to_s).join
    end
  end

  def test_interruption_at_any_moment_loses_no_response
    client = client(uri: FAST, route: "completions")
    counts = Hash.new(0)
    caller = Thread.handle_interrupt(Stop => :never) do
      Thread.new do
        until counts[:interrupted] == 300
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
      sleep rand * 0.001
    end
    caller.join
    assert_equal 300, counts[:interrupted]
    assert_operator counts[:done], :>, 20
  end

  # In one process, so that what is left of the first ones is known.
  def test_nothing_leaks
    count = Integer(ENV.fetch("INTERRUPTIONS"))
    client = client(uri: FAST, route: "completions")
    interrupt = lambda do |number|
      Timeout.timeout(0.0005 + (rand * 0.001)) do
        number.odd? ? client.complete("stall") : client.stream("stall") { nil }
      end
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
end
