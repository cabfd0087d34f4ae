# frozen_string_literal: true

require_relative "helper"

# Threads call at the same time, a forked process calls at once, and the process ends at any time.
class ThreadsTest < Minitest::Test
  include Helper

  SLOW = ENV.fetch("SLOW_URL") # responds after 0.3 seconds
  LATENCY = 0.3

  def test_eight_threads_make_eight_calls_in_the_time_of_one
    client = client(uri: SLOW, route: "completions")
    client.complete("first")
    call = ->(at) { Thread.new { assert_equal "t#{at}", client.complete("t#{at}").text } }
    took = least(3) { seconds { Array.new(8, &call).each(&:join) } }
    assert_operator took, :<, 4 * LATENCY
  end

  def test_threads_run_while_a_call_waits
    client = client(uri: SLOW, route: "completions")
    counted = 0
    counter = Thread.new do
      loop do
        counted += 1
        sleep 0.001
      end
    end
    client.complete("x")
    counter.kill
    assert_operator counted, :>, 3
  end

  def test_threads_get_their_own_responses
    client = client(uri: FAST, route: "completions")
    threads = Array.new(16) do |thread|
      Thread.new { 200.times { |at| assert_equal "#{thread} #{at}", client.complete("#{thread} #{at}").text } }
    end
    threads.each(&:join)
    GC.start
    assert_operator Dir.children("/proc/self/task").size, :<, 40
  end

  # As a worker of a preloaded application, whose parent has used the client, has a queue, and has threads that call.
  def test_forked_process_calls_at_once
    client = client()
    assert_equal "parent", client.complete("parent").text
    queue = client.queue
    queue.submit(prompt: "later in the queue")
    busy = Thread.new { client.complete("later x").text }
    streaming = Thread.new { client(route: "chat").stream("half and half").map(&:to_s).join }
    client.routes
    sleep 0.005
    assert_equal "another", client.complete("another").text
    took = least(3) { seconds { assert_equal("child ok", (in_child { use_everything(client) })) } }
    assert_operator took, :<, 2
    assert_equal "later x", busy.value
    assert_equal "parent", client.complete("parent").text
    assert_equal "later in the queue", queue.next.value.text
    queue.submit(prompt: "again")
    assert_equal "again", queue.next.value.text
    streaming.kill.join
  end

  def test_process_forked_within_a_stream_reports_that_it_continues_in_the_parent
    text = client(route: "chat").stream("hello world").map do |event|
      next event.to_s unless event.text == "hello"

      (child = fork) || next # the child leaves the block, and continues the stream
      assert_equal 7, Process.wait2(child).last.exitstatus
      event.to_s
    end.join
    assert_equal "hello world", text
  rescue MlflowGateway::InvalidArgumentError => e
    exit!(e.message.include?("fork") ? 7 : 8)
  end

  def test_queue_in_a_forked_process_is_an_error
    client.queue do |queue|
      queue.submit(prompt: "x")
      assert_equal "InvalidArgumentError " * 2, (in_child do
        [-> { queue.submit(prompt: "y") }, -> { queue.next }].map do |use|
          "#{assert_raises(MlflowGateway::Error, &use).class.name[/\w+\z/]} "
        end.join
      end)
      assert_equal "x", queue.next.value.text
    end
  end

  EXIT = <<~'RUBY'
    require "mlflow_gateway"
    client = MlflowGateway::Client.new(route: "r", uri: ARGV[0])
    chat = MlflowGateway::Client.new(route: "chat", uri: ARGV[0])
    queue = client.queue
    4.times { |at| queue.submit(prompt: at.odd? ? "stall" : "later x") }
    3.times { Thread.new { loop { client.complete("later x") } } }
    3.times { Thread.new { chat.stream("half of it") { nil } } }
    Thread.new { client.routes }
    Thread.report_on_exception = false
    sleep rand * 0.03
    exit(3)
  RUBY

  def test_exit_while_requests_run_does_not_crash
    Integer(ENV.fetch("EXITS")).times do |number|
      status, output = ruby(EXIT, COMMANDED)
      assert_equal [3, ""], [status.exitstatus, output], "#{number}: #{status}"
    end
  end

  private

  def use_everything(client)
    GC.start # what is left of the parent
    client.routes && client.queue { |queue| queue.submit(prompt: "q") && queue.next.value }
    client.health && "#{client.complete('child')} ok"
  end

  # Runs a block in a forked process, and returns its text.
  def in_child
    read, write = IO.pipe
    child = fork do
      write.write(yield)
      write.close
      exit!(0)
    rescue Exception => e # rubocop:disable Lint/RescueException
      write.write(e.full_message)
      exit!(1)
    end
    write.close
    read.read
  ensure
    Process.wait(child)
  end
end
