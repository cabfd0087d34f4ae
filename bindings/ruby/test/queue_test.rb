# frozen_string_literal: true

require_relative "helper"

# A queue sends many requests at once, and returns each completion once.
class QueueTest < Minitest::Test
  include Helper

  def test_requests_of_all_kinds_get_their_own_completions
    client.queue(max_in_flight: 4) do |queue|
      assert queue.submit(prompt: "a b", tag: :prompt)
      assert queue.submit(messages: ["hello world"], stream: true, route: "chat", tag: { stream: 1 })
      assert queue.submit(inputs: %w[x y], route: "embeddings", tag: nil)
      assert queue.submit(path: "/health", tag: "raw")
      assert queue.submit(prompt: "503", tag: 5)
      queue.close
      completions = queue.to_a
      done = completions.select(&:done?).to_h { |completion| [completion.tag, completion] }
      assert_equal "a b", done[:prompt].value.text
      assert_equal 2, done[nil].value.size
      assert_equal "OK", JSON.parse(done["raw"].value.body)["status"]
      assert_raises(MlflowGateway::ServerError) { done[5].value }
      events = completions.reject(&:done?)
      assert_equal [{ stream: 1 }], events.map(&:tag).uniq
      assert_equal ["hello world"] * 2, [events.map { |one| one.event.to_s }.join, done[{ stream: 1 }].value.text]
      assert_nil events.first.value
      assert_nil queue.next
    end
  end

  def test_many_prompts_through_a_small_queue
    client(uri: FAST, route: "completions").queue(max_in_flight: 16, max_queued: 32) do |queue|
      got = []
      2000.times { |at| got << queue.next until queue.submit(prompt: "p #{at}", tag: at, exception: false) }
      queue.close
      got.concat(queue.to_a)
      assert_equal (0...2000).to_a, got.map(&:tag).sort
      assert(got.all? { |one| one.value.text == "p #{one.tag}" })
    end
  end

  def test_methods_of_enumerable_fetch_completions
    client.queue do |queue|
      3.times { |at| queue.submit(prompt: "p", tag: at) }
      queue.close
      assert_equal 3, queue.count
      assert_equal 0, queue.count
    end
  end

  def test_submit_takes_the_parameters_of_calls
    client(uri: ECHO).queue do |queue|
      queue.submit(prompt: "x", params: { a: 1 }, n: 2, verb: "be")
      sent = JSON.parse(queue.next.value.text)["body"]
      assert_equal({ "params" => { "a" => 1 }, "n" => 2, "verb" => "be" }, sent.slice("params", "n", "verb"))
    end
  end

  def test_next_waits_at_most_its_timeout
    client.queue do |queue|
      assert_nil queue.next(timeout: 0)
      took = seconds { assert_nil queue.next(timeout: 0.05) }
      assert_includes 0.049..2, took
      queue.submit(prompt: "later x")
      assert_equal "later x", queue.next(timeout: 30).value.text
    end
  end

  def test_limits_and_counts
    client.queue(max_in_flight: 2, max_queued: 1) do |queue|
      accepted = Array.new(4) { |at| queue.submit(prompt: "stall", tag: at / 2, exception: false) }
      assert_equal [true, true, true, false], accepted
      error = assert_raises(MlflowGateway::QueueFullError) { queue.submit(prompt: "stall") }
      assert_equal "MLFLOW_GATEWAY_QUEUE_FULL", error.status_name
      assert_equal [1, 2, 0, 2], [queue.waiting, queue.in_flight, queue.unfetched, queue.limit]
      assert_equal 2, queue.cancel(0)
      ended = [queue.next, queue.next]
      assert_equal [[0, MlflowGateway::CancelledError]], ended.map { |one| [one.tag, one.error.class] }.uniq
      queue.set_option(:max_in_flight, 5)
      assert_equal 5, queue.limit
      assert_raises(MlflowGateway::UnknownOptionError) { queue.set_option(:none, 1) }
      assert_raises(MlflowGateway::InvalidArgumentError) { queue.submit(prompt: "x", messages: ["y"]) }
      queue.close
      assert_raises(MlflowGateway::ClosedError) { queue.submit(prompt: "x") }
    end
  end

  def test_abort_ends_a_thread_that_waits
    queue = client.queue
    queue.submit(prompt: "stall")
    thread = Thread.new { assert_raises(MlflowGateway::ClosedError) { queue.next } }
    sleep 0.05
    assert_operator seconds { queue.abort && thread.join }, :<, 5
  end

  # Exceptions arrive all the time. As Thread.handle_interrupt documents, a thread that must not lose a result is
  # interrupted only while it waits.
  def test_interrupted_thread_loses_no_completion
    count = 1000
    stop = Class.new(StandardError)
    client(uri: FAST, route: "completions").queue(max_in_flight: 8, max_queued: count) do |queue|
      got = []
      interrupted = 0
      fetch = Thread.handle_interrupt(stop => :never) do
        Thread.new do
          while got.size < count
            begin
              Thread.handle_interrupt(stop => :on_blocking) { got << queue.next.tag }
            rescue stop
              interrupted += 1
            end
          end
        end
      end
      fetch.report_on_exception = false
      submit = Thread.new { count.times { |at| sleep(0.0001) if queue.submit(prompt: "p #{at}", tag: at) } }
      while fetch.alive?
        fetch.raise(stop)
        sleep 0.0002
      end
      submit.join
      assert_equal (0...count).to_a, got.sort
      assert_operator interrupted, :>, 20
    end
  end

  def test_several_threads_fetch_each_completion_once
    client(uri: FAST, route: "completions").queue(max_in_flight: 8, max_queued: 500) do |queue|
      threads = Array.new(8) { Thread.new { queue.map(&:tag) } }
      500.times { |at| queue.submit(prompt: "p #{at}", tag: at) }
      queue.close
      assert_equal (0...500).to_a, threads.flat_map(&:value).sort
    end
  end
end
